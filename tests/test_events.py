"""Events: what pays and what ends is found out from rows, with honest chances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cortex.modules.hippocampus.events import FEATURES, Events
from cortex.types import Array

ACTION, MOVED, UNDER, FRONT, CARRIED, MISSION, SITUATION, HELD, TWIN = range(len(FEATURES))
GOAL, DOOR, DONE, FORWARD = 9, 4, 6, 2
CLOCK = itertools.count()


def draw(count: int, seed: int) -> Array:
    """Events of a world where nothing hangs together: [count, 9] integers."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            rng.integers(0, 7, count),
            rng.integers(0, 2, count),
            rng.integers(7, 12, count),
            rng.integers(1, 6, count),
            rng.integers(1, 3, count),
            rng.integers(1, 6, count),
            np.zeros(count, int),
            rng.integers(1, 3, count),
            rng.integers(0, 2, count),
        ],
        axis=1,
    )


def now(count: int) -> Array:
    """The next moments [count, 2], each of an episode of its own."""
    return np.array([[next(CLOCK)] * 2 for _ in range(count)])


def taught(features: Array, reward: Array, ended: Array | None = None, when: Array | None = None) -> Events:
    """Events that came eight at a time, as from eight bodies; in the order of learning, or ``when`` is said."""
    events = Events(3.0)
    ended = reward > 0 if ended is None else ended
    when = now(len(features)) if when is None else when
    for start in range(0, len(features), 8):
        some = slice(start, start + 8)
        events.learn(features[some], reward[some].astype(np.float32), ended[some], when[some])
    return events


def test_a_reward_for_standing_on_the_goal_is_explained_by_what_is_under_the_agent() -> None:
    features = draw(600, 0)
    events = taught(features, features[:, UNDER] == GOAL)
    assert events.explanations(1)[0][0] == ("under",)
    fresh = draw(500, 1)
    chance, end, _ = events.predict(fresh)
    on = fresh[:, UNDER] == GOAL
    assert chance[on].min() > 0.8 and chance[~on].max() < 0.2
    np.testing.assert_allclose(chance, end)


def test_a_reward_for_an_action_before_the_door_that_the_mission_names_is_found() -> None:
    features = draw(4_000, 2)
    pays = (features[:, ACTION] == DONE) & (features[:, FRONT] == features[:, MISSION])
    events = taught(features, pays, features[:, ACTION] == DONE)
    assert set(events.explanations(1)[0][0]) == {"action", "front", "mission"}
    fresh = draw(800, 3)
    chance, end, _ = events.predict(fresh)
    wanted = (fresh[:, ACTION] == DONE) & (fresh[:, FRONT] == fresh[:, MISSION])
    assert chance[wanted].min() > 0.5 and chance[~wanted].max() < 0.5
    assert end[fresh[:, ACTION] == DONE].min() > 0.8 and end[fresh[:, ACTION] != DONE].max() < 0.2


def test_the_first_reward_is_expected_again_where_all_that_holds_is_the_same() -> None:
    features = draw(100, 4)
    features[features[:, UNDER] == GOAL, UNDER] = 8
    features[60, [ACTION, MOVED, UNDER]] = FORWARD, 1, GOAL
    events = taught(features, np.arange(100) == 60)
    assert events.predict(features[60:61])[0][0] > 0.3
    assert events.predict(features[:60])[0].max() < 0.3


@pytest.mark.parametrize("truth", [0.2, 0.7])
def test_chances_are_calibrated(truth: float) -> None:
    features = draw(1_500, 5)
    on = features[:, UNDER] == GOAL
    events = taught(features, on & (np.random.default_rng(6).random(1_500) < truth))
    fresh = draw(400, 7)
    chance, _, _ = events.predict(fresh)
    on = fresh[:, UNDER] == GOAL
    assert chance[on].mean() == pytest.approx(truth, abs=0.08)  # two standard errors of 300 trials are .05
    assert chance[~on].max() < 0.05


def test_what_ends_without_paying_is_told_apart() -> None:
    features = draw(800, 8)
    lava = features[:, FRONT] == 5
    events = taught(features, features[:, UNDER] == GOAL, lava | (features[:, UNDER] == GOAL))
    fresh = draw(300, 9)
    chance, end, _ = events.predict(fresh)
    deadly = (fresh[:, FRONT] == 5) & (fresh[:, UNDER] != GOAL)
    assert chance[deadly].max() < 0.2 and end[deadly].min() > 0.8


def test_without_rows_nothing_is_expected_and_all_is_untried() -> None:
    chance, end, untried = Events(3.0).predict(draw(10, 0))
    assert untried.all() and chance.max() < 0.5 and end.max() < 0.5 and Events(3.0).worth == 0


def test_what_was_done_is_no_longer_untried() -> None:
    features = draw(64, 10)
    events = taught(features, np.zeros(64))
    assert not events.predict(features)[2].any()
    other = features.copy()
    other[:, FRONT] = 77
    assert events.predict(other)[2].all()
    stood = features[features[:, MOVED] == 0]
    stood[:, UNDER] = 55  # what it stands on matters only where it has just moved there
    assert not events.predict(stood)[2].any()
    tried = np.unique(features[:, ACTION])
    assert events.tried(tried).all() and not events.tried(np.array([tried.max() + 1])).any()


