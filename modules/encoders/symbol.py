"""One of n symbols, a single token; several of them, a token each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import listed, scene, unit_vectors

SEED = 2_000

MOST = 65_536
"""Beyond so many values a number is a quantity, not a symbol."""

ALL = 4 * MOST
"""Most values of all the entries of one key."""


class SymbolEncoder:
    """Whole numbers [B] from ``start`` to start + n - 1 -> one token, a frozen random unit vector, at (0, 0)."""

    modality = "symbol"

    def __init__(self, n: int, start: int = 0, width: int = TOKEN_WIDTH) -> None:
        if not 1 <= n <= MOST:
            raise CortexError(f"a symbol has 1 to {MOST} values, not {n}; give a larger number as a Box")
        self.n, self.start, self.position = int(n), int(start), listed(1)
        self.accepts = f"whole numbers from {self.start} to {self.start + self.n - 1}"
        self._vectors = unit_vectors(SEED, self.n, width)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies whose number is no symbol."""
        return (values < self.start) | (values >= self.start + self.n)

    def __call__(self, values: Array) -> Scene:
        """Encode whole numbers [B] -> scene of one token."""
        index = np.asarray(values).reshape(-1).astype(np.int64) - self.start
        tokens = self._vectors.take(index, axis=0)[:, None]
        return scene(tokens, np.ones((len(index), 1), bool), self.position, self.modality)

    def value(self, tokens: Array) -> Array:
        """Read tokens [B, 1, E] back as whole numbers [B, 1]."""
        return np.asarray((tokens @ self._vectors.T).argmax(axis=2) + self.start)


class SymbolsEncoder:
    """Whole numbers [B, n], each one of symbols of its own -> n tokens, frozen random unit vectors, at (index, 0).

    Entry i has the values ``starts[i]`` to starts[i] + counts[i] - 1. What one entry says is said by no other: equal
    numbers at two places have different tokens.
    """

    modality = "symbol"

    def __init__(self, counts: npt.ArrayLike, starts: npt.ArrayLike = 0, width: int = TOKEN_WIDTH) -> None:
        self._counts = np.array(counts, np.int64)
        if self._counts.ndim != 1 or not self._counts.size:
            raise CortexError("symbols need a list of counts, one for each entry")
        self._starts = np.broadcast_to(np.array(starts, np.int64), self._counts.shape)
        if self._counts.min() < 1 or self._counts.sum() > ALL:
            raise CortexError(f"entries of symbols have 1 or more values, {ALL} together; give larger ones as a Box")
        self.position = listed(len(self._counts))
        self.accepts = f"{len(self._counts)} whole numbers, each in its own range of {self._counts.max()} at most"
        self._first = np.cumsum(self._counts) - self._counts
        self._vectors = unit_vectors(SEED + 1, int(self._counts.sum()), width)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a number that is no symbol."""
        index = self._read(values)
        return np.asarray(((index < 0) | (index >= self._counts)).any(axis=1))

    def __call__(self, values: Array) -> Scene:
        """Encode whole numbers [B, ...], n a body in C order -> scene of n tokens."""
        index = self._read(values)
        tokens = self._vectors.take(index + self._first, axis=0)
        return scene(tokens, np.ones(index.shape, bool), self.position, self.modality)

    def value(self, tokens: Array) -> Array:
        """Read tokens [B, n, E] back as whole numbers [B, n]."""
        parts = zip(self._first, self._counts, strict=True)
        like = [tokens[:, i] @ self._vectors[at : at + n].T for i, (at, n) in enumerate(parts)]
        return np.stack([entry.argmax(axis=1) for entry in like], axis=1) + self._starts

    def _read(self, values: Array) -> Array:
        """Numbers [B, ...] -> [B, n], counted from zero."""
        return np.asarray(values).reshape(len(values), len(self._counts)).astype(np.int64) - self._starts
