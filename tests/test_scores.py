"""Figures of lives: learners whose forgetting is built in get the figures that they deserve, and intervals hold."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cortex.measure import calibration_error, games, interval, iqm, nested_interval, run, summary
from cortex.measure.protocol import Event
from cortex.types import CortexError
from tests.test_protocol import ARMS, LENGTH, Keeper, lever

KEYS = [
    *("first_win_over_h", "first_win_actions", "win_rate_by_try", "auc", "adaptation_share", "consolidation_index"),
    *("acc", "learn", "acc_over_joint", "forgetting", "forgetting_by_chance", "bwt", "min_acc", "habit_over_search"),
    "share_without_search",
    *("steps", "updates", "cpu_seconds", "bytes_memory", "bytes_weights", "games", "seeds"),
]
STEPS = 80


def random_area(budget: int) -> float:
    """A player of chance has seen no episode end before the first LENGTH actions; then it wins one in ARMS."""
    return (1 - LENGTH / budget) / ARMS


def lives(count: int = 3, days: int = 3, exam: int = 16, **keeper: Any) -> list[list[Event]]:
    """Lives of two games a day, each with games of its own."""
    told = []
    for seed in range(count):
        numbers = iter(range(100 * seed, 100 * seed + 2 * days))
        chain = [
            [lever(next(numbers), h=4.0, areas=lambda budget: (random_area(budget), 0.9)) for _ in range(2)]
            for _ in range(days)
        ]
        told.append(run(Keeper(seed, **keeper), chain, STEPS, exam, seed, exam_bodies=4))
    return told


def value(figure: Any) -> float:
    assert figure["low"] <= figure["value"] <= figure["high"]
    return float(figure["value"])


def covers(figure: Any, truth: float) -> bool:
    return bool(figure["low"] - 1e-9 <= truth <= figure["high"] + 1e-9)


def test_the_figures_are_these_and_json() -> None:
    told = summary(lives(1, 1))
    assert list(told) == KEYS
    assert list(told["win_rate_by_try"]) == ["1", "3", "10", "30"]
    json.loads(json.dumps(told, allow_nan=False))


def test_one_who_learns_nothing_scores_nothing() -> None:
    told = summary(lives(8, learns=False))
    for name in ("acc", "learn", "adaptation_share", "bwt"):
        assert covers(told[name], 0), name
    assert covers(told["auc"], random_area(STEPS))
    assert covers(told["win_rate_by_try"]["10"], 1 / ARMS)
    assert told["consolidation_index"] is None and told["habit_over_search"] is None
    assert told["bytes_memory"] == told["bytes_weights"] == 0


def test_one_who_keeps_all_is_perfect() -> None:
    told = summary(lives())
    for name in ("acc", "learn", "min_acc", "habit_over_search", "consolidation_index"):
        assert value(told[name]) == pytest.approx(1), name
    assert value(told["forgetting"]) == value(told["bwt"]) == 0
    assert (told["games"], told["seeds"], told["steps"], told["updates"]) == (18, 3, 6 * STEPS, 30)
    assert (told["bytes_memory"], told["bytes_weights"]) == (48, 48)
    assert value(told["share_without_search"]) == pytest.approx(0.5)


def test_the_forgetting_that_was_built_in_is_found() -> None:
    """Weights hold two games: of six learned, the two of the last day are known and four are at chance."""
    told = summary(lives(6, keeps=2))
    assert value(told["learn"]) == pytest.approx(1)
    assert covers(told["forgetting"], 1) and value(told["forgetting"]) > 0.8
    assert covers(told["bwt"], -1) and value(told["bwt"]) < -0.8
    assert covers(told["min_acc"], 0) or value(told["min_acc"]) < 0
    rows = [row for life in lives(6, keeps=2) for row in games(life)]
    assert np.mean([row["last_habit"] for row in rows]) == pytest.approx(1 / 3, abs=0.12)
    assert {row["last_whole"] for row in rows} == {1.0}
    assert all(row["forgetting"] is None for row in rows if row["day"] == 3)


def test_a_night_that_keeps_nothing_has_no_index() -> None:
    told = summary(lives(6, keeps=0))
    assert covers(told["consolidation_index"], 0) and abs(value(told["consolidation_index"])) < 0.2
    assert covers(told["habit_over_search"], 0)
    assert covers(told["acc"], 0)


def test_one_who_learns_a_game_only_later_has_transfer_backwards() -> None:
    class Late(Keeper):
        def sleep(self, seed: int) -> None:
            super().sleep(seed)
            self.weights = dict(list(self.memory.items())[:-2])

    told = []
    for seed in range(6):
        chain = [[lever(100 * seed + 2 * day + i) for i in range(2)] for day in range(3)]
        told.append(run(Late(seed), chain, STEPS, 16, seed, exam_bodies=4))
    assert value(summary(told)["bwt"]) > 0.8
    assert covers(summary(told)["learn"], 0)


def life(episodes: Sequence[tuple[int, bool]], steps: int = 100, h: float | None = 10.0, seed: int = 0) -> list[Event]:
    """A life of one game whose episodes end at (steps, success)."""
    fact = {"game": 0, "day": 1, "name": "one", "floor": 0.0, "ceiling": 1.0, "h": h, "by": "reward"}
    told: list[Event] = [
        {
            **{"event": "life", "seed": seed, "steps": steps, "exam": 0},
            "games": [{**fact, "area_random": 0.1, "area_reference": 0.6}],
        }
    ]
    before = 0
    for end, won in episodes:
        facts = {"length": end - before, "reward": float(won), "success": won, "searched": float(won)}
        told.append({"event": "episode", "day": 1, "game": 0, "steps": end, **facts})
        before = end
    spent = {"updates": 5, "bytes_memory": 7, "bytes_weights": 9, "cpu_seconds": 1.5}
    return [*told, {"event": "waking", "day": 1, "game": 0, "lived": steps, **spent}]


def test_the_curve_by_hand() -> None:
    """Lost at 20, won at 50, lost at 60, won at 90 of 100: known to be won from 50 to 60 and from 90 to 100."""
    row = games(life([(20, False), (50, True), (60, False), (90, True)]))[0]
    assert (row["auc"], row["first_win"], row["tries"], row["wins"], row["won"]) == (0.2, 50, 4, 2, True)
    assert (row["try_1"], row["try_3"], row["try_10"], row["try_30"]) == (0, 0, 0.5, 0.5)
    told = summary([life([(20, False), (50, True), (60, False), (90, True)])])
    assert value(told["first_win_over_h"]) == pytest.approx(5)
    assert value(told["adaptation_share"]) == pytest.approx(0.2)
    assert value(told["share_without_search"]) == pytest.approx(1 - 60 / 90)
    assert (told["steps"], told["updates"], told["cpu_seconds"]) == (100, 5, 1.5)
    assert all(told[name] is None for name in ("acc", "learn", "forgetting", "bwt", "min_acc", "acc_over_joint"))


def test_a_try_out_of_reach_takes_the_last_five() -> None:
    won = [True, True, False, False, False, True, True]
    row = games(life([(10 * (i + 1), w) for i, w in enumerate(won)]))[0]
    assert (row["try_1"], row["try_3"]) == (1, 0)
    assert row["try_10"] == row["try_30"] == pytest.approx(2 / 5)


def test_what_was_never_won_counts_with_its_budget() -> None:
    row = games(life([(40, False)]))[0]
    assert (row["first_win"], row["won"], row["auc"]) == (100, False, 0)
    assert games(life([]))[0]["try_1"] == 0
    both = summary([life([(40, True)], h=4.0), life([], h=40.0, seed=1)])
    assert value(both["first_win_over_h"]) == pytest.approx(5)
    assert value(both["first_win_actions"]) == 70
    assert summary([life([(40, True)], h=None)])["first_win_over_h"] is None


def test_forgetting_by_hand() -> None:
    """One game over four mornings: .5, .9, .2, .6 by the weights alone."""
    events = life([(40, True)])
    for day, mark in enumerate((0.5, 0.9, 0.2, 0.6), 1):
        facts = {"day": day, "game": 0, "reward": mark, "success": 0.0, "decisions": 10, "searched": 0.0}
        events.append({"event": "exam", "when": "morning", "arm": "habit", **facts})
    told = summary([events])
    assert [value(told[name]) for name in ("acc", "learn")] == pytest.approx([0.6, 0.5])
    assert [value(told[name]) for name in ("forgetting", "bwt", "min_acc")] == pytest.approx([0.3, 0.1, 0.2])
    by_chance = [0.9 - 0.5, 0.6 - 0.9, 0.9 - 0.2, 0.9 - 0.6]  # each of the mornings as the last
    assert value(told["forgetting_by_chance"]) == pytest.approx(np.mean(by_chance))


def test_joint_training_is_the_measure_of_acc() -> None:
    told = lives(2)
    assert summary(told)["acc_over_joint"] is None
    assert value(summary(told, joint=0.8)["acc_over_joint"]) == pytest.approx(1 / 0.8)


def test_success_is_the_score_where_asked() -> None:
    events = run(Keeper(), [[lever(1, by="success")]], STEPS, 4, 0)
    exams = [{**event, "reward": 17.0} if event["event"] == "exam" else event for event in events]
    assert games(exams)[0]["morning_habit"] == 1.0
    exams[0]["games"][0]["by"] = "reward"
    assert games(exams)[0]["morning_habit"] == pytest.approx((17 - 0.25) / 0.75)


def test_an_unfinished_life_has_the_games_that_it_lived() -> None:
    events = lives(1)[0]
    cut = [event["event"] == "night" for event in events].index(True)
    rows = games(events[:cut])
    assert len(rows) == 2 and rows[0]["evening_whole"] == 1.0 and rows[0]["morning_habit"] is None


def test_what_are_no_lives_is_refused() -> None:
    with pytest.raises(CortexError, match="no lives"):
        summary([])
    with pytest.raises(CortexError, match="not the events of a life"):
        games(lives(1, 1)[0][1:])


# Statistics


def mean(values: Any) -> Any:
    return values.mean(axis=1)


def test_the_middle_half_is_what_iqm_means() -> None:
    assert iqm([0, 1, 2, 3, 4, 5, 6, 700]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert iqm([5]) == 5
    assert iqm(np.array([[0, 1, 3, 100], [0, 5, 7, 9]]), axis=1).tolist() == [2, 6]


def test_an_interval_over_seeds_and_games_holds_the_truth_and_is_wider_than_one_over_games() -> None:
    """Games of one seed are alike: an interval that takes them for independent misses the truth far too often."""
    rng = np.random.default_rng(0)
    nested, flat, rounds = 0, 0, 200
    for _ in range(rounds):
        groups = [rng.normal(rng.normal(), 0.5, 6 + i % 3) for i in range(8)]
        low, high = nested_interval(groups, mean, resamples=500)
        nested += low <= 0 <= high
        low, high = nested_interval([np.concatenate(groups)], mean, resamples=500)
        flat += low <= 0 <= high
    assert nested / rounds > 0.8
    assert flat / rounds < 0.7


def test_an_interval_of_nothing_and_of_what_is_undefined() -> None:
    assert all(map(math.isnan, nested_interval([], mean)))
    assert all(map(math.isnan, nested_interval([np.ones(3)], lambda values: np.full(len(values), math.nan))))
    assert nested_interval([np.ones(3), np.ones(1)], mean) == (1, 1)
    assert interval([1.0]) == (1.0, 1.0)


def test_confidence_is_calibrated_or_not() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(20_000)
    assert calibration_error(confidence, rng.random(20_000) < confidence) < 0.02
    assert calibration_error(np.full(1000, 0.9), np.arange(1000) % 2 == 0) == pytest.approx(0.4)
    assert calibration_error(np.tile([0.9, 0.1], 500), np.repeat([True, False], 500)) == pytest.approx(0.4)
    assert calibration_error([1.0, 1.0], [True, True]) == 0
    assert math.isnan(calibration_error([], []))
    with pytest.raises(CortexError, match="outside"):
        calibration_error([1.5], [True])
    with pytest.raises(CortexError, match="do not pair"):
        calibration_error([0.5], [True, False])
