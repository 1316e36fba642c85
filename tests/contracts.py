"""Contract tests: inherit one, write ``make``, and the protocol is checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from cortex.types import COORDINATES, MODALITIES, TOKEN_WIDTH, Encoder


class EncoderContract(ABC):
    """What every frozen sense promises. An implementer writes ``make`` and ``values``."""

    @abstractmethod
    def make(self) -> Any:
        """A new encoder; called more than once, it gives equal ones."""

    @abstractmethod
    def values(self) -> Any:
        """A batch of at least three valid values, all different, that can be sliced."""

    def test_it_is_an_encoder_of_a_known_modality(self) -> None:
        encoder = self.make()
        assert isinstance(encoder, Encoder)
        assert (encoder(self.values()).modality == MODALITIES[encoder.modality]).all()

    def test_shapes_and_types(self) -> None:
        encoder, values = self.make(), self.values()
        scene = encoder(values)
        bodies, count = len(values), len(encoder.position)
        assert scene.tokens.shape == (bodies, count, TOKEN_WIDTH) and scene.tokens.dtype == np.float32
        assert scene.position.shape == (bodies, count, COORDINATES) and scene.position.dtype == np.float32
        assert scene.modality.shape == (bodies, count) and scene.modality.dtype == np.int8
        assert scene.mask.shape == (bodies, count) and scene.mask.dtype == bool
        assert np.isfinite(scene.tokens).all() and not scene.tokens[~scene.mask].any()

    def test_positions_are_constant_and_distinct(self) -> None:
        encoder = self.make()
        scene = encoder(self.values())
        assert (scene.position == encoder.position).all()
        assert len(np.unique(encoder.position, axis=0)) == len(encoder.position)

    def test_two_encoders_agree_to_the_bit_in_any_order(self) -> None:
        first, second, values = self.make(), self.make(), self.values()
        backwards = second(values[::-1])
        np.testing.assert_array_equal(first(values).tokens, backwards.tokens[::-1])
        np.testing.assert_array_equal(first(values).tokens, first(values).tokens)

    def test_a_batch_is_its_bodies_one_by_one_to_the_bit(self) -> None:
        values = self.values()
        together = self.make()(values)
        for body in range(len(values)):
            alone = self.make()(values[body : body + 1])
            np.testing.assert_array_equal(alone.tokens[0], together.tokens[body])
            np.testing.assert_array_equal(alone.mask[0], together.mask[body])

    def test_different_values_give_different_tokens(self) -> None:
        scene = self.make()(self.values())
        assert len({tokens.tobytes() for tokens in scene.tokens}) == len(self.values()) >= 3

    def test_valid_values_have_no_faults_and_no_bodies_no_tokens(self) -> None:
        encoder, values = self.make(), self.values()
        assert encoder.faults(values).shape == (len(values),) and not encoder.faults(values).any()
        assert encoder(values[:0]).tokens.shape == (0, len(encoder.position), TOKEN_WIDTH)

    def test_what_it_reads_stays_as_it_was(self) -> None:
        values, untouched = self.values(), self.values()
        self.make()(values)
        np.testing.assert_array_equal(np.asarray(values), np.asarray(untouched))
