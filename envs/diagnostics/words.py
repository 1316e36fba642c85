"""Words: the mission says which of four things to take, in words that were never heard before."""

from __future__ import annotations

import string
from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, rule, senses

SENTENCES = {
    "key": {
        "day": ("take the key", "get me a key", "i want the key"),
        "exam": ("please pick up the key", "fetch what unlocks a door", "choose the latchkey"),
    },
    "ball": {
        "day": ("take the ball", "get me a ball", "i want the ball"),
        "exam": ("please pick up the ball", "fetch what children throw and kick", "choose the football"),
    },
    "lamp": {
        "day": ("take the lamp", "get me a lamp", "i want the lamp"),
        "exam": ("please pick up the lamp", "fetch what gives light at night", "choose the lantern"),
    },
    "hat": {
        "day": ("take the hat", "get me a hat", "i want the hat"),
        "exam": ("please pick up the hat", "fetch what one wears on the head", "choose the cap"),
    },
}
"""Thing -> the sentences of days, and of exams: a new frame, a description, a synonym."""

MOST_LETTERS = 64


class Words(gymnasium.Env[dict[str, Any], Any]):
    """One mission, one choice among four things (after Hermann 2017).

    Observation: ``mission``, three sentences a thing. ``part`` "day" has sentences that name the thing plainly, "exam"
    has others: a new frame, a description, a synonym. Which action takes which thing is the same in all episodes of a
    ``game_seed``. ``mute=("mission",)`` leaves the mission empty. OPTIMUM: the sentence is understood. CHANCE and
    WITHOUT words: each thing is wanted in one episode of four and nothing else tells which. Who takes each sentence
    for a symbol of its own is at 1/4 in the exam too, since no sentence of it was heard by day.
    """

    metadata = METADATA
    MODULE = "text"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.25, 0.25
    SURVIVES = ("hippocampus", "planner", "context", "world_model", "dream", "guard")

    def __init__(
        self, part: str = "day", mute: tuple[str, ...] = (), game_seed: int = 0, render_mode: str | None = None
    ) -> None:
        self.part = choice("Words", "part", part, ("day", "exam"))
        self.mute = senses("Words", mute, ("mission",))
        self.render_mode = choice("Words", "render_mode", render_mode, (None, "ansi"))
        self.things = [list(SENTENCES)[thing] for thing in rule(game_seed, "Words").permutation(4)]  # of each action
        self.layout_sizes = (4, 3)
        letters = string.ascii_lowercase + " "
        self.observation_space = spaces.Dict({"mission": spaces.Text(MOST_LETTERS, min_length=0, charset=letters)})
        self.action_space = spaces.Discrete(4)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (action that pays, sentence)}``."""
        super().reset(seed=seed)
        self._wanted, self._sentence = draw("Words", self.layout_sizes, self.np_random, options)
        self._running = True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        won = act("Words", self._running, action, 4) == self._wanted
        self._running = False
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: the mission and the things."""
        if self.render_mode is None:
            return None
        return f"{self._look()['mission'] or '(silence)'}   " + " ".join(
            f"{action}:{thing}" for action, thing in enumerate(self.things)
        )

    def _look(self) -> dict[str, Any]:
        said = SENTENCES[self.things[self._wanted]][self.part][self._sentence]
        return {"mission": "" if "mission" in self.mute else said}
