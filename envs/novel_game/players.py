"""Those who play a game as anchors: at random, by a constant, by walking to things, by knowing its rules, by learning.

The reference learner L knows the form of the rules and not the rules: R-max (Brafman & Tennenholtz 2002) with a search.
It knows floor, walls and pads when it sees them, that what happens depends on the thing in front and on what is
carried, and that a push depends on what is pushed onto what. What it has not tried might win.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import (
    ACTIONS,
    BUMP_TABLE,
    CODES,
    DONE,
    ENTER,
    EYE,
    ITEM,
    MOST_CELLS,
    NEXT,
    NOTHING,
    PUSH,
    REWARD,
    RIPEN,
    USE,
    USE_TABLE,
    WAIT,
)
from cortex.envs.novel_game.dice import below
from cortex.envs.novel_game.dynamics import advance, begin
from cortex.envs.novel_game.search import NONE, flood, search, want
from cortex.types import Array

BUDGET, SOLVER_BUDGET = 1500, 30000
"""Most states of one search, of the learner and, where it finds nothing among these, of the solver."""

# Constants are passed on as np.int64 and np.bool_: numba would compile a function anew for each bare one.

STUCK = 8
"""Steps that a learner takes at random before it searches again."""

PATIENCE, PAUSE = 40, 8
"""How often the solver looks for a way before it gives an episode up, and the steps, fewer than so many, that it waits
between: what walks may stand in it."""

INFERRED, TRIED = 1, 2
"""How an entry came to be known."""


class Ways(NamedTuple):
    """How a learner learns; the defaults are L's, the others its ablations."""

    sees_all: bool = True  # False: only cells within the eye's radius
    waits: bool = False  # when stuck it waits, instead of acting at random
    ignores_goals: bool = False  # it explores even where it knows how to win
    same_layout: bool = False  # every episode begins in the same layout


def know(game: Array, mind: Array) -> None:
    """Let a mind believe the tables of a game: the solver's."""
    forget(game, mind)
    for name in ("act", "push", "after", "moves"):
        mind[name] = game[name]
    mind["acted"] = mind["pushed"] = TRIED
    mind["goal"] = 1


def forget(game: Array, mind: Array) -> None:
    """Let a mind know the form of the rules alone, and floor, wall and pad: the learner's."""
    for name in ("act", "push", "after", "acted", "pushed", "goal", "deadly"):
        mind[name] = 0
    mind["floor"], mind["wall"], mind["pad"] = game["ground"][:3]
    mind["moves"] = -1
    for table, ground in ((BUMP_TABLE, game["ground"][:3]), (USE_TABLE, game["ground"][1:3])):
        mind["act"][table, ground] = game["act"][table, ground]
        mind["acted"][table, ground] = TRIED


@njit(cache=True)
def perceive(world, mind, size, sees_all):  # type: ignore[no-untyped-def]
    """Take in what is in view."""
    row, column = world.pos // size, world.pos % size
    reach = size if sees_all else EYE
    for r in range(max(0, row - reach), min(size, row + reach + 1)):
        for c in range(max(0, column - reach), min(size, column + reach + 1)):
            cell = r * size + c
            code = world.grid[cell]
            mind.grid[cell] = code
            if code == mind.pad and cell != mind.pads[0] and cell != mind.pads[1]:
                mind.pads[0 if mind.pads[0] < 0 else 1] = cell
    mind.pos, mind.face, mind.hand, mind.timer = world.pos, world.face, world.hand, 0
    if world.timer > 0 and mind.after[world.grid[world.timed], 1] > 0:
        mind.timer, mind.timed = world.timer, world.timed


@njit(cache=True)
def wake(game, world, terms, mind, sees_all):  # type: ignore[no-untyped-def]
    """Begin an episode, of which nothing has been seen yet."""
    begin(game, world, terms)
    mind.grid[:], mind.pads[0], mind.pads[1] = NOTHING, -1, -1
    perceive(world, mind, terms.size, sees_all)


