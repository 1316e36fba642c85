"""Volatility: what shows noise is left out, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex
from cortex import keep
from cortex.day import live_day, living
from cortex.modules.hippocampus.volatility import SURPLUS, readings
from cortex.types import UNSEEN, Array
from experiments.agents import make
from experiments.disturbed import flicker

FLOOR, ME = 9, (1, 2, 3, 4)
ROWS = 60


def rows(scenes: Array, action: Array | None = None) -> tuple[Array, Array, Array]:
    drawn = np.random.default_rng(2).integers(6, size=len(scenes) - 1)
    return scenes[:-1], scenes[1:], drawn if action is None else action


def surplus(scenes: Array, action: Array | None = None) -> Array:
    wrong, told = readings(*rows(scenes, action))
    return np.asarray(2 * wrong - told)


def walk(rng: np.random.Generator) -> Array:
    """One that goes to and fro in a corridor of ten cells and shows where it looks, and one that goes its rounds."""
    scenes, at = np.full((ROWS, 12), FLOOR), 4
    for t in range(ROWS):
        heading = int(rng.integers(4))
        at = int(np.clip(at + (0, 1, 0, -1)[heading], 0, 9))
        scenes[t, at] = ME[heading]
        scenes[t, 10 + t % 2] = 5
    return scenes


@pytest.mark.parametrize("codes", [10, 30, 2000])
def test_what_is_drawn_anew_at_each_step_is_told_from_what_moves_stays_and_goes_its_rounds(codes: int) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(1, codes + 1, (ROWS, 8))
    told = surplus(np.concatenate([walk(rng), noise], axis=1))
    assert (told[12:] >= SURPLUS).all(), told
    assert (told[:12] < 0).all(), told


def test_one_that_turns_where_it_stands_is_no_noise() -> None:
    for seed in range(20):
        way = np.random.default_rng(seed).choice([1, 3], ROWS)
        turned = np.cumsum(way)[:, None] % 4
        for lived in range(2, ROWS):
            assert surplus(1 + turned[:lived], way[1:lived]) < SURPLUS
        assert surplus(1 + np.arange(ROWS)[:, None] % 4) < 0
        assert surplus(1 + turned, way[1:]) < 0


def test_the_order_of_rows_does_not_matter_and_what_is_unseen_is_no_reading() -> None:
    rng = np.random.default_rng(1)
    before, after, action = rows(np.concatenate([walk(rng), rng.integers(1, 9, (ROWS, 3))], axis=1))
    mixed = rng.permutation(len(before))
    found = readings(before, after, action)
    np.testing.assert_array_equal(readings(before[mixed], after[mixed], action[mixed]), found)
    hidden = after.copy()
    hidden[:30] = UNSEEN
    seen = readings(before[30:], after[30:], action[30:])
    np.testing.assert_array_equal(readings(before, hidden, action), seen)
    assert not readings(before, np.zeros_like(after), action).any()


# Lives


def games(game: int, wrap: Callable[[Any], Any], **more: Any) -> Any:
    kind: dict[str, Any] = {"game_seed": game, "difficulty": 1, "level": 1, "split": "T1", **more}
    return wrap(gymnasium.make_vec("cortex/NovelGame-v0", 1, vectorization_mode="vector_entry_point", **kind))


def life(seeds: tuple[int, ...], wrap: Callable[[Any], Any], steps: int, **kind: Any) -> tuple[cortex.Agent, list[int]]:
    """One that lived ``steps`` actions of each game, and when it first won them."""
    body = games(seeds[0], wrap, **kind)
    agent = make(body.single_observation_space, body.single_action_space, 0).agent
    won = []
    for seed in seeds:
        wins: list[int] = []

        def see(total: int, ended: Any, wins: list[int] = wins) -> bool:
            wins += [total for one in ended if one.success]
            return not wins

        live_day(agent, games(seed, wrap, **kind), steps, seed, np.random.default_rng(seed), see)
        won.append(wins[0] if wins else steps)
        keep.awaken(agent)
    return agent, won


@pytest.fixture(scope="module")
def flickering() -> tuple[cortex.Agent, list[int]]:
    return life((505, 506, 507, 513), flicker, 100)


def test_games_are_won_soon_though_two_cells_of_five_flicker(flickering: tuple[cortex.Agent, list[int]]) -> None:
    assert max(flickering[1]) < 60, flickering[1]


def test_the_cells_that_flicker_are_found_and_what_they_showed_is_kept(
    flickering: tuple[cortex.Agent, list[int]],
) -> None:
    brain = flickering[0].hippocampus
    column = flickering[0].senses.layout.position[brain.grid][:, 1]
    np.testing.assert_array_equal(brain.own_body.volatility.volatile, column >= 7)
    kept = [brain.store.read(number).codes[:, brain.grid] for number in brain.store.episodes()]
    noise = np.concatenate([codes[1:] != codes[:-1] for codes in kept])[:, column >= 7]
    assert noise.mean() > 0.9
    for world in brain.worlds:
        assert world.motions is not None and world.motions.resolved
        assert len(world.interactions) < 60, "no interaction is of what flickers"


def test_what_flickers_follows_from_the_rows(flickering: tuple[cortex.Agent, list[int]]) -> None:
    agent = flickering[0]

    def actions() -> Array:
        lives = living(agent, games(514, flicker), 5, np.random.default_rng(5))
        return np.array([action for _, (_, action, _, _) in zip(range(40), lives)])

    before, volatile = actions(), agent.hippocampus.own_body.volatility.volatile.copy()
    agent.hippocampus.own_body.volatility.volatile[:] = False
    keep.awaken(agent)
    np.testing.assert_array_equal(agent.hippocampus.own_body.volatility.volatile, volatile)
    np.testing.assert_array_equal(actions(), before)


def test_attributes_that_show_noise_are_left_out_and_the_games_are_won() -> None:
    agent, won = life((505, 507), lambda bodies: bodies, 100, noise=100, noise_in="grid")
    volatility = agent.hippocampus.own_body.volatility
    assert volatility.left_out.tolist() == [False, True, True, True] and not volatility.volatile.any()
    assert max(won) < 60, won
    kept = agent.hippocampus.store.read(agent.hippocampus.store.episodes()[-1]).codes
    alike = volatility.steady(kept)[:, agent.hippocampus.grid]
    assert len(np.unique(alike)) < 20 < 100 < len(np.unique(kept)), "what was seen is stored, noise and all"


def test_where_nothing_flickers_nothing_is_left_out() -> None:
    agent, _ = life((505, 506), lambda bodies: bodies, 100)
    volatility = agent.hippocampus.own_body.volatility
    codes = np.arange(1, 1 + len(agent.senses.layout.modality))[None]
    assert (
        volatility.steady(codes) is codes
        and volatility.version == 0
        and not volatility.volatile.any()
        and not volatility.left_out.any()
    )
