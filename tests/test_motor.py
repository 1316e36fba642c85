"""The motor where nobody searched: what was done here before in this episode is done less again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gymnasium import spaces

from cortex.modules.motor import Codec, Line, Motor
from cortex.modules.planner import nothing
from cortex.types import Array

PRIOR = np.array([[0.9, 0.06, 0.04]], np.float32)
NO = np.zeros(1, bool)


def acts(motor: Motor, spots: list[int], line: Line | None = None, first: int = 0) -> tuple[list[int], Line]:
    """What is done at one spot after the other, by the likeliest action; ``first``: where an episode begins."""
    line, done = line or motor.initial(1), []
    for step, spot in enumerate(spots):
        begins = np.array([step == first])
        action, line = motor(
            line, NO, nothing(1, 3, PRIOR), NO, np.array([spot]), begins, np.random.default_rng(step), 0.0
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


def test_a_cooled_motor_draws_what_is_likeliest_more_often_and_stays_undecided_where_all_is_alike() -> None:
    bodies, draw = 3000, np.random.default_rng(0)
    none, spot = np.zeros(bodies, bool), np.arange(bodies)

    def share(body: Motor, prior: Array) -> float:
        plan = nothing(bodies, 3, np.repeat(prior, bodies, axis=0))
        return float((body(body.initial(bodies), none, plan, none, spot, ~none, draw)[0] == 0).mean())

    even = np.full((1, 3), 1 / 3)
    assert share(motor().cooled(0.25), PRIOR) > 0.99 > share(motor(), PRIOR) + 0.01
    assert abs(share(motor().cooled(0.25), even) - 1 / 3) < 0.04


def test_however_cold_the_motor_is_it_draws_among_what_is_likeliest() -> None:
    bodies = 300
    none, spot = np.zeros(bodies, bool), np.arange(bodies)
    for prior, likeliest in (([0.4, 0.2, 0.4], {0, 2}), ([1 / 7] * 7, set(range(7)))):
        body = Motor(Codec(spaces.Discrete(len(prior))), 0.001, 4, 0.5)
        plan = nothing(bodies, len(prior), np.repeat(np.array([prior]), bodies, axis=0))
        done = body(body.initial(bodies), none, plan, none, spot, ~none, np.random.default_rng(0))[0]
        assert set(done.tolist()) == likeliest


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
        action, line = body(line, first, plan, NO, np.array([7]), first, draw, 0.0)
        assert action.tolist() == [0]


def test_drawn_actions_are_inhibited_too_and_each_body_by_itself() -> None:
    body, bodies = motor(), 400
    none = np.zeros(bodies, bool)
    line, draw, prior = body.initial(bodies), np.random.default_rng(0), np.repeat(PRIOR, bodies, axis=0)
    spot: Array = np.where(np.arange(bodies) < 200, 7, np.arange(bodies))
    for step in range(6):
        here = spot + 1000 * step * (np.arange(bodies) >= 200)
        action, line = body(line, none, nothing(bodies, 3, prior), none, here, np.full(bodies, step == 0), draw)
    assert (action[:200] == 0).mean() < 0.65 and (action[200:] == 0).mean() > 0.8


def test_who_would_do_the_same_at_the_same_place_again_goes_in_circles() -> None:
    line = acts(motor(), [7, 8])[1]
    for spot, prior, first, circles in ((7, PRIOR, NO, True), (7, PRIOR[:, ::-1], NO, False), (9, PRIOR, NO, False)):
        assert motor().circles(line, prior, np.array([spot]), first).tolist() == [circles]
    assert not motor().circles(line, PRIOR, np.array([7]), ~NO), "another episode"
    assert not motor(0.0).circles(line, PRIOR, np.array([7]), NO), "without inhibition nobody minds"


def test_a_line_is_firm_if_it_was_found_since_memory_objected() -> None:
    body, draw = motor(), np.random.default_rng(0)
    plan = replace(
        nothing(1, 3, PRIOR),
        steps=np.array([3]),
        known=~NO,
        actions=np.array([[1, 2, 0]], np.int16),
        expected=np.array([[11, 12, 13]]),
    )
    for held in (NO, ~NO):
        _, line = body(body.initial(1), NO, plan, held, np.array([7]), ~NO, draw)
        for seen, action in ((11, 2), (12, 0)):
            assert line.firm.tolist() == held.tolist() and body.follows(line, np.array([seen]), NO).all()
            done, line = body(line, ~NO, plan, NO, np.array([seen]), NO, draw)
            assert done.tolist() == [action], "the rest of the line"
    _, line = body(line, NO, plan, NO, np.array([7]), NO, draw)
    assert not line.firm, "the next line is one like any other"
