"""Of 256 moments of environments that nothing was learned from: is the right one recalled by what another sense tells?

A cue is what some senses tell of a moment, memory what some tell of all; recall@1 is the share of the moments whose
cue is nearest to themselves, by chance 1 / 256. No two moments have the same symbols or the same words. Each sense is
missing in turn: from cue and memory alike (which leaves pairs of senses), or from one of them alone. The pairs are
asked again with captions in a wording that was not learned from, with each caption in a single sentence, and with all
moments from one environment, where they are more alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortex.binding import RANDOM, bind
from cortex.measure.statistics import interval
from cortex.modules.aligned import GROUP, PACKAGED
from cortex.modules.encoders import GridEncoder, ImageEncoder, TextEncoder
from cortex.modules.multimodal import Multimodal
from cortex.types import MODALITIES, Scene
from experiments import captions, common

COLUMNS = ("moments", "encoder", "missing", "cue", "memory", "seed", "recall")
SENSES = tuple(GROUP)
PAIRS = 6
"""Questions of one sense about another."""
ALONE = "MiniGrid-KeyCorridorS4R3-v0"
"""The one environment."""
OTHERWISE = {"steps ahead": "cells in front of me", "step ahead": "cell in front of me", "to the": "on my"}
"""How words are said otherwise."""
FIRST_SEED = 1_000
"""Frames that are asked about are drawn from this seed on."""


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="probe_multimodal.csv", seeds=5)
    line.add_argument("--frames", type=int, default=256, help="moments among which one is recalled")
    line.add_argument("--weights", type=Path, help="safetensors file to ask; that of the library")
    options = common.read(line)
    if options.quick:
        options.frames, options.seeds = 64, 1
    encoders = {"aligned": bind(str(options.weights or PACKAGED), 64, SENSES), RANDOM: Multimodal()}
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        frames = captions.watch(captions.HELD_OUT, options.frames, FIRST_SEED + seed)
        asked = {
            "as learned": scene(frames, captions.sentences),
            "in other words": scene(frames, in_other_words),
            "in one sentence": scene(frames, lambda told: ["; ".join(captions.sentences(told))]),
            "one environment": scene(captions.watch([ALONE], options.frames, FIRST_SEED + seed), captions.sentences),
        }
        for moments, whole in asked.items():
            for name, encoder in encoders.items():
                first = len(rows)
                for missing, cue, memory in questions()[: None if moments == "as learned" else PAIRS]:
                    share = recall(encoder, whole, cue, memory)
                    values = (moments, name, missing, "+".join(cue), "+".join(memory), seed, share)
                    rows.append(dict(zip(COLUMNS, values, strict=True)))
                if name != RANDOM:
                    told = [
                        f"{row['cue']} > {row['memory']} {row['recall']:.2f}" for row in rows[first : first + PAIRS]
                    ]
                    common.progress(f"{seed} {moments}: {', '.join(told)}")
        common.write_csv(options.out, rows, COLUMNS)
    speed = {name: microseconds(encoder, whole) for name, encoder in encoders.items()}
    last = {"experiment": "probe_multimodal", "quick": options.quick, "frames": options.frames}
    common.last_line({**last, **summary(rows), "microseconds_a_scene": speed})


def scene(frames: captions.Frames, say: Callable[[captions.Caption], list[str]] = captions.sentences) -> Scene:
    """All that the frozen encoders tell of frames, whose captions are sentences as ``say`` makes them."""
    told = TextEncoder().captions([say(told) for told in frames.told])
    return Scene.concatenate([ImageEncoder()(frames.picture), GridEncoder()(frames.grid), told])


def in_other_words(told: captions.Caption) -> list[str]:
    """The sentences of a caption in a wording that was not learned from."""
    said = []
    for what, where in told:
        for learned, other in OTHERWISE.items():
            where = where.replace(learned, other)
        said.append(f"there is {what}, {where}")
    return said


def only(whole: Scene, senses: Sequence[str]) -> Scene:
    """A scene of which the other senses are missing."""
    kept = np.isin(whole.modality, [MODALITIES[name] for name in senses])
    return Scene(whole.tokens, whole.position, whole.modality, whole.mask & kept)


def questions() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What is missing where, the senses of the cue and those of memory; first the pairs."""
    pairs: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    others: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    for missing in SENSES:
        one, other = (name for name in SENSES if name != missing)
        pairs += [(f"{missing} everywhere", (one,), (other,)), (f"{missing} everywhere", (other,), (one,))]
        others += [(f"{missing} from the cue", (one, other), memory) for memory in ((missing,), SENSES)]
        others += [(f"{missing} from memory", (missing,), (one, other))]
    return pairs + others


def recall(encoder: Multimodal, whole: Scene, cue: Sequence[str], memory: Sequence[str]) -> float:
    """Share of the moments of ``whole`` that are nearest to their own cue."""
    asked, kept = (encoder(only(whole, senses)).latent for senses in (cue, memory))
    return float(((asked @ kept.T).argmax(axis=1) == np.arange(len(kept))).mean())


def microseconds(encoder: Multimodal, whole: Scene) -> float:
    """Time of one core to bind a scene of all senses, of as many at once as there are."""
    encoder(whole)
    began = time.process_time()
    for _ in range(5):
        encoder(whole)
    return round((time.process_time() - began) / 5 / whole.bodies * 1e6)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Moments, encoder: cue > memory -> mean recall@1 and its 95 % interval over draws of moments."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        told = found.setdefault(f"{row['moments']}, {row['encoder']}", {})
        told.setdefault(f"{row['cue']} > {row['memory']}", []).append(row["recall"])
    return {
        name: {asked: [float(np.mean(values)), *interval(values)] for asked, values in each.items()}
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
