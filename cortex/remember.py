"""Memories that words call up: the moments whose latent, of what was seen alone, is nearest to the words' own."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cortex.modules.encoders import TextEncoder
from cortex.types import MODALITIES, CortexError, Scene

if TYPE_CHECKING:
    from cortex.agent import Agent

SEEN = ("grid", "image")
"""Senses that words are held against."""
CHUNK = 512
"""Scenes pooled at once."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One moment that words called up."""

    similarity: float  # cosine between the words and what was seen
    episode: int  # number of the episode in memory
    step: int  # scenes of the episode before this one
    day: int
    scene: Scene  # of one body, as it was stored


def remember(agent: Agent, words: str | Sequence[str], k: int = 5) -> list[Remembered]:
    """The ``k`` distinct remembered scenes nearest to ``words``, a sentence or several, the nearest first. Latents are
    made anew from the rows of episodes that are over; of scenes that came back the first is told."""
    told = [words] if isinstance(words, str) else words
    if not isinstance(told, (list, tuple)) or not told or not all(isinstance(t, str) and t.strip() for t in told):
        raise CortexError(f"words are a sentence such as 'a red key two steps ahead', or a list of them, not {words!r}")
    pool, seen = agent.multimodal, [MODALITIES[name] for name in SEEN if MODALITIES[name] in agent.multimodal.taught]
    if MODALITIES["text"] not in pool.taught or not np.isin(agent.senses.layout.modality, seen).any():
        raise CortexError(
            "words call up what was seen only where both are told alike: make the agent with "
            "multimodal.encoder=aligned, for symbols of three channels as MiniGrid's or pictures with encoders.tile=0"
        )
    asked, store = pool(_listener().captions([told])).latent[0], agent.hippocampus.store
    places: dict[bytes, tuple[int, int]] = {}
    for number in store.episodes():
        for step, codes in enumerate(store.read(number).codes):
            places.setdefault(codes.tobytes(), (number, step))
    found = list(places.values())
    stored = np.array([np.frombuffer(codes, np.int32) for codes in places])
    like = np.zeros(len(found), np.float32)
    for start in range(0, len(found), CHUNK):
        scene = agent.context.scene(stored[start : start + CHUNK])
        visible = Scene(scene.tokens, scene.position, scene.modality, scene.mask & np.isin(scene.modality, seen))
        like[start : start + CHUNK] = pool(visible).latent @ asked
    nearest = []
    for row in np.argsort(-like, kind="stable")[:k].tolist():
        (number, step), scene = found[row], agent.context.scene(stored[row : row + 1])
        nearest.append(Remembered(float(like[row]), number, step, store.read(number).day, scene))
    return nearest


@functools.cache
def _listener() -> TextEncoder:
    """Reads what is asked; not one of the agent's senses, since what they heard is kept with its memories."""
    return TextEncoder()
