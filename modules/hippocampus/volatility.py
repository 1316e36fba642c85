"""Volatility: which places of the view show noise, so that all that follows can leave them out.

Each reading of a place is foretold from the others: what mostly came of the same reading there, and else that it stays.
What comes and goes, turns or is pushed is foretold soon; where most readings are not, there is nothing to be learned
(expected and unexpected uncertainty: Yu & Dayan 2005; volatility: Behrens et al. 2007; cross-validation: Stone 1974).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cortex.types import UNSEEN, Array, Vocabulary

from .worlds import World

SURPLUS = 8
"""By how many readings those not foretold must outnumber the others where there is noise."""


class Volatility:
    """Knows which cells of the view show noise, and which attributes do; ``grid`` [n] says which of a scene's tokens
    the cells are, ``channels`` how many attributes a cell has.

    It is a property of the sense, and the same in all worlds: one that shows noise in the first game does so in the
    next.
    """

    def __init__(self, grid: Array, codebook: Vocabulary, channels: int) -> None:
        self.grid, self.codebook, self.channels = grid, codebook, channels
        self.volatile = np.zeros(len(grid), bool)
        self.left_out = np.zeros(channels, bool)  # attributes that show noise in most cells
        self.version = 0  # another one when other cells or attributes are known to show noise

    def notice(self, worlds: Sequence[World], which: Iterable[int]) -> bool:
        """Look at the first rows of ``which`` of all ``worlds``; True where something else shows noise than was
        known."""
        told = np.zeros((2, len(self.grid) * self.channels), np.int64)
        for number in which:
            if worlds[number].rows:
                before, after, action = worlds[number].first_rows()
                worlds[number].readings = readings(self._attributes(before), self._attributes(after), action)
        for world in worlds:
            told += world.readings
        noise = (2 * told[0] - told[1] >= SURPLUS).reshape(-1, self.channels)
        partly = noise[~noise.all(axis=1)]
        left_out = 2 * partly.sum(axis=0) > len(partly)
        volatile = (noise & ~left_out).any(axis=1)
        if (volatile == self.volatile).all() and (left_out == self.left_out).all():
            return False
        self.volatile, self.left_out, self.version = volatile, left_out, self.version + 1
        return True

    def cells(self, cells: Array) -> Array:
        """``cells`` [..., n] without what shows noise; the same array where nothing does."""
        if self.left_out.any():
            kept = self.codebook.attributes(cells, self.channels) * ~self.left_out
            cells = self.codebook.compose(kept.reshape(-1, self.channels)).reshape(cells.shape)
        return np.where(self.volatile, UNSEEN, cells) if self.volatile.any() else cells

    def steady(self, codes: Array) -> Array:
        """The same of whole scenes ``codes`` [..., N]."""
        if not (self.volatile.any() or self.left_out.any()):
            return codes
        codes = codes.copy()
        codes[..., self.grid] = self.cells(codes[..., self.grid])
        return codes

    def _attributes(self, cells: Array) -> Array:
        """Numbers [T, n * channels] for the attributes of ``cells`` [T, n]."""
        return cells if self.channels == 1 else self.codebook.attributes(cells, self.channels).reshape(len(cells), -1)


def readings(before: Array, after: Array, action: Array) -> Array:
    """How many of the readings at each place the others do not foretell, and how many there are [2, n], in rows
    ``before``, ``after`` [T, n] codes and ``action`` [T] of one world."""
    told = np.zeros((2, before.shape[1]), np.int64)
    both = (before != UNSEEN) & (after != UNSEEN)
    told[1] = both.sum(axis=0)
    places = np.flatnonzero((both & (before != after)).any(axis=0))
    row, column = np.nonzero(both[:, places])
    if len(row):
        place = places[column]
        sooner, later = before[row, place], after[row, place]
        begun = place * (1 + sooner.max()) + sooner
        # What follows may depend on the action, or not: one that turns goes either way, one that patrols its own.
        done = begun * (1 + action.max()) + action[row]
        known = _foretold(begun, later, sooner == later) | _foretold(done, later, sooner == later)
        np.add.at(told[0], place[~known], 1)
    return told


def _foretold(begun: Array, later: Array, stayed: Array) -> Array:
    """Whether what came ``later`` [n] is what mostly came of what had ``begun`` [n] in all other rows, or, where there
    is none of these, has ``stayed`` [n]."""
    codes = 1 + int(later.max())
    pairs, pair, count = np.unique(begun * codes + later, return_inverse=True, return_counts=True)
    group = np.unique(pairs // codes, return_inverse=True)[1]
    order = np.lexsort((-count, group))
    leads = np.flatnonzero(np.diff(group[order], prepend=-1))
    size = np.diff(np.append(leads, len(order)))
    most, next_most = count[order[leads]], np.where(size > 1, count[order[np.minimum(leads + 1, len(order) - 1)]], 0)
    leading = np.zeros(len(pairs), bool)
    leading[order[leads]] = True
    rival = np.where(leading, next_most[group], most[group])
    alone = (count == 1) & (rival == 0)
    return np.asarray(np.where(alone[pair], stayed, ((count > 1) & (count - 1 >= rival))[pair]))
