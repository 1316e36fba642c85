"""The body schema: which motion of the view each action makes, found from what random actions show in real worlds."""

from __future__ import annotations

import gymnasium
import minigrid  # noqa: F401
import numpy as np
import pytest
from minigrid.wrappers import ViewSizeWrapper

from cortex.modules.hippocampus.registration import Registration, rigid, silent
from cortex.types import TURN, Array, Motions
from tests.walks import DONE, FORWARD, LEFT, RIGHT, Walk, moved, pairs, place_of

TASKS = ["Empty-5x5", "DoorKey-5x5", "FourRooms", "MultiRoom-N2-S4"]


def rows(task: str, seed: int) -> tuple[Registration, Array, Array, Array]:
    walk = Walk(f"MiniGrid-{task}-v0", 8, seed)
    return Registration(walk.layout.position, 7), *pairs(walk, 80)


def assert_true(motions: Motions, own: tuple[int, int] = (3, 6), front: tuple[int, int] = (3, 5)) -> None:
    """Turns are quarter turns about the own cell, each its own way; walking brings the front cell; nothing else
    moves."""
    assert motions.resolved and motions.along
    assert tuple(motions.own) == own and tuple(motions.own + motions.facing[0]) == front
    ahead = TURN @ (np.array(front) - own)  # by heading
    np.testing.assert_array_equal(motions.facing, ahead)
    assert motions.turn[:, [LEFT, RIGHT]].tolist() == [[(h + 3) % 4, (h + 1) % 4] for h in range(4)]
    assert (motions.turn[:, FORWARD:] == np.arange(4)[:, None]).all()
    np.testing.assert_array_equal(motions.go[:, FORWARD], ahead)
    assert not np.delete(motions.go, FORWARD, axis=1).any()
    assert motions.turns.tolist() == [[True, True, False, False, False, False, False]] * 4
    np.testing.assert_array_equal(motions.reach[:, FORWARD:], np.repeat(ahead[:, None], 5, axis=1))
    still = np.array([0, 0, 0])
    start = np.array([[10, 10, 0]])
    after = {a: moved(start, np.array([a]), motions)[0] - start[0] for a in range(7)}
    assert after[LEFT].tolist() == [0, 0, 3] and after[RIGHT].tolist() == [0, 0, 1]
    assert after[FORWARD].tolist() == [front[0] - own[0], front[1] - own[1], 0]
    assert all((after[a] == still).all() for a in range(FORWARD + 1, DONE + 1))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_motions_are_the_true_ones_as_soon_as_there_are_any(task: str, seed: int) -> None:
    registration, before, after, action = rows(task, seed)
    for count in (24, 32, 56, 100, 200):
        found = registration.fit(before[:count], after[:count], action[:count])
        if found.resolved:
            assert_true(found)
    assert_true(registration.fit(before, after, action))


def test_an_action_that_shows_much_at_once_is_no_turn_where_two_others_turn_about_the_agent() -> None:
    registration, before, after, action = rows("Empty-5x5", 0)
    half = registration.rotation == 2
    about = [tuple((2 * np.linalg.solve(np.eye(2) - TURN[2], shift)).round()) for shift in registration.shift[half]]
    elsewhere = np.flatnonzero(half)[[point == (6.0, 6.0) for point in about]][0]  # about (3, 3), not the own (3, 6)
    source, toggle = registration.source[elsewhere], action == 5
    after[toggle] = np.where(source >= 0, before[toggle][:, source], after[toggle])
    assert (after[toggle] != before[toggle]).any()
    found = registration.fit(before, after, action)
    assert_true(found)


def test_walls_stop_a_walk_and_floors_do_not() -> None:
    walk = Walk("MiniGrid-FourRooms-v0", 8, 0)
    found = Registration(walk.layout.position, 7).fit(*pairs(walk, 100))
    wall, floor = walk.code([(2, 5, 0), (1, 0, 0)])
    assert found.blocked[wall] > 0.8 and found.blocked[floor] < 0.2


def test_a_smaller_view_and_a_turned_one_are_found_too() -> None:
    def small() -> gymnasium.Env:
        return ViewSizeWrapper(gymnasium.make("MiniGrid-FourRooms-v0"), agent_view_size=5)

    walk = Walk(small, 8, 0)
    assert_true(Registration(walk.layout.position, 7).fit(*pairs(walk, 100)), (2, 4), (2, 3))

    walk = Walk("MiniGrid-FourRooms-v0", 8, 0, change=lambda view: view.swapaxes(1, 2)[:, ::-1])
    found = Registration(walk.layout.position, 7).fit(*pairs(walk, 100))
    assert_true(found, (0, 3), (1, 3))


