"""Imagined scenes on maps: the map, the pose, and the few cells that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from cortex.modules.context import front_of, has_passed, signature
from cortex.modules.hippocampus.events import FEATURES
from cortex.modules.hippocampus.worlds import LEAPT
from cortex.modules.planner import Expansion
from cortex.types import UNSEEN, Array, Place, Vocabulary

if TYPE_CHECKING:
    from cortex.imagination import Imagination

CHANGES = 8
"""Most cells of the map that one imagined line may change."""
OPAQUE = 0.5
"""Novelty from which nothing is imagined beyond a step."""
LIKELY = 0.5
"""Chance from which a reward or an end is counted on."""
SATED = 0.3
"""Share of its curiosity that is left to one who knows something in this world that pays."""
SNAP = 0.5
"""Distance within which a foretold token is taken for the nearest known one."""
NAMES = np.random.default_rng(11).integers(1, 2**62, 9, dtype=np.int64) | 1
"""Multipliers that make one number of several."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Imagined scenes on maps; M nodes."""

    root: Array  # [M] the body whose map it is
    pose: Array  # [M, 3]
    carried: Array  # [M]
    cell: Array  # [M, CHANGES] flat index of a changed cell, -1 for none
    code: Array  # [M, CHANGES] what is there now


@dataclass(frozen=True, slots=True)
class Followed:
    """What each action at each node led to; only what is picked becomes a scene."""

    nodes: tuple[Array, ...]  # the columns of `Mapped` before
    told: tuple[Array, Array, Array]  # [M * A] how it moved, [M * A, 3] codes reached, carried and behind before, after


@dataclass(frozen=True, slots=True)
class Learned:
    """What the learned model foretells of some rows."""

    rows: Array  # [n] which
    moved: Array  # [n] bool
    front: Array  # [n] code after
    carried: Array  # [n] code after
    reward: Array  # [n]
    end: Array  # [n]
    uncertainty: Array  # [n]


FRONT = FEATURES.index("front")
FOCUS = 3
"""Tokens of the map that the world model reads: in front, carried, under."""


def focus_tokens(codebook: Vocabulary, codes: Array, words: Array) -> Array:
    """What the world model reads: tokens of ``codes`` [n, 3] (front, carried, under) and of ``words`` [n, W, E]."""
    return np.concatenate([codebook.decode(codes), words], axis=1)


