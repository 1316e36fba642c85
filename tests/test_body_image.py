"""The body image: what the cortex knows of the agent's looks when memory is cleared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import gymnasium
import numpy as np
import pytest
import torch

import cortex
from cortex.measure.protocol import Played
from cortex.modules.body_image import BodyImage, fit
from cortex.modules.codebook import Codebook
from cortex.modules.context import GAZE
from cortex.types import FACING, TOKEN_WIDTH, UNSEEN, Array, Scene
from experiments.agents import make

CELLS = 25
LOOKS = np.random.default_rng(9).standard_normal((7, TOKEN_WIDTH)).astype(np.float32) / 8


def scenes(codebook: Codebook, seed: int, count: int) -> tuple[Array, Array]:
    """Scenes [count, N] of two games and where the agent is [count]: it looks in each as another thing in the other."""
    draw, rows = np.random.default_rng(seed), np.arange(count)
    game, own = draw.integers(0, 2, count), draw.integers(0, CELLS, count)
    kinds = 1 + draw.integers(0, 2, (count, CELLS)) + 2 * game[:, None]  # what else there is says which game it is
    kinds[rows, own], kinds[rows, (own + draw.integers(1, CELLS, count)) % CELLS] = 5 + game, 6 - game
    return codebook.encode(LOOKS[kinds - 1], np.ones(kinds.shape, bool)), own


def as_it_is(codes: Array, own: Array) -> tuple[Array, Array]:
    """The agent has one guise in each game, of which it is not known which way that looks."""
    return codes[np.arange(len(own)), own][:, None], np.full((len(own), 1), -1)


def even(own: Array) -> Array:
    return np.full(len(own), 1 / len(own))


def test_it_points_at_the_agent_by_what_the_whole_scene_is_like() -> None:
    codebook, image = Codebook(), BodyImage(CELLS)
    codes, own = scenes(codebook, 0, 2000)
    fit(image, codes, codebook, own, *as_it_is(codes, own), even(own), 3, 300, 64, 3e-3, np.random.default_rng(0))
    codes, own = scenes(codebook, 1, 200)
    told, chance, _ = image(codebook.decode(codes), codes != UNSEEN)
    assert (told == own).mean() >= 0.98 and np.median(chance) > 0.9 and int(image.held) == 3


def test_it_points_at_the_agent_where_it_never_was_before() -> None:
    codebook, image = Codebook(), BodyImage(CELLS)
    codes, own = scenes(codebook, 0, 4000)
    here = own < 3  # all that is remembered
    known = codes[here], codebook, own[here], *as_it_is(codes[here], own[here]), even(own[here])
    fit(image, *known, 3, 300, 64, 3e-3, np.random.default_rng(0))
    told, _, _ = image(codebook.decode(codes[~here]), codes[~here] != UNSEEN)
    assert (told == own[~here]).mean() >= 0.97


def test_of_each_world_it_learns_as_much_as_of_any_other() -> None:
    codebook, image = Codebook(), BodyImage(CELLS)
    codes, own = scenes(codebook, 0, 2000)
    first = (codes == codes[0][own[0]]).any(axis=1) & (codes[np.arange(2000), own] == codes[0][own[0]])
    rows = np.concatenate([np.flatnonzero(first), np.flatnonzero(~first)[:6]])  # of one game little is left
    fewer = np.isin(rows, np.flatnonzero(~first))
    chance = np.where(fewer, 0.5 / 6, 0.5 / (~fewer).sum())
    fit(
        image,
        codes[rows],
        codebook,
        own[rows],
        *as_it_is(codes[rows], own[rows]),
        chance,
        3,
        300,
        64,
        3e-3,
        np.random.default_rng(0),
    )
    codes, own = scenes(codebook, 1, 400)
    told, _, _ = image(codebook.decode(codes), codes != UNSEEN)
    assert (told == own).mean() >= 0.95


def test_before_the_first_night_and_without_updates_it_points_at_nobody() -> None:
    codebook, image = Codebook(), BodyImage(CELLS)
    codes, own = scenes(codebook, 0, 20)
    assert (
        fit(image, codes, codebook, own, *as_it_is(codes, own), even(own), 3, 0, 64, 3e-3, np.random.default_rng(0))
        == {}
    )
    told, chance, _ = image(codebook.decode(codes), codes != UNSEEN)
    assert (told < 0).all() and (chance == 0).all()


def test_it_knows_the_agent_and_the_way_it_looks_in_guises_of_which_no_scene_is_left() -> None:
    """In one of the games it faces up in one guise and right in another, but was seen in the first alone."""
    codebook, image = Codebook(), BodyImage(CELLS)
    codes, own = scenes(codebook, 0, 2000)
    shown = codes[np.arange(2000), own]
    right = codebook.encode(-LOOKS[:1], np.ones(1, bool))[0]
    first = shown == shown.min()
    selves = np.where(first[:, None], [[shown.min(), right]], [[shown.max(), UNSEEN]])
    facing = np.where(first[:, None], [[0, 1]], [[-1, -1]])
    given = codes, codebook, own, selves, facing, even(own)
    losses = fit(image, *given, 3, 400, 64, 3e-3, np.random.default_rng(0))
    codes, own = scenes(codebook, 1, 400)
    turned = (codes[np.arange(400), own] == shown.min()) & (np.arange(400) % 2 == 0)
    codes[turned, own[turned]] = right
    looks = np.where(codes[np.arange(400), own] == shown.min(), 0, np.where(turned, 1, -1))
    told, _, faces = image(codebook.decode(codes), codes != UNSEEN)
    for kind in (-1, 0, 1):
        assert ((told == own) & (faces == looks))[looks == kind].mean() >= 0.95, kind
    assert losses.keys() == {"own", "facing"}


def test_the_habit_sees_where_the_agent_looks_with_memory_and_without() -> None:
    """In a view that stays the cell in front is marked, whoever it is that knows it."""
    env = gymnasium.make_vec(
        "cortex/NovelGame-v0", 1, vectorization_mode="vector_entry_point", game_seed=500, difficulty=1, level=1
    )
    learner = make(env.single_observation_space, env.single_action_space, 0)
    learner.live(env, 100, 0, lambda _: True)
    agent, observation = learner.agent, env.reset(seed=7)[0]
    motions = agent.imagination.motions(0)
    _, state = agent.context(agent.context.initial(1), agent.perceive(observation), np.ones(1, bool), motions)
    assert state.place is not None
    ahead = motions.facing[state.place.pose[0, 2]]
    assert np.abs(ahead).sum() == 1 and marked(state.scene) == [ahead.tolist()]
    own = motions.where(state.codes[:, agent.context.grid], agent.context.view)
    for facing, cell in enumerate(FACING):
        told = agent.context.centred(state.codes, own, np.array([facing]), motions.held)
        assert marked(told) == [cell.tolist()]
        if (cell == ahead).all():
            assert known(told, 0) == known(state.scene, 0)
    assert marked(agent.context.centred(state.codes, own, np.array([-1]), motions.held)) == []


def marked(scene: Scene) -> list[list[float]]:
    """Where the first body's scene has the mark of where the agent looks."""
    rows = scene.mask[0] & (scene.tokens[0] == GAZE).all(axis=-1)
    return [[float(x) for x in at] for at in scene.position[0][rows]]


