"""Situations: which game is this? Without labels, from how an episode begins.

A world has a palette: an episode that begins with tokens which an earlier one had too is of the same situation; one
that looks like none of them opens a new one (a leader clustering; in the brain, remapping of the hippocampus between
environments, Colgin 2008). Scenes without a grid are told apart by the mean of their first percepts.
"""

from __future__ import annotations

import numpy as np

from cortex.types import UNSEEN, Array

SHARE = 0.75
"""Share of an episode's first cells that a palette must explain."""
TOLERANCE = 2.0
"""How many times more frequent than in a palette a token may be before the surplus counts as unexplained."""
KINDS = 0.5
"""Share of the tokens of its first scene, each counted once, that a situation must have shown before."""
DOUBT = 0.7
"""What is left of the likeness of a doubtful situation."""
LIKENESS = 0.8
"""Cosine from which a first percept belongs to a situation without a palette."""


class Situations:
    """Palettes, and mean first percepts of width ``width``."""

    def __init__(self, width: int) -> None:
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
            likeness = np.array([[_explained(own, known) for known in self.palettes] for own in map(_palette, cells)])
            least = SHARE
        else:
            means = self.sums / np.maximum(np.linalg.norm(self.sums, axis=1, keepdims=True), 1e-9)
            likeness = latent @ means.T / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9)
            least = LIKENESS
        if doubtful is not None:
            likeness = np.where(doubtful, DOUBT * likeness, likeness)
        best = likeness.argmax(axis=1)
        return np.where(likeness[np.arange(len(latent)), best] >= least, best, new).astype(np.int32)

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


def _explained(own: Array, known: Array) -> float:
    """Share of a palette that another explains."""
    shared = min(len(own), len(known))
    mine, theirs = own[:shared] / max(own.sum(), 1), known[:shared] / max(known.sum(), 1)
    if ((mine > 0) & (theirs > 0)).sum() < KINDS * (own > 0).sum():
        return 0.0
    return float(np.minimum(mine, TOLERANCE * theirs).sum())
