"""Facts: how each exact interaction came out, and what it comes to now, where facts change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from cortex.types import Array

from .changes import Latest

Key = tuple[int, int, int, int]
"""verb, code reached, code carried, code behind."""
Outcome = tuple[int, int, int, int]
"""how the agent moved (0 not, 1 by a step, 2 to another place like the one reached), code reached, code carried and
code behind afterwards."""
Entry = TypeVar("Entry", bound=tuple[int, ...])


class Facts:
    """Counts of the outcomes of each key, and its latest rows; ``change``: prior odds that what comes out otherwise has
    changed."""

    def __init__(self, change: float) -> None:
        self.outcomes: dict[Key, Counter[Outcome]] = {}
        self.numbers: dict[Key, int] = {}
        self.latest = Latest(change)
        self.changing: set[Key] = set()
        self._kinds: dict[Outcome, int] = {}  # numbers of outcomes

    def enter(self, keys: Sequence[Key], numbers: Array, outcomes: Sequence[Outcome], when: Array) -> Array:
        """Count ``outcomes`` of ``keys``, which have ``numbers`` [n], and ``when`` [n, 2] it was and its episode began;
        returns which [n] came out as never before."""
        kinds = [self._kinds.setdefault(outcome, len(self._kinds)) for outcome in outcomes]
        self.latest.enter(numbers, when, np.array(kinds, np.int64))
        self.numbers.update(zip(keys, numbers.tolist(), strict=True))
        news = np.zeros(len(keys), bool)
        for row, (key, outcome) in enumerate(zip(keys, outcomes, strict=True)):
            counts = self.outcomes.setdefault(key, Counter())
            news[row] = outcome not in counts
            counts[outcome] += 1
        for key in set(keys):
            self.changing.discard(key)
            if len(self.outcomes[key]) > 1 and self.latest.holds[self.numbers[key]]:
                self.changing.add(key)
        return news

    def now(self, key: Key) -> Outcome:
        """What a key comes to: its latest outcome where facts change, the most frequent where it is chance."""
        counts, number = self.outcomes[key], self.numbers[key]
        if len(counts) == 1 or self.latest.holds[number] == 0:
            return most(counts)[0]
        return self.last(key)

    def last(self, key: Key) -> Outcome:
        """The latest outcome of a key."""
        return list(self._kinds)[self.latest.last(self.numbers[key])]

    def seen(self, key: Key) -> int:
        """When a key was last seen."""
        return self.latest.seen(self.numbers[key])

    def since(self, key: Key) -> int:
        """Since when a key that changes is what it is now."""
        return self.latest.since(self.numbers[key])

    def around(self, key: Key, when: int) -> list[Outcome]:
        """What a key came to just before and after a moment."""
        number, kinds = self.numbers[key], list(self._kinds)
        size = self.latest.size[number]
        at = int(np.searchsorted(self.latest.when[number, :size], when))
        return [kinds[int(self.latest.outcome[number, i])] for i in (at - 1, at) if 0 <= i < size]


def most(counts: Counter[Entry]) -> tuple[Entry, int]:
    """The most frequent entry and its count; ties go to the smallest, so that the order of learning does not matter."""
    return min(counts.items(), key=lambda item: (-item[1], item[0]))
