"""What pays and what ends: rewards and ends keyed on what holds after the action.

Which of the features matter is not known beforehand. Every set of up to three of them, with or without the action, is
a hypothesis: it sorts the rows into cells, each with its own Beta-Bernoulli chance. Hypotheses are weighed for each
action by a prior on their size and by how well they told the rows of that action, given all other rows (Bayesian
model averaging, Hoeting et al. 1999). All of it is a closed form of counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.special import betaln

from cortex.types import Array

from .memo import Memo

FEATURES = ("action", "moved", "under", "front", "carried", "mission", "situation", "held")
"""What an event is described by: the kind of action; what is under the agent, reached and carried by it afterwards, and
held before."""
LARGEST = 3
"""Most features that a hypothesis combines, the action not counted."""
PRIOR = (0.1, 0.6)
"""Beta prior of a chance: rare, and nearly sure where it holds."""
PENALTY = 2.0
"""Log prior odds against each further feature of a hypothesis."""

SETS = [(*a, *s) for n in range(LARGEST + 1) for s in combinations(range(1, len(FEATURES)), n) for a in ((), (0,))]
MEMBER = np.array([[f in s for s in SETS] for f in range(len(FEATURES))], np.int64)  # [features, sets]
SIZE = np.array([len(s) for s in SETS])
NAMES = np.random.default_rng(7).integers(1, 2**62, (len(FEATURES) + 1, len(SETS)), dtype=np.int64) | 1


class Events:
    """Counts of distinct events, and the chances that they foretell; ``others``: the worlds before this one."""

    def __init__(self, others: Sequence[Events] = ()) -> None:
        self.others = list(others)
        self.attempts: dict[int, Array] = {}  # by action: distinct attempts, and those that ever paid
        self._index: dict[bytes, int] = {}
        self.features = np.zeros((0, len(FEATURES)), np.int64)
        self.counts = np.zeros((0, 4))  # times, rewarded, ended, sum of reward
        self._stale = True
        self._exact: dict[int, bool] = {}  # whether a distinct attempt ever paid
        self._memo = Memo(3)  # chance of reward, chance of an end, untried

    def __len__(self) -> int:
        return len(self.features)

    def learn(self, features: Array, reward: Array, ended: Array) -> None:
        """Count events: ``features`` [B, 8] as in FEATURES, ``reward`` [B], ``ended`` [B] by the game's rule."""
        features = np.ascontiguousarray(features, np.int64)
        for row, key, exact in zip(range(len(features)), map(bytes, features), _exact(features).tolist(), strict=True):
            at = self._index.get(key)
            paid = float(reward[row] > 0)
            if at is None:
                at = self._index[key] = len(self._index)
                if at >= len(self.counts):
                    room = max(64, len(self.counts))
                    self.features = np.concatenate([self.features, np.zeros((room, len(FEATURES)), np.int64)])
                    self.counts = np.concatenate([self.counts, np.zeros((room, 4))])
                self.features[at] = features[row]
            self.counts[at] += (1, paid, ended[row], reward[row])
            times = int(self.counts[at, 0])
            if times & (times - 1) == 0 or not _pure(self.counts[at : at + 1])[0]:
                self._stale = True
            known = self._exact.get(exact)
            first = known is None, paid > 0 and not known
            self._exact[exact] = bool(known) or paid > 0
            action = int(features[row, 0])
            self.attempts[action] = self.attempts.get(action, np.zeros(2)) + first

    @property
    def worth(self) -> float:
        """Mean reward of the events that paid; 0 before any did."""
        paid = self.counts[:, 1].sum()
        return float(self.counts[self.counts[:, 1] > 0, 3].sum() / paid) if paid else 0.0

    def predict(self, features: Array) -> tuple[Array, Array, Array]:
        """Chance of reward, chance of an end, and whether it was never tried; ``features`` [M, 8] -> three [M]."""
        if self._stale:
            self._fit()
        told = self._memo(features @ NAMES[:-1, 0], lambda rows: self._predict(features[rows]))
        return told[:, 0], told[:, 1], told[:, 2] > 0

    def hope(self, action: Array) -> Array:
        """Chance [M] that what was not yet tried with ``action`` [M] pays, held against one half before anything was
        tried: 1 then, less with all that was tried in vain, here and in the worlds before."""
        actions, at = np.unique(action, return_inverse=True)
        told = []
        for one in actions.tolist():
            tried, paid = sum((world.attempts.get(one, np.zeros(2)) for world in (self, *self.others)), np.zeros(2))
            told.append(2 * (paid + 1) / (tried + 2))
        return np.minimum(np.array(told), 1.0)[at]

    def explanations(self, most: int = 3) -> list[tuple[tuple[str, ...], float]]:
        """The feature sets that best explain reward, and their weights, for the action rewarded most often."""
        if self._stale:
            self._fit()
        paid = np.bincount(self.features[:, 0], self.counts[:, 1]) if len(self.features) else np.zeros(1)
        weights = self._weights[self._row(np.array([paid.argmax()]))[0], :, 0]
        return [(tuple(FEATURES[f] for f in SETS[s]), float(weights[s])) for s in np.argsort(-weights)[:most]]

    def _fit(self) -> None:
        """Weigh the hypotheses by the rows."""
        n = len(self._index)
        self._memo.clear()
        self._stale = False
        self._actions = np.unique(self.features[:n, 0])
        rows = _steady(self.counts[:n])[:, :3]
        row = np.searchsorted(self._actions, self.features[:n, 0])
        cells, at = np.unique(_cells(self.features[:n]), return_inverse=True)
        at = at.reshape(n, len(SETS))
        pairs, pair = np.unique(at * max(1, len(self._actions)) + row[:, None], return_inverse=True)  # cells by action
        own, all_rows = _sums(pair.ravel(), rows, len(pairs)), _sums(at.ravel(), rows, len(cells))
        cell, action = np.divmod(pairs, max(1, len(self._actions)))
        owner = np.zeros(len(cells), np.int64)
        owner[at] = np.arange(len(SETS))

        self._cells, self._chances = cells, np.zeros((len(cells) + 1, 2))
        self._weights = np.zeros((len(self._actions) + 1, len(SETS), 2))
        a, b = PRIOR
        for which in (0, 1):
            hits, times = all_rows[:, 1 + which], all_rows[:, 0]
            others, other_times = hits[cell] - own[:, 1 + which], times[cell] - own[:, 0]
            told = betaln(hits[cell] + a, times[cell] - hits[cell] + b) - betaln(others + a, other_times - others + b)
            evidence = np.tile(-PENALTY * SIZE, (len(self._actions) + 1, 1)).astype(np.float64)
            np.add.at(evidence, (action, owner[cell]), told)
            weights = np.exp(evidence - evidence.max(axis=1, keepdims=True))
            self._weights[..., which] = weights / weights.sum(axis=1, keepdims=True)
            self._chances[:-1, which] = (hits + a) / (times + a + b)
            self._chances[-1, which] = a / (a + b)

    def _row(self, action: Array) -> Array:
        """The row of the weights for each action; the last, the prior, for one never done."""
        at = np.minimum(np.searchsorted(self._actions, action), max(0, len(self._actions) - 1))
        known = (self._actions[at] == action) if len(self._actions) else np.zeros(len(action), bool)
        return np.where(known, at, len(self._actions))

    def _predict(self, features: Array) -> Array:
        keys = _cells(features)
        at = np.minimum(np.searchsorted(self._cells, keys), max(0, len(self._cells) - 1))
        found = (self._cells[at] == keys) if len(self._cells) else np.zeros(keys.shape, bool)
        chances = self._chances[np.where(found, at, len(self._cells))]  # [M, sets, 2]
        mean = (chances * self._weights[self._row(features[:, 0])]).sum(axis=1)
        # An attempt that is new is a new event too, and whatever is new makes the fit, and so this answer, stale.
        untried = [key not in self._exact for key in _exact(features).tolist()]
        same = np.array([self._index.get(key, -1) for key in map(bytes, np.ascontiguousarray(features, np.int64))])
        rows = np.flatnonzero(same >= 0)  # a memory that fits overrides, the more often it was so
        counts = _steady(self.counts[same[rows]])
        mean[rows] = (counts[:, 1:3] + mean[rows]) / (counts[:, :1] + 1)
        return np.column_stack([mean, untried])


