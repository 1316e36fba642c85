"""Sounds: how strong each band of frequencies is, moment by moment, as the cochlea tells it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import listed, scene

WINDOW = 256
"""Samples of one spectrum; windows overlap by half."""

MOMENTS = 16
"""Most tokens of a sound: a longer one is told in as many longer moments."""

CORNER = 0.044
"""Cycles a sample up to which bands are about equally wide, beyond it about equally wide in octaves: 700 Hz at 16,000
samples a second (the mel scale: Stevens, Volkmann & Newman 1937)."""

QUIET, STEP = 60.0, 6.0
"""Decibels below the loudest possible tone at which silence begins, and the loudness that is told apart."""

MASKED = 20.0
"""Decibels below the loudest band of its moment from which a band is not heard (simultaneous masking)."""

LEVELS = 16
"""Strengths told apart where the observation gives the strengths themselves."""


class SoundEncoder:
    """Samples [B, n] -> a token per moment, the loudness of ``bands`` bands and zeros after, at (moment, 0).

    ``loudest``: the largest value that a sample can have. Loudness is that of short-time spectra in triangular bands,
    in whole steps of 6 dB, so that the same sound at another phase or with a little noise has the same tokens. Silence
    is heard, and is zero. With 0 bands nothing is heard: the tokens are masked. Needs no rate: bands are cycles a
    sample.
    """

    modality = "sound"
    accepts = "finite samples"

    def __init__(self, samples: int, loudest: float = 1.0, bands: int = 24, width: int = TOKEN_WIDTH) -> None:
        if not 0 <= bands <= width:
            raise CortexError(f"a sound has 0 to {width} bands, one for each entry of its token, not {bands}")
        self.samples, self.loudest, self.bands, self.width = samples, loudest, bands, width
        count = int(np.clip(samples // WINDOW, 1, MOMENTS))
        self.position = listed(count)
        starts = np.arange(0, max(samples - WINDOW, 0) + 1, WINDOW // 2)
        moment = np.minimum((starts + WINDOW // 2) * count // max(samples, WINDOW), count - 1)
        share = (moment == np.arange(count)[:, None]).astype(np.float64)
        self._share = share / share.sum(axis=1, keepdims=True)  # [moments, windows]
        fade = np.hanning(WINDOW + 1)[:-1]
        self._fade = fade / (fade.sum() / 2)  # a tone of amplitude 1 has power 1
        self._filters = _filters(bands)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a sample that is not finite."""
        return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))

    def __call__(self, values: Array) -> Scene:
        """Encode samples [B, n] -> scene of one token a moment."""
        bodies, count = len(values), len(self.position)
        tokens = np.zeros((bodies, count, self.width), np.float32)
        mask = np.full((bodies, count), self.bands > 0)
        if self.bands:
            heard = np.asarray(values, np.float64) / self.loudest
            heard = np.pad(heard, ((0, 0), (0, max(0, WINDOW - self.samples))))
            windows = sliding_window_view(heard, WINDOW, axis=1)[:, :: WINDOW // 2]
            power = np.abs(np.fft.rfft(windows * self._fade, axis=-1)) ** 2
            tokens[..., : self.bands] = _loudness(self._share @ (power @ self._filters))
        return scene(tokens, mask, self.position, self.modality)


class SpectrumEncoder:
    """Strengths [B, n] of n bands at one moment, from 0 to ``loudest`` -> one token of as many entries, at (0, 0).

    For environments that tell a sound by its spectrum, such as one tone of nine. Where it is not ``heard`` the token is
    masked.
    """

    modality = "sound"
    accepts = "finite strengths"

    def __init__(self, loudest: npt.ArrayLike, heard: bool = True, width: int = TOKEN_WIDTH) -> None:
        self._loudest, self.heard, self.width = np.ravel(loudest).astype(np.float64), heard, width
        self.position = listed(1)
        if not 1 <= self._loudest.size <= width:
            raise CortexError(f"a spectrum has 1 to {width} strengths, not {self._loudest.size}; give samples instead")

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a strength that is not finite."""
        return np.asarray(~np.isfinite(values).reshape(len(values), -1).all(axis=1))

    def __call__(self, values: Array) -> Scene:
        """Encode strengths [B, n] -> scene of one token."""
        tokens = np.zeros((len(values), 1, self.width), np.float32)
        if self.heard:
            strength = np.asarray(values, np.float64) / np.where(self._loudest > 0, self._loudest, 1)
            tokens[:, 0, : self._loudest.size] = np.round(strength * LEVELS) / LEVELS
        return scene(tokens, np.full((len(values), 1), self.heard), self.position, self.modality)


def _filters(bands: int) -> Array:
    """Triangular bands [frequencies, bands], equally far apart on the mel scale; their sum is 1 wherever two meet."""
    frequency = np.arange(WINDOW // 2 + 1) / WINDOW
    place = np.log1p(frequency / CORNER) / np.log1p(0.5 / CORNER) * (bands + 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(1, bands + 1)))


def _loudness(power: Array) -> Array:
    """Power [..., bands] -> loudness from 0 to 1, in whole steps; 0 for what is too quiet to be heard."""
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    audible = decibels > np.maximum(decibels.max(axis=-1, keepdims=True) - MASKED, -QUIET)
    return np.where(audible, np.ceil((decibels + QUIET) / STEP) * STEP / QUIET, 0.0)
