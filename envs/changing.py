"""A game whose facts change while it is played: which of two doors lets through, and which of two fruits pays."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from cortex.envs.diagnostics.rules import METADATA, act, choice, number, rule
from cortex.types import Array

SIDE, MIDDLE = 7, 3
FLOOR, WALL, AGENT, RED, BLUE, ROUND, SQUARE = range(1, 8)
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))
LIMIT = 40
SIGNS = " #@rb()"


class Changing(gymnasium.Env[dict[str, Any], Any]):
    """Two rooms with a wall between them: two doors in it, two fruits behind it, all in new places in each episode.

    Observation: ``grid``, codes [7, 7, 1]. Actions: four moves. One door lets through, the other is shut; one fruit
    pays 1, the other nothing, and both end the episode. After every ``every`` episodes doors and fruits change roles,
    ``changes`` times in all; nothing else tells of it. Who knows what holds now wins always; who never learns that
    something changed loses each episode of every other part. ``luck``: the chance that
    the good fruit pays.
    """

    metadata = METADATA

    def __init__(
        self, changes: int = 5, every: int = 12, luck: float = 1.0, game_seed: int = 0, render_mode: str | None = None
    ) -> None:
        self.changes = number("Changing", "changes", changes, 0, 10**6)
        self.every = number("Changing", "every", every, 1, 10**6)
        self.luck = luck
        self.render_mode = choice("Changing", "render_mode", render_mode, (None, "ansi"))
        self._first = rule(game_seed, "Changing").integers(2, size=2)
        self.observation_space = spaces.Dict({"grid": spaces.Box(0, 255, (SIDE, SIDE, 1), np.uint8)})
        self.action_space = spaces.Discrete(len(STEPS))
        self._episodes, self._running = 0, False

    @property
    def changed(self) -> int:
        """How often the facts have changed so far."""
        return min(self.changes, max(0, self._episodes - 1) // self.every)

    @property
    def facts(self) -> dict[int, bool]:
        """What holds now: of each door whether it lets through, of each fruit whether it pays."""
        open_door, good_fruit = (self._first + self.changed) % 2
        return {ROUND: open_door == 0, SQUARE: open_door == 1, RED: good_fruit == 0, BLUE: good_fruit == 1}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; the next episode of the game."""
        super().reset(seed=seed)
        self._episodes += 1
        draw = self.np_random
        room = np.full((SIDE, SIDE), WALL, np.uint8)
        room[1:-1, 1:MIDDLE] = room[1:-1, MIDDLE + 1 : -1] = FLOOR
        room[draw.choice(np.arange(1, SIDE - 1), 2, replace=False), MIDDLE] = ROUND, SQUARE
        cells = [(row, column) for row in range(1, SIDE - 1) for column in range(MIDDLE + 1, SIDE - 1)]
        for at, fruit in zip(draw.choice(len(cells), 2, replace=False).tolist(), (RED, BLUE), strict=True):
            room[cells[at]] = fruit
        self.room, self.met, self._left, self._running = room, (FLOOR, 0), LIMIT, True
        self.at = self.start = (int(draw.integers(1, SIDE - 1)), int(draw.integers(1, MIDDLE)))
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        down, right = STEPS[act("Changing", self._running, action, len(STEPS))]
        ahead = self.at[0] + down, self.at[1] + right
        facts, met = self.facts, int(self.room[ahead])
        self.met = met, int(action)
        if met != WALL and (met not in (ROUND, SQUARE) or facts[met]):
            self.at = ahead
        self._left -= 1
        over = met in (RED, BLUE)
        won = over and facts[met] and bool(self.np_random.random() < self.luck)
        self._running = not over and self._left > 0
        return self._look(), float(won), over, not over and self._left == 0, {"success": won}

    def render(self) -> Any:
        """The rooms, the agent @, the fruits r and b, the doors ( and )."""
        if self.render_mode is None:
            return None
        return "\n".join("".join(SIGNS[code - 1] for code in line) for line in self._seen())

    def _look(self) -> dict[str, Any]:
        return {"grid": self._seen()[..., None]}

    def _seen(self) -> Array:
        seen: Array = self.room.copy()
        seen[self.at] = AGENT
        return seen