def test_without_rows_nothing_is_resolved() -> None:
    registration, before, after, action = rows("Empty-5x5", 0)
    none = registration.fit(before[:0], after[:0], action[:0])
    assert not none.resolved and none.version == silent(7).version
    untried = action != FORWARD
    assert not registration.fit(before[untried], after[untried], action[untried]).resolved


def test_noise_is_not_taken_for_motion() -> None:
    draw = np.random.default_rng(0)
    registration, *_ = rows("Empty-5x5", 0)
    view = draw.integers(1, 6, (600, 49))
    found = registration.fit(view[:-1], view[1:], draw.integers(0, 7, 599))
    assert not found.resolved


def test_the_order_of_rows_and_their_repetition_do_not_matter() -> None:
    registration, before, after, action = rows("DoorKey-5x5", 0)
    found = registration.fit(before, after, action)
    order = np.random.default_rng(0).permutation(len(action))
    for some in (order, np.concatenate([order, order])):
        again = registration.fit(before[some], after[some], action[some])
        for name in ("go", "turn", "reach", "facing", "own"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_a_place_seen_before_and_after_a_motion_stays_where_it_is_on_the_map() -> None:
    registration, before, after, action = rows("FourRooms", 0)
    motions = registration.fit(before, after, action)
    view = registration.position
    for a, rotation in ((LEFT, 1), (RIGHT, 3), (FORWARD, 0)):
        start = np.array([[32, 32, 1]])
        turn = TURN[rotation]
        shift = motions.own - turn @ motions.own - (motions.facing[0] if a == FORWARD else 0)
        source = registration.source[
            np.flatnonzero((registration.rotation == rotation) & (registration.shift == shift).all(axis=1))[0]
        ]
        seen = np.flatnonzero(source >= 0)
        was = place_of(start, view[source[seen]], motions.own, 64)
        now = place_of(moved(start, np.array([a]), motions), view[seen], motions.own, 64)
        np.testing.assert_array_equal(was, now)


def test_the_schema_of_a_view_that_moves_along_follows_from_its_motions() -> None:
    own, front = np.array([3, 6]), np.array([3, 5])
    rotation = np.array([1, 3, 0, 0])
    shift = np.array([own - TURN[1] @ own, own - TURN[3] @ own, own - front, [0, 0]])
    found = rigid(rotation, shift, own, front, np.zeros(1, np.float32), held=7)
    assert found.resolved and found.along and found.held == 7
    np.testing.assert_array_equal(found.go[:, 2], found.facing)
    pose = np.array([[10, 10, h] for h in range(4)])
    ahead = (TURN @ [0, -1]).astype(int)
    np.testing.assert_array_equal(moved(pose, np.full(4, 2), found)[:, :2] - 10, ahead)
    for a in (0, 1, 3):
        np.testing.assert_array_equal(moved(pose, np.full(4, a), found)[:, :2], pose[:, :2])
    assert moved(pose, np.full(4, 0), found)[:, 2].tolist() == [3, 0, 1, 2]
    other = rigid(rotation, shift, own, np.array([3, 7]), np.zeros(1, np.float32), held=7)
    assert found.version != other.version and not rigid(rotation, shift, own, None, None).resolved


def test_what_is_held_is_told_by_the_token_of_the_own_cell() -> None:
    """The view's cells may be some tokens of a larger scene."""
    registration, before, after, action = rows("DoorKey-5x5", 0)
    tokens = np.arange(49) + 5
    found = Registration(registration.position, 7, tokens).fit(before, after, action)
    at = np.flatnonzero((registration.position == found.own).all(axis=1))
    assert found.held == tokens[at[0]] and registration.fit(before, after, action).held == at[0]


def test_in_a_place_so_narrow_that_a_step_changes_two_cells_the_body_is_found_too() -> None:
    walk = Walk("MiniGrid-KeyCorridorS3R1-v0", 8, 0)
    found = Registration(walk.layout.position, 7).fit(*pairs(walk, 150))
    assert_true(found)
