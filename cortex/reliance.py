"""How far search can be relied on where memories were given up: a model of which parts are lost can mislead.

Where the habit is sure of itself, in remembered and in dreamed states, the two are compared: the share of these states
in which search still chooses as the habit does is how far search is relied on in that situation. By day the habit acts
alone from a confidence that much lower. (Arbitration by the reliability of each system, Daw, Niv & Dayan 2005, Lee,
Shimojo & O'Doherty 2014.)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from cortex.dream import dream
from cortex.replay import moments
from cortex.types import Array, State, join, take

if TYPE_CHECKING:
    from cortex.agent import Agent

STATES = 48
"""Remembered states of a situation from which it is found: as they were, and dreamed, oftener where few are left."""
DREAMS = 16
"""Most dreams of each."""
LEAST = 16
"""Fewest states in which the habit is sure for anything to be said."""


def reliance(agent: Agent, situations: Collection[int], generator: np.random.Generator) -> dict[int, float]:
    """How far search can be relied on in each of ``situations`` of which enough is known to tell."""
    found: dict[int, float] = {}
    if not agent.habit.nights or agent.config.planner.simulations <= 0:
        return found
    for situation in sorted(situations):
        numbers = agent.hippocampus.world(situation).episodes
        states = _some(agent, numbers, generator) if numbers else None
        if states is None:
            continue
        where = np.full(len(states.code), situation, np.int32)
        dreams = min(DREAMS, 1 + STATES // len(where))  # little may be left
        dreamed = [dream(agent, states, where, generator) for _ in range(dreams)]
        told = np.concatenate([_alike(agent, part, where) for part in (states, *dreamed)])
        if len(told) >= LEAST:
            found[situation] = float(told.mean())
    return found


def _some(agent: Agent, numbers: list[int], generator: np.random.Generator) -> State | None:
    """Up to STATES states on a map, drawn from the memories ``numbers`` of one situation; None where there are none."""
    episodes = [agent.hippocampus.store.read(number) for number in numbers]
    chance = STATES / max(STATES, sum(len(episode.action) for episode in episodes))
    parts = []
    for m in moments(agent, episodes):
        picked = np.flatnonzero(generator.random(len(m.rows)) < chance)
        if len(picked) and m.before.place is not None:
            parts.append(take(m.before, picked))
    return join(parts) if parts else None


def _alike(agent: Agent, states: State, situation: Array) -> Array:
    """Of the ``states`` [n] in which the habit is sure: whether search would do what the habit does [<= n] bool."""
    habit = agent.habit(states.scene)
    rows = np.flatnonzero(habit.confidence >= agent.config.sleep.sure)
    if len(rows) == 0:
        return np.zeros(0, bool)
    model = agent.imagination.calm().model(take(states, rows), situation[rows])
    plan = agent.search(model, habit.prior[rows], agent.config.planner.simulations)
    prior = habit.prior[rows]
    likely = prior >= 0.5 * prior.max(axis=1, keepdims=True)
    followed = plan.actions[:, 0] if plan.actions.shape[1] else np.full(len(rows), -1)
    return likely[np.arange(len(rows)), np.maximum(0, followed)] & (followed >= 0)
