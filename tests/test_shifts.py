"""A view that moves along and never turns: the agent finds its cell, its looks and its steps, and keeps a true map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex  # noqa: F401
from cortex.modules.codebook import Codebook
from cortex.modules.context import Context
from cortex.modules.encoders import Senses
from cortex.modules.hippocampus.guises import LEAP, Guises
from cortex.modules.hippocampus.registration import Registration
from cortex.types import UNSEEN, Array, Layout, Motions, Percept, Place, Sensed
from experiments.agents import make

ID = "cortex/NovelGame-v0"
ACTIONS, MOVES, SIDE, EYE = 6, 4, 7, 3
UNTAUGHT = np.zeros((ACTIONS, LEAP + 1))
DIRECTIONS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
POSITION = np.stack(np.divmod(np.arange(SIDE**2), SIDE), axis=1)


@dataclass(frozen=True)
class Walk:
    """Random steps in one game, and the truth."""

    codes: Array  # [T + 1, N]
    action: Array  # [T] that follows
    first: Array  # [T + 1] bool, an episode begins here
    at: Array  # [T + 1, 2] the true cell
    face: Array  # [T + 1] the true direction
    layout: Layout
    codebook: Codebook

    def fit(self, steps: int) -> Motions | None:
        """What is found from the first steps."""
        rows = np.flatnonzero(~self.first[1:])[:steps]
        guises = Guises(self.layout.position, ACTIONS)
        return guises.fit(self.codes[rows], self.codes[rows + 1], self.action[rows], UNTAUGHT, -1)

    def places(self, motions: Motions) -> list[Place]:
        """Where short-term memory is at each step."""
        context = Context(self.layout, self.codebook, 8, 1000, 0.9, 64, 6, 64)
        carry, found = context.initial(1), []
        for t, codes in enumerate(self.codes):
            carry = replace(carry, action=self.action[t - 1 : t] if t else carry.action)
            percept = Percept(np.zeros((1, 8), np.float32))
            sensed = Sensed(context.scene(codes[None]), percept, codes[None])
            carry, state = context(carry, sensed, self.first[t : t + 1], motions)
            assert state.place is not None
            found.append(state.place)
        return found


def walk(game: int, difficulty: int, steps: int, order: Array | None = None) -> Walk:
    """Random steps; ``order``: the game's action that each action stands for."""
    env: Any = gymnasium.make(ID, difficulty=difficulty, game_seed=game, view="ego", split="T1")
    senses, codebook = Senses.for_space(gymnasium.spaces.Dict({"grid": env.observation_space["grid"]})), Codebook()
    draw, order = np.random.default_rng(game), np.arange(ACTIONS) if order is None else order
    rows: list[tuple[Any, ...]] = []
    seen, ended = env.reset(seed=game)[0], True
    for _ in range(steps + 1):
        scene = senses({"grid": seen["grid"][None]})
        action = int(draw.integers(ACTIONS))
        face = int(env.unwrapped.bodies.worlds["face"][0])
        rows.append((codebook.encode(scene.tokens, scene.mask)[0], action, ended, seen["body"][3:5].copy(), face))
        ended = False
        seen, _, terminated, truncated, _ = env.step(int(order[action]))
        if terminated or truncated:
            seen, ended = env.reset()[0], True
    codes, action_, first, at, face_ = (np.array(column) for column in zip(*rows, strict=True))
    return Walk(codes, action_, first, at, face_, senses.layout, codebook)


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_where_it_is_and_where_it_looks_is_known_at_every_step(difficulty: int) -> None:
    right, looks = [], []
    for game in range(500, 508):
        lived = walk(game, difficulty, 150)
        found = lived.fit(96)
        assert found is not None and found.along and found.own.tolist() == [EYE, EYE]
        places = lived.places(found)
        pose = np.array([place.pose[0] for place in places])
        away = np.diff(pose[:, :2], axis=0) - np.diff(lived.at, axis=0)
        leapt = np.abs(np.diff(lived.at, axis=0)).sum(axis=1) > 1  # through a pad, or to another layout
        right.append((away == 0).all(axis=1)[~leapt & ~lived.first[1:]])
        known = (found.facing[pose[:, 2]] != 0).any(axis=1)
        looks.append((found.facing[pose[:, 2]] == DIRECTIONS[lived.face]).all(axis=1)[known])
        assert known.mean() > 0.9
        guises = found.selves[found.selves != UNSEEN]
        assert not np.isin(places[-1].cells, guises).any(), "the agent is no part of its map"
    assert np.concatenate(right).mean() >= 0.99
    assert np.concatenate(looks).mean() >= 0.99


def test_it_is_found_by_its_second_step_and_moves_may_stand_for_anything() -> None:
    asked = 0
    for game in range(500, 512):
        order = np.random.default_rng(game).permutation(ACTIONS)
        lived = walk(game, 1, 60, order)
        rows = np.flatnonzero(~lived.first[1:])
        went = np.abs(lived.at[rows + 1] - lived.at[rows]).sum(axis=1) == 1
        for steps in (int(np.flatnonzero(went)[1]) + 1, 20, 40):
            found = lived.fit(steps)
            assert found is not None and found.own.tolist() == [EYE, EYE]
            for t in rows[:steps][went[:steps]]:
                heading = int((found.selves == lived.codes[t, EYE * SIDE + EYE]).argmax())
                step = (lived.at[t + 1] - lived.at[t]).tolist()
                assert found.go[heading, lived.action[t]].tolist() == step
                assert found.reach[heading, lived.action[t]].tolist() == step
                asked += 1
        still = np.isin(order, (4, 5))
        assert not found.go[:, still].any(), "to use or to wait takes it nowhere"
    assert asked > 100


