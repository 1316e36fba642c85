"""Random numbers that depend on a key alone, not on who draws beside: SplitMix64 (Steele, Lea & Flood 2014)."""

from __future__ import annotations

import numpy as np
from numba import njit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@njit(cache=True, inline="always")
def mix(x):  # type: ignore[no-untyped-def]
    """Scramble 64 bits."""
    x = (x ^ (x >> _30)) * _A
    x = (x ^ (x >> _27)) * _B
    return x ^ (x >> _31)


@njit(cache=True, inline="always")
def key(seed, number):  # type: ignore[no-untyped-def]
    """The state from which the ``number``-th stream of a seed is drawn."""
    return mix(mix(np.uint64(seed) + _STEP) + np.uint64(number) * _STEP)


@njit(cache=True)
def below(world, n):  # type: ignore[no-untyped-def]
    """Draw 0 to n - 1 from ``world.dice``, which moves on. By the upper bits (Lemire 2019), bias below n / 2^32."""
    world.dice += _STEP
    return np.int64(((mix(world.dice) >> _32) * np.uint64(n)) >> _32)