@njit(cache=True)
def stride(game, world, terms, mind, step, sees_all):  # type: ignore[no-untyped-def]
    """Take one step of a plan, learn from it, look; returns whether it led where such steps lead."""
    action = command(mind, step)
    pos, item = world.pos, world.hand
    waiting = world.grid[world.timed]
    advance(game, world, terms, action)
    if world.clock <= len(mind.past):
        mind.past[world.clock - 1] = action
    if action < USE:
        mind.moves[action] = world.face
    delta = (-terms.size, 1, terms.size, -1)[world.face]
    front = mind.grid[pos + delta]
    beyond = mind.grid[pos + 2 * delta] if 0 <= pos + 2 * delta < terms.size * terms.size else NOTHING
    if action != WAIT:
        note(game, mind, USE_TABLE if action == USE else BUMP_TABLE, front, beyond, item)
    if world.sound == RIPEN:
        mind.after[waiting] = game.after[waiting]
    expected = pos
    if action < USE and front == mind.floor:
        expected = pos + delta
    elif action < USE and front == mind.pad:
        expected = world.pos
    perceive(world, mind, terms.size, sees_all)
    return expected == world.pos and (step >= USE or world.face == step)


@njit(cache=True)
def command(mind, step):  # type: ignore[no-untyped-def]
    """The action for a step of a plan; for a direction that no move is known for, a move not yet known."""
    if step >= USE:
        return step
    for a in range(4):
        if mind.moves[a] == step:
            return a
    for a in range(4):
        if mind.moves[(step + a) % 4] < 0:
            return (step + a) % 4
    return step


@njit(cache=True)
def note(game, mind, table, front, beyond, item):  # type: ignore[no-untyped-def]
    """Learn the entries that an action has shown, and what the form of the rules says beside."""
    entry = game.act[table, front, item]
    mind.act[table, front, item] = entry
    mind.acted[table, front, item] = TRIED
    mind.goal = mind.goal or entry[REWARD] > 0
    if entry[ITEM] != NOTHING:
        # What one holds can be put down.
        mind.act[USE_TABLE, mind.floor, entry[ITEM]] = game.act[USE_TABLE, mind.floor, entry[ITEM]]
        mind.acted[USE_TABLE, mind.floor, entry[ITEM]] = TRIED
    if table == USE_TABLE or front == mind.floor or front == mind.wall or front == mind.pad:
        return
    if entry[PUSH]:
        mind.push[front, beyond] = game.push[front, beyond]
        mind.pushed[front, beyond] = TRIED
        mind.goal = mind.goal or game.push[front, beyond, REWARD] > 0
    if entry[DONE] and not entry[REWARD]:
        mind.deadly[front] = 1
        for other in range(CODES):
            if mind.acted[table, front, other] == INFERRED:
                mind.acted[table, front, other] = 0
    if mind.deadly[front] or (entry[ITEM] != item and item != NOTHING):
        return
    idle = entry[NEXT] == front and entry[ITEM] == item and not entry[ENTER] and not entry[DONE] and not entry[PUSH]
    for other in range(CODES):
        if mind.acted[table, front, other] == TRIED:
            continue
        if entry[ITEM] != item:
            # An empty hand took it: a full one does not, unless it is one that goes on collecting.
            if other == entry[ITEM] and other != front:
                continue
            _infer(mind, table, front, other, entry, True)
        elif not idle or other != NOTHING or item == NOTHING:
            _infer(mind, table, front, other, entry, idle)


@njit(cache=True)
def _infer(mind, table, front, item, entry, idle):  # type: ignore[no-untyped-def]
    """Believe that ``entry`` holds with another item too, or that then nothing happens."""
    known = mind.act[table, front, item]
    if idle:
        known[:] = 0
        known[NEXT] = front
    else:
        known[:] = entry
    known[ITEM] = item
    mind.acted[table, front, item] = INFERRED


@njit(cache=True)
def go(game, world, terms, mind, plan, budget, explore, sees_all):  # type: ignore[no-untyped-def]
    """Search once and follow the plan to its first act, or as far as the world does as expected.

    Returns what the plan led to, and the steps of the whole way.
    """
    kind, length, steps, aim = search(mind, terms.size, budget, explore, plan)
    planned = mind.grid.copy()
    for i in range(length):
        heading = plan[i] if plan[i] < USE else mind.face
        # What one turns by bumping into may have walked off: the same move would now lead elsewhere.
        front = mind.pos + (-terms.size, 1, terms.size, -1)[heading] if plan[i] != WAIT else aim
        if world.over or mind.grid[aim] != planned[aim] or mind.grid[front] != planned[front]:
            break
        if not stride(game, world, terms, mind, plan[i], sees_all):
            break
    return kind, steps


