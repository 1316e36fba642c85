"""Facts that change: of the latest rows of a key, those that still hold.

What comes out otherwise than before is chance, or the fact has changed. Both are weighed by how well they tell the
latest outcomes of the key: drawn anew each time, with frequencies that are not known (Dirichlet-multinomial), or the
same until it changes, at a rate that is not known (a Markov chain; its runs are the run lengths of Adams & MacKay
2007). Where it changes, what came before the last change is superseded. The order is that of the rows' time, not that
of learning.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cortex.types import Array, room

WINDOW = 64
"""Latest rows of a key that are looked at."""
ALIKE = 0.5
"""Dirichlet prior of each outcome that was seen, where it is drawn anew each time."""
HAZARD = (1.0, 9.0)
"""Beta prior of a change from one row of a key to the next."""
WITHIN = 0.02
"""Chance of a change from one row to the next of the same episode: what comes out otherwise there hangs on something
that is not known."""


class Latest:
    """The latest rows of each of some numbered keys; an outcome is a number too.

    ``odds``: prior odds for a change against chance; at 0 nothing ever changes.
    """

    def __init__(self, odds: float) -> None:
        self.odds = math.log(odds) if odds else -math.inf
        self.when = np.zeros((0, WINDOW), np.int64)
        self.began = np.zeros((0, WINDOW), np.int64)
        self.outcome = np.zeros((0, WINDOW), np.int64)
        self.size = np.zeros(0, np.int64)
        self.holds = np.zeros(0, np.int64)  # how many of the latest rows tell what holds now; 0 where it is drawn

    def enter(self, keys: Array, when: Array, outcome: Array) -> None:
        """Enter rows [n]: the ``keys`` and their ``outcome``, and ``when`` [n, 2] it was, which no other row of a key
        has, and its episode began."""
        size = 1 + int(keys.max(initial=-1))
        self.when, self.began, self.outcome = room(self.when, size), room(self.began, size), room(self.outcome, size)
        self.size, self.holds = room(self.size, size), room(self.holds, size)
        rows = self.when, self.began, self.outcome
        _enter(rows, self.size, self.holds, keys, when, outcome, self.odds)

    def last(self, key: int) -> int:
        """The latest outcome of a key."""
        return int(self.outcome[key, self.size[key] - 1])

    def seen(self, key: int) -> int:
        """When a key was last seen."""
        return int(self.when[key, self.size[key] - 1])

    def since(self, key: int) -> int:
        """Since when a key is what it is now, where that holds."""
        return int(self.when[key, self.size[key] - self.holds[key]])

    def changes(self, keys: Array) -> Array:
        """When those of ``keys`` changed whose facts change, in order: of each the first row that came out anew."""
        found = [np.zeros(0, np.int64)]
        for key in keys[self.holds[keys] > 0].tolist():
            size = self.size[key]
            when, outcome = self.when[key, :size], self.outcome[key, :size]
            found.append(when[1:][outcome[1:] != outcome[:-1]])
        return np.unique(np.concatenate(found))


@njit(cache=True)
def _enter(
    rows: tuple[Array, ...], size: Array, holds: Array, keys: Array, times: Array, outcomes: Array, odds: float
) -> None:
    when, began, outcome = rows
    for row in range(len(keys)):
        key = keys[row]
        at = size[key]
        while at > 0 and when[key, at - 1] > times[row, 0]:
            at -= 1
        if size[key] == len(when[key]):  # the oldest goes, which may be this one
            if at == 0:
                continue
            at -= 1
            for i in range(at):
                for column in rows:
                    column[key, i] = column[key, i + 1]
        else:
            for i in range(size[key], at, -1):
                for column in rows:
                    column[key, i] = column[key, i - 1]
            size[key] += 1
        when[key, at], began[key, at], outcome[key, at] = times[row, 0], times[row, 1], outcomes[row]
        holds[key] = _holds(outcome[key, : size[key]], began[key, : size[key]], odds)


@njit(cache=True)
def _holds(outcome: Array, began: Array, odds: float) -> int:
    """How many of the last of some outcomes [n], in order, of episodes that ``began`` [n], tell what holds now; 0 where
    each is drawn anew."""
    size, kinds, run = len(outcome), 0, 1
    kind, counts = np.zeros(size, np.int64), np.zeros(size)
    for i in range(size):
        kind[i] = kinds
        for before in range(i):
            if outcome[before] == outcome[i]:
                kind[i] = kind[before]
                break
        if kind[i] == kinds:
            kinds += 1
    if kinds == 1:
        return size
    drawn, lasting, switches, stays = 0.0, odds - math.log(kinds), 0, 0
    for i in range(size):
        drawn += math.log((ALIKE + counts[kind[i]]) / (ALIKE * kinds + i))
        counts[kind[i]] += 1
        if i == 0:
            continue
        rate = (HAZARD[0] + switches) / (HAZARD[0] + HAZARD[1] + switches + stays)
        if began[i] == began[i - 1]:
            rate = WITHIN
        if kind[i] == kind[i - 1]:
            lasting += math.log(1 - rate)
            stays += 1
            run += 1
        else:
            lasting += math.log(rate / (kinds - 1))
            switches += 1
            run = 1
    return run if lasting > drawn else 0
