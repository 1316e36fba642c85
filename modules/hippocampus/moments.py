"""When each remembered step was: moments that follow from the rows, so that what is newer is known after a rebuild too.

Bodies step together, so a moment is the day, the step of the body in it and the body. A reset takes a step. Where
memories were forgotten, those that stay move together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortex.types import Array, Episode

STEP = 1 << 14
"""Moments of a step: of at most so many bodies."""
DAY = STEP << 30
"""Moments of a day."""


class Moments:
    """When episodes began. No two steps have the same moment, and those of a body are in order."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}  # number of the episode -> its first moment
        self._lived: dict[tuple[int, int], int] = {}  # day, body -> steps of its episodes so far

    def enter(self, number: int, episode: Episode) -> None:
        """Note when memory ``number``, the latest of its body, began."""
        self._begun[number] = self.next(episode.day, episode.body)
        lived = self._lived.get((episode.day, episode.body), 0)
        self._lived[episode.day, episode.body] = lived + len(episode.action) + 1

    def next(self, day: int, body: int) -> int:
        """The first moment of the episode of a body behind those that were entered."""
        return day * DAY + self._lived.get((day, body), 0) * STEP + body

    def first(self, numbers: Sequence[int], unfinished: Sequence[Episode] = ()) -> Array:
        """The first moments [n] of memories and, behind them, of episodes that go on."""
        begun = [self._begun[number] for number in numbers]
        return np.array(begun + [self.next(e.day, e.body) for e in unfinished], np.int64)
