"""What missions name: which attributes of a thing follow from the words, so that words never joined before say it too.

Each mission that paid points at a thing: what was under, in front of or held by the agent when it did, whichever the
missions tell apart. From its sentence each attribute of that thing is foretold by ridge regression (Hoerl & Kennard
1970), and an attribute counts as named where a mission is mostly foretold rightly from the others. What is asked of a
mission that never paid is then asked of one that did, with the two things in each other's place (analogy, Gentner
1983); what was tried under the mission itself is known, and stays as it is. All of it is a closed form of rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from cortex.types import Array, Vocabulary

from .events import FEATURES, Events

POINTED = tuple(FEATURES.index(name) for name in ("under", "front", "carried"))
"""Columns of an event that may show the thing that a mission is about."""
MISSION = FEATURES.index("mission")
ONE = 0.9
"""Share of the times that a mission paid at which it must have pointed at the same thing."""
RIGHT = 0.75
"""Share of the missions of which an attribute must be foretold rightly from the others, to be named."""
FOLDS = 10
"""Parts into which the missions are divided, each foretold from the others."""
RIDGE = 0.1
"""Penalty of the regression, in mean squared lengths of a centred sentence."""

Fitted = tuple[Array, Array, Array]
Answer = tuple[Array, Fitted] | None
"""Values of an attribute and how to foretell them; None where the words do not."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of B bodies name, beside a mission that paid."""

    events: Events
    vocabulary: Vocabulary
    fresh: Array  # [B] bool, missions that never paid
    wanted: Array  # [B, C] attributes of the thing that each names, -1 where none is told
    column: int  # of an event, that shows the thing
    mission: int  # one that paid
    thing: int  # the code that it is about
    other: int  # the code of something that it is not about

    def __call__(self, features: Array, body: Array) -> Array:
        """Events [M, 9] of ``body`` [M] as they are asked: those of fresh missions that were never met, by analogy."""
        rows = np.flatnonzero(self.fresh[body])
        rows = rows[~self.events.met(features[rows])]
        told, shown, wanted = features.copy(), features[rows, self.column], self.wanted[body[rows]]
        own = self.vocabulary.attributes(shown.astype(np.int64), wanted.shape[1])
        named = ((own == wanted) | (wanted < 0)).all(axis=1)
        told[rows, MISSION] = self.mission
        told[rows, self.column] = np.where(named, self.thing, np.where(shown == self.thing, self.other, shown))
        return told


class Naming:
    """Reads missions in one world once ``least`` of them have paid; 0: each stays a symbol of its own. ``blocks``:
    attributes of a token."""

    def __init__(self, vocabulary: Vocabulary, least: int, blocks: int) -> None:
        self.vocabulary, self.least, self.blocks = vocabulary, least, blocks
        self._heard: dict[int, Array] = {}
        self._stamp: tuple[float, ...] = ()
        self._fit: _Fit | None = None

    def hear(self, mission: Array, words: Array) -> None:
        """Remember the sentences, codes ``words`` [n, W], of missions [n]."""
        for number, codes in zip(mission.tolist(), words, strict=True):
            if self.least and number not in self._heard:
                self._heard[number] = self.vocabulary.decode(codes).ravel()

    def read(self, mission: Array, words: Array, events: Events) -> Reading | None:
        """What sentences, tokens ``words`` [B, W, E], of missions [B] name; None where all are known or none can be
        read."""
        if not self.least or not words.shape[1]:
            return None
        stamp = len(self._heard), len(events), float(events.counts[:, 1].sum())
        if stamp != self._stamp:
            self._stamp, self._fit = stamp, _fit(self.vocabulary, self._heard, events, self.least, self.blocks)
        fit = self._fit
        if fit is None:
            return None
        fresh = ~np.isin(mission, fit.missions) & (mission != 0)
        if not fresh.any():
            return None
        wanted = fit.foretell(words.reshape(len(words), -1))
        return Reading(events, self.vocabulary, fresh, wanted, fit.column, fit.mission, fit.thing, fit.other)


