"""Imagination against reality: what memory foretells is what then happens, and search through it finds the real way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import cortex
from cortex.day import live_day, living
from cortex.mapped import Learned, Mapped, MappedModel
from cortex.modules.context import deed, slot
from cortex.modules.hippocampus.events import FEATURES
from cortex.modules.hippocampus.memo import Memo
from cortex.modules.hippocampus.worlds import taught_of
from cortex.modules.planner import Expansion
from cortex.sketch import CHANGES, change, look, tally, twin
from cortex.types import UNSEEN, Array, Place

TASK = "MiniGrid-DoorKey-5x5-v0"


@pytest.fixture(scope="module")
def agent() -> cortex.Agent:
    """One that has lived long enough to win."""
    made = cortex.Agent.make(TASK, "life.bodies=8", "planner.simulations=256", seed=0)
    live_day(made, made.bodies, 1_000, 1, np.random.default_rng(1))
    return made


def lived(agent: cortex.Agent, steps: int, seed: int) -> list[Any]:
    lives = living(agent, agent.bodies, seed, np.random.default_rng(seed))
    return [moment for _, moment in zip(range(steps), lives)]


def model_of(agent: cortex.Agent, trace: Any) -> MappedModel:
    model = agent.imagination.model(trace.state, trace.situation)
    assert isinstance(model, MappedModel)
    return model


def test_what_is_foretold_happens(agent: cortex.Agent) -> None:
    moments = lived(agent, 120, 3)
    foretold = paid = 0
    for (trace, action, outcome, _), (after, *_) in itertools.pairwise(moments):
        model = model_of(agent, trace)
        told = model.expand(model.roots())
        body = np.arange(len(action))
        known = outcome.valid & ~outcome.done & (told.novelty[body, action] == 0)
        seen = agent.imagination.sign(after.state)
        known &= (told.sign[body, action] & (2**21 - 1)) != UNSEEN  # what it faces then has been seen
        np.testing.assert_array_equal(told.sign[body, action][known], seen[known])
        np.testing.assert_array_equal(told.reward[body, action][outcome.valid] > 0, outcome.reward[outcome.valid] > 0)
        foretold += int(known.sum())
        paid += int((outcome.reward[outcome.valid] > 0).sum())
    assert foretold > 300 and paid > 10


def test_what_the_cortex_foretold_is_not_asked_again_by_one_without_curiosity(agent: cortex.Agent) -> None:
    parts, asked = agent.imagination, list[int]()

    def ask(new: Any) -> Any:
        asked.extend(new.tolist())
        return np.zeros((len(new), 7))

    keys = np.array([11, 12, 11])
    parts.foretold(keys, ask)
    parts.calm().foretold(keys, ask)
    assert len(asked) == 2 and parts.calm().novelty == 0 < parts.novelty
    with torch.no_grad():
        parts.world_model.usual.add_(0.0)  # a night has changed it
    parts.calm().foretold(keys, ask)
    parts.foretold(keys, ask)
    assert len(asked) == 4
    parts.foretold.clear()


def test_events_are_asked_for_as_they_are_learned(agent: cortex.Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an episode begins and nobody has seen the ground on which the agent stands."""
    moments, compared, hidden = lived(agent, 60, 7), 0, 0
    for (trace, action, outcome, _), (after, *_) in itertools.pairwise(moments):
        model, asked = model_of(agent, trace), list[Array]()
        with monkeypatch.context() as patch:
            predict = model.world.events.predict
            patch.setattr(model.world.events, "predict", lambda e, p=predict, a=asked: (a.append(e.copy()), p(e))[1])
            told = model.expand(model.roots())
        body, (before, then) = np.arange(len(action)), (trace.state.place, after.state.place)
        none, motions = np.zeros(len(action)), agent.imagination.motions(0)
        taught = taught_of(motions, 0, before, then, action, none, none, np.zeros((len(action), 2))).event
        known = (
            outcome.valid & ~outcome.done & (told.novelty[body, action] == 0) & (taught[:, FEATURES.index("front")] > 0)
        )
        foretold = asked[0].reshape(*told.key.shape, -1)[body, action]
        for name in ("action", "moved", "under", "front", "carried", "mission", "held"):
            column = FEATURES.index(name)
            np.testing.assert_array_equal(foretold[known, column], taught[known, column], name)
        compared, hidden = compared + int(known.sum()), hidden + int((model.hidden[known] >= 0).sum())
    assert compared > 100 and hidden > 20


