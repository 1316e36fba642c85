"""What a linear reader finds in frames that nothing was learned from: in tokens, in those of random weights, in pixels.

Each patch is asked what is at its centre, by ridge regression on one token, the same for all patches: the first third
of the frames teaches it, the second chooses the ridge, the last is asked; no episode, and of novel games no game, is in
two thirds. The score is the mean over kinds of the share told rightly; one that sees nothing has 1 / kinds.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cortex.measure.statistics import interval
from cortex.modules.encoders.image import ROWS, SIDE, ImageEncoder
from cortex.types import Array
from experiments import common, frames
from experiments.pretrain_image import untaught

COLUMNS = ("environment", "asked", "features", "seed", "right", "kinds")
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1)
LEAST = 10
"""Times that a kind must be in the first and the last third to be asked about."""


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="probe_image.csv", seeds=5)
    line.add_argument("--frames", type=int, default=240, help="frames of each environment and seed")
    options = common.read(line)
    if options.quick:
        options.frames, options.seeds = 48, 1
    learned, rows = ImageEncoder(), []
    for name, (asked, _) in frames.ASKED.items():
        for seed in range(options.seeds):
            pictures, told = frames.watch(name, options.frames, 1_000 + seed, frames.GAMES + 1_000 * seed)
            given = {
                "tokens": learned(pictures).tokens,
                "random weights": ImageEncoder(untaught(pictures[::3], seed))(pictures).tokens,
                "pixels": windows(pictures),
            }
            for features, values in given.items():
                right, kinds = read(values.reshape(len(told), ROWS * ROWS, -1), told.reshape(len(told), -1))
                rows.append(dict(zip(COLUMNS, (name, asked, features, seed, right, kinds), strict=True)))
            common.progress(
                f"{name} {seed}: " + ", ".join(f"{row['features']} {row['right']:.3f}" for row in rows[-len(given) :])
            )
            common.write_csv(options.out, rows, COLUMNS)
    speed = frames_a_second(learned)
    common.last_line({"experiment": "probe_image", "quick": options.quick, **summary(rows), "frames_a_second": speed})


def windows(pictures: Array) -> Array:
    """The pixels that the token of each patch of pictures [n, 64, 64, 3] is made of, 16 x 16 [n, 64, 768]."""
    side = SIDE // ROWS
    wide = np.pad(pictures, ((0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0)), mode="edge")
    cut = sliding_window_view(wide, (2 * side, 2 * side), axis=(1, 2))[:, ::side, ::side]
    return cut.reshape(len(pictures), ROWS * ROWS, -1).astype(np.float32)


def read(values: Array, told: Array) -> tuple[float, int]:
    """Mean over kinds of the share of the last third of frames that a ridge regression tells rightly, and the kinds.
    Values [n, 64, D], what is there [n, 64]."""
    third = len(values) // 3
    parts = [slice(0, third), slice(third, 2 * third), slice(2 * third, None)]
    often = [np.bincount(told[part].ravel(), minlength=told.max() + 1) for part in parts]
    kinds = np.flatnonzero((often[0] >= LEAST) & (often[2] >= LEAST))
    first = values[parts[0]].reshape(-1, values.shape[-1])
    mean, spread = first.mean(axis=0), first.std(axis=0) + 1e-6
    given, wanted = [], []
    for part in parts:
        known = np.isin(told[part], kinds)
        scaled = (values[part][known] - mean) / spread
        given.append(np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], axis=1))
        wanted.append(np.searchsorted(kinds, told[part][known]))
    weight = (1 / often[0][kinds] / len(kinds))[wanted[0], None].astype(np.float32)
    likeness = (given[0] * weight).T @ given[0]
    answer = (given[0] * weight).T @ np.eye(len(kinds), dtype=np.float32)[wanted[0]]
    found = [np.linalg.solve(likeness + ridge * np.eye(len(likeness)), answer) for ridge in RIDGES]
    best = max(found, key=lambda reader: _right(given[1] @ reader, wanted[1]))
    return _right(given[2] @ best, wanted[2]), len(kinds)


def _right(answers: Array, wanted: Array) -> float:
    right = answers.argmax(axis=1) == wanted
    return float(np.mean([right[wanted == kind].mean() for kind in np.unique(wanted)]))


def frames_a_second(encoder: ImageEncoder, count: int = 400) -> float:
    """How many pictures of 64 x 64 are encoded in a second of one core's time, one at a time."""
    pictures = np.random.default_rng(0).integers(0, 256, (count, 1, SIDE, SIDE, 3)).astype(np.uint8)
    encoder(pictures[0])
    began = time.process_time()
    for picture in pictures:
        encoder(picture)
    return round(count / (time.process_time() - began))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Environment, and all of them -> features -> mean score and its 95 % interval over seeds."""
    found: dict[str, Any] = {}
    seeds = sorted({row["seed"] for row in rows})
    for features in dict.fromkeys(row["features"] for row in rows):
        every = []
        for name in frames.ASKED:
            values = [row["right"] for row in rows if row["environment"] == name and row["features"] == features]
            every.append(values)
            found.setdefault(name, {})[features] = [float(np.mean(values)), *interval(values)]
        means = [float(np.mean([values[seed] for values in every])) for seed in range(len(seeds))]
        found.setdefault("all", {})[features] = [float(np.mean(means)), *interval(means)]
    return found


if __name__ == "__main__":
    main()
