"""Pictures that are not made of tiles: patches as tokens, by our own network or by one from a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from safetensors.numpy import load_file, save_file

import cortex
from cortex.modules.encoders import HubEncoder, ImageEncoder, Senses
from cortex.modules.encoders.image import LOUDEST, WEIGHTS
from cortex.modules.habit import places
from cortex.types import MODALITIES, Array, CortexError
from tests.contracts import EncoderContract

EXACT = 1 << 24
"""Whole numbers below are exact in single precision, and so are their sums, in any order."""


def discs(count: int = 5, shape: tuple[int, int] = (48, 60)) -> Array:
    """Pictures of a disc that moves by less than a patch, on a ground that is nowhere the same."""
    row, column = np.indices(shape)
    ground = np.stack([3 * row, 2 * column, row + column], axis=-1)
    far = [np.hypot(row - 20.5, column - 12.3 - 3.7 * step) for step in range(count)]
    return np.stack([np.where((away < 5)[..., None], (230, 90, 40), ground) for away in far]).astype(np.uint8)


class TestImage(EncoderContract):
    def make(self) -> Any:
        return ImageEncoder()

    def values(self) -> Any:
        return discs(11)


class TestSmallImage(EncoderContract):
    def make(self) -> Any:
        return ImageEncoder()

    def values(self) -> Any:
        return discs(3, (64, 64)).astype(np.int64)


def test_no_sum_can_be_too_large_to_be_exact() -> None:
    weights = load_file(WEIGHTS)
    looks, readout = (np.abs(weights[name].astype(np.int64)) for name in ("dictionary", "readout"))
    strongest, total, middle = readout.reshape(3, -1, readout.shape[1])
    assert (255 * looks.sum(axis=0) + np.abs(weights["threshold"]) < EXACT).all()
    assert (LOUDEST * (strongest + 9 * total + middle).sum(axis=0) + np.abs(weights["centre"]) < EXACT).all()


def test_a_patch_has_the_same_token_wherever_it_stands_and_others_keep_theirs() -> None:
    picture = np.full((1, 64, 64, 3), 120, np.uint8)
    here, there = picture.copy(), picture.copy()
    here[0, 18:22, 18:22], there[0, 42:46, 34:38] = (200, 30, 30), (200, 30, 30)
    plain, one, other = (ImageEncoder()(each).tokens[0].reshape(8, 8, -1) for each in (picture, here, there))
    np.testing.assert_array_equal(one[1:4, 1:4], other[4:7, 3:6])
    changed = (one != plain).any(axis=-1)
    assert changed[2, 2] and changed.sum() <= 9


def test_tokens_are_about_as_long_as_those_of_other_senses_and_few_patches_look_new() -> None:
    tokens = ImageEncoder()(discs(20)).tokens
    assert 0.3 < np.linalg.norm(tokens, axis=-1).mean() < 3
    distinct = len(np.unique(tokens.reshape(-1, tokens.shape[-1]), axis=0))
    assert distinct < 0.4 * tokens.shape[0] * tokens.shape[1]  # what does not move is not new


def test_what_moves_by_a_pixel_stays_closer_than_what_is_another_thing() -> None:
    row, column = np.indices((64, 64))
    ball = [np.hypot(row - 28 - move, column - 28) < 3.5 for move in (0, 1)]
    box = (np.abs(row - 28) < 3) & (np.abs(column - 28) < 3)
    shown = [
        np.where(thing[..., None], colour, 90)
        for thing, colour in zip([*ball, box], [(250, 200, 0)] * 2 + [(0, 60, 250)])
    ]
    still, moved, other = ImageEncoder()(np.stack(shown).astype(np.uint8)).tokens[:, 27]
    assert np.linalg.norm(moved - still) < 0.7 * np.linalg.norm(other - still)


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "other", "infinite"])
def test_weights_that_cannot_be_used_are_one_sentence(damage: str, tmp_path: Path) -> None:
    path, told = tmp_path / "image.safetensors", WEIGHTS.read_bytes()
    if damage == "cut":
        path.write_bytes(told[: len(told) // 2])
    elif damage == "flipped":
        path.write_bytes(bytes(255 - byte for byte in told[:40]) + told[40:])
    elif damage != "missing":
        weights = load_file(WEIGHTS)
        weights["gain"] = np.full_like(weights["gain"], np.inf) if damage == "infinite" else weights["gain"][:5]
        save_file(weights, path)
    words = {"missing": "there are no weights", "cut": "are damaged", "flipped": "are damaged"}
    with pytest.raises(CortexError, match=words.get(damage, "are of another network")) as caught:
        ImageEncoder(path)
    assert str(path) in str(caught.value)


def test_a_picture_of_another_size_or_type_names_the_key() -> None:
    senses = Senses.for_space(spaces.Dict(eye=spaces.Box(0, 255, (48, 60, 3), np.uint8)))
    assert (senses.layout.modality == MODALITIES["image"]).all() and len(senses.layout.position) == 64
    with pytest.raises(CortexError, match=r"'eye': expected an array of shape \(B, 48, 60, 3\), got \(5, 60, 48, 3\)"):
        senses({"eye": discs(5, (60, 48))})
    with pytest.raises(CortexError, match=r"'eye': expected pixels from 0 to 255, got an array of dtype float64"):
        senses({"eye": discs() / 255})
    with pytest.raises(CortexError, match=r"'eye' of body 2: expected pixels from 0 to 255, got -1 to"):
        senses({"eye": np.where(np.arange(5)[:, None, None, None] == 2, -1, discs().astype(int))})


def test_patches_of_two_pictures_all_have_places_of_their_own() -> None:
    eye = spaces.Box(0, 255, (48, 60, 3), np.uint8)
    layout = Senses.for_space(spaces.Dict(left=eye, right=eye, body=spaces.Box(-1, 1, (3,)))).layout
    assert len(np.unique(places(layout.position, layout.modality))) == 64 + 64 + 3


# Models from a hub, as tiny ones that are made and saved here.


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny models of random weights: clip, siglip, dinov2, and bert, which sees nothing."""
    import torch
    import transformers as hub

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    tiny: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    seeing: dict[str, Any] = tiny | {"image_size": 32, "patch_size": 8}
    words: dict[str, Any] = tiny | {"vocab_size": 9, "max_position_embeddings": 4}
    clip = hub.CLIPConfig(vision_config=seeing, text_config=words, projection_dim=8)
    hub.CLIPModel(clip).save_pretrained(folder / "clip")  # both halves, as it stands on the hub
    hub.SiglipVisionModel(hub.SiglipVisionConfig(**seeing)).save_pretrained(folder / "siglip")
    hub.Dinov2Model(hub.Dinov2Config(**seeing | {"image_size": 88})).save_pretrained(folder / "dinov2")
    hub.BertModel(hub.BertConfig(**words)).save_pretrained(folder / "bert")
    return folder


