"""What becomes of things by themselves: this turns into that, after so many steps, whatever the agent does.

Counted are all cells of the map that the agent did not reach: what they showed, and what they showed a step later. What
moves about is not meant: it leaves behind what is walked on.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numba import njit

from cortex.types import UNSEEN, Array, Motions, Place, room

CONSTANT = 0.8
"""Share of its changes from which a thing is said to become always the same."""
LONGEST = 24
"""Steps after which nothing is waited for: what changes more seldom may do so for any reason."""


class Ripening:
    """Counts of what cells showed, and of what they came to show."""

    def __init__(self) -> None:
        self.times = np.zeros(0, np.int64)  # steps that each code was seen and left alone
        self.changes: Counter[tuple[int, int]] = Counter()

    def learn(self, before: Place, after: Place, action: Array, motions: Motions) -> None:
        """Count one step of n bodies."""
        self.times = room(self.times, 1 + int(before.cells.max(initial=0)))
        poses = before.pose.astype(np.int64), after.pose.astype(np.int64)
        reach = np.ascontiguousarray(motions.reach)
        cells = before.cells.reshape(len(action), -1), after.cells.reshape(len(action), -1)
        self.changes.update(_count(*cells, *poses, np.asarray(action, np.int64), reach, self.times))

    def told(self, footing: int, codes: int) -> tuple[Array, Array]:
        """What each of ``codes`` codes becomes, UNSEEN for nothing, and after how many steps on average; ``footing``:
        the code that is walked on."""
        becomes, steps = np.zeros(codes, np.int64), np.zeros(codes, np.int64)
        whole: Counter[int] = Counter()
        likeliest: dict[int, tuple[int, int]] = {}  # times, and what it became
        for (code, then), times in self.changes.items():
            if footing not in (code, then):
                whole[code] += times
                likeliest[code] = max(likeliest.get(code, (0, 0)), (times, then))
        for code, (times, then) in likeliest.items():
            wait = round(self.times[code] / whole[code])
            if times >= CONSTANT * whole[code] and wait <= LONGEST:
                becomes[code], steps[code] = then, wait
        return becomes, steps


@njit(cache=True)
def _count(
    before: Array, after: Array, pose: Array, then: Array, action: Array, reach: Array, times: Array
) -> list[tuple[int, int]]:
    """Add to ``times`` what was seen and left alone, and tell what of it changed into what."""
    size, changed = int(before.shape[1] ** 0.5), [(0, 0) for _ in range(0)]
    for body in range(len(action)):
        row, column, heading = pose[body]
        down, right = reach[heading, action[body]]
        own = row % size * size + column % size
        front = (row + down) % size * size + (column + right) % size
        beyond = (row + 2 * down) % size * size + (column + 2 * right) % size
        now = then[body, 0] % size * size + then[body, 1] % size
        for at in range(before.shape[1]):
            was, comes = before[body, at], after[body, at]
            if was == UNSEEN or comes == UNSEEN or at in (own, now, front, beyond):
                continue
            times[was] += 1
            if was != comes:
                changed.append((int(was), int(comes)))
    return changed
