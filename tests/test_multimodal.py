"""The latent of a scene: what, where, and any sense may be missing."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from cortex.modules.encoders import GridEncoder, Senses, SymbolEncoder, VectorEncoder
from cortex.modules.multimodal import Multimodal
from cortex.types import Scene, take


def grids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 7, (count, 7, 7, 3)).astype(np.uint8)


def hide(scene: Scene, modality: int) -> Scene:
    return Scene(scene.tokens, scene.position, scene.modality, scene.mask & (scene.modality != modality))


def both(count: int) -> Scene:
    senses = Senses.for_space(spaces.Dict(d=spaces.Discrete(4), g=spaces.Box(0, 255, (7, 7, 3), np.uint8)))
    return senses({"d": np.arange(count) % 4, "g": grids(count)})


def test_latents_have_unit_norm_and_an_empty_scene_none() -> None:
    values = grids(5)
    values[2] = 0
    latent = Multimodal(width=48)(GridEncoder()(values)).latent
    assert latent.shape == (5, 48) and latent.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(latent, axis=1), [1, 1, 0, 1, 1], atol=1e-5)


def test_equal_seeds_agree_and_others_do_not() -> None:
    scene = GridEncoder()(grids(3))
    np.testing.assert_array_equal(Multimodal(seed=1)(scene).latent, Multimodal(seed=1)(scene).latent)
    assert abs(Multimodal(seed=1)(scene).latent - Multimodal(seed=2)(scene).latent).max() > 0.1


def test_where_a_thing_is_matters() -> None:
    values = np.zeros((4, 7, 7, 3), np.uint8)
    for body, place in enumerate([(1, 1), (1, 2), (5, 6), (1, 1)]):
        values[(body, *place)] = (5, 2, 0)
    latent = Multimodal()(GridEncoder()(values)).latent
    same = latent @ latent[0]
    assert same[3] == pytest.approx(1, abs=1e-5)
    assert same[1] < 0.9 and same[2] < same[1]


def test_a_missing_sense_leaves_the_others_as_they_are() -> None:
    multimodal, scene = Multimodal(), both(6)
    grid, symbol = multimodal(hide(scene, 1)).latent, multimodal(hide(scene, 2)).latent
    joint = grid + symbol
    joint /= np.linalg.norm(joint, axis=1, keepdims=True)
    np.testing.assert_allclose(multimodal(scene).latent, joint, atol=1e-5)
    np.testing.assert_allclose(grid, multimodal(GridEncoder()(grids(6))).latent, atol=1e-5)
    np.testing.assert_allclose(symbol, multimodal(SymbolEncoder(4)(np.arange(6) % 4)).latent, atol=1e-5)


def test_masked_tokens_do_not_count() -> None:
    scene = GridEncoder()(grids(2))
    mask = scene.mask.copy()
    mask[0, 10:30] = mask[1, 20:40] = False
    noise = np.where(mask[..., None], scene.tokens, 7)
    multimodal = Multimodal()
    hidden = Scene(noise, scene.position, scene.modality, mask)
    for body in range(2):
        rest = take(scene, np.array([body]))
        known = mask[body]
        cut = Scene(rest.tokens[:, known], rest.position[:, known], rest.modality[:, known], rest.mask[:, known])
        np.testing.assert_allclose(multimodal(hidden).latent[body], multimodal(cut).latent[0], atol=1e-5)


def test_bodies_do_not_mix_even_where_their_positions_differ() -> None:
    scene = both(20)
    position = scene.position + np.arange(20)[:, None, None] % 3
    scene = Scene(scene.tokens, position.astype(np.float32), scene.modality, scene.mask)
    multimodal = Multimodal()
    together = multimodal(scene).latent
    for body in range(20):
        alone = multimodal(take(scene, slice(body, body + 1))).latent[0]
        np.testing.assert_allclose(alone, together[body], atol=1e-5)


def test_close_vectors_have_close_latents_and_a_vector_differs_from_its_double() -> None:
    random = np.random.default_rng(0)
    low, high = np.array([-4.8, -np.inf, -0.42, -np.inf]), np.array([4.8, np.inf, 0.42, np.inf])
    encoder, multimodal = VectorEncoder(low, high), Multimodal()
    scale = np.array([2.4, 2, 0.2, 2])
    memory, cue = random.uniform(-1, 1, (1_000, 4)) * scale, random.uniform(-1, 1, (100, 4)) * scale
    inner = [encoder(values).tokens[..., 0] for values in (memory, cue)]
    latents = [multimodal(encoder(values)).latent for values in (memory, cue)]
    distance = np.linalg.norm(inner[1][:, None] - inner[0], axis=2)
    recalled = (latents[1] @ latents[0].T).argmax(axis=1)
    rank = (distance < distance[np.arange(100), recalled, None]).sum(axis=1)
    assert np.quantile(rank, 0.9) <= 10  # of 1,000: recall by latent finds true neighbours
    one, two, nudged = multimodal(encoder(np.array([[0.2] * 4, [0.4] * 4, [0.201] * 4]))).latent
    assert one @ two < 0.99 and one @ nudged > 0.9999


def test_zero_vectors_are_not_an_empty_scene() -> None:
    latent = Multimodal()(VectorEncoder([-1, -1], [1, 1])(np.zeros((1, 2)))).latent
    np.testing.assert_allclose(np.linalg.norm(latent), 1, atol=1e-5)
