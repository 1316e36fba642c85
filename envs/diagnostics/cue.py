"""Cue: what was seen at the start tells which arm pays at the end."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number, rule

START, CORRIDOR, JUNCTION = range(3)


class Cue(gymnasium.Env[dict[str, Any], Any]):
    """A maze of one corridor: a cue at the start, ``arms`` arms at the junction two steps on (after Bakker 2002).

    Observation: ``place`` (start, corridor, junction) and ``cue`` (0: none). Every action walks on; at the junction
    action a enters arm a and ends the episode. Each cue has one paying arm, the same in all episodes of a
    ``game_seed``. OPTIMUM: the cue is remembered. CHANCE: one arm of four. WITHOUT memory the junction looks the same
    after every cue, so each arm pays in one episode of four and no choice does better.
    """

    metadata = METADATA
    MODULE = "context"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.25, 0.25
    SURVIVES = ("hippocampus", "planner", "night", "world_model", "habit", "dream", "guard")

    def __init__(self, arms: int = 4, game_seed: int = 0, render_mode: str | None = None) -> None:
        self.arms = number("Cue", "arms", arms, 2, 9)
        self.render_mode = choice("Cue", "render_mode", render_mode, (None, "ansi"))
        self.pays = rule(game_seed, "Cue").permutation(self.arms).tolist()  # the arm of each cue
        self.layout_sizes = (self.arms,)
        self.observation_space = spaces.Dict({"place": spaces.Discrete(3), "cue": spaces.Discrete(self.arms + 1)})
        self.action_space = spaces.Discrete(self.arms)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (cue,)}``."""
        super().reset(seed=seed)
        (self._cue,) = draw("Cue", self.layout_sizes, self.np_random, options)
        self._place, self._running = START, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        arm = act("Cue", self._running, action, self.arms)
        if self._place < JUNCTION:
            self._place += 1
            return self._look(), 0.0, False, False, {"success": False}
        self._running, won = False, arm == self.pays[self._cue]
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: the agent in the corridor, the cue while it shows."""
        if self.render_mode is None:
            return None
        path = "".join("@" if place == self._place else "." for place in range(3))
        return f"{path}< {self.arms} arms   cue: {self._look()['cue'] or '-'}"

    def _look(self) -> dict[str, Any]:
        return {"place": self._place, "cue": self._cue + 1 if self._place == START else 0}
