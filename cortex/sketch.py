"""A map, and the few cells of it that an imagined line has changed.

They are looked at some thousand times a decision: plain numbers, and no view of a row where it can be helped.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.types import UNSEEN, Array

CHANGES = 8
"""Most cells of the map that one imagined line may change."""
SOON = 4
"""Most cells of a map that are looked at for what is on its way to become something else."""


@njit(cache=True, inline="always")
def flat(row: int, column: int, size: int) -> int:
    """The flat index of a place on a map that wraps around."""
    return wrap(row, size) * size + wrap(column, size)


@njit(cache=True, inline="always")
def wrap(at: int, size: int) -> int:
    """A row or column of a map that wraps around; most lie on it, and a division is slow."""
    return at if 0 <= at < size else at % size


@njit(cache=True, inline="always")
def look(known: Array, cell: Array, code: Array, at: int) -> int:
    """The code at ``at`` of the map ``known`` [S * S] on which ``cell`` [CHANGES], -1 from the first that is free, show
    ``code`` [CHANGES] now."""
    for slot in range(CHANGES):
        if cell[slot] < 0:
            break
        if cell[slot] == at:
            return int(code[slot])
    return int(known[at])


@njit(cache=True, inline="always")
def change(known: Array, cell: Array, code: Array, at: int, before: int, after: int) -> bool:
    """Note in ``cell`` and ``code`` that ``at`` shows ``after`` now; True where that is one change too many."""
    if before == after:
        return False
    used = slot = 0
    while used < CHANGES and cell[used] >= 0:
        used += 1
    while slot < used and cell[slot] != at:
        slot += 1
    if slot == CHANGES:
        return True
    cell[slot], code[slot] = at, after
    if known[at] == after:  # as the map says, so no change: equal scenes must have equal keys
        last = max(used, slot + 1) - 1
        cell[slot], code[slot] = cell[last], code[last]
        cell[last], code[last] = -1, -1
    return False


@njit(cache=True)
def tally(cells: Array, codes: int) -> Array:
    """At how many places of the maps ``cells`` [B, S * S] each code is seen [B, codes]."""
    counts = np.zeros((len(cells), codes), np.int64)
    for body in range(len(cells)):
        for code in cells[body]:
            counts[body, code] += 1
    return counts


@njit(cache=True, inline="always")
def twin(known: Array, counts: Array, cell: Array, code: Array, of: int) -> bool:
    """Whether ``of`` is seen at more than one place of the map, as it is after the changes."""
    if of == UNSEEN:
        return False
    count = counts[of] if of < len(counts) else 0
    for slot in range(CHANGES):
        if cell[slot] < 0:
            break
        count += int(code[slot] == of) - int(known[cell[slot]] == of)
    return bool(count > 1)


@njit(cache=True)
def like(known: Array, at: int, code: int) -> int:
    """Another place than ``at`` of the map ``known`` [S * S] that shows ``code``; ``at`` where none does."""
    for there in range(len(known)):
        if known[there] == code and there != at:
            return there
    return at


@njit(cache=True)
def ripening(cells: Array, becomes: Array) -> Array:
    """Where on the maps ``cells`` [B, S * S] something is seen that becomes another thing: [B, SOON], -1 for none."""
    where = np.full((len(cells), SOON), -1)
    for body in range(len(cells)):
        found = 0
        for at in range(cells.shape[1]):
            if found < SOON and becomes[cells[body, at]] != UNSEEN:
                where[body, found] = at
                found += 1
    return where