def test_what_memory_has_rules_for_is_not_left_to_the_cortex_to_guess(
    agent: cortex.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learned model that is sure that whatever was never tried pays: it is believed only of actions of which memory
    saw nothing in this world."""
    trace = next(t for t, *_ in lived(agent, 30, 6) if t.state.place is not None)
    model = model_of(agent, trace)
    every = np.arange(len(trace.situation) * agent.motor.actions)
    ones = np.ones(len(every))

    def guess(root: Array, met: Array, under: Array, unknown: Array) -> Learned:
        return Learned(every, ones * 0, met[:, 0], met[:, 1], ones, ones, ones * 0)

    before = model.expand(model.roots()).reward
    monkeypatch.setattr(model, "_learned", guess)
    monkeypatch.setattr(model.world.events, "predict", lambda events: (ones * 0.1, ones * 0.1, ones > 0))
    assert model.tried.all() and (before < 1).all()
    assert (model.expand(model.roots()).reward == 0).all(), "memory foretells that it seldom pays"
    model.tried = model.tried & (np.arange(agent.motor.actions) != 2)
    told = model.expand(model.roots()).reward
    assert (told[:, 2] == 1).all() and (np.delete(told, 2, axis=1) == 0).all()


def test_less_is_found_out_by_trying_again_what_seldom_pays(
    agent: cortex.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who knows of nothing better would else repeat for ever what pays now and then."""
    trace = next(t for t, *_ in lived(agent, 30, 8) if t.state.place is not None)
    model = model_of(agent, trace)
    every = len(trace.situation) * agent.motor.actions
    chance, never = np.full(every, 0.3), np.zeros(every, bool)

    def bonus(untried: Array) -> Array:
        monkeypatch.setattr(model.world.events, "predict", lambda events: (chance.copy(), np.ones(every), untried))
        told = model.expand(model.roots())
        assert (told.reward == 0).all(), "nothing of it is counted on"
        return told.bonus

    assert agent.hippocampus.world(0).events.worth > 0
    assert (bonus(~never) >= bonus(never)).all() and bonus(~never).max() > 3 * bonus(never).min() > 0


def test_a_line_to_something_known_is_followed_to_its_end(agent: cortex.Agent) -> None:
    """The value of a line that is known to pay is the discounted reward, its length the steps that it takes."""
    moments = lived(agent, 80, 4)
    checked = 0
    for at, (trace, _, outcome, _) in enumerate(moments):
        for body in np.flatnonzero(trace.plan.known & outcome.valid):
            steps = int(trace.plan.steps[body])
            ahead = moments[at : at + steps]
            if len(ahead) < steps or any(t.searched[body] for t, *_ in ahead[1:]):
                continue  # something unexpected was seen on the way
            assert ahead[-1][2].reward[body] > 0 and ahead[-1][2].terminated[body]
            assert (trace.plan.actions[body] >= 0).sum() == steps
            worth = agent.hippocampus.world(int(trace.situation[body])).events.worth
            assert trace.plan.value[body] == pytest.approx(worth * 0.97 ** (steps - 1), rel=0.05)
            checked += 1
    assert checked > 10


def test_equal_imagined_scenes_have_equal_keys_however_they_were_reached(agent: cortex.Agent) -> None:
    trace = next(t for t, *_ in lived(agent, 30, 5) if t.state.place is not None)
    model = model_of(agent, trace)
    left, right = 0, 1

    def after(*actions: int) -> Array:
        nodes: Mapped = model.roots()
        for action in actions:
            told = model.expand(nodes)
            nodes = model.pick(told.children, np.arange(len(told.key)) * told.key.shape[1] + action)
        return told.key[:, action]

    np.testing.assert_array_equal(after(left, right), after(right, left))
    np.testing.assert_array_equal(after(left, left), after(right, right))
    assert (after(left) != after(right)).all()


def test_a_change_that_is_undone_is_no_change(agent: cortex.Agent) -> None:
    trace = next(t for t, *_ in lived(agent, 30, 5) if t.state.place is not None)
    model = model_of(agent, trace)
    known, cell, code = model.cells[0], np.full(CHANGES, -1), np.full(CHANGES, -1)
    was = look(known, cell, code, 9)
    assert not change(known, cell, code, 9, was, was + 1)
    assert look(known, cell, code, 9) == was + 1 and cell.tolist() == [9] + [-1] * (CHANGES - 1)
    assert not change(known, cell, code, 9, was + 1, was)
    assert (cell == -1).all() and look(known, cell, code, 9) == was


def test_more_changes_than_fit_end_the_line(agent: cortex.Agent) -> None:
    trace = next(t for t, *_ in lived(agent, 30, 5) if t.state.place is not None)
    model = model_of(agent, trace)
    known, cell, code = model.cells[0], np.full(CHANGES, -1), np.full(CHANGES, -1)
    for place in range(CHANGES + 1):
        was = look(known, cell, code, place)
        assert change(known, cell, code, place, was, was + 1) == (place >= CHANGES)


def test_what_is_seen_twice_is_counted_on_the_map_as_it_would_be() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        known = draw.integers(0, 12, 36)
        cell, code = np.full(CHANGES, -1), np.full(CHANGES, -1)
        for _ in range(draw.integers(0, CHANGES + 1)):
            at = int(draw.integers(36))
            change(known, cell, code, at, look(known, cell, code, at), int(draw.integers(1, 14)))
        after = [look(known, cell, code, at) for at in range(36)]
        for of in range(1, 14):
            assert twin(known, tally(known[None], 12)[0], cell, code, of) == (after.count(of) > 1)
        assert not twin(known, tally(known[None], 12)[0], cell, code, UNSEEN)


def after_deed(agent: cortex.Agent, model: MappedModel, place: Place, body: int, key: int) -> Expansion:
    """What is imagined when ``body`` has done the deed ``key`` in this episode."""
    passed = place.passed.copy()
    passed[body, slot(key)] = key
    again = MappedModel(agent.imagination, replace(place, passed=passed), model.words, model.situation)
    return again.expand(again.roots())


def test_an_end_that_did_not_come_is_not_expected_again_in_this_episode(agent: cortex.Agent) -> None:
    """One who believes that an action ends the episode with pay, and finds that it does not, does something else."""
    checked = 0
    for trace, *_ in lived(agent, 80, 6):
        model = model_of(agent, trace)
        told = model.expand(model.roots())
        for body, action in np.argwhere((told.reward > 0) & (told.end > 0)).tolist():
            place = trace.state.place
            held, sign = int(place.carried[body]), told.sign[body, action]
            child = told.children.pose.reshape(len(place.pose), -1, 3)[body, action]
            goes = bool((child != place.pose[body])[:2].any())
            then, elsewhere = (
                after_deed(agent, model, place, body, deed(action, goes, hand, sign)) for hand in (held, held + 1)
            )
            assert then.reward[body, action] == then.end[body, action] == 0
            # With something else in hand it is another deed.
            assert elsewhere.reward[body, action] == told.reward[body, action]
            others = np.arange(told.reward.shape[1]) != action
            np.testing.assert_array_equal(then.reward[body, others], told.reward[body, others])
            checked += 1
    assert checked > 10


def test_a_memo_asks_each_question_once() -> None:
    memo, asked = Memo(2), []

    def answer(keys: Array, questions: Array) -> Array:
        def ask(rows: Array) -> Array:
            asked.extend(questions[rows].tolist())
            return np.stack([questions[rows], questions[rows] ** 2], axis=1)

        return memo(keys, ask)

    draw = np.random.default_rng(0)
    for _ in range(20):
        questions = draw.integers(0, 50, 30)
        told = answer(questions * 7919 - 200_000, questions)
        np.testing.assert_array_equal(told, np.stack([questions, questions**2], axis=1))
    assert len(asked) == len(set(asked)) > 40
    memo.clear()
    answer(np.array([7]), np.array([7]))
    assert asked[-1] == 7
    assert memo(np.zeros(0, np.int64), lambda rows: np.zeros((0, 2))).shape == (0, 2)
