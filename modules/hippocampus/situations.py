"""Situations: which game is this? Without labels, from how an episode begins.

A world has a palette: an episode that begins with tokens which an earlier one had too, or with new ones of the same
attributes, is of the same situation; one that looks like none of them opens a new one (a leader clustering; in the
brain, remapping of the hippocampus between environments, Colgin 2008). Worlds whose walls and floors look alike are
told apart by which things are there at all, as far as these use to be the same from one episode to the next. Scenes
without a grid are told apart by the mean of their first percepts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import gammaln

from cortex.types import UNSEEN, Array

WEIGHT = 64.0
"""Cells that a palette counts for, at most: how often it shows what may differ from place to place."""
ANY = 0.5
"""Cells for which each value of an attribute counts that may as well be in a world."""
VALUES = 64
"""Values that an attribute may have, at least."""
ALIKE = 0.9
"""How much of what a palette could explain of an episode's first cells that of its situation does, at least."""
DOUBT = 0.3
"""What speaks against a doubtful situation, in the same measure."""
SURPRISE = 13.0
"""Nats by which the things that are there at all may be less likely than they use to be in a situation."""
FICKLE, FICKLE_WEIGHT = 0.25, 20.0
"""Chance that of two episodes of a situation only one shows a value, before any were seen, and for how many it counts;
no situation is thought more fickle."""
Palette = list[tuple[Array, Array]]
"""Of each attribute the values that cells show, and how many show each."""
LIKENESS = 0.8
"""Cosine from which a first percept belongs to a situation without a palette."""


class Situations:
    """Palettes, and mean first percepts of width ``width``; ``attributes``: codes [n] -> their attributes [n, C];
    ``most`` situations are told apart from the first."""

    def __init__(self, width: int, attributes: Callable[[Array], Array], most: int = 1 << 31) -> None:
        self.attributes, self.most = attributes, most
        self.sums = np.zeros((0, width))
        self.counts = np.zeros(0)
        self.palettes: list[Array] = []  # of each situation, cells by code
        self.shown: list[list[Array]] = []  # of each situation, for each attribute, episodes by value that they showed
        self._known: list[Palette | None] = []  # the same by the values of each attribute, None where to be found anew

    def __len__(self) -> int:
        return len(self.counts)

    def recognise(self, latent: Array, cells: Array, doubtful: Array | None = None, free: int = 0) -> Array:
        """The situation [B] of episodes that begin with ``latent`` [B, D] and grid ``cells`` [B, n] (n may be 0); the
        next number, and none below ``free``, where one is like none, and the first where nothing is perceived.
        ``doubtful`` [B, situations] bool: something else speaks against it."""
        new = len(self.counts)
        free = min(max(free, new), self.most)
        if new == 0:
            return np.full(len(latent), free, np.int32)
        if cells.shape[1]:
            known = [self._attributes_of(number) for number in range(new)]
            likeness = np.array([_likeness(self._attributes(_palette(own)), known) for own in cells])
            least, doubt = ALIKE, DOUBT
            strange = np.array([self._surprise(_palette(own)) for own in cells]) > SURPRISE
            doubtful = strange if doubtful is None else doubtful | strange
        else:
            means = self.sums / np.maximum(np.linalg.norm(self.sums, axis=1, keepdims=True), 1e-9)
            likeness = latent @ means.T / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9)
            least, doubt = LIKENESS, 0.0
        if doubtful is not None:  # a palette that explains more than all does not outweigh what speaks against it
            likeness = np.where(doubtful, np.minimum(likeness, 1.0) - doubt, likeness)
        likeness[~(cells.any(axis=1) if cells.shape[1] else latent.any(axis=1))] = 1.0  # nothing says otherwise
        best = likeness.argmax(axis=1)
        known = (likeness[np.arange(len(latent)), best] >= least) | (new > self.most)
        return np.where(known, best, free).astype(np.int32)

    def _attributes_of(self, situation: int) -> Palette:
        known = self._known[situation]
        if known is None:
            known = self._known[situation] = self._attributes(self.palettes[situation])
        return known

    def _attributes(self, palette: Array) -> Palette:
        """The values that a palette shows and how many of its cells do, for each attribute."""
        codes = np.flatnonzero(palette)
        told = []
        for column in self.attributes(codes).T:
            values, which = np.unique(column, return_inverse=True)
            times, shown = np.bincount(which, palette[codes]), values > 0  # the first is what nothing shows
            told.append((values[shown], times[shown]))
        return told

    def _surprise(self, palette: Array) -> Array:
        """By how many nats what a first scene shows at all is less likely than first scenes use to be [situations].

        Each value is there in some share of a situation's episodes, and how extreme these shares are (a symmetric
        beta prior) is what all situations tell: one remembered episode says much where nothing ever differs.
        """
        fickle = self._fickle()
        prior = fickle / (1 - 2 * fickle) if fickle < FICKLE else 0.5
        told = []
        values = [values for values, _ in self._attributes(palette)]
        for episodes, shown in zip(self.counts, self.shown, strict=True):
            nats = 0.0
            for there, known in zip(values, shown, strict=True) if episodes else ():  # of what was forgotten, nothing
                either = np.union1d(there, np.flatnonzero(known))
                times = np.where(either < len(known), known[np.minimum(either, len(known) - 1)], 0)
                chance = (times + prior) / (episodes + 2 * prior)
                usual = chance * np.log(chance) + (1 - chance) * np.log1p(-chance)
                nats += float((usual - np.log(np.where(np.isin(either, there), chance, 1 - chance))).sum())
            told.append(nats)
        return np.array(told)

    def _fickle(self) -> float:
        """The chance that of two episodes of one situation only one shows a value that some do."""
        differ, pairs = FICKLE * FICKLE_WEIGHT, FICKLE_WEIGHT
        for episodes, shown in zip(self.counts, self.shown, strict=True):
            for known in shown:
                times = known[known > 0]
                differ += float((2 * times * (episodes - times) / episodes).sum())
                pairs += len(times) * (episodes - 1)
        return differ / pairs

    def learn(self, situation: int, latent: Array, cells: Array) -> None:
        """Enter the first latent [D] and cells [n] of an episode under its situation."""
        while situation >= len(self.counts):
            self.sums = np.concatenate([self.sums, np.zeros((1, self.sums.shape[1]))])
            self.counts = np.append(self.counts, 0)
            self.palettes.append(np.zeros(1))
            self.shown.append([])
            self._known.append(None)
        self.sums[situation] += latent
        self.counts[situation] += 1
        own = _palette(cells)
        self.palettes[situation], self._known[situation] = _sum(self.palettes[situation], own), None
        there = [np.bincount(values, minlength=1).astype(np.float64) for values, _ in self._attributes(own)]
        shown = self.shown[situation]
        self.shown[situation] = [_sum(a, b) for a, b in zip(shown, there, strict=True)] if shown else there


