"""Search in what is believed of a game: the shortest way to the goal, else to what was never tried.

Best-first search over what can be done next: walk somewhere and act there. The solver believes the true tables, the
reference learner what it has seen of them, so both search alike.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import (
    BUMP_TABLE,
    CODES,
    DONE,
    ENTER,
    FIELDS,
    ITEM,
    MOST_CELLS,
    NEXT,
    NOTHING,
    PUSH,
    REWARD,
    USE,
    USE_TABLE,
    WAIT,
)

MIND = np.dtype(
    [
        ("act", np.uint8, (2, CODES, CODES, FIELDS)),  # tables as believed
        ("push", np.uint8, (CODES, CODES, FIELDS)),
        ("after", np.uint8, (CODES, 2)),
        ("acted", np.uint8, (2, CODES, CODES)),  # 1: this entry of ``act`` is known
        ("pushed", np.uint8, (CODES, CODES)),
        ("deadly", np.uint8, CODES),  # 1: the thing has killed
        ("floor", np.uint8),
        ("wall", np.uint8),
        ("pad", np.uint8),
        ("goal", np.uint8),  # 1: some known entry wins
        ("wanted", np.uint8, CODES),  # acts from the thing, in a cell or in the hand, to the goal; 0: none
        ("moves", np.int8, 4),  # direction of each move, -1 while unknown
        ("grid", np.uint8, MOST_CELLS),  # the world as believed, NOTHING where not seen
        ("pos", np.int32),
        ("face", np.int32),
        ("hand", np.int32),
        ("timer", np.int32),
        ("timed", np.int32),
        ("pads", np.int32, 2),  # their cells, -1 while unknown
        ("dice", np.uint64),  # the player's own random numbers
        ("past", np.uint8, 1 << 11),  # the actions of this episode, as far as there is room
    ],
    align=True,
)
"""What a player believes of a game and of the world it is in."""

_NODE = ("pos", "face", "hand", "fresh", "timer", "timed", "cost", "parent", "act")
NODE = np.dtype([(name, np.int32) for name in _NODE])
"""What a searched state is beside its grid; ``act`` led there from ``parent``.

