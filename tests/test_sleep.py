"""The night: what it teaches, what it leaves alone, and that its controls fail."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import cortex
from cortex.curriculum import choose, search_again
from cortex.day import living
from cortex.measure import examine
from cortex.sleep import night, prune, settle

DAY = ("life.held_out=0", "life.bodies=4", "life.steps=100000", "planner.simulations=256", "habit.trust=2")
NIGHT = ("sleep.steps=400", "sleep.states=1200", "sleep.batch=64", "sleep.world_model_steps=100", "habit.width=32")
TASK = "MiniGrid-Empty-5x5-v0"


def grown(*overrides: str) -> cortex.Agent:
    torch.set_num_threads(1)
    return cortex.Agent.make(TASK, *DAY, *NIGHT, *overrides, seed=1).learn(600)


@pytest.fixture(scope="module")
def lived() -> cortex.Agent:
    """An agent that has lived one day and not slept."""
    return grown()


def wins(agent: cortex.Agent) -> float:
    return examine(agent.lesioned("hippocampus", "planner"), agent.bodies, 12, seed=5, temperature=1.0).success


def test_a_night_keeps_what_the_day_found_and_the_controls_do_not(lived: cortex.Agent) -> None:
    newborn, digest = lived.weights(), lived.digest()
    newborn = {name: value.clone() for name, value in newborn.items()}
    mean_without = np.mean(lengths(lived))
    told = night(lived, np.random.default_rng(0))
    assert lived.digest() != digest and not told["rolled_back"]
    assert told["agreement_after"] > 0.85 > 0.6 > told["agreement_before"]
    kept = np.mean(lengths(lived))
    assert wins(lived) == 1.0 and kept < 8 < mean_without
    lived.restore(newborn)
    assert lived.digest() == digest, "what was saved before the night is put back bit for bit"
    shuffled = night(lived, np.random.default_rng(0), shuffled=True)
    assert shuffled["agreement_after"] < told["agreement_after"] - 0.2
    assert np.mean(lengths(lived)) > 2 * kept, "a night on shuffled targets teaches nothing"
    lived.restore(newborn)


def lengths(agent: cortex.Agent) -> list[int]:
    """Lengths of twelve episodes of the habit alone."""
    alone, found = agent.lesioned("hippocampus", "planner"), []
    for _, _, _, ended in living(alone, agent.bodies, 3, np.random.default_rng(3), 1.0):
        found += [episode.steps for episode in ended]
        if len(found) >= 12:
            return found[:12]
    raise AssertionError


def test_zero_steps_are_no_night(lived: cortex.Agent) -> None:
    agent = lived.lesioned("night")
    digest = agent.digest()
    assert night(agent, np.random.default_rng(0))["updates"] == 0 and agent.digest() == digest


def test_a_night_that_has_no_time_tells_how_little_it_learned(lived: cortex.Agent) -> None:
    weights = {name: value.clone() for name, value in lived.weights().items()}
    told = night(lived.lesioned("sleep.seconds=1e-6", "sleep.states=64", "sleep.guard=1"), np.random.default_rng(0))
    assert told["updates"] == 100 + 1, "those of the world model, and one of the habit"
    lived.restore(weights)


def test_zero_states_are_next_to_no_night() -> None:
    kind = {"game_seed": 5, "difficulty": 1, "level": 1}
    bodies = gymnasium.make_vec("cortex/NovelGame-v0", 2, vectorization_mode="vector_entry_point", **kind)
    few = ("planner.simulations=64", "life.steps=100000", "sleep.states=0", "sleep.world_model_steps=2")
    agent = cortex.Agent.make(bodies, *few, "sleep.steps=2", seed=0).learn(100)
    assert night(agent, np.random.default_rng(0))["chosen"] < 10


def test_what_exceeds_the_capacity_is_forgotten_without_a_night_too() -> None:
    agent = grown("hippocampus.capacity=200", "sleep.steps=0")
    digest = agent.digest()
    assert agent.hippocampus.store.steps > 200
    agent.sleep()
    assert agent.hippocampus.store.steps <= 200 and agent.digest() == digest


class Line(gymnasium.Env[Any, Any]):
    """A corridor without a view: the place is a number, and nothing can be dreamed up of it."""

    observation_space, action_space = gymnasium.spaces.Discrete(6), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        self.place = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.place = max(0, self.place + (1 if action else -1))
        won = self.place == 5
        return self.place, float(won), won, False, {"success": won}


def test_where_few_episodes_are_kept_and_none_is_dreamed_states_judge_the_night() -> None:
    few = ("planner.simulations=32", "sleep.steps=30", "sleep.states=400", "sleep.world_model_steps=2")
    agent = cortex.Agent.make(Line(), *few, "life.steps=100000", seed=0).learn(40)
    assert 2 < len(settle(agent)) < 10, "too few for one to be kept aside"
    told = agent.sleep()
    assert told["agreement_after"] > 0 and agent.habit.calibration.any()


def test_with_nothing_remembered_a_night_changes_no_habit() -> None:
    agent = cortex.Agent.make(TASK, *DAY, *NIGHT)
    assert night(agent, np.random.default_rng(0))["chosen"] == 0
    assert int(agent.habit.nights) == 0


def test_a_night_that_makes_things_worse_is_rolled_back(lived: cortex.Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    from cortex import sleep

    before = lived.digest()
    told = iter([0.9, 0.2])
    monkeypatch.setattr(sleep, "agreement", lambda agent, lessons: next(told))
    assert night(lived, np.random.default_rng(0))["rolled_back"] and lived.digest() == before


def test_memory_over_its_capacity_is_slept_on_whole_and_then_fades_and_the_statistics_with_it() -> None:
    agent = grown(
        "hippocampus.capacity=200", "hippocampus.gist=0", "sleep.steps=1", "sleep.world_model_steps=0", "sleep.states=8"
    )
    memory = agent.hippocampus

    def counted() -> int:
        return sum(sum(outcomes.values()) for outcomes in memory.worlds[0].interactions.outcomes.values())

    lived, known = memory.store.steps, counted()
    assert night(agent, np.random.default_rng(0))["chosen"] > 0 and memory.store.steps == lived
    told = prune(agent, np.random.default_rng(0))
    assert memory.store.steps == told["kept"] <= 200 and told["kept"] + told["forgotten"] == lived
    assert counted() < known
    again = prune(agent, np.random.default_rng(1))
    assert again == told, "one who was killed here prunes again, and loses nothing more"


def test_the_night_chooses_today_and_yesterday_alike(lived: cortex.Agent) -> None:
    lived.hippocampus.day += 1
    episodes = settle(lived)
    chosen = choose(lived, episodes, np.random.default_rng(0))
    old, probe = (np.concatenate([getattr(part, name) for part in chosen]) for name in ("old", "probe"))
    assert old.all(), "nothing was lived today"
    assert len(old) == pytest.approx(600, abs=120) and 0 < probe.mean() < 0.4
    lived.hippocampus.day -= 1


def test_a_game_of_which_one_episode_is_left_is_learned_in_every_night(lived: cortex.Agent) -> None:
    """Were its only episode kept aside to judge the night, it would not be replayed, and be forgotten in one night."""
    episode = max(settle(lived), key=lambda e: len(e.action))
    for seed in range(30):
        generator = np.random.default_rng(seed)
        (group,) = choose(lived, [episode], generator)
        assert not group.probe.any()
    lessons = search_again(lived, [group], generator, None)
    assert 0 < lessons.probe.mean() < 0.3 and not lessons.probe[~lessons.dreamed].any()
