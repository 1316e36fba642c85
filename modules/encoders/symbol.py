"""One of n symbols: a single token."""

from __future__ import annotations

import numpy as np

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import listed, scene, unit_vectors

SEED = 2_000

MOST = 65_536
"""Beyond so many values a number is a quantity, not a symbol."""


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
