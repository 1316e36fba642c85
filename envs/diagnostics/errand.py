"""Errand: the reward lies beyond the horizon of search, and only a remembered goal points there."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number, rule

LEFT, RIGHT = range(2)


class Errand(gymnasium.Env[dict[str, Any], Any]):
    """A line with an end on either side, ``far`` steps away; a sign tells which end pays, and there is no time to lose.

    Observation: ``place``, a number from -far to far, and ``sign``. Actions: one step left or right. The meaning of the
    signs is the same in all episodes of a ``game_seed``. An episode is cut off after ``far`` steps, so each must lead
    towards the right end. OPTIMUM: the future that the sign implies is recalled, and each step leads there. CHANCE:
    2^-5. WITHOUT a goal a player who sees one step ahead (``planner.simulations=1``) guesses until the end is next to
    it: 2^-4. The lesion must be made by day: a night may make a habit of the way.
    """

    metadata = METADATA
    MODULE = "goal"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 2.0**-5, 2.0**-4
    SURVIVES = ("context", "night", "world_model", "habit", "dream", "guard")

    def __init__(self, far: int = 5, game_seed: int = 0, render_mode: str | None = None) -> None:
        self.far = number("Errand", "far", far, 1, 30)
        self.render_mode = choice("Errand", "render_mode", render_mode, (None, "ansi"))
        self.ends = rule(game_seed, "Errand").permutation(2).tolist()  # LEFT or RIGHT, for each sign
        self.layout_sizes = (2,)
        span = float(self.far)
        self.observation_space = spaces.Dict(
            {"place": spaces.Box(-span, span, (1,), np.float32), "sign": spaces.Discrete(2)}
        )
        self.action_space = spaces.Discrete(2)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (sign,)}``."""
        super().reset(seed=seed)
        (self._sign,) = draw("Errand", self.layout_sizes, self.np_random, options)
        self._place, self._clock, self._running = 0, 0, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        way = act("Errand", self._running, action, 2)
        self._place += 1 if way == RIGHT else -1
        self._clock += 1
        there = abs(self._place) == self.far
        won = there and (self._place > 0) == (self.ends[self._sign] == RIGHT)
        cut = not there and self._clock == self.far
        self._running = not (there or cut)
        return self._look(), float(won), there, cut, {"success": won}

    def render(self) -> Any:
        """One line: the agent between the two ends, and the sign."""
        if self.render_mode is None:
            return None
        line = "".join("@" if place == self._place else "." for place in range(-self.far, self.far + 1))
        return f"[{line}]   sign {'AB'[self._sign]}"

    def _look(self) -> dict[str, Any]:
        return {"place": np.array([self._place], np.float32), "sign": self._sign}