@njit(cache=True)
def solve(game, world, terms, mind, plan):  # type: ignore[no-untyped-def]
    """Play an episode knowing the rules; returns the steps that it expected to need at first, 0 where it saw no way.

    An episode that it gives up is left as it is then.
    """
    wake(game, world, terms, mind, np.bool_(True))
    want(mind)
    expected, patience, budget = -1, PATIENCE, BUDGET
    while not world.over and patience > 0:
        kind, steps = go(game, world, terms, mind, plan, np.int64(budget), np.bool_(False), np.bool_(True))
        if kind == NONE and budget == BUDGET:
            budget = SOLVER_BUDGET
            continue
        expected = steps if expected < 0 else expected
        if kind == NONE:
            patience -= 1 if world.spots[3] >= 0 or world.timer > 0 else PATIENCE
            for _ in range(below(mind, PAUSE)):
                if not world.over:
                    stride(game, world, terms, mind, np.int64(WAIT), np.bool_(True))
        budget = BUDGET
    return expected


@njit(cache=True)
def learn(game, world, terms, mind, plan, ways, tries, actions, ends, wins):  # type: ignore[no-untyped-def]
    """Play as L for ``tries`` episodes or ``actions`` actions; fills ``ends`` and ``wins`` of each episode.

    Returns the episodes begun. What the mind knows already it keeps.
    """
    total = 0
    for i in range(tries):
        if ways.same_layout:
            world.episode = 0
        wake(game, world, terms, mind, ways.sees_all)
        while not world.over:
            kind = NONE
            if mind.goal and not ways.ignores_goals:
                want(mind)
                kind, _ = go(game, world, terms, mind, plan, np.int64(BUDGET), np.bool_(False), ways.sees_all)
            if kind == NONE:
                kind, _ = go(game, world, terms, mind, plan, np.int64(BUDGET), np.bool_(True), ways.sees_all)
            for _ in range(STUCK if kind == NONE else 0):
                if not world.over:
                    step = np.int64(WAIT) if ways.waits else below(mind, ACTIONS)
                    stride(game, world, terms, mind, step, ways.sees_all)
        total += world.clock
        ends[i], wins[i] = total, world.success
        if total >= actions:
            return i + 1
    return tries


@njit(cache=True)
def walk(game, world, terms, mind, lanes, queue, plan):  # type: ignore[no-untyped-def]
    """Play an episode by walking to things drawn at random, bumping into them and using on them what is carried."""
    deltas = (-terms.size, 1, terms.size, -1)
    wake(game, world, terms, mind, np.bool_(True))
    for a in range(4):
        mind.moves[a] = game.moves[a]
    while not world.over:
        mind.acted[:] = 0
        reached = flood(mind, terms.size, mind.grid, mind.pos, mind.face, mind.hand, lanes, queue)
        # Each thing once, by its nearest side: reservoir sampling.
        beside, count = -1, 0
        seen = np.zeros(MOST_CELLS, np.bool_)
        for i in range(reached):
            cell = queue[i] // 4
            for d in range(4):
                target = cell + deltas[d]
                code = mind.grid[target]
                if code != mind.floor and code != mind.wall and not seen[target]:
                    seen[target] = True
                    count += 1
                    if below(mind, count) == 0:
                        beside = queue[i] * 4 + d
        if beside < 0:
            stride(game, world, terms, mind, below(mind, ACTIONS), np.bool_(True))
            continue
        state, length = beside // 4, lanes[0, beside // 4]
        for i in range(length - 1, -1, -1):
            plan[i] = lanes[2, state]
            state = lanes[1, state]
        plan[length] = beside % 4
        length += 1
        if mind.hand != NOTHING and below(mind, 2):
            plan[length] = USE
            length += 1
        for i in range(length):
            if world.over:
                break
            stride(game, world, terms, mind, plan[i], np.bool_(True))


@njit(cache=True)
def walks(game, world, terms, mind, lanes, queue, plan, episodes, enough):  # type: ignore[no-untyped-def]
    """Episodes that the random walk to things wins; it stops when they are more than ``enough``. The mind has to forget
    the rules before."""
    won = 0
    for _ in range(episodes):
        walk(game, world, terms, mind, lanes, queue, plan)
        won += world.success
        if won > enough:
            break
    return won


@njit(cache=True)
def play_constant(game, world, terms, mind, edges):  # type: ignore[no-untyped-def]
    """Play an episode with actions drawn from a distribution, given as cumulated weights of whole thousands [A]."""
    begin(game, world, terms)
    while not world.over:
        drawn = below(mind, edges[-1])
        action = 0
        while edges[action] <= drawn:
            action += 1
        advance(game, world, terms, action)
