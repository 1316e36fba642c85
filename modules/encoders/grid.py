"""Symbolic grids, such as MiniGrid's: a token per cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import scene, unit_vectors

VALUES = 256
"""Codes of one channel: 0 to 255."""

SEED = 1_000
"""Channel c draws its vectors from seed SEED + c."""

CHUNK = 256
"""Cells copied at once: few enough that the copy in between stays in the cache, three times as fast."""


class GridEncoder:
    """Code planes [B, H, W, C] -> a token per cell, row-major over (H, W), at its array index (i, j).

    A token is C blocks of E // C, the rest zero; block c is a frozen random unit vector for the value of channel c, so
    cells that share an attribute share a block. ``unseen``, a code per channel, marks cells of which nothing is known:
    they are masked and zero. ``None``: every cell is known.
    """

    modality = "grid"

    def __init__(
        self,
        shape: Sequence[int] = (7, 7, 3),
        unseen: Sequence[int] | None = (0, 0, 0),
        width: int = TOKEN_WIDTH,
    ) -> None:
        rows, columns, self.channels = (int(size) for size in shape)
        if unseen is not None and len(unseen) != self.channels:
            raise CortexError(f"the unseen cell {tuple(unseen)} of a grid needs {self.channels} codes, one per channel")
        self.unseen, self.width, self.block = unseen, width, width // self.channels
        self.accepts = f"whole numbers from 0 to {VALUES - 1}"
        self.position = np.indices((rows, columns)).reshape(2, -1).T.astype(np.float32)
        drawn = [unit_vectors(SEED + channel, VALUES, self.block) for channel in range(self.channels)]
        self._blocks = np.concatenate([*drawn, np.zeros((1, self.block), np.float32)])  # last: the unseen
        self._first = np.arange(self.channels) * VALUES

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a code that has no vector."""
        if values.dtype == np.uint8:
            return np.zeros(len(values), bool)
        return np.asarray(((values < 0) | (values >= VALUES)).reshape(len(values), -1).any(axis=1))

    def __call__(self, values: Array) -> Scene:
        """Encode integer codes [B, H, W, C] -> scene of H * W tokens."""
        codes = np.asarray(values).reshape(-1, self.channels)
        mask = np.full(len(codes), self.unseen is None)
        for channel, nothing in enumerate(self.unseen or ()):
            mask |= codes[:, channel] != nothing
        rows = codes + self._first
        rows[~mask] = len(self._blocks) - 1
        filled = self.channels * self.block
        tokens = np.empty((len(codes), self.width), np.float32)
        for start in range(0, len(rows), CHUNK):
            some = slice(start, start + CHUNK)
            tokens[some, :filled] = self._blocks.take(rows[some], axis=0).reshape(-1, filled)
        tokens[:, filled:] = 0
        count = len(self.position)
        return scene(tokens.reshape(-1, count, self.width), mask.reshape(-1, count), self.position, self.modality)

    def value(self, tokens: Array) -> Array:
        """Read tokens [n, E] back as codes [n, C]; those of the unseen cell are 0."""
        blocks = tokens[:, : self.channels * self.block].reshape(-1, self.channels, self.block)
        like = np.einsum("ncw,cvw->ncv", blocks, self._blocks[:-1].reshape(self.channels, VALUES, self.block))
        return np.asarray(like.argmax(axis=2) * blocks.any(axis=2))
