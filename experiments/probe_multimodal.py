"""Of 256 moments of environments that nothing was learned from: is the right one recalled by what another sense tells?

A cue is what some senses tell of a moment, memory what some tell of all; recall@1 is the share of the moments whose
cue is nearest to themselves, by chance 1 / 256. No two moments have the same symbols or the same words. Each sense is
missing in turn: from cue and memory alike (which leaves pairs of senses), or from the cue alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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

COLUMNS = ("encoder", "missing", "cue", "memory", "seed", "recall")
SENSES = tuple(GROUP)
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
        whole = scene(captions.watch(captions.HELD_OUT, options.frames, FIRST_SEED + seed))
        for name, encoder in encoders.items():
            for missing, cue, memory in questions():
                share = recall(encoder, whole, cue, memory)
                values = (name, missing, "+".join(cue), "+".join(memory), seed, share)
                rows.append(dict(zip(COLUMNS, values, strict=True)))
        common.progress(f"{seed}: " + ", ".join(f"{r['cue']}>{r['memory']} {r['recall']:.2f}" for r in rows[-30:-15]))
        common.write_csv(options.out, rows, COLUMNS)
    speed = {name: microseconds(encoder, whole) for name, encoder in encoders.items()}
    last = {"experiment": "probe_multimodal", "quick": options.quick, "frames": options.frames}
    common.last_line({**last, **summary(rows), "microseconds_a_scene": speed})


def scene(frames: captions.Frames) -> Scene:
    """All that the frozen encoders tell of frames."""
    told = TextEncoder().captions([captions.sentences(told) for told in frames.told])
    return Scene.concatenate([ImageEncoder()(frames.picture), GridEncoder()(frames.grid), told])


def only(whole: Scene, senses: Sequence[str]) -> Scene:
    """A scene of which the other senses are missing."""
    kept = np.isin(whole.modality, [MODALITIES[name] for name in senses])
    return Scene(whole.tokens, whole.position, whole.modality, whole.mask & kept)


def questions() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What is missing where, the senses of the cue and those of memory."""
    found: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    for missing in SENSES:
        one, other = (name for name in SENSES if name != missing)
        found += [(f"{missing} everywhere", (one,), (other,)), (f"{missing} everywhere", (other,), (one,))]
        found += [
            (f"{missing} from the cue", (one, other), (missing,)),
            (f"{missing} from memory", (missing,), (one, other)),
        ]
        found += [(f"{missing} from the cue", (one, other), SENSES)]
    return found


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
    """Encoder -> cue > memory -> mean recall@1 and its 95 % interval over draws of moments."""
    found: dict[str, Any] = {}
    for row in rows:
        found.setdefault(row["encoder"], {}).setdefault(f"{row['cue']} > {row['memory']}", []).append(row["recall"])
    return {
        name: {asked: [float(np.mean(values)), *interval(values)] for asked, values in each.items()}
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
