"""The motor where nobody searched: what was done here before in this episode is done less again."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from cortex.modules.motor import Codec, Line, Motor
from cortex.modules.planner import nothing
from cortex.types import Array

PRIOR = np.array([[0.9, 0.06, 0.04]], np.float32)


def acts(motor: Motor, spots: list[int], line: Line | None = None, first: int = 0) -> tuple[list[int], Line]:
    """What is done at one spot after the other, by the likeliest action; ``first``: where an episode begins."""
    line, done = line or motor.initial(1), []
    for step, spot in enumerate(spots):
        begins = np.array([step == first])
        action, line = motor(
            line, np.zeros(1, bool), nothing(1, 3, PRIOR), np.array([spot]), begins, np.random.default_rng(step), 0.0
        )
        done.append(int(action[0]))
    return done, line


def motor(inhibition: float = 0.5) -> Motor:
    return Motor(Codec(spaces.Discrete(3)), 1.0, 4, inhibition)


def test_a_habit_that_leads_back_to_the_same_place_gives_way_to_another() -> None:
    assert acts(motor(0.0), [7] * 8)[0] == [0] * 8
    done, _ = acts(motor(), [7] * 8)
    assert done[:4] == [0] * 4 and set(done[4:]) == {0, 1, 2}, "one that is sure is tried some times"
    assert acts(motor(), [7, 8] * 3)[0] == [0] * 6, "at another place nothing was done yet"


def test_in_another_episode_it_is_as_if_nothing_had_been_done() -> None:
    _, line = acts(motor(), [7] * 8)
    assert acts(motor(), [7] * 3, line, first=-1)[0] != [0] * 3
    assert acts(motor(), [7] * 3, line)[0] == [0] * 3


def test_what_search_found_is_done_however_often_it_was_done_before() -> None:
    body, first = motor(), np.zeros(1, bool)
    line, draw = acts(body, [7] * 8)[1], np.random.default_rng(0)
    plan = nothing(1, 3, PRIOR)
    plan.steps[:] = 2  # found, though nothing that pays
    for _ in range(5):
        action, line = body(line, first, plan, np.array([7]), first, draw, 0.0)
        assert action.tolist() == [0]


def test_drawn_actions_are_inhibited_too_and_each_body_by_itself() -> None:
    body, bodies = motor(), 400
    line, draw, prior = body.initial(bodies), np.random.default_rng(0), np.repeat(PRIOR, bodies, axis=0)
    spot: Array = np.where(np.arange(bodies) < 200, 7, np.arange(bodies))
    for step in range(6):
        here = spot + 1000 * step * (np.arange(bodies) >= 200)
        action, line = body(
            line, np.zeros(bodies, bool), nothing(bodies, 3, prior), here, np.full(bodies, step == 0), draw
        )
    assert (action[:200] == 0).mean() < 0.65 and (action[200:] == 0).mean() > 0.8