def _sums(cell: Array, rows: Array, cells: int) -> Array:
    """Counts [cells, 3] of the rows [n, 3], each of which lies in one cell of every hypothesis."""
    return np.stack([np.bincount(cell, np.repeat(rows[:, c], len(SETS)), cells) for c in range(rows.shape[1])], axis=1)


def _cells(features: Array) -> Array:
    """The cell [M, sets] into which each hypothesis sorts each event."""
    return np.asarray((features[:, :, None] * (NAMES[:-1] * MEMBER)).sum(axis=1) + NAMES[-1])


def _pure(counts: Array) -> Array:
    """[n] bool: the event always had the same reward and end."""
    return np.asarray(((counts[:, 1:3] == 0) | (counts[:, 1:3] == counts[:, :1])).all(axis=1))


def _steady(counts: Array) -> Array:
    """Counts in which an event that is always the same weighs a power of two: its fit changes when they double."""
    times = np.maximum(counts[:, :1], 1)
    return np.where(_pure(counts)[:, None], counts * 2.0 ** np.floor(np.log2(times)) / times, counts)


def _exact(features: Array) -> Array:
    """Identity of an attempt: all but the situation, and what is under the agent only where it has just moved there."""
    kept = features.copy()
    kept[:, 2] *= kept[:, 1]
    kept[:, 6] = 0
    return np.asarray((kept * NAMES[:-1, 1]).sum(axis=1))