class HubContract(EncoderContract):
    kind: str

    @pytest.fixture(autouse=True)
    def _model(self, models: Path) -> None:
        self.model = str(models / self.kind)

    def make(self) -> Any:
        return HubEncoder(self.model)

    def values(self) -> Any:
        return discs(4)


class TestClip(HubContract):
    kind = "clip"


class TestSiglip(HubContract):
    kind = "siglip"


class TestDinov2(HubContract):
    kind = "dinov2"

    def test_more_patches_than_tokens_are_averaged(self) -> None:
        assert len(self.make().position) == 64  # of 11 x 11 patches


def test_a_model_in_a_folder_is_shown_pictures_as_it_was_trained(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for file in (models / "clip").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    plain = HubEncoder(str(folder))(discs()).tokens
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.9], "image_std": [0.3, 0.1, 0.2]}')
    assert not np.array_equal(HubEncoder(str(folder))(discs()).tokens, plain)


@pytest.mark.parametrize("damage", ["cut", "empty", "lacking"])
def test_a_damaged_model_is_one_sentence(damage: str, models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "config.json").write_bytes((models / "dinov2" / "config.json").read_bytes())
    told = (models / "dinov2" / "model.safetensors").read_bytes()
    if damage == "lacking":
        kept = dict(list(load_file(models / "dinov2" / "model.safetensors").items())[:-1])
        save_file(kept, folder / "model.safetensors", {"format": "pt"})
    elif damage == "cut":
        (folder / "model.safetensors").write_bytes(told[: len(told) // 2])
    words = {"cut": "weights are damaged", "empty": "could not be loaded", "lacking": "lacks 1 weights, such as"}[
        damage
    ]
    with pytest.raises(CortexError, match=rf"(?s)the image model '{folder}' .*{words}") as caught:
        HubEncoder(str(folder))
    assert "\n" not in str(caught.value)


def test_a_model_that_sees_nothing_is_refused_by_its_kind(models: Path) -> None:
    with pytest.raises(CortexError, match="is of the kind 'bert'; CLIP, SigLIP or DINOv2 would do"):
        HubEncoder(str(models / "bert"))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nobody/no-such-model", "not on this machine, and the hub cannot be reached"),
        ("no such model!", "no such folder, and no hub id looks like that"),
        ("an-empty-folder", "could not be loaded"),
    ],
)
def test_offline_a_missing_model_is_one_sentence_with_advice(
    model: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "an-empty-folder").mkdir()
    with pytest.raises(
        CortexError, match=f"the image model '{model}' .*{words}.*encoders.image takes 'small'"
    ) as caught:
        HubEncoder(model)
    assert "\n" not in str(caught.value)


