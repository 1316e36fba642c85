"""An exam: how well the agent does as it is, without learning anything from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cortex.day import Bodies, Ended, living
from cortex.types import CortexError

if TYPE_CHECKING:
    from cortex.agent import Agent


@dataclass(frozen=True, slots=True)
class Exam:
    """What an exam found; means are over its episodes."""

    success: float  # share of episodes won
    episodes: int
    steps: float  # mean length
    reward: float  # mean return, not discounted
    wins: int
    searched: float  # mean share of steps that search decided
    faults: int = 0  # episodes left out because their environment failed


def examine(
    agent: Agent,
    bodies: Bodies,
    episodes: int,
    seed: int,
    temperature: float | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Exam:
    """Play ``episodes`` episodes, without curiosity, and remember none of them; ``temperature`` as in `Agent.act`.

    ``on_step`` gets the episodes counted so far.

    Raises CortexError as `sit` does.
    """
    if episodes <= 0:
        return Exam(0.0, 0, 0.0, 0.0, 0, 0.0)
    counted, faults = sit(agent, bodies, episodes, seed, temperature, on_step)
    wins = sum(episode.success for episode in counted)
    return Exam(
        success=wins / len(counted),
        episodes=len(counted),
        steps=float(np.mean([episode.steps for episode in counted])),
        reward=float(np.mean([episode.reward for episode in counted])),
        wins=wins,
        searched=float(np.mean([episode.searched for episode in counted])),
        faults=faults,
    )


def sit(
    agent: Agent,
    bodies: Bodies,
    episodes: int,
    seed: int,
    temperature: float | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[list[Ended], int]:
    """The episodes of an exam in the order in which they ended, and how many were left out for faults.

    Every body has the same number of episodes to play, or one less: the first to end would be the short ones.
    Episodes that end by a fault of the environment are played again instead of counted. Raises CortexError where two
    of three end so.
    """
    quota = np.full(bodies.num_envs, episodes // bodies.num_envs)
    quota[: episodes % bodies.num_envs] += 1
    counted: list[Ended] = []
    faults = 0
    for _, _, _, finished in living(agent.calm(), bodies, seed, np.random.default_rng(seed), temperature):
        for episode in finished:
            faults += episode.fault is not None
            if episode.fault and faults > 2 * episodes + 2:
                raise CortexError(
                    f"the exam was given up after {faults} faults, the last of which was: {episode.fault}"
                )
            if episode.fault is None and quota[episode.body]:
                quota[episode.body] -= 1
                counted.append(episode)
        if on_step is not None:
            on_step(len(counted))
        if not quota.any():
            break
    return counted, faults
