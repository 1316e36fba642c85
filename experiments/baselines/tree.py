"""A decision tree that imitates one's own won episodes: learning from demonstrations, without a network.

Behaviour cloning with a tree (Breiman et al. 1984) on what the peer itself won; until then it acts at
random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from cortex.measure.protocol import Bodies, Cost, Played
from cortex.types import Array
from experiments.baselines.features import Features
from experiments.baselines.loop import (
    Episode,
    Now,
    actions_of,
    draw,
    exam,
    load_arrays,
    load_episodes,
    save_arrays,
    save_episodes,
    settings,
    wake,
)

GROWTH = 1.1
"""Rows must grow by this factor before the tree is grown anew: the work of a life stays in proportion to its rows."""

NO_BRANCH = np.full(1, -1)


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> TreeCloning:
    """Settings: ``capacity`` (rows), ``leaf`` (fewest rows of a leaf), ``roam`` (share of episodes by day that
    are lived at random), ``discount``."""
    chosen = settings(given, capacity=20_000, leaf=3, roam=0.2, discount=0.9)
    return TreeCloning(Features(observation_space), actions_of(action_space), seed, **chosen)


@dataclass(frozen=True, slots=True)
class Tree:
    """A grown tree of n nodes as arrays; node 0 is the root, and a leaf has no branches."""

    left: Array  # [n] int, the branch for features up to the threshold, -1 in a leaf
    right: Array  # [n] int
    feature: Array  # [n] int
    threshold: Array  # [n] float64
    chances: Array  # [n, A] float32, shares of the actions

    def __call__(self, seen: Array) -> Array:
        """Chances [B, A] of the leaves that features [B, F] fall into."""
        node, rows = np.zeros(len(seen), np.int64), np.arange(len(seen))
        while (inner := self.left[node] >= 0).any():
            low = seen[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(inner, np.where(low, self.left[node], self.right[node]), node)
        return self.chances[node]


class TreeCloning:
    """Grows its tree by day, after won episodes; rows nearer to the win weigh more, by ``discount`` a step.

    Some episodes by day are lived at random: a tree that imitates only itself would find no other way to win.
    The rows of at most ``capacity`` actions are kept, and the oldest episodes make room.
    """

    def __init__(
        self, see: Features, actions: int, seed: int, capacity: int, leaf: int, roam: float, discount: float
    ) -> None:
        self.see, self.actions, self.seed = see, actions, seed
        self.capacity, self.leaf, self.roam, self.discount = capacity, leaf, roam, discount
        self.tree = Tree(NO_BRANCH, NO_BRANCH, NO_BRANCH, np.zeros(1), np.full((1, actions), 1 / actions))
        self.won: list[Episode] = []
        self.grown = 0
        self.updated = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        return wake(bodies, self.see, self._policy(bodies, seed, self.roam), self._learn, steps, seed, on_episode)

    def sleep(self, seed: int) -> None:
        """Grow the tree from all that memory holds."""
        self._grow()

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """The same with ``habit`` and without: all that acts is the tree."""
        return exam(bodies, self.see, self._policy(bodies, seed), episodes, seed)

    def clear(self) -> None:
        self.won, self.grown = [], 0

    def cost(self) -> Cost:
        weights = sum(getattr(self.tree, field.name).nbytes for field in fields(Tree))
        return Cost(self.updated, sum(episode.nbytes for episode in self.won), weights)

    def save(self, folder: Path) -> None:
        arrays = {field.name: getattr(self.tree, field.name) for field in fields(Tree)}
        save_arrays(folder / "tree.npz", grown=self.grown, updated=self.updated, **arrays)
        save_episodes(folder / "won.npz", self.won)

    def load(self, folder: Path) -> None:
        saved = load_arrays(folder / "tree.npz")
        self.tree = Tree(*(saved[field.name] for field in fields(Tree)))
        self.grown, self.updated = int(saved["grown"]), int(saved["updated"])
        self.won = load_episodes(folder / "won.npz")

    def _policy(self, bodies: Bodies, seed: int, roam: float = 0.0) -> Callable[[Now], Array]:
        rng = np.random.default_rng((self.seed, seed))
        roaming = np.zeros(bodies.num_envs, bool)

        def act(now: Now) -> Array:
            roaming[now.first] = rng.random(int(now.first.sum())) < roam
            return draw(np.where(roaming[:, None], 1 / self.actions, self.tree(now.seen)), rng)

        return act

    def _learn(self, episode: Episode) -> None:
        if not episode.success:
            return
        self.won.append(episode)
        while self.won and self._rows() > self.capacity:
            del self.won[0]
        if self._rows() >= GROWTH * self.grown:
            self._grow()

    def _rows(self) -> int:
        return sum(len(episode.action) for episode in self.won)

    def _grow(self) -> None:
        from sklearn.tree import DecisionTreeClassifier

        if not self.won:
            return
        seen = sparse.vstack([episode.seen[:-1] for episode in self.won], format="csr")
        action = np.concatenate([episode.action for episode in self.won])
        weight = np.concatenate([self.discount ** np.arange(len(e.action))[::-1] for e in self.won])
        grower = DecisionTreeClassifier(min_samples_leaf=max(1, self.leaf), random_state=self.seed)
        found = grower.fit(seen, action, sample_weight=weight).tree_
        chances = np.zeros((found.node_count, self.actions), np.float32)
        chances[:, grower.classes_] = found.value[:, 0] / found.value[:, 0].sum(axis=1, keepdims=True)
        self.tree = Tree(found.children_left, found.children_right, found.feature, found.threshold, chances)
        self.grown, self.updated = len(action), self.updated + 1
