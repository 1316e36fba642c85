"""Those who act without looking, many episodes at once: the floors of a game's scores, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.envs.novel_game.codes import ACTIONS
from cortex.envs.novel_game.dynamics import Terms, advance, begin
from cortex.envs.novel_game.players import play_constant
from cortex.types import Array

CANDIDATES, EACH, ELITE, ROUNDS = 96, 24, 12, 8
"""Distributions of one round, episodes each of them plays, those that shape the next round, and rounds."""

SPREAD = (1.5, 0.2)
"""Deviation of log-probabilities at first, and the floor that keeps the search awake."""

PARTS = 1000
"""A distribution is dealt in about so many parts."""

UNIFORM = PARTS * np.arange(1, ACTIONS + 1)
"""Edges of the distribution in which all actions are equally likely."""


def best_constant(game: Array, world: Array, terms: Terms, mind: Array, rng: np.random.Generator) -> Array:
    """Search the distribution that wins most often when every action is drawn from it; returns its edges [A].

    Cross-entropy search over log-probabilities (Rubinstein 1999); the candidates of a round share their layouts, and
    the uniform distribution is always among them. Judge the result on fresh episodes: choosing flatters it.
    """
    mean, deviation = np.zeros(ACTIONS), np.full(ACTIONS, SPREAD[0])
    wins = np.zeros(CANDIDATES, np.int64)
    for _ in range(ROUNDS):
        drawn = mean + deviation * rng.standard_normal((CANDIDATES, ACTIONS))
        drawn[0] = 0
        compare(game, world, terms, mind, _edges(drawn), EACH, wins)
        elite = drawn[np.argsort(-wins, kind="stable")[:ELITE]]
        elite = elite - elite.mean(axis=1, keepdims=True)
        mean, deviation = elite.mean(axis=0), np.maximum(elite.std(axis=0), SPREAD[1])
    return _edges(mean[None])[0]


def _edges(logits: Array) -> Array:
    """Log-probabilities [n, A] -> cumulated whole parts [n, A], at least one of them."""
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    parts = np.rint(PARTS * chances / chances.sum(axis=1, keepdims=True)).astype(np.int64)
    return np.cumsum(parts, axis=1)


@njit(cache=True)
def compare(game, world, terms, mind, edges, episodes, wins):  # type: ignore[no-untyped-def]
    """Let each distribution [n, A] play the same layouts; fills ``wins`` [n]. The world goes on behind those."""
    begun = world.episode
    for i in range(len(edges)):
        world.episode = begun
        wins[i] = 0
        for _ in range(episodes):
            play_constant(game, world, terms, mind, edges[i])
            wins[i] += world.success


@njit(cache=True)
def live_constant(game, world, terms, mind, edges, actions, ends, wins):  # type: ignore[no-untyped-def]
    """Play ``actions`` actions by a distribution; fills ``ends`` and ``wins`` of each episode, returns how many."""
    total, count = 0, 0
    while total < actions:
        play_constant(game, world, terms, mind, edges)
        total += world.clock
        ends[count], wins[count] = total, world.success
        count += 1
    return count


@njit(cache=True)
def recite(game, world, terms, actions, lengths, episodes, wins):  # type: ignore[no-untyped-def]
    """Let each string of ``actions`` [n, L] play the same layouts once through; fills ``wins`` [n]."""
    begun = world.episode
    for i in range(len(actions)):
        world.episode = begun
        wins[i] = 0
        for _ in range(episodes):
            begin(game, world, terms)
            for t in range(lengths[i]):
                if not world.over:
                    advance(game, world, terms, actions[i, t])
            wins[i] += world.success
