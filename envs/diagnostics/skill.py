"""Skill: always the same long sequence, and no time to think."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number, rule

KEYS = 4


class Skill(gymnasium.Env[dict[str, Any], Any]):
    """Press ``length`` keys of four in the one right order; a wrong key ends the episode (after Doyon 2003).

    Observation: ``place`` in the sequence. The sequence is the same in all episodes of a ``game_seed``, so there is one
    layout. It pays at its end alone. OPTIMUM: the sequence is known. CHANCE: 4^-12. By itself the task can be searched
    as well as done by habit; time pressure parts the two, and it is put on the player: in the exam a decision may
    expand one node (``planner.simulations=1``), which sees the reward from the last place only. WITHOUT a habit such
    a player guesses eleven keys: 4^-11.
    """

    metadata = METADATA
    MODULE = "habit"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 4.0**-12, 4.0**-11
    SURVIVES = ("hippocampus", "planner", "context", "world_model", "dream", "guard")

    def __init__(self, length: int = 12, game_seed: int = 0, render_mode: str | None = None) -> None:
        self.length = number("Skill", "length", length, 1, 30)
        self.render_mode = choice("Skill", "render_mode", render_mode, (None, "ansi"))
        self.keys = rule(game_seed, "Skill").integers(KEYS, size=self.length).tolist()  # the right key of each place
        self.layout_sizes: tuple[int, ...] = ()
        self.observation_space = spaces.Dict({"place": spaces.Discrete(self.length + 1)})
        self.action_space = spaces.Discrete(KEYS)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; the only layout is ``()``."""
        super().reset(seed=seed)
        draw("Skill", self.layout_sizes, self.np_random, options)
        self._place, self._running = 0, True
        return {"place": 0}, {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        right = act("Skill", self._running, action, KEYS) == self.keys[self._place]
        self._place += right
        won = self._place == self.length
        self._running = right and not won
        return {"place": self._place}, float(won), not self._running, False, {"success": won}

    def render(self) -> Any:
        """One line: how far the sequence has come."""
        if self.render_mode is None:
            return None
        return "*" * self._place + "." * (self.length - self._place)
