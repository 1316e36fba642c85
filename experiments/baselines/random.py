"""Every action as likely as every other: the floor that each learner has to leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space

from cortex.measure.protocol import Bodies, Cost, Played


class Random:
    """Acts at random in NEXT_STEP vectors, and learns nothing."""

    def live(
        self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object] = lambda played: None
    ) -> int:
        """Act for ``steps`` actions of all bodies; several bodies may go a few actions beyond."""
        for lived, ended in _acting(bodies, seed):
            for _, episode in ended:
                on_episode(episode)
            if lived >= steps:
                break
        return lived

    def sleep(self, seed: int) -> None:
        """Nothing."""

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act until ``episodes`` have ended, each body the same number of them or one less."""
        quota = np.full(bodies.num_envs, episodes // bodies.num_envs)
        quota[: episodes % bodies.num_envs] += 1
        played: list[Played] = []
        for _, ended in _acting(bodies, seed):
            for body, episode in ended:
                if quota[body]:
                    quota[body] -= 1
                    played.append(episode)
            if not quota.any():
                break
        return played

    def clear(self) -> None:
        """Nothing."""

    def cost(self) -> Cost:
        """Nothing."""
        return Cost(0, 0, 0)

    def save(self, folder: Path) -> None:
        """Make the folder; there is nothing to write into it."""
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, folder: Path) -> None:
        """Nothing."""


def make(observation_space: Space[Any], action_space: Space[Any], seed: int) -> Random:
    """Make the learner; all that is random in it follows from the seed of each call."""
    return Random()


def _acting(bodies: Bodies, seed: int) -> Iterator[tuple[int, list[tuple[int, Played]]]]:
    """Act without end -> after each step the actions so far, and the bodies and episodes that ended without a fault."""
    bodies.reset(seed=seed)
    bodies.action_space.seed(seed)
    over, lived = np.zeros(bodies.num_envs, bool), 0
    length, total = np.zeros(bodies.num_envs, np.int64), np.zeros(bodies.num_envs)
    while True:
        _, reward, terminated, truncated, info = bodies.step(bodies.action_space.sample())
        real = ~over
        lived += int(real.sum())
        length += real
        total += np.where(real, reward, 0.0)
        over = (terminated | truncated) & real
        faults = info.get("fault", [None] * bodies.num_envs)
        success = info.get("success", np.zeros(bodies.num_envs, bool))
        yield (
            lived,
            [
                (b, Played(lived, int(length[b]), float(total[b]), bool(success[b])))
                for b in map(int, np.flatnonzero(over))
                if faults[b] is None
            ],
        )
        length[over], total[over] = 0, 0.0
