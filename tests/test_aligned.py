"""One latent for what is seen and what is said: recall across senses, missing senses, damaged weights, a life."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium
import minigrid
import numpy as np
import pytest
from gymnasium import spaces
from minigrid.core.world_object import Ball, Door, Key
from safetensors.numpy import load_file, save_file

import cortex
from cortex.binding import bind, taught
from cortex.modules.aligned import SHAPES, WEIGHTS, poolings
from cortex.modules.encoders import GridEncoder, Senses, TextEncoder
from cortex.modules.multimodal import Multimodal
from cortex.types import APART, MODALITIES, CortexError, Scene, take
from experiments import captions, frames
from experiments.pretrain_multimodal import learn, read
from experiments.probe_multimodal import SENSES, only, recall, scene

gymnasium.register_envs(minigrid)


@functools.cache
def held_out() -> Scene:
    return scene(captions.watch(captions.HELD_OUT, 96, 7))


def aligned() -> Multimodal:
    return bind("aligned", 64, SENSES)


@pytest.mark.parametrize("one, other, least", [("image", "grid", 0.9), ("image", "text", 0.75), ("grid", "text", 0.9)])
def test_a_moment_is_recalled_by_another_sense_in_environments_never_seen(one: str, other: str, least: float) -> None:
    assert not set(captions.HELD_OUT) & {*captions.LEARNED, *frames.LEARNED}
    for cue, memory in ((one, other), (other, one)):
        assert recall(aligned(), held_out(), [cue], [memory]) >= least
        assert recall(Multimodal(), held_out(), [cue], [memory]) < 0.1, "a random projection has nothing in common"


@pytest.mark.parametrize("missing", SENSES)
def test_a_missing_sense_leaves_the_others_as_they_are(missing: str) -> None:
    pool, some = aligned(), take(held_out(), slice(5))
    rest = [name for name in SENSES if name != missing]
    both = pool(only(some, rest)).latent
    alone = sum(pool(only(some, [name])).latent for name in rest)
    np.testing.assert_allclose(both, alone / np.linalg.norm(alone, axis=1, keepdims=True), atol=1e-5)
    assert not pool(only(some, [])).latent.any(), "where nothing is known the latent is zero"
    assert recall(pool, held_out(), rest, SENSES) > 0.95


def test_bodies_do_not_mix_and_masked_tokens_do_not_count() -> None:
    pool, some = aligned(), take(held_out(), slice(20))
    noisy = Scene(np.where(some.mask[..., None], some.tokens, 3), some.position, some.modality, some.mask)
    together = pool(noisy).latent
    for body in range(20):
        np.testing.assert_allclose(pool(take(some, slice(body, body + 1))).latent[0], together[body], atol=1e-5)


def test_sentences_may_stand_apart_and_in_any_order() -> None:
    grid = spaces.Box(0, 255, (7, 7, 3), np.uint8)
    senses = Senses.for_space(spaces.Dict(a=spaces.Text(99), b=grid, c=spaces.Text(99)))
    codes = np.zeros((1, 7, 7, 3), np.uint8)
    told = [senses({"a": [one], "b": codes, "c": [two]}) for one, two in (WORDS, WORDS[::-1])]
    latents = [aligned()(each).latent for each in [*told, TextEncoder().captions([WORDS])]]
    np.testing.assert_allclose(latents[0], latents[1], atol=1e-5)
    np.testing.assert_allclose(latents[0], latents[2], atol=1e-5)


WORDS = "a red key two steps ahead", "a blue ball one to the left"


def test_captions_are_sentences_side_by_side() -> None:
    told = TextEncoder().captions([WORDS, WORDS[1:], ()])
    assert told.mask.sum(axis=1).tolist() == [12, 6, 0]
    assert np.unique(told.position[0, :, 0] // APART).tolist() == [0, 1]
    np.testing.assert_array_equal(told.tokens[0, 6:], told.tokens[1, :6])


def test_a_caption_tells_what_is_in_view_and_where() -> None:
    world: Any = gymnasium.make("MiniGrid-Empty-8x8-v0").unwrapped
    world.reset(seed=0)
    world.agent_pos, world.agent_dir = (3, 4), 0  # looks to the right
    world.grid.set(5, 4, Key("red"))
    world.grid.set(3, 3, Ball("blue"))
    world.grid.set(4, 5, Door("yellow", is_locked=True))
    world.grid.set(2, 4, Key("green"))  # behind
    world.carrying = Ball("grey")
    assert captions.sentences(captions.tell(world)) == [
        "a grey ball in hand",
        "a blue ball one to the left",
        "a locked yellow door one step ahead and one to the right",
        "a red key two steps ahead",
        "a green goal three steps ahead and two to the right",
    ]


def test_learning_brings_together_what_belongs_together() -> None:
    tokens = read(captions.watch(captions.LEARNED, 160, 3, stray=2, views=2))
    weights, losses = learn(tokens, 40, 0)
    assert {name: value.shape for name, value in weights.items()} == SHAPES
    pool = Multimodal(taught={MODALITIES[name]: pooling for name, pooling in poolings(weights).items()})
    assert recall(pool, held_out(), ["image"], ["grid"]) > 0.15, "by chance one of 96"
    assert set(losses) == {"image_grid", "image_text", "grid_text"}


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "other", "infinite"])
def test_weights_that_cannot_be_used_are_one_sentence(damage: str, tmp_path: Path) -> None:
    path, told = tmp_path / "mine.safetensors", WEIGHTS.read_bytes()
    if damage == "cut":
        path.write_bytes(told[: len(told) // 2])
    elif damage == "flipped":
        path.write_bytes(bytes(255 - byte for byte in told[:40]) + told[40:])
    elif damage != "missing":
        weights = load_file(WEIGHTS)
        first = weights["grid.read"]
        weights["grid.read"] = np.full_like(first, np.inf) if damage == "infinite" else first[:5]
        save_file(weights, path)
    words = {"missing": "there are no weights", "cut": "are damaged", "flipped": "are damaged"}
    with pytest.raises(CortexError, match=words.get(damage, "are of another network")) as caught:
        cortex.Agent.make("MiniGrid-Empty-5x5-v0", f"multimodal.encoder={path}")
    assert str(path) in str(caught.value)


def test_another_width_is_refused_and_none_is_the_lesion() -> None:
    with pytest.raises(CortexError, match=r"width 64, not 32; multimodal.width=64 would do"):
        cortex.Agent.make("MiniGrid-Empty-5x5-v0", "multimodal.encoder=aligned", "multimodal.width=32")
    assert bind("aligned", 0, SENSES)(held_out()).latent.shape == (96, 0)


def test_senses_read_by_other_encoders_are_projected_at_random() -> None:
    picture, one = spaces.Box(0, 255, (56, 56, 3), np.uint8), spaces.Box(0, 9, (7, 7, 1), np.uint8)
    assert taught(Senses.for_space(picture)) == ["image", "grid", "text"]
    assert taught(Senses.for_space(picture, tile=8)) == taught(Senses.for_space(one)) == ["image", "text"]
    codes = np.random.default_rng(0).integers(0, 9, (4, 7, 7, 1))
    told = GridEncoder((7, 7, 1), None)(codes)
    pool = bind("aligned", 64, ["image", "text"])
    np.testing.assert_array_equal(pool(told).latent, Multimodal()(told).latent)


SMALL = ("life.bodies=2", "planner.simulations=32", "sleep.steps=0")


def test_an_agent_lives_with_it_and_words_call_up_what_it_saw(tmp_path: Path) -> None:
    agent = cortex.Agent.make("MiniGrid-DoorKey-5x5-v0", "multimodal.encoder=aligned", *SMALL, seed=0)
    pools = agent.multimodal.taught.values()
    weights, bound = agent.digest(), [pool.read.tobytes() + pool.what.tobytes() for pool in pools]
    agent.learn(600)
    assert agent.digest() == weights and [p.read.tobytes() + p.what.tobytes() for p in pools] == bound
    told = agent.remember("a green goal one step ahead", k=3)
    assert len(told) == 3 and told[0].similarity >= told[1].similarity >= told[2].similarity
    seen = GridEncoder().value(told[0].scene.tokens[0][told[0].scene.modality[0] == MODALITIES["grid"]])
    assert seen.reshape(7, 7, 3)[3, 5].tolist() == [8, 1, 0], "a green goal in the cell ahead"
    agent.save(tmp_path)
    again = cortex.Agent.load(tmp_path).remember("a green goal one step ahead", k=3)
    assert [(m.episode, m.step) for m in again] == [(m.episode, m.step) for m in told]
    with pytest.raises(CortexError, match="words are a sentence"):
        agent.remember("  ")


def test_without_it_words_call_up_nothing() -> None:
    agent = cortex.Agent.make("MiniGrid-Empty-5x5-v0", *SMALL)
    assert agent.config.multimodal.encoder == "random" and not agent.multimodal.taught
    with pytest.raises(CortexError, match=r"multimodal.encoder=aligned"):
        agent.remember("a green goal")