def test_the_order_of_learning_does_not_matter() -> None:
    features = draw(400, 11)
    reward = (features[:, UNDER] == GOAL) & (np.random.default_rng(0).random(400) < 0.8)
    order = np.random.default_rng(1).permutation(400)
    one, other = (
        taught(features, reward, when=np.arange(400).repeat(2).reshape(-1, 2)),
        taught(features[order], reward[order], when=order.repeat(2).reshape(-1, 2)),
    )
    fresh = draw(300, 12)
    for a, b in zip(one.predict(fresh), other.predict(fresh), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert one.explanations(1)[0][0] == other.explanations(1)[0][0]


def test_questions_between_rows_change_no_answer() -> None:
    features = draw(200, 13)
    reward = features[:, UNDER] == GOAL
    asked, silent = Events(3.0), taught(features, reward)
    for start in range(0, 200, 8):
        asked.predict(draw(20, start))
        some = slice(start, start + 8)
        asked.learn(features[some], reward[some].astype(np.float32), reward[some], now(8))
    fresh = draw(200, 14)
    for a, b in zip(asked.predict(fresh), silent.predict(fresh), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_worth_is_the_mean_of_what_paid() -> None:
    features = draw(40, 15)
    reward = np.zeros(40)
    reward[[3, 17]] = 0.5, 0.9
    assert taught(features, reward).worth == pytest.approx(0.7)


def test_what_happened_here_before_outweighs_what_is_usual_elsewhere() -> None:
    """An exception to a rule is known as soon as it was seen."""
    features = draw(600, 16)
    on = features[:, UNDER] == GOAL
    events = taught(features, on)
    fresh = draw(60, 17)
    vain = fresh[fresh[:, UNDER] == GOAL][:1].copy()
    vain[:, [MOVED, FRONT]] = 1, 77
    assert events.predict(vain)[0][0] > 0.8
    for times in range(3):
        events.learn(vain, np.zeros(1), np.zeros(1, bool), now(1))
        assert events.predict(vain)[0][0] < 0.5, times
    other = vain.copy()
    other[:, FRONT] = 3
    assert events.predict(other)[0][0] > 0.5


def test_repeating_what_is_known_changes_an_answer_however_often_it_is_asked_in_between() -> None:
    features = draw(64, 18)
    reward = features[:, UNDER] == GOAL
    asked, silent = taught(features, reward), taught(features, reward)
    for row in (0, int(reward.argmax())):
        for _ in range(6):
            asked.predict(features)
            for events in (asked, silent):
                events.learn(features[[row]], reward[[row]].astype(np.float32), reward[[row]], now(1))
    for a, b in zip(asked.predict(features), silent.predict(features), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_what_was_held_before_can_be_what_pays() -> None:
    """Using up a thing pays, whatever is carried afterwards."""
    features = draw(900, 19)
    pays = (features[:, FRONT] == 3) & (features[:, HELD] == 2)
    events = taught(features, pays)
    assert set(events.explanations(1)[0][0]) == {"front", "held"}
    fresh = draw(400, 20)
    fresh[:, [UNDER, MISSION]] += 40  # nothing that was seen exactly so before
    wanted = (fresh[:, FRONT] == 3) & (fresh[:, HELD] == 2)
    chance = events.predict(fresh)[0]
    assert chance[wanted].min() > 0.5 > chance[~wanted].max()


def faced(action: int, front: int) -> Array:
    """An event in which an action led before a thing."""
    features = np.zeros((1, len(FEATURES)), np.int64)
    features[0, [ACTION, UNDER, FRONT, CARRIED]] = action, 7, front, 1
    return features


def test_where_every_new_thing_paid_the_next_one_is_expected_to() -> None:
    generous, stingy = Events(3.0), Events(3.0)
    for thing in range(20, 26):
        for _ in range(8):
            generous.learn(faced(FORWARD, 1), np.zeros(1), np.zeros(1, bool), now(1))
            stingy.learn(faced(FORWARD, 1), np.zeros(1), np.zeros(1, bool), now(1))
        generous.learn(faced(FORWARD, thing), np.ones(1), np.ones(1, bool), now(1))
        stingy.learn(faced(FORWARD, thing), np.full(1, float(thing == 20)), np.array([thing == 20]), now(1))
    chances = [events.predict(faced(FORWARD, 40))[0][0] for events in (generous, stingy)]
    assert chances[0] > 0.5 > 0.3 > chances[1]


def test_what_pays_for_one_action_is_expected_of_another_until_that_is_tried() -> None:
    events, turn = Events(3.0), 1
    for _ in range(20):
        events.learn(faced(FORWARD, GOAL), np.ones(1), np.ones(1, bool), now(1))
        for action in (FORWARD, turn):
            events.learn(faced(action, 1), np.zeros(1), np.zeros(1, bool), now(1))
    assert events.predict(faced(turn, GOAL))[0] > 0.8
    for _ in range(4):
        events.learn(faced(turn, GOAL), np.zeros(1), np.zeros(1, bool), now(1))
    assert events.predict(faced(turn, GOAL))[0] < 0.5 < events.predict(faced(FORWARD, GOAL))[0]


def test_what_pays_because_the_same_is_seen_elsewhere_is_found() -> None:
    features = draw(2_000, 30)
    pays = (features[:, FRONT] >= 3) & (features[:, TWIN] == 1) & (features[:, MOVED] == 1)
    events = taught(features, pays)
    assert set(events.explanations(1)[0][0]) == {"moved", "front", "twin"}
    fresh = draw(400, 31)
    fresh[:, [UNDER, MISSION]] += 40
    wanted = (fresh[:, FRONT] >= 3) & (fresh[:, TWIN] == 1) & (fresh[:, MOVED] == 1)
    chance = events.predict(fresh)[0]
    assert chance[wanted].min() > 0.5 > chance[~wanted].max()
