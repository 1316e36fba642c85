"""The monolith: one causal transformer over everything that happens, the control for a mind made of modules.

One token a step: what is seen, the action and reward that led there, and the return wanted from there on (the decision
transformer, Chen et al. 2021, arXiv 2106.01345, with its three tokens added to one). Episodes follow each other in one
context, so that it can adapt without a weight changing (Laskin et al. 2022, arXiv 2210.14215).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from cortex.measure.protocol import Bodies, Cost, Played
from cortex.types import Array
from experiments.baselines.features import Features
from experiments.baselines.loop import (
    Episode,
    Now,
    actions_of,
    draw,
    exam,
    load_arrays,
    load_episodes,
    save_arrays,
    save_episodes,
    settings,
    wake,
)

CLIP = 1.0
GOOD = 0.9
"""Quantile of the discounted returns of the better episodes in memory that the day asks for."""


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> Monolith:
    """Settings: ``sleep.steps`` (updates a night), ``capacity`` (actions remembered for the night), ``width``,
    ``layers``, ``context`` (steps), ``batch`` (windows an update), ``learning_rate``, ``discount``."""
    chosen = settings(
        given,
        sleep_steps=300,
        capacity=50_000,
        width=64,
        layers=2,
        context=64,
        batch=16,
        learning_rate=1e-3,
        discount=0.97,
    )
    return Monolith(Features(observation_space), actions_of(action_space), seed, **chosen)


class Transformer(nn.Module):
    """Tokens of one stream -> logits of the next action and the reward expected of each; uniform and 0 at first."""

    def __init__(self, features: int, actions: int, width: int, layers: int, context: int) -> None:
        super().__init__()
        self.seen = nn.Linear(features, width)
        self.action = nn.Embedding(actions + 1, width)  # the last one: none, an episode begins
        self.numbers = nn.Linear(2, width)  # reward, return wanted
        self.place = nn.Parameter(0.02 * torch.randn(context, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.answer = nn.Linear(width, 2 * actions)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def embed(self, seen: Tensor, action: Tensor, reward: Tensor, wanted: Tensor) -> Tensor:
        """Features [..., F], last action [...] (-1: none), its reward [...], return wanted [...] -> [..., W]."""
        none = self.action.num_embeddings - 1
        numbers = self.numbers(torch.stack([reward, wanted], dim=-1))
        return self.seen(seen) + self.action(torch.where(action < 0, none, action)) + numbers

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B, L, W] -> logits [B, L, A] and rewards [B, L, A]; each place knows those before it."""
        length = tokens.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        logits, reward = self.answer(self.blocks(tokens + self.place[:length], mask=mask)).chunk(2, dim=-1)
        return logits, reward


class Monolith:
    """Learns its weights by night alone; by day it has its context, the last ``context`` steps, and samples.

    The return wanted is a high one of those in memory, and follows the rewards that come. In an exam every episode
    begins with the context that the day left behind, with ``habit`` with none. A night empties the context.
    """

    def __init__(
        self,
        see: Features,
        actions: int,
        seed: int,
        sleep_steps: int,
        capacity: int,
        width: int,
        layers: int,
        context: int,
        batch: int,
        learning_rate: float,
        discount: float,
    ) -> None:
        self.see, self.actions, self.seed = see, actions, seed
        self.sleep_steps, self.capacity, self.context, self.batch = sleep_steps, capacity, max(1, context), batch
        self.learning_rate, self.discount = learning_rate, discount
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Transformer(see.size, actions, width, layers, self.context)
        self.memory: list[Episode] = []
        self.recent = torch.zeros(0, width)  # embedded, [at most context, W]
        self.wanted, self.scale = 0.0, 1.0  # the return asked for, and the largest one: as weights, set by night
        self.wakings, self.updated = 0, 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        stream = Stream(self, bodies.num_envs, np.random.default_rng((self.seed, seed)))
        today: list[Episode] = []
        total = wake(bodies, self.see, stream.act, today.append, steps, seed, on_episode, self.wakings)
        self.memory += sorted(today, key=lambda episode: episode.body)
        while self.memory and sum(len(episode.action) for episode in self.memory) > self.capacity:
            del self.memory[0]
        self.recent = stream.held[0]
        self.wakings += 1
        return total

    def sleep(self, seed: int) -> None:
        """Learn to foretell actions and rewards of all that memory holds, given the returns that followed."""
        if not self.memory or not self.sleep_steps:
            return
        rng = np.random.default_rng((self.seed, seed))
        night = Night(self.memory, self.discount)
        self.scale, self.wanted = night.scale, night.wanted
        torch.set_flush_denormal(True)  # which Adam's moments of rare inputs fade into
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.learning_rate, fused=True)
        for step in range(self.sleep_steps):
            optimiser.param_groups[0]["lr"] = self.learning_rate * (1 - step / self.sleep_steps)
            optimiser.zero_grad()
            self._loss(night, night.windows(self.batch, self.context, rng)).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            optimiser.step()
        self.updated += self.sleep_steps
        self.recent = self.recent[:0]

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        recent = self.recent[:0] if habit else self.recent
        stream = Stream(self, bodies.num_envs, np.random.default_rng((self.seed, seed)), recent)
        return exam(bodies, self.see, stream.act, episodes, seed)

    def clear(self) -> None:
        self.memory, self.recent = [], self.recent[:0]

    def cost(self) -> Cost:
        weights = sum(4 * parameter.numel() for parameter in self.network.parameters())
        return Cost(self.updated, sum(e.nbytes for e in self.memory) + 4 * self.recent.numel(), weights)

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "network.safetensors")
        save_episodes(folder / "memory.npz", self.memory)
        counts = {"wakings": self.wakings, "updated": self.updated, "wanted": self.wanted, "scale": self.scale}
        save_arrays(folder / "state.npz", recent=self.recent.numpy(), **counts)

    def load(self, folder: Path) -> None:
        from safetensors.torch import load_file

        state = load_arrays(folder / "state.npz")
        self.network.load_state_dict(load_file(folder / "network.safetensors"))
        self.memory, self.recent = load_episodes(folder / "memory.npz"), torch.from_numpy(state["recent"])
        self.wakings, self.updated = int(state["wakings"]), int(state["updated"])
        self.wanted, self.scale = float(state["wanted"]), float(state["scale"])

    def _loss(self, night: Night, rows: Array) -> Tensor:
        """Cross-entropy of the next action and squared error of its reward, over rows [b, L] of one stream each."""
        dense = night.seen[rows.ravel()].toarray().reshape(*rows.shape, -1)
        came, gained, wanted, action, reward = (
            torch.from_numpy(values[rows])
            for values in (night.came, night.gained, night.returns, night.action, night.reward)
        )
        logits, expected = self.network(self.network.embed(torch.from_numpy(dense), came, gained, wanted))
        counts = torch.from_numpy((night.action[rows] >= 0) & (night.stream[rows] == night.stream[rows[:, :1]]))
        chosen = action[counts]
        policy = functional.cross_entropy(logits[counts], chosen)
        return policy + functional.mse_loss(expected[counts].gather(1, chosen[:, None])[:, 0], reward[counts])


