"""One latent for all senses: pooling over the frozen tokens of a scene, fixed at random unless it was taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cortex.types import COORDINATES, MODALITIES, TOKEN_WIDTH, Array, Percept, Scene

NEAR = {"vector": 0.25, "symbol": 0.25, "grid": 1.0, "text": 0.25, "sound": 0.25, "image": 1.0}
"""Distance, in cells or list indexes, at which places still resemble each other: neighbours of a list do not."""

PRESENCE = {"vector": 1.0, "symbol": 0.0, "grid": 0.0, "text": 0.0, "sound": 0.0, "image": 0.0}
"""Length of what a token adds by being there. Without it the unit norm would make a vector and its double the same."""

CHUNK = 8
"""Bodies pooled at once: few enough that what lies in between stays in the processor's cache."""

LAYOUTS = 16
"""Layouts whose gates are kept, the latest: an environment has one."""


class Pooling(Protocol):
    """How the tokens of one sense become a vector, where that was taught."""

    def place(self, position: Array) -> Array:
        """What it needs to know of tokens that stand at ``position`` [B, n, P]; its first axis is B or 1."""
        ...

    def __call__(self, tokens: Array, known: Array, where: Array) -> Array:
        """``tokens`` [B, n, E] of which some are ``known`` [B, n] -> [B, D]; ``where`` is what `place` gave."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """How the tokens of one sense are gated where they stand; one row does for all bodies that share a layout."""

    sense: int
    span: slice | Array  # of the scene's tokens: from the first to the last of this sense, or its own alone
    mine: Array  # [B or 1, n] bool, those of them that are of this sense
    where: Array  # [B or 1, n, D] float32, or what its pooling made of the places


class Multimodal:
    """Scene -> latent [B, D] of unit norm, zero for an empty scene.

    A token's random projection is gated by random Fourier features of its position (Rahimi & Recht 2007): a tensor
    product of what and where, as in the superposition of bound vectors (Plate 1995). A modality is the sum of its known
    tokens at unit norm, and the senses that are present add up with equal weight; so a missing sense leaves what the
    others contribute as it was, and close observations have close latents. ``taught``: number of a sense -> the pooling
    that is used instead of the random projection.
    """

    def __init__(
        self,
        width: int = 64,
        seed: int = 0,
        token_width: int = TOKEN_WIDTH,
        taught: Mapping[int, Pooling] | None = None,
    ) -> None:
        self.width = width
        self.taught = dict(taught or {})
        self._what, self._presence, self._frequency, self._phase = {}, {}, {}, {}
        for name, number in MODALITIES.items():
            draw = np.random.default_rng((seed, number))
            self._what[number] = draw.standard_normal((token_width, width)).astype(np.float32)
            self._presence[number] = (PRESENCE[name] * draw.standard_normal(width)).astype(np.float32)
            self._frequency[number] = (draw.standard_normal((COORDINATES, width)) / NEAR[name]).astype(np.float32)
            self._phase[number] = draw.uniform(0, 2 * np.pi, width).astype(np.float32)
        self._gated: dict[tuple[bytes, bytes], list[Gate]] = {}

    def __call__(self, scene: Scene) -> Percept:
        """Pool a scene. Tokens where the mask is False do not count."""
        gates = self._gates(scene.position, scene.modality)
        senses = np.empty((len(gates), scene.bodies, self.width), np.float32)
        for gate, pooled in zip(gates, senses):
            self._pool(gate, scene.tokens[:, gate.span], scene.mask[:, gate.span] & gate.mine, pooled)
        return Percept(_unit(_unit(senses).sum(axis=0)))

    def _pool(self, gate: Gate, tokens: Array, mask: Array, pooled: Array) -> None:
        """What the tokens of one sense come to, into ``pooled`` [B, D]; untaught, the sum of what, gated by where."""
        known = mask[:, None].astype(np.float32)
        for start in range(0, len(tokens), CHUNK):
            some = slice(start, start + CHUNK)
            where = gate.where[some] if len(gate.where) > 1 else gate.where
            if gate.sense in self.taught:
                pooled[some] = self.taught[gate.sense](tokens[some], mask[some], where)
            else:
                what = tokens[some] @ self._what[gate.sense]
                what += self._presence[gate.sense]
                what *= where
                np.matmul(known[some], what, out=pooled[some, None])

    def _gates(self, position: Array, modality: Array) -> list[Gate]:
        """The gate of each sense that is there; kept where all bodies share one layout."""
        if not (_shared(position) and _shared(modality)):
            return self._make(position, modality)
        position, modality = position[:1], modality[:1]
        layout = position.tobytes(), modality.tobytes()
        if layout not in self._gated:
            while len(self._gated) >= LAYOUTS:
                del self._gated[next(iter(self._gated))]
            self._gated[layout] = self._make(position, modality)
        return self._gated[layout]

    def _make(self, position: Array, modality: Array) -> list[Gate]:
        gates = []
        for sense in self._what:
            columns = np.flatnonzero((modality == sense).any(axis=0))
            if columns.size and sense in self.taught:
                mine = modality[:, columns] == sense
                gates.append(Gate(sense, columns, mine, self.taught[sense].place(position[:, columns])))
            elif columns.size:
                span = slice(columns[0], columns[-1] + 1)
                where = np.cos(position[:, span] @ self._frequency[sense] + self._phase[sense])
                gates.append(Gate(sense, span, modality[:, span] == sense, where))
        return gates


def _shared(array: Array) -> bool:
    """Whether all rows are equal; a broadcast one is known to be without looking."""
    return len(array) == 1 or array.strides[0] == 0 or bool((array == array[:1]).all())


def _unit(latent: Array) -> Array:
    """Scale rows [..., D] to unit norm; rows of zeros stay."""
    norm = np.sqrt((latent * latent).sum(axis=-1, keepdims=True))
    return latent / np.where(norm > 1e-12, norm, 1)
