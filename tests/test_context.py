"""Short-term memory: the pose and the map hold true over whole episodes in real worlds."""

from __future__ import annotations

import numpy as np
import pytest

from cortex.modules.context import has_passed, sign_of
from cortex.modules.hippocampus.registration import silent
from cortex.types import MODALITIES, UNSEEN
from tests.walks import RESTLESS, Walk, axes, find_body, follow, memory, place_of

TASKS = ["Empty-5x5", "DoorKey-5x5", "FourRooms", "MultiRoom-N2-S4", "Empty-16x16"]


def name(task: str) -> str:
    return f"MiniGrid-{task}-v0"


@pytest.mark.parametrize("task", TASKS)
def test_the_pose_is_the_true_one_at_every_step(task: str) -> None:
    walk = Walk(name(task), 8, 0, RESTLESS)
    motions = find_body(walk, name(task))
    episodes = 0
    for moment in follow(walk, memory(walk), motions, 100):
        assert moment.state.place is not None
        np.testing.assert_array_equal(moment.state.place.pose, moment.pose)
        episodes += int(moment.step.first.sum())
    assert episodes >= 8


@pytest.mark.parametrize(("task", "least"), [("DoorKey-5x5", 14), ("FourRooms", 60), ("MultiRoom-N2-S4", 14)])
def test_the_map_shows_what_is_truly_there(task: str, least: int) -> None:
    walk = Walk(name(task), 4, 1, RESTLESS)
    motions = find_body(walk, name(task))
    known = 0
    for t, moment in enumerate(follow(walk, memory(walk), motions, 90)):
        if t % 8:
            continue
        assert moment.state.place is not None
        for body, cells in enumerate(moment.state.place.cells):
            at = np.argwhere(cells != UNSEEN)
            ahead, right = axes(moment.facing[body])
            away = at - 32
            there = moment.origin[body] + away[:, :1] * right - away[:, 1:] * ahead
            np.testing.assert_array_equal(cells[at[:, 0], at[:, 1]], walk.truth(body, there))
            known = max(known, len(at))
    assert known >= least


def test_the_surroundings_show_the_true_cells_around_the_agent_in_its_own_frame() -> None:
    walk = Walk(name("FourRooms"), 4, 2, RESTLESS)
    motions = find_body(walk, name("FourRooms"))
    context = memory(walk)
    for t, moment in enumerate(follow(walk, context, motions, 60)):
        scene = moment.state.scene
        assert scene.tokens.shape[1] == 1 + context.tokens, "the first stands for where the agent looks"
        if t % 10:
            continue
        for body in range(4):
            around = scene.mask[body] & (scene.modality[body] == MODALITIES["grid"])
            offset = scene.position[body, around].astype(int)
            ahead, right = axes(moment.step.heading[body])
            there = moment.step.position[body] + offset[:, :1] * right - offset[:, 1:] * ahead
            truth = walk.truth(body, there)
            truth[(offset == 0).all(axis=1)] = walk.code([(1, 0, 0)])  # the own cell shows what is carried: nothing
            np.testing.assert_array_equal(scene.tokens[body, around], walk.codebook.decode(truth))
            distance = np.abs(offset).sum(axis=1)
            assert (np.diff(distance) >= 0).all() and distance[0] == 0


def test_what_is_carried_is_known_and_gone_from_where_it_lay() -> None:
    walk = Walk(name("DoorKey-5x5"), 8, 0, (0.25, 0.25, 0.2, 0.3, 0.0, 0.0, 0.0))
    motions = find_body(walk, name("DoorKey-5x5"))
    empty = int(walk.code([(1, 0, 0)])[0])
    carriers = 0
    for moment in follow(walk, memory(walk), motions, 100):
        assert moment.state.place is not None
        for body, world in enumerate(walk.worlds):
            carried = int(moment.state.place.carried[body])
            held = None if world.carrying is None else int(walk.code([world.carrying.encode()])[0])
            assert carried == (empty if held is None else held)
            if held is not None:
                carriers += 1
                assert not (moment.state.place.cells[body] == held).any()
    assert carriers > 50


