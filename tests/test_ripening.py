"""What changes by itself: it is found among the cells that nobody touched, and search waits for it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import cortex
from cortex.mapped import _wait
from cortex.modules.hippocampus.ripening import Ripening
from cortex.sketch import CHANGES
from cortex.types import Array, Motions, Place

FLOOR, WALL, ICE, WATER, SELF, PRIZE = range(1, 7)


class Thaw(gymnasium.Env[Any, Any]):
    """A corridor with ice in it, which thaws after some steps: who walks into it before drowns, the prize is behind."""

    WIDTH, THAWS = 9, 6

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 6, (3, self.WIDTH, 1), np.uint8)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.clock, self.ice = int(self.np_random.integers(1, 3)), 0, int(self.np_random.integers(4, 6))
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        sunk = self.at + (1 if action else -1) == self.ice and self.clock < self.THAWS
        self.at, self.clock = max(1, self.at + (1 if action else -1)), self.clock + 1
        won = self.at == self.WIDTH - 2
        return self._look(), float(won), won or sunk, self.clock == 40, {"success": won}

    def _look(self) -> Any:
        grid = np.full((3, self.WIDTH, 1), WALL, np.uint8)
        grid[1, 1:-1] = FLOOR
        grid[1, self.ice] = ICE if self.clock < self.THAWS else WATER
        grid[1, -2] = PRIZE
        grid[1, self.at] = SELF
        return grid


def test_search_waits_for_what_thaws(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = cortex.Agent.make(Thaw, "life.bodies=1", "sleep.steps=0", "planner.simulations=256", seed=0).learn(500)
    world = agent.hippocampus.world(0)
    becomes, steps = world.ripening.told(world.footing, agent.codebook.size)
    assert len(np.flatnonzero(becomes)) == 1 and steps.max() in range(Thaw.THAWS - 2, Thaw.THAWS + 3)
    assert wins(agent.calm()) == 40
    monkeypatch.setattr(Ripening, "told", lambda *_: (np.zeros(agent.codebook.size, np.int64),) * 2)
    assert wins(agent.calm()) < 36


def wins(agent: cortex.Agent) -> int:
    """Of 40 episodes, those won by what the agent predicts."""
    env, won = Thaw(), 0
    for seed in range(40):
        (observation, info), over, state = env.reset(seed=seed), False, None
        while not over:
            action, state = agent.predict(observation, state, deterministic=False)
            observation, _, ended, cut, info = env.step(action)
            over = ended or cut
        won += int(info["success"])
    return won


def body() -> Motions:
    """One that walks to the right."""
    step = np.tile(np.array([0, 1]), (4, 1, 1))
    zero, none = np.zeros((4, 1), np.int64), np.zeros(4, np.int64)
    return Motions(step, zero, step, step[:, 0], none[:1], np.full(2, -1), none, np.zeros(9), -1, True)


RIGHT = body()


def place(row: list[int], at: int) -> Place:
    """A map of one row of eight, three times that."""
    cells = np.zeros((1, 8, 8), np.int32)
    cells[0, 3] = row
    one = np.zeros(1, np.int64)
    return Place(cells, np.array([[3, at, 0]]), np.array([[3, at + 1]]), one, one, np.zeros((1, 4), np.int64))


@pytest.mark.parametrize(
    ("rows", "becomes"),
    [
        ([[1, 1, 1, 1, 5, 1, 1, 1]] * 3 + [[1, 1, 1, 1, 6, 1, 1, 1]], (6, 3)),  # after three steps
        ([[1, 1, 5, 1, 1, 1, 1, 1]] * 3 + [[1, 1, 6, 1, 1, 1, 1, 1]], (0, 0)),  # it was reached
        ([[1, 1, 1, 1, 5, 1, 1, 1], [1, 1, 1, 1, 1, 5, 1, 1]] * 2, (0, 0)),  # it walks about
        (
            [[1, 1, 1, 1, 5, 1, 1, 1], [1, 1, 1, 1, 6, 1, 1, 1], [1, 1, 1, 1, 5, 1, 1, 1], [1] * 4 + [7] + [1] * 3],
            (0, 0),
        ),
        ([[1, 1, 1, 1, 5, 1, 1, 1]] * 30 + [[1, 1, 1, 1, 6, 1, 1, 1]], (0, 0)),  # too seldom
    ],
)
def test_what_nobody_touched_tells_what_it_becomes(rows: list[list[int]], becomes: tuple[int, int]) -> None:
    ripening = Ripening()
    for before, after in pairwise(rows):
        ripening.learn(place(before, 1), place(after, 1), np.zeros(1, np.int64), RIGHT)
    told: tuple[Array, Array] = ripening.told(1, 9)
    assert (told[0][5], told[1][5]) == becomes


def test_a_token_that_only_this_search_put_together_does_not_ripen() -> None:
    """Its code lies beyond what memory told of; what stands behind in the computer's memory must not be read."""
    memory = np.full(300, 7)
    memory[:3] = 0
    where, cell, code = np.full((1, 4), -1), np.full(CHANGES, -1), np.full(CHANGES, -1)
    cell[0], code[0] = 5, 200
    left, full = _wait(np.ones(25, np.int32), (memory[:3], np.ones(300)[:3], where), 0, cell, code)
    assert left == 1.0 and not full and code[0] == 200
