"""The floor of every score: the best that acting without looking can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cortex.modules.motor import Codec
from cortex.types import Array

EACH = 6
"""Episodes a candidate plays in each round: elites are many, so single scores may be rough."""

ELITE = 6
"""One candidate in so many shapes the next round."""

SPREAD = (1.5, 0.2)
"""Deviation of log-probabilities at first, and the floor that keeps the search awake."""


def best_constant(
    make: Callable[[], Any], episodes: int, rng: np.random.Generator, rounds: int = 8
) -> tuple[Array, float]:
    """Search the distribution over actions [A] that wins most often when every action is drawn from it.

    ``make()`` gives a gymnasium environment; its actions are numbered as the motor numbers them. An episode is won
    where ``info["success"]`` is True, or, without that key, where it terminates with a positive reward. Cross-entropy
    search over log-probabilities (Rubinstein 1999); each round spends about ``episodes`` episodes, on layouts that its
    candidates share. The success returned comes from ``episodes`` fresh episodes of the result, so choosing does not
    flatter it. Below some 400 episodes the search finds too little, and a score measured against it flatters the agent.
    """
    env = blind(make())
    actions = Codec(env.action_space).actions
    mean, deviation = np.zeros(actions), np.full(actions, SPREAD[0])
    count = max(2 * ELITE, episodes // EACH)
    for _ in range(rounds):
        drawn = mean + deviation * rng.standard_normal((count, actions))
        seeds = rng.integers(2**31, size=EACH)
        scores = [play_constant(env, _softmax(logits), seeds, rng) for logits in drawn]
        elite = drawn[sorted(range(count), key=lambda i: scores[i], reverse=True)[: max(4, count // ELITE)]]
        elite = elite - elite.mean(axis=1, keepdims=True)
        mean, deviation = elite.mean(axis=0), np.maximum(elite.std(axis=0), SPREAD[1])
    found = _softmax(mean)
    success, _ = play_constant(env, found, rng.integers(2**31, size=episodes), rng)
    env.close()
    return found, success


def blind(env: Any) -> Any:
    """Let an environment show one view for ever: nobody looks, and views are most of the cost of MiniGrid's steps.

    What happens in the environment stays as it is, step by step. Others than MiniGrid's are returned as they are.
    """
    world = env.unwrapped
    if hasattr(world, "gen_obs"):
        env.reset(seed=0)
        view = world.gen_obs()
        world.gen_obs = lambda: view
    return env


def play_constant(env: Any, distribution: Array, seeds: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Play one episode a seed with actions drawn from ``distribution`` [A]; the share won and the mean return."""
    edges, codec = np.cumsum(distribution), Codec(env.action_space)
    wins, total = 0, 0.0
    for seed in seeds:
        env.reset(seed=int(seed))
        done = False
        while not done:
            drawn = codec(np.searchsorted(edges, rng.random(64) * edges[-1], side="right"))
            for action in drawn.tolist() if drawn.ndim == 1 else drawn:
                _, reward, terminated, truncated, info = env.step(action)
                total += float(reward)
                if done := terminated or truncated:
                    wins += bool(info.get("success", terminated and reward > 0))
                    break
    return wins / len(seeds), total / len(seeds)


def _softmax(logits: Array) -> Array:
    chances = np.exp(logits - logits.max())
    return chances / chances.sum()
