"""Pictures of any kind: a token per patch, by a small frozen network that learned from frames without labels.

A dictionary of looks, found by k-means on whitened pieces of frames (Coates, Lee & Ng 2011), says what is where; each
patch is told by the strongest, the mean and the middle of what lies in a window around it; and of that the tokens keep
the slow features (Wiskott & Sejnowski 2002): what stays while the picture moves by a pixel or two.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import pixel_faults, scene

PACKAGED = "small"
"""The name of our own weights, which `experiments/pretrain_image.py` makes; part of the library."""

WEIGHTS = Path(__file__).with_name("image.safetensors")

SIDE, ROWS = 64, 8
"""Pixels to which every picture is scaled along each side; patches along a side."""

STEP, PIECES = 4, 17
"""Pixels from one piece of 8 x 8 pixels to the next, and pieces along a side: three meet in the window of a patch."""

PIXELS, LOOKS = 192, 96
"""Numbers of a piece, and looks of the dictionary."""

LOUDEST = 63
"""Largest answer of a look; answers are whole numbers."""

STEPS = 64
"""Values told apart in a unit of a token, which has about unit norm."""

SHAPES = {
    "dictionary": (PIXELS, LOOKS),
    "threshold": (LOOKS,),
    "gain": (LOOKS,),
    "readout": (3 * LOOKS, TOKEN_WIDTH),
    "centre": (TOKEN_WIDTH,),
    "scale": (TOKEN_WIDTH,),
}
"""Name of each weight -> its shape. All but gain and scale are whole numbers."""

Weights = dict[str, Array]


class ImageEncoder:
    """Pictures [B, H, W, 3] uint8 of any size -> 64 tokens, one a patch, row-major, at (row, column).

    A picture is scaled to 64 x 64 pixels. All sums are of whole numbers and exact, so that a token has the same bits
    on every machine, in every batch and wherever its patch lies. ``weights``: a safetensors file, or the arrays
    themselves. Raises CortexError for a file that is missing, damaged, or of another network.
    """

    modality = "image"
    accepts = "pixels from 0 to 255"

    def __init__(self, weights: Path | Weights = WEIGHTS) -> None:
        given = weights if isinstance(weights, dict) else read_weights(weights)
        self._weights = {name: value.astype(np.float32) for name, value in given.items()}
        self.position = np.indices((ROWS, ROWS)).reshape(2, -1).T.astype(np.float32)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a value that is no pixel."""
        return pixel_faults(values)

    def __call__(self, values: Array) -> Scene:
        """Encode pictures [B, H, W, 3] -> scene of a token per patch."""
        tokens = np.zeros((len(values), ROWS * ROWS, TOKEN_WIDTH), np.float32)
        for body, picture in enumerate(values):  # one by one: what lies in between stays in the processor's cache
            tokens[body] = read_out(answers(shrink(picture)[None], self._weights), self._weights)[0]
        return scene(tokens, np.ones(tokens.shape[:2], bool), self.position, self.modality)


def shrink(picture: Array) -> Array:
    """A picture [H, W, 3] of 0 to 255, by means of its pixels -> [SIDE, SIDE, 3] uint8."""
    if picture.shape[:2] == (SIDE, SIDE):
        return np.asarray(picture, np.uint8)
    small = Image.fromarray(np.asarray(picture, np.uint8)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def pieces(pictures: Array) -> Array:
    """The overlapping pieces of pictures [B, SIDE, SIDE, 3] -> [B, PIECES, PIECES, PIXELS] float32.

    What lies beyond the edge looks as the edge does.
    """
    count, end = PIECES + 1, STEP + SIDE
    wide = np.empty((len(pictures), end + STEP, end + STEP, 3), np.uint8)
    wide[:, STEP:end, STEP:end] = pictures
    wide[:, :STEP, STEP:end], wide[:, end:, STEP:end] = pictures[:, :1], pictures[:, -1:]
    wide[:, :, :STEP], wide[:, :, end:] = wide[:, :, STEP : STEP + 1], wide[:, :, end - 1 : end]
    block = wide.reshape(-1, count, STEP, count, STEP, 3).swapaxes(2, 3).reshape(-1, count, count, STEP * STEP * 3)
    block = block.astype(np.float32)
    return np.concatenate([block[:, i : i + PIECES, j : j + PIECES] for i in (0, 1) for j in (0, 1)], axis=-1)


def answers(pictures: Array, weights: Weights) -> Array:
    """What the dictionary says of pictures [B, SIDE, SIDE, 3] around each patch -> [B, 64, 3 * LOOKS] float32: the
    strongest answer of each look, the sum over the window, and that in its middle."""
    heard = pieces(pictures) @ weights["dictionary"].astype(np.float32, copy=False)
    heard -= weights["threshold"]
    heard *= weights["gain"]
    np.maximum(heard, 0, out=heard)
    np.minimum(heard, LOUDEST, out=heard)
    np.floor(heard, out=heard)
    first, middle, last = (slice(start, start + 2 * ROWS - 1, 2) for start in range(3))
    above, here, below = heard[:, first], heard[:, middle], heard[:, last]
    high, total = np.maximum(np.maximum(above, here), below), above + here + below
    told = (
        np.maximum(np.maximum(high[:, :, first], high[:, :, middle]), high[:, :, last]),
        total[:, :, first] + total[:, :, middle] + total[:, :, last],
        here[:, :, middle],
    )
    return np.concatenate(told, axis=-1).reshape(len(pictures), ROWS * ROWS, -1)


def read_out(told: Array, weights: Weights) -> Array:
    """Answers [B, 64, 3 * LOOKS] -> tokens [B, 64, E]."""
    token = told @ weights["readout"].astype(np.float32, copy=False)
    token -= weights["centre"]
    token *= weights["scale"]
    return np.asarray(np.round(token) / STEPS)


def read_weights(path: Path) -> Weights:
    """The weights of a safetensors file. Raises CortexError where it is missing, damaged, or of another network."""
    try:
        found = load_file(path)
    except FileNotFoundError:
        raise CortexError(f"there are no weights {path}; python -m experiments.pretrain_image makes them") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CortexError(f"the weights {path} are damaged ({error}); restore or make them anew") from error
    shapes = {name: value.shape for name, value in found.items()}
    if shapes != SHAPES or not all(np.isfinite(value).all() for value in found.values()):
        raise CortexError(f"the weights {path} are of another network, {shapes}; {SHAPES} would do")
    return found
