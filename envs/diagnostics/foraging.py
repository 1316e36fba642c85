"""Foraging: where food was found in earlier episodes, it is again."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number, rule

NOT_YET = -1


class Foraging(gymnasium.Env[dict[str, Any], Any]):
    """An episode is one search of one of eight patches, in one of ``meadows`` meadows (after Clayton & Dickinson 1998).

    Observation: ``meadow``, new in each episode, and ``found`` (0: not looked yet, 1: empty, 2: food). Each meadow has
    its food in one patch, the same in all episodes of a ``game_seed`` and drawn apart for each. OPTIMUM: from the first
    find in a meadow on, one try is enough. CHANCE and WITHOUT memory across episodes: one patch of eight, since an
    episode is over with its only look, and nothing in it tells where the food is. A player who remembers and never
    looks twice in vain finds the food of a meadow at its visit 4.5 on average. The lesion must be made by day:
    a night may move the places into the weights.
    """

    metadata = METADATA
    MODULE = "hippocampus"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.125, 0.125
    SURVIVES = ("planner", "context", "night", "world_model", "habit", "dream", "guard")
    PATCHES = 8

    def __init__(self, meadows: int = 3, game_seed: int = 0, render_mode: str | None = None) -> None:
        self.meadows = number("Foraging", "meadows", meadows, 1, 9)
        self.render_mode = choice("Foraging", "render_mode", render_mode, (None, "ansi"))
        self._food = rule(game_seed, "Foraging").integers(self.PATCHES, size=self.meadows).tolist()
        self.layout_sizes = (self.meadows,)
        self.observation_space = spaces.Dict({"meadow": spaces.Discrete(self.meadows), "found": spaces.Discrete(3)})
        self.action_space = spaces.Discrete(self.PATCHES)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (meadow,)}``."""
        super().reset(seed=seed)
        (self._meadow,) = draw("Foraging", self.layout_sizes, self.np_random, options)
        self._looked, self._running = NOT_YET, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        self._looked = act("Foraging", self._running, action, self.PATCHES)
        self._running, won = False, self._looked == self._food[self._meadow]
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: the patches, and what was found where the agent looked."""
        if self.render_mode is None:
            return None
        sign = ("?", "x", "o")[self._look()["found"]]
        row = " ".join(sign if patch == self._looked else "." for patch in range(self.PATCHES))
        return f"meadow {self._meadow}   {row}"

    def _look(self) -> dict[str, Any]:
        found = 0 if self._looked == NOT_YET else 1 + (self._looked == self._food[self._meadow])
        return {"meadow": self._meadow, "found": found}