@pytest.mark.slow
def test_without_memory_the_habit_finds_itself_in_a_game_that_was_slept_on() -> None:
    """Without it the habit looks at another scene than the one it learned from."""

    def bodies(count: int) -> gymnasium.vector.VectorEnv:
        kind = {"game_seed": 500, "difficulty": 1, "level": 1}
        return gymnasium.make_vec("cortex/NovelGame-v0", count, vectorization_mode="vector_entry_point", **kind)

    env = bodies(1)
    learner = make(
        env.single_observation_space, env.single_action_space, 0, **{"sleep.steps": "500", "sleep.states": "4000"}
    )
    played: list[Played] = []
    learner.live(env, 300, 0, played.append)
    learner.sleep(0)
    habit = learner.agent.lesioned("hippocampus", "planner")

    def wins(agent: cortex.Agent) -> float:
        learner.agent = agent
        return float(np.mean([episode.success for episode in learner.play(bodies(8), 24, 5)]))

    assert wins(habit) >= 0.8
    assert wins(habit.lesioned("body_image")) <= 0.4


def test_each_body_is_believed_by_itself() -> None:
    """One that is not sure where it is does not take from the others what they know."""
    env = gymnasium.make_vec(
        "cortex/NovelGame-v0", 3, vectorization_mode="vector_entry_point", game_seed=500, difficulty=1, level=1
    )
    agent = make(env.single_observation_space, env.single_action_space, 0).agent
    agent.body_image.nights += 1
    sensed = agent.perceive(env.reset(seed=0)[0])
    first, motions = np.ones(3, bool), agent.imagination.motions(0)
    _, state = agent.context(agent.context.initial(3), sensed, first, motions, False)

    def sure(chances: list[float]) -> Scene:
        told = np.arange(3), np.array(chances), np.full(3, -1)
        return replace(agent, body_image=SureOf(told, agent.body_image)).around(state)

    alone, none, all_ = sure([1, 0, 0]), sure([0, 0, 0]), sure([1, 1, 1])
    for body, like in enumerate((all_, none, none)):
        assert known(alone, body) == known(like, body)
    assert known(all_, 1) != known(none, 1)


@dataclass(frozen=True)
class SureOf:
    """A body image that points where it is told."""

    told: tuple[Array, Array, Array]
    image: BodyImage

    def __call__(self, tokens: Array, mask: Array) -> tuple[Array, Array, Array]:
        return self.told

    @property
    def held(self) -> torch.Tensor:
        return self.image.held


def known(scene: Scene, body: int) -> list[tuple[list[float], list[float]]]:
    """What one body's scene tells, and where."""
    rows = scene.mask[body]
    return list(zip(scene.position[body][rows].tolist(), scene.tokens[body][rows].tolist(), strict=True))
