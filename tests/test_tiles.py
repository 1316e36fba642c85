"""Pictures made of tiles: the lattice is found, equal tiles are equal codes, and what follows is as for symbols."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import cortex
from cortex.life import live
from cortex.modules.codebook import Codebook
from cortex.modules.encoders import Senses, TileEncoder
from cortex.modules.encoders.tiles import find_tile
from cortex.types import MODALITIES, Array, CortexError
from tests.contracts import EncoderContract

NOVEL = "cortex/NovelGame-v0"
QUICK = ("planner.simulations=64", "sleep.steps=0")


def game(*modalities: str, **settings: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(NOVEL, **{"game_seed": 5, "difficulty": 1, "modalities": modalities, **settings})


def frames(env: gymnasium.Env[Any, Any], count: int = 48) -> list[Any]:
    """What is seen during random actions."""
    env.action_space.seed(0)
    seen = [env.reset(seed=0)[0]]
    while len(seen) < count:
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(env.reset()[0] if terminated or truncated else observation)
    return seen


def pictures(env: gymnasium.Env[Any, Any]) -> Array:
    return np.stack([seen["image"] for seen in frames(env)])


class TestTiles(EncoderContract):
    def make(self) -> Any:
        return TileEncoder((56, 56, 3), 8)

    def values(self) -> Any:
        seen = pictures(game("image"))
        return np.unique(seen.reshape(len(seen), -1), axis=0)[:5].reshape(-1, *seen.shape[1:])


@pytest.mark.parametrize("view", ["full", "ego"])
@pytest.mark.parametrize("offset", [False, True])
def test_sprites_are_the_codes_that_they_stand_for(view: str, offset: bool) -> None:
    seen = frames(game("grid", "image", view=view, image_offset=offset, difficulty=2))
    images, grids = (np.stack([each[key] for each in seen]) for key in ("image", "grid"))
    tile = find_tile(images)
    assert tile == 8
    encoder = TileEncoder(images.shape[1:], tile)
    scene = encoder(images)
    side = grids.shape[1]
    codes = Codebook().encode(scene.tokens, scene.mask).reshape(-1, encoder.rows, encoder.columns)[:, :side, :side]
    pairs = set(zip(codes.ravel().tolist(), grids.ravel().tolist(), strict=True))
    assert len(pairs) == len({code for code, _ in pairs}) == len({symbol for _, symbol in pairs}) > 8


@pytest.mark.parametrize("tile", [8, 16, 32])
def test_what_differs_in_colour_has_the_same_form_and_what_is_opened_keeps_its_colour(tile: int) -> None:
    things = pytest.importorskip("minigrid.core.world_object")
    render = pytest.importorskip("minigrid.core.grid").Grid.render_tile
    hues = ["red", "green", "blue", "yellow", "purple", "grey"]
    kinds = [things.Key, things.Ball, things.Box, things.Door]
    kinds += [partial(things.Door, is_open=True), partial(things.Door, is_locked=True)]
    encoder, book = TileEncoder((tile, tile, 3), tile), Codebook()
    seen = [[encoder(render(kind(hue), None, True, tile)[None]).tokens[0, 0] for hue in hues] for kind in kinds]
    codes = book.encode(np.array(seen))
    form, hue, strength = np.moveaxis(book.attributes(codes), -1, 0)  # [kinds, hues]
    assert len(np.unique(codes)) == codes.size
    assert (hue == hue[:1]).all() and len(set(hue[0])) == len(hues)
    assert (form[:, :5] == form[:, :1]).all() and len(set(form[:, 0])) == len(kinds)
    assert (strength[:, :4] == strength[:, :1]).all()


def test_a_lattice_of_any_size_is_found() -> None:
    random = np.random.default_rng(0)
    for tile in (5, 8, 12):
        sheet = random.integers(0, 256, (6, tile, tile, 3)).astype(np.uint8)
        symbols = np.zeros((48, 7, 9), int)
        symbols[:, 0] = 1
        symbols[np.arange(48), random.integers(1, 7, 48), random.integers(0, 9, 48)] = random.integers(2, 6, 48)
        images = sheet[symbols].swapaxes(2, 3).reshape(48, 7 * tile, 9 * tile, 3)
        assert find_tile(images) == tile


def test_pictures_that_are_not_made_of_tiles_have_none() -> None:
    random = np.random.default_rng(0)
    assert find_tile(random.integers(0, 256, (20, 48, 48, 3)).astype(np.uint8)) == 0
    row, column = np.indices((48, 64))
    swinging = [np.abs(row - column * np.tan(0.05 * t)) < 3 for t in range(20)]
    assert find_tile(np.stack(swinging)[..., None] * np.full(3, 200, np.uint8)) == 0
    assert find_tile(np.zeros((20, 48, 48, 3), np.uint8)) == 0


def taken(env: gymnasium.Env[Any, Any], steps: int) -> tuple[list[int], list[bool], cortex.Agent]:
    """The actions of a newborn agent's first steps, and which episodes it won."""
    won: list[bool] = []
    agent = cortex.Agent.make(env, *QUICK).learn(steps, on_episode=lambda episode: won.append(episode["success"]))
    store = agent.hippocampus.store
    return [int(a) for number in store.episodes() for a in store.read(number).action], won, agent


