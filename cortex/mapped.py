"""Imagined scenes on maps: the map, the pose, and the few cells that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
        self.cells = cells.reshape(-1)
        self.worth = self.world.events.worth
        # One who knows what pays has less to find out.
        self.keen = SATED if self.worth > 0 else 1.0
        self.top = max(self.worth, self.keen * (parts.novelty * OPAQUE + parts.event) + parts.frontier)
        self.words = words
        self.known = parts.foretold if parts.trust > 0 and parts.world_model.nights else None
        self.turns = self.motions.turns

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
        cells = self.cells.reshape(len(self.place.pose), -1)[nodes.root].copy()
        row, slot = np.nonzero(nodes.cell >= 0)
        cells[row, nodes.cell[row, slot]] = nodes.code[row, slot]
        shape = (len(cells), self.size, self.size)
        carried = nodes.carried.astype(self.place.carried.dtype)
        ahead = front_of(nodes.pose, self.motions, self.size)
        return Place(cells.reshape(shape), nodes.pose, ahead, carried, self.place.mission[nodes.root])

    def expand(self, nodes: Mapped) -> Expansion:
        parts, count, actions = self.parts, len(nodes.root), self.parts.actions
        action, heading = np.tile(np.arange(actions), count), np.repeat(nodes.pose[:, 2], actions)
        turns, reach = self.turns[heading, action], self.motions.reach[heading, action]
        parent = np.repeat(np.arange(count), actions)
        root, pose, held = nodes.root[parent], nodes.pose[parent], nodes.carried[parent]
        reaches, verb = reach.any(axis=1), self.motions.verb[action]
        place, behind = self._at(pose, reach), self._at(pose, 2 * reach)
        met = np.column_stack([self._look(nodes, place, parent), held, self._look(nodes, behind, parent)])
        met[~reaches, ::2] = UNSEEN

        went, after, novelty = self.world.interactions.predict(verb, met)
        learned = self._learned(nodes, action, met, parent, novelty > 0)
        if learned is not None:
            rows = learned.rows
            went[rows], after[rows, 0], after[rows, 1] = learned.moved, learned.front, learned.carried
            novelty[rows] = learned.uncertainty
        novelty[turns] = 0
        after[turns] = met[turns]
        lost = (met[:, 0] == UNSEEN) & reaches  # what an unseen cell does cannot be imagined

        goes = (went > 0) & reaches & ~turns
        pose[goes, :2] += self.motions.go[heading[goes], action[goes]]
        leaps = np.flatnonzero(goes & (went == 2))
        if len(leaps):
            pose[leaps, :2] = self._like(root[leaps], place[leaps], met[leaps, 0])
        pose[:, 2] = self.motions.turn[heading, action]
        code_before = met[:, 0]
        cell, code, full = self._change(nodes.cell[parent], nodes.code[parent], root, place, code_before, after[:, 0])
        cell, code, fuller = self._change(cell, code, root, behind, met[:, 2], after[:, 2])
        full |= fuller
        held_after = after[:, 1]
        children = Mapped(root, pose, held_after, cell, code)
        each = np.arange(len(action))
        ahead, under = self._look(children, self._ahead(pose), each), self._look(children, self._here(pose), each)
        front_after = np.where(reaches & ~goes, after[:, 0], ahead)

        event = [verb, goes, under, front_after, held_after, self.place.mission[root], self.situation[root], held]
        chance, end, untried = self.world.events.predict(np.column_stack(event).astype(np.int64))
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
        bonus = parts.novelty * novelty + parts.event * untried * self.world.events.hope(verb) * (
            1 - end * (1 - chance)
        )
        bonus *= self.keen
        if parts.event > 0:
            bonus += np.where(likely, 0.0, hoped)
        bonus = np.where(lost, 0.0, bonus + parts.frontier * (ahead == UNSEEN))

        shape = (count, actions)
        sign = signature(pose % np.array([self.size, self.size, 4]), held_after, ahead)
        key = sign * NAMES[3]
        changed = np.flatnonzero(cell[:, 0] >= 0)
        if len(changed):
            each = (cell[changed] * NAMES[0]) ^ (code[changed] * NAMES[1])
            key[changed] += (np.where(cell[changed] >= 0, each, 0) * NAMES[2]).sum(axis=1)
        return Expansion(
            children, key.reshape(shape), reward.reshape(shape), ended.reshape(shape), novelty.reshape(shape),
            bonus.reshape(shape), np.zeros(shape), sign.reshape(shape),
        )  # fmt: skip

    def _learned(self, nodes: Mapped, action: Array, met: Array, parent: Array, unknown: Array) -> Learned | None:
        """What the cortex foretells at the rows that memory does not know, where its members agree."""
        rows = np.flatnonzero(unknown & (met[:, 0] != UNSEEN)) if self.known is not None else np.zeros(0, np.int64)
        if self.known is None or not len(rows):
            return None
        under = self._look(nodes, self._here(nodes.pose), np.arange(len(nodes.root)))[parent[rows]]
        root = nodes.root[parent[rows]]
        asked = np.column_stack([action[rows], met[rows, :2], under, self.place.mission[root]])

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

    def _like(self, root: Array, at: Array, code: Array) -> Array:
        """The row and column [n, P] of another cell than ``at`` [n] that shows ``code`` [n]; ``at`` where none does."""
        maps = self.cells.reshape(len(self.place.pose), -1)[root]
        alike = maps == code[:, None]
        alike[np.arange(len(at)), at] = False
        found = np.where(alike.any(axis=1), alike.argmax(axis=1), at)
        return np.stack(np.divmod(found, self.size), axis=1)

    def _here(self, pose: Array) -> Array:
        """The flat index [M] on the map of where the agent stands."""
        place = pose[:, :2] % self.size
        return np.asarray(place[:, 0] * self.size + place[:, 1])

    def _ahead(self, pose: Array) -> Array:
        """The flat index [M] on the map of what the agent faces."""
        return self._at(pose, self.motions.facing[pose[:, 2]])

    def _at(self, pose: Array, step: Array) -> Array:
        """The flat index [M] on the map of the cell that ``step`` [M, P] leads to."""
        place = (pose[:, :2] + step) % self.size
        return np.asarray(place[:, 0] * self.size + place[:, 1])

    def _look(self, nodes: Mapped, at: Array, node: Array) -> Array:
        """The code at a flat index [n] of the map of ``node`` [n]."""
        code = self.cells.take(nodes.root[node] * self.size**2 + at).astype(np.int64)
        changed = np.flatnonzero(nodes.cell[node, 0] >= 0)
        if len(changed):
            row, slot = np.nonzero(nodes.cell[node[changed]] == at[changed, None])
            code[changed[row]] = nodes.code[node[changed[row]], slot]
        return code

    def _change(
        self, cell: Array, code: Array, root: Array, at: Array, before: Array, after: Array
    ) -> tuple[Array, Array, Array]:
        """The changed cells of the children, and whether one has too many."""
        full = np.zeros(len(root), bool)
        rows = np.flatnonzero(before != after)
        if not len(rows):
            return cell, code, full
        same = cell[rows] == at[rows, None]
        slot = np.where(same.any(axis=1), same.argmax(axis=1), (cell[rows] >= 0).sum(axis=1))
        full[rows] = slot >= CHANGES
        rows, slot = rows[slot < CHANGES], slot[slot < CHANGES]
        original = after[rows] == self.cells[root[rows] * self.size**2 + at[rows]]
        cell[rows, slot] = at[rows]
        code[rows, slot] = after[rows]
        # A cell that is again as the map says is no change: equal scenes must have equal keys.
        back = rows[original], slot[original]
        last = (cell[back[0]] >= 0).sum(axis=1) - 1
        cell[back], code[back] = cell[back[0], last], code[back[0], last]
        cell[back[0], last], code[back[0], last] = -1, -1
        return cell, code, full


def signature(pose: Array, carried: Array, front: Array) -> Array:
    """What is seen of a mapped scene at once [M]: where the agent is, what it holds, what it faces."""
    return np.asarray(
        (((pose[:, 0] * 64 + pose[:, 1]) * 4 + pose[:, 2]) << 42) + (carried.astype(np.int64) << 21) + front
    )


def seen(place: Place) -> Array:
    """The signature [B] of the present, to be held against a plan's expectation."""
    size, ahead = place.cells.shape[1], place.ahead
    front = place.cells[np.arange(len(ahead)), ahead[:, 0], ahead[:, 1]]
    return signature(place.pose % np.array([size, size, 4]), place.carried, front.astype(np.int64))
