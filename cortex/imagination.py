"""Imagination: the learned world model and the hippocampus answering together. It is what the planner searches.

A memory that fits overrides; where memory has nothing, the learned model fills in as far as its members agree; where
neither knows, the step is novel, and worth finding out. Scenes with a map are imagined as the map, the pose and the
few cells that changed; other scenes as whole sets of tokens.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass

import numpy as np

from cortex.mapped import LIKELY, OPAQUE, MappedModel
from cortex.modules.context import sign_of
from cortex.modules.hippocampus.memo import Memo
from cortex.modules.hippocampus.memory import Hippocampus
from cortex.modules.planner import Expansion
from cortex.modules.world_model import WorldModel
from cortex.types import MODALITIES, Array, Motions, State, Vocabulary, take


@dataclass(frozen=True, slots=True)
class Whole:
    """Imagined scenes without a map; M nodes."""

    root: Array  # [M]
    code: Array  # [M] int64, identity of the scene
    tokens: Array  # [M, N, E]


@dataclass(frozen=True, slots=True)
class Imagined:
    """What M actions lead to."""

    code: Array  # [M] int64, identity of the scene
    tokens: Array  # [M, N, E] float32
    reward: Array  # [M]
    ended: Array  # [M], 1 where the line ends: the episode does, or what happens is not known
    novelty: Array  # [M], chance that this is wrong; 1 where nothing is known
    bonus: Array  # [M], worth of finding out


class Imagination:
    """What would happen, by memory first and by the learned model second.

    ``novelty``, ``event`` and ``frontier`` are the worth of finding out what an untried interaction does, whether an
    untried event pays, and what an unseen cell holds. ``trust``: largest disagreement at which the learned model is
    believed; 0 never.
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
        self._foretold = Memo(7)

    def calm(self) -> Imagination:
        """The same without curiosity: nothing is worth finding out but what lies beyond the seen. What the learned
        model said to one the other knows too."""
        calm = copy(self)
        calm.novelty = calm.event = 0.0
        return calm

    def motions(self, situation: int) -> Motions:
        """The body schema in a situation: as remembered, else as the cortex learned it by night."""
        remembered = self.hippocampus.own_body.motions(int(situation))
        if remembered.resolved:
            return remembered
        learned = self.world_model.motions
        return remembered if learned is None else learned

    def sign(self, state: State) -> Array:
        """What is seen of the present at once [B], to be held against what a plan foretold."""
        return state.code if state.place is None else sign_of(state.place)

    def model(self, state: State, situation: Array) -> MappedModel | WholeModel:
        """What the planner searches from ``state``."""
        if state.place is not None:
            words = state.scene.tokens[:, (state.scene.modality == MODALITIES["text"])[0]]
            return MappedModel(self, state.place, words, situation)
        return WholeModel(self, state, situation)

    @property
    def foretold(self) -> Memo:
        """What the learned model said since it last changed: moved, front, carried, reward, end, doubt, sure."""
        # torch counts the changes of each tensor; a new token may be nearer to what is foretold than those known.
        changes = sum(weight._version for weight in self.world_model.state_dict().values())
        return self._foretold.since((changes, self.codebook.size))


class WholeModel:
    """Imagined scenes as whole sets of tokens: exactly remembered transitions, and the learned model's beyond them."""

    def __init__(self, parts: Imagination, state: State, situation: Array) -> None:
        self.parts, self.state = parts, state
        memory = parts.hippocampus
        most = memory.largest_reward / (1 - memory.discount)
        self.top, self.unit = max(most, parts.novelty), max(most, 1.0)  # unit: the worth that a habit calls 1
        self.stirs = memory.own_body.stirs(
            int(situation[0])
        )  # where nothing is known, what moved the agent elsewhere shows where it is

    @property
    def foretells(self) -> bool:
        """Whether the learned model may be asked. Where scenes have maps it learned to read these, and is silent while
        the agent is not found in a view."""
        parts, count = self.parts, self.state.scene.tokens.shape[1]
        return bool(parts.trust > 0 and parts.world_model.nights and parts.world_model.focus == count)

    def roots(self) -> Whole:
        """One node a body: the present."""
        return Whole(np.arange(len(self.state.code)), self.state.code, self.state.scene.tokens)

    def pick(self, children: Whole, rows: Array) -> Whole:
        return take(children, rows)

    def expand(self, nodes: Whole) -> Expansion:
        count, actions = len(nodes.root), self.parts.actions
        parent, action = np.repeat(np.arange(count), actions), np.tile(np.arange(actions), count)
        told = self.imagine(nodes.code[parent], nodes.tokens[parent], action)
        key, reward, ended, novelty, bonus = (
            column.reshape(count, actions) for column in (told.code, told.reward, told.ended, told.novelty, told.bonus)
        )
        children = Whole(nodes.root[parent], told.code, told.tokens)
        return Expansion(children, key, reward, ended, novelty, bonus, np.zeros_like(reward), key)

    def imagine(self, code: Array, tokens: Array, action: Array) -> Imagined:
        """What actions [M] do in the scenes of ``code`` [M] and ``tokens`` [M, N, E]."""
        code, tokens = code.copy(), tokens.copy()
        reward, end, novelty = np.zeros(len(code)), np.zeros(len(code)), np.ones(len(code))

        scenes = self.parts.hippocampus.scenes
        told = [scenes.predict(c, a) for c, a in zip(code.tolist(), action.tolist(), strict=True)]
        known = [row for row, answer in enumerate(told) if answer is not None]
        if known:
            entries, rewards, ends = zip(*(told[row] for row in known), strict=True)
            reward[known], end[known], novelty[known] = rewards, ends, 0
            codes = np.stack([scenes.codes[entry] for entry in entries])
            code[known] = [scenes.identity[entry] for entry in entries]
            tokens[known] = self.parts.codebook.decode(codes)
        unknown = np.flatnonzero(novelty > 0)
        if self.foretells and len(unknown):
            guess = self.parts.world_model(tokens[unknown], action[unknown])
            sure = guess.uncertainty <= self.parts.trust
            rows = unknown[sure]
            tokens[rows], reward[rows], end[rows] = guess.focus[sure], guess.reward[sure], guess.end[sure]
            novelty[rows] = guess.uncertainty[sure]
            code[rows] = identity(tokens[rows])
        opaque = novelty >= OPAQUE
        ended = (opaque | (end >= LIKELY)).astype(float)
        bonus = self.parts.novelty * np.where(opaque, novelty, 0) * self.stirs[action]
        return Imagined(code, tokens, reward, ended, np.where(opaque, 1.0, novelty), bonus)


def identity(tokens: Array) -> Array:
    """A code [M] for imagined tokens [M, N, E]: equal where they agree to two digits."""
    digits = np.round(tokens.reshape(len(tokens), math.prod(tokens.shape[1:])) * 50).astype(np.int64)
    names = np.random.default_rng(13).integers(1, 2**62, digits.shape[1], dtype=np.int64) | 1
    return np.asarray((digits * names).sum(axis=1))
