"""The gist: what rows that were given up had taught of their world, each different lesson once.

Most steps teach what others taught before. When memories fade, the lessons of their world are counted: what met what
and what came of it, what held when it paid or ended, how often that was seen, first and last when. From the gist alone
the same statistics of the world follow as from all its rows. (Gist outlives detail, Reyna & Brainerd 1995; overlapping
replay abstracts it, Lewis & Durrant 2011.)
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from cortex.types import Array


@dataclass(frozen=True, slots=True)
class Taught:
    """What n steps taught of one world."""

    known: Array  # [n] bool, what the action reached was seen before and after
    changed: Array  # [n] bool, and is another than before
    pushed: Array  # [n] bool, it went to the place behind
    walked: Array  # [n] int64, code of what the agent stepped onto, -1 for nothing
    verb: Array  # [n] int64
    met: Array  # [n, 3] int64, codes reached, carried and behind
    moved: Array  # [n] int64
    then: Array  # [n, 3] int64, the same codes after
    event: Array  # [n, 9] int64, what holds after, as in `events.FEATURES`
    ended: Array  # [n] bool
    reward: Array  # [n] float32
    when: Array  # [n, 2] int64, moments of the step and of its episode's first


SPLITS = {"met": 3, "then": 3, "event": 9}
"""Columns of a lesson that are several."""
NAMES = [field.name for field in fields(Taught) if field.name not in ("reward", "when")]
WIDTH = sum(SPLITS.get(name, 1) for name in NAMES) + 1
"""Columns of a lesson: the last two say whether it ended an episode, and the bits of the reward."""
INTERACTION = slice(NAMES.index("verb"), NAMES.index("verb") + 8)
"""Those of what met what, and what came of it."""


@dataclass(frozen=True, slots=True)
class Gist:
    """The n different lessons of one world, and what else its rows had told."""

    lessons: Array  # [n, WIDTH] int64
    times: Array  # [n] int64, how often each was taught
    first: Array  # [n, 2] int64, when it was first, and its episode began
    last: Array  # [n, 2] int64
    shows: Array  # [2, R] int64, as in `World.shows`
    left: Array  # [V] int64, as in `Ripening.times`
    changes: Array  # [m, 3] int64, what became what, and how often
    day: Array  # [1] int64, up to which all memories of the situation are counted in it

    def taught(self) -> Taught:
        """All lessons as often as they were taught, in the order in which that was, as far as it is known."""
        row = np.repeat(np.arange(len(self.times)), self.times)
        which = np.arange(len(row)) - np.repeat(np.cumsum(self.times) - self.times, self.times)
        share = which / np.maximum(1, self.times[row] - 1)
        when = self.first[row] + np.round(share[:, None] * (self.last - self.first)[row]).astype(np.int64)
        order = np.argsort(when[:, 0], kind="stable")
        columns, at = self.lessons[row[order]], 0
        told: dict[str, Array] = {}
        for name in NAMES:
            width = SPLITS.get(name, 1)
            told[name] = columns[:, at : at + width] if name in SPLITS else columns[:, at]
            at += width
        for name in ("known", "changed", "pushed", "ended"):
            told[name] = told[name].astype(bool)
        return Taught(**told, reward=columns[:, at].astype(np.int32).view(np.float32), when=when[order])

    def told(self) -> dict[str, Any]:
        """The gist as JSON values."""
        return {field.name: _packed(getattr(self, field.name)) for field in fields(self)}


def heard(values: dict[str, Any]) -> Gist:
    """The gist that was told."""
    return Gist(**{name: _unpacked(value) for name, value in values.items()})


def gist_of(
    parts: Sequence[Taught], before: Gist | None, shows: Array, left: Array, changes: Array, day: int, most: int
) -> Gist:
    """The gist of what was ``taught`` and of a gist ``before``: at most ``most`` lessons, first those that paid or
    ended something, then one of each interaction, then the most frequent."""
    lessons = np.concatenate([_columns(part) for part in parts] or [np.zeros((0, WIDTH), np.int64)])
    first = last = np.concatenate([part.when for part in parts] or [np.zeros((0, 2), np.int64)])
    times = np.ones(len(lessons), np.int64)
    if before is not None:
        lessons, times = np.concatenate([before.lessons, lessons]), np.concatenate([before.times, times])
        first, last = np.concatenate([before.first, first]), np.concatenate([before.last, last])
    found, which = np.unique(lessons, axis=0, return_inverse=True)
    which = which.reshape(-1)
    often = np.bincount(which, times, minlength=len(found)).astype(np.int64)
    begin, end = (np.zeros((len(found), 2), np.int64) for _ in range(2))
    order = np.argsort(-first[:, 0], kind="stable")
    begin[which[order]] = first[order]  # the earliest is written last
    order = np.argsort(last[:, 0], kind="stable")
    end[which[order]] = last[order]
    if len(found) > most:
        alone, tells = np.zeros(len(found), bool), (found[:, -2:] != 0).any(axis=1)
        alone[np.unique(found[:, INTERACTION], axis=0, return_index=True)[1]] = True
        best = np.lexsort((-often, ~alone, ~tells))[:most]
        found, often, begin, end = found[best], often[best], begin[best], end[best]
    return Gist(found, often, begin, end, shows, left, changes, np.array([day]))


def _columns(taught: Taught) -> Array:
    parts = [np.asarray(getattr(taught, name), np.int64).reshape(len(taught.verb), -1) for name in NAMES]
    bits = np.ascontiguousarray(taught.reward, np.float32).view(np.int32).astype(np.int64)
    return np.concatenate([*parts, bits[:, None]], axis=1)


def _packed(values: Array) -> list[Any]:
    """Its shape, and its numbers column by column, squeezed: most of them are small, and columns are alike."""
    whole = np.asarray(values, np.int64)
    return [*whole.shape, base64.b85encode(zlib.compress(np.ascontiguousarray(whole.T).tobytes(), 9)).decode()]


def _unpacked(values: list[Any]) -> Array:
    *shape, squeezed = values
    whole = np.frombuffer(zlib.decompress(base64.b85decode(squeezed)), np.int64)
    return whole.reshape(shape[::-1]).T.copy()
