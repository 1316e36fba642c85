"""Which multimodal encoder binds the senses: one fixed at random, or one that was taught what they have in common."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cortex.modules.aligned import PACKAGED, WEIGHTS, WIDTH, poolings
from cortex.modules.encoders import GridEncoder, ImageEncoder, Senses, TextEncoder
from cortex.modules.encoders.text import PACKAGED as PACKAGED_TEXT
from cortex.modules.multimodal import Multimodal
from cortex.types import MODALITIES, CortexError

RANDOM = "random"
"""The name of the fixed random projection."""

CHANNELS = 3
"""Attributes of a cell of the grids that were taught."""


def bind(encoder: str, width: int, senses: Collection[str]) -> Multimodal:
    """The multimodal encoder ``encoder``: random, aligned, or a safetensors file that `pretrain_multimodal` wrote.

    ``senses`` are those that it may pool as it was taught, see `taught`; the others are projected at random. Raises
    CortexError where the file cannot be used, and for another width than it was taught with.
    """
    if encoder == RANDOM:
        return Multimodal(width)
    found = poolings(WEIGHTS if encoder == PACKAGED else Path(encoder))
    if width not in (0, WIDTH):
        raise CortexError(
            f"multimodal.encoder={encoder} was taught latents of width {WIDTH}, not {width}; "
            f"multimodal.width={WIDTH} would do, or multimodal.encoder={RANDOM}"
        )
    kept = {MODALITIES[name]: pooling for name, pooling in found.items() if width and name in senses}
    return Multimodal(width, taught=kept)


def taught(senses: Senses) -> list[str]:
    """The senses that are read, or would be, by the frozen encoders in whose tokens our own weights were taught."""
    other = {part.encoder.modality for part in senses.parts if not _usual(part.encoder)}
    return [name for name in ("image", "grid", "text") if name not in other]


def _usual(encoder: object) -> bool:
    if isinstance(encoder, TextEncoder):
        return encoder.model == PACKAGED_TEXT
    return isinstance(encoder, ImageEncoder) or (isinstance(encoder, GridEncoder) and encoder.channels == CHANNELS)
