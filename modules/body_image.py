"""The body image: which of the things in view am I, and which way do I look? What the cortex keeps of it when memory is
cleared.

By day the agent finds itself among the things of a view that never turns (hippocampus, guises), in each game anew. By
night a network learns to point at it in the scenes in which it was found: the scene as a whole says which game this is,
and so what the agent looks like there, one way or another (self-location, Blanke 2012; pointing at one of a set,
Vinyals 2015).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cortex.types import FACING, TOKEN_WIDTH, UNSEEN, Array, Vocabulary

CLIP = 1.0
NOBODY = -1
NOWHERE = -1
"""Which way the agent looks, where that is not known."""


class BodyImage(nn.Module):
    """Grid tokens -> the one that shows the agent, and the way it looks; ``cells`` tokens a scene, ``width`` units
    each, first weights of ``seed``."""

    nights: Tensor
    held: Tensor

    def __init__(self, cells: int, width: int = 32, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.read = nn.Linear(TOKEN_WIDTH, width)
            self.place = nn.Embedding(max(1, cells), width)
            self.gather = nn.Linear(2 * width, 2 * width)
            self.gate = nn.Linear(2 * width, 2 * width)
            self.point = nn.Linear(width, 1)
            self.face = nn.Linear(width, 1 + len(FACING))  # the last: it looks no way at all
        self.register_buffer("nights", torch.zeros((), dtype=torch.int64))
        self.register_buffer("held", torch.full((), NOBODY))  # the token of the scene that shows what the agent holds

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B, N, E], mask [B, N] -> logits of being the agent [B, N], and of the way it then looks [B, N, 5]."""
        there = mask[..., None].float()
        heard = functional.relu(self.read(tokens) + 0.1 * self.place.weight) * there
        whole = torch.cat([heard.sum(dim=1) / there.sum(dim=1).clamp(min=1), heard.amax(dim=1)], dim=-1)
        gain, shift = self.gate(functional.gelu(self.gather(whole)))[:, None].chunk(2, dim=-1)
        meant = functional.relu(heard * (1 + gain) + shift)
        return self.point(meant)[..., 0].masked_fill(~mask, -1e9), self.face(meant)

    def __call__(self, tokens: Array, mask: Array) -> tuple[Array, Array, Array]:
        """Which of the N tokens is the agent [B], how likely it is [B], and which of FACING it does [B], or NOWHERE;
        tokens [B, N, E], mask [B, N]. Before the first night it is NOBODY, with chance 0."""
        if not self.nights:
            nobody = np.full(len(tokens), NOBODY)
            return nobody, np.zeros(len(tokens), np.float32), np.full_like(nobody, NOWHERE)
        with torch.inference_mode():
            where, ways = self.forward(torch.from_numpy(tokens), torch.from_numpy(mask))
            chance, own = where.softmax(dim=1).max(dim=1)
            way = ways[torch.arange(len(own)), own].argmax(dim=1).numpy()
        return own.numpy(), chance.numpy(), np.where(way < len(FACING), way, NOWHERE)


def fit(
    image: BodyImage,
    codes: Array,
    codebook: Vocabulary,
    own: Array,
    selves: Array,
    facing: Array,
    chance: Array,
    held: int,
    steps: int,
    batch: int,
    learning_rate: float,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Learn which token was the agent, and which way it looked: ``codes`` [T, N] of a ``codebook``, ``own`` [T], rows
    drawn with ``chance`` [T]; ``selves`` [T, H] are the codes that show the agent in the game of a row, UNSEEN for
    none, and ``facing`` [T, H] which of FACING it does then, or NOWHERE. Returns the mean losses of the last tenth.

    AdamW under a one-cycle schedule. Equal for equal generators and thread counts; with no steps or no rows nothing
    happens.
    """
    if not steps or not len(own):
        return {}
    optimiser = torch.optim.AdamW(image.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps + 1)
    last: list[tuple[float, float]] = []
    for _ in range(steps):
        rows = generator.choice(len(own), batch, p=chance)
        seen, way = otherwise(codes[rows], own[rows], selves[rows], facing[rows], generator)
        seen, where = elsewhere(seen, own[rows], generator)
        tokens, mask = torch.from_numpy(codebook.decode(seen)), torch.from_numpy(seen != UNSEEN)
        points, ways = image.forward(tokens, mask)
        here = torch.from_numpy(where)
        pointed = functional.cross_entropy(points, here)
        faced = functional.cross_entropy(ways[torch.arange(batch), here], torch.from_numpy(way % (1 + len(FACING))))
        optimiser.zero_grad()
        (pointed + faced).backward()
        nn.utils.clip_grad_norm_(image.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        last = [*last, (float(pointed.detach()), float(faced.detach()))][-max(1, steps // 10) :]
    image.nights += 1
    image.held.fill_(held)
    return dict(zip(("own", "facing"), np.mean(last, axis=0).tolist(), strict=True))


def otherwise(
    codes: Array, own: Array, selves: Array, facing: Array, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Scenes [B, N] of codes in which the agent looks like one or another of its ``selves`` [B, H], and which way it
    then faces [B]: what is kept of a game may show it in few of its guises, and it may come in any."""
    body, codes = np.arange(len(codes)), codes.copy()
    guise = np.where(selves != UNSEEN, generator.random(selves.shape), -1.0).argmax(axis=1)
    codes[body, own] = selves[body, guise]
    return codes, facing[body, guise]


def elsewhere(codes: Array, own: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Scenes [B, N] of codes in every other of which the agent has changed places with something else that is seen, and
    where it is then [B]: what is kept of a game may show it in few places, and it is itself anywhere."""
    other = np.where(codes != UNSEEN, generator.random(codes.shape), -1.0).argmax(axis=1)
    where = np.where(generator.random(len(codes)) < 0.5, other, own)
    body, codes = np.arange(len(codes)), codes.copy()
    codes[body, own], codes[body, where] = codes[body, where], codes[body, own]
    return codes, where
