"""The fast system: what to do and how good it is, at a glance, and how sure that is, so that search can take over.

Context-gated sets (after Zaheer 2017, with the feature-wise gates of Perez 2018): every token is read where it stands,
all are pooled to a context, and the context is mixed non-linearly into every token, as top-down signals gate sensory
cells. What the tokens then say is pooled by place where they stand in lists; those that stand on a map talk to their
neighbours first (`lateral.py`). Weights change only in `fit`, at night; before the first night the answer is silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cortex.types import COORDINATES, MODALITIES, SYMMETRIES, TOKEN_WIDTH, Array, Habit, Scene

from .lateral import Lateral

REACH = 12
"""Cells from the own one up to which neighbours are told apart; what lies beyond counts as at the edge."""
SIDE = 2 * REACH + 1
GRID = SIDE**COORDINATES
"""Places on the map; those in lists come after them."""
ENTRIES = 256
"""Entries of a list that are told apart."""
WORDS = GRID + (MODALITIES["text"] - 1) * ENTRIES
"""The first place of a sentence."""
PATCHES = 8
"""Patches along a side of a picture; the next picture begins `PATCHES` ** 2 rows further on."""
LISTS = 3
"""Senses told apart beside the grid, by the order of their numbers: vectors, symbols and words at least."""
LOOKS = 32
"""Ways of pooling by place what stands in lists."""
MAP = 32
"""Units of a place on the map."""
ROUNDS = 6
"""Rounds of talk among neighbours: how far away a thing may be to be heard."""
DECISION = 256
"""Units between what tokens say and the answers."""
LOUDNESS = 8.0
"""Root mean square norm to which what sets sentences apart is brought; what they have in common tells nothing."""
BODIES = 16
"""Kinds of bodies of which it is known what their actions are in a scene turned round."""
LOSS_WEIGHTS = {"policy": 1.0, "best": 0.5, "value": 0.5}


def policy_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy [B] of a policy's logits [B, A] and the improved policy of search [B, A]."""
    return -(targets * functional.log_softmax(logits, dim=-1)).sum(dim=-1)


def chosen(targets: Tensor) -> Tensor:
    """1 for each action that search would choose [B, A]: it gave it at least half of its largest weight."""
    return (targets >= 0.5 * targets.amax(dim=-1, keepdim=True)).float()


