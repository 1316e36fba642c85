"""Episodic control: do again what paid most the last time that things looked so; no network, no gradient.

Tables of the best return after each action (Blundell et al. 2016, arXiv 1606.04460, algorithm 1), read through the
kernel of neural episodic control (Pritzel et al. 2017, arXiv 1703.01988, equation 5).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cortex.measure.protocol import Bodies, Cost, Played
from cortex.types import Array
from experiments.baselines.features import Features
from experiments.baselines.loop import Episode, Now, actions_of, exam, greedy, load_arrays, save_arrays, settings, wake

WIDTH = 64
"""Numbers of a key: enough for a random projection to keep distances (Johnson & Lindenstrauss 1984)."""

SAME = 1e-5
"""Squared distance, as a share of the key's own square, below which two keys are one: rounding, no more."""

SOFTENING = 1e-3
"""Added to squared distances in the kernel, as published."""


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> EpisodicControl:
    """Settings: ``neighbours``, ``capacity`` (rows an action), ``epsilon``, ``discount``.

    In 2000 actions of MiniGrid-Empty-Random-6x6 an epsilon of 0.3 won 256 episodes in three seeds, 0.1 won 137, 0.05
    won 54: a view that hides the place is held to its best return, and only chance leads away from it.
    """
    chosen = settings(given, neighbours=11, capacity=10_000, epsilon=0.3, discount=0.97)
    return EpisodicControl(Features(observation_space), actions_of(action_space), seed, **chosen)


class EpisodicControl:
    """Learns by day alone, in rows; its only weights are a random projection that never changes.

    An action with an empty table is tried first. A full table gives up the row that was used longest ago.
    """

    def __init__(
        self, see: Features, actions: int, seed: int, neighbours: int, capacity: int, epsilon: float, discount: float
    ) -> None:
        self.see, self.seed, self.neighbours, self.epsilon, self.discount = see, seed, neighbours, epsilon, discount
        rng = np.random.default_rng(seed)
        self.projection = (rng.standard_normal((see.size, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
        self.keys = np.zeros((actions, capacity, WIDTH), np.float32)
        self.value = np.zeros((actions, capacity), np.float32)
        self.used = np.zeros((actions, capacity), np.int64)
        self.count = np.zeros(actions, np.int64)
        self.clock = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        act = self._policy(seed, self.epsilon, touch=True)
        return wake(bodies, self.see, act, self._learn, steps, seed, on_episode)

    def sleep(self, seed: int) -> None:
        """Nothing: there is no weight to write to."""

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """``habit``: nothing is left to look up, so every action is as likely."""
        return exam(bodies, self.see, self._policy(seed, 1.0 if habit else self.epsilon), episodes, seed)

    def clear(self) -> None:
        self.count[:] = 0

    def cost(self) -> Cost:
        row = self.keys.itemsize * WIDTH + self.value.itemsize + self.used.itemsize
        return Cost(0, int(self.count.sum()) * row, self.projection.nbytes)

    def save(self, folder: Path) -> None:
        held = np.arange(self.value.shape[1]) < self.count[:, None]
        tables = {"keys": self.keys[held], "value": self.value[held], "used": self.used[held]}
        save_arrays(folder / "tables.npz", count=self.count, clock=self.clock, **tables)

    def load(self, folder: Path) -> None:
        saved = load_arrays(folder / "tables.npz")
        self.count, self.clock = saved["count"], int(saved["clock"])
        held = np.arange(self.value.shape[1]) < self.count[:, None]
        self.keys[held], self.value[held], self.used[held] = saved["keys"], saved["value"], saved["used"]

    def _policy(self, seed: int, epsilon: float, touch: bool = False) -> Callable[[Now], Array]:
        rng = np.random.default_rng((self.seed, seed))
        return lambda now: greedy(self._values(now.seen @ self.projection, touch), epsilon, rng)

    def _values(self, keys: Array, touch: bool) -> Array:
        """The return [B, A] that is expected of each action; infinite where it was never tried."""
        values = np.full((len(keys), len(self.count)), np.inf)
        self.clock += touch
        for action in np.flatnonzero(self.count):
            distance, row = self._nearest(action, keys, max(1, self.neighbours))
            weight = 1 / (distance + SOFTENING)
            mean = (weight * self.value[action, row]).sum(axis=1) / weight.sum(axis=1)
            values[:, action] = np.where(_same(distance[:, 0], keys), self.value[action, row[:, 0]], mean)
            if touch:
                self.used[action, row] = self.clock
        return values

    def _nearest(self, action: Any, keys: Array, most: int) -> tuple[Array, Array]:
        """Squared distances and rows [B, k] of the nearest keys of one action, the nearest first."""
        import faiss

        count = int(self.count[action])
        distance, row = faiss.knn(np.ascontiguousarray(keys), self.keys[action, :count], min(most, count))
        return np.maximum(distance, 0), row

    def _learn(self, episode: Episode) -> None:
        """Keep the best return of every state and action of the episode."""
        keys = episode.seen[:-1] @ self.projection
        self.clock += 1
        if not self.keys.shape[1]:
            return
        for key, action, value in zip(keys, episode.action, episode.returns(self.discount)):
            if self.count[action]:
                distance, row = self._nearest(action, key[None], 1)
                if _same(distance[0], key[None])[0]:
                    at = row[0, 0]
                    self.value[action, at] = max(self.value[action, at], value)
                    self.used[action, at] = self.clock
                    continue
            at = self.count[action]
            if at == self.keys.shape[1]:
                at = self.used[action].argmin()
            else:
                self.count[action] += 1
            self.keys[action, at], self.value[action, at], self.used[action, at] = key, value, self.clock


def _same(distance: Array, keys: Array) -> Array:
    """Which of the squared distances [B] are as good as none."""
    return distance <= SAME * (keys**2).sum(axis=1)
