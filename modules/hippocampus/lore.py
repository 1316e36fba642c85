"""What worlds have in common: how far answers of a kind held, and what the same coarse key came to elsewhere.

A new world is not met without expectations (schemas; Tse et al. 2007, van Kesteren et al. 2012): where nobody ever got
anything by waiting, waiting promises little. How far to trust that is counted too: each world's answer foretold from
those of the others. All of it is a closed form of what the worlds hold; what one forgets, its votes are taken back.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from cortex.types import Array, room

from .memo import Index

Effect = tuple[int, ...]
DISAGREED = -1
"""First number of the answer where the memories of a world do not agree, or no answer is common."""
DOUBT = (1.0, 2.0)
"""Wrong answers and answers of other worlds that are counted before the first."""
STRENGTH = 2.0
"""How many answers under a key of its own the rate of its kind weighs."""


class Lore:
    """Of all worlds of one memory; ``levels`` of keys, effects of ``width`` numbers."""

    def __init__(self, levels: int, width: int) -> None:
        self.version = 0
        self.pending: dict[Any, None] = {}  # worlds that have to count anew how often their answers were wrong
        self.trials = np.zeros((0, levels, 2))  # by verb and level: wrong answers and answers within worlds
        self._across = np.zeros((0, levels, 2))  # the same of one world's answer foretold from those of the others
        self.names, self._kind = Index(), np.zeros((0, 2), np.int64)  # of each key: verb and level
        self._votes: list[Counter[Effect]] = []  # by answer, how many worlds give it
        self.answers, self.worlds = np.zeros((0, width), np.int64), np.zeros(0, np.int64)  # and how many gave any
        self._counts = np.zeros((0, 2))  # wrong answers and answers, each world's foretold from those of the others
        self._within = np.zeros((0, 2))  # the same within worlds

    def count(self, name: int, verb: int, level: int, trials: Array) -> None:
        """Add ``trials`` [2]: wrong answers and answers to a key within a world."""
        number = self._number(name, verb, level)
        self.trials = room(self.trials, verb + 1)
        self.trials[verb, level] += trials
        self._within[number] += trials
        self.version += 1

    def vote(self, name: int, verb: int, level: int, before: Effect | None, after: Effect | None) -> None:
        """A world answers ``after`` to a key, no longer ``before``; None for a key that it does not hold."""
        number = self._number(name, verb, level)
        votes = self._votes[number]
        votes.subtract([answer for answer in (before,) if answer is not None])
        votes.update([answer for answer in (after,) if answer is not None])
        votes = self._votes[number] = +votes
        ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
        most = [times for _, times in ranked] + [0, 0]
        worlds, common = votes.total(), most[0] > most[1] + (len(ranked) > 1)
        self._across[verb, level] -= self._counts[number]
        # Without its own vote the answer of the most must still be that of the most.
        self._counts[number] = (worlds - most[0] * common, worlds) if worlds > 1 else 0
        self._across[verb, level] += self._counts[number]
        self.worlds[number] = worlds
        self.answers[number] = ranked[0][0] if common or len(ranked) == 1 else DISAGREED
        self.version += 1

    def across(self, verbs: int) -> Array:
        """How often a world's answers would have been foretold wrongly from those of the others [verbs, levels]."""
        told = np.tile(np.array(DOUBT), (verbs, self._across.shape[1], 1))
        told[: len(self._across)] += self._across[:verbs]
        return np.asarray(told[..., 0] / told[..., 1])

    def doubts(self, rate: Array) -> Array:
        """Chance that the common answer to each key is wrong in a world that was not asked yet: that the world answers
        otherwise, or that what is asked is an exception in it. ``rate`` [verbs, levels] of wrong answers within worlds.
        """
        size, told = len(self._votes), []
        for of_kind, counts in ((self.across(len(rate)), self._counts), (rate, self._within)):
            wrong, asked = counts[:size].T
            told.append((STRENGTH * of_kind[tuple(self._kind[:size].T)] + wrong) / (STRENGTH + asked))
        return np.asarray(either(*told))

    def _number(self, name: int, verb: int, level: int) -> int:
        number = int(self.names.enter(np.array([name]))[0][0])
        if number == len(self._votes):
            self._votes.append(Counter())
            self._kind, self._counts = room(self._kind, number + 1), room(self._counts, number + 1)
            self.answers, self.worlds = room(self.answers, number + 1), room(self.worlds, number + 1)
            self._within = room(self._within, number + 1)
            self._kind[number] = verb, level
            self._across = room(self._across, verb + 1)
        return number


def either(one: Array, other: Array) -> Array:
    """Chance that one thing or the other is wrong."""
    return np.asarray(1 - (1 - one) * (1 - other))