``fresh``: the item was taken and has not served yet; a way that put it down again would lead nowhere."""

NONE, GOAL, UNTRIED, UNSEEN = 0, 1, 2, 3
"""What a plan leads to: nowhere, to the goal, to something never tried, to a cell never seen."""

DREAD = 40
"""Steps that a player walks rather than touch a thing that has killed, where it might not kill under other terms."""

GREED = 2
"""Steps that a search expects for each act that is left: with more it finds longer ways sooner."""

PLACES = 8
"""Cells where a search thinks of putting down what is carried: the nearest might cut off the way."""

_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


@njit(cache=True)
def search(mind, size, budget, explore, plan):  # type: ignore[no-untyped-def]
    """Find the cheapest way to the goal through what serves it; or, to ``explore``, to the untried, then the unseen.

    Fills ``plan`` with the walk to the first act and that act: directions 0 to 3, `USE` and `WAIT`. Returns what the
    way leads to, the length of the plan, the steps of the whole way, and the cell that the first act is done on.
    ``budget``: most states searched.
    """
    cells = size * size
    grids = np.empty((budget + 1, cells), np.uint8)
    nodes = np.zeros(budget + 1, NODE)
    table = np.full(4 * budget, -1, np.int32)
    walk = np.empty((3, cells * 4), np.int32)  # steps, where from, by which direction
    queue = np.empty(cells * 4, np.int32)
    grids[0] = mind.grid[:cells]
    _put(nodes[0], mind.pos, mind.face, mind.hand, 0, mind.timer, mind.timed, 0, -1, -1)
    count = np.int64(1)
    _is_new(grids, nodes, np.int64(0), cells, table)
    heap = [(np.int64(0), np.int64(0))]
    ends = np.full((4, 3), 1 << 30)  # the best so far for GOAL, UNTRIED and UNSEEN: cost, node, act
    sought = UNTRIED if explore else GOAL
    while len(heap) > 0 and count < budget:
        cost, here = heapq.heappop(heap)
        if cost >= ends[sought, 0]:
            break
        found = _expand(mind, size, explore, grids, nodes, here, count, budget, walk, queue, ends)
        for node in range(count, found):
            if node != count:
                grids[count] = grids[node]
                nodes[count] = nodes[node]
            if _is_new(grids, nodes, count, cells, table):
                ahead = 0 if explore else _to_come(mind, grids[count], nodes[count].hand)
                heapq.heappush(heap, (np.int64(nodes[count].cost + ahead), np.int64(count)))
                count += 1
    for kind in (sought, UNSEEN):
        if ends[kind, 0] < 1 << 30 and (explore or kind == GOAL):
            length, aim = _trace(mind, size, grids, nodes, ends[kind, 1], ends[kind, 2], walk, queue, plan)
            return kind, length, ends[kind, 0], aim
    return NONE, 0, 0, 0


@njit(cache=True)
def want(mind):  # type: ignore[no-untyped-def]
    """Find the things that can come to serve the goal by what is known: backwards from the entries that win."""
    wanted = mind.wanted
    wanted[:] = 0
    grew, rank = True, 0
    while grew:
        grew, rank = False, rank + 1
        for code in range(1, CODES):
            if code == mind.floor or code == mind.wall or code == mind.pad:
                continue
            if mind.after[code, 1] and _ranked(mind, mind.after[code, 0], rank) and not wanted[code]:
                wanted[code], grew = rank, True
            for item in range(CODES):
                for table in range(2):
                    if mind.acted[table, code, item] and serves(mind, mind.act[table, code, item], code, item, rank):
                        empty = mind.act[table, code, NOTHING]
                        free = mind.acted[table, code, NOTHING] and serves(mind, empty, code, NOTHING, rank)
                        needed = item if not free else NOTHING
                        grew = _rank(wanted, code, needed, rank) or grew
                entry = mind.push[code, item]
                if mind.pushed[code, item] and entry[PUSH] and serves(mind, entry, item, NOTHING, rank):
                    grew = _rank(wanted, code, item if item != mind.floor else NOTHING, rank) or grew


@njit(cache=True)
def _rank(wanted, code, other, rank):  # type: ignore[no-untyped-def]
    """Give a thing and what it needs beside their rank, unless they have one; whether something got one."""
    grew = False
    if not wanted[code]:
        wanted[code], grew = rank, True
    if other != NOTHING and not wanted[other]:
        wanted[other], grew = rank, True
    return grew


@njit(cache=True)
def _ranked(mind, code, rank):  # type: ignore[no-untyped-def]
    return 0 < mind.wanted[code] < rank


@njit(cache=True)
def serves(mind, entry, code, item, rank):  # type: ignore[no-untyped-def]
    """Whether an entry wins, or makes or takes a thing that is wanted with a lower rank."""
    if entry[REWARD]:
        return True
    made = entry[NEXT] != code and _ranked(mind, entry[NEXT], rank)
    return made or (entry[ITEM] != item and _ranked(mind, entry[ITEM], rank))


@njit(cache=True)
def _to_come(mind, grid, item):  # type: ignore[no-untyped-def]
    """About how many steps are left to the goal: the ranks of all that is wanted and there."""
    ranks = 0
    for code in grid:
        ranks += mind.wanted[code]
    return GREED * (ranks + mind.wanted[item])


@njit(cache=True)
def _promising(mind, grid, code):  # type: ignore[no-untyped-def]
    """Whether it was never tried to push a thing onto something that is there."""
    for other in grid:
        if other != mind.floor and other != mind.wall and other != mind.pad and not mind.pushed[code, other]:
            return True
    return False


@njit(cache=True)
def _put(node, pos, face, item, fresh, timer, timed, cost, parent, act):  # type: ignore[no-untyped-def]
    node.pos, node.face, node.hand, node.fresh, node.timer = pos, face, item, fresh, timer
    node.timed, node.cost, node.parent, node.act = timed, cost, parent, act


@njit(cache=True)
def _is_new(grids, nodes, node, cells, table):  # type: ignore[no-untyped-def]
    """Enter a node in the transposition table; False where the same things in the same hand were reached before."""
    value = _BASIS
    for i in range(cells):
        value = (value ^ np.uint64(grids[node, i])) * _PRIME
    value = (value ^ np.uint64(nodes[node].hand)) * _PRIME
    slot = np.int64((value ^ (value >> np.uint64(32))) % np.uint64(len(table)))
    while table[slot] >= 0:
        other = table[slot]
        if nodes[other].hand == nodes[node].hand and (grids[other] == grids[node]).all():
            return False
        slot = (slot + 1) % len(table)
    table[slot] = node
    return True


@njit(cache=True)
def flood(mind, size, grid, pos, face, item, walk, queue):  # type: ignore[no-untyped-def]
    """Steps to each cell and heading (cell * 4 + direction) by known steps that change nothing; -1 where none lead.

    Fills ``walk`` [3, C * 4] (steps, where from, by which direction) and ``queue``; returns how many it holds.
    """
    deltas = (-size, 1, size, -1)
    walk[0] = -1
    start = pos * 4 + face
    walk[0, start], walk[1, start], queue[0] = 0, -1, start
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        cell = here // 4
        for d in range(4):
            target = cell + deltas[d]
            code = grid[target]
            there = -1
            if code == mind.floor:
                there = target * 4 + d
            elif code == mind.wall:
                there = cell * 4 + d
            elif code != NOTHING and mind.acted[BUMP_TABLE, code, item]:
                entry = mind.act[BUMP_TABLE, code, item]
                if entry[DONE] == 0 and entry[PUSH] == 0 and entry[NEXT] == code and entry[ITEM] == item:
                    out = target
                    if entry[ENTER] and code == mind.pad and mind.pads[1] >= 0:
                        out = mind.pads[0] + mind.pads[1] - target
                    there = out * 4 + d if entry[ENTER] else cell * 4 + d
            if there >= 0 and walk[0, there] < 0:
                walk[0, there], walk[1, there], walk[2, there] = walk[0, here] + 1, here, d
                queue[tail] = there
                tail += 1
    return tail


@njit(cache=True)
def _expand(mind, size, explore, grids, nodes, here, count, budget, walk, queue, ends):  # type: ignore[no-untyped-def]
    """Write all that can be done from a node behind ``count``; note goals, untried and unseen in ``ends``."""
    deltas = (-size, 1, size, -1)
    grid = grids[here]
    item, timer, cost = nodes[here].hand, nodes[here].timer, nodes[here].cost
    reached = flood(mind, size, grid, nodes[here].pos, nodes[here].face, item, walk, queue)
    done = np.zeros(size * size * 8, np.bool_)  # acts on a cell by direction and verb, nearest first
    dropped, last = 0, count
    for i in range(reached):
        state = queue[i]
        cell, steps = state // 4, walk[0, state] + 1
        for verb in range(5):
            d = verb if verb < USE else state % 4
            target = cell + deltas[d]
            act = state * 8 + verb
            code = grid[target]
            once = (target * 4 + (d if code != mind.floor else 0)) * 2 + (verb == USE)
            if done[once] or last > budget:
                continue
            if code == NOTHING:
                _end(ends, UNSEEN, cost + steps, here, act)
                continue
            if code == mind.wall or (verb == USE and code == mind.pad) or (verb < USE and code == mind.floor):
                continue
            if verb == USE and (item == NOTHING or (code == mind.floor and (dropped >= PLACES or nodes[here].fresh))):
                continue
            table = USE_TABLE if verb == USE else BUMP_TABLE
            beyond = target + deltas[d]
            if not mind.acted[table, code, item]:
                done[once] = True
                _end(ends, UNTRIED, cost + steps + DREAD * (verb < USE and mind.deadly[code]), here, act)
                continue
            entry = mind.act[table, code, item]
            changed, made, enters = target, entry[NEXT], entry[ENTER]
            if entry[PUSH]:
                if grid[beyond] == NOTHING:
                    _end(ends, UNSEEN, cost + steps, here, act)
                    continue
                if not mind.pushed[code, grid[beyond]]:
                    done[once] = True
                    _end(ends, UNTRIED, cost + steps, here, act)
                    continue
                entry = mind.push[code, grid[beyond]]
                if not entry[PUSH]:
                    continue
                changed, made, enters = beyond, entry[NEXT], 1
            if entry[DONE]:
                done[once] = True
                if entry[REWARD]:
                    _end(ends, GOAL, cost + steps, here, act)
                continue
            carried = item if changed != target else entry[ITEM]
            if made == grid[changed] and carried == item:
                continue
            if changed != target and grid[beyond] == mind.floor:
                if not (_promising(mind, grid, code) if explore else mind.wanted[code]):
                    continue
            elif not explore and code != mind.floor and not serves(mind, entry, grid[changed], item, 255):
                continue
            done[once] = True
            dropped += code == mind.floor
            child = grids[last]
            child[:] = grid
            if changed != target:
                child[target] = mind.floor
            child[changed] = made
            left, timed = _pass_time(mind, child, timer, nodes[here].timed, steps)
            if mind.after[made, 1] > 0:
                left, timed = np.int32(mind.after[made, 1]), np.int32(changed)
            fresh = carried != NOTHING and (carried != item or (nodes[here].fresh and verb < USE))
            _put(nodes[last], target if enters else cell, d, carried, fresh, left, timed, cost + steps, here, act)
            last += 1
    if timer > 0 and last <= budget:
        child = grids[last]
        child[:] = grid
        _pass_time(mind, child, timer, nodes[here].timed, timer)
        _put(nodes[last], nodes[here].pos, nodes[here].face, item, nodes[here].fresh, 0, 0, cost + timer, here, -2)
        last += 1
    return last


@njit(cache=True)
def _pass_time(mind, grid, timer, timed, steps):  # type: ignore[no-untyped-def]
    """Let a thing change by itself where its time has come; returns the time and the cell that are left."""
    if timer == 0:
        return np.int32(0), np.int32(0)
    if steps < timer:
        return np.int32(timer - steps), np.int32(timed)
    if mind.after[grid[timed], 1] > 0:
        grid[timed] = mind.after[grid[timed], 0]
    return np.int32(0), np.int32(0)


@njit(cache=True)
def _end(ends, kind, cost, node, act):  # type: ignore[no-untyped-def]
    if cost < ends[kind, 0]:
        ends[kind, 0], ends[kind, 1], ends[kind, 2] = cost, node, act


@njit(cache=True)
def _trace(mind, size, grids, nodes, node, act, walk, queue, plan):  # type: ignore[no-untyped-def]
    """Write the first leg of the way that ends with ``act`` at ``node``; returns its length and aim."""
    while nodes[node].parent >= 0:
        act = nodes[node].act
        node = nodes[node].parent
    if act == -2:
        plan[0] = WAIT
        return 1, nodes[node].timed
    flood(mind, size, grids[node], nodes[node].pos, nodes[node].face, nodes[node].hand, walk, queue)
    state = act // 8
    length = walk[0, state] + 1
    plan[length - 1] = act % 8
    for i in range(length - 2, -1, -1):
        plan[i] = walk[2, state]
        state = walk[1, state]
    heading = plan[length - 1] if plan[length - 1] < USE else (act // 8) % 4
    return length, act // 32 + (-size, 1, size, -1)[heading]
