"""What is at stake: where a mistake cannot be taken back there is much to lose, elsewhere nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

import cortex
from cortex import sleep
from cortex.curriculum import choose
from cortex.day import live_day
from cortex.envs.make import make_vector
from cortex.stakes import at_stake
from cortex.types import State, join


def lived(env: Any, steps: int) -> tuple[cortex.Agent, State]:
    """An agent that lived ``steps`` in an environment, and states that it remembers."""
    agent = cortex.Agent.make(env, "planner.simulations=256", "sleep.states=400", seed=0)
    live_day(agent, make_vector(env, 2, 1, held_out=0), steps, 1, np.random.default_rng(1))
    return agent, join(choose(agent, sleep.settle(agent), np.random.default_rng(0))).state


def asked(agent: cortex.Agent, state: State) -> tuple[Any, Any]:
    """What states are worth to search, and what is at stake in them."""
    situation = np.zeros(len(state.code), np.int64)
    plan, top = agent.consider(state, situation, 256)
    value = np.clip(plan.value / max(1.0, top), 0, 1)
    return value, at_stake(agent, state, situation, value, 256)


def test_where_a_thing_can_be_pushed_to_where_it_stays_there_is_much_to_lose() -> None:
    agent, state = lived(lambda: gymnasium.make("cortex/NovelGame-v0", game_seed=942, difficulty=3), 500)
    value, stake = asked(agent, state)
    assert ((stake >= 0) & (stake <= value + 1e-6)).all()
    dear, free = stake > 0.3, stake == 0
    assert 0.05 < dear.mean() < 0.6 and free.mean() > 0.2
    # Among the actions of a dear state is one after which even a long search finds much less than there was.
    model: Any = agent.imagination.calm().model(state, np.zeros(len(value), np.int64))
    told, least = model.expand(model.roots()), value.copy()
    for action in range(agent.motor.actions):
        nodes = model.pick(told.children, np.arange(len(value)) * agent.motor.actions + action)
        then = replace(state, place=model.place_at(nodes))
        beyond = agent.consider(then, np.zeros(len(value), np.int64), 1024)[0].value / max(1.0, model.top)
        least = np.minimum(least, np.where(told.end[:, action] > 0.5, told.reward[:, action], beyond))
    assert (least[dear] < value[dear] - 0.2).mean() > 0.9 and (least[free] < value[free] - 0.3).mean() < 0.05


def test_where_one_only_walks_about_nothing_is_at_stake() -> None:
    agent, state = lived("MiniGrid-Empty-5x5-v0", 200)
    value, stake = asked(agent, state)
    assert value.any() and not stake.any()


def test_where_there_is_no_map_nothing_is_known_to_be_at_stake() -> None:
    agent = cortex.Agent.make("CartPole-v1", "planner.simulations=32", "sleep.states=100", seed=0)
    live_day(agent, agent.bodies, 200, 1, np.random.default_rng(1))
    state = join(choose(agent, sleep.settle(agent), np.random.default_rng(0))).state
    assert not asked(agent, state)[1].any()
