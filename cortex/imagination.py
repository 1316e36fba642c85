"""Imagination: the cortex's learned world model and the hippocampus answering together. It is what the planner searches.

A memory that fits overrides; where memory has nothing, the learned model fills in as far as its members agree; where neither knows,
the step is novel, and worth finding out. Scenes with a map are imagined as the map, the pose and the few cells
that changed; other scenes as whole sets of tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortex.modules.context import moved
from cortex.modules.hippocampus.memory import Hippocampus, front_of
from cortex.modules.planner import Expansion
from cortex.modules.world_model import WorldModel
from cortex.types import MODALITIES, UNSEEN, Array, Motions, Place, State, Vocabulary, take

CHANGES = 8
"""Most cells of the map that one imagined line may change."""
OPAQUE = 0.5
"""Novelty from which nothing is imagined beyond a step."""
LIKELY = 0.5
"""Chance from which a reward or an end is counted on."""
SNAP = 0.5
"""Distance within which a foretold token is taken for the nearest known one."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Imagined scenes on maps; M nodes."""

    root: Array  # [M] the body whose map it is
    pose: Array  # [M, 3]
    carried: Array  # [M]
    cell: Array  # [M, CHANGES] flat index of a changed cell, -1 for none
    code: Array  # [M, CHANGES] what is there now


@dataclass(frozen=True, slots=True)
class Whole:
    """Imagined scenes without a map; M nodes."""

    root: Array  # [M]
    code: Array  # [M] int64, identity of the scene
    tokens: Array  # [M, N, E]


class Imagination:
    """What would happen, by memory first and by the learned model second.

    ``novelty``, ``event`` and ``frontier`` are the worth of finding out what an untried interaction does, whether an untried event pays, and what
    an unseen cell holds. ``trust``: largest disagreement at which the learned model is believed; 0 never.
    """

    def __init__(
        self,
        hippocampus: Hippocampus,
        world_model: WorldModel,
        codebook: Vocabulary,
        actions: int,
        novelty: float,
        event: float,
        frontier: float,
        trust: float,
    ) -> None:
        self.hippocampus, self.world_model, self.codebook, self.actions = hippocampus, world_model, codebook, actions
        self.novelty, self.event, self.frontier, self.trust = novelty, event, frontier, trust

    def calm(self) -> Imagination:
        """The same without curiosity: nothing is worth finding out but what lies beyond the seen."""
        return Imagination(
            self.hippocampus, self.world_model, self.codebook, self.actions, 0.0, 0.0, self.frontier, self.trust
        )

    @property
    def motions(self) -> Motions:
        """The body schema: as remembered, else as the cortex learned it by night."""
        remembered = self.hippocampus.motions
        learned = self.world_model.motions
        return remembered if remembered.resolved or learned is None else learned

    def sign(self, state: State) -> Array:
        """What is seen of the present at once [B], to be held against what a plan foretold."""
        return state.code if state.place is None else seen(state.place, self.motions)

    def model(self, state: State, situation: Array) -> MappedModel | WholeModel:
        """What the planner searches from ``state``."""
        if state.place is not None:
            words = state.scene.tokens[:, (state.scene.modality == MODALITIES["text"])[0]]
            return MappedModel(self, state.place, words, situation)
        return WholeModel(self, state)


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


def focus_tokens(codebook: Vocabulary, codes: Array, words: Array) -> Array:
    """What the learned world model reads of a mapped scene: tokens of ``codes`` [n, 3] (front, carried, under) and of ``words`` [n, W, E]."""
    return np.concatenate([codebook.decode(codes), words], axis=1)


