"""What a user needs to judge an agent: exams, the constant floor, lives of games, lesions, scores, intervals.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cortex.measure.ablation import ablate as ablate
    from cortex.measure.battery import AblationTask as AblationTask
    from cortex.measure.calibration import calibration_error as calibration_error
    from cortex.measure.constant import best_constant as best_constant
    from cortex.measure.dissociation import losses as losses
    from cortex.measure.dissociation import verdicts as verdicts
    from cortex.measure.exam import Exam as Exam
    from cortex.measure.exam import examine as examine
    from cortex.measure.protocol import Cost as Cost
    from cortex.measure.protocol import Learner as Learner
    from cortex.measure.protocol import Played as Played
    from cortex.measure.protocol import Task as Task
    from cortex.measure.protocol import run as run
    from cortex.measure.scores import games as games
    from cortex.measure.scores import summary as summary
    from cortex.measure.statistics import interval as interval
    from cortex.measure.statistics import iqm as iqm
    from cortex.measure.statistics import nested_interval as nested_interval
    from cortex.measure.statistics import score as score
    from cortex.measure.statistics import wilson as wilson

_HOMES = {
    "AblationTask": "battery",
    "Cost": "protocol",
    "Exam": "exam",
    "Learner": "protocol",
    "Played": "protocol",
    "Task": "protocol",
    "ablate": "ablation",
    "best_constant": "constant",
    "calibration_error": "calibration",
    "examine": "exam",
    "games": "scores",
    "interval": "statistics",
    "iqm": "statistics",
    "losses": "dissociation",
    "nested_interval": "statistics",
    "run": "protocol",
    "score": "statistics",
    "summary": "scores",
    "verdicts": "dissociation",
    "wilson": "statistics",
}

__all__ = [
    "AblationTask",
    "Cost",
    "Exam",
    "Learner",
    "Played",
    "Task",
    "ablate",
    "best_constant",
    "calibration_error",
    "examine",
    "games",
    "interval",
    "iqm",
    "losses",
    "nested_interval",
    "run",
    "score",
    "summary",
    "verdicts",
    "wilson",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cortex.measure.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
