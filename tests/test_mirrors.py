"""Mirrored worlds: what the body schema says is the same turned round, search says too."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex
from cortex import mirrors
from cortex.day import live_day, living
from cortex.dream import dream
from cortex.modules.context import front_of
from cortex.modules.habit import Choice, fit, places
from cortex.modules.habit.policy import GRID, turned
from cortex.replay import moments
from cortex.types import SYMMETRIES, Array, Motions, State, take

GAME = {
    "game_seed": 901,
    "difficulty": 3,
    "modalities": ("grid", "text", "body"),
    "noise": 0,
    "view": "full",
    "level": 1,
}


def lived(env: Any, steps: int) -> cortex.Agent:
    made = cortex.Agent.make(env, "life.bodies=4", "planner.simulations=256", seed=0)
    live_day(made, made.bodies, steps, 1, np.random.default_rng(1))
    return made


@pytest.fixture(scope="module")
def mover() -> cortex.Agent:
    """One whose view stays, and who has four moves."""
    return lived(partial(gymnasium.make, "cortex/NovelGame-v0", **GAME), 600)


@pytest.fixture(scope="module")
def turner() -> cortex.Agent:
    """One whose view turns with it."""
    return lived("MiniGrid-DoorKey-5x5-v0", 1200)


def remembered(agent: cortex.Agent, step: int) -> State:
    store = agent.hippocampus.store
    found = [m for m in moments(agent, [store.read(n) for n in store.episodes()]) if m.t == step]
    return take(found[0].before, slice(None))


def mirrored(agent: cortex.Agent, state: State, motions: Motions, number: int) -> State:
    """The whole map turned about its first cell, as a hand would."""
    assert state.place is not None
    place, symmetry = state.place, SYMMETRIES[number]
    size = place.cells.shape[1]
    at = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1)
    to = at @ symmetry.T % size
    cells = np.zeros_like(place.cells)
    cells[:, to[..., 0], to[..., 1]] = place.cells
    faces = motions.facing @ symmetry.T
    heading = (faces[:, None] == motions.facing[None]).all(axis=-1).argmax(axis=1)
    pose = np.column_stack([place.pose[:, :2] @ symmetry.T % size, heading[place.pose[:, 2]]])
    turned_place = replace(place, cells=cells, pose=pose, ahead=front_of(pose, motions, size))
    scene = agent.context.surroundings(turned_place, state.codes, motions)
    return replace(state, place=turned_place, scene=scene)


def laid_out(place: Array, tokens: Array, known: Array) -> list[dict[int, bytes]]:
    """What each scene shows where."""
    rows = zip(place, tokens, known, strict=True)
    return [{int(p): t.tobytes() for p, t, k in zip(*row, strict=True) if k and p < GRID} for row in rows]


@pytest.mark.parametrize(("who", "step", "count"), [("mover", 2, 8), ("turner", 10, 2)])
def test_what_search_says_of_a_scene_it_says_of_its_mirror_image(
    who: str, step: int, count: int, request: pytest.FixtureRequest
) -> None:
    agent: cortex.Agent = request.getfixturevalue(who)
    motions = agent.imagination.motions(0)
    alike = mirrors.mirrors(motions)
    assert (alike >= 0).all(axis=1).sum() == count, "every turn of a view that stays, and what mirrors one that turns"
    states = remembered(agent, step)
    situation = np.zeros(len(states.code), np.int32)
    states = dream(agent, states, situation, np.random.default_rng(0))
    plan, _ = agent.consider(states, situation, 512)
    assert plan.known.sum() >= 5
    for number in np.flatnonzero((alike >= 0).all(axis=1)):
        other = mirrored(agent, states, motions, int(number))
        said, _ = agent.consider(other, situation, 512)
        same = (said.best == plan.best[:, alike[number]]).all(axis=1)
        assert same[plan.known].mean() > 0.9
        there = turned(agent.habit.place.num_embeddings).numpy()[number]
        at, now = (places(scene.position, scene.modality) for scene in (states.scene, other.scene))
        assert laid_out(there[at], states.scene.tokens, states.scene.mask) == laid_out(
            now, other.scene.tokens, other.scene.mask
        ), "the habit is shown what it would see there"


def test_senses_that_may_tell_directions_are_not_mirrored(turner: cortex.Agent) -> None:
    states, motions = remembered(turner, 10), turner.imagination.motions(0)
    assert (mirrors.of_scenes(states.scene, motions)[:, 1:] == mirrors.SAME).all(), "a compass is seen"
    dreamed = dream(turner, states, np.zeros(len(states.code), np.int32), np.random.default_rng(0))
    assert (mirrors.of_scenes(dreamed.scene, motions) >= 0).all(axis=2).sum(axis=1).min() == 2


def test_a_body_whose_actions_do_not_mirror_one_another_is_not_mirrored(mover: cortex.Agent) -> None:
    motions = mover.imagination.motions(0)
    lame = replace(motions, go=motions.go.copy())
    lame.go[:, 0] = 0  # it cannot go to one side
    assert (mirrors.mirrors(lame) >= 0).all(axis=1).sum() == 2, "only what leaves that side where it is"
    apart = replace(motions, verb=np.arange(len(motions.verb)))
    assert (mirrors.mirrors(apart) >= 0).all(axis=1).sum() == 1, "memory keeps the rules of each action apart"


def test_who_is_unsure_of_a_map_looks_at_it_from_all_sides(mover: cortex.Agent) -> None:
    """Then it says of a scene what it says of its mirror image, whichever body it has, and likelier what is right."""
    motions, where = mover.imagination.motions(0), np.zeros(256, np.int32)
    states = take(remembered(mover, 2), np.zeros(256, np.int64))
    lessons, later = (dream(mover, states, where, np.random.default_rng(seed)) for seed in (0, 1))
    found = [mover.consider(asked, where, 512)[0] for asked in (lessons, later)]
    habit, alike = copy.deepcopy(mover.habit), mirrors.of_scenes(lessons.scene, motions)
    lame = np.where(np.arange(8)[:, None] % 4 == 0, alike, mirrors.SAME)  # a body of fewer symmetries is known too
    known = np.concatenate([alike, lame[:64]])
    by_lot = Choice(np.zeros(256), np.zeros(256), np.ones(256), np.zeros(256), 0.0)
    value = np.clip(found[0].value, 0, 1)
    fit(habit, lessons.scene, found[0].weights, value, alike, by_lot, 60, 64, 0.003, np.random.default_rng(2))
    assert (habit.turns[0].numpy() == alike[0]).all() and (habit.turns[1:] < 0).all(), "learned with the rest"
    habit.embody(known)
    other = mirrored(mover, later, motions, 5).scene
    rows = found[1].known
    for unsure, same in ((0.0, False), (2.0, True)):
        here, there = habit(later.scene, None, unsure).prior, habit(other, None, unsure).prior
        assert np.allclose(there, here[:, alike[0, 5]], atol=1e-3) is same
    once, sides = ((habit(later.scene, None, unsure).prior * found[1].best)[rows].sum(axis=1) for unsure in (0.0, 2.0))
    assert sides.mean() > once.mean() > 0.3, f"{sides.mean():.2f} from all sides, {once.mean():.2f} at a glance"
    alone = replace(mover.lesioned("planner", "habit.unsure=2"), habit=habit)
    trace, *_ = next(living(alone, alone.bodies, 3, np.random.default_rng(3)))
    np.testing.assert_array_equal(trace.habit.prior, habit(alone.around(trace.state), None, 2.0).prior)
    sure = habit(later.scene).prior.max(axis=1) >= 0.7
    np.testing.assert_allclose(habit(later.scene, None, 0.7).prior[sure], habit(later.scene).prior[sure], atol=1e-6)


def test_as_many_actions_as_there_may_be_are_told_apart() -> None:
    assert (mirrors.none(2, 1024)[:, 0] == np.arange(1024)).all()


def test_a_habit_that_was_saved_before_it_knew_other_sides_is_loaded(mover: cortex.Agent) -> None:
    habit = copy.deepcopy(mover.habit)
    habit.embody(np.arange(6)[None, None].repeat(8, axis=1))
    habit.load_state_dict({name: value for name, value in mover.habit.state_dict().items() if name != "turns"})
    assert (habit.turns < 0).all(), "it knows none"
    habit.embody(mirrors.none(3, 6))
    assert (habit.turns < 0).all(), "nothing is learned of scenes that have but one side"