class MappedModel:
    """Imagined scenes on the maps of ``place`` [B]."""

    def __init__(self, parts: Imagination, place: Place, words: Array, situation: Array) -> None:
        self.parts, self.place, self.situation = parts, place, situation
        self.motions = parts.motions
        self.size = place.cells.shape[1]
        self.cells = place.cells.reshape(len(place.cells), -1)
        events = parts.hippocampus.events
        self.worth = events.worth
        self.top = max(self.worth, parts.novelty * OPAQUE + parts.frontier + parts.event)
        self.turns = self.motions.rotation != 0
        self.words = words
        self.names = np.random.default_rng(11).integers(1, 2**62, 4, dtype=np.int64) | 1

    def roots(self) -> Mapped:
        """One node a body: the present."""
        bodies = len(self.cells)
        none = np.full((bodies, CHANGES), -1, np.int64)
        return Mapped(np.arange(bodies), self.place.pose, self.place.carried.astype(np.int64), none, none)

    def pick(self, children: Mapped, rows: Array) -> Mapped:
        return take(children, rows)

    def place_at(self, nodes: Mapped) -> Place:
        """The maps that imagined nodes stand for, one each."""
        cells = self.cells[nodes.root].copy()
        row, slot = np.nonzero(nodes.cell >= 0)
        cells[row, nodes.cell[row, slot]] = nodes.code[row, slot]
        shape = (len(cells), self.size, self.size)
        carried = nodes.carried.astype(self.place.carried.dtype)
        return Place(cells.reshape(shape), nodes.pose, carried, self.place.mission[nodes.root])

    def expand(self, nodes: Mapped) -> Expansion:
        count, actions = len(nodes.root), self.parts.actions
        ahead = front_of(nodes.pose, self.motions, self.size)
        at = ahead[:, 0] * self.size + ahead[:, 1]
        front = self._look(nodes, at)

        parent = np.repeat(np.arange(count), actions)
        action = np.tile(np.arange(actions), count)
        met, held, place = front[parent], nodes.carried[parent], at[parent]
        went, met_after, held_after, novelty = self.parts.hippocampus.interactions.predict(action, met, held)
        turns = self.turns[action]
        row, column = (nodes.pose[:, :2] % self.size).T
        stood = self._look(nodes, row * self.size + column)[parent]
        learned = self._learned(
            action, met, held, stood, self.place.mission[nodes.root[parent]], nodes.root[parent], novelty > 0
        )
        if learned is not None:
            rows = learned.rows
            went[rows], met_after[rows], held_after[rows] = learned.moved, learned.front, learned.carried
            novelty[rows] = learned.uncertainty
        went, novelty = went | turns, np.where(turns, 0.0, novelty)
        met_after, held_after = np.where(turns, met, met_after), np.where(turns, held, held_after)
        lost = (met == UNSEEN) & ~turns  # what an unseen cell does cannot be imagined

        pose = np.where(went[:, None], moved(nodes.pose[parent], action, self.motions), nodes.pose[parent])
        cell, code, full = self._change(nodes, parent, place, met, met_after)
        children = Mapped(nodes.root[parent], pose, held_after.astype(np.int64), cell, code)
        beyond = front_of(pose, self.motions, self.size)
        front_after = self._look(children, beyond[:, 0] * self.size + beyond[:, 1])
        row, column = (pose[:, :2] % self.size).T
        under = self._look(children, row * self.size + column)

        root = children.root
        event = [action, went, under, front_after, held_after, self.place.mission[root], self.situation[root]]
        chance, end, untried = self.parts.hippocampus.events.predict(
            np.stack([c.astype(np.int64) for c in event], axis=1)
        )
        worth = np.full(len(action), self.worth)
        if learned is not None:
            rows = np.flatnonzero(untried[learned.rows])
            at_rows = learned.rows[rows]
            chance[at_rows], worth[at_rows] = learned.reward[rows] >= LIKELY, learned.reward[rows]
            end[at_rows], untried[at_rows] = learned.end[rows], False
        reward = np.where(chance >= LIKELY, chance * worth, 0.0)
        ended = np.where(
            (end >= LIKELY) | lost | full | (novelty >= OPAQUE), np.maximum(end, lost | full | (novelty >= OPAQUE)), 0.0
        )
        safe = 1 - end * (1 - chance)
        maybe = np.where(chance < LIKELY, chance * worth, 0) * (self.parts.event > 0)
        bonus = self.parts.novelty * novelty + self.parts.event * untried * safe + maybe
        bonus = np.where(lost, 0.0, bonus + self.parts.frontier * (front_after == UNSEEN))

        shape = (count, actions)
        sign = signature(pose % np.array([self.size, self.size, 4]), held_after, front_after)
        changes = (np.where(cell >= 0, (cell * self.names[0]) ^ (code * self.names[1]), 0) * self.names[2]).sum(axis=1)
        key = sign * self.names[3] + changes
        zero = np.zeros(shape)
        return Expansion(
            children, key.reshape(shape), reward.reshape(shape), ended.reshape(shape), novelty.reshape(shape), bonus.reshape(shape), zero,
            sign.reshape(shape),
        )  # fmt: skip

    def _learned(
        self, action: Array, front: Array, carried: Array, under: Array, mission: Array, root: Array, unknown: Array
    ) -> Learned | None:
        """What the cortex foretells at the rows that memory does not know, where its members agree."""
        parts = self.parts
        if parts.trust <= 0 or not parts.world_model.nights or not unknown.any():
            return None
        rows = np.flatnonzero(unknown & (front != UNSEEN))
        asked, first, inverse = np.unique(
            np.stack([action[rows], front[rows], carried[rows], under[rows], mission[rows]], axis=1), axis=0, return_index=True, return_inverse=True
        )  # fmt: skip
        if len(asked) == 0:
            return None
        focus = focus_tokens(parts.codebook, asked[:, 1:4], self.words[root[rows[first]]])
        told = parts.world_model(focus, asked[:, 0])
        after, distance = parts.codebook.nearest(told.focus[:, :2].reshape(-1, focus.shape[-1]))
        after, distance = after.reshape(-1, 2), distance.reshape(-1, 2).max(axis=1)
        sure = (told.uncertainty <= parts.trust) & (distance <= SNAP)
        kept = sure[inverse]
        pick = inverse[kept]
        return Learned(
            rows[kept],
            told.moved[pick] >= 0.5,
            after[pick, 0],
            after[pick, 1],
            told.reward[pick],
            told.end[pick],
            told.uncertainty[pick],
        )

    def _look(self, nodes: Mapped, at: Array) -> Array:
        """The code at a flat index [M] of each node's map."""
        code = self.cells[nodes.root, at].astype(np.int64)
        row, slot = np.nonzero(nodes.cell == at[:, None])
        code[row] = nodes.code[row, slot]
        return code

    def _change(
        self, nodes: Mapped, parent: Array, at: Array, before: Array, after: Array
    ) -> tuple[Array, Array, Array]:
        """The changed cells of the children, and whether one has too many."""
        cell, code = nodes.cell[parent], nodes.code[parent]
        rows = np.flatnonzero(before != after)
        same = cell[rows] == at[rows, None]
        slot = np.where(same.any(axis=1), same.argmax(axis=1), (cell[rows] >= 0).sum(axis=1))
        full = np.zeros(len(parent), bool)
        full[rows] = slot >= CHANGES
        rows, slot = rows[slot < CHANGES], slot[slot < CHANGES]
        original = after[rows] == self.cells[nodes.root[parent[rows]], at[rows]]
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


