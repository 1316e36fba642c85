"""Between habit and search: who is believed where memories were given up."""

from __future__ import annotations

import numpy as np
import torch

import cortex
from cortex.day import living
from cortex.keep import awaken
from cortex.reliance import ask, reliance
from cortex.sleep import night, prune

DAY = ("life.held_out=0", "life.bodies=4", "life.steps=100000", "planner.simulations=256", "habit.trust=1")
NIGHT = ("sleep.steps=400", "sleep.states=1200", "sleep.batch=64", "sleep.world_model_steps=100", "habit.width=32")


def searched(agent: cortex.Agent) -> float:
    """Share of decisions that search took."""
    asked = [trace.searched for _, (trace, *_) in zip(range(20), living(agent, agent.bodies, 3, draw(3)), strict=False)]
    return float(np.mean(asked))


def draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_search_is_relied_on_less_where_what_it_needs_was_given_up() -> None:
    torch.set_num_threads(1)
    agent = cortex.Agent.make("MiniGrid-Empty-5x5-v0", *DAY, *NIGHT, "hippocampus.capacity=400", seed=1).learn(600)
    memory = agent.hippocampus
    night(agent, draw(0))
    assert memory.reliance(np.array([0, 1])).tolist() == [1.0, 1.0]
    prune(agent, draw(0))
    assert memory.relied[0] > 0.8, "enough is left"
    told = memory.relied
    awaken(agent)
    assert memory.relied == told, "it is known the next morning too"

    memory.rely({})
    asked, store = ask(agent, [0, 7], draw(0)), memory.store
    assert len(asked) == 1 and reliance(agent, asked) == {0: 1.0}, "nothing is lost yet"
    store.delete([number for number in store.episodes() if store.read(number).success])
    awaken(agent)
    assert reliance(agent, asked)[0] < 0.3, "who has never seen it pay cannot search for it"
    memory.rely({0: 0.5})
    assert reliance(agent, asked)[0] < 0.15, "what was lost before stays lost"

    memory.day += 1
    memory.rely({0: 1.0})
    before = searched(agent)
    memory.rely({0: 0.2})
    assert searched(agent) < 0.5 * before
    assert searched(agent.lesioned("habit")) > 0.5 * before, "without a habit all is searched"
