"""The frozen senses: what they keep, what they refuse, and in which words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from cortex.modules.codebook import Codebook
from cortex.modules.encoders import GridEncoder, Senses, SymbolEncoder, SymbolsEncoder, TextEncoder, VectorEncoder
from cortex.types import CortexError
from tests.contracts import EncoderContract

CARTPOLE = spaces.Box(
    np.array([-4.8, -np.inf, -0.42, -np.inf], np.float32), np.array([4.8, np.inf, 0.42, np.inf], np.float32)
)
SENTENCES = [
    "get the red ball",
    "",
    "open the door",
    "go to the green box, then pick up a key",
    "pick up the crimson ball",
]

GOLDEN = ["0x1.3aef500000000p-3", "-0x1.7af3f40000000p-4", "0x1.585fa40000000p-4", "-0x1.376c5a0000000p-8"]

_texts = TextEncoder()  # one network for the whole file: it takes seconds to load


def text_encoder() -> TextEncoder:
    """A text encoder with an empty cache and the network of the others."""
    _texts(["load"])
    encoder = TextEncoder()
    encoder._network = _texts._network
    return encoder


class TestGrid(EncoderContract):
    def make(self) -> Any:
        return GridEncoder()

    def values(self) -> Any:
        values = np.random.default_rng(0).integers(0, 3, (40, 7, 7, 3)).astype(np.uint8)
        values[3] = 0
        return values


class TestFlatGrid(EncoderContract):
    def make(self) -> Any:
        return GridEncoder((3, 5, 1), unseen=None)

    def values(self) -> Any:
        return np.random.default_rng(0).integers(0, 256, (9, 3, 5, 1))


class TestVector(EncoderContract):
    def make(self) -> Any:
        return VectorEncoder(CARTPOLE.low, CARTPOLE.high)

    def values(self) -> Any:
        return np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)


class TestSymbol(EncoderContract):
    def make(self) -> Any:
        return SymbolEncoder(9, start=5)

    def values(self) -> Any:
        return np.arange(5, 14)


class TestSymbols(EncoderContract):
    def make(self) -> Any:
        return SymbolsEncoder([7, 2, 30], starts=[0, -1, 3])

    def values(self) -> Any:
        return np.array([[0, -1, 3], [6, 0, 32], [3, -1, 3], [3, 0, 3]])


class TestText(EncoderContract):
    def make(self) -> Any:
        return text_encoder()

    def values(self) -> Any:
        return list(SENTENCES)


def test_cells_share_the_blocks_of_their_attributes() -> None:
    values = np.array([[[[5, 2, 0], [5, 3, 0], [0, 0, 0], [0, 3, 0]]]], np.uint8)
    scene = GridEncoder((1, 4, 3))(values)
    assert scene.mask.tolist() == [[True, True, False, True]]
    assert scene.position[0].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
    book = Codebook()
    door, other, _, third = book.attributes(book.encode(scene.tokens[0], scene.mask[0]))
    assert (door == other).tolist() == [True, False, True] and (other == third).tolist() == [False, True, True]


def test_every_code_of_every_channel_has_its_own_unit_vector() -> None:
    values = np.repeat(np.arange(256)[:, None, None, None], 3, axis=3)
    tokens = GridEncoder((1, 1, 3), unseen=None)(values).tokens[:, 0, :63].reshape(-1, 21)
    np.testing.assert_allclose(np.linalg.norm(tokens, axis=1), 1, atol=1e-6)
    assert (tokens @ tokens.T - 2 * np.eye(len(tokens))).max() < 0.95


def test_frozen_vectors_are_the_same_for_ever() -> None:
    # Memories of earlier lives are made of these bits; they must not follow a library's version.
    grid = GridEncoder()(np.full((1, 7, 7, 3), 8, np.uint8)).tokens[0, 0]
    symbol = SymbolEncoder(4)(np.array([3])).tokens[0, 0]
    assert [float(x).hex() for x in (*grid[[0, 21, 42]], symbol[0])] == GOLDEN
    np.testing.assert_array_equal(symbol, SymbolEncoder(9)(np.array([3])).tokens[0, 0])


def test_vectors_are_scaled_by_their_bounds_or_squashed() -> None:
    encoder = VectorEncoder([-2, -np.inf, 0, 5, -3e38], [4, np.inf, 1e-3, 5, 3e38])
    raw = np.array([[-2, 100, 0, 5, 1e30], [4, -100, 1e-3, 5, 0], [1, 0.5, 5e-4, 5, -7]])
    scene = encoder(raw)
    np.testing.assert_allclose(scene.tokens[:, [0, 2], 0], [[-1, -1], [1, 1], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(scene.tokens[0, 1, 0], np.arcsinh(100), rtol=1e-6)
    np.testing.assert_allclose(encoder.value(scene.tokens), raw, rtol=1e-4, atol=1e-7)
    half_open = VectorEncoder([-np.inf, 0], [4, np.inf])(np.array([[3, 3]])).tokens[0, :, 0]
    np.testing.assert_allclose(half_open, np.arcsinh(3), rtol=1e-4)
    assert not scene.tokens[..., 1:].any() and scene.position[0, 4].tolist() == [4, 0]


def test_noise_does_not_fill_the_memory_of_tokens() -> None:
    encoder, book = VectorEncoder([-1] * 8, [1] * 8), Codebook()
    near = encoder(np.array([[0.3] * 8, [0.3 + 1e-6] * 8])).tokens
    assert len(np.unique(near)) == 2, "a value and the zeros behind it: what differs by so little is alike"
    for seed in range(8):
        scene = encoder(np.random.default_rng(seed).uniform(-1, 1, (4096, 8)))
        book.encode(scene.tokens, scene.mask)
    assert book.size < 10_000, "a quarter of a million values"


def test_equal_numbers_at_two_places_are_two_symbols() -> None:
    senses = Senses.for_space(spaces.Dict(hand=spaces.MultiDiscrete([[3, 3], [3, 5]]), feet=spaces.MultiDiscrete([4])))
    seen = {"hand": np.array([[[1, 1], [1, 1]], [[1, 2], [1, 4]]]), "feet": np.array([[0], [3]])}
    scene = senses(seen)
    assert scene.tokens.shape == (2, 5, 64) and (scene.modality == 1).all()
    assert len(np.unique(senses.layout.position, axis=0)) == 5
    assert len(np.unique(scene.tokens[0, 1:], axis=0)) == 4
    same = (scene.tokens[0] == scene.tokens[1]).all(axis=1)
    assert same.tolist() == [False, True, False, True, False]
    assert senses.is_batched(seen) and not senses.is_batched({key: value[0] for key, value in seen.items()})
    np.testing.assert_array_equal(senses(senses.batch({k: v[1] for k, v in seen.items()})).tokens[0], scene.tokens[1])
    seen["hand"][1, 0, 0] = 3
    assert [fault is None for fault in senses.check(seen)] == [True, False]
    with pytest.raises(CortexError, match="'hand' of body 1: expected 4 whole numbers"):
        senses(seen)
    with pytest.raises(CortexError, match="give larger ones as a Box"):
        SymbolsEncoder([2, 10**6])


def test_a_sentence_is_kept_whole_and_means_what_it_means() -> None:
    encoder = text_encoder()
    tokens = encoder(SENTENCES).tokens
    embedding = tokens.reshape(len(SENTENCES), -1)
    np.testing.assert_array_equal(embedding[0], encoder.cache[SENTENCES[0]])
    assert tokens.shape[1] == 6 and embedding[0] @ embedding[4] > embedding[0] @ embedding[2] + 0.1


def test_texts_are_read_once_and_an_old_cache_wins() -> None:
    kept = {"known": np.full(384, 0.5, np.float32)}
    encoder = TextEncoder(cache=kept)
    assert (encoder(["known", "known"]).tokens == 0.5).all()
    assert encoder._network is None  # nothing new, nothing loaded
    assert not TextEncoder()(["", "  "]).mask.any()


def test_of_a_sentence_as_many_words_are_read_as_are_asked_for() -> None:
    cache = {"go to": np.linspace(0.1, 1, 384, dtype=np.float32)}
    short = TextEncoder(cache=cache, words=2)
    assert (short(["go to the door"]).tokens == short(["go to"]).tokens).all() and short(["go to"]).mask.all()
    assert not TextEncoder(cache=cache, words=0)(["go to", "go to the door"]).mask.any()


def offline_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("HF_", "TRANSFORMERS_"))}


def test_loading_the_packaged_text_model_is_silent_offline_and_leaves_no_trace(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    before = offline_settings()
    TextEncoder()(["hello"])
    assert capfd.readouterr() == ("", "") and offline_settings() == before


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sentence-transformers model of random weights, 100 wide."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    base, whole = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("whole")
    (base / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "ball", "door"]))
    BertTokenizer(str(base / "vocab.txt")).save_pretrained(base)
    config = BertConfig(vocab_size=8, hidden_size=100, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    BertModel(config).save_pretrained(base)
    network = Transformer(str(base))
    SentenceTransformer(modules=[network, Pooling(100)], device="cpu").save(str(whole))
    return whole


def test_a_model_in_a_folder_is_padded_to_whole_tokens(small_model: Path) -> None:
    encoder = TextEncoder(str(small_model))
    scene = encoder(["red ball", "door", ""])
    assert scene.tokens.shape == (3, 2, 64) and not scene.tokens[:, 1, 36:].any() and scene.tokens[0, 1, :36].all()
    np.testing.assert_array_equal(encoder(["red ball"]).tokens[0], scene.tokens[0])


@pytest.mark.parametrize("model", ["nobody/no-such-model", "an-empty-folder"])
def test_a_text_model_that_cannot_be_had_is_one_sentence(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "an-empty-folder").mkdir()
    with pytest.raises(CortexError, match=f"'{model}' could not be loaded.*must be 'minilm', a folder"):
        TextEncoder(model)(["hello"])


def mixed() -> Senses:
    return Senses.for_space(
        spaces.Dict(
            image=spaces.Box(0, 255, (7, 7, 3), np.uint8),
            direction=spaces.Discrete(4),
            mission=spaces.Text(20),
            body=CARTPOLE,
            speed=spaces.Box(-1, 1, ()),
        )
    )


def observation(bodies: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "image": random.integers(0, 5, (bodies, 7, 7, 3)).astype(np.uint8),
        "direction": np.arange(bodies) % 4,
        "mission": ("",) * bodies,
        "body": random.standard_normal((bodies, 4)).astype(np.float32),
        "speed": np.zeros(bodies, np.float32),
    }


def test_senses_join_the_keys_in_sorted_order_and_know_the_layout_beforehand() -> None:
    senses = mixed()
    scene = senses(observation())
    assert [part.key for part in senses.parts] == ["body", "direction", "image", "mission", "speed"]
    assert senses.layout.modality.tolist() == [0] * 4 + [1] + [2] * 49 + [3] * 6 + [0]
    assert scene.tokens.shape == (3, 61, 64)
    assert (scene.position == senses.layout.position).all() and (scene.modality == senses.layout.modality).all()
    assert scene.mask[:, :5].all() and not scene.mask[:, 54:60].any() and scene.mask[:, 60].all()
    assert senses.layout.position[60].tolist() == [64, 0]  # a second vector stands apart from the first
    alone = GridEncoder()(observation()["image"])
    np.testing.assert_array_equal(scene.tokens[:, 5:54], alone.tokens)


def test_places_of_one_modality_never_meet() -> None:
    line = spaces.Box(-1, 1, (70,))
    layout = Senses.for_space(spaces.Dict(a=line, b=line, c=line)).layout
    assert len(np.unique(layout.position, axis=0)) == 210


def test_only_grids_that_have_its_channels_have_an_unseen_cell() -> None:
    flat, deep = spaces.Box(0, 5, (4, 4, 1), np.int64), spaces.Box(0, 5, (4, 4, 3), np.int64)
    assert Senses.for_space(flat)(np.zeros((2, 4, 4, 1), int)).mask.all()
    assert not Senses.for_space(deep)(np.zeros((2, 4, 4, 3), int)).mask.any()
    assert Senses.for_space(deep, unseen=None)(np.zeros((2, 4, 4, 3), int)).mask.all()


def test_an_unbatched_observation_is_known_and_becomes_a_batch_of_one() -> None:
    senses, many = mixed(), observation()
    one = {key: values[1] for key, values in many.items()}
    assert senses.is_batched(many) and not senses.is_batched(one)
    np.testing.assert_array_equal(senses(senses.batch(one)).tokens[0], senses(many).tokens[1])
    text, vector = Senses.for_space(spaces.Text(9)), Senses.for_space(CARTPOLE)
    assert text.is_batched(["a", "b"]) and text.is_batched(np.array(["a"])) and not text.is_batched("ab")
    assert text.batch("ab") == ["ab"] and vector.batch(np.zeros(4)).shape == (1, 4)
    assert vector.is_batched(np.zeros((2, 4))) and not vector.is_batched(np.zeros(4))


@pytest.mark.parametrize("name", ["MiniGrid-DoorKey-5x5-v0", "CartPole-v1", "CliffWalking-v1"])
def test_senses_of_real_environments(name: str) -> None:
    if name.startswith("MiniGrid"):
        pytest.importorskip("minigrid")
    envs = gymnasium.make_vec(name, num_envs=2)
    senses = Senses.for_space(envs.single_observation_space)
    for part in senses.parts:
        if isinstance(part.encoder, TextEncoder):
            part.encoder._network = text_encoder()._network
    seen, _ = envs.reset(seed=0)
    scene = senses(seen)
    assert senses.is_batched(seen) and senses.check(seen) == [None, None]
    assert scene.tokens.shape[:2] == (2, len(senses.layout.position)) and scene.mask.any(axis=1).all()
    envs.close()


@pytest.mark.parametrize(
    ("key", "body", "value", "words"),
    [
        ("body", 1, np.nan, "'body' of body 1: expected finite numbers, got nan"),
        ("body", 2, -np.inf, "'body' of body 2: expected finite numbers, got -inf"),
        ("speed", 0, np.nan, "'speed' of body 0: expected finite"),
        ("direction", 2, 4, "'direction' of body 2: expected whole numbers from 0 to 3, got 4"),
        ("direction", 1, -1, "'direction' of body 1"),
        ("mission", 0, None, "'mission' of body 0: expected strings, got None"),
    ],
)
def test_a_bad_value_names_key_and_body_and_spares_the_others(key: str, body: int, value: Any, words: str) -> None:
    senses, bad = mixed(), observation()
    if key == "mission":
        bad[key] = [value if at == body else text for at, text in enumerate(bad[key])]
    else:
        bad[key][body] = value
    with pytest.raises(CortexError, match=words):
        senses(bad)
    complaints = senses.check(bad)
    assert words in str(complaints[body]) and sum(complaint is not None for complaint in complaints) == 1


def test_codes_without_a_vector_are_refused() -> None:
    senses = Senses.for_space(spaces.Box(0, 5, (2, 2, 3), np.int64))
    values = np.zeros((3, 2, 2, 3), int)
    values[2, 0, 0, 0], values[1, 1, 1, 1] = 256, -1
    assert [complaint is None for complaint in senses.check(values)] == [True, False, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((3, 7, 6, 3), np.uint8)}, r"'image': expected .* \(B, 7, 7, 3\), got \(3, 7, 6, 3\)"),
        ({"image": np.zeros((3, 7, 7, 3), np.float32)}, "'image': expected whole numbers.* dtype float32"),
        ({"image": np.zeros((7, 7, 3), np.uint8)}, r"\(B, 7, 7, 3\), got \(7, 7, 3\)"),
        ({"body": [[1, 2], [3], [4]]}, "'body': expected an array of shape"),
        ({"body": np.array([["a"] * 4] * 3)}, "'body': expected finite numbers.* dtype <U1"),
        ({"direction": np.zeros(2, int)}, "'direction' has 2 bodies where .*'body' has 3"),
        ({"mission": "go"}, "'mission': expected one string for each body, got 'go'"),
        ({"extra": 1}, "'extra' is not known"),
    ],
)
def test_an_observation_of_another_form_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CortexError, match=words):
        mixed()(observation() | change)
    with pytest.raises(CortexError, match=words):
        mixed().check(observation() | change)


def test_missing_keys_and_missing_dicts_are_named() -> None:
    lacking = observation()
    del lacking["direction"]
    with pytest.raises(CortexError, match="'direction' is missing"):
        mixed()(lacking)
    with pytest.raises(CortexError, match=r"with the keys .*'body'.* got ndarray"):
        mixed()(np.zeros((2, 4)))
    with pytest.raises(CortexError, match="without keys, got a dict"):
        Senses.for_space(CARTPOLE)({"body": np.zeros((1, 4))})


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Box(0, 255, (84, 84), np.uint8), "pictures"),
        (spaces.Box(-1, 1, (3, 3)), r"Box\(-1, 1, \(3, 3\), float32\), which is not supported: supported are"),
        (spaces.Box(-1, 1, (3, 3, 1), np.int8), "not supported"),
        (spaces.MultiDiscrete([2, 300_000]), r"MultiDiscrete\(\[ *2 300000\]\), which is not supported"),
        (spaces.Sequence(spaces.Discrete(2)), "Sequence"),
        (spaces.Graph(spaces.Discrete(3), None), "Graph"),
        (spaces.Discrete(10**7), r"Discrete\(10000000\), which is not supported"),
    ],
)
def test_spaces_that_are_not_supported_are_refused_by_name(space: Any, words: str) -> None:
    with pytest.raises(CortexError, match=f"observation key 'eye' is .*{words}"):
        Senses.for_space(spaces.Dict(eye=space, other=CARTPOLE))
    with pytest.raises(CortexError, match=words):
        Senses.for_space(space)


def test_an_observation_that_tells_nothing_is_refused() -> None:
    with pytest.raises(CortexError, match="empty Dict"):
        Senses.for_space(spaces.Dict())
