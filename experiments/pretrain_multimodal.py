"""Teach the multimodal encoder by contrast: which picture, which symbols and which words are of the same moment.

Frames of MiniGrid are told three times (`experiments/captions.py`) and read by the frozen encoders, once. Then the
poolings of `cortex/modules/aligned.py` learn in the space of those tokens, each sense to find its moment among those of
a batch by each other sense alone, the third missing (symmetric InfoNCE with a learned temperature). Of a caption some
sentences are left out, and some say what there is and not where: words are seldom complete. Two minutes of one core.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn
from torch.nn import functional

from cortex.modules.aligned import SHAPES, WEIGHTS, Weights, waves
from cortex.modules.encoders import GridEncoder, ImageEncoder, TextEncoder
from cortex.modules.encoders.image import ROWS
from cortex.store import files
from cortex.types import Array
from experiments import captions, common

BATCH, RATE, WARM = 256, 0.003, 0.1
"""Moments of an update, the largest step of the optimiser, and the share of the updates in which it grows."""
MOST = 20
"""Sentences of a caption that are read."""
LEFT_OUT, NOWHERE = 0.1, 0.1
"""Share of the sentences that are left out, and of those that do not say where."""
CHUNK = 500
"""Pictures encoded at once."""
SHARPEST = 100.0
"""Largest factor of a cosine, the inverse of the temperature."""


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="pretrain_multimodal.csv", seeds=1)
    line.add_argument("--frames", type=int, default=24_000, help="frames of all environments together")
    line.add_argument("--updates", type=int, default=1_200, help="updates")
    line.add_argument("--weights", type=Path, help=f"safetensors file to write; {WEIGHTS.name} of the library")
    options = common.read(line)
    if options.quick:
        options.frames, options.updates, options.seeds = 600, 20, 1
    target = options.weights or (common.QUICK / WEIGHTS.name if options.quick else WEIGHTS)
    rows = []
    for seed in range(options.seeds):
        began = time.process_time()
        frames = captions.watch(captions.LEARNED, options.frames, seed, captions.STRAY, captions.VIEWS)
        tokens = read(frames)
        ready = time.process_time()
        common.progress(f"{len(frames.told)} frames read after {ready - began:.0f} s")
        weights, told = learn(tokens, options.updates, seed)
        told |= {"seconds_of_frames": ready - began, "seconds": time.process_time() - ready}
        rows.append({"seed": seed, "frames": len(frames.told), "sentences": len(tokens.meaning) - 1, **told})
        common.write_csv(options.out, rows, tuple(rows[0]))
        if seed == 0:
            target.parent.mkdir(parents=True, exist_ok=True)
            files.replace(target, save(weights))
    common.last_line({"experiment": "pretrain_multimodal", "quick": options.quick, "weights": target.name, **rows[0]})


@dataclass(frozen=True)
class Tokens:
    """What the frozen encoders tell of n moments; a batch of it is put together in no time."""

    picture: Array  # [n, 64, E] float16, which holds them exactly
    grid: Array  # [n, 7, 7, 3] symbols
    said: Array  # [n, MOST] rows of ``meaning``, 0 for none
    nowhere: Array  # [rows of meaning], the row of the same without a place
    meaning: Array  # [rows, SENTENCE * E] of each sentence once; the first is silence


def read(frames: captions.Frames) -> Tokens:
    """Frames as the frozen encoders tell of them."""
    eye, known, nowhere = ImageEncoder(), {"": 0}, [0]
    said = np.zeros((len(frames.told), MOST), np.int64)
    for row, told in enumerate(frames.told):
        for place, ((what, _), text) in enumerate(zip(told[:MOST], captions.sentences(told))):
            for each in (what, text):
                if each not in known:
                    known[each] = len(known)
                    nowhere.append(known[what])
            said[row, place] = known[text]
    picture = [eye(frames.picture[start : start + CHUNK]).tokens for start in range(0, len(said), CHUNK)]
    return Tokens(
        np.concatenate(picture).astype(np.float16),
        frames.grid,
        said,
        np.array(nowhere),
        TextEncoder()(list(known)).tokens.reshape(len(known), -1),
    )


def learn(tokens: Tokens, updates: int, seed: int) -> tuple[Weights, dict[str, float]]:
    """The weights that ``updates`` teach, and the loss of each pair of senses at the end."""
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    weights = {
        name: nn.Parameter(torch.randn(shape, generator=generator) / shape[0] ** 0.5) for name, shape in SHAPES.items()
    }
    sharpness = nn.Parameter(torch.tensor(10.0).log())
    optimiser = torch.optim.AdamW([*weights.values(), sharpness], RATE, weight_decay=0.001)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=updates, pct_start=WARM)
    size = min(BATCH, len(tokens.said))
    last: dict[str, list[float]] = {}
    for update in range(updates):
        batch = moments(tokens, random.choice(len(tokens.said), size, replace=False), random)
        latents = {sense: pool(weights, sense, *given) for sense, given in batch.items()}
        factor = sharpness.exp().clamp(max=SHARPEST)
        losses = {
            f"{one}_{other}": contrast(latents[one], latents[other], factor)
            for one, other in itertools.combinations(latents, 2)
        }
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        schedule.step()
        for name, loss in losses.items():
            last.setdefault(name, []).append(loss.item())
        if update % 100 == 99:
            common.progress(f"{update + 1}: " + ", ".join(f"{n} {np.mean(v[-100:]):.3f}" for n, v in last.items()))
    kept = {name: value.detach().numpy().astype(np.float16) for name, value in weights.items()}
    return kept, {name: float(np.mean(values[-100:])) for name, values in last.items()}


def moments(tokens: Tokens, rows: Array, random: np.random.Generator) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Of each sense the tokens of ``rows`` [n], which are known, and the waves of where they stand."""
    said = tokens.said[rows]
    said = np.where(random.random(said.shape) < NOWHERE, tokens.nowhere[said], said)
    heard = random.random(said.shape) >= LEFT_OUT
    heard[:, 0] |= ~(heard & (said > 0)).any(axis=1)  # something is said
    eye, grid = tokens.picture[rows].astype(np.float32), GridEncoder()(tokens.grid[rows])
    patches = np.indices((ROWS, ROWS)).reshape(2, -1).T
    given = {
        "image": (eye, np.ones(eye.shape[:2], bool), waves(patches)),
        "grid": (grid.tokens, grid.mask, waves(grid.position[0])),
        "text": (tokens.meaning[said], heard & (said > 0), np.zeros(0, np.float32)),
    }
    return {sense: tuple(map(torch.from_numpy, arrays)) for sense, arrays in given.items()}


def pool(weights: dict[str, nn.Parameter], sense: str, tokens: Tensor, known: Tensor, where: Tensor) -> Tensor:
    """The latents [n, D] of what one sense tells, as `cortex.modules.aligned.Aligned` pools it, of unit norm."""
    said = functional.relu(tokens @ weights[f"{sense}.what"] + weights[f"{sense}.bias"])
    if f"{sense}.where" in weights:
        said = said * (where @ weights[f"{sense}.where"])
    pooled = (said * known[..., None]).sum(dim=1) @ weights[f"{sense}.read"]
    return functional.normalize(pooled, dim=-1)


def contrast(one: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """How badly latents [n, D] find their own moment among the n of another sense, both ways."""
    alike, own = factor * one @ other.T, torch.arange(len(one))
    return (functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)) / 2


if __name__ == "__main__":
    main()
