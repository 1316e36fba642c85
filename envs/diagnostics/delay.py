"""Delay: the cue of a trial, then distractors, then the choice."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number, rule

CUE, WAIT, GO = range(3)


class Delay(gymnasium.Env[dict[str, Any], Any]):
    """Remember one of four cues over ``length`` distractors (after the memory length of bsuite, Osband 2020).

    Observation: ``lamp`` (cue, wait, go) and ``sign``: a cue while the lamp says so, then one of four distractors,
    drawn afresh at every step, also at the go. Actions count at the go alone: action a answers, and each cue has one
    right answer, the same in all episodes of a ``game_seed``. OPTIMUM: the cue is remembered. CHANCE: one answer of
    four. WITHOUT memory, or with one that reaches back no more than ``length`` steps, only distractors are left, and
    they are independent of the answer.
    """

    metadata = METADATA
    MODULE = "context"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.25, 0.25
    SURVIVES = ("hippocampus", "planner", "night", "world_model", "habit", "dream", "guard")
    CUES, DISTRACTORS = 4, 4

    def __init__(self, length: int = 8, game_seed: int = 0, render_mode: str | None = None) -> None:
        self.length = number("Delay", "length", length, 0, 28)
        self.render_mode = choice("Delay", "render_mode", render_mode, (None, "ansi"))
        self.pays = rule(game_seed, "Delay").permutation(self.CUES).tolist()  # the answer to each cue
        self.layout_sizes = (self.CUES, *[self.DISTRACTORS] * (self.length + 1))
        self.observation_space = spaces.Dict(
            {"lamp": spaces.Discrete(3), "sign": spaces.Discrete(self.CUES + self.DISTRACTORS)}
        )
        self.action_space = spaces.Discrete(self.CUES)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (cue, distractor, distractor, ...)}``."""
        super().reset(seed=seed)
        self._shown = draw("Delay", self.layout_sizes, self.np_random, options)
        self._clock, self._running = 0, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        answer = act("Delay", self._running, action, self.CUES)
        if self._clock <= self.length:
            self._clock += 1
            return self._look(), 0.0, False, False, {"success": False}
        self._running, won = False, answer == self.pays[self._shown[0]]
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: the lamp and the sign."""
        if self.render_mode is None:
            return None
        seen = self._look()
        return f"step {self._clock} of {self.length + 1}   {('cue', 'wait', 'go')[seen['lamp']]}: {seen['sign']}"

    def _look(self) -> dict[str, Any]:
        if self._clock == 0:
            return {"lamp": CUE, "sign": self._shown[0]}
        lamp = WAIT if self._clock <= self.length else GO
        return {"lamp": lamp, "sign": self.CUES + self._shown[self._clock]}