class MappedModel:
    """Imagined scenes on the maps of ``place`` [B]."""

    def __init__(self, parts: Imagination, place: Place, words: Array, situation: Array) -> None:
        self.parts, self.place, self.situation = parts, place, situation
        self.motions = parts.motions(situation[0])
        self.world = parts.hippocampus.world(int(situation[0]))
        self.size = place.cells.shape[1]
        cells = np.array(place.cells)
        here = np.arange(len(cells)), *(place.pose[:, :2] % self.size).T
        cells[here] = np.where(cells[here] == UNSEEN, self.world.footing, cells[here])  # hidden by the agent itself
        self.cells = cells.reshape(len(cells), -1)
        self.counts = tally(self.cells, parts.codebook.size)
        self.worth = self.world.events.worth
        # One who knows what pays has less to find out.
        self.keen = SATED if self.worth > 0 else 1.0
        self.top = max(self.worth, self.keen * (parts.novelty * OPAQUE + parts.event) + parts.frontier)
        self.words = words
        self.known = parts.foretold if parts.trust > 0 and parts.world_model.nights else None
        self.hope = self.world.events.hope(self.motions.verb)
        told = self.motions.go, self.motions.turn, self.motions.reach, self.motions.facing, self.motions.turns
        self.body = tuple(map(np.ascontiguousarray, told))
        self.about = np.column_stack([place.mission, situation]).astype(np.int64)

    def roots(self) -> Mapped:
        """One node a body: the present."""
        bodies = len(self.place.pose)
        none = np.full((bodies, CHANGES), -1, np.int64)
        return Mapped(np.arange(bodies), self.place.pose, self.place.carried.astype(np.int64), none, none)

    def pick(self, children: Followed, rows: Array) -> Mapped:
        return Mapped(*_pick(self.cells, self.size, self.body, children.nodes, children.told, rows))

    def place_at(self, nodes: Mapped) -> Place:
        """The maps that imagined nodes stand for, one each."""
        cells = self.cells[nodes.root]
        row, slot = np.nonzero(nodes.cell >= 0)
        cells[row, nodes.cell[row, slot]] = nodes.code[row, slot]
        shape = (len(cells), self.size, self.size)
        carried = nodes.carried.astype(self.place.carried.dtype)
        ahead = front_of(nodes.pose, self.motions, self.size)
        mission, passed = self.place.mission[nodes.root], self.place.passed[nodes.root]
        return Place(cells.reshape(shape), nodes.pose, ahead, carried, mission, passed)

    def expand(self, nodes: Mapped) -> Expansion:
        parts, count, actions = self.parts, len(nodes.root), self.parts.actions
        action, verb = np.tile(np.arange(actions), count), np.tile(self.motions.verb, count)
        scene = nodes.root, nodes.pose, nodes.carried, nodes.cell, nodes.code
        met, under, reaches, turns = _meet(self.cells, self.size, self.body, scene)

        went, after, novelty = self.world.interactions.predict(verb, met)
        learned = self._learned(nodes.root.repeat(actions), action, met, under, novelty > 0)
        if learned is not None:
            rows = learned.rows
            went[rows], after[rows, 0], after[rows, 1] = learned.moved, learned.front, learned.carried
            novelty[rows] = learned.uncertainty
        went[turns | ~reaches], novelty[turns], after[turns] = 0, 0, met[turns]
        lost = (met[:, 0] == UNSEEN) & reaches  # what an unseen cell does cannot be imagined

        told = went, met, after
        maps = self.cells, self.counts, self.place.passed
        event, ahead, sign, key, full, passed = _follow(maps, self.size, self.body, scene, verb, self.about, told)
        chance, end, untried = self.world.events.predict(event)
        _go_on(passed, chance, end)
        chance[event[:, FRONT] == UNSEEN] = 0  # what is not seen yet promises to be seen, no more
        worth = np.full(len(action), self.worth)
        if learned is not None:
            rows = np.flatnonzero(untried[learned.rows])
            at_rows = learned.rows[rows]
            chance[at_rows], worth[at_rows] = learned.reward[rows] >= LIKELY, learned.reward[rows]
            end[at_rows], untried[at_rows] = learned.end[rows], False
        stops = lost | full | (novelty >= OPAQUE)
        curious = parts.novelty * self.keen, parts.event * self.keen * self.hope, parts.frontier
        reward, ended, bonus = _weigh(chance, worth, end, novelty, untried, lost, stops, ahead, curious)

        shape = (count, actions)
        return Expansion(
            Followed(scene, told), key.reshape(shape), reward.reshape(shape), ended.reshape(shape),
            novelty.reshape(shape), bonus.reshape(shape), np.zeros(shape), sign.reshape(shape),
        )  # fmt: skip

    def _learned(self, root: Array, action: Array, met: Array, under: Array, unknown: Array) -> Learned | None:
        """What the cortex foretells at the rows that memory does not know, where its members agree."""
        rows = np.flatnonzero(unknown & (met[:, 0] != UNSEEN)) if self.known is not None else np.zeros(0, np.int64)
        if self.known is None or not len(rows):
            return None
        root = root[rows]
        asked = np.column_stack([action[rows], met[rows, :2], under[rows], self.place.mission[root]])

        def ask(new: Array) -> Array:
            focus = focus_tokens(self.parts.codebook, asked[new, 1:4], self.words[root[new]])
            told = self.parts.world_model(focus, asked[new, 0])
            after, distance = self.parts.codebook.nearest(told.focus[:, :2].reshape(-1, focus.shape[-1]))
            sure = (told.uncertainty <= self.parts.trust) & (distance.reshape(-1, 2).max(axis=1) <= SNAP)
            return np.column_stack([told.moved, after.reshape(-1, 2), told.reward, told.end, told.uncertainty, sure])

        told = self.known(asked @ NAMES[4:], ask)
        sure = told[:, 6] > 0
        walks, front_after, carried_after, reward, end, doubt, _ = told[sure].T
        after = front_after.astype(np.int32), carried_after.astype(np.int32)
        return Learned(rows[sure], walks >= 0.5, *after, reward, end, doubt)


# What follows is asked some thousand times a decision: plain loops over numbers, since each view of a row costs more
# than what is done with it.


@njit(cache=True)
def _meet(
    cells: Array, size: int, body: tuple[Array, ...], nodes: tuple[Array, ...]
) -> tuple[Array, Array, Array, Array]:
    """Each action at each node: codes reached, carried and behind [M * A, 3], code under the agent; whether it reaches
    a cell, whether it only turns."""
    (_, _, reach, _, turns), (root, pose, carried, cell, code) = body, nodes
    actions = reach.shape[1]
    met, under = np.zeros((len(root) * actions, 3), np.int64), np.zeros(len(root) * actions, np.int64)
    reaches, still = np.zeros(len(met), np.bool_), np.zeros(len(met), np.bool_)
    for node in range(len(root)):
        known, changed, now = cells[root[node]], cell[node], code[node]
        here, heading = (pose[node, 0], pose[node, 1]), pose[node, 2]
        ground = look(known, changed, now, _flat(*here, size))
        for action in range(actions):
            row, down, right = node * actions + action, reach[heading, action, 0], reach[heading, action, 1]
            under[row], met[row, 1], still[row] = ground, carried[node], turns[heading, action]
            reaches[row] = down != 0 or right != 0
            if reaches[row]:
                met[row, 0] = look(known, changed, now, _flat(here[0] + down, here[1] + right, size))
                met[row, 2] = look(known, changed, now, _flat(here[0] + 2 * down, here[1] + 2 * right, size))
    return met, under, reaches, still


