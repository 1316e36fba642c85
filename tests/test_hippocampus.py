"""The hippocampus finds what is nearest, forgets by rank, is silent without capacity, and follows from its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import cortex
from cortex.day import live_day, living
from cortex.modules.hippocampus import memory
from cortex.modules.hippocampus.forgetting import forgotten, retention
from cortex.modules.hippocampus.scenes import Scenes
from cortex.modules.hippocampus.situations import Situations
from cortex.replay import moments, relearn
from cortex.types import Array, Percept

TASKS = ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-GoToDoor-5x5-v0"]


def live(agent: cortex.Agent, steps: int, seed: int) -> None:
    live_day(agent, agent.bodies, steps, seed, np.random.default_rng(seed))


@pytest.fixture(scope="module", params=TASKS)
def agent(request: pytest.FixtureRequest) -> cortex.Agent:
    """One that lived until it knows its body, and then a stretch in which every statistic was counted as it came."""
    made = cortex.Agent.make(request.param, "life.bodies=8", "planner.simulations=128", seed=0)
    live(made, 500, 1)
    assert made.hippocampus.motions.resolved
    relearn(made.hippocampus, made.context, made.multimodal, made.imagination.motions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "PAIRS", 0)  # the body schema is settled
        live(made, 300, 2)
    return made


def statistics(agent: cortex.Agent) -> dict[str, Any]:
    """All that the hippocampus knows, under names that do not depend on the order in which it was learned."""
    brain = agent.hippocampus
    scenes, events = brain.scenes, brain.events
    name = scenes.identity
    rows = {name[entry]: entry for entry in range(len(scenes))}
    return {
        "interactions": {key: dict(counts) for key, counts in brain.interactions.outcomes.items()},
        "events": {tuple(events.features[at].tolist()): events.counts[at] for at in events._index.values()},
        "follows": {
            (name[entry], action): {name[after]: times for after, times in counts.items()}
            for (entry, action), counts in scenes.follows.items()
        },
        "ends": {(name[entry], action): sums for (entry, action), sums in scenes.ends.items()},
        "returns": {key: scenes.returns[entry] for key, entry in rows.items()},
        "tried": {key: scenes.tried[entry] for key, entry in rows.items()},
        "row": {key: int(scenes.row[entry]) for key, entry in rows.items()},
        "latent": {key: scenes.index.reconstruct(entry) for key, entry in rows.items()},
        "situations": dict(enumerate(np.column_stack([brain.situations.sums, brain.situations.counts]))),
        "reward": {"largest": brain.largest_reward, "worth": events.worth},
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for part, table in one.items():
        assert table.keys() == other[part].keys(), part
        for key, value in table.items():
            if isinstance(value, dict):
                assert value == other[part][key], (part, key)
            else:
                np.testing.assert_allclose(value, other[part][key], atol=1e-4, err_msg=f"{part} {key}")


def test_what_was_counted_as_it_came_is_what_the_rows_say(agent: cortex.Agent) -> None:
    online = statistics(agent)
    assert all(len(table) > 1 for part, table in online.items() if part != "situations")
    relearn(agent.hippocampus, agent.context, agent.multimodal, agent.imagination.motions)
    assert_same(online, statistics(agent))


def test_the_body_is_found_again_from_the_rows(agent: cortex.Agent) -> None:
    known = agent.hippocampus.motions
    agent.hippocampus.recollect()
    again = agent.hippocampus.motions
    assert again.resolved
    for name in ("rotation", "shift", "own", "front"):
        np.testing.assert_array_equal(getattr(again, name), getattr(known, name))


def test_with_every_index_deleted_and_rebuilt_the_next_actions_are_the_same(agent: cortex.Agent) -> None:
    def actions() -> Array:
        lives = living(agent, agent.bodies, 5, np.random.default_rng(5))
        return np.array([action for _, (_, action, _, _) in zip(range(25), lives)])

    relearn(agent.hippocampus, agent.context, agent.multimodal, agent.imagination.motions)
    before = actions()
    agent.hippocampus.clear()
    assert len(agent.hippocampus.scenes) == 0
    relearn(agent.hippocampus, agent.context, agent.multimodal, agent.imagination.motions)
    np.testing.assert_array_equal(actions(), before)


def test_recall_finds_what_is_nearest(agent: cortex.Agent) -> None:
    brain = agent.hippocampus
    numbers = brain.store.episodes()[:20]
    episodes = [brain.store.read(number) for number in numbers]
    vectors = np.stack([brain.scenes.index.reconstruct(i) for i in range(len(brain.scenes))])
    asked = 0
    for moment in moments(episodes, agent.context, agent.multimodal, brain.motions):
        first = np.zeros(len(moment.rows), bool)
        found = brain.recall(Percept(moment.latent), first, np.zeros(len(first), np.int32))
        exact = np.sort(moment.latent @ vectors.T, axis=1)[:, ::-1][:, : brain.k]
        np.testing.assert_allclose(found.similarity[:, : exact.shape[1]], exact, atol=1e-4)
        assert found.similarity[:, 0].min() > 1 - 1e-4 and found.novelty.max() < 1e-4
        for row in found.rows[:, 0].tolist():
            assert row in brain.store.episodes()
        asked += len(first)
    assert asked > 50


def test_what_actions_led_to_is_the_discounted_return_of_the_rows(agent: cortex.Agent) -> None:
    brain, names = agent.hippocampus, agent.context.names[0]
    relearn(brain, agent.context, agent.multimodal, brain.motions)
    sums: dict[tuple[int, int], float] = {}
    for number in brain.store.episodes():
        episode = brain.store.read(number)
        code = (episode.codes.astype(np.int64) * names[: episode.codes.shape[1]]).sum(axis=1)
        power = brain.discount ** np.arange(len(episode.action))
        for t, action in enumerate(episode.action.tolist()):
            later = float((episode.reward[t:] * power[: len(power) - t]).sum())
            sums[int(code[t]), action] = sums.get((int(code[t]), action), 0.0) + later
    for (name, action), total in sums.items():
        assert brain.scenes.returns[brain.scenes.entry[name], action] == pytest.approx(total, abs=1e-3)
    assert max(sums.values()) > 0.5


def test_something_never_seen_is_novel(agent: cortex.Agent) -> None:
    strange = np.random.default_rng(0).standard_normal((4, agent.multimodal.width)).astype(np.float32)
    strange /= np.linalg.norm(strange, axis=1, keepdims=True)
    found = agent.hippocampus.recall(Percept(strange), np.ones(4, bool), np.zeros(4, np.int32))
    assert found.novelty.min() > 0.3
    assert (found.situation == len(agent.hippocampus.situations)).all()  # another game


def test_without_capacity_nothing_is_kept_and_nothing_is_known() -> None:
    silent = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "hippocampus.capacity=0", "life.bodies=4", seed=0)
    live(silent, 300, 0)
    brain = silent.hippocampus
    relearn(brain, silent.context, silent.multimodal, silent.imagination.motions)
    assert not brain.motions.resolved and not brain.store.episodes() and not len(brain.scenes)
    assert not len(brain.interactions) and not len(brain.situations)
    latent = np.zeros((3, silent.multimodal.width), np.float32)
    found = brain.recall(Percept(latent), np.ones(3, bool), np.zeros(3, np.int32))
    assert (found.novelty == 1).all() and not found.tried.any() and not found.value.any() and found.rows.shape == (3, 0)
    assert brain.interactions.predict(np.zeros(1, int), np.ones(1, int), np.ones(1, int))[3][0] >= 0.5
    assert brain.events.predict(np.ones((1, 7), int))[2].all()


def test_nothing_of_a_faulty_episode_is_kept() -> None:
    made = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "life.bodies=2", "planner.simulations=0", seed=0)
    trace, action, outcome, _ = next(living(made, made.bodies, 0, np.random.default_rng(0)))
    made.observe(trace, action, outcome)
    made.hippocampus.drop([0])
    made.hippocampus.flush()
    kept = [made.hippocampus.store.read(number) for number in made.hippocampus.store.episodes()]
    assert [episode.body for episode in kept] == [1] and kept[0].truncated and not kept[0].terminated


def test_a_step_that_was_no_experience_leaves_no_row() -> None:
    made = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "life.bodies=2", "planner.simulations=0", seed=0)
    trace, action, outcome, _ = next(living(made, made.bodies, 0, np.random.default_rng(0)))
    made.observe(trace, action, replace(outcome, valid=np.array([False, True])))
    made.hippocampus.flush()
    assert made.hippocampus.store.steps == 1


# Scenes and situations


def unit(*rows: list[float]) -> Array:
    vectors = np.array(rows, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_returns_are_remembered_by_likeness() -> None:
    scenes = Scenes(width=2, actions=3, recall=2)
    assert (scenes.search(unit([1, 0]))[0] == -1).all()
    code, latent = np.array([10, 20]), unit([1, 0], [0, 1])
    scenes.enter(code, code[:, None], latent)
    scenes.credit(np.array([10, 10, 20]), np.array([0, 0, 2]), np.array([1.0, 0.5, -1.0]), row=7)
    rows, entries, similarity = scenes.search(unit([1, 0.05], [0, 1]))
    assert rows.tolist() == [[7, 7], [7, 7]] and entries[:, 0].tolist() == [0, 1]
    value, tried = scenes.value(entries, similarity)
    assert value[0, 0] == pytest.approx(0.75) and value[1, 2] == pytest.approx(-1.0)
    assert value[0, 1] == 0 and tried[0, 1] == 0 and tried[0, 0] > 1.9


def test_what_followed_most_often_is_foretold() -> None:
    scenes = Scenes(width=2, actions=2, recall=1)
    code = np.array([1, 2, 3])
    scenes.enter(code, code[:, None], unit([1, 0], [0, 1], [1, 1]))
    scenes.learn(
        np.array([0, 0, 0]),
        np.array([1, 1, 1]),
        np.array([1.0, 0, 0]),
        np.array([True, False, False]),
        np.array([2, 1, 1]),
    )
    after, reward, end = scenes.predict(1, 1) or (0, 0, 0)
    assert after == 1 and reward == pytest.approx(1 / 3) and end == pytest.approx(1 / 3)
    assert scenes.predict(1, 0) is None and scenes.predict(99, 1) is None


def test_episodes_that_begin_alike_belong_to_one_situation() -> None:
    situations = Situations(2)
    assert situations.recognise(unit([1, 0], [0, 1])).tolist() == [0, 0]
    situations.learn(0, unit([1, 0])[0])
    assert situations.recognise(unit([1, 0.1], [0, 1])).tolist() == [0, 1]
    situations.learn(1, unit([0, 1])[0])
    assert situations.recognise(unit([1, 0.1], [0.1, 1])).tolist() == [0, 1]


# Forgetting


@pytest.mark.parametrize(
    ("stability", "age", "left"),
    # What FSRS-6 says (the package fsrs 6.3.2, default parameters, get_card_retrievability).
    [(1, 1, 0.9), (1, 10, 0.6928266), (5, 3, 0.9311510), (5, 30, 0.7427175), (10, 365, 0.5735587), (100, 7, 0.9898176)],
)
def test_retention_follows_the_curve_of_fsrs(stability: float, age: float, left: float) -> None:
    assert retention(np.array(age), np.array(stability)) == pytest.approx(left, abs=1e-6)


def test_retention_falls_with_age_and_rises_with_stability() -> None:
    ages = retention(np.arange(100), np.array(3.0))
    assert ages[0] == 1 and (np.diff(ages) < 0).all() and ages[-1] > 0
    assert (np.diff(retention(np.array(10.0), np.arange(1, 50))) > 0).all()


def kept(salience: Array, age: Array, capacity: int, reservoir: float, seed: int = 0, steps: int = 10) -> Array:
    lengths = np.full(len(salience), steps)
    return ~forgotten(salience, age, lengths, capacity, reservoir, np.random.default_rng(seed))


def test_under_the_capacity_nothing_is_forgotten_and_never_more_than_it_is_kept() -> None:
    draw = np.random.default_rng(0)
    salience, age = draw.random(200), draw.integers(0, 30, 200).astype(float)
    assert kept(salience, age, 2_000, 0.2).all()
    steps = draw.integers(1, 40, 200)
    for capacity in (0, 50, 700, 1_999):
        stays = ~forgotten(salience, age, steps, capacity, 0.2, draw)
        assert steps[stays].sum() <= capacity
        assert capacity < 100 or steps[stays].sum() > 0.9 * capacity
    assert len(forgotten(np.zeros(0), np.zeros(0), np.zeros(0), 100, 0.2, draw)) == 0


def test_what_mattered_stays_and_a_share_of_the_rest_by_lot() -> None:
    salience = np.r_[np.full(100, 0.9), np.full(900, 0.05)]
    stays = kept(salience, np.ones(1_000), 2_000, 0.2)  # 200 of 1,000 episodes
    assert stays[:100].all()
    share = np.mean([kept(salience, np.ones(1_000), 2_000, 0.2, seed)[100:] for seed in range(40)], axis=0)
    assert share.mean() == pytest.approx(
        0.1, abs=0.02
    )  # of 200 places 40 by lot, most of them to the 900, then what is left
    assert (share > 0).mean() > 0.9 and share.max() < 0.5


def test_without_a_reservoir_rank_alone_decides() -> None:
    salience, age = np.array([0.9, 0.1, 0.5, 0.5]), np.array([5.0, 0.0, 1.0, 300.0])
    assert kept(salience, age, 20, 0.0).tolist() == [True, False, True, False]


def test_of_two_alike_the_older_goes() -> None:
    for seed in range(10):
        assert kept(np.array([0.5, 0.5]), np.array([9.0, 1.0]), 10, 0.0, seed).tolist() == [False, True]
