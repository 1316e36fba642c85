"""One latent for all senses: fixed pooling over the frozen tokens of a scene."""

from __future__ import annotations

import numpy as np

from cortex.types import COORDINATES, MODALITIES, TOKEN_WIDTH, Array, Percept, Scene

NEAR = {"vector": 0.25, "symbol": 0.25, "grid": 1.0, "text": 0.25}
"""Distance, in cells or list indexes, at which places still resemble each other: neighbours of a list do not."""

PRESENCE = {"vector": 1.0, "symbol": 0.0, "grid": 0.0, "text": 0.0}
"""Length of what a token adds by being there. Without it the unit norm would make a vector and its double the same."""

CHUNK = 8
"""Bodies pooled at once: few enough that what lies in between stays in the processor's cache."""


class Multimodal:
    """Scene -> latent [B, D] of unit norm, zero for an empty scene.

    A token's random projection is gated by random Fourier features of its position (Rahimi & Recht 2007): a tensor
    product of what and where, as in the superposition of bound vectors (Plate 1995). A modality is the sum of its known
    tokens at unit norm, and the senses that are present add up with equal weight; so a missing sense leaves what the
    others contribute as it was, and close observations have close latents.
    """

    def __init__(self, width: int = 64, seed: int = 0, token_width: int = TOKEN_WIDTH) -> None:
        self.width = width
        self._what, self._presence, self._frequency, self._phase = {}, {}, {}, {}
        for name, number in MODALITIES.items():
            draw = np.random.default_rng((seed, number))
            self._what[number] = draw.standard_normal((token_width, width)).astype(np.float32)
            self._presence[number] = (PRESENCE[name] * draw.standard_normal(width)).astype(np.float32)
            self._frequency[number] = (draw.standard_normal((COORDINATES, width)) / NEAR[name]).astype(np.float32)
            self._phase[number] = draw.uniform(0, 2 * np.pi, width).astype(np.float32)

    def __call__(self, scene: Scene) -> Percept:
        """Pool a scene. Tokens where the mask is False do not count."""
        latent = np.zeros((scene.bodies, self.width), np.float32)
        for number in self._what:
            of_sense = scene.mask & (scene.modality == number)
            columns = np.flatnonzero(of_sense.any(axis=0))
            if columns.size:
                span = slice(columns[0], columns[-1] + 1)
                latent += _unit(self._pool(number, scene.tokens[:, span], scene.position[:, span], of_sense[:, span]))
        return Percept(_unit(latent))

    def _pool(self, number: int, tokens: Array, position: Array, mask: Array) -> Array:
        """Sum over the tokens of one sense of what, gated by where: [B, D]."""
        if (position == position[:1]).all():
            position = position[:1]
        where = np.cos(position @ self._frequency[number] + self._phase[number])
        pooled = np.empty((len(tokens), self.width), np.float32)
        for start in range(0, len(tokens), CHUNK):
            some = slice(start, start + CHUNK)
            what = tokens[some] @ self._what[number]
            what += self._presence[number]
            what *= where[some] if len(where) > 1 else where
            pooled[some] = (mask[some, None].astype(np.float32) @ what)[:, 0]
        return pooled


def _unit(latent: Array) -> Array:
    """Scale rows [B, D] to unit norm; rows of zeros stay."""
    norm = np.linalg.norm(latent, axis=1, keepdims=True)
    return latent / np.where(norm > 1e-12, norm, 1)
