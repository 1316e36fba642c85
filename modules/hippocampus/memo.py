"""Looking up by key, many keys at once: numbers for keys, and answers that are kept, so that imagination asks each
question once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from cortex.types import Array, room

NONE = -1
ROOM = 64


class Index:
    """Numbers 64-bit keys in the order of their first appearance, by open addressing."""

    def __init__(self) -> None:
        self.size = 0
        self.keys, self.slots = np.zeros(ROOM, np.int64), np.full(4 * ROOM, NONE, np.int32)

    @property
    def table(self) -> tuple[Array, Array]:
        """What `find` looks in."""
        return self.keys, self.slots

    def enter(self, keys: Array) -> tuple[Array, Array]:
        """The numbers [M] of ``keys`` [M], and an index [n] of each key that was new."""
        if self.size + len(keys) > len(self.keys):
            known = self.keys[: self.size]
            self.keys = np.zeros(2 * (self.size + len(keys)), np.int64)
            self.slots = np.full(1 << (3 * len(self.keys)).bit_length(), NONE, np.int32)
            _enter(self.table, 0, known)
        at, new = _enter(self.table, self.size, keys)
        self.size += len(new)
        return at, new


class Memo:
    """Rows of ``width`` numbers by 64-bit key."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._stamp: object = None
        self.clear()

    def since(self, stamp: object) -> Memo:
        """Itself; all answers are forgotten where the last stamp was another."""
        if stamp != self._stamp:
            self.clear()
            self._stamp = stamp
        return self

    def clear(self) -> None:
        """Forget all answers."""
        self._index, self._rows = Index(), np.zeros((ROOM, self.width))

    def __call__(self, keys: Array, ask: Callable[[Array], Array]) -> Array:
        """The answers [M, width] to ``keys`` [M]; ``ask``: an index of each key that is new [n] -> [n, width]."""
        told, all_known = _answer(self._index.table, self._rows, keys)
        if all_known:
            return np.asarray(told)
        at, new = self._index.enter(keys)
        self._rows = room(self._rows, self._index.size)
        try:
            self._rows[at[new]] = ask(new)
        except BaseException:
            self.clear()  # the keys are entered, and have no answers
            raise
        return np.asarray(self._rows[at])


@njit(cache=True)
def find(table: tuple[Array, Array], key: int) -> int:
    """The number of a key in the table of an `Index`, NONE where it is new."""
    keys, slots = table
    return int(slots[_slot(keys, slots, key)])


@njit(cache=True)
def _answer(table: tuple[Array, Array], rows: Array, asked: Array) -> tuple[Array, bool]:
    """The answers [M, width], and whether all are known; if not, they are of no use."""
    (keys, slots), told = table, np.empty((len(asked), rows.shape[1]))
    for row in range(len(asked)):
        at = slots[_slot(keys, slots, asked[row])]
        if at == NONE:
            return told, False
        told[row] = rows[at]
    return told, True


@njit(cache=True)
def _enter(table: tuple[Array, Array], size: int, added: Array) -> tuple[Array, Array]:
    keys, slots = table
    at, new, fresh = np.empty(len(added), np.int64), np.empty(len(added), np.int64), 0
    for row in range(len(added)):
        slot = _slot(keys, slots, added[row])
        if slots[slot] == NONE:
            slots[slot], keys[size + fresh], new[fresh] = size + fresh, added[row], row
            fresh += 1
        at[row] = slots[slot]
    return at, new[:fresh]


@njit(cache=True)
def _slot(keys: Array, slots: Array, key: int) -> int:
    """The slot in which the number of a key stands, or would stand."""
    last = len(slots) - 1
    at = (key ^ (key >> 31)) * 0x1E3779B97F4A7C15 >> 20 & last
    while slots[at] != NONE and keys[slots[at]] != key:
        at = (at + 1) & last
    return at