def test_with_length_0_there_is_only_the_present_scene() -> None:
    walk = Walk(name("FourRooms"), 4, 3, RESTLESS)
    motions = find_body(walk, name("FourRooms"))
    for moment in follow(walk, memory(walk, length=0), motions, 40):
        assert moment.state.place is not None
        seen = (moment.step.codes != UNSEEN).sum(axis=1)
        known = (moment.state.place.cells != UNSEEN).sum(axis=(1, 2))
        assert (known == seen - 1).all()  # the own cell of the view shows what is carried, and is not on the map
        assert (moment.state.place.pose == [32, 32, 0]).all()
        np.testing.assert_array_equal(moment.state.latent[:, 0], moment.step.codes[:, 0])


def test_with_a_short_length_the_map_keeps_what_was_seen_within_it() -> None:
    walk, again = (Walk(name("FourRooms"), 4, 3, RESTLESS) for _ in range(2))
    motions = find_body(walk, name("FourRooms"))
    again.codebook = walk.codebook
    whole, short = follow(walk, memory(walk), motions, 60), follow(again, memory(again, length=5), motions, 60)
    last_seen = np.full((4, 64, 64), -100)
    forgot = 0
    for t, (long, brief) in enumerate(zip(whole, short, strict=True)):
        assert long.state.place is not None and brief.state.place is not None
        np.testing.assert_array_equal(long.state.place.pose, brief.state.place.pose)
        last_seen[long.step.first] = -100
        at = place_of(long.state.place.pose, walk.layout.position.astype(int), motions.own, 64)
        body, token = np.nonzero((long.step.codes != UNSEEN) & (walk.layout.position != motions.own).any(axis=1))
        last_seen[body, at[body, token, 0], at[body, token, 1]] = t
        kept = np.where(t - last_seen < 5, long.state.place.cells, UNSEEN)
        np.testing.assert_array_equal(brief.state.place.cells, kept)
        forgot += int((kept != long.state.place.cells).sum())
    assert forgot


def test_until_the_body_is_found_there_is_no_map() -> None:
    walk = Walk(name("Empty-5x5"), 2, 0)
    for moment in follow(walk, memory(walk), silent(7), 5):
        assert moment.state.place is None
        np.testing.assert_array_equal(moment.state.scene.mask, moment.step.codes != UNSEEN)
        np.testing.assert_array_equal(moment.state.scene.tokens, walk.codebook.decode(moment.step.codes))


def test_equal_scenes_have_equal_codes_and_others_do_not() -> None:
    walk = Walk(name("DoorKey-5x5"), 8, 0, RESTLESS)
    names: dict[bytes, int] = {}
    for moment in follow(walk, memory(walk), silent(7), 60):
        for codes, code in zip(moment.step.codes, moment.state.code.tolist(), strict=True):
            assert names.setdefault(codes.tobytes(), code) == code
    assert len(set(names.values())) == len(names) > 20


def test_where_an_action_led_is_known_until_the_episode_ends() -> None:
    walk = Walk(name("Empty-5x5"), 4, 3, RESTLESS)
    motions = find_body(walk, name("Empty-5x5"))
    began, before = 0, np.zeros((4, 4), np.int64)  # what it held, and its pose
    for moment in follow(walk, memory(walk), motions, 120):
        place, first = moment.state.place, moment.step.first
        assert place is not None
        signs = sign_of(place)
        for body in range(4):
            moved = bool((before[body, 1:3] != place.pose[body, :2]).any())
            led = has_passed(place.passed[body], moment.step.action[body], moved, before[body, 0], signs[body])
            assert led == (not first[body])
            began += int(first[body])
            assert not (first[body] and place.passed[body].any())
        before = np.column_stack([place.carried, place.pose])
    assert began > 4