def best_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy [B] of "search would choose this" [B, A]."""
    return functional.binary_cross_entropy_with_logits(logits, chosen(targets), reduction="none").mean(dim=-1)


def value_loss(logit: Tensor, value: Tensor) -> Tensor:
    """Binary cross-entropy [B] of a value in [0, 1]."""
    return functional.binary_cross_entropy_with_logits(logit, value, reduction="none")


class HabitPolicy(nn.Module):
    """Scene -> prior, value and confidence; ``width`` units a token, first weights from a generator of ``seed``.
    ``lists``: how many senses beside the grid have places of their own. ``rounds``: how often neighbours on a map talk.

    One head says how search divides its choice, another, per action, whether search would choose it at all: where
    several actions are equally good, the first is undecided by right, and only the second can be confident.
    """

    common: Tensor
    loudness: Tensor
    nights: Tensor
    calibration: Tensor
    around: Tensor
    turns: Tensor

    def __init__(self, actions: int, width: int = 48, seed: int = 0, lists: int = LISTS, rounds: int = ROUNDS) -> None:
        super().__init__()
        self.actions, self.width = actions, width
        generator = torch.Generator().manual_seed(seed)
        places = GRID + lists * ENTRIES
        self.read = linear(TOKEN_WIDTH, width, generator)
        self.place = nn.Embedding(places, width, _weight=0.1 * torch.randn(places, width, generator=generator))
        self.gather = linear(2 * width, width, generator)
        self.gate = linear(width, 2 * width, generator)
        self.lateral = Lateral(width, MAP, rounds, generator)
        self.look = nn.Embedding(places - GRID, LOOKS, _weight=torch.randn(places - GRID, LOOKS, generator=generator))
        self.decide = linear(3 * width, DECISION, generator)
        self.near = linear(self.lateral.told, DECISION, generator)
        self.beside = linear(width * LOOKS, DECISION, generator)
        self.answer = linear(DECISION, 2 * actions + 1, generator)
        self.register_buffer("common", torch.zeros(ENTRIES, TOKEN_WIDTH))  # what all sentences have in common
        self.register_buffer("loudness", torch.ones(()))
        self.register_buffer("nights", torch.zeros((), dtype=torch.int64))
        self.register_buffer("calibration", torch.zeros(3))  # slope, shift, states it was found from
        self.register_buffer("around", turned(places), persistent=False)
        self.register_buffer("turns", torch.full((BODIES, len(SYMMETRIES), actions), -1))  # as `embody` says

    def forward(
        self, tokens: Tensor, place: Tensor, mask: Tensor, precision: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, N, E], places [B, N], mask [B, N, 1] -> logits: policy [B, A], being best [B, A], value [B]."""
        answer = self.answer(self.features(tokens, place, mask, precision))
        return answer[:, : self.actions], answer[:, self.actions : -1], answer[:, -1]

    def features(self, tokens: Tensor, place: Tensor, mask: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
        """What the answers are made of [B, DECISION]; ``precision`` of what neighbours on a map tell each other."""
        root = mask.sum(dim=1).clamp(min=1).sqrt()
        read, on_map = self.read(tokens), place < GRID
        heard = functional.relu(read + self.place(place)) * mask
        context = torch.cat([heard.sum(dim=1) / root**2, heard.max(dim=1).values], dim=-1)
        gain, shift = self.gate(functional.gelu(self.gather(context)))[:, None].chunk(2, dim=-1)
        meant = functional.relu(read * (1 + gain) + shift) * mask
        units = self.decide(torch.cat([context, meant.max(dim=1).values], dim=-1))
        if on_map.any():
            row, column = place // SIDE - REACH, place % SIDE - REACH
            units = units + self.near(self.lateral(meant, row, column, on_map & (mask[..., 0] > 0), precision))
        if not on_map.all():  # what stands in lists comes first
            listed = slice(int((~on_map).sum(dim=1).max()))
            look = self.look((place[:, listed] - GRID).clamp(min=0)) * ~on_map[:, listed, None]
            told = look.transpose(1, 2) @ meant[:, listed] / root[..., None]
            units = units + self.beside(rearrange(told, "b l w -> b (l w)"))
        return functional.gelu(units)

    def __call__(self, scene: Scene, asked: Array | None = None, unsure: float = 0.0) -> Habit:
        """Answer for the scenes of B bodies. ``asked`` [B] bool: the others get what nobody knows. ``unsure`` as for
        `answers`.

        That, and all answers before the first night, is a uniform prior, value and confidence 0; uncalibrated, the
        confidence is 0.
        """
        bodies = scene.bodies
        prior = np.full((bodies, self.actions), 1 / self.actions, np.float32)
        value, confidence = np.zeros(bodies, np.float32), np.zeros(bodies, np.float32)
        rows = np.arange(bodies) if asked is None else np.flatnonzero(asked)
        if self.nights and len(rows):
            with torch.inference_mode():
                policy, best, worth = self.answers(scene, rows, unsure)
                prior[rows], value[rows] = policy.softmax(dim=-1).numpy(), torch.sigmoid(worth).numpy()
                slope, shift, states = self.calibration
                if states:
                    evidence = best.gather(1, policy.argmax(dim=-1, keepdim=True))[:, 0]
                    confidence[rows] = torch.sigmoid(slope * evidence + shift).numpy()
        return Habit(prior, value, confidence)

    def answers(self, scene: Scene, rows: Array, unsure: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """What `forward` says of the scenes ``rows`` [n]. Maps of which no action is as likely as ``unsure`` are looked
        at from all sides, the other ones by the map and words alone, and the mean counts (what is not recognised at
        once is turned in the mind, Shepard & Metzler 1971). What an action is there depends on the body: of those
        known, the one with which all sides agree most on what to do."""
        tokens, place, mask = self.inputs(scene, rows)
        told = self.forward(tokens, place, mask)
        if unsure <= 0:
            return told
        known = self.turns[:, :, 0] >= 0  # [BODIES, 8]
        known = known[known.any(dim=1)]
        others = known[:, 1:].any(dim=0).nonzero()[:, 0] + 1
        doubtful = (told[0].softmax(dim=-1).amax(dim=-1) < unsure) & (place < GRID).any(dim=1)
        row = doubtful.nonzero()[:, 0]
        if not len(others) or not len(row):
            return told
        turn = mask * ((place < GRID) | (place >= WORDS) & (place < WORDS + ENTRIES))[..., None]
        there = self.around[others][:, place[row]].flatten(end_dim=1)
        views = self.forward(tokens[row].repeat(len(others), 1, 1), there, turn[row].repeat(len(others), 1, 1))
        sides = torch.cat([torch.zeros(1, dtype=torch.int64), others])
        counts = known[:, sides] / known[:, sides].sum(dim=1, keepdim=True)  # [K, S]
        was = self.turns[: len(known), sides].clamp(min=0).expand(len(row), -1, -1, -1)  # [n, K, S, A]

        def mean(once: Tensor, again: Tensor) -> Tensor:
            """What is said of n scenes at first [n, A] and of the other sides [(S - 1) * n, A], by body [n, K, A]."""
            said = torch.cat([once, again]).unflatten(0, (len(sides), len(row))).movedim(0, 1)
            said = said[:, None].expand(-1, len(known), -1, -1)
            return (torch.zeros_like(said).scatter(3, was, said) * counts[..., None]).sum(dim=2)

        likely, each = mean(told[0][row].log_softmax(dim=-1), views[0].log_softmax(dim=-1)), torch.arange(len(row))
        share = known[:, sides].float().mean(dim=1)  # from sides that a body does not have anything may be said
        body = (share * likely.amax(dim=2) - (1 - share) * math.log(self.actions)).argmax(dim=1)
        mended = likely[each, body], mean(told[1][row], views[1])[each, body]
        policy, best = (whole.index_copy(0, row, part) for whole, part in zip(told[:2], mended, strict=True))
        return policy, best, told[2]

    def embody(self, alike: Array) -> None:
        """Keep what actions are in scenes turned round: ``alike`` [T, 8, A] says for each of `SYMMETRIES` of which
        action each one then is what that was, -1 where a scene must not be seen so."""
        several = alike[(alike[:, 1:, 0] >= 0).any(axis=1)]
        kinds, times = np.unique(several, axis=0, return_counts=True)
        known = self.turns[(self.turns[:, 1:, 0] >= 0).any(dim=1)]
        every = torch.cat([torch.from_numpy(kinds[np.argsort(-times)].astype(np.int64)), known])
        fresh = [i for i, kind in enumerate(every) if not any((kind == other).all() for other in every[:i])][:BODIES]
        self.turns.fill_(-1)
        self.turns[: len(fresh)] = every[fresh]

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As every network; one that was saved before it knew other sides has none."""
        return super().load_state_dict({"turns": torch.full_like(self.turns, -1), **state_dict}, strict, assign)

    def attend(self, scene: Scene) -> None:
        """Find what the sentences of many scenes have in common: embeddings of sentences crowd around a mean that
        says nothing (Mu & Viswanath 2018)."""
        words, entry = spoken(scene)
        tokens = torch.from_numpy(scene.tokens[words])
        times = torch.bincount(entry, minlength=ENTRIES).clamp(min=1)
        mean = torch.zeros_like(self.common).index_add(0, entry, tokens) / times[:, None]
        speaking = max(1, int(words.any(axis=1).sum()))
        spread = float(((tokens - mean[entry]).square().sum() / speaking).sqrt())
        self.common.copy_(mean)
        self.loudness.fill_(LOUDNESS / spread if spread > 1e-3 else 1.0)

    def inputs(self, scene: Scene, rows: Array | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """What the network reads of the scenes ``rows`` [B], of all of them if None: tokens [B, n, E], places [B, n],
        mask [B, n, 1], n the most that any body knows. Words are read without what all sentences share, and louder.

        What a body knows comes first, of that what stands in lists, and what none knows is cut off; other orders of
        tokens mean the same to the network.
        """
        rows = np.arange(scene.bodies) if rows is None else rows
        known, place = scene.mask[rows], places(scene.position[rows], scene.modality[rows])
        most = max(1, int(known.sum(axis=1).max(initial=0)))
        first = np.argsort(np.where(known, place < GRID, 2), axis=1, kind="stable")[:, :most]
        cut = Scene(*(a[rows[:, None], first] for a in (scene.tokens, scene.position, scene.modality, scene.mask)))
        words, entry = spoken(cut)
        cut.tokens[words] = (cut.tokens[words] - self.common.numpy()[entry]) * float(self.loudness)
        place = np.take_along_axis(place, first, axis=1)
        mask = torch.from_numpy(cut.mask[..., None].astype(np.float32))
        return torch.from_numpy(cut.tokens), torch.from_numpy(place), mask

    def losses(
        self, inputs: tuple[Tensor, Tensor, Tensor], targets: Tensor, value: Tensor, precision: torch.dtype
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Each loss [B], and the probability [B] of doing what search would choose; `inputs` of B scenes;
        targets [B, A], value [B] and ``precision`` as for `fit`."""
        policy, best, worth = self.forward(*inputs, precision)
        each = {
            "policy": policy_loss(policy, targets),
            "best": best_loss(best, targets),
            "value": value_loss(worth, value),
        }
        assert each.keys() == LOSS_WEIGHTS.keys()
        return each, (policy.detach().softmax(dim=-1) * chosen(targets)).sum(dim=-1)

    def calibrate(self, scene: Scene, best: Array) -> None:
        """Fit the confidence to how often the likeliest action is one of ``best`` [B, A] bool, in states held out.

        Logistic regression on one score with the prior of Platt (1999, section 2.2), which keeps it from certainty.
        States without any best action are left out; with none left, nothing is changed.
        """
        scored = np.flatnonzero(best.any(axis=1))
        if not len(scored):
            return
        with torch.inference_mode():
            outputs = [
                self.forward(*self.inputs(scene, rows)) for rows in np.array_split(scored, len(scored) // 512 + 1)
            ]
            policy, evidence = (torch.cat([o[i] for o in outputs]) for i in (0, 1))
            action = policy.argmax(dim=-1)
            score = evidence.gather(1, action[:, None])[:, 0].double().numpy()
        right = best[scored, action.numpy()]
        slope, shift = platt(score, right)
        self.calibration.copy_(torch.tensor([slope, shift, float(len(scored))]))


def platt(score: Array, right: Array) -> tuple[float, float]:
    """Slope (not below 0) and shift of the sigmoid of score [n] nearest to ``right`` [n] bool, by Newton's method."""
    yes, no = right.sum(), (~right).sum()
    target = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))
    design = np.stack([score, np.ones_like(score)], axis=1)
    spread = np.array([1e-3, 1e-6])  # keeps a constant score solvable
    found = np.array([1.0, 0.0])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        slope = design.T @ (chance - target) + spread * (found - [1.0, 0.0])
        bend = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(spread)
        step = np.linalg.solve(bend, slope)
        found = found - step * min(1.0, 2.0 / float(np.abs(step).max()))
    if found[0] < 0:  # the score tells nothing: the base rate is all there is
        base = float(target.mean())
        return 0.0, float(np.log(base / (1 - base)))
    return float(found[0]), float(found[1])


def spoken(scene: Scene) -> tuple[Array, Tensor]:
    """Which tokens are words [B, N] bool, and the places of those in their list [words]."""
    words = (scene.modality == MODALITIES["text"]) & scene.mask
    return words, torch.from_numpy(np.clip(scene.position[words][:, 0], 0, ENTRIES - 1).astype(np.int64))


def part(scene: Scene, rows: Array) -> Scene:
    """Some scenes of a batch."""
    return Scene(scene.tokens[rows], scene.position[rows], scene.modality[rows], scene.mask[rows])


def places(position: Array, modality: Array) -> Array:
    """Positions [B, N, P], modalities [B, N] -> one number a place [B, N]: cells first, then entries of each list.

    Those of a picture are its patches, row by row.
    """
    cell = np.clip(position, -REACH, REACH).astype(np.int64) + REACH
    row, grid = position[..., 0], MODALITIES["grid"]
    patch = row // PATCHES**2 * PATCHES**2 + row % PATCHES**2 * PATCHES + position[..., 1]
    entry = np.where(modality == MODALITIES["image"], patch, row)
    entry = np.clip(entry, 0, ENTRIES - 1).astype(np.int64)
    lists = GRID + (modality - (modality > grid)).astype(np.int64) * ENTRIES + entry
    return np.where(modality == grid, cell[..., 0] * SIDE + cell[..., 1], lists)


def turned(count: int) -> Tensor:
    """Where each of ``count`` places lies under each of `SYMMETRIES` [8, count]; entries of lists stay."""
    cells = np.stack(np.divmod(np.arange(GRID), SIDE)) - REACH
    there = np.tile(np.arange(count), (len(SYMMETRIES), 1))
    row, column = np.moveaxis(SYMMETRIES @ cells + REACH, 1, 0)
    there[:, :GRID] = row * SIDE + column
    return torch.from_numpy(there)


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with torch's usual first weights, drawn from ``generator``."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer
