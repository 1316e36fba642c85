"""Any observation as one flat vector of numbers: what the peers see, the same for all of them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from cortex.types import Array, CortexError

WORDS = 64
"""Entries of the bag of words."""

MOST_CODES, MOST_PLANES = 64, 32
"""Whole numbers below the first are codes and become one-hot, on a grid with at most so many planes a channel."""

MOST_CELLS = 32
"""A larger grid of bytes, in rows or columns, is taken for pixels."""

MINIGRID = (11, 6, 3)
"""Codes of object, colour and state: MiniGrid declares its symbols as bytes up to 255."""

FINITE = 1e6
"""A bound beyond this tells nothing of the scale."""

Part = Callable[[Any], Array]


class Features:
    """A batched observation -> float32 [B, size], most of it zeros and ones.

    Grids of codes, Discrete, MultiDiscrete and MultiBinary are one-hot (a choice among more than 64 is scaled to
    [0, 1] instead); a Box with bounds is scaled to [-1, 1], pixels to [0, 1], without bounds by asinh; text is a bag of
    hashed words, 1 where a word falls; a Dict is its parts side by side in the order of its sorted keys. A code beyond
    its planes is all zeros. ``binary`` [size] bool tells which entries are only ever 0 or 1.

    Raises CortexError for a space of another kind, and for values that do not fit.
    """

    def __init__(self, observation_space: Space[Any]) -> None:
        keyed: list[tuple[str | None, Space[Any]]] = [(None, observation_space)]
        if isinstance(observation_space, spaces.Dict):
            keyed = [(key, observation_space[key]) for key in sorted(observation_space.spaces)]
        if not keyed:
            raise CortexError("The observation is an empty Dict, which tells nothing; one key at least would do.")
        self._parts: list[tuple[str | None, tuple[int, ...] | None, int, Part]] = []
        binary: list[Array] = []
        for key, space in keyed:
            part, bits = _part(space, "The observation" if key is None else f"The observation {key!r}")
            self._parts.append((key, space.shape, len(bits), part))
            binary.append(bits)
        self.binary: Array = np.concatenate(binary)
        self.size = len(self.binary)

    def __call__(self, observation: Any) -> Array:
        """Arrays [B, ...], or a sequence of B strings, in a dict where there are keys -> float32 [B, size]."""
        columns = []
        for key, shape, width, part in self._parts:
            values = observation if key is None else observation[key]
            if shape is not None:
                values = np.asarray(values)
                if values.shape[1:] != shape:
                    raise CortexError(
                        f"The observation{'' if key is None else f' {key!r}'} has the shape {values.shape}; "
                        f"{('B', *shape)} would do."
                    )
            columns.append(part(values).reshape(len(values), width))
        return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


def _part(space: Space[Any], name: str) -> tuple[Part, Array]:
    """How to turn one key's values into numbers, and which of them are binary."""
    if isinstance(space, spaces.Discrete):
        return _choices(np.array([space.n]), np.array([space.start]))
    if isinstance(space, spaces.MultiDiscrete):
        return _choices(np.ravel(space.nvec), np.ravel(space.start))
    if isinstance(space, spaces.MultiBinary):
        return lambda values: np.asarray(values, np.float32), np.ones(int(np.prod(space.shape)), bool)
    if isinstance(space, spaces.Text) or (space.dtype is not None and np.dtype(space.dtype).kind == "U"):
        return lambda values: np.stack([_bag(str(text)) for text in values]), np.ones(WORDS, bool)
    if isinstance(space, spaces.Box):
        grid = np.issubdtype(space.dtype, np.integer) and len(space.shape) in (2, 3) and space.low.min() >= 0
        return _grid(space) if grid else _scaled(space)
    raise CortexError(
        f"{name} is a {type(space).__name__}; Box, Discrete, MultiDiscrete, MultiBinary, Text or a Dict of these "
        "would do."
    )


def _choices(counts: Array, start: Array) -> tuple[Part, Array]:
    """Several choices -> those among few one-hot, then those among many as one number each."""
    few = counts <= MOST_CODES
    offsets = np.cumsum(np.concatenate([[0], counts[few]]))
    width, most = int(offsets[-1]), np.maximum(counts[~few] - 1, 1)

    def part(values: Any) -> Array:
        chosen = np.asarray(values).reshape(len(values), -1).astype(np.int64) - start
        flat = np.zeros((len(chosen), width + len(most)), np.float32)
        np.put_along_axis(flat, chosen[:, few] + offsets[:-1], 1.0, axis=1)
        flat[:, width:] = chosen[:, ~few] / most
        return flat

    return part, np.arange(width + len(most)) < width


def _grid(space: spaces.Box) -> tuple[Part, Array]:
    """A grid of whole numbers [H, W(, C)] -> each channel's codes as planes, or as brightness where it has many."""
    rows, columns, *rest = space.shape
    channels = rest[0] if rest else 1
    high = space.high.reshape(-1, channels).max(axis=0).astype(np.int64)
    small = max(rows, columns) <= MOST_CELLS
    if small and channels == len(MINIGRID) and (high == 255).all():
        planes = np.array(MINIGRID)
    else:
        planes = np.where(high < MOST_CODES, np.minimum(high + 1, MOST_PLANES), 0)
    tables = [np.eye(count + 1, count, dtype=np.float32) for count in planes]

    def part(values: Any) -> Array:
        cells = np.asarray(values).reshape(len(values), rows * columns, channels)
        layers = [
            tables[c][np.minimum(cells[..., c], planes[c])]
            if planes[c]
            else (cells[..., c : c + 1] / np.float32(high[c])).astype(np.float32)
            for c in range(channels)
        ]
        return layers[0] if channels == 1 else np.concatenate(layers, axis=-1)

    bits = np.concatenate([np.ones(count, bool) if count else np.zeros(1, bool) for count in planes])
    return part, np.tile(bits, rows * columns)


def _scaled(space: spaces.Box) -> tuple[Part, Array]:
    """Numbers -> [-1, 1] where both bounds are known, asinh where they are not: linear near 0, finite far away."""
    low, high = space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel()
    bounded = (np.abs(low) < FINITE) & (np.abs(high) < FINITE) & (high > low)
    low, high = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    middle, half = (low + high) / 2, (high - low) / 2

    def part(values: Any) -> Array:
        flat = (np.asarray(values, np.float64).reshape(len(values), -1) - middle) / half
        return np.where(bounded, flat, np.arcsinh(flat)).astype(np.float32)

    return part, np.zeros(len(low), bool)


@lru_cache(maxsize=4096)
def _bag(text: str) -> Array:
    bag = np.zeros(WORDS, np.float32)
    for word in re.findall(r"\w+", text.lower()):
        bag[zlib.crc32(word.encode()) % WORDS] = 1.0
    return bag