@njit(cache=True)
def _follow(
    maps: tuple[Array, Array, Array],
    size: int,
    body: tuple[Array, ...],
    nodes: tuple[Array, ...],
    verb: Array,
    about: Array,
    told: tuple[Array, Array, Array],
) -> tuple[Array, ...]:
    """What follows when each action at each node moves the agent and makes other codes of those it met, as `Followed`
    has it: events, codes in front, signs, keys, whether too much changed, whether that has come to no end before."""
    cells, counts, passed = maps
    (_, _, reach, facing, _), (root, pose, carried, cell, code), (went, met, after) = body, nodes, told
    actions = reach.shape[1]
    events, front, sign = np.zeros((len(met), 9), np.int64), np.zeros(len(met), np.int64), np.zeros(len(met), np.int64)
    key, full, been = np.zeros(len(met), np.int64), np.zeros(len(met), np.bool_), np.zeros(len(met), np.bool_)
    to, changed, now = np.zeros(3, np.int64), np.zeros(CHANGES, np.int64), np.zeros(CHANGES, np.int64)
    for node in range(len(root)):
        known, before = cells[root[node]], (pose[node], cell[node], code[node])
        for action in range(actions):
            row, heading = node * actions + action, pose[node, 2]
            full[row] = _become(known, size, body, before, action, (went, met, after), row, (to, changed, now))
            front[row] = look(known, changed, now, _flat(to[0] + facing[to[2], 0], to[1] + facing[to[2], 1], size))
            acts = reach[heading, action, 0] != 0 or reach[heading, action, 1] != 0
            events[row, 0], events[row, 1] = verb[row], went[row] > 0
            events[row, 2] = look(known, changed, now, _flat(to[0], to[1], size))
            events[row, 3] = after[row, 0] if acts and not went[row] else front[row]
            events[row, 4], events[row, 7] = after[row, 1], carried[node]
            events[row, 5], events[row, 6] = about[root[node], 0], about[root[node], 1]
            events[row, 8] = twin(known, counts[root[node]], changed, now, events[row, 3])
            sign[row] = signature(to[0] % size, to[1] % size, to[2], after[row, 1], front[row])
            been[row] = has_passed(passed[root[node]], sign[row], action)
            key[row] = sign[row] * NAMES[3]
            for slot in range(CHANGES):
                if changed[slot] >= 0:
                    key[row] += ((changed[slot] * NAMES[0]) ^ (now[slot] * NAMES[1])) * NAMES[2]
    return events, front, sign, key, full, been


@njit(cache=True)
def _go_on(passed: Array, chance: Array, end: Array) -> None:
    """What has come to no end in this episode will not now: take back its ``end`` [M * A], and the ``chance`` [M * A]
    of the pay that comes with an end."""
    for row in range(len(passed)):
        if passed[row]:
            chance[row] = max(chance[row] - end[row], 0.0)
            end[row] = 0.0


@njit(cache=True)
def _pick(
    cells: Array,
    size: int,
    body: tuple[Array, ...],
    nodes: tuple[Array, ...],
    told: tuple[Array, Array, Array],
    rows: Array,
) -> tuple[Array, ...]:
    """The scenes, as in `Mapped`, at ``rows`` [n] of what `_follow` was told."""
    (root, pose, _, cell, code), actions = nodes, body[0].shape[1]
    new_root, new_pose, carried = np.empty(len(rows), np.int64), np.empty((len(rows), 3), np.int64), told[2][rows, 1]
    new_cell, new_code = np.empty((len(rows), CHANGES), np.int64), np.empty((len(rows), CHANGES), np.int64)
    for i, row in enumerate(rows):
        node, scene = row // actions, (new_pose[i], new_cell[i], new_code[i])
        new_root[i] = root[node]
        _become(cells[root[node]], size, body, (pose[node], cell[node], code[node]), row % actions, told, row, scene)
    return new_root, new_pose, carried, new_cell, new_code