def test_a_novel_game_is_played_from_sprites_as_from_symbols() -> None:
    symbols, won, _ = taken(game("grid", "body"), 150)
    sprites, also, agent = taken(game("image", "body"), 150)
    assert len(sprites) == 150 and sprites[:40] == symbols[:40] and also.index(True) == won.index(True)
    assert np.mean(also) > np.mean(won) - 0.1 > 0.5
    assert agent.config.encoders.tile == 8 and agent.imagination.motions(0).resolved


def test_a_novel_game_is_won_from_sprites_off_the_lattice(tmp_path: Path) -> None:
    won: list[bool] = []
    agent = cortex.Agent.make(game("image", "body", image_offset=True), *QUICK)
    agent.learn(250, on_episode=lambda episode: won.append(episode["success"]))
    assert np.mean(won) > 0.5 and agent.imagination.motions(0).resolved
    agent.save(tmp_path)
    loaded = cortex.Agent.load(tmp_path)
    assert loaded.config.encoders.tile == 8
    observation, _ = game("image", "body", image_offset=True).reset(seed=9)
    assert loaded.predict(observation)[0] == agent.predict(observation)[0]


def test_minigrid_is_learned_from_pixels_and_the_key_may_have_any_name() -> None:
    wrappers = pytest.importorskip("minigrid.wrappers")

    def make() -> Any:
        return wrappers.RGBImgPartialObsWrapper(gymnasium.make("MiniGrid-Empty-5x5-v0"), tile_size=8)

    class Renamed(gymnasium.ObservationWrapper[Any, Any, Any]):
        def __init__(self, env: Any) -> None:
            super().__init__(env)
            inner = env.observation_space.spaces
            self.observation_space = spaces.Dict({f"x{key}": space for key, space in inner.items()})

        def observation(self, observation: Any) -> Any:
            return {f"x{key}": value for key, value in observation.items()}

    won: list[bool] = []
    agent = cortex.Agent.make(make(), *QUICK)
    agent.learn(300, on_episode=lambda episode: won.append(episode["success"]))
    assert np.mean(won[-10:]) > 0.8 and agent.imagination.motions(0).resolved
    assert taken(Renamed(make()), 100)[0] == taken(make(), 100)[0]


def test_a_life_finds_the_tiles_of_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex.life.CONSTANT_EPISODES", 12)
    spec = gymnasium.spec(NOVEL)
    name = "Sprites-v0"
    monkeypatch.setitem(gymnasium.registry, name, type(spec)(name, lambda: game("image", "body"), order_enforce=False))
    settings = (f"life.tasks=[{name}]", f"folder={tmp_path}", "life.steps=40", "life.controls=false")
    for _ in range(2):  # the second time it goes on where it was
        live(cortex.load_config("debug", *settings))
    assert cortex.Agent.load(tmp_path).config.encoders.tile == 8


@pytest.mark.parametrize(
    ("shape", "settings", "words"),
    [
        ((56, 56, 3), {"tile": 60}, "56 x 56 pixels is not made of 1 to 32 tiles of 60 pixels"),
        ((400, 600, 3), {"tile": 8}, "another encoders.tile would do"),
        ((84, 84), {"tile": 8}, "not supported"),
    ],
)
def test_what_cannot_be_made_of_tiles_is_refused_in_one_sentence(shape: Any, settings: Any, words: str) -> None:
    with pytest.raises(CortexError, match=words):
        Senses.for_space(spaces.Dict(eye=spaces.Box(0, 255, shape, np.uint8)), **settings)


def test_a_picture_of_another_form_names_the_key() -> None:
    senses = Senses.for_space(spaces.Dict(eye=spaces.Box(0, 255, (48, 48, 3), np.uint8)), tile=8)
    assert (senses.layout.modality == MODALITIES["grid"]).all() and senses.channels == 3
    with pytest.raises(CortexError, match=r"'eye': expected an array of shape \(B, 48, 48, 3\), got \(2, 48, 40, 3\)"):
        senses({"eye": np.zeros((2, 48, 40, 3), np.uint8)})
    with pytest.raises(CortexError, match=r"'eye': expected pixels from 0 to 255, got an array of dtype float64"):
        senses({"eye": np.zeros((2, 48, 48, 3))})
    with pytest.raises(CortexError, match=r"'eye' of body 1: expected pixels from 0 to 255, got 256 to 256"):
        senses({"eye": np.stack([np.zeros((48, 48, 3), int), np.full((48, 48, 3), 256)])})
