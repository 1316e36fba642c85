"""Pictures through a vision model from a hub or a folder: CLIP, SigLIP or DINOv2, a token per patch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import pixel_faults, scene, unit_vectors
from .loading import fetch, quiet, why

SEED = 4_000

MOST_ROWS = 8
"""Tokens along a side; of a model with more patches they are means."""

LARGEST = 224
"""Pixels to which a picture is scaled for DINOv2, at most: it takes any size, and large ones take long."""

STEPS = 64
"""Values told apart in a unit of a token, which has about unit norm."""

KINDS = {
    "clip": ("CLIPVisionModel", 1),
    "clip_vision_model": ("CLIPVisionModel", 1),
    "siglip": ("SiglipVisionModel", 0),
    "siglip_vision_model": ("SiglipVisionModel", 0),
    "dinov2": ("Dinov2Model", 1),
}
"""``model_type`` of a config -> its class in transformers, and how many of its tokens stand for no patch."""


@dataclass(frozen=True, slots=True)
class Vision:
    """A vision model, and how it wants to be shown a picture."""

    network: Any
    others: int  # tokens that stand for no patch; they come first
    side: int  # pixels
    mean: Any  # [1, 3, 1, 1], of the channels
    spread: Any

    @property
    def patches(self) -> int:
        """Patches along a side."""
        return int(self.side // self.network.config.patch_size)


class HubEncoder:
    """Pictures [B, H, W, 3] uint8 of any size -> at most 8 x 8 tokens, row-major, at (row, column).

    ``model`` is a folder or a hub id of a CLIP (Radford 2021), SigLIP (Zhai 2023) or DINOv2 (Oquab 2023) model; only
    safetensors are read. The picture is scaled to the model's size; the last features of its patches, brought to no
    mean and unit spread, go through a frozen random projection to E entries (Johnson & Lindenstrauss 1984) and are
    rounded. Raises CortexError where the model cannot be loaded or is of another kind.
    """

    modality = "image"
    accepts = "pixels from 0 to 255"

    def __init__(self, model: str, width: int = TOKEN_WIDTH) -> None:
        self.width, self._vision = width, load(model)
        self.rows = min(MOST_ROWS, self._vision.patches)
        self.position = np.indices((self.rows, self.rows)).reshape(2, -1).T.astype(np.float32)
        hidden = self._vision.network.config.hidden_size
        self._project = unit_vectors(SEED, hidden, width) / np.sqrt(hidden, dtype=np.float32)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a value that is no pixel."""
        return pixel_faults(values)

    def __call__(self, values: Array) -> Scene:
        """Encode pictures [B, H, W, 3] -> scene of a token per patch."""
        tokens = np.zeros((len(values), len(self.position), self.width), np.float32)
        for body, picture in enumerate(values):  # one by one: a batch of another size would round otherwise
            features = self._features(np.asarray(picture, np.float32))
            features -= features.mean(axis=1, keepdims=True)
            features /= np.maximum(features.std(axis=1, keepdims=True), 1e-6)
            tokens[body] = np.round(features @ self._project * STEPS) / STEPS
        return scene(tokens, np.ones(tokens.shape[:2], bool), self.position, self.modality)

    def _features(self, picture: Array) -> Array:
        """What the model says of the patches of a picture [H, W, 3] -> [N, hidden]."""
        import torch
        from torch.nn import functional

        vision = self._vision
        with torch.inference_mode():
            pixels = torch.from_numpy(picture / 255).permute(2, 0, 1)[None]
            pixels = functional.interpolate(pixels, (vision.side, vision.side), mode="bicubic", antialias=True)
            shown = (pixels.clamp(0, 1) - vision.mean) / vision.spread
            told = vision.network(pixel_values=shown).last_hidden_state[:, vision.others :]
            lattice = told.transpose(1, 2).unflatten(2, (vision.patches, vision.patches))
            return np.asarray(functional.adaptive_avg_pool2d(lattice, self.rows)[0].flatten(1).T.numpy().copy())


def load(model: str) -> Vision:
    """Load a vision model on the CPU. Raises CortexError that says why it cannot be had."""
    try:
        with quiet():
            return fetch(model, lambda local: _load(model, local))
    except CortexError:
        raise
    except Exception as error:  # the loader raises whatever its many layers raise
        raise CortexError(
            f"the image model {model!r} could not be loaded ({why(error)}): encoders.image takes 'small' (packaged), a "
            "folder with a CLIP, SigLIP or DINOv2 model in safetensors, or a hub id that is cached or can be downloaded"
        ) from error


def _load(model: str, local: bool) -> Vision:
    import torch
    import transformers

    kind = transformers.AutoConfig.from_pretrained(model, local_files_only=local).model_type
    if kind not in KINDS:
        raise CortexError(f"the image model {model!r} is of the kind {kind!r}; CLIP, SigLIP or DINOv2 would do")
    name, others = KINDS[kind]
    network, told = getattr(transformers, name).from_pretrained(
        model, use_safetensors=True, local_files_only=local, output_loading_info=True
    )
    if missing := sorted(told["missing_keys"]):
        raise CortexError(f"the image model {model!r} lacks {len(missing)} weights, such as {missing[0]}; save it anew")
    shown = transformers.utils.cached_file(
        model,
        "preprocessor_config.json",
        local_files_only=local,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    scaling = json.loads(Path(shown).read_text(encoding="utf-8")) if shown else {}
    config = network.config
    side = min(config.image_size, LARGEST) if kind == "dinov2" else config.image_size
    mean, spread = (
        torch.tensor(scaling.get(key, [0.5] * 3), dtype=torch.float32).reshape(1, 3, 1, 1)
        for key in ("image_mean", "image_std")
    )
    return Vision(
        network.eval().requires_grad_(False), others, side // config.patch_size * config.patch_size, mean, spread
    )
