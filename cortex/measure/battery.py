"""The tasks of an ablation: one for each part of the mind, and for each part others that it is not needed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cortex.envs.diagnostics import DIAGNOSTICS
from cortex.types import CortexError

WHEN = ("birth", "evening", "night", "morning")
"""When a part is cut: at birth; in a grown agent, which is examined in the evening of its last day; in the same, which
is examined after the night that it then sleeps; in a grown agent, after that night."""

CUT = ("evening", "morning")
"""When it is unless told otherwise: copies of one grown agent lose it. Lives and nights without a part take as long as
whole ones; only what is foretold to cost from birth, and stages of the night, are cut at birth then."""


@dataclass(frozen=True, slots=True)
class AblationTask:
    """An environment in which agents grow up whole or lesioned; scores are shares of exam episodes won."""

    name: str
    env: str  # what gymnasium.make takes, module:id too
    steps: int  # of all bodies in a day
    chance: float | None = None  # score 0; None: of the best constant actions, which are looked for
    optimum: float = 1.0  # score 1
    asks: Mapping[str, str] = field(default_factory=dict)  # lesion -> when it is foretold to cost
    day: Mapping[str, Any] = field(default_factory=dict)  # settings of the environment by day
    exam: Mapping[str, Any] = field(default_factory=dict)  # and in the exam, in their place
    settings: tuple[str, ...] = ()  # overrides of the agent from birth
    exam_settings: tuple[str, ...] = ()  # overrides of the agent in the exam, whole or lesioned
    games: bool = False  # the environment takes a game_seed: each life has rules of its own
    held_out: float = 0.0  # share of the layouts that days do not have

    @property
    def weights_alone(self) -> bool:
        """Whether the exam is taken without memory."""
        return "hippocampus.capacity=0" in self.exam_settings


ALONE = ("hippocampus.capacity=0", "planner.simulations=0")
"""The weights alone: memory cleared, search off."""

SHORT = ("sleep.steps=800", "sleep.states=2000", "sleep.world_model_steps=300", "sleep.body_steps=300")
"""Nights as short as tasks of some hundred steps need."""


def _diagnostic(name: str, steps: int, asks: Mapping[str, str], **given: Any) -> AblationTask:
    """A task of `cortex.envs.diagnostics`, with the chance level and the optimum that it states."""
    facts = DIAGNOSTICS[f"cortex/{name}-v0"]
    given = {"settings": SHORT, "exam_settings": facts.settings, "exam": dict(facts.exam), **given}
    return AblationTask(name, f"cortex/{name}-v0", steps, facts.chance, facts.optimum, asks, **given)


def _game(name: str, steps: int, asks: Mapping[str, str], day: Mapping[str, Any], **given: Any) -> AblationTask:
    """Novel games, another one in each life."""
    given = {"settings": SHORT, "games": True, "held_out": 0.25, **given}
    return AblationTask(name, "cortex/NovelGame-v0", steps, None, 1.0, asks, {"level": 1, **day}, **given)


BATTERY: dict[str, AblationTask] = {
    task.name: task
    for task in (
        _diagnostic("Foraging", 400, {"hippocampus": "evening"}, games=True),
        _diagnostic("Tone", 300, {"sound": "evening"}, games=True, settings=(*SHORT, "encoders.sound=[sound]")),
        _diagnostic("Words", 400, {"words": "morning"}, games=True),
        _diagnostic("Skill", 600, {"night": "birth", "curiosity": "birth"}, games=True),
        _diagnostic("Generalise", 400, {"world_model": "morning"}, games=True),
        _diagnostic("Detour", 1200, {"planner": "morning"}, exam={"part": "exam", "slack": 2}),
        _game("Maze", 800, {"context": "morning"}, {"difficulty": 1, "view": "ego"}),
        _game("Game", 800, {"body_image": "morning", "dream": "birth"}, {"difficulty": 1}, exam_settings=ALONE),
    )
}
"""The tasks of ``cortex ablate``, by name. What each asks for was named before it was measured on it,
but for Foraging without the hippocampus."""

FORETOLD = tuple(dict.fromkeys(name for task in BATTERY.values() for name in task.asks))
"""The lesions that a task was named for."""

QUICK: dict[str, Any] = {
    "tasks": ("Foraging", "Tone", "Skill"),
    "lesions": ("hippocampus", "sound", "planner", "night"),
    "seeds": 3,
    "exam": 16,
    "settings": ("sleep.steps=200", "sleep.states=400", "sleep.world_model_steps=60", "sleep.body_steps=20"),
}
"""What ``cortex ablate --quick`` does."""


def named(name: str) -> AblationTask:
    """A task of the battery by its name, else the environment that `gymnasium.make` takes under it, days of 2,000
    steps. Raises CortexError for what is neither."""
    if name in BATTERY:
        return BATTERY[name]
    if "-v" not in name and ":" not in name:
        raise CortexError(f"no task {name!r}; tasks are {', '.join(BATTERY)}, and what gymnasium.make takes")
    return AblationTask(name.rpartition("/")[2].rpartition(":")[2], name, 2000, held_out=0.25)
