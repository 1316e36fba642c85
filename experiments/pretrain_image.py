"""Teach the image encoder, without labels, on frames of many environments: which looks there are, and what stays.

First the dictionary: k-means on whitened pieces of frames (Coates, Lee & Ng 2011). Then the tokens: of all that is
linear in the dictionary's answers, the 64 directions that vary most from window to window and least while the frame
moves by a pixel or two (slow feature analysis, Wiskott & Sejnowski 2002; the linear optimum of what contrastive
learning wants of two views, Balestriero & LeCun 2022). Seconds of one core.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from scipy.linalg import eigh

from cortex.modules.encoders.image import LOOKS, LOUDEST, PIXELS, STEPS, WEIGHTS, Weights, answers, pieces
from cortex.store import files
from cortex.types import TOKEN_WIDTH, Array
from experiments import common, frames

PIECES, ROUNDS = 24_000, 12
"""Distinct pieces that the dictionary is made of, and rounds of k-means."""
FLATTEN = 0.1
"""Share of the mean variance that is added to each before pieces are whitened: what varies less is taken for noise."""
HEARD, LOUD = 0.5, 3.0
"""Standard deviations above the mean at which a look begins to answer, and from there to its loudest answer."""
MOVES = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if (down, right) != (0, 0)]
"""Ways in which a frame is moved, in pixels; what leaves it on one side comes in on the other."""
ALIKE = 4
"""Most windows that look exactly alike: most of what frames show is plain ground."""
SMOOTH = 0.3
"""Share of the mean variance that counts as what a move changes in every direction."""
BATCH = 100


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="pretrain_image.csv", seeds=1)
    line.add_argument(
        "--frames", type=int, default=80, help="frames of each environment; of novel games four times as many"
    )
    line.add_argument("--weights", type=Path, help=f"safetensors file to write; {WEIGHTS.name} of the library")
    options = common.read(line)
    if options.quick:
        options.frames, options.seeds = 8, 1
    target = options.weights or (common.QUICK / WEIGHTS.name if options.quick else WEIGHTS)
    rows = []
    for seed in range(options.seeds):
        began = time.process_time()
        counts = [options.frames * (4 if name == frames.NOVEL else 1) for name in frames.LEARNED]
        seen = [frames.watch(name, count, seed)[0] for name, count in zip(frames.LEARNED, counts, strict=True)]
        watched = time.process_time()
        common.progress(f"{sum(counts)} frames after {watched - began:.0f} s")
        weights, told = learn(np.concatenate(seen), seed)
        told["seconds_of_frames"], told["seconds"] = watched - began, time.process_time() - watched
        rows.append({"seed": seed, "frames": sum(counts), **told})
        common.write_csv(options.out, rows, tuple(rows[0]))
        if seed == 0:
            target.parent.mkdir(parents=True, exist_ok=True)
            files.replace(target, save(weights))
    common.last_line({"experiment": "pretrain_image", "quick": options.quick, "weights": target.name, **rows[0]})


def learn(pictures: Array, seed: int) -> tuple[Weights, dict[str, float]]:
    """The weights for ``pictures`` [n, 64, 64, 3], and how much of the tokens' variance a move by a pixel or two leaves
    as it was, what `SMOOTH` adds counted as moved: of the first, the middle and the last entry."""
    random = np.random.default_rng(seed)
    pictures = np.concatenate([pictures, disguised(pictures, random)])
    given = some_pieces(pictures, random)
    weights = listen(dictionary(given, random), given)
    chosen = rare(pictures, random)
    still, moved = [], []
    for start in range(0, len(pictures), BATCH):
        some, rows = pictures[start : start + BATCH], chosen[start : start + BATCH]
        still.append(answers(some, weights)[rows])
        moved.append(answers(np.roll(some, MOVES[random.integers(len(MOVES))], axis=(1, 2)), weights)[rows])
    directions, stays = slow(np.concatenate(still), np.concatenate(moved))
    weights |= say(directions, np.concatenate(still))
    return weights, {
        "windows": int(chosen.sum()),
        "first": stays[0],
        "middle": stays[len(stays) // 2],
        "last": stays[-1],
    }


def untaught(pictures: Array, seed: int) -> Weights:
    """The same network with random looks and a random way to read them out, each as loud as when taught."""
    random = np.random.default_rng(seed)
    given = some_pieces(pictures, random)
    weights = listen(random.standard_normal((PIXELS, LOOKS)), given)
    told = answers(pictures[::4], weights)
    return weights | say(random.standard_normal((3 * LOOKS, TOKEN_WIDTH)), told.reshape(-1, 3 * LOOKS))


def disguised(pictures: Array, random: np.random.Generator) -> Array:
    """Pictures [n, 64, 64, 3] with other colours, turned and mirrored: rules of seeing that hold in any environment."""
    found = []
    for picture in pictures:
        other = picture[..., random.permutation(3)]
        other = np.rot90(255 - other if random.random() < 0.5 else other, random.integers(4))
        found.append(other[:, ::-1] if random.random() < 0.5 else other)
    return np.stack(found)


def some_pieces(pictures: Array, random: np.random.Generator) -> Array:
    """Distinct pieces [n, PIXELS] of pictures, at most so many."""
    found = [
        random.choice(pieces(pictures[start : start + BATCH]).reshape(-1, PIXELS), 40 * BATCH, replace=False)
        for start in range(0, len(pictures), BATCH)
    ]
    every = np.concatenate(found)
    distinct = np.unique(names(every), return_index=True)[1]
    return np.asarray(every[random.permutation(distinct)[:PIECES]])


def names(given: Array) -> Array:
    """A number for each piece [n, PIXELS]: equal for equal pieces, and exact."""
    return np.asarray(given @ np.random.default_rng(0).integers(1, 256, PIXELS).astype(np.float32))


def dictionary(given: Array, random: np.random.Generator) -> Array:
    """Looks [PIXELS, LOOKS] of pieces [n, PIXELS]: spherical k-means after whitening, told in pixels again."""
    variance, axes = np.linalg.eigh(np.cov(given, rowvar=False))
    whiten = ((axes / np.sqrt(variance + FLATTEN * variance.mean())) @ axes.T).astype(np.float32)
    white = (given - given.mean(axis=0)) @ whiten
    unit = white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-6)
    looks = unit[random.permutation(len(unit))[:LOOKS]]
    for _ in range(ROUNDS):
        likeness = white @ looks.T
        nearest = likeness.argmax(axis=1)
        member = np.zeros_like(likeness)
        member[np.arange(len(white)), nearest] = likeness[np.arange(len(white)), nearest]
        total = member.T @ white
        size = np.linalg.norm(total, axis=1, keepdims=True)
        lost = size[:, 0] < 1e-6
        total[lost], size[lost] = random.choice(unit, lost.sum()), 1
        looks = total / size
    return np.asarray(whiten @ looks.T)


def listen(looks: Array, given: Array) -> Weights:
    """The first weights: looks [PIXELS, LOOKS] in whole numbers, and from where to where they answer to pieces."""
    whole = np.round(looks / np.abs(looks).max(axis=0) * 127)
    heard = given @ whole
    spread = heard.std(axis=0)
    return {
        "dictionary": whole.astype(np.int8),
        "threshold": np.round(heard.mean(axis=0) + HEARD * spread).astype(np.int32),
        "gain": (LOUDEST / (LOUD * spread)).astype(np.float32),
    }


def rare(pictures: Array, random: np.random.Generator) -> Array:
    """Which windows [n, 64] bool are learned from: of those that look exactly alike only some."""
    batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    look = np.concatenate([names(pieces(batch)[:, 1::2, 1::2].reshape(-1, PIXELS)) for batch in batches])
    order = random.permutation(len(look))
    order = order[np.argsort(look[order], kind="stable")]
    same = np.append(False, np.diff(look[order]) == 0)
    run = np.arange(len(order)) - np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    chosen = np.zeros(len(look), bool)
    chosen[order[run < ALIKE]] = True
    return chosen.reshape(len(pictures), -1)


def slow(still: Array, moved: Array) -> tuple[Array, list[float]]:
    """Of answers [n, F] and those after a move: the E directions [F, E] in which windows differ most and moves change
    least, and the share of the variance that stays."""
    varies, change = np.cov(still, rowvar=False, dtype=np.float32), still - moved
    size = len(varies)
    moves = change.T @ change / len(change) + SMOOTH * np.trace(varies) / size * np.eye(size)
    ratio, directions = eigh(varies, moves, subset_by_index=(size - TOKEN_WIDTH, size - 1))
    return directions[:, ::-1], [float(1 - 0.5 / each) for each in ratio[::-1]]


def say(directions: Array, told: Array) -> Weights:
    """The last weights: directions [F, E] in whole numbers, and how to bring what is ``told`` [n, F] to unit norm."""
    whole = np.round(directions / np.abs(directions).max(axis=0) * 127)
    token = told @ whole
    return {
        "readout": whole.astype(np.int8),
        "centre": np.round(token.mean(axis=0)).astype(np.int32),
        "scale": (STEPS / np.sqrt(TOKEN_WIDTH) / token.std(axis=0)).astype(np.float32),
    }


if __name__ == "__main__":
    main()
