"""What happens when an agent acts: B bodies in B worlds, each with the rules of its game. No branch a rule."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import (
    ACTIONS,
    BUMP_TABLE,
    DONE,
    ENTER,
    ITEM,
    LEVELS,
    MOST_CELLS,
    NEXT,
    NOTHING,
    PUSH,
    REWARD,
    RIPEN,
    SILENCE,
    SOUND,
    UP,
    USE,
    USE_TABLE,
    WAIT,
)
from cortex.envs.novel_game.dice import key
from cortex.envs.novel_game.layout import lay_out

PACE = 2
"""Steps in which what patrols moves by one cell."""


WORLD = np.dtype(
    [
        ("grid", np.uint8, MOST_CELLS),  # cells row by row; those behind the last are unused
        ("pos", np.int32),  # cell of the agent
        ("face", np.int32),  # direction
        ("hand", np.int32),  # code carried
        ("clock", np.int32),  # steps of this episode
        ("timer", np.int32),  # steps until the thing at ``timed`` changes by itself; 0: none does
        ("timed", np.int32),
        ("spots", np.int32, 5),  # agent's first cell, both pads, what patrols and its step; -1 where there is none
        ("action", np.int32),  # the last one; ACTIONS before the first
        ("bump", np.int32),  # 1: the last action was a move that did not move
        ("sound", np.int32),  # tone of the last event
        ("level", np.int32),  # of this episode
        ("wins", np.int32),
        ("episode", np.int32),  # episodes begun since the seed was set
        ("seed", np.uint64),
        ("dice", np.uint64),  # the layout's random numbers
        ("reward", np.float64),  # of the last step
        ("over", np.bool_),
        ("success", np.bool_),
        ("terminated", np.bool_),
        ("truncated", np.bool_),
    ],
    align=True,
)
"""The state of one body's world."""


class Terms(NamedTuple):
    """What the bodies of one environment share."""

    size: int
    limit: int  # steps of an episode of level 1; level 2 has twice as many, and so on
    level: int  # 1 to LEVELS; 0: begins at 1 and rises by one with each win
    part: int  # layouts: ALL, DAY or EXAM


@njit(cache=True)
def begin(game, world, terms):  # type: ignore[no-untyped-def]
    """Begin the next episode; its layout depends on seed and episode alone. False where no layout was found."""
    world.episode += 1
    world.dice = key(world.seed, world.episode)
    world.level = terms.level if terms.level > 0 else min(1 + world.wins, LEVELS)
    laid = lay_out(game, world, terms.size, terms.part)
    world.pos, world.face, world.hand = world.spots[0], UP, NOTHING
    world.clock = world.timer = world.timed = world.bump = 0
    world.action, world.sound, world.reward = ACTIONS, SILENCE, 0.0
    world.over = world.success = world.terminated = world.truncated = False
    return laid


@njit(cache=True)
def advance(game, world, terms, action):  # type: ignore[no-untyped-def]
    """One action."""
    pos = world.pos
    if action < USE:
        world.face = game.moves[action]
    step = (-terms.size, 1, terms.size, -1)[world.face]
    world.sound, world.reward, world.bump, done = SILENCE, 0.0, 0, False
    if action != WAIT:
        done = _act(game, world, step, action)
        world.bump = action < USE and world.pos == pos
    _by_itself(game, world)
    world.clock += 1
    world.action = action
    world.success = done and world.reward > 0
    world.wins += world.success
    world.terminated = done
    world.truncated = not done and world.clock >= terms.limit * world.level
    world.over = world.terminated or world.truncated


@njit(cache=True, inline="always")
def _act(game, world, step, action):  # type: ignore[no-untyped-def]
    """What the tables say; returns whether the episode is done."""
    target = world.pos + step
    front, item = world.grid[target], world.hand
    entry = game.act[BUMP_TABLE if action < USE else USE_TABLE, front, item]
    made, changed, enters, done = entry[NEXT], target, entry[ENTER], entry[DONE]
    world.sound, world.reward, world.hand = entry[SOUND], entry[REWARD], entry[ITEM]
    if entry[PUSH]:
        beyond = target + step
        entry = game.push[front, world.grid[beyond]]
        if entry[PUSH]:
            world.grid[target] = game.ground[0]
            made, changed, enters, done = entry[NEXT], beyond, 1, entry[DONE]
            world.sound, world.reward = entry[SOUND], entry[REWARD]
    if world.grid[changed] != made:
        world.grid[changed] = made
        _watch(game, world, changed, made, step)
    if enters:
        through = front == game.ground[2] and world.spots[2] >= 0
        world.pos = world.spots[1] + world.spots[2] - target if through else target
    return done > 0


@njit(cache=True, inline="always")
def _watch(game, world, cell, made, step):  # type: ignore[no-untyped-def]
    """Keep in mind what moves or changes by itself from now on."""
    if game.patrols[made]:
        world.spots[3], world.spots[4] = cell, step
    elif cell == world.spots[3]:
        world.spots[3] = -1
    if game.after[made, 1] > 0:
        world.timer, world.timed = game.after[made, 1] + 1, cell


@njit(cache=True, inline="always")
def _by_itself(game, world):  # type: ignore[no-untyped-def]
    """What happens without the agent: things change in time, and walk."""
    if world.timer > 0:
        world.timer -= 1
        waiting = world.grid[world.timed]
        if world.timer == 0 and game.after[waiting, 1] > 0:
            made = game.after[waiting, 0]
            world.grid[world.timed], world.sound = made, RIPEN
            _watch(game, world, world.timed, made, 1)
    if world.spots[3] >= 0 and world.clock % PACE == 0:
        here, step = world.spots[3], world.spots[4]
        ahead = here + step
        if world.grid[ahead] == game.ground[0] and ahead != world.pos:
            world.grid[ahead], world.grid[here] = world.grid[here], game.ground[0]
            world.spots[3] = ahead
        else:
            world.spots[4] = -step
