"""Kernels that write what bodies observe: codes in view, images of them, their own state, the tone of the last event.

Each writes the rows of ``bodies`` [n] in an array of all B bodies, body b in game ``which[b]`` of ``sizes[b]`` cells a
side.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import EYE, NOTHING
from cortex.envs.novel_game.dice import key
from cortex.envs.novel_game.sprites import TILE

_APART, _SEVEN, _THREE = np.uint64(0x696D616765), np.uint64(7), np.uint64(3)


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
def paint(codes, sheets, which, bodies, painted):  # type: ignore[no-untyped-def]
    """Write images of the codes [B, S, S, C], plane 0, of some bodies into ``painted`` [B, 8 S, 3 S] uint64.

    ``sheets`` [G, CODES, TILE, 3] uint64: a row of a tile is 24 bytes, three words.
    """
    side = codes.shape[1]
    for b in bodies:
        sheet, drawn = sheets[which[b]], painted[b]
        for row in range(side):
            for column in range(side):
                tile = sheet[codes[b, row, column, 0]]
                for i in range(TILE):
                    for j in range(3):
                        drawn[row * TILE + i, column * 3 + j] = tile[i, j]


@njit(cache=True)
def move(painted, shifts, around, bodies, moved):  # type: ignore[no-untyped-def]
    """Copy images ``painted`` [B, H, W] uint8 down and right into ``moved`` [B, H + 8, W + 24].

    By ``shifts`` [B, 2] pixels, 0 to 7, of three bytes; what lies around them is ``around`` [W + 24].
    """
    height, width = painted.shape[1:]
    for b in bodies:
        down, right = shifts[b, 0], 3 * shifts[b, 1]
        for i in range(moved.shape[1]):
            if not down <= i < down + height:
                moved[b, i] = around
                continue
            moved[b, i, :right] = around[:right]
            moved[b, i, right : right + width] = painted[b, i - down]
            moved[b, i, right + width :] = around[right + width :]


@njit(cache=True)
def shift(worlds, bodies, shifts):  # type: ignore[no-untyped-def]
    """Draw by how many pixels, 0 to 7, the images of some bodies are off the lattice: the same all episode long."""
    for b in bodies:
        drawn = key(worlds[b].seed ^ _APART, worlds[b].episode)
        shifts[b, 0], shifts[b, 1] = drawn & _SEVEN, (drawn >> _THREE) & _SEVEN


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
