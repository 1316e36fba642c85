"""The diagnostic tasks by id, with what an ablation must know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .chord import Chord
from .cue import Cue
from .delay import Delay
from .detour import Detour
from .errand import Errand
from .foraging import Foraging
from .generalise import Generalise
from .order import Order
from .skill import Skill
from .tone import Tone
from .words import Words


@dataclass(frozen=True, slots=True)
class Facts:
    """One task; scores are shares of episodes won in the exam."""

    module: str  # the part of the mind that it asks for
    optimum: float  # of a player who lacks nothing
    chance: float  # of uniformly random actions
    without: float  # of the best player who lacks the module
    survives: tuple[str, ...]  # names in cortex.LESIONS: it can be won with any one of them
    lesion: str | None  # the name in cortex.LESIONS that cuts the module; None where there is none
    when: Literal["birth", "day", "night"]  # cut from birth, in an evening before any night, or in the morning after
    exam: Mapping[str, Any] = field(default_factory=dict)  # settings of the environment in the exam
    mute: Mapping[str, Any] = field(default_factory=dict)  # the same where a sense has to be silenced as the lesion
    settings: tuple[str, ...] = ()  # overrides of the agent in the exam, lesioned or not


def facts(task: Any, **given: Any) -> Facts:
    """The facts that a task states of itself, and those ``given``."""
    return Facts(task.MODULE, task.OPTIMUM, task.CHANCE, task.WITHOUT, task.SURVIVES, **given)


NO_TIME = ("planner.simulations=1",)
"""Time pressure: a decision may look one step ahead."""

DIAGNOSTICS: dict[str, Facts] = {
    "cortex/Cue-v0": facts(Cue, lesion="context", when="night"),
    "cortex/Delay-v0": facts(Delay, lesion="context", when="night"),
    "cortex/Order-v0": facts(Order, lesion="context", when="night"),
    "cortex/Foraging-v0": facts(Foraging, lesion="hippocampus", when="day"),
    "cortex/Detour-v0": facts(Detour, lesion="planner", when="night", exam={"part": "exam"}),
    # A habit that is not trusted is still the prior of a search that finds nothing, so it must never have grown.
    "cortex/Skill-v0": facts(Skill, lesion="night", when="birth", settings=NO_TIME),
    # A habit that generalises would do as well, so every decision is searched.
    "cortex/Generalise-v0": facts(
        Generalise, lesion="world_model", when="night", exam={"part": "exam"}, settings=("habit.trust=2",)
    ),
    "cortex/Words-v0": facts(
        Words, lesion="words", when="night", exam={"part": "exam"}, mute={"part": "exam", "mute": ("mission",)}
    ),
    "cortex/Chord-v0": facts(Chord, lesion=None, when="night", mute={"mute": ("light",)}),
    "cortex/Errand-v0": facts(Errand, lesion=None, when="day", settings=NO_TIME),
    "cortex/Tone-v0": facts(Tone, lesion="sound", when="day", settings=("encoders.sound=[sound]",)),
}
"""Id -> what is known of the task. The environment of days is ``gymnasium.make(id)``, that of exams has ``exam``."""
