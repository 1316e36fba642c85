"""What the frozen senses share: vectors that never change, and the scene around their tokens."""

from __future__ import annotations

import numpy as np

from cortex.types import MODALITIES, Array, Scene, spread


def unit_vectors(seed: int, count: int, width: int) -> Array:
    """Draw ``count`` random unit vectors [count, width] float32, the same bits on every machine, for ever.

    Memories are made of them, so they are built from raw bits (numpy keeps those stable across versions, not its
    distributions) and summed in a fixed order. The first vectors do not depend on ``count``.
    """
    bits = np.random.PCG64(seed).random_raw(count * width).reshape(count, width)
    vectors = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
    squares = np.add.accumulate(vectors * vectors, axis=1)[:, -1:]
    return (vectors / np.sqrt(squares)).astype(np.float32)


def scene(tokens: Array, mask: Array, position: Array, modality: str) -> Scene:
    """Wrap tokens [B, N, E] and mask [B, N] with a position [N, P] and a modality that all bodies share (read-only)."""
    bodies, count = mask.shape
    return Scene(
        tokens=tokens,
        position=spread(position, bodies),
        modality=np.full((bodies, count), MODALITIES[modality], np.int8),
        mask=mask,
    )


def listed(count: int) -> Array:
    """Positions [count, P] float32 of tokens that stand in a list: index and zero."""
    return np.stack([np.arange(count), np.zeros(count)], axis=1).astype(np.float32)


def pixel_faults(pictures: Array) -> Array:
    """[B] bool: pictures [B, ...] with a value that is no pixel."""
    if pictures.dtype == np.uint8:
        return np.zeros(len(pictures), bool)
    return np.asarray(((pictures < 0) | (pictures > 255)).reshape(len(pictures), -1).any(axis=1))