class Stream:
    """The contexts of several bodies while they act; ``recent`` is what every episode begins with, None: goes on."""

    def __init__(self, mind: Monolith, bodies: int, rng: np.random.Generator, recent: Tensor | None = None) -> None:
        self.mind, self.rng, self.recent = mind, rng, recent
        self.held = [mind.recent] * bodies  # each [at most context, W]
        self.wanted = np.zeros(bodies, np.float32)

    def act(self, now: Now) -> Array:
        """Take in one step and sample the next action [B]."""
        mind = self.mind
        self.wanted = np.clip((self.wanted - now.reward / mind.scale) / mind.discount, -1, 1).astype(np.float32)
        self.wanted[now.first] = mind.wanted
        self.wanted[now.idle] = 0
        reward = (now.reward / mind.scale).astype(np.float32)
        with torch.inference_mode():
            token = mind.network.embed(*map(torch.from_numpy, (now.seen, now.action, reward, self.wanted)))
            for body, first in enumerate(now.first):
                past = self.recent if first and self.recent is not None else self.held[body]
                self.held[body] = torch.cat([past, token[body : body + 1]])[-mind.context :]
            last = torch.tensor([len(held) - 1 for held in self.held])
            tokens = nn.utils.rnn.pad_sequence(self.held, batch_first=True)
            logits, _ = mind.network(tokens)
            chances = logits[torch.arange(len(last)), last].softmax(dim=-1).numpy()
        return draw(chances, self.rng)


class Night:
    """Memory as one long row of tokens; an episode of T actions is T + 1 of them, and the last decides nothing."""

    def __init__(self, episodes: list[Episode], discount: float) -> None:
        each = [episode.returns(discount) for episode in episodes]
        self.scale = max(1e-6, max(float(np.abs(returns).max()) for returns in each))
        self.seen = sparse.csr_array(sparse.vstack([episode.seen for episode in episodes]))
        self.came = np.concatenate([[-1, *episode.action] for episode in episodes])
        self.action = np.concatenate([[*episode.action, -1] for episode in episodes])
        scaled = [episode.reward / self.scale for episode in episodes]
        self.gained = np.concatenate([[0, *reward] for reward in scaled]).astype(np.float32)
        self.reward = np.concatenate([[*reward, 0] for reward in scaled]).astype(np.float32)
        self.returns = np.concatenate([[*returns / self.scale, 0] for returns in each]).astype(np.float32)
        lengths = [len(episode.action) + 1 for episode in episodes]
        self.stream = np.repeat([episode.waking * 2**20 + episode.body for episode in episodes], lengths)
        start = np.array([returns[0] for returns in each])
        better = start >= min(start.mean(), start.max())
        self.wanted = float(np.quantile(start[better], GOOD)) / self.scale
        good = np.repeat(better, lengths)
        self.likely = np.cumsum(good / good.sum() + 1 / len(good)) / 2

    def windows(self, batch: int, context: int, rng: np.random.Generator) -> Array:
        """Rows [batch, L] of consecutive tokens; half of the windows begin in an episode better than the mean."""
        begin = np.searchsorted(self.likely, rng.random(batch)).clip(max=len(self.likely) - 1)
        return np.minimum(begin[:, None] + np.arange(context), len(self.likely) - 1)
