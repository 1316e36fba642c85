"""Forgetting: the power curve of retention, and who goes when the capacity is full.

Retention falls as R = (1 + F dt / S)^-d with F = .9^(-1/d) - 1, so that R is .9 after one stability S (FSRS-6; Wixted
& Ebbesen 1991 for the power law). Nothing is dropped below a threshold: under a capacity, memories go in the order of
salience times retention, each situation giving up its own: what is of no memory any more is not replayed, and what is
not replayed is lost to the weights too. So an episode longer than its situation's share of the capacity comes after all
that fits. A random share, the reservoir, is judged by lot alone, so that what salience overlooks keeps a chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cortex.types import Array, Episode

DECAY = 0.1542
"""d of the retention curve, the default of FSRS-6."""


def retention(age: Array, stability: Array) -> Array:
    """Chance that a memory of ``age`` days with ``stability`` days is still retained; same shape, in (0, 1]."""
    factor = 0.9 ** (-1 / DECAY) - 1
    return np.asarray((1 + factor * np.asarray(age) / np.asarray(stability)) ** -DECAY)


def forgotten(
    salience: Array,
    age: Array,
    steps: Array,
    situation: Array,
    capacity: int,
    reservoir: float,
    generator: np.random.Generator,
) -> Array:
    """Which episodes [n] go so that at most ``capacity`` steps stay, as a boolean mask.

    ``salience`` in [0, 1], ``age`` in days, ``steps`` their lengths, ``situation`` what they belong to.
    ``reservoir``: share of the capacity kept by lot.
    """
    numbers, of = np.unique(situation, return_inverse=True)
    kept, had = np.zeros(len(steps), bool), np.zeros(len(numbers))  # steps kept of each situation
    lot, rank = generator.random(len(steps)), salience * retention(age, 1 + 9 * salience)
    for worth, limit in (lot, reservoir * capacity), (rank, capacity):
        better = np.lexsort((lot, -worth))
        for share in (capacity / max(len(had), 1), np.inf):  # what is longer than its situation's share comes last
            before = _before(steps, kept, of, had, better)
            for i in better[np.argsort(before[better], kind="stable")]:
                if not kept[i] and had[of[i]] + steps[i] <= share and had.sum() + steps[i] <= limit:
                    kept[i] = True
                    had[of[i]] += steps[i]
    return ~kept


def _before(steps: Array, kept: Array, of: Array, had: Array, better: Array) -> Array:
    """Steps [n] that the situation of each episode would have before it, with those kept and all better ones."""
    before = np.zeros(len(steps))
    for number in range(len(had)):
        rows = better[(of[better] == number) & ~kept[better]]
        before[rows] = had[number] + np.cumsum(steps[rows]) - steps[rows]
    return before


@dataclass(frozen=True, slots=True)
class ByRank:
    """Forgetting by rank of salience and retention, but for a ``reservoir`` that is kept by lot; memories age by
    ``fading`` days in a day."""

    fading: float
    reservoir: float

    def __call__(self, episodes: Sequence[Episode], day: int, capacity: int, generator: np.random.Generator) -> Array:
        """Which of ``episodes`` [n] go."""
        salience, age = self.judge(episodes, day)
        steps = np.array([len(e.action) for e in episodes], np.int64)
        situation = np.array([e.situation for e in episodes], np.int64)
        return forgotten(salience, age, steps, situation, capacity, self.reservoir, generator)

    def judge(self, episodes: Sequence[Episode], day: int) -> tuple[Array, Array]:
        """Salience [n], for each step of room, and age in days [n]."""
        salience = np.array([e.salience.mean() if len(e.salience) else 0.0 for e in episodes])
        return salience, self.fading * np.array([day - e.day for e in episodes], np.float64)
