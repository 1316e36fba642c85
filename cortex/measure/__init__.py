"""What a user needs to judge an agent: exams, the constant floor, scores and their intervals.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cortex.measure.constant import best_constant as best_constant
    from cortex.measure.exam import Exam as Exam
    from cortex.measure.exam import examine as examine
    from cortex.measure.statistics import interval as interval
    from cortex.measure.statistics import score as score
    from cortex.measure.statistics import wilson as wilson

_HOMES = {
    "Exam": "exam",
    "best_constant": "constant",
    "examine": "exam",
    "interval": "statistics",
    "score": "statistics",
    "wilson": "statistics",
}

__all__ = ["Exam", "best_constant", "examine", "interval", "score", "wilson"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cortex.measure.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
