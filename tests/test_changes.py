"""Facts that change: the current one is recalled, and chance stays chance."""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import cortex  # noqa: F401  registers the environments
from cortex.envs.changing import Changing
from cortex.modules.codebook import Codebook
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.hippocampus.changes import WINDOW, Latest
from cortex.modules.hippocampus.events import FEATURES, Events
from cortex.modules.hippocampus.interactions import Interactions
from cortex.types import Array

UNDER, FRONT = FEATURES.index("under"), FEATURES.index("front")
RED, BLUE, FLOOR, WALL = 20, 21, 1, 2


def told(outcomes: list[int], order: Array | None = None) -> Latest:
    """One key whose rows were learned in their order, or in another."""
    latest = Latest(3.0)
    for at in range(len(outcomes)) if order is None else order.tolist():
        latest.enter(np.zeros(1, np.int64), np.array([[at, at]]), np.array(outcomes[at : at + 1]))
    return latest


@pytest.mark.parametrize("length", [1, 2, 5, 20, 60])
def test_what_always_held_is_superseded_as_soon_as_it_came_out_otherwise(length: int) -> None:
    latest = told([7] * length)
    assert (latest.holds[0], latest.last(0)) == (length, 7)
    latest = told([7] * length + [3])
    assert (latest.holds[0], latest.last(0)) == (1, 3)


def test_what_changes_ten_times_is_followed_each_time() -> None:
    rng, outcomes = np.random.default_rng(0), []
    for change in range(11):
        outcomes += [change % 2] * int(rng.integers(4, 12))
    followed = [told(outcomes[: n + 1]) for n in range(len(outcomes))]
    assert np.mean([latest.holds[0] > 0 for latest in followed]) >= 0.97


@pytest.mark.parametrize("share", [0.5, 0.7, 0.8, 0.9])
def test_what_comes_out_by_chance_stays_a_mixture(share: float) -> None:
    taken = []
    for seed in range(20):
        outcomes = (np.random.default_rng(seed).random(60) > share).astype(int).tolist()
        taken += [told(outcomes[:n]).holds[0] > 0 for n in range(30, 61, 5) if len(set(outcomes[:n])) > 1]
    assert np.mean(taken) < 0.1


def test_the_order_is_that_of_the_rows_however_they_are_learned() -> None:
    rng = np.random.default_rng(1)
    outcomes = [*rng.integers(0, 3, 40).tolist(), *[1] * 30, *[2] * 40]
    one, other = told(outcomes), told(outcomes, rng.permutation(len(outcomes)))
    assert one.holds[0] == other.holds[0] == 40
    np.testing.assert_array_equal(one.outcome, other.outcome)
    assert one.size[0] == WINDOW and one.when[0].tolist() == list(range(len(outcomes) - WINDOW, len(outcomes)))


def event(under: int, front: int) -> Array:
    """The agent has stepped onto a thing before another."""
    features = np.zeros((1, len(FEATURES)), np.int64)
    features[0, [1, UNDER, FRONT]] = 1, under, front
    return features


class Life:
    """Events one after the other."""

    def __init__(self) -> None:
        self.events, self.now = Events(3.0), 0

    def see(self, under: int, front: int, pays: bool, ended: bool = True) -> None:
        self.events.learn(event(under, front), np.array([float(pays)]), np.array([ended]), np.array([[self.now] * 2]))
        self.now += 1

    def chance(self, under: int, front: int) -> float:
        return float(self.events.predict(event(under, front))[0][0])


def changing(life: Life, changes: int, each: int, rng: np.random.Generator) -> list[bool]:
    """A life in which red and blue change roles; whether what was seen anew was expected the next times too, before
    whatever it stands."""
    followed = []
    for change in range(changes + 1):
        seen: set[int] = set()
        for _ in range(each):
            for thing in (RED, BLUE):
                pays, front = (thing == RED) == (change % 2 == 0), int(rng.choice([FLOOR, FLOOR, WALL]))
                if thing in seen:
                    followed.append((life.chance(thing, front) >= 0.5) == pays)
                for _ in range(4):
                    life.see(FLOOR, int(rng.choice([FLOOR, WALL])), False, False)
                life.see(thing, front, pays)
                seen.add(thing)
    return followed


@pytest.mark.parametrize("changes", [5, 10])
def test_when_roles_change_the_current_ones_are_expected(changes: int) -> None:
    followed = [changing(Life(), changes, 6, np.random.default_rng(seed)) for seed in range(5)]
    assert np.mean([share for life in followed for share in life]) >= 0.95


