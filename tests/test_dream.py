"""Dreams: known things in other places, from where search says what would be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import cortex
from cortex import curriculum
from cortex.curriculum import DREAMS, Remembered, dreams_of, search_again, search_states
from cortex.day import live_day
from cortex.defaults import Sleep
from cortex.dream import dream, rearranged, replay
from cortex.replay import moments
from cortex.types import Array, Habit, Place, Plan, Scene, State, take


@pytest.fixture(scope="module")
def keeper() -> cortex.Agent:
    made = cortex.Agent.make("MiniGrid-DoorKey-6x6-v0", "life.bodies=4", "planner.simulations=64", seed=0)
    live_day(made, made.bodies, 800, 1, np.random.default_rng(1))
    return made


def remembered(agent: cortex.Agent) -> State:
    """States in the middle of its episodes."""
    store = agent.hippocampus.store
    found = [m for m in moments(agent, [store.read(n) for n in store.episodes()]) if m.t == 10]
    return take(found[0].before, slice(None))


def test_things_lie_elsewhere_and_none_is_lost(keeper: cortex.Agent) -> None:
    states, footing = remembered(keeper), keeper.hippocampus.worlds[0].footing
    assert states.place is not None
    before, motions = states.place, keeper.imagination.motions(0)
    after = rearranged(before, footing, motions, np.random.default_rng(0))
    size = before.cells.shape[1]
    for body in range(len(before.pose)):
        was, now = before.cells[body], after.cells[body]
        own = tuple(before.pose[body, :2] % size)
        counts = np.bincount(was.ravel(), minlength=64) - np.bincount(now.ravel(), minlength=64)
        counts[[was[own], footing]] = 0  # what was under the agent is floor now
        assert not counts.any() and now[tuple(after.pose[body, :2] % size)] == footing
        assert ((was == 0) == (now == 0)).sum() >= was.size - 1, "what was not seen stays so"
    assert (before.cells != after.cells).any(axis=(1, 2)).mean() > 0.5
    assert (before.pose[:, :2] != after.pose[:, :2]).any(axis=1).mean() > 0.5
    unknown = rearranged(before, 0, motions, np.random.default_rng(0))
    assert (unknown.cells == before.cells).all() and (unknown.pose == before.pose).all()


def test_search_knows_what_to_do_in_dreams_about_as_often_as_in_what_was_lived(keeper: cortex.Agent) -> None:
    states = remembered(keeper)
    situation = np.zeros(len(states.code), np.int32)
    even = np.full((len(states.code), keeper.motor.actions), 1 / keeper.motor.actions, np.float32)

    def known(states: State) -> float:
        model = keeper.imagination.calm().model(states, situation)
        return float(keeper.search(model, even, 512).known.mean())

    dreamed = known(dream(keeper, states, situation, np.random.default_rng(0)))
    assert dreamed >= 0.7 * known(states) > 0.2


def test_a_replayed_line_leads_on_towards_what_pays(keeper: cortex.Agent) -> None:
    states = remembered(keeper)
    states = take(states, np.tile(np.arange(len(states.code)), 20))
    situation = np.zeros(len(states.code), np.int32)
    even = np.full((len(states.code), keeper.motor.actions), 1 / keeper.motor.actions, np.float32)

    def searched(states: State) -> Plan:
        return keeper.search(keeper.imagination.calm().model(states, situation), even, 512)

    before = searched(states)
    after = replay(keeper, states, situation, before.actions, np.random.default_rng(0))
    known = before.known & (before.steps > 4)
    assert known.sum() >= 20 and searched(after).known[known].mean() > 0.9
    nearer = before.steps[known].mean() - searched(after).steps[known].mean()
    assert nearer > 0.3 * before.steps[known].mean(), "half of the way on average, less what leads aside"


def test_what_is_little_remembered_is_dreamed_of_more() -> None:
    """Today's two games teach as much, and thrice as much as an older one, though of that few steps are left."""

    def group(steps: int, old: bool, mapped: bool = True) -> Remembered:
        place = Place(*[np.zeros(steps)] * 6) if mapped else None
        state = State(*[np.zeros(steps)] * 4, place)  # type: ignore[arg-type]
        rows = [np.zeros(steps, np.int64)] * 5
        return Remembered(state, rows[0], np.full(steps, old), *rows[1:])

    chosen = [group(100, old=False), group(200, old=False), group(50, old=True), group(50, old=True, mapped=False)]
    chosen.append(group(1, old=True))
    settings, steps, alike = Sleep(states=1800, dream=0.5, today=3.0), np.array([100, 200, 50, 50, 1]), np.ones(5)
    lessons = steps * (1 + dreams_of(settings, chosen, alike))
    np.testing.assert_allclose(lessons, [600, 600, 200, 50, 200])
    chosen[2].situation[:] = 7
    more = steps * (1 + dreams_of(settings, chosen, alike, tomorrow=[7]))
    assert more[2] / more[0] == pytest.approx((1 + settings.need) / settings.today) and more[0] == more[1]
    assert not dreams_of(Sleep(states=1800, dream=0.0), chosen, alike).any()
    assert (dreams_of(Sleep(states=10**6, dream=0.5), chosen, alike)[:3] == DREAMS).all()
    chosen[2].situation[:] = 0
    hard = np.array([0.2, 0.4, 0.1, 0.1, 0.4])
    lessons = steps * (1 + dreams_of(settings, chosen, hard))
    np.testing.assert_allclose(lessons, [400, 800, 100, 50, 400])  # today's share is today's, however hard it is
    by_lot = replace(settings, choice=0.0)
    np.testing.assert_array_equal(dreams_of(by_lot, chosen, hard), dreams_of(by_lot, chosen, alike))


