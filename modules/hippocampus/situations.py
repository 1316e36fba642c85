"""Situations: which game is this? Without labels, from how an episode begins.

A world has a palette: an episode that begins with tokens which an earlier one had too, or with new ones of the same
attributes, is of the same situation; one that looks like none of them opens a new one (a leader clustering; in the
brain, remapping of the hippocampus between environments, Colgin 2008). Scenes without a grid are told apart by the mean
of their first percepts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cortex.types import UNSEEN, Array

SHARE = 0.75
"""Share of an episode's first cells that a palette must explain, in each attribute."""
TOLERANCE = 4.0
"""How many times more frequent than in a palette an attribute may be before the surplus counts as unexplained."""
KINDS = 0.5
"""Share of the attributes of its first scene, each counted once, that a situation must have shown before."""
DOUBT = 0.7
"""What is left of the likeness of a doubtful situation."""
LIKENESS = 0.8
"""Cosine from which a first percept belongs to a situation without a palette."""


class Situations:
    """Palettes, and mean first percepts of width ``width``; ``attributes``: codes [n] -> their attributes [n, C]."""

    def __init__(self, width: int, attributes: Callable[[Array], Array]) -> None:
        self.attributes = attributes
        self.sums = np.zeros((0, width))
        self.counts = np.zeros(0)
        self.palettes: list[Array] = []  # of each situation, cells by code

    def __len__(self) -> int:
        return len(self.counts)

    def recognise(self, latent: Array, cells: Array, doubtful: Array | None = None) -> Array:
        """The situation [B] of episodes that begin with ``latent`` [B, D] and grid ``cells`` [B, n] (n may be 0); the
        next free number where one is like none. ``doubtful`` [B, situations] bool: something else speaks against it."""
        new = len(self.counts)
        if new == 0:
            return np.zeros(len(latent), np.int32)
        if cells.shape[1]:
            known = [self._attributes(palette) for palette in self.palettes]
            likeness = np.array([[_explained(self._attributes(_palette(own)), k) for k in known] for own in cells])
            least = SHARE
        else:
            means = self.sums / np.maximum(np.linalg.norm(self.sums, axis=1, keepdims=True), 1e-9)
            likeness = latent @ means.T / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9)
            least = LIKENESS
        if doubtful is not None:
            likeness = np.where(doubtful, DOUBT * likeness, likeness)
        # Of situations that are equally like it, the one that was met more often.
        best = (np.round(likeness, 1) + 1e-6 * np.minimum(self.counts, 1e4)).argmax(axis=1)
        return np.where(likeness[np.arange(len(latent)), best] >= least, best, new).astype(np.int32)

    def _attributes(self, palette: Array) -> list[Array]:
        """How many cells of a palette show each value, for each attribute."""
        codes = np.flatnonzero(palette)
        values = self.attributes(codes)
        return [np.bincount(column, palette[codes]) for column in values.T]

    def learn(self, situation: int, latent: Array, cells: Array) -> None:
        """Enter the first latent [D] and cells [n] of an episode under its situation."""
        while situation >= len(self.counts):
            self.sums = np.concatenate([self.sums, np.zeros((1, self.sums.shape[1]))])
            self.counts = np.append(self.counts, 0)
            self.palettes.append(np.zeros(1))
        self.sums[situation] += latent
        self.counts[situation] += 1
        known, own = self.palettes[situation], _palette(cells)
        both = np.zeros(max(len(known), len(own)))
        both[: len(known)] = known
        both[: len(own)] += own
        self.palettes[situation] = both


def _palette(cells: Array) -> Array:
    """How many of ``cells`` show each code."""
    counts = np.bincount(cells).astype(np.float64)
    counts[UNSEEN : UNSEEN + 1] = 0
    return counts


def _explained(own: list[Array], known: list[Array]) -> float:
    """Share of a palette that another explains: that of the attribute which it explains least."""
    least = 1.0
    for mine, theirs in zip(own, known, strict=True):
        shared = min(len(mine), len(theirs))
        a, b = mine[:shared] / max(mine.sum(), 1), theirs[:shared] / max(theirs.sum(), 1)
        if ((a > 0) & (b > 0)).sum() < KINDS * (mine > 0).sum():
            return 0.0
        least = min(least, float(np.minimum(a, TOLERANCE * b).sum()))
    return least