def test_what_changed_leaves_what_did_not_as_it_was() -> None:
    life, rng = Life(), np.random.default_rng(3)
    for _ in range(6):
        life.see(30, FLOOR, True)
    changing(life, 3, 5, rng)
    assert min(life.chance(30, FLOOR), life.chance(30, WALL)) > 0.5 > life.chance(FLOOR, FLOOR)


def test_what_does_not_pay_is_worth_another_try_after_a_change() -> None:
    life = Life()
    for _ in range(6):
        life.see(RED, FLOOR, True)
        life.see(BLUE, FLOOR, False)
        life.see(FLOOR, FLOOR, False, False)
    before = life.chance(BLUE, FLOOR)
    life.see(RED, FLOOR, False)
    assert 0.5 > life.chance(BLUE, FLOOR) > 3 * before


def test_what_no_longer_pays_may_be_tried_again_what_never_did_need_not() -> None:
    life = Life()
    for pays in (True, True, True, True, False, False):
        life.see(RED, FLOOR, pays)
        life.see(BLUE, FLOOR, False)
        assert life.events.predict(event(RED, FLOOR))[2][0] == (not pays)
        assert not life.events.predict(event(BLUE, FLOOR))[2][0]


def test_what_pays_by_chance_keeps_its_chance() -> None:
    life, rng = Life(), np.random.default_rng(4)
    for _ in range(150):
        life.see(RED, FLOOR, bool(rng.random() < 0.7))
        life.see(FLOOR, FLOOR, False, False)
    assert life.chance(RED, FLOOR) == pytest.approx(0.7, abs=0.12)  # 150 trials: .075 is two standard errors


def test_a_door_that_opens_opens_before_whatever_is_behind_it_and_walls_stay_walls() -> None:
    codebook, encoder = Codebook(), GridEncoder((1, 1, 3))
    world, floor, wall, door, chair = Interactions(codebook, [], 3.0), 1, 2, 3, 4

    def codes(*values: int) -> Array:
        scenes = [encoder(np.array([value, 0, 0]).reshape(1, 1, 1, 3)) for value in values]
        return np.array([[int(codebook.encode(scene.tokens, scene.mask)[0, 0]) for scene in scenes]])

    def walk(front: int, behind: int, moved: bool) -> None:
        met = codes(front, floor, behind)
        world.learn(np.zeros(1, np.int64), met, np.array([int(moved)]), met, np.array([[next(clock)] * 2]))

    def goes(front: int, behind: int) -> tuple[bool, float]:
        moved, _, novelty = world.predict(np.zeros(1, np.int64), codes(front, floor, behind))
        return bool(moved[0]), float(novelty[0])

    clock = itertools.count()
    for behind in (floor, chair, floor):
        for front, moved in ((floor, True), (wall, False), (door, False)):
            walk(front, behind, moved)
    assert goes(door, chair) == (False, 0.0) and goes(wall, chair) == (False, 0.0)
    walk(door, floor, True)
    assert goes(door, floor) == (True, 0.0)
    assert goes(door, chair)[0] and not goes(wall, chair)[0] and goes(floor, chair)[0]
    assert 0 < goes(wall, chair)[1] < 0.5  # it may have changed too
    walk(door, chair, False)  # it did not follow after all
    assert not goes(door, chair)[0]


def test_the_game_changes_when_it_says() -> None:
    game = Changing(changes=2, every=3)
    check_env(game)
    game = Changing(changes=2, every=3)
    facts = []
    for _ in range(12):
        game.reset(seed=0)
        facts.append(tuple(game.facts.values()))
    assert [a != b for a, b in itertools.pairwise(facts)] == [False, False, True, False, False, True, *[False] * 5]
    assert all(sum(fact) == 2 for fact in facts)
    assert gymnasium.make("cortex/Changing-v0", changes=1).reset(seed=1)[0]["grid"].shape == (7, 7, 1)


def test_what_comes_out_both_ways_in_one_episode_has_not_changed() -> None:
    """A run of failures at its end does not mean that it pays no more: it hangs on something that is not known."""
    latest, mixed, moment = Latest(3.0), [], 0
    for episode in range(24):
        rows = [0, 0, 3] if episode < 18 else [0, 0]
        for outcome in rows:
            latest.enter(np.zeros(1, np.int64), np.array([[moment, episode]]), np.array([outcome]))
            moment += 1
        mixed.append(latest.holds[0] == 0)
    assert all(mixed[4:])
