"""Equal tokens have equal codes, and nothing else has."""

from __future__ import annotations

import numpy as np
import pytest

from cortex.modules.codebook import Codebook
from cortex.types import UNSEEN, CortexError


def draw(count: int, seed: int = 0, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def test_codes_count_from_one_in_order_of_first_appearance() -> None:
    a, b, c = draw(3)
    codes = Codebook().encode(np.stack([[b, a, b], [c, a, c]]))
    assert codes.tolist() == [[1, 2, 1], [3, 2, 3]] and codes.dtype == np.int32


def test_decode_returns_the_tokens_and_unseen_has_none() -> None:
    book, tokens = Codebook(), draw(20).reshape(4, 5, 64)
    mask = np.random.default_rng(1).random((4, 5)) < 0.6
    codes = book.encode(tokens, mask)
    assert ((codes == UNSEEN) == ~mask).all() and book.size == 1 + mask.sum()
    np.testing.assert_array_equal(book.decode(codes), np.where(mask[..., None], tokens, 0))


def test_a_known_token_is_unseen_where_masked() -> None:
    book, tokens = Codebook(), draw(3)
    book.encode(tokens)
    assert book.encode(tokens, np.array([True, False, True])).tolist() == [1, UNSEEN, 3]


def test_codes_do_not_depend_on_the_shape_of_the_batch() -> None:
    tokens = draw(300)[np.random.default_rng(1).integers(0, 300, 1_800)]
    whole, single, strided = Codebook(), Codebook(), Codebook()
    codes = whole.encode(tokens.reshape(30, 60, 64)).ravel()
    assert (codes == [single.encode(token[None])[0] for token in tokens]).all()
    assert (codes == strided.encode(np.asfortranarray(tokens))).all()


def test_negative_zero_is_zero_and_a_known_zero_is_not_unseen() -> None:
    book, token = Codebook(), np.zeros(64, np.float32)
    assert book.encode(token) == book.encode(-token) == 1
    assert not np.signbit(book.decode(np.array(book.encode(-token)))).any()


def test_one_bit_makes_another_token() -> None:
    book, token = Codebook(), draw(1)[0]
    near = np.tile(token, (64, 1))
    near[np.arange(64), np.arange(64)] = np.nextafter(token, np.float32(9))
    assert len(np.unique(book.encode(np.concatenate([token[None], near])))) == 65


def test_round_numbers_do_not_collide() -> None:
    steps = np.array([-2, -1, -0.5, 0.25, 0.5, 1, 2, 4, 8], np.float32)
    first, one, second, other = (axis.ravel() for axis in np.meshgrid(np.arange(0, 64, 9), steps, np.arange(64), steps))
    tokens, row = np.zeros((len(one), 64), np.float32), np.arange(len(one))
    tokens[row, first.astype(int)] = one
    tokens[row, second.astype(int)] += other
    assert Codebook().encode(tokens).max() == len(np.unique(tokens, axis=0)) > 20_000


def test_it_stays_exact_as_it_grows() -> None:
    book, tokens = Codebook(), draw(20_000, width=64)
    for start in range(0, len(tokens), 400):
        book.encode(tokens[start : start + 400])
    assert (book.encode(tokens) == np.arange(1, 20_001)).all()


def test_a_loaded_codebook_gives_the_same_codes() -> None:
    book, tokens = Codebook(), draw(500)
    codes, attributes = book.encode(tokens), book.attributes(np.arange(501))
    other = Codebook()
    other.encode(draw(9, seed=5))
    other.load(book.vectors.copy())
    assert (other.encode(tokens) == codes).all() and other.size == book.size
    assert (other.attributes(np.arange(501)) == attributes).all()


@pytest.mark.parametrize(
    "vectors",
    [np.ones((3, 64)), np.zeros((2, 9)), np.zeros((0, 64)), np.concatenate([np.zeros((1, 64)), np.ones((2, 64))])],
)
def test_damaged_vectors_are_refused_and_change_nothing(vectors: np.ndarray) -> None:
    book = Codebook()
    book.encode(draw(4))
    with pytest.raises(CortexError, match="codebook"):
        book.load(vectors)
    assert book.size == 5


def test_attributes_are_equal_where_blocks_are() -> None:
    parts = draw(4, width=21)
    made = [(0, 0, 0), (0, 1, 0), (2, 1, 3), (2, 0, 0)]
    tokens = np.zeros((4, 64), np.float32)
    for token, blocks in zip(tokens, made, strict=True):
        token[:63] = np.concatenate([parts[block] for block in blocks])
    book = Codebook()
    first = book.attributes(book.encode(tokens[:2]))  # grows with the book
    assert first.tolist() == [[1, 1, 1], [1, 2, 1]]
    assert book.attributes(book.encode(tokens)).tolist() == [[1, 1, 1], [1, 2, 1], [2, 2, 2], [2, 1, 1]]
    assert book.attributes(np.array([[UNSEEN]])).tolist() == [[[0, 0, 0]]]


def test_compose_undoes_attributes_and_imagines_tokens_not_met() -> None:
    book, tokens = Codebook(), draw(6)
    codes = book.encode(tokens)
    assert (book.compose(book.attributes(codes)) == codes).all() and book.size == 7
    crossed = book.attributes(codes)[:2]
    crossed[0, 1] = crossed[1, 1]
    made = book.compose(crossed)
    assert made.tolist() == [7, 2]
    np.testing.assert_array_equal(book.decode(made)[0, 21:42], tokens[1, 21:42])
    np.testing.assert_array_equal(book.decode(made)[0, 42:], tokens[0, 42:])
    assert (book.attributes(made) == crossed).all()
    assert book.compose(np.zeros((1, 3), int)).tolist() == [UNSEEN]


def test_nearest_finds_the_closest_token_among_the_candidates() -> None:
    book, tokens = Codebook(), draw(50)
    codes = book.encode(tokens)
    step = np.float32(0.01)
    found, distance = book.nearest(tokens + step)
    assert (found == codes).all()
    np.testing.assert_allclose(distance, 0.08, rtol=1e-3)
    only = codes[10:20]
    found, _ = book.nearest(tokens + step, only)
    wanted = np.linalg.norm(tokens[:, None] + step - tokens[10:20], axis=2).argmin(axis=1)
    assert (found == only[wanted]).all()
    found, distance = Codebook().nearest(tokens[:2])
    assert (found == UNSEEN).all() and np.isinf(distance).all()


def test_a_wrong_width_is_refused() -> None:
    with pytest.raises(CortexError, match="64 wide cannot encode tokens 32 wide"):
        Codebook().encode(draw(2, width=32))
