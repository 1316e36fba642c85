"""The floor of every score: the best that acting without looking can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cortex.types import Array

RUNGS = ((60, 0), (10, 10), (5, 5), (4, 0))
"""Successive halving: (distributions kept from the rung before, new ones drawn around its best)."""

NEAR = (15.0, 60.0)
"""Concentrations of the Dirichlet draws around the best distributions: coarse, then fine."""


def best_constant(
    make: Callable[[], Any], episodes: int, rng: np.random.Generator, rungs: Sequence[tuple[int, int]] = RUNGS
) -> tuple[Array, float]:
    """Search the distribution over actions [A] that wins most often when every action is drawn from it.

    ``make()`` gives a gymnasium environment with Discrete actions; an episode is won where ``info["success"]`` is True,
    or, without that key, where it terminates with a positive reward. Random search with successive halving and
    refinement (Jamieson & Talwalkar 2016); every rung spends ``episodes`` episodes, on layouts that its candidates
    share. The success returned comes from ``episodes`` fresh episodes of the winner, so choosing does not flatter it.
    """
    env = make()
    actions = int(env.action_space.n)
    pool = [np.full(actions, 1 / actions)]
    pool += [rng.dirichlet(np.full(actions, sharpness)) for sharpness in np.resize([0.3, 0.7, 1.5], rungs[0][0] - 1)]
    for kept, drawn in rungs:
        pool = pool[:kept]
        pool += [_near(pool[i % min(3, len(pool))], NEAR[i % len(NEAR)], rng) for i in range(drawn)]
        seeds = rng.integers(2**31, size=max(1, episodes // len(pool)))
        scores = [play_constant(env, distribution, seeds, rng) for distribution in pool]
        pool = [pool[i] for i in sorted(range(len(pool)), key=lambda i: scores[i], reverse=True)]
    success, _ = play_constant(env, pool[0], rng.integers(2**31, size=episodes), rng)
    env.close()
    return pool[0], success


def play_constant(env: Any, distribution: Array, seeds: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Play one episode a seed with actions drawn from ``distribution`` [A]; the share won and the mean return."""
    edges = np.cumsum(distribution)
    wins, total = 0, 0.0
    for seed in seeds:
        env.reset(seed=int(seed))
        done = False
        while not done:
            for action in np.searchsorted(edges, rng.random(64) * edges[-1], side="right").tolist():
                _, reward, terminated, truncated, info = env.step(action)
                total += float(reward)
                if done := terminated or truncated:
                    wins += bool(info.get("success", terminated and reward > 0))
                    break
    return wins / len(seeds), total / len(seeds)


def _near(distribution: Array, concentration: float, rng: np.random.Generator) -> Array:
    """Draw a distribution around another; the small floor lets an action that was never tried come back."""
    return rng.dirichlet(concentration * distribution + 0.02)
