"""Layouts: where the things of an episode lie. Every layout can be won, and the same key gives the same layout.

Things are put at random and checked: all floor that the agent can need is connected, each thing has a floor cell beside
it, and what has to be pushed onto something stands in line with it, with room behind and nothing between. Nothing that
an agent does to win takes any of that away, so no layout has to be solved.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import ANYWHERE, IN_LINE, IN_NOOK, LEVELS, MOST_CELLS, MOST_THINGS, NOTHING
from cortex.envs.novel_game.dice import below, mix

TRIES = 400
"""Draws before a layout is given up; a game needs about two."""

SAMPLES = 20
"""Layouts of each level that a game has to have room for."""

ALL, DAY, EXAM = 0, 1, 2
"""Layouts that an environment may begin in; those of the day and of the exam are disjoint by content."""

_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


@njit(cache=True)
def content(world, size):  # type: ignore[no-untyped-def]
    """Hash of a layout (FNV-1a)."""
    value = _BASIS
    for i in range(size * size):
        value = (value ^ np.uint64(world.grid[i])) * _PRIME
    return mix((value ^ np.uint64(world.spots[0])) * _PRIME)


@njit(cache=True)
def lay_out(game, world, size, part):  # type: ignore[no-untyped-def]
    """Lay out the world's level: its grid and spots. Returns False where no layout was found in `TRIES` draws."""
    for _ in range(TRIES):
        if _draw(game, world, size):
            exam = content(world, size) % np.uint64(4) == np.uint64(0)
            if part == ALL or exam == (part == EXAM):
                return True
    return False


@njit(cache=True)
def roomy(game, world, size):  # type: ignore[no-untyped-def]
    """Whether layouts of all levels are found with ease: some of each, in a sixteenth of the draws."""
    for level in range(1, LEVELS + 1):
        world.level = level
        for _ in range(SAMPLES):
            found = False
            for _ in range(TRIES // 16):
                found = found or _draw(game, world, size)
            if not found:
                return False
    return True


@njit(cache=True)
def _draw(game, world, size):  # type: ignore[no-untyped-def]
    floor, wall, pad = game.ground[0], game.ground[1], game.ground[2]
    grid, spots, things = world.grid, world.spots, game.things[world.level - 1]
    steps = (-size, 1, size, -1)
    last = size - 1
    grid[: size * size] = floor
    for i in range(size):
        grid[i] = grid[last * size + i] = grid[i * size] = grid[i * size + last] = wall
    kept = np.zeros(MOST_CELLS, np.bool_)  # floor that has to stay free
    where = np.full(MOST_THINGS, -1)
    spots[:] = -1
    lines = np.full((MOST_THINGS, 3), -1)
    for i in range(MOST_THINGS):
        if things[i, 0] != NOTHING and things[i, 1] == IN_NOOK:
            where[i] = _nook(world, kept, size, floor, wall, pad, steps)
            grid[where[i]] = things[i, 0]
    for i in range(MOST_THINGS):
        code = things[i, 0]
        if code == NOTHING:
            break
        if things[i, 1] == ANYWHERE:
            where[i] = _free(world, kept, size, floor, False)
        elif things[i, 1] == IN_LINE:
            where[i] = _in_line(world, kept, where[things[i, 2]], floor, steps, lines[i])
        if where[i] < 0:
            return False
        grid[where[i]] = code
        if game.patrols[code]:
            spots[3], spots[4] = where[i], steps[below(world, 4)]
    if spots[2] >= 0:
        spots[1] = _free(world, kept, size, floor, False)
        if spots[1] < 0:
            return False
        grid[spots[1]] = pad
    for _ in range(game.pillars):
        cell = _free(world, kept, size, floor, True)
        if cell >= 0:
            grid[cell] = wall
    spots[0] = _free(world, kept, size, floor, False)
    return spots[0] >= 0 and _reachable(world, size, floor, things, where, lines, steps)


@njit(cache=True)
def _free(world, kept, size, floor, apart):  # type: ignore[no-untyped-def]
    """A random free cell of floor; ``apart``: with nothing around it, so that it cuts nothing off."""
    grid = world.grid
    for _ in range(4 * size * size):
        cell = below(world, size * size)
        if grid[cell] != floor or kept[cell]:
            continue
        alone = True
        if apart:
            for row in (-size, 0, size):
                for column in (-1, 0, 1):
                    alone = alone and grid[cell + row + column] == floor
        if alone:
            return cell
    return -1


@njit(cache=True)
def _in_line(world, kept, at, floor, steps, line):  # type: ignore[no-untyped-def]
    """A cell onto which what stands at ``at`` can be pushed straight; keeps the cell behind it and those between."""
    grid = world.grid
    turn, far = below(world, 4), 2 + below(world, 2)
    for k in range(4):
        step = steps[(turn + k) % 4]
        if grid[at - step] != floor:
            continue
        clear, cell = True, at
        for _ in range(far):
            cell += step
            clear = clear and grid[cell] == floor and not kept[cell]
            if not clear:
                break
        if clear:
            kept[at - step] = True
            for i in range(1, far):
                kept[at + i * step] = True
            line[0], line[1], line[2] = at, step, far
            return cell
    return -1


@njit(cache=True)
def _nook(world, kept, size, floor, wall, pad, steps):  # type: ignore[no-untyped-def]
    """Wall off three cells at the border, a pad at one end; returns the other end. Sets the pad of ``world.spots``."""
    grid = world.grid
    side = below(world, 4)
    along, inwards = steps[(side + 1) % 4], steps[(side + 2) % 4]
    corners = (0, size - 1, size * size - 1, (size - 1) * size)
    start = corners[side] + inwards + along * (1 + below(world, size - 4))
    for i in range(-1, 4):
        for j in range(2):
            cell = start + along * i + inwards * j
            if grid[cell] == floor and (j == 1 or i in (-1, 3)):
                grid[cell] = wall
    middle, low, high = start + along, start, start + 2 * along
    if below(world, 2):
        low, high = high, low
    kept[middle] = True
    grid[low], world.spots[2] = pad, low
    return high


@njit(cache=True)
def _reachable(world, size, floor, things, where, lines, steps):  # type: ignore[no-untyped-def]
    """Whether the agent comes beside every thing, and to where it has to push from, over floor alone."""
    grid, spots = world.grid, world.spots
    seen = np.zeros(MOST_CELLS, np.bool_)
    queue = np.empty(MOST_CELLS, np.int64)
    queue[0], head, tail = spots[0], 0, 1
    seen[spots[0]] = True
    while head < tail:
        cell = queue[head]
        head += 1
        for step in steps:
            if grid[cell + step] == floor and not seen[cell + step]:
                seen[cell + step] = True
                queue[tail] = cell + step
                tail += 1
    for i in range(len(where)):
        if where[i] < 0 or things[i, 1] == IN_NOOK:
            continue
        beside = False
        for step in steps:
            beside = beside or seen[where[i] + step]
        if not beside:
            return False
    for i in range(len(lines)):
        if lines[i, 0] < 0:
            continue
        if not seen[lines[i, 0] - lines[i, 1]]:
            return False
        for k in range(1, lines[i, 2]):
            if not seen[lines[i, 0] + k * lines[i, 1]]:
                return False
    if spots[1] >= 0:
        beside = False
        for step in steps:
            beside = beside or seen[spots[1] + step]
        return beside
    return True