def test_rigid_motions_alone_do_not_tell_where_it_looks() -> None:
    lived = walk(500, 1, 600)
    same = np.flatnonzero(~lived.first[1:])
    rows = lived.codes[same], lived.codes[same + 1], lived.action[same]
    assert not Registration(lived.layout.position, ACTIONS).fit(*rows).resolved


def test_no_room_passes_for_another_one_turned() -> None:
    """Pads lead to and fro between places that look alike from two sides."""
    env, lived = gymnasium.make(ID, game_seed=521, view="ego"), walk(521, 1, 400)
    rows = np.flatnonzero(~lived.first[1:])[:100]
    told = lived.codes[rows], lived.codes[rows + 1], lived.action[rows]
    assert Registration(lived.layout.position, ACTIONS).fit(*told).resolved, "rigid motions alone are misled"
    memory = make(env.observation_space, env.action_space, 0).agent.hippocampus
    memory.enter(0).motions = lived.fit(100)
    assert memory.own_body.motions(0).shown and not memory.own_body.register(*told)
    assert memory.own_body.motions(0).shown and not memory.own_body.rigid.resolved


# A world made for one question

FLOOR, BORDER, AGENT = 1, 2, 3


class Field:
    """A walled field of things, no two alike, seen around the agent."""

    def __init__(self, side: int) -> None:
        self.cells = np.full((side + 2 * EYE, side + 2 * EYE), BORDER)
        inner = self.cells[EYE + 1 : -EYE - 1, EYE + 1 : -EYE - 1]
        inner[:] = FLOOR
        inner[::3, ::3] = np.arange(10, 10 + inner[::3, ::3].size).reshape(inner[::3, ::3].shape)

    def view(self, at: Array) -> Array:
        seen = self.cells[at[0] : at[0] + SIDE, at[1] : at[1] + SIDE].copy()
        seen[EYE, EYE] = AGENT
        return seen.ravel()


def test_one_who_is_carried_off_finds_itself_where_it_was_before_or_begins_another_map() -> None:
    field = Field(30)
    way = [np.array([5, c]) for c in range(5, 12)] + [np.array([r, 11]) for r in range(6, 10)]
    steps = [1] * 6 + [2] * 4
    codes = np.array([field.view(at) for at in way])
    guises = Guises(POSITION, MOVES)
    motions = guises.fit(codes[:-1], codes[1:], np.array(steps), np.zeros((MOVES, LEAP + 1)), -1)
    assert motions is not None and motions.own.tolist() == [EYE, EYE]
    layout = Layout(POSITION.astype(np.float32), np.full(SIDE**2, 2, np.int8))
    context = Context(layout, Codebook(), 8, 1000, 0.9, 64, 6, 64)
    carry, poses, known = context.initial(1), [], []
    context.surroundings = lambda place, codes, motions: None  # type: ignore[method-assign,assignment,return-value]
    leaps = [np.array([5, 6]), np.array([25, 25]), np.array([25, 26])]  # back to where it was, and far away
    for t, (at, action) in enumerate(zip([*way, *leaps], [-1, *steps, 3, 3, 1], strict=True)):
        carry = replace(carry, action=np.array([action]))
        percept = Percept(np.zeros((1, 8), np.float32))
        scene = field.view(at)[None].astype(np.int32)
        sensed = Sensed(context.scene(scene * 0), percept, scene)
        carry, state = context(carry, sensed, np.array([t == 0]), motions)
        assert state.place is not None
        poses.append(state.place.pose[0, :2])
        known.append(int((state.place.cells != UNSEEN).sum()))
    start = poses[0]
    walked = np.array(way) - way[0]
    np.testing.assert_array_equal(np.array(poses[: len(way)]) - start, walked)
    back, far, on = poses[len(way) :]
    assert (back - start).tolist() == [0, 1] and known[len(way)] == known[len(way) - 1]
    assert known[len(way) + 1] == SIDE**2 - 1, "of another place nothing is known but what is seen"
    assert (on - far).tolist() == [0, 1]


def test_a_game_seen_from_within_is_won_within_few_actions() -> None:
    kind = {"game_seed": 509, "difficulty": 1, "level": 1, "split": "T1", "view": "ego"}
    bodies: Any = gymnasium.make_vec(ID, 1, vectorization_mode="vector_entry_point", **kind)
    learner = make(bodies.single_observation_space, bodies.single_action_space, 0)
    won: list[bool] = []
    learner.live(bodies, 200, 0, lambda played: won.append(played.success))
    assert np.mean(won[-5:]) >= 0.8, won


def test_a_new_guise_leaves_the_map_as_it_is() -> None:
    lived = walk(502, 3, 120)
    begun = 0
    for before in range(2, 60):
        early, late = lived.fit(before), lived.fit(before + 1)
        if early is None or late is None or early.version == late.version or not (early.along and late.along):
            continue
        begun += 1
        assert early.frame == late.frame
    assert begun > 3