def test_what_is_unknown_in_dreams_is_dreamed_of_more(keeper: cortex.Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = replace(keeper, config=replace(keeper.config, sleep=replace(keeper.config.sleep, states=600)))
    states, zero = take(remembered(agent), slice(4)), np.zeros(4, np.int64)

    def half_known(agent: cortex.Agent, part: Remembered, settled: bool) -> tuple[curriculum.Lessons, Array]:
        lessons, line = search_states(agent, part, settled)
        known = ~part.dreamed | (part.episode == 0)  # of both all that is remembered, of the second no dream
        prior = np.where(known[:, None], lessons.best / np.maximum(1, lessons.best.sum(axis=1, keepdims=True)), 0.1)
        return replace(lessons, prior=prior), line

    monkeypatch.setattr(curriculum, "search_states", half_known)
    chosen = [Remembered(states, zero, zero == 0, zero > 0, zero + number, zero, zero > 0) for number in range(2)]
    lessons = search_again(agent, chosen, np.random.default_rng(0), None)
    known, unknown = np.bincount(lessons.episode[lessons.found])
    assert unknown > 3 * known > 0 and 500 <= known + unknown <= 700


def test_of_few_states_as_much_is_dreamed_in_few_searches(
    keeper: cortex.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = replace(keeper, config=replace(keeper.config, sleep=replace(keeper.config.sleep, states=200)))
    states, zero = take(remembered(agent), slice(4)), np.zeros(4, np.int64)
    chosen = Remembered(states, zero, zero > 0, zero > 0, zero, zero, zero > 0)
    searched = []

    def counted(agent: cortex.Agent, part: Remembered, settled: bool) -> tuple[curriculum.Lessons, Array]:
        searched.append(len(part.old))
        return search_states(agent, part, settled)

    monkeypatch.setattr(curriculum, "search_states", counted)
    lessons = search_again(agent, [chosen], np.random.default_rng(0), None)
    assert 150 <= lessons.found.sum() <= 250 and lessons.dreamed.sum() == len(lessons.old) - 4
    assert len(searched) <= 8 and max(searched) <= curriculum.ROOTS


def test_of_each_situation_as_much_is_dreamed_as_it_is_due_in_every_night(keeper: cortex.Agent) -> None:
    agent = replace(keeper, config=replace(keeper.config, sleep=replace(keeper.config.sleep, states=56)))
    states = remembered(keeper)
    states = take(states, np.tile(np.arange(4), 8))
    zero = np.zeros(32, np.int64)
    chosen = Remembered(states, zero, zero > 0, zero > 0, zero, zero, zero > 0)
    found = []
    for seed in range(8):
        lessons = search_again(agent, [chosen], np.random.default_rng(seed), None)
        found.append(int((lessons.found & lessons.dreamed).sum()))
    assert min(found) >= 20 and max(found) <= 26, "three quarters of a dream for each of 32 states"


def test_however_much_is_to_be_dreamed_dreams_go_on_to_what_comes_late(
    keeper: cortex.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few states so much is wanted that the first dreams alone could be enough."""
    agent = replace(keeper, config=replace(keeper.config, sleep=replace(keeper.config.sleep, states=500)))
    states, zero = take(remembered(agent), slice(4)), np.zeros(4, np.int64)
    chosen, shares = Remembered(states, zero, zero > 0, zero > 0, zero, zero, zero > 0), []

    def counted(*asked: Any) -> State:
        shares[-1] += len(asked[3])
        return replay(*asked)

    monkeypatch.setattr(curriculum, "replay", counted)
    for seed in range(6):
        shares.append(0)
        lessons = search_again(agent, [chosen], np.random.default_rng(seed), None)
        shares[-1] /= len(lessons.old)
    assert min(shares) > 0.3


class Sure:
    """A habit that is sure of the first action, for every other body."""

    def __call__(self, scene: Scene) -> Habit:
        prior = np.tile(np.eye(7, dtype=np.float32)[0], (scene.bodies, 1))
        return Habit(prior, np.full(scene.bodies, 0.7, np.float32), (np.arange(scene.bodies) % 2).astype(np.float32))


def test_where_it_was_not_today_what_the_cortex_is_sure_of_teaches_itself(keeper: cortex.Agent) -> None:
    states = remembered(keeper)
    bodies = len(states.code)
    zero = np.zeros(bodies, np.int64)
    chosen = Remembered(states, zero, zero == 0, zero != 0, zero, zero, zero != 0)
    agent = replace(keeper, habit=Sure())
    agent.hippocampus.rely({0: 0.94})  # a little less than the habit is sure
    searched, settled = (search_states(agent, chosen, is_settled)[0] for is_settled in (False, True))
    agent.hippocampus.rely({})
    whole, _ = search_states(agent, chosen, True)
    np.testing.assert_array_equal(whole.targets[searched.found], searched.targets[searched.found])
    own = np.arange(bodies) % 2 > 0
    assert own.any() and (settled.targets[own] == np.eye(7)[0]).all() and settled.found[own].all()
    assert np.allclose(settled.value[own], 0.7)
    for name in ("targets", "best", "value", "found"):
        np.testing.assert_array_equal(getattr(settled, name)[~own], getattr(searched, name)[~own])
    assert not (searched.targets[own] == np.eye(7)[0]).all()
