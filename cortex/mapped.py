"""Imagined scenes on maps: the map, the pose, and the few cells that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from cortex.modules.context import front_of
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
LEAPT = 2
"""How it moves: to another place like the one reached."""
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
class Learned:
    """What the learned model foretells of some rows."""

    rows: Array  # [n] which
    moved: Array  # [n] bool
    front: Array  # [n] code after
    carried: Array  # [n] code after
    reward: Array  # [n]
    end: Array  # [n]
    uncertainty: Array  # [n]


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

    def pick(self, children: Mapped, rows: Array) -> Mapped:
        return Mapped(
            children.root[rows], children.pose[rows], children.carried[rows], children.cell[rows], children.code[rows]
        )

    def place_at(self, nodes: Mapped) -> Place:
        """The maps that imagined nodes stand for, one each."""
        cells = self.cells[nodes.root]
        row, slot = np.nonzero(nodes.cell >= 0)
        cells[row, nodes.cell[row, slot]] = nodes.code[row, slot]
        shape = (len(cells), self.size, self.size)
        carried = nodes.carried.astype(self.place.carried.dtype)
        ahead = front_of(nodes.pose, self.motions, self.size)
        return Place(cells.reshape(shape), nodes.pose, ahead, carried, self.place.mission[nodes.root])

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

        told = _follow(self.cells, self.size, self.body, scene, verb, self.about, went, met, after)
        event, ahead, sign, key, full = told[:5]
        chance, end, untried = self.world.events.predict(event)
        worth = np.full(len(action), self.worth)
        if learned is not None:
            rows = np.flatnonzero(untried[learned.rows])
            at_rows = learned.rows[rows]
            chance[at_rows], worth[at_rows] = learned.reward[rows] >= LIKELY, learned.reward[rows]
            end[at_rows], untried[at_rows] = learned.end[rows], False
        likely, stops = chance >= LIKELY, lost | full | (novelty >= OPAQUE) | (end >= LIKELY)
        hoped = chance * worth
        reward = np.where(likely, hoped, 0.0)
        ended = stops.astype(float)
        bonus = parts.novelty * novelty + parts.event * untried * self.hope[action] * (1 - end * (1 - chance))
        bonus *= self.keen
        if parts.event > 0:
            bonus += np.where(likely, 0.0, hoped)
        bonus = np.where(lost, 0.0, bonus + parts.frontier * (ahead == UNSEEN))

        shape = (count, actions)
        return Expansion(
            Mapped(*told[5:]), key.reshape(shape), reward.reshape(shape), ended.reshape(shape), novelty.reshape(shape),
            bonus.reshape(shape), np.zeros(shape), sign.reshape(shape),
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


@njit(cache=True)
def signature(row: Any, column: Any, heading: Any, carried: Any, front: Any) -> Any:
    """What is seen of a mapped scene at once, as one number: where the agent is, what it holds, what it faces."""
    return (((row * 64 + column) * 4 + heading) << 42) + (carried << 21) + front


@njit(cache=True)
def _meet(
    cells: Array, size: int, body: tuple[Array, ...], nodes: tuple[Array, ...]
) -> tuple[Array, Array, Array, Array]:
    """Each action at each node: codes reached, carried and behind [M * A, 3], code under the agent; whether it reaches
    a cell, whether it only turns."""
    (_, _, reach, _, turns), (root, pose, carried, cell, code) = body, nodes
    actions = len(reach[0])
    met, under = np.zeros((len(root) * actions, 3), np.int64), np.zeros(len(root) * actions, np.int64)
    reaches, still = np.zeros(len(met), np.bool_), np.zeros(len(met), np.bool_)
    for row in range(len(met)):
        node, action = row // actions, row % actions
        known, at, step = cells[root[node]], pose[node], reach[pose[node, 2], action]
        under[row] = look(known, cell[node], code[node], _flat(at[0], at[1], size))
        met[row, 1], still[row] = carried[node], turns[at[2], action]
        reaches[row] = step.any()
        if reaches[row]:
            for far in (1, 2):
                there = _flat(at[0] + far * step[0], at[1] + far * step[1], size)
                met[row, 2 * far - 2] = look(known, cell[node], code[node], there)
    return met, under, reaches, still


@njit(cache=True)
def _follow(
    cells: Array,
    size: int,
    body: tuple[Array, ...],
    nodes: tuple[Array, ...],
    verb: Array,
    about: Array,
    went: Array,
    met: Array,
    after: Array,
) -> tuple[Array, ...]:
    """What follows when each action at each node moves the agent as ``went`` says and makes ``after`` of ``met``.

    Events, codes in front, signs, keys, whether too much changed; then the scenes as in `Mapped`.
    """
    (go, turn, reach, facing, _), (root, pose, carried, cell, code) = body, nodes
    actions, rows = len(reach[0]), len(met)
    events, front, sign = np.zeros((rows, 8), np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    key, full = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    new_root, new_pose, new_carried = np.zeros(rows, np.int64), np.zeros((rows, 3), np.int64), after[:, 1].copy()
    new_cell, new_code = np.zeros((rows, CHANGES), np.int64), np.zeros((rows, CHANGES), np.int64)
    for row in range(rows):
        node, action = row // actions, row % actions
        known, heading, step = cells[root[node]], pose[node, 2], reach[pose[node, 2], action]
        place, to = _flat(pose[node, 0] + step[0], pose[node, 1] + step[1], size), new_pose[row]
        new_root[row], to[:], new_cell[row], new_code[row] = root[node], pose[node], cell[node], code[node]
        if went[row] == LEAPT:
            there = _like(known, place, met[row, 0])
            to[0], to[1] = there // size, there % size
        elif went[row]:
            to[0], to[1] = to[0] + go[heading, action, 0], to[1] + go[heading, action, 1]
        to[2] = turn[heading, action]

        full[row] = change(known, new_cell[row], new_code[row], place, met[row, 0], after[row, 0])
        behind = _flat(pose[node, 0] + 2 * step[0], pose[node, 1] + 2 * step[1], size)
        full[row] |= change(known, new_cell[row], new_code[row], behind, met[row, 2], after[row, 2])

        here, ahead = _flat(to[0], to[1], size), _flat(to[0] + facing[to[2], 0], to[1] + facing[to[2], 1], size)
        front[row] = look(known, new_cell[row], new_code[row], ahead)
        under = look(known, new_cell[row], new_code[row], here)
        reached = after[row, 0] if step.any() and not went[row] else front[row]
        events[row, 0], events[row, 1], events[row, 2], events[row, 3] = verb[row], went[row] > 0, under, reached
        events[row, 4], events[row, 5:7], events[row, 7] = after[row, 1], about[root[node]], carried[node]
        sign[row] = signature(to[0] % size, to[1] % size, to[2], after[row, 1], front[row])
        key[row] = sign[row] * NAMES[3]
        for slot in range(CHANGES):
            if new_cell[row, slot] >= 0:
                key[row] += ((new_cell[row, slot] * NAMES[0]) ^ (new_code[row, slot] * NAMES[1])) * NAMES[2]
    return events, front, sign, key, full, new_root, new_pose, new_carried, new_cell, new_code


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


def seen(place: Place) -> Array:
    """The signature [B] of the present, to be held against a plan's expectation."""
    size, ahead = place.cells.shape[1], place.ahead
    front = place.cells[np.arange(len(ahead)), ahead[:, 0], ahead[:, 1]]
    row, column, heading = (place.pose % np.array([size, size, 4])).T
    return np.asarray(signature.py_func(row, column, heading, place.carried.astype(np.int64), front.astype(np.int64)))