def seen(place: Place, motions: Motions) -> Array:
    """The signature [B] of the present, to be held against a plan's expectation."""
    size = place.cells.shape[1]
    ahead = front_of(place.pose, motions, size)
    front = place.cells[np.arange(len(ahead)), ahead[:, 0], ahead[:, 1]]
    return signature(place.pose % np.array([size, size, 4]), place.carried, front.astype(np.int64))


class WholeModel:
    """Imagined scenes as whole sets of tokens: exactly remembered transitions, and the learned model's beyond them."""

    def __init__(self, parts: Imagination, state: State) -> None:
        self.parts, self.state = parts, state
        memory = parts.hippocampus
        self.top = max(memory.largest_reward / (1 - memory.discount), parts.novelty)

    def roots(self) -> Whole:
        """One node a body: the present."""
        return Whole(np.arange(len(self.state.code)), self.state.code, self.state.scene.tokens)

    def pick(self, children: Whole, rows: Array) -> Whole:
        return take(children, rows)

    def expand(self, nodes: Whole) -> Expansion:
        count, actions = len(nodes.root), self.parts.actions
        parent, action = np.repeat(np.arange(count), actions), np.tile(np.arange(actions), count)
        code, tokens = nodes.code[parent].copy(), nodes.tokens[parent].copy()
        reward, end, novelty = np.zeros(len(parent)), np.zeros(len(parent)), np.ones(len(parent))

        scenes = self.parts.hippocampus.scenes
        told = [scenes.predict(c, a) for c, a in zip(code.tolist(), action.tolist(), strict=True)]
        known = [row for row, answer in enumerate(told) if answer is not None]
        if known:
            entries, rewards, ends = zip(*(told[row] for row in known), strict=True)  # type: ignore[misc]
            reward[known], end[known], novelty[known] = rewards, ends, 0
            codes = np.stack([scenes.codes[entry] for entry in entries])
            code[known] = [scenes.identity[entry] for entry in entries]
            tokens[known] = self.parts.codebook.decode(codes)
        unknown = np.flatnonzero(novelty > 0)
        model = self.parts.world_model
        if self.parts.trust > 0 and model.nights and len(unknown):
            guess = model(tokens[unknown], action[unknown])
            sure = guess.uncertainty <= self.parts.trust
            rows = unknown[sure]
            tokens[rows], reward[rows], end[rows] = guess.focus[sure], guess.reward[sure], guess.end[sure]
            novelty[rows] = guess.uncertainty[sure]
            code[rows] = identity(tokens[rows])
        shape = (count, actions)
        opaque = novelty >= OPAQUE
        ended = np.where(opaque, 1.0, np.where(end >= LIKELY, end, 0.0))
        children = Whole(nodes.root[parent], code, tokens)
        return Expansion(
            children, code.reshape(shape), reward.reshape(shape), ended.reshape(shape), np.where(opaque, 1.0, novelty).reshape(shape),
            (self.parts.novelty * np.where(opaque, novelty, 0)).reshape(shape), np.zeros(shape), code.reshape(shape),
        )  # fmt: skip


def identity(tokens: Array) -> Array:
    """A code [M] for imagined tokens [M, N, E]: equal where they agree to two digits."""
    digits = np.round(tokens.reshape(len(tokens), math.prod(tokens.shape[1:])) * 50).astype(np.int64)
    names = np.random.default_rng(13).integers(1, 2**62, digits.shape[1], dtype=np.int64) | 1
    return np.asarray((digits * names).sum(axis=1))
