"""Vectors of numbers: a token per entry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import listed, scene

UNBOUNDED = 1e6
"""A bound beyond this says nothing about the values to expect."""

STEPS = 1 << 12
"""Values told apart in a unit of a token: what differs by less is alike, and noise cannot fill the memory of tokens."""


class VectorEncoder:
    """Numbers [B, n] -> a token per entry, its value first and zeros after, at (index, 0).

    An entry with two bounds is scaled to [-1, 1] between them; any other is squashed by asinh, which is linear near
    zero, logarithmic far away, and needs no statistics that would go stale.
    """

    modality = "vector"
    accepts = "finite numbers"

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike, width: int = TOKEN_WIDTH) -> None:
        lower, upper = np.ravel(low).astype(np.float64), np.ravel(high).astype(np.float64)
        if lower.shape != upper.shape:
            raise CortexError(f"a vector needs as many lower as upper bounds, not {lower.size} and {upper.size}")
        self.width, self.position = width, listed(lower.size)
        self._bounded = (np.abs(lower) <= UNBOUNDED) & (np.abs(upper) <= UNBOUNDED)
        lower, upper = np.where(self._bounded, lower, -1.0), np.where(self._bounded, upper, 1.0)
        self._centre = (lower + upper) / 2
        self._scale = np.where(upper > lower, (upper - lower) / 2, 1.0)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with an entry that is not finite."""
        return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))

    def __call__(self, values: Array) -> Scene:
        """Encode numbers [B, ...], n a body in C order -> scene of n tokens."""
        count = len(self.position)
        raw = np.asarray(values, dtype=np.float64).reshape(len(values), count)
        tokens = np.zeros((len(raw), count, self.width), np.float32)
        told = np.where(self._bounded, (raw - self._centre) / self._scale, np.arcsinh(raw))
        tokens[..., 0] = np.round(told * STEPS) / STEPS
        return scene(tokens, np.ones((len(raw), count), bool), self.position, self.modality)

    def value(self, tokens: Array) -> Array:
        """Read tokens [B, n, E] back as numbers [B, n] float64, in the units of the observation."""
        inner = tokens[..., 0].astype(np.float64)
        return np.where(self._bounded, inner * self._scale + self._centre, np.sinh(np.where(self._bounded, 0, inner)))
