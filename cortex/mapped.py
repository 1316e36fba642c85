"""Imagined scenes on maps: the map, the pose, and the few cells that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from cortex.modules.context import front_of, has_passed, signature
from cortex.modules.hippocampus.events import FEATURES
from cortex.modules.hippocampus.worlds import LEAPT
from cortex.modules.planner import Expansion
from cortex.sketch import CHANGES, change, flat, like, look, ripening, tally, twin, wrap
from cortex.types import UNSEEN, Array, Place, Vocabulary, take

if TYPE_CHECKING:
    from cortex.imagination import Imagination

OPAQUE = 0.5
"""Novelty from which nothing is imagined beyond a step."""
LIKELY = 0.5
"""Chance from which a reward or an end is counted on."""
FATAL = 0.9
"""Chance of an end from which nothing is imagined beyond it."""
SURE = 0.1
"""Novelty below which one relies on what is foretold."""
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
        # The agent itself hides the ground: it may be walked on, but what was done there was learned without seeing it.
        hidden = cells[here] == UNSEEN
        cells[here] = np.where(hidden, self.world.footing, cells[here])
        self.cells, self.hidden = cells.reshape(len(cells), -1), np.where(hidden, here[1] * self.size + here[2], -1)
        self.counts = tally(self.cells, parts.codebook.size)
        becomes, steps = self.world.ripening.told(self.world.footing, parts.codebook.size)
        # What has to be waited for is worth less.
        late, due = np.ones(len(steps)), np.flatnonzero(steps)
        late[due] = parts.hippocampus.discount ** np.maximum(steps[due] - 1.0, 0.0)
        self.ripe = becomes, late, ripening(self.cells, becomes)
        self.worth = self.world.events.worth
        # One who knows what pays has less to find out.
        self.keen = SATED if self.worth > 0 else 1.0
        self.top = max(self.worth, self.keen * (parts.novelty * OPAQUE + parts.event) + parts.frontier)
        self.words = words
        self.reading = self.world.naming.read(place.mission, words, self.world.events)
        self.known = parts.foretold if parts.trust > 0 and parts.world_model.nights else None
        self.hope = self.world.events.hope(self.motions.verb)
        self.tried = self.world.events.tried(self.motions.verb)
        told = self.motions.go, self.motions.turn, self.motions.reach, self.motions.facing, self.motions.turns
        self.body = tuple(map(np.ascontiguousarray, told))
        self.verb = np.asarray(self.motions.verb, np.int64)
        self.curious = parts.novelty * self.keen, parts.event * self.keen * self.hope, parts.frontier
        self.deed = np.zeros(1 + int(self.verb.max()), np.int64)
        self.deed[self.verb] = np.arange(len(self.verb))
        self.about = np.column_stack([place.mission, situation]).astype(np.int64)

    def roots(self) -> Mapped:
        """One node a body: the present."""
        bodies = len(self.place.pose)
        none = np.full((bodies, CHANGES), -1, np.int64)
        return Mapped(np.arange(bodies), self.place.pose, self.place.carried.astype(np.int64), none, none)

    def pick(self, children: Mapped, rows: Array) -> Mapped:
        return take(children, rows)

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
        parts, shape = self.parts, (len(nodes.root), self.parts.actions)
        scene = nodes.root, nodes.pose, nodes.carried, nodes.cell, nodes.code
        verb, met, under = _meet(self.cells, self.hidden, self.size, self.body, scene, self.verb)

        went, after, novelty = self.world.interactions.predict(verb, met)
        learned = self._learned(nodes.root, met, under, novelty > 0)
        if learned is not None:
            rows = learned.rows
            went[rows], after[rows, 0], after[rows, 1] = learned.moved, learned.front, learned.carried
            novelty[rows] = learned.uncertainty

        told = went, met, after
        maps = self.cells, self.counts, self.place.passed, self.hidden
        event, front, sign, key, lost, stops, passed, late, scenes = _follow(
            maps, self.size, self.body, scene, verb, self.about, told, novelty, self.ripe
        )
        asked = event if self.reading is None else self.reading(event, np.repeat(nodes.root, parts.actions))
        chance, end, untried = self.world.events.predict(asked)
        _go_on(passed, chance, end)
        chance[event[:, FRONT] == UNSEEN] = 0  # what is not seen yet promises to be seen, no more
        worth = np.full(len(verb), self.worth)
        if learned is not None:
            # Where memory saw what such actions came to, its rules foretell better what they pay than a guess.
            rows = np.flatnonzero(untried[learned.rows] & ~self.tried[learned.rows % parts.actions])
            at_rows = learned.rows[rows]
            chance[at_rows], worth[at_rows] = learned.reward[rows] >= LIKELY, learned.reward[rows]
            end[at_rows], untried[at_rows] = learned.end[rows], False
        reward, ended, bonus = _weigh(chance, worth, end, novelty, untried, lost, stops, front, event, self.curious)
        ended = 1 - (1 - ended) * late
        return Expansion(
            Mapped(*scenes), key.reshape(shape), reward.reshape(shape), ended.reshape(shape),
            novelty.reshape(shape), bonus.reshape(shape), np.zeros(shape), sign.reshape(shape),
        )  # fmt: skip

    def _learned(self, root: Array, met: Array, under: Array, unknown: Array) -> Learned | None:
        """What the cortex foretells at the rows that memory does not know, where its members agree."""
        rows = np.flatnonzero(unknown & (met[:, 0] != UNSEEN)) if self.known is not None else np.zeros(0, np.int64)
        if self.known is None or not len(rows):
            return None
        root, action = root[rows // self.parts.actions], rows % self.parts.actions
        asked = np.column_stack([action, met[rows, :2], under[rows], self.place.mission[root]])

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
    cells: Array, hidden: Array, size: int, body: tuple[Array, ...], nodes: tuple[Array, ...], verb: Array
) -> tuple[Array, Array, Array]:
    """Each action at each node: its verb [M * A], codes reached, carried and behind [M * A, 3], code under the
    agent."""
    (_, _, reach, _, _), (root, pose, carried, cell, code) = body, nodes
    actions = reach.shape[1]
    rows = len(root) * actions
    verbs, met, under = np.empty(rows, np.int64), np.zeros((rows, 3), np.int64), np.empty(rows, np.int64)
    for node in range(len(root)):
        known, changed, now = cells[root[node]], cell[node], code[node]
        row, column, heading = pose[node, 0], pose[node, 1], pose[node, 2]
        ground = _under(known, hidden[root[node]], changed, now, flat(row, column, size))
        for action in range(actions):
            at, down, right = node * actions + action, reach[heading, action, 0], reach[heading, action, 1]
            verbs[at], under[at], met[at, 1] = verb[action], ground, carried[node]
            if down != 0 or right != 0:
                met[at, 0] = look(known, changed, now, flat(row + down, column + right, size))
                met[at, 2] = look(known, changed, now, flat(row + 2 * down, column + 2 * right, size))
    return verbs, met, under


@njit(cache=True)
def _follow(
    maps: tuple[Array, ...],
    size: int,
    body: tuple[Array, ...],
    nodes: tuple[Array, ...],
    verb: Array,
    about: Array,
    told: tuple[Array, Array, Array],
    novelty: Array,
    ripe: tuple[Array, Array, Array],
) -> tuple[Any, ...]:
    """What follows when each action at each node moves the agent and makes other codes of those it met: events, codes
    in front, signs, keys, whether it reaches what was never seen, whether the line stops, whether that has come to no
    end before, what is left of its worth by the time, and the columns of `Mapped`. Where nothing comes of an action,
    time passes: what is on its way to become something else has become it.

    ``told``: how it moved [M * A], codes reached, carried and behind before and after [M * A, 3]; put right, as is how
    novel it is, where the action reaches nothing or only turns the agent."""
    cells, counts, passed, hidden = maps
    (go, turn, reach, facing, turns), (root, pose, carried, cell, code), (went, met, after) = body, nodes, told
    actions, rows = reach.shape[1], len(met)
    events, front, sign = np.empty((rows, 9), np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
    key, lost, stops = np.empty(rows, np.int64), np.empty(rows, np.bool_), np.empty(rows, np.bool_)
    been, late = np.empty(rows, np.bool_), np.ones(rows)
    roots, poses, carries = np.empty(rows, np.int64), np.empty((rows, 3), np.int64), np.empty(rows, np.int64)
    new_cell, new_code = np.full((rows, CHANGES), -1), np.full((rows, CHANGES), -1)
    for node in range(len(root)):
        known, mission, situation = cells[root[node]], about[root[node], 0], about[root[node], 1]
        top, left, heading = pose[node, 0], pose[node, 1], pose[node, 2]
        for action in range(actions):
            row, down, right = node * actions + action, reach[heading, action, 0], reach[heading, action, 1]
            changed, now, acts = new_cell[row], new_code[row], down != 0 or right != 0
            for slot in range(CHANGES):
                if cell[node, slot] < 0:
                    break
                changed[slot], now[slot] = cell[node, slot], code[node, slot]
            if not acts:
                went[row] = 0
            if turns[heading, action]:
                went[row], novelty[row] = 0, 0
                after[row, 0], after[row, 1], after[row, 2] = met[row, 0], met[row, 1], met[row, 2]
            place = flat(top + down, left + right, size)
            there, where, to = top, left, turn[heading, action]
            if went[row] == LEAPT:
                spot = like(known, place, met[row, 0])
                there, where = spot // size, spot % size
            elif went[row]:
                there, where = top + go[heading, action, 0], left + go[heading, action, 1]
            full = change(known, changed, now, place, met[row, 0], after[row, 0])
            if met[row, 2] != after[row, 2]:
                behind = flat(top + 2 * down, left + 2 * right, size)
                full = change(known, changed, now, behind, met[row, 2], after[row, 2]) or full

            same = after[row, 0] == met[row, 0] and after[row, 1] == met[row, 1] and after[row, 2] == met[row, 2]
            if same and to == heading and went[row] == 0 and novelty[row] < SURE:
                late[row], more = _wait(known, ripe, root[node], changed, now)
                full = full or more
            lost[row] = acts and met[row, 0] == UNSEEN  # what an unseen cell does cannot be imagined
            stops[row] = lost[row] or full or novelty[row] >= OPAQUE
            front[row] = look(known, changed, now, flat(there + facing[to, 0], where + facing[to, 1], size))
            events[row, 0], events[row, 1] = verb[row], went[row] > 0
            unseen = hidden[root[node]] if went[row] == 0 else -1  # it saw where it went
            events[row, 2] = _under(known, unseen, changed, now, flat(there, where, size))
            events[row, 3] = after[row, 0] if acts and not went[row] else front[row]
            events[row, 4], events[row, 7] = after[row, 1], carried[node]
            events[row, 5], events[row, 6] = mission, situation
            events[row, 8] = twin(known, counts[root[node]], changed, now, events[row, 3])
            sign[row] = signature(wrap(there, size), wrap(where, size), to, after[row, 1], front[row])
            been[row] = has_passed(passed[root[node]], action, went[row] > 0, carried[node], sign[row])
            key[row] = sign[row] * NAMES[3]
            for slot in range(CHANGES):
                if changed[slot] < 0:
                    break
                key[row] += ((changed[slot] * NAMES[0]) ^ (now[slot] * NAMES[1])) * NAMES[2]
            roots[row], carries[row] = root[node], after[row, 1]
            poses[row, 0], poses[row, 1], poses[row, 2] = there, where, to
    return events, front, sign, key, lost, stops, been, late, (roots, poses, carries, new_cell, new_code)


@njit(cache=True)
def _under(known: Array, hidden: int, cell: Array, code: Array, place: int) -> int:
    """What is under one who stands at ``place``: nothing that was seen where it hides that itself."""
    shown = look(known, cell, code, place)
    return UNSEEN if place == hidden and shown == known[place] else shown


@njit(cache=True)
def _wait(known: Array, ripe: tuple[Array, Array, Array], body: int, cell: Array, code: Array) -> tuple[float, bool]:
    """Let all that ripens do so, and note it in ``cell`` and ``code``: what is left of the worth by then, and whether
    that is one change too many."""
    (becomes, late, where), left, full = ripe, 1.0, False
    for slot in range(CHANGES):
        # A token that was put together in this very search has a code that memory knows nothing of.
        if cell[slot] >= 0 and code[slot] < len(becomes) and becomes[code[slot]] != UNSEEN:
            left = min(left, late[code[slot]])
            change(known, cell, code, cell[slot], code[slot], becomes[code[slot]])
    for at in where[body]:
        if at >= 0:
            shown = look(known, cell, code, at)
            if shown == known[at]:
                left = min(left, late[shown])
                full = change(known, cell, code, at, shown, becomes[shown]) or full
    return left, full


@njit(cache=True)
def _go_on(passed: Array, chance: Array, end: Array) -> None:
    """What has come to no end in this episode will not now: take back its ``end`` [M * A], and the ``chance`` [M * A]
    of the pay that comes with an end."""
    for row in range(len(passed)):
        if passed[row]:
            chance[row] = max(chance[row] - end[row], 0.0)
            end[row] = 0.0


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
    event: Array,
    curious: tuple[float, Array, float],
) -> tuple[Array, Array, Array]:
    """Reward that is counted on [M * A], the chance that the line stops [M * A], and worth of finding out [M * A];
    ``curious``: about what things do, by kind of ``event`` [M * A] about what pays, about what was never seen."""
    things, events, frontier = curious
    reward, ended, bonus = np.zeros(len(chance)), np.empty(len(chance)), np.zeros(len(chance))
    for row in range(len(chance)):
        hope = events[row % len(events), event[row, 1], event[row, 8]]
        ended[row] = 1.0 if stops[row] or end[row] >= FATAL else end[row] if end[row] >= LIKELY else 0.0
        if chance[row] >= LIKELY:
            reward[row] = chance[row] * worth[row]
        elif hope > 0:
            # By trying again what seldom pays less is found out than by trying what never was.
            bonus[row] = chance[row] * worth[row] * (1.0 if untried[row] else SATED)
        if lost[row]:
            bonus[row] = 0
            continue
        bonus[row] += things * novelty[row] + frontier * (ahead[row] == UNSEEN)
        if untried[row]:
            bonus[row] += hope * (1 - end[row] * (1 - chance[row]))
    return reward, ended, bonus
