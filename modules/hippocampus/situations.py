"""Situations: which game is this? Without labels, from how an episode begins.

Each situation is the mean of its episodes' first percepts; an episode that is like none of them opens a new one
(a leader clustering; in the brain, remapping of the hippocampus between environments, Colgin 2008).
"""

from __future__ import annotations

import numpy as np

from cortex.types import Array

LIKENESS = 0.8
"""Cosine from which an episode belongs to a situation."""


class Situations:
    """Mean first percepts of width ``width``."""

    def __init__(self, width: int) -> None:
        self.sums = np.zeros((0, width))
        self.counts = np.zeros(0)

    def __len__(self) -> int:
        return len(self.counts)

    def recognise(self, latent: Array) -> Array:
        """The situation [B] of an episode that begins with ``latent`` [B, D]; the next free number where it is like
        none."""
        new = len(self.counts)
        if new == 0:
            return np.zeros(len(latent), np.int32)
        means = self.sums / np.maximum(np.linalg.norm(self.sums, axis=1, keepdims=True), 1e-9)
        cosine = latent @ means.T / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9)
        best = cosine.argmax(axis=1)
        return np.where(cosine[np.arange(len(latent)), best] >= LIKENESS, best, new).astype(np.int32)

    def learn(self, situation: int, latent: Array) -> None:
        """Enter the first latent [D] of an episode under its situation."""
        while situation >= len(self.counts):
            self.sums = np.concatenate([self.sums, np.zeros((1, self.sums.shape[1]))])
            self.counts = np.append(self.counts, 0)
        self.sums[situation] += latent
        self.counts[situation] += 1