def _sum(one: Array, other: Array) -> Array:
    """The sum of counts that may be of different lengths."""
    both = np.zeros(max(len(one), len(other)))
    both[: len(one)] = one
    both[: len(other)] += other
    return both


def _palette(cells: Array) -> Array:
    """How many of ``cells`` show each code."""
    counts = np.bincount(cells).astype(np.float64)
    counts[UNSEEN : UNSEEN + 1] = 0
    return counts


def _likeness(own: Palette, known: Sequence[Palette]) -> list[float]:
    """How well each of the ``known`` palettes explains one's own, against how well that explains itself."""
    itself = max(_evidence(own, own), 1e-9)
    return [_evidence(own, palette) / itself for palette in known]


def _evidence(own: Palette, known: Palette) -> float:
    """By how many nats a palette explains another's cells better than if each value were as likely: both
    Dirichlet-multinomial, one attribute beside the other."""
    total = 0.0
    for (mine, counts), (theirs, times) in zip(own, known, strict=True):
        size = max(mine.max(initial=0), theirs.max(initial=0), VALUES)
        cells = times.sum()
        weight = min(1.0, WEIGHT / max(cells, 1.0))
        before = ANY + weight * (times @ (theirs[:, None] == mine))
        any_value = np.full(len(mine), ANY)
        total += _log_marginal(counts, before, ANY * size + weight * cells)
        total -= _log_marginal(counts, any_value, ANY * size)
    return total


def _log_marginal(counts: Array, prior: Array, weight: float) -> float:
    """Log chance of drawing values in some order, those with ``counts`` [k] of a Dirichlet ``prior`` [k], which has
    ``weight`` over all values."""
    each = (gammaln(counts + prior) - gammaln(prior)).sum()
    return float(gammaln(weight) - gammaln(weight + counts.sum()) + each)