@dataclass(frozen=True, slots=True)
class _Fit:
    """What the m missions that paid told."""

    missions: Array  # [m]
    answers: list[Answer]  # by attribute
    column: int
    mission: int
    thing: int
    other: int

    def foretell(self, sentences: Array) -> Array:
        """Attributes [B, C] of what sentences [B, d] name, -1 of those that no words name."""
        told = np.full((len(sentences), len(self.answers)), -1, np.int64)
        for at, answer in enumerate(self.answers):
            if answer is not None:
                told[:, at] = answer[0][_told(sentences, answer[1])]
        return told


def _ridge(sentences: Array, target: Array) -> Fitted:
    """Regression from sentences [m, d] to targets [m, v]: their means, and coefficients [d, v]."""
    mean, centre = sentences.mean(axis=0), target.mean(axis=0)
    x = sentences - mean
    product = x @ x.T
    penalty = max(RIDGE * float(np.trace(product)) / len(x), 1e-9)
    return mean, centre, x.T @ np.linalg.solve(product + penalty * np.eye(len(x)), target - centre)


def _told(sentences: Array, fitted: Fitted) -> Array:
    """The likeliest value [n] by a regression, as its index."""
    mean, centre, weights = fitted
    return np.asarray((centre + (sentences - mean) @ weights).argmax(axis=1))


def _fit(vocabulary: Vocabulary, heard: dict[int, Array], events: Events, least: int, blocks: int) -> _Fit | None:
    """Learn from the events that paid; None where fewer than ``least`` missions did, or no attribute is named."""
    paid = np.flatnonzero(events.counts[: len(events), 1] > 0)
    features, times = events.features[paid], events.counts[paid, 1]
    column, about = _about(features, times, heard)
    if len(about) < max(2, least) or len(set(about.values())) < 2:
        return None
    missions, things = np.array(list(about)), np.array(list(about.values()))
    sentences = np.stack([heard[mission] for mission in about]).astype(np.float64)
    answers, named, part = list[Answer](), False, np.arange(len(sentences)) % FOLDS
    for own in vocabulary.attributes(things, blocks).T:
        values, which = np.unique(own, return_inverse=True)
        target, right = np.eye(len(values))[which], 0
        for fold in range(FOLDS) if len(values) > 1 else ():
            test, rest = part == fold, part != fold
            right += int((_told(sentences[test], _ridge(sentences[rest], target[rest])) == which[test]).sum())
        tells = len(values) == 1 or right >= RIGHT * len(which)
        named |= len(values) > 1 and tells
        answers.append((values, _ridge(sentences, target)) if tells else None)
    if not named:
        return None
    often = Counter(dict(zip(features[:, MISSION].tolist(), times.tolist(), strict=True)))
    mission = max(about, key=lambda number: (often[number], -number))
    other = next(thing for thing in about.values() if thing != about[mission])
    return _Fit(missions, answers, column, mission, about[mission], other)


def _about(features: Array, times: Array, heard: dict[int, Array]) -> tuple[int, dict[int, int]]:
    """The column that shows what missions are about, the one in which they differ most, and its code by mission."""
    best: tuple[float, int, dict[int, int]] = (0.0, POINTED[0], {})
    for column in POINTED:
        shown: dict[int, Counter[int]] = {}
        for mission, code, count in zip(features[:, MISSION].tolist(), features[:, column].tolist(), times.tolist()):
            if mission in heard:
                shown.setdefault(mission, Counter())[code] += count
        if not shown:
            continue
        most = {mission: codes.most_common(1)[0] for mission, codes in shown.items()}
        share = sum(count for _, count in most.values()) / sum(codes.total() for codes in shown.values())
        part = np.array(list(Counter(code for code, _ in most.values()).values())) / len(most)
        bits = float(-(part * np.log2(part)).sum())
        if share >= ONE and bits > best[0]:
            best = bits, column, {mission: code for mission, (code, _) in most.items()}
    return best[1], best[2]
