"""A genetic algorithm over linear policies: no gradient, no memory, only who does well has children.

Truncation selection with an elite, mutations of every weight at once (Such et al. 2017, arXiv 1712.06567, section 3.1;
genomes are kept whole instead of as lists of seeds).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
    save_arrays,
    settings,
    softmax,
    wake,
)


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> Evolution:
    """Settings: ``population``, ``parents``, ``trials`` (episodes of each genome in a generation), ``mutation``
    (standard deviation, the first genomes' is 1), ``discount``."""
    chosen = settings(given, population=16, parents=8, trials=1, mutation=2.0, discount=0.99)
    return Evolution(Features(observation_space), actions_of(action_space), seed, **chosen)


class Evolution:
    """A population of softmax policies, linear in features brought to norm 1; genome 0 is the elite, which plays.

    The fitness of a genome is the mean discounted return of its episodes in this game; each game begins with no
    fitness known. Every child counts as one update, and the whole population as weights.
    """

    def __init__(
        self,
        see: Features,
        actions: int,
        seed: int,
        population: int,
        parents: int,
        trials: int,
        mutation: float,
        discount: float,
    ) -> None:
        self.see, self.seed = see, seed
        self.population, self.parents, self.trials = (
            max(2, population),
            max(1, min(parents, population)),
            max(1, trials),
        )
        self.mutation, self.discount = mutation, discount
        rng = np.random.default_rng(seed)
        self.genomes = rng.standard_normal((self.population, see.size + 1, actions)).astype(np.float32)
        self.fitness, self.tries = np.zeros(self.population), np.zeros(self.population, np.int64)
        self.updated = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        rng = np.random.default_rng((self.seed, seed))
        self.clear()
        holder = np.zeros(bodies.num_envs, np.int64)  # the genome that each body acts by
        born = np.zeros(bodies.num_envs, np.int64)  # and its generation
        begun = np.zeros(self.population, np.int64)  # trials in this generation
        passed = np.zeros(self.population, np.int64)  # those of them that ended
        generation = 0

        def act(now: Now) -> Array:
            for body in np.flatnonzero(now.first):
                holder[body], born[body] = begun.argmin(), generation
                begun[holder[body]] += 1
            return draw(softmax(logits(now.seen, self.genomes[holder])), rng)

        def learn(episode: Episode) -> None:
            nonlocal generation
            if born[episode.body] != generation:
                return
            genome = holder[episode.body]
            self.fitness[genome] += episode.returns(self.discount)[0]
            self.tries[genome] += 1
            passed[genome] += 1
            if passed.min() >= self.trials:
                self._breed(rng)
                generation += 1
                begun[:], passed[:] = 0, 0

        total = wake(bodies, self.see, act, learn, steps, seed, on_episode)
        self._elect()
        return total

    def sleep(self, seed: int) -> None:
        """Nothing: without an environment nobody can be tried."""

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """The elite alone; the same with ``habit`` and without."""
        rng = np.random.default_rng((self.seed, seed))

        def act(now: Now) -> Array:
            return draw(softmax(logits(now.seen, self.genomes[:1])), rng)

        return exam(bodies, self.see, act, episodes, seed)

    def clear(self) -> None:
        self.fitness[:], self.tries[:] = 0, 0

    def cost(self) -> Cost:
        return Cost(self.updated, 16 * int((self.tries > 0).sum()), self.genomes.nbytes)

    def save(self, folder: Path) -> None:
        counts = {"fitness": self.fitness, "tries": self.tries, "updated": self.updated}
        save_arrays(folder / "population.npz", genomes=self.genomes, **counts)

    def load(self, folder: Path) -> None:
        saved = load_arrays(folder / "population.npz")
        self.genomes, self.fitness, self.tries = saved["genomes"], saved["fitness"], saved["tries"]
        self.updated = int(saved["updated"])

    def _ranked(self) -> Array:
        """Genomes from the fittest on; those whose trials in this game are not complete last."""
        known = self.tries >= self.trials
        return np.argsort(np.where(known, -self.fitness / np.maximum(self.tries, 1), np.inf), kind="stable")

    def _elect(self) -> None:
        """Give the fittest the place of the elite, and its place to the old one."""
        best = self._ranked()[0]
        for held in (self.genomes, self.fitness, self.tries):
            held[[0, best]] = held[[best, 0]]

    def _breed(self, rng: np.random.Generator) -> None:
        """The elite lives on with all its trials; the rest are mutated children of the fittest."""
        parents = self.genomes[self._ranked()[: self.parents]]
        self._elect()
        children = parents[rng.integers(len(parents), size=self.population - 1)]
        noise = rng.standard_normal(children.shape, np.float32)
        self.genomes[1:] = children + np.float32(self.mutation) * noise
        self.fitness[1:], self.tries[1:] = 0, 0
        self.updated += len(children)


def logits(seen: Array, genomes: Array) -> Array:
    """Linear answers [B, A] of genomes [B or 1, F + 1, A] to features [B, F] of norm 1; the last row is a bias."""
    unit = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)
    return np.matmul(unit[:, None], genomes[:, :-1])[:, 0] + genomes[:, -1]
