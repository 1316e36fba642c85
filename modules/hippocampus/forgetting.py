"""Forgetting: the power curve of retention, and who goes when the capacity is full.

Retention falls as R = (1 + F dt / S)^-d with F = .9^(-1/d) - 1, so that R is .9 after one stability S (FSRS-6; Wixted
& Ebbesen 1991 for the power law). Nothing is dropped below a threshold: under a capacity, memories go in the order of
salience times retention, each situation giving up its own, so that none is lost for what happened in another. A random
share of them, the reservoir, is judged by lot alone, so that what salience overlooks keeps a chance.
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
    n = len(steps)
    lot = generator.random(n)
    kept = np.zeros(n, bool)
    room = reservoir * capacity
    for i in np.argsort(lot):
        if steps[i] <= room:
            kept[i] = True
            room -= steps[i]
    room = capacity - steps[kept].sum()
    rank = salience * retention(age, 1 + 9 * salience)
    before = np.zeros(n)  # steps of the better memories of the same situation
    for number in np.unique(situation):
        rows = np.flatnonzero(situation == number)
        rows = rows[np.lexsort((lot[rows], -rank[rows]))]
        before[rows] = np.cumsum(steps[rows]) - steps[rows]
    for i in np.lexsort((lot, -rank, before)):
        if not kept[i] and steps[i] <= room:
            kept[i] = True
            room -= steps[i]
    return ~kept


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
