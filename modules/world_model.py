"""The learned world model: what happens to the few tokens that an action meets.

Decoder-free: it predicts the frozen tokens themselves, as a change of what is there, whether the agent moved, the
reward and the end. Several networks, each from its own bootstrap sample, agree where they have learned and differ
elsewhere (Lakshminarayanan 2017). Each also learns the answers of a fixed random network (Burda 2018), which cannot
be guessed by generalising. Weights change only in `fit`, at night.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cortex.types import COORDINATES, TOKEN_WIDTH, Array, CortexError, Motions

FAMILIAR = 8
"""Answers of the fixed random network."""
CODES = 4096
"""Codes for which the body schema keeps whether they block the way: more than a grid world's codebook holds."""
STILL = 1e-4
"""Root mean square change below which a number of a token counts as never changing."""
WARM_UP = 0.05
CLIP = 1.0
LOSS_WEIGHTS = {"consistency": 1.0, "moved": 0.5, "reward": 1.0, "end": 0.5, "familiarity": 1.0}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What M actions would do."""

    focus: Array  # [M, F, E] float32, the tokens afterwards
    moved: Array  # [M] float32, chance that the agent moved
    reward: Array  # [M] float32
    end: Array  # [M] float32, chance that the episode is over by the game's rule
    uncertainty: Array  # [M] float32 in [0, 1], 0 where the members agree, 1 before the first night


@dataclass(frozen=True, slots=True)
class Answer:
    """Each member's raw output."""

    change: Tensor  # [K, B, F * E] in units of the usual change
    moved: Tensor  # [K, B] logit
    reward: Tensor  # [K, B] symmetric logarithm
    end: Tensor  # [K, B] logit
    surprise: Tensor  # [K, B, FAMILIAR] learned minus fixed random answer


