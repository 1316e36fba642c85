"""What a body observes of its world, as arrays: codes in view, its own state, the tone of the last event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces
from numba import njit

from cortex.envs.novel_game.codes import ACTIONS, CODES, EYE, MOST_SIZE, NOTHING, TONES
from cortex.envs.novel_game.sprites import TILE
from cortex.envs.novel_game.words import CHARSET, LONGEST

MODALITIES = ("grid", "image", "text", "body", "sound")
VIEWS = ("full", "ego")
TEXTS = ("none", "goal", "one rule", "all rules")

BODY = 6
"""Entries of the body: last action, bump, code carried, own row, own column, clock."""


def planes(noise: int, side: int) -> int:
    """Further planes of a grid of ``side`` x ``side`` that hold ``noise`` bytes."""
    return -(-noise // (side * side))


def space(modalities: Sequence[str], side: int, limit: int, noise: int, place: str, offset: bool) -> spaces.Dict:
    """The observation space of one body, whose view is ``side`` cells wide and whose episodes have ``limit`` steps."""
    high = np.full((side, side, 1 + planes(noise if place == "grid" else 0, side)), 255, np.uint8)
    high[..., 0] = CODES - 1
    entries = [ACTIONS + 1, 2, CODES, MOST_SIZE, MOST_SIZE, limit + 1]
    pixels = (side + offset) * TILE
    known = {
        "grid": lambda: spaces.Box(np.zeros_like(high), high, dtype=np.uint8),
        "image": lambda: spaces.Box(0, 255, (pixels, pixels, 3), np.uint8),
        "text": lambda: spaces.Text(LONGEST, min_length=0, charset=CHARSET),
        "body": lambda: spaces.MultiDiscrete(entries + [256] * (noise if place == "body" else 0)),
        "sound": lambda: spaces.Box(0, 1, (TONES,), np.float32),
        "noise": lambda: spaces.Box(0, 255, (noise,), np.uint8),
    }
    keys = [*modalities, *(["noise"] if noise and place == "key" else [])]
    return spaces.Dict({key: known[key]() for key in sorted(keys)})


@njit(cache=True)
def see_all(games, worlds, which, sizes, bodies, seen):  # type: ignore[no-untyped-def]
    """Write the whole grid of some bodies into ``seen`` [B, H, W, C], plane 0; beyond a smaller grid it is NOTHING."""
    side = seen.shape[1]
    for b in bodies:
        world, size = worlds[b], sizes[b]
        look, ground = games[which[b]].look, games[which[b]].ground
        for row in range(side):
            for column in range(side):
                inside = row < size and column < size
                seen[b, row, column, 0] = look[world.grid[row * size + column]] if inside else NOTHING
        seen[b, world.pos // size, world.pos % size, 0] = ground[3 + world.face]


@njit(cache=True)
def see_near(games, worlds, which, sizes, bodies, seen):  # type: ignore[no-untyped-def]
    """Write what lies around some bodies, not turned, into ``seen`` [B, 7, 7, C], plane 0."""
    side = seen.shape[1]
    for b in bodies:
        world, size = worlds[b], sizes[b]
        look, ground = games[which[b]].look, games[which[b]].ground
        top, left = world.pos // size - EYE, world.pos % size - EYE
        for i in range(side):
            for j in range(side):
                row, column = top + i, left + j
                inside = 0 <= row < size and 0 <= column < size
                seen[b, i, j, 0] = look[world.grid[row * size + column]] if inside else NOTHING
        seen[b, EYE, EYE, 0] = ground[3 + world.face]


@njit(cache=True)
def grain(grains, amount, bodies, seen):  # type: ignore[no-untyped-def]
    """Write the noise of some bodies into the further planes of ``seen`` [B, H, W, C], cell by cell."""
    side, further = seen.shape[1], seen.shape[3] - 1
    for b in bodies:
        i = 0
        for row in range(side):
            for column in range(side):
                for plane in range(further):
                    seen[b, row, column, 1 + plane] = grains[b, i] if i < amount else 0
                    i += 1


@njit(cache=True)
def feel(games, worlds, which, sizes, bodies, felt):  # type: ignore[no-untyped-def]
    """Write the state of some bodies into the first entries of ``felt`` [B, BODY or more]."""
    for b in bodies:
        world, size = worlds[b], sizes[b]
        felt[b, 0], felt[b, 1] = world.action, world.bump
        felt[b, 2] = games[which[b]].look[world.hand]
        felt[b, 3], felt[b, 4] = world.pos // size, world.pos % size
        felt[b, 5] = world.clock


@njit(cache=True)
def hear(worlds, bodies, heard):  # type: ignore[no-untyped-def]
    """Write the tone of the last event of some bodies into ``heard`` [B, TONES]; silence is all zero."""
    for b in bodies:
        heard[b, :] = 0
        if worlds[b].sound > 0:
            heard[b, worlds[b].sound] = 1
