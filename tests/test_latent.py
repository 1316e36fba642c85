"""Search in latents: when it is used, and that what it imagines is what the agent remembers and has learned."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import cortex
from cortex import latent
from cortex.day import living
from cortex.imagination import WholeModel
from cortex.latent import LatentModel

SHORT = ("life.bodies=2", "life.held_out=0", "sleep.steps=60", "sleep.states=200", "planner.simulations=40")


def lived(task: str, steps: int, *settings: str) -> cortex.Agent:
    """An agent that lived one day and slept."""
    agent = cortex.Agent.make(task, *SHORT, f"life.steps={steps}", "world_model.trust=0.5", *settings, seed=0)
    agent.learn(steps)
    return agent


def moments(agent: cortex.Agent, steps: int) -> list[Any]:
    lives = living(agent, agent.bodies, 3, np.random.default_rng(3))
    return [moment for _, moment in zip(range(steps), lives)]


def model_of(agent: cortex.Agent, trace: Any) -> WholeModel:
    model = agent.imagination.model(trace.state, trace.situation)
    assert isinstance(model, WholeModel)
    return model


@pytest.fixture(scope="module")
def balancer() -> cortex.Agent:
    return lived("CartPole-v1", 600)


def test_scenes_that_never_come_back_are_searched_in_latents_once_something_was_learned(balancer: cortex.Agent) -> None:
    trace = moments(balancer, 2)[-1][0]
    assert balancer.hippocampus.scenes.repeated == 0 and latent.fits(model_of(balancer, trace))
    searched = trace.searched
    assert searched.any() and (trace.plan.nodes[searched] == latent.ENOUGH).all()
    assert (trace.plan.best[searched].sum(axis=1) == 1).all() and not trace.plan.known.any()
    newborn = cortex.Agent.make("CartPole-v1", *SHORT, seed=0)
    trace = moments(newborn, 2)[-1][0]
    assert not latent.fits(model_of(newborn, trace))
    np.testing.assert_array_equal(trace.plan.weights, 0.5)


def test_scenes_that_come_back_are_told_apart() -> None:
    walker = lived("FrozenLake-v1", 300)
    trace = moments(walker, 1)[-1][0]
    assert walker.hippocampus.scenes.repeated > 0.5 and not latent.fits(model_of(walker, trace))


def test_without_simulations_the_habit_acts_alone(balancer: cortex.Agent) -> None:
    trace = moments(balancer.lesioned("planner"), 2)[-1][0]
    np.testing.assert_array_equal(trace.plan.weights, trace.habit.prior)
    assert not trace.plan.nodes.any()


def test_what_was_lived_is_imagined_as_it_was(balancer: cortex.Agent) -> None:
    lives = moments(balancer, 30)
    for trace, action, outcome, _ in lives:
        balancer.observe(trace, action, outcome)
    for (trace, action, outcome, _), (after, *_) in itertools.pairwise(lives):
        going = np.flatnonzero(outcome.valid & ~outcome.done)
        told = LatentModel(model_of(balancer, trace), balancer.habit, 0.9)
        step = told.step(told.roots()[going], action[going])
        np.testing.assert_array_equal(step.latent["code"], after.state.code[going])
        np.testing.assert_allclose(step.reward, 1)
        np.testing.assert_allclose(step.discount, 0.9)


def test_what_was_learned_fills_in_and_a_fall_ends_the_line(balancer: cortex.Agent) -> None:
    """Away from what was lived the learned model answers: upright poles stand, falling ones fall."""
    trace = moments(balancer, 1)[0][0]
    model = LatentModel(model_of(balancer, trace), balancer.habit, 0.9)
    nodes, alive = model.roots(), np.ones(2)
    depth = 0
    while (alive > 0.3).any() and depth < 60:
        step = model.step(nodes, np.zeros(2, np.int64))
        nodes, alive, depth = step.latent, alive * (step.discount > 0), depth + 1
    assert 4 < depth < 30  # the cart that is always pushed left loses its pole
