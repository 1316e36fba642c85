"""Boosted trees as action values: fitted Q-iteration on transitions, without a network.

Fitted Q-iteration (Ernst, Geurts & Wehenkel 2005) with histogram gradient boosting (Ke et al. 2017). The targets begin
as the discounted returns that were lived, and never fall below them: some policy did obtain them (He et al. 2016,
arXiv 1611.01606, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    exam,
    greedy,
    load_arrays,
    load_episodes,
    save_arrays,
    save_episodes,
    settings,
    wake,
)

MOST_LEAVES = 31
FEWEST_ROWS = 5
"""Rows of a leaf, at least."""


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> Boosting:
    """Settings: ``every`` (actions between fits), ``capacity`` (rows), ``columns``, ``trees`` (of each action),
    ``iterations`` (of Q beyond the returns), ``epsilon``, ``discount``."""
    chosen = settings(
        given, every=500, capacity=10_000, columns=256, trees=30, iterations=1, epsilon=0.2, discount=0.97
    )
    return Boosting(Features(observation_space), actions_of(action_space), seed, **chosen)


@dataclass(frozen=True, slots=True)
class Taught:
    """The rows that the present trees were grown from: they define the trees, which are grown again on loading."""

    seen: Array  # [n, C] float32
    action: Array  # [n] int64
    value: Array  # [n] float64 targets
    columns: Array  # [C] int64, the features that are read


class Boosting:
    """Regression trees for each action, fitted by day every ``every`` actions and by night, from nothing each time.

    A fit costs at most ``iterations + 1`` times ``capacity`` rows by ``columns`` features by ``trees`` trees: four
    seconds of one core with the defaults, six actions and a full memory. Features that vary most in memory
    are read. An action without a row is tried first. The bytes of the weights are those of the rows that define them.
    """

    def __init__(
        self,
        see: Features,
        actions: int,
        seed: int,
        every: int,
        capacity: int,
        columns: int,
        trees: int,
        iterations: int,
        epsilon: float,
        discount: float,
    ) -> None:
        self.see, self.actions, self.seed = see, actions, seed
        self.every, self.capacity, self.columns, self.trees = every, capacity, columns, trees
        self.iterations, self.epsilon, self.discount = iterations, epsilon, discount
        self.memory: list[Episode] = []
        self.taught = Taught(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
        self.models: list[Any] = [None] * actions
        self.updated = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        lived, fitted = 0, 0

        def learn(episode: Episode) -> None:
            nonlocal lived, fitted
            self.memory.append(episode)
            while self.memory and sum(len(held.action) for held in self.memory) > self.capacity:
                del self.memory[0]
            lived += len(episode.action)
            if lived - fitted >= self.every:
                fitted = lived
                self._fit()

        return wake(bodies, self.see, self._policy(seed), learn, steps, seed, on_episode)

    def sleep(self, seed: int) -> None:
        """Fit once more, to all that memory holds."""
        self._fit()

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """The same with ``habit`` and without: all that acts is the trees."""
        return exam(bodies, self.see, self._policy(seed), episodes, seed)

    def clear(self) -> None:
        self.memory = []

    def cost(self) -> Cost:
        weights = sum(part.nbytes for part in (self.taught.seen, self.taught.action, self.taught.value))
        return Cost(self.updated, sum(episode.nbytes for episode in self.memory), weights)

    def save(self, folder: Path) -> None:
        taught = self.taught
        arrays = {"seen": taught.seen, "action": taught.action, "value": taught.value, "columns": taught.columns}
        save_arrays(folder / "taught.npz", updated=self.updated, **arrays)
        save_episodes(folder / "memory.npz", self.memory)

    def load(self, folder: Path) -> None:
        saved = load_arrays(folder / "taught.npz")
        self.memory, self.updated = load_episodes(folder / "memory.npz"), int(saved["updated"])
        self.taught = Taught(saved["seen"], saved["action"], saved["value"], saved["columns"])
        self.models = self._grown(self.taught)

    def _policy(self, seed: int) -> Callable[[Now], Array]:
        rng = np.random.default_rng((self.seed, seed))
        return lambda now: greedy(values(self.models, now.seen[:, self.taught.columns]), self.epsilon, rng)

    def _fit(self) -> None:
        if not self.memory:
            return
        seen = sparse.vstack([episode.seen for episode in self.memory], format="csc")
        spread = seen.power(2).mean(axis=0) - np.square(seen.mean(axis=0))
        columns = np.sort(np.argsort(-spread, kind="stable")[: self.columns])
        dense = seen[:, columns].toarray()
        lengths = np.array([len(episode.action) for episode in self.memory])
        last = np.cumsum(lengths + 1) - 1  # rows after which nothing was done
        before = np.setdiff1d(np.arange(len(dense)), last)
        action = np.concatenate([episode.action for episode in self.memory])
        reward = np.concatenate([episode.reward for episode in self.memory])
        lived = np.concatenate([episode.returns(self.discount) for episode in self.memory]).astype(np.float64)
        ends = np.isin(before + 1, last[[episode.terminated for episode in self.memory]])
        self.taught = Taught(dense[before], action, lived, columns)
        self.models = self._grown(self.taught)
        for _ in range(self.iterations):
            ahead = values(self.models, dense[before + 1])
            ahead = np.where(np.isfinite(ahead), ahead, lived.min()).max(axis=1)
            hoped = reward + self.discount * np.where(ends, 0, np.clip(ahead, lived.min(), lived.max()))
            self.taught = Taught(dense[before], action, np.maximum(lived, hoped), columns)
            self.models = self._grown(self.taught)
        self.updated += 1

    def _grown(self, taught: Taught) -> list[Any]:
        """The trees of each action, equal for equal rows; None for an action without any."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        models = []
        for action in range(self.actions):
            rows = taught.action == action
            model = HistGradientBoostingRegressor(
                max_iter=max(1, self.trees),
                max_leaf_nodes=MOST_LEAVES,
                min_samples_leaf=FEWEST_ROWS,
                early_stopping=False,
                random_state=self.seed,
            )
            models.append(model.fit(taught.seen[rows], taught.value[rows]) if rows.any() else None)
        return models


def values(models: list[Any], seen: Array) -> Array:
    """Return expected of each action [B, A]; infinite for one without a model."""
    return np.stack([np.full(len(seen), np.inf) if m is None else m.predict(seen) for m in models], axis=1)
