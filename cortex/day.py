"""A day: the loop of acting and observing over the bodies of one environment. No weight changes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import VectorEnv

from cortex.types import Array, Outcome

if TYPE_CHECKING:
    from cortex.agent import Agent, Trace
    from cortex.record import Watcher

Bodies = VectorEnv[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """One finished episode, as a score keeper sees it."""

    body: int
    steps: int
    reward: float  # its undiscounted return
    success: bool
    searched: float  # share of its steps that search decided, now or by a line found before
    total: int  # environment steps of all bodies when it ended
    fault: str | None = None


def living(
    agent: Agent, bodies: Bodies, seed: int, generator: np.random.Generator, temperature: float | None = None
) -> Iterator[tuple[Trace, Array, Outcome, list[Ended]]]:
    """Act, step by step and without end; the caller observes. Yields trace, actions, outcome and the episodes that
    ended."""
    observation, _ = bodies.reset(seed=seed)
    count, sensed = bodies.num_envs, agent.perceive(observation)
    carry = agent.initial(count)
    first, ended = np.ones(count, bool), np.zeros(count, bool)
    length, reward_sum, decided = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
    total = 0
    while True:
        action, carry, trace = agent.act(carry, sensed, first, generator, temperature, idle=ended)
        observation, reward, terminated, truncated, info = bodies.step(agent.command(action))
        sensed, faults = agent.perceive(observation), info.get("fault", [None] * count)
        # gymnasium resets on the step after the end: that step is no experience, and its action is ignored.
        valid = ~ended
        success = np.asarray(info.get("success", np.zeros(count)), bool)
        outcome = Outcome(sensed, np.asarray(reward, np.float32), terminated, truncated, success, valid)
        length += valid
        total += int(valid.sum())
        reward_sum += np.where(valid, outcome.reward, 0)
        for part in trace.parts:
            decided[part.bodies] += valid[part.bodies] & (part.searched | part.followed)
        over = outcome.done & valid
        finished = [
            Ended(
                int(b),
                int(length[b]),
                float(reward_sum[b]),
                bool(success[b]),
                float(decided[b] / max(1, length[b])),
                total,
                faults[b],
            )
            for b in np.flatnonzero(over)
        ]
        yield trace, action, outcome, finished
        first, ended = ~valid, over
        length[over], reward_sum[over], decided[over] = 0, 0, 0


def live_day(
    agent: Agent,
    bodies: Bodies,
    steps: int,
    seed: int,
    generator: np.random.Generator,
    on_step: Callable[[int, list[Ended]], bool | None] | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Live ``steps`` environment steps (all bodies together) and remember them; returns the steps lived.

    ``on_step`` gets the steps so far and the episodes that just ended; the day ends early where it returns False.
    ``watcher`` looks on and changes nothing.
    """
    total = 0
    for trace, action, outcome, finished in living(agent, bodies, seed, generator):
        if watcher is not None:
            watcher.decided(trace, action)
        faulty = [episode.body for episode in finished if episode.fault]
        if faulty:
            agent.drop(faulty)
            outcome.valid[faulty] = False
        agent.observe(trace, action, outcome)
        total += int(outcome.valid.sum()) + len(faulty)
        if watcher is not None:
            watcher.came(outcome, total)
        if (on_step is not None and on_step(total, finished) is False) or total >= steps:
            break
    agent.hippocampus.flush()
    if watcher is not None:
        watcher.end()
    return total
