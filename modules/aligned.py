"""Latents in which a view is the same seen as a picture, read as symbols or told in words: learned pooling of a sense.

Each token says what it is by one layer of rectified units, which learned waves of where it stands gate, as in the fixed
projection of `multimodal`; the sum over the tokens of a sense is read out to unit norm. `experiments/
pretrain_multimodal.py` teaches the layers by contrast in the space of the frozen tokens (InfoNCE: van den Oord et al.
2018; between senses: Radford et al. 2021), on frames of MiniGrid. Then they are frozen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cortex.types import APART, TOKEN_WIDTH, Array, CortexError

PACKAGED = "aligned"
"""The name of our own weights; part of the library."""

WEIGHTS = Path(__file__).with_name("aligned.safetensors")

WIDTH, UNITS, WAVES = 64, 128, 8
"""Width of the latent, rectified units, and waves along each axis: as many as tell 8 places apart."""

SENTENCE = 6
"""Tokens of a sentence, which are read together."""

GROUP = {"image": 1, "grid": 1, "text": SENTENCE}
"""Sense that is taught -> tokens that are read together. What stands alone is gated by its place, a sentence not."""

SHAPES = {
    f"{sense}.{name}": shape
    for sense, group in GROUP.items()
    for name, shape in {
        "what": (group * TOKEN_WIDTH, UNITS),
        "bias": (UNITS,),
        **({"where": (WAVES * WAVES, UNITS)} if group == 1 else {}),
        "read": (UNITS, WIDTH),
    }.items()
}
"""Name of each weight -> its shape."""

Weights = dict[str, Array]


class Aligned:
    """The pooling of one ``sense``: tokens and places -> a vector [B, WIDTH], zero where nothing is known."""

    def __init__(self, sense: str, weights: Weights) -> None:
        def weight(name: str) -> Array:
            return np.asarray(weights[f"{sense}.{name}"], np.float32)

        self.group = GROUP[sense]
        self.what, self.bias, self.read = weight("what"), weight("bias"), weight("read")
        self.where = weight("where") if self.group == 1 else None

    def place(self, position: Array) -> Array:
        """How tokens at ``position`` [B, n, P] are gated [B, n or 1, UNITS]."""
        if self.where is None:
            return np.ones((1, 1, UNITS), np.float32)
        return waves(position) @ self.where

    def __call__(self, tokens: Array, known: Array, where: Array) -> Array:
        """Pool ``tokens`` [B, n, E] of which some are ``known`` [B, n]; ``where`` is what `place` gave."""
        bodies, count = known.shape
        whole = np.asarray(known.reshape(bodies, count // self.group, self.group).all(axis=-1))
        said = tokens.reshape(bodies, count // self.group, -1) @ self.what
        said += self.bias
        np.maximum(said, 0, out=said)
        said *= where
        return np.matmul(whole[:, None].astype(np.float32), said)[:, 0] @ self.read


def waves(position: Array) -> Array:
    """Places [..., n, P] as products of cosines along both axes [..., n, WAVES ** 2]: whatever the number of cells, the
    waves span the whole view."""
    inner = np.stack([position[..., 0] % APART, position[..., 1]], axis=-1)
    size = 1 + inner.max(axis=tuple(range(inner.ndim - 1)), initial=0)
    angle = np.pi * (inner + 0.5) / size
    down, right = (np.cos(angle[..., axis, None] * np.arange(WAVES)) for axis in range(2))
    both = down[..., :, None] * right[..., None, :]
    return np.asarray(both.reshape(*position.shape[:-1], -1), np.float32)


def read_weights(path: Path) -> Weights:
    """The weights of a safetensors file. Raises CortexError where it is missing, damaged, or of another network."""
    try:
        found = load_file(path)
    except FileNotFoundError:
        raise CortexError(
            f"there are no weights {path}; python -m experiments.pretrain_multimodal makes them"
        ) from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CortexError(f"the weights {path} are damaged ({error}); restore or make them anew") from error
    shapes = {name: value.shape for name, value in found.items()}
    if shapes != SHAPES or not all(np.isfinite(value).all() for value in found.values()):
        raise CortexError(f"the weights {path} are of another network, {shapes}; {SHAPES} would do")
    return found


def poolings(weights: Path | Weights = WEIGHTS) -> dict[str, Aligned]:
    """Name of each sense that is taught -> its pooling."""
    given = weights if isinstance(weights, dict) else read_weights(weights)
    return {sense: Aligned(sense, given) for sense in GROUP}