def test_an_id_that_the_hub_does_not_know_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unknown(*_: Any, **__: Any) -> None:
        error = huggingface_hub.errors.RepositoryNotFoundError
        raise error.__new__(error)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unknown)
    with pytest.raises(CortexError, match="the hub knows no such model"):
        HubEncoder("nobody/no-such-model")


class Walk(gymnasium.Env[Any, Any]):
    """A disc that must be brought to the right edge of a picture; it moves by no whole number of pixels."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0, 255, (48, 60, 3), np.uint8)
        self.action_space = spaces.Discrete(3)
        self.shown = discs(11)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.clock = int(self.np_random.integers(4)), 0
        return self.shown[self.at], {"success": False}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at, self.clock = max(0, self.at + (1, -1, 0)[int(action)]), self.clock + 1
        won = self.at == 10
        return self.shown[self.at], float(won), won, self.clock >= 40, {"success": won}


SMALL = (
    "sleep.steps=30",
    "sleep.states=60",
    "sleep.world_model_steps=5",
    "world_model.width=16",
    "planner.simulations=64",
)


def test_an_agent_lives_on_pictures_sleeps_and_is_the_same_when_it_wakes(tmp_path: Path) -> None:
    won: list[bool] = []
    agent = cortex.Agent.make(Walk(), *SMALL)
    assert agent.config.encoders.tile == 0
    agent.learn(300, on_episode=lambda episode: won.append(episode["success"]))
    assert np.mean(won[-6:]) > 0.8
    awake = agent.digest()
    assert agent.sleep() and agent.digest() != awake
    agent.save(tmp_path)
    loaded = cortex.Agent.load(tmp_path, Walk())
    observation, _ = Walk().reset(seed=3)
    assert loaded.predict(observation)[0] == agent.predict(observation)[0]
    assert loaded.digest() == agent.digest()


def test_an_agent_sees_through_a_model_from_a_folder(models: Path) -> None:
    agent = cortex.Agent.make(Walk(), f"encoders.image={models / 'siglip'}", "encoders.tile=0", *SMALL)
    agent.learn(30)
    assert isinstance(agent.senses.parts[0].encoder, HubEncoder) and agent.hippocampus.store.steps == 30
