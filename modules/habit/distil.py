"""Distilling: what search found by night becomes weights of the fast system."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from cortex.types import Array, CortexError, Scene

from .choice import Choice
from .policy import LOSS_WEIGHTS, HabitPolicy

WARM_UP = 0.05
CLIP = 1.0
QUICK = torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32
"""The precision in which this processor convolves fastest: units that multiply tiles do so in bfloat16."""


def fit(
    policy: HabitPolicy,
    scenes: Scene,
    targets: Array,
    value: Array,
    alike: Array,
    choice: Choice,
    steps: int,
    batch: int,
    learning_rate: float,
    generator: np.random.Generator,
    progress: Callable[[int, dict[str, float]], None] | None = None,
    drawn: list[Array] | None = None,
    bfloat16: bool = False,
    seconds: float = 0.0,
    among: Array | None = None,
) -> dict[str, float]:
    """Distil targets [T, A] and value [T] in [0, 1] of T scenes into the weights; the mean losses of the last tenth.
    ``among`` [T]: which of the ``scenes`` they are, if there are more, so that none need to be copied.

    AdamW, warm-up, cosine, clipped gradients; ``choice`` draws the rows, is told what the habit does in them, and says
    how far they are believed. A row is seen turned or mirrored by lot: ``alike`` [T, 8, A] says for each of
    `SYMMETRIES` of which action each one then is what that was, -1 where the row must not be seen so.
    ``progress(step, losses)`` is called after each step, ``drawn`` is given the rows of each; with ``bfloat16``
    neighbours on a map talk in `QUICK`. With ``seconds`` it is over after these at the latest: steps for which there
    is no time are left out, evenly, so that the last ones are as small as ever. The confidence is silent until
    `calibrate` is called again, since it was another network's. Equal for equal generators, thread counts and
    processors, unless time was short. With no steps or no scenes nothing happens. Raises CortexError for values out of
    range and for targets that do not sum to 1.
    """
    if len(value) and not (np.min(value) >= 0 and np.max(value) <= 1):
        raise CortexError("the habit learns values in [0, 1]: divide returns by the largest one")
    if len(targets) and not np.allclose(np.sum(targets, axis=1), 1, atol=1e-3):
        raise CortexError("the habit learns policies: each row of the targets must sum to 1")
    if not steps or not len(value):
        return {}
    policy.attend(scenes)
    policy.embody(alike)
    tokens, place, known = policy.inputs(scenes, among)
    most = known[..., 0].sum(dim=1).int()
    optimiser = torch.optim.AdamW(policy.parameters(), lr=learning_rate, weight_decay=0.01, fused=True)
    told: list[dict[str, float]] = []
    goals = [torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (targets, value)]
    precision, began, step = QUICK if bfloat16 else torch.float32, time.perf_counter(), 0
    while step < steps:
        rows = choice.draw(batch, generator)
        index, turn = torch.from_numpy(rows), generator.integers(0, len(policy.around), batch)
        turn = np.where(alike[rows, turn, 0] < 0, 0, turn)
        was = torch.from_numpy(alike[rows, turn].astype(np.int64))
        if drawn is not None:
            drawn.append(rows)
        upto = max(1, int(most[index].max()))  # what no scene of the batch knows is not read
        there = policy.around[torch.from_numpy(turn)[:, None], place[index, :upto]]
        aims, worth = goals[0][index].gather(1, was), goals[1][index]
        losses, does = policy.losses((tokens[index, :upto], there, known[index, :upto]), aims, worth, precision)
        choice.did(rows, does.numpy())
        trust = torch.from_numpy(choice.trust(rows).astype(np.float32))
        total = torch.stack([LOSS_WEIGHTS[name] * (trust @ loss) / trust.sum() for name, loss in losses.items()]).sum()
        optimiser.param_groups[0]["lr"] = learning_rate * schedule(step, steps)
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), CLIP)
        optimiser.step()
        means = {name: float(loss.detach().mean()) for name, loss in losses.items()}
        told.append(means)
        if progress is not None:
            progress(step, means)
        spent = (time.perf_counter() - began) / seconds if seconds else 0.0
        step = max(step + 1, int(steps * spent))
    policy.nights += 1
    policy.calibration.zero_()
    last = told[-max(1, len(told) // 10) :]
    return {name: float(np.mean([means[name] for means in last])) for name in last[0]}


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to 0."""
    done = (step + 1) / steps
    return min(1.0, done / WARM_UP) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))