class WorldModel(nn.Module):
    """An ensemble over ``focus`` tokens and one of ``actions``; ``width`` hidden units a layer; drawn by ``seed``."""

    nights: Tensor
    usual: Tensor
    random_in: Tensor
    random_out: Tensor
    schema: Tensor
    blocked: Tensor

    def __init__(self, actions: int, focus: int, width: int = 128, ensemble: int = 3, seed: int = 0) -> None:
        super().__init__()
        self.actions, self.focus, self.ensemble = actions, focus, ensemble
        generator = torch.Generator().manual_seed(seed)
        inputs, self.numbers = focus * TOKEN_WIDTH + actions, focus * TOKEN_WIDTH
        sizes = [inputs, width, width, self.numbers + 3 + FAMILIAR]
        # Tokens have about unit norm, however wide: the first layer's spread follows their number, not their width.
        spreads = [(focus + 1) ** -0.5, width**-0.5, 0.1 * width**-0.5]
        self.weights = nn.ParameterList(
            nn.Parameter(spread * torch.randn(ensemble, i, o, generator=generator))
            for spread, i, o in zip(spreads, sizes[:-1], sizes[1:])
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(ensemble, 1, o)) for o in sizes[1:])
        self.register_buffer("random_in", spreads[0] * torch.randn(ensemble, inputs, width // 2, generator=generator))
        self.register_buffer(
            "random_out", (width // 2) ** -0.5 * torch.randn(ensemble, width // 2, FAMILIAR, generator=generator)
        )
        self.register_buffer("usual", torch.zeros(self.numbers))  # root mean square change of each number, 0 for none
        self.register_buffer("nights", torch.zeros((), dtype=torch.int64))
        shapes = {
            "go": (4, actions, COORDINATES),
            "turn": (4, actions),
            "reach": (4, actions, COORDINATES),
            "facing": (4, COORDINATES),
            "verb": (actions,),
            "own": (COORDINATES,),
            "selves": (4,),
            "held": (),
        }
        self.body = tuple(shapes)
        for name, shape in {**shapes, "schema": (4,)}.items():
            # schema: kept or not, resolved, version, codes with a known chance to block
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("blocked", torch.zeros(CODES))

    def forward(self, focus: Tensor, action: Tensor) -> Answer:
        """Tokens [K, B, F, E] and actions [K, B], a batch for each member."""
        x = torch.cat(
            [rearrange(focus, "k b f e -> k b (f e)"), functional.one_hot(action, self.actions).float()], dim=-1
        )
        random = torch.tanh(x @ self.random_in) @ self.random_out
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, x, weight)
            x = functional.silu(x) if layer < last else x
        change, outcome, familiar = x.split([self.numbers, 3, FAMILIAR], dim=-1)
        return Answer(change, outcome[..., 0], outcome[..., 1], outcome[..., 2], familiar - random)

    def __call__(self, focus: Array, action: Array) -> Prediction:
        """Predict for tokens [M, F, E] float32 and actions [M]; before the first night: nothing changes, uncertainty 1.

        The uncertainty is 1 - exp(-d), d the root mean square of the disagreement on changes, in units of the usual
        change, on chances and on rewards, and of the error about the random network. Raises CortexError for tokens of
        another shape.
        """
        if focus.shape[1:] != (self.focus, TOKEN_WIDTH):
            raise CortexError(
                f"the world model was built for {self.focus} tokens of {TOKEN_WIDTH} numbers, "
                f"not for {focus.shape[1:]}: build it for this environment"
            )
        count = len(focus)
        if not self.nights:
            none = np.zeros(count, np.float32)
            return Prediction(focus, none, none, none, np.ones(count, np.float32))
        with torch.inference_mode():
            tokens = torch.from_numpy(np.ascontiguousarray(focus, np.float32)).expand(self.ensemble, *focus.shape)
            chosen = torch.from_numpy(np.ascontiguousarray(action, np.int64)).expand(self.ensemble, count)
            answer = self.forward(tokens, chosen)
            moved, end = torch.sigmoid(answer.moved), torch.sigmoid(answer.end)
            reward = symexp(answer.reward)
            after = tokens[0] + (self.usual * answer.change.mean(dim=0)).view(count, self.focus, TOKEN_WIDTH)
            alive = self.usual > 0
            spread = variance(answer.change * alive, 0).sum(dim=-1) / alive.sum().clamp(min=1)
            outcome = variance(torch.stack([moved, end, answer.reward]), 1).sum(dim=0)
            doubt = (spread + outcome + answer.surprise.square().mean(dim=(0, 2))).sqrt()
            uncertainty = 1 - torch.exp(-doubt)
        return Prediction(
            after.numpy(), moved.mean(0).numpy(), reward.mean(0).numpy(), end.mean(0).numpy(), uncertainty.numpy()
        )

    def losses(
        self, focus: Tensor, action: Tensor, next_focus: Tensor, moved: Tensor, reward: Tensor, end: Tensor
    ) -> dict[str, Tensor]:
        """Each loss [K, B], for members with batches of their own: tokens [K, B, F, E], all else [K, B]."""
        answer = self.forward(focus, action)
        alive = self.usual > 0
        change = rearrange(next_focus - focus, "k b f e -> k b (f e)")[..., alive] / self.usual[alive]
        off = (answer.change[..., alive] - change).square().sum(dim=-1) / alive.sum().clamp(min=1)
        each = {
            "consistency": off,
            "moved": functional.binary_cross_entropy_with_logits(answer.moved, moved, reduction="none"),
            "reward": (answer.reward - symlog(reward)).square(),
            "end": functional.binary_cross_entropy_with_logits(answer.end, end, reduction="none"),
            "familiarity": answer.surprise.square().mean(dim=-1),
        }
        assert each.keys() == LOSS_WEIGHTS.keys()
        return each

    @property
    def motions(self) -> Motions | None:
        """The body schema as the cortex keeps it, None where it has none."""
        kept, resolved, version, codes = self.schema.tolist()
        if not kept:
            return None
        parts: dict[str, Any] = {name: self.get_buffer(name).numpy().copy() for name in self.body}
        parts["held"] = int(parts["held"])
        blocked = self.blocked[:codes].numpy().copy()
        return Motions(**parts, blocked=blocked, resolved=bool(resolved), version=version)

    def set_motions(self, motions: Motions | None) -> None:
        """Keep a body schema among the weights, safe when memory is cleared; None forgets it. Codes end at CODES."""
        for name in (*self.body, "schema", "blocked"):
            self.get_buffer(name).zero_()
        if motions is None:
            return
        if len(motions.verb) != self.actions:
            raise CortexError(f"a body schema of {len(motions.verb)} actions does not fit a model of {self.actions}")
        for name in self.body:
            self.get_buffer(name).copy_(torch.from_numpy(np.asarray(getattr(motions, name)).astype(np.int64)))
        codes = min(len(motions.blocked), CODES)
        self.blocked[:codes] = torch.from_numpy(np.asarray(motions.blocked[:codes], np.float32))
        self.schema.copy_(torch.tensor([1, int(motions.resolved), motions.version, codes]))


def fit(
    model: WorldModel,
    focus: Array,
    action: Array,
    next_focus: Array,
    moved: Array,
    reward: Array,
    end: Array,
    steps: int,
    batch: int,
    learning_rate: float,
    generator: np.random.Generator,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> dict[str, float]:
    """Learn T transitions: tokens [T, F, E] before and after, all else [T]; the mean losses of the last tenth.

    Each member draws its batches from a bootstrap sample of its own. AdamW, warm-up, cosine, clipped gradients.
    ``progress(step, losses)`` is called after each step. Equal for equal generators and thread counts; with no steps
    or no transitions nothing happens.
    """
    if not steps or not len(focus):
        return {}
    before, after = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (focus, next_focus))
    chosen = torch.from_numpy(np.ascontiguousarray(action, np.int64))
    outcomes = [torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (moved, reward, end)]
    usual = (after - before).square().mean(dim=0).sqrt().flatten()
    # A number that was seen to change keeps its unit, or the weights of earlier nights would mean something else.
    model.usual.copy_(torch.where(model.usual > 0, model.usual, torch.where(usual > STILL, usual, 0.0)))
    sample = generator.integers(0, len(focus), (model.ensemble, len(focus)))
    member = np.arange(model.ensemble)[:, None]
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4, fused=True)
    last: list[dict[str, float]] = []
    for step in range(steps):
        rows = torch.from_numpy(sample[member, generator.integers(0, len(focus), (model.ensemble, batch))])
        losses = model.losses(before[rows], chosen[rows], after[rows], *(outcome[rows] for outcome in outcomes))
        total = torch.stack([LOSS_WEIGHTS[name] * loss.mean(dim=1).sum() for name, loss in losses.items()]).sum()
        optimiser.param_groups[0]["lr"] = learning_rate * schedule(step, steps)
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP * model.ensemble**0.5)
        optimiser.step()
        means = {name: float(loss.detach().mean()) for name, loss in losses.items()}
        last = [*last, means][-max(1, steps // 10) :]
        if progress is not None:
            progress(step, means)
    model.nights += 1
    return {name: float(np.mean([means[name] for means in last])) for name in last[0]}


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to 0."""
    done = (step + 1) / steps
    return min(1.0, done / WARM_UP) * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def variance(x: Tensor, dim: int) -> Tensor:
    """Mean squared distance from the mean along ``dim``; of the few members of an ensemble quicker than Tensor.var."""
    return (x - x.mean(dim=dim, keepdim=True)).square().mean(dim=dim)


def symlog(x: Tensor) -> Tensor:
    """Logarithm on both sides of 0, linear near it (Hafner 2023)."""
    return x.sign() * x.abs().log1p()


def symexp(x: Tensor) -> Tensor:
    """The inverse of `symlog`."""
    return x.sign() * x.abs().expm1()
