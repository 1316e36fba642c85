"""How far search can be relied on where memories were given up: a model of which parts are lost can mislead.

Before a night forgets, search is asked what to do in states of each situation, remembered and dreamed ones; afterwards
it is asked again. The share of them in which it still does what it would have done, times what was left of it before,
is how far it is relied on. By day the habit acts alone from a confidence that much lower. (Arbitration by the
reliability of each system, Daw, Niv & Dayan 2005; Lee, Shimojo & O'Doherty 2014.)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cortex.dream import dream
from cortex.replay import moments
from cortex.types import Array, State, join, take

if TYPE_CHECKING:
    from cortex.agent import Agent

STATES = 48
"""Remembered states of a situation; each is dreamed once, or more often where there are fewer."""
DREAMS = 16
"""Most dreams of each."""
LEAST = 8
"""Fewest states in which search knew of something that pays for anything to be said."""


@dataclass(frozen=True, slots=True)
class Asked:
    """States of one situation in which search knew of something that pays, and what it would have done."""

    state: State  # n bodies
    situation: Array  # [n]
    best: Array  # [n, A] bool


def ask(agent: Agent, situations: Collection[int], generator: np.random.Generator) -> list[Asked]:
    """What search would do in states of ``situations``, those apart in which enough of it is known."""
    asked = []
    for situation in sorted(situations) if agent.config.planner.simulations > 0 else ():
        states = _some(agent, agent.hippocampus.world(situation).episodes, generator)
        if states is None:
            continue
        where = np.full(len(states.code), situation, np.int32)
        dreams = min(DREAMS, 1 + STATES // len(where))
        states = join([states, *(dream(agent, states, where, generator) for _ in range(dreams))])
        where = np.full(len(states.code), situation, np.int32)
        plan, _ = agent.consider(states, where, agent.config.planner.simulations)
        known = np.flatnonzero(plan.known)
        if len(known) >= LEAST:
            asked.append(Asked(take(states, known), where[known], plan.best[known]))
    return asked


def reliance(agent: Agent, asked: Collection[Asked]) -> dict[int, float]:
    """How far search can be relied on in each situation of which memories were given up, now that they are."""
    relied = dict(agent.hippocampus.relied)
    for one in asked:
        situation = int(one.situation[0])
        plan, _ = agent.consider(one.state, one.situation, agent.config.planner.simulations)
        does = np.take_along_axis(one.best, plan.weights.argmax(axis=1)[:, None], axis=1)[:, 0] & plan.known
        relied[situation] = relied.get(situation, 1.0) * float(does.mean())
    return relied


def _some(agent: Agent, numbers: list[int], generator: np.random.Generator) -> State | None:
    """About STATES states on a map, drawn from the memories ``numbers`` of one situation; None where there are none."""
    episodes = [agent.hippocampus.store.read(number) for number in numbers]
    chance = STATES / max(STATES, sum(len(episode.action) for episode in episodes))
    parts = []
    for m in moments(agent, episodes):
        picked = np.flatnonzero(generator.random(len(m.rows)) < chance)
        if len(picked) and m.before.place is not None:
            parts.append(take(m.before, picked))
    return join(parts) if parts else None