@njit(cache=True)
def _become(
    known: Array,
    size: int,
    body: tuple[Array, ...],
    before: tuple[Array, Array, Array],
    action: int,
    told: tuple[Array, Array, Array],
    row: int,
    scene: tuple[Array, Array, Array],
) -> bool:
    """Write into ``scene`` the pose and the changed cells that follow from those ``before``; True where too much
    changed."""
    (go, turn, reach, _, _), (pose, cell, code), (went, met, after), (to, changed, now) = body, before, told, scene
    for slot in range(CHANGES):
        changed[slot], now[slot] = cell[slot], code[slot]
    down, right = reach[pose[2], action, 0], reach[pose[2], action, 1]
    place = _flat(pose[0] + down, pose[1] + right, size)
    to[0], to[1], to[2] = pose[0], pose[1], turn[pose[2], action]
    if went[row] == LEAPT:
        there = _like(known, place, met[row, 0])
        to[0], to[1] = there // size, there % size
    elif went[row]:
        to[0], to[1] = pose[0] + go[pose[2], action, 0], pose[1] + go[pose[2], action, 1]
    full = change(known, changed, now, place, met[row, 0], after[row, 0])
    behind = _flat(pose[0] + 2 * down, pose[1] + 2 * right, size)
    return change(known, changed, now, behind, met[row, 2], after[row, 2]) or full


@njit(cache=True)
def _weigh(
    chance: Array,
    worth: Array,
    end: Array,
    novelty: Array,
    untried: Array,
    lost: Array,
    stops: Array,
    ahead: Array,
    curious: tuple[float, Array, float],
) -> tuple[Array, Array, Array]:
    """Reward that is counted on [M * A], whether the line stops [M * A], and worth of finding out [M * A]; ``curious``:
    about what things do, by action about what pays, about what was never seen."""
    things, events, frontier = curious
    reward, ended, bonus = np.zeros(len(chance)), np.empty(len(chance)), np.zeros(len(chance))
    for row in range(len(chance)):
        hope = events[row % len(events)]
        ended[row] = 1.0 if stops[row] or end[row] >= LIKELY else 0.0
        if chance[row] >= LIKELY:
            reward[row] = chance[row] * worth[row]
        elif hope > 0:
            bonus[row] = chance[row] * worth[row]
        if lost[row]:
            bonus[row] = 0
            continue
        bonus[row] += things * novelty[row] + frontier * (ahead[row] == UNSEEN)
        if untried[row]:
            bonus[row] += hope * (1 - end[row] * (1 - chance[row]))
    return reward, ended, bonus


@njit(cache=True)
def _flat(row: int, column: int, size: int) -> int:
    """The flat index of a place on a map that wraps around."""
    return (row % size) * size + column % size


@njit(cache=True)
def look(known: Array, cell: Array, code: Array, at: int) -> int:
    """The code at ``at`` of the map ``known`` [S * S] on which ``cell`` [CHANGES] show ``code`` [CHANGES] now."""
    for slot in range(CHANGES):
        if cell[slot] == at:
            return int(code[slot])
    return int(known[at])


@njit(cache=True)
def tally(cells: Array, codes: int) -> Array:
    """At how many places of the maps ``cells`` [B, S * S] each code is seen [B, codes]."""
    counts = np.zeros((len(cells), codes), np.int64)
    for body in range(len(cells)):
        for code in cells[body]:
            counts[body, code] += 1
    return counts


@njit(cache=True)
def twin(known: Array, counts: Array, cell: Array, code: Array, of: int) -> bool:
    """Whether ``of`` is seen at more than one place of the map, as it is after the changes."""
    if of == UNSEEN:
        return False
    count = counts[of] if of < len(counts) else 0
    for slot in range(CHANGES):
        if cell[slot] >= 0:
            count += int(code[slot] == of) - int(known[cell[slot]] == of)
    return bool(count > 1)


@njit(cache=True)
def change(known: Array, cell: Array, code: Array, at: int, before: int, after: int) -> bool:
    """Note in ``cell`` and ``code`` that ``at`` shows ``after`` now; True where that is one change too many."""
    if before == after:
        return False
    used = slot = 0
    while used < CHANGES and cell[used] >= 0:
        used += 1
    while slot < used and cell[slot] != at:
        slot += 1
    if slot == CHANGES:
        return True
    cell[slot], code[slot] = at, after
    if known[at] == after:  # as the map says, so no change: equal scenes must have equal keys
        last = max(used, slot + 1) - 1
        cell[slot], code[slot] = cell[last], code[last]
        cell[last], code[last] = -1, -1
    return False


@njit(cache=True)
def _like(known: Array, at: int, code: int) -> int:
    """Another place than ``at`` of the map ``known`` [S * S] that shows ``code``; ``at`` where none does."""
    for there in range(len(known)):
        if known[there] == code and there != at:
            return there
    return at
