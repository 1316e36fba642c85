"""Exams, scores and intervals: what is counted, and what is not learned."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from cortex.agent import Agent
from cortex.build import build
from cortex.config import load
from cortex.day import live_day
from cortex.envs.make import make_vector
from cortex.measure import examine, interval, score, wilson
from cortex.types import CortexError


class Lengths(gymnasium.Env[Any, Any]):
    """The first body's episodes last 2 steps and are won, the second's last 20 and are lost."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)
    made = 0

    def __init__(self) -> None:
        self.slow = Lengths.made % 2
        Lengths.made += 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.clock = 0
        return 0, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.clock += 1
        over = self.clock == (20 if self.slow else 2)
        return 1, float(over and not self.slow), over, False, {}


class Broken(Lengths):
    """Its observations are not in its space."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return 7, 0.0, False, False, {}


class Unfinished(gymnasium.Env[Any, Any]):
    """It sends a number that is not finite now and then."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.clock = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.clock += 1
        bad = self.clock == 3 and bool(action)
        seen = np.array([np.nan if bad else self.clock / 10, 0], np.float32)
        return seen, 1.0, self.clock == 5, False, {}


def agent_for(bodies: Any, *overrides: str) -> Agent:
    config = load("planner.simulations=8", "habit.width=8", "world_model.width=8", *overrides)
    return build(config, bodies.single_observation_space, bodies.single_action_space)


@pytest.fixture
def two() -> Any:
    Lengths.made = 0
    return make_vector(Lengths, 2, 0, held_out=0)


def test_short_episodes_do_not_crowd_out_long_ones(two: Any) -> None:
    found = examine(agent_for(two), two, 10, seed=0)
    assert (found.episodes, found.wins, found.success, found.steps, found.reward) == (10, 5, 0.5, 11.0, 0.5)


def test_an_exam_writes_neither_rows_nor_weights() -> None:
    bodies = make_vector("MiniGrid-DoorKey-5x5-v0", 2, 0)
    agent = agent_for(bodies)
    live_day(agent, bodies, 60, 0, np.random.default_rng(0))
    before = agent.digest(), agent.hippocampus.store.episodes(), len(agent.hippocampus.scenes)
    examine(agent, make_vector("MiniGrid-DoorKey-5x5-v0", 2, 0, "exam"), 2, seed=0)
    assert (agent.digest(), agent.hippocampus.store.episodes(), len(agent.hippocampus.scenes)) == before
    assert not agent.hippocampus.unfinished


def test_who_learns_nothing_from_what_it_tries_acts_cooler(two: Any) -> None:
    agent = agent_for(two, "motor.calm=0.5")
    assert agent.calm().motor.temperature == 0.5 * agent.motor.temperature > 0


def test_the_same_exam_twice_finds_the_same(two: Any) -> None:
    agent = agent_for(two)
    assert examine(agent, two, 4, seed=3) == examine(agent, two, 4, seed=3)


def test_search_is_told_apart_from_habit(two: Any) -> None:
    assert examine(agent_for(two), two, 2, seed=0).searched == 1
    assert examine(agent_for(two, "lesion=planner"), two, 2, seed=0).searched == 0


def test_an_environment_that_only_fails_ends_the_exam_with_its_fault() -> None:
    bodies = make_vector(Broken, 2, 0, held_out=0)
    with pytest.raises(CortexError, match="not in Discrete"):
        examine(agent_for(bodies), bodies, 4, seed=0)


def test_what_is_not_finite_never_reaches_memory() -> None:
    bodies = make_vector(Unfinished, 2, 0, held_out=0)
    agent = agent_for(bodies)
    faults: list[str | None] = []
    live_day(agent, bodies, 200, 0, np.random.default_rng(0), lambda _, ended: faults.extend(e.fault for e in ended))
    told = [fault for fault in faults if fault]
    assert told and all("not finite" in fault for fault in told) and len(told) < len(faults)
    kept = [agent.hippocampus.store.read(number) for number in agent.hippocampus.store.episodes()]
    whole = [len(episode.action) for episode in kept if episode.terminated]
    assert set(whole) == {5} and np.isfinite(agent.codebook.vectors).all()


def test_scores_and_intervals() -> None:
    assert score(0.55, 0.1) == pytest.approx(0.5) and score(0.1, 0.1) == 0 and math.isnan(score(1, 1))
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3))
    assert wilson(0, 0) == (0, 1)


def test_the_interval_over_seeds_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        low, high = interval(random.normal(0.5, 0.1, 20).tolist())
        covered += low <= 0.5 <= high
    assert 50 <= covered <= 60
    assert interval([0.7]) == (0.7, 0.7) and interval([0.4] * 5) == (0.4, 0.4)
    assert all(map(math.isnan, interval([]))) and all(map(math.isnan, interval([0.1, math.nan])))
    low, high = interval([1, 1, 1, 1, 0.9])
    assert 0.9 <= low < high <= 1
