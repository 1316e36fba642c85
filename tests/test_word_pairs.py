"""Pairs of words held out of training: the missions that are drawn, and what the table says of them."""

from __future__ import annotations

import pytest

from experiments import pictures, word_pairs
from experiments.word_pairs import Pairs, held_out, pair_of


@pytest.mark.parametrize("task", word_pairs.TASKS)
def test_days_hear_of_no_pair_that_is_held_out_and_exams_of_these_alone(task: str) -> None:
    from cortex.envs.make import make_env

    held = held_out(task, 1)
    seen, other = (Pairs(make_env(task), held, heard) for heard in (True, False))
    missions = [[env.reset(seed=seed)[0]["mission"] for seed in range(25)] for env in (seen, other)]
    assert not held & {pair_of(mission) for mission in missions[0]}
    assert len({pair_of(mission) for mission in missions[0]}) > 3
    assert {pair_of(mission) for mission in missions[1]} <= held


def test_the_share_is_that_of_all_episodes() -> None:
    lives = [
        {"day_seen": [1.0, 1.0], "day_held": [1.0, 0.0]},
        {"day_seen": [1.0, 0.0], "day_held": [1.0, 0.0]},
    ]
    told = word_pairs.row(lives)
    assert told["day_seen"]["value"] == 0.75 and told["day_held"]["value"] == 0.5
    assert told["day_ratio"]["value"] == pytest.approx(2 / 3)
    assert told["day_ratio"]["low"] < 2 / 3 < told["day_ratio"]["high"]


def test_a_mean_over_seeds_that_did_not_all_finish_is_not_told() -> None:
    days = [
        {"first_win": 10, "steps": 100, "episodes": 20, "habit": None},
        {"first_win": 20, "steps": None, "episodes": None, "habit": None},
    ]
    told = pictures.row(days)
    assert told["finished"] == 1 and told["steps"] is None and told["habit"] is None
    assert told["first_win"]["value"] == 15
