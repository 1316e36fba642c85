"""Noise: bytes that bear on nothing, as many a step as asked for, of four kinds."""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import ACTIONS
from cortex.envs.novel_game.dice import key, mix
from cortex.types import Array

AMOUNTS = (0, 1, 10, 100, 1000)
"""Bytes a step."""

KINDS = ("fresh", "predictable", "texture", "controllable")
"""Drawn anew at each step; each byte counts on at its own pace; the same throughout an episode; each byte counts on at
a pace that depends on the action."""

PLACES = ("key", "grid", "body")
"""Where the noise is: in a key of its own, in further planes of the grid, in further entries of the body."""

_APART = np.uint64(0x6E6F697365)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


def room(bodies: int, amount: int) -> Array:
    """Where the bytes of each body stand, uint64 [B, W]; eight bytes a word."""
    return np.zeros((bodies, -(-amount // 8)), np.uint64)


def paces(kind: str, amount: int) -> Array:
    """By how much each byte grows at each action, uint8 [ACTIONS, 8 W]; the same in all games."""
    width, rng = -(-amount // 8) * 8, np.random.default_rng(8)
    rows = {"predictable": 1, "controllable": ACTIONS}.get(kind, 0)
    drawn = rng.integers(1, 256, (rows, width), np.uint8) if rows else np.zeros((1, width), np.uint8)
    return np.ascontiguousarray(np.broadcast_to(drawn, (ACTIONS, width)))


@njit(cache=True)
def stir(worlds, words, grains, pace, fresh, bodies):  # type: ignore[no-untyped-def]
    """Move the noise of some bodies on by one step. ``grains`` [B, 8 W] are the bytes of ``words`` [B, W].

    Draws from streams of its own, by seed, episode and step: what happens in a game does not depend on its noise.
    """
    for b in bodies:
        world = worlds[b]
        if fresh or world.clock == 0:
            start = key(world.seed ^ _APART, (np.uint64(world.episode) << _32) + np.uint64(world.clock))
            for j in range(words.shape[1]):
                start += _STEP
                words[b, j] = mix(start)
        else:
            row = pace[world.action]
            for i in range(grains.shape[1]):
                grains[b, i] += row[i]
