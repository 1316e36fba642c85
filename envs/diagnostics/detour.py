"""Detour: a known room, a barrier that was never there, and no step to waste."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from cortex.types import Array

from .rules import METADATA, act, choice, draw, number

ROWS, COLUMNS = 4, 3
REACH = 3
"""Cells that the view shows on every side of the agent: the whole room from anywhere in it."""
FLOOR, WALL, GOAL = 1, 2, 3
LEFT, RIGHT, FORWARD = range(3)
AHEAD = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Row and column of one step north, east, south, west."""
DAY_STEPS = 30

Pose = tuple[int, int, int]  # row, column, heading


class Detour(gymnasium.Env[dict[str, Any], Any]):
    """A room of 4 x 3 cells, the agent at its west wall, the goal straight across (Tolman & Honzik 1930: insight).

    Observation: ``view``, codes [7, 7, 1] of floor, wall and goal around the agent, whose heading is up; the whole room
    is always in it. Actions: turn left, turn right, go forward. ``part`` "day" is the open room with 30 steps. In the
    "exam" a wall fills the middle column but for one gap in another row than the agent's, and the steps are those of
    the shortest way plus ``slack``. A layout is the row, the gap and the heading at the start: 4 x 3 x 4.

    OPTIMUM: the way is planned anew. CHANCE: 2227/6377292 = .00035, random turns and steps in the exam, by dynamic
    programming over poses. WITHOUT regard to the barrier: one way suits one gap, so the best fixed detour wins 1/3; the
    way of the open room wins never.
    """

    metadata = METADATA
    MODULE = "planner"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 2227 / 6377292, 1 / 3
    SURVIVES = ("context", "night", "world_model", "habit", "dream", "guard")

    def __init__(self, part: str = "day", slack: int = 0, render_mode: str | None = None) -> None:
        self.part = choice("Detour", "part", part, ("day", "exam"))
        self.slack = number("Detour", "slack", slack, 0, 15)
        self.render_mode = choice("Detour", "render_mode", render_mode, (None, "ansi"))
        self.layout_sizes = (ROWS, ROWS - 1, len(AHEAD))
        size = 2 * REACH + 1
        self.observation_space = spaces.Dict({"view": spaces.Box(0, 255, (size, size, 1), np.uint8)})
        self.action_space = spaces.Discrete(3)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (row, which of the three other rows, heading)}``."""
        super().reset(seed=seed)
        row, other, heading = draw("Detour", self.layout_sizes, self.np_random, options)
        self._room = np.full((ROWS + 2 * REACH, COLUMNS + 2 * REACH), WALL, np.uint8)
        inside = self._room[REACH:-REACH, REACH:-REACH]
        inside[:] = FLOOR
        inside[row, -1] = GOAL
        if self.part == "exam":
            inside[:, 1] = WALL
            inside[other + (other >= row), 1] = FLOOR
        self._pose: Pose = (row, 0, heading)
        self._left = DAY_STEPS if self.part == "day" else shortest(self._room, self._pose) + self.slack
        self._running = True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        move = act("Detour", self._running, action, 3)
        self._pose = moved(self._room, self._pose, move)
        self._left -= 1
        won = code_at(self._room, self._pose) == GOAL
        self._running = not won and self._left > 0
        return self._look(), float(won), won, not won and self._left == 0, {"success": won}

    def render(self) -> Any:
        """The room with its walls; the agent is an arrow, the goal G."""
        if self.render_mode is None:
            return None
        signs = np.array([" ", ".", "#", "G"])[self._room[REACH - 1 : 1 - REACH, REACH - 1 : 1 - REACH]]
        signs[self._pose[0] + 1, self._pose[1] + 1] = "^>v<"[self._pose[2]]
        return "\n".join("".join(line) for line in signs) + f"\n{self._left} steps left"

    def _look(self) -> dict[str, Any]:
        row, column, heading = self._pose
        around = self._room[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1]
        return {"view": np.rot90(around, heading)[..., None].copy()}


def code_at(room: Array, pose: Pose) -> int:
    """What is where the agent stands; ``room`` is padded by REACH."""
    return int(room[pose[0] + REACH, pose[1] + REACH])


def moved(room: Array, pose: Pose, action: int) -> Pose:
    """The pose after an action: walls stop, all else lets through."""
    row, column, heading = pose
    if action != FORWARD:
        return row, column, (heading + (1 if action == RIGHT else -1)) % 4
    ahead = (row + AHEAD[heading][0], column + AHEAD[heading][1], heading)
    return pose if code_at(room, ahead) == WALL else ahead


def shortest(room: Array, pose: Pose) -> int:
    """Actions from ``pose`` to the goal, by breadth-first search; every room has a way."""
    steps, queue = {pose: 0}, deque([pose])
    while code_at(room, queue[0]) != GOAL:
        here = queue.popleft()
        for after in (moved(room, here, action) for action in range(3)):
            if after not in steps:
                steps[after] = steps[here] + 1
                queue.append(after)
    return steps[queue[0]]
