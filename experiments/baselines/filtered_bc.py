"""Filtered behaviour cloning: imitate one's own best episodes, and nothing else.

The episodes kept of a waking are those that were won or, where none was, those of the highest return (as the filtered
baseline BC-10% of Chen et al. 2021, arXiv 2106.01345, section 5.1, and self-imitation, Oh et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

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

BATCH = 256
CLIP = 1.0


def make(observation_space: Any, action_space: Any, seed: int, **given: str) -> FilteredCloning:
    """Settings: ``keep`` (episodes a waking), ``every`` (actions between clonings by day), ``updates`` of each,
    ``sleep.steps`` (updates a night), ``epsilon``, ``width``, ``learning_rate``, ``discount``."""
    chosen = settings(
        given,
        keep=10,
        every=250,
        updates=100,
        sleep_steps=500,
        epsilon=0.1,
        width=128,
        learning_rate=1e-3,
        discount=0.97,
    )
    return FilteredCloning(Features(observation_space), actions_of(action_space), seed, **chosen)


class FilteredCloning:
    """A softmax policy, one hidden layer of ``width``, cloned by day every ``every`` actions and by night.

    A waking keeps its ``keep`` best episodes, so memory grows by at most that many a game. Its discounted return
    ranks an episode after whether it was won: what was quick is kept before what was slow. The lowest return of a
    waking without a win is nothing to imitate.
    """

    def __init__(
        self,
        see: Features,
        actions: int,
        seed: int,
        keep: int,
        every: int,
        updates: int,
        sleep_steps: int,
        epsilon: float,
        width: int,
        learning_rate: float,
        discount: float,
    ) -> None:
        import torch
        from torch import nn

        self.see, self.actions, self.seed = see, actions, seed
        self.keep, self.every, self.updates, self.sleep_steps = keep, every, updates, sleep_steps
        self.epsilon, self.learning_rate, self.discount = epsilon, learning_rate, discount
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            answer = nn.Linear(width, actions)
            self.network = nn.Sequential(nn.Linear(see.size, width), nn.ReLU(), answer)
        nn.init.zeros_(answer.weight)
        nn.init.zeros_(answer.bias)
        self.kept: list[Episode] = []
        self.wakings = 0
        self.updated = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        rng = np.random.default_rng((self.seed, seed))
        before, lived, cloned, lowest = self.kept, 0, 0, np.inf
        today: list[Episode] = []

        def learn(episode: Episode) -> None:
            nonlocal lived, cloned, lowest, today
            today = best([*today, episode], self.keep, self.discount)
            lowest = min(lowest, episode.returns(self.discount)[0])
            self.kept = before + [one for one in today if one.success or one.returns(self.discount)[0] > lowest]
            lived += len(episode.action)
            if lived - cloned >= self.every:
                cloned = lived
                self._clone(self.updates, rng)

        act = self._policy(rng, self.epsilon)
        total = wake(bodies, self.see, act, learn, steps, seed, on_episode, self.wakings)
        self.wakings += 1
        return total

    def sleep(self, seed: int) -> None:
        self._clone(self.sleep_steps, np.random.default_rng((self.seed, seed)))

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """The same with ``habit`` and without: all that acts is in the weights."""
        rng = np.random.default_rng((self.seed, seed))
        return exam(bodies, self.see, self._policy(rng, self.epsilon), episodes, seed)

    def clear(self) -> None:
        self.kept = []

    def cost(self) -> Cost:
        weights = sum(4 * parameter.numel() for parameter in self.network.parameters())
        return Cost(self.updated, sum(episode.nbytes for episode in self.kept), weights)

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "network.safetensors")
        save_episodes(folder / "kept.npz", self.kept)
        save_arrays(folder / "counts.npz", wakings=self.wakings, updated=self.updated)

    def load(self, folder: Path) -> None:
        from safetensors.torch import load_file

        counts = load_arrays(folder / "counts.npz")
        self.network.load_state_dict(load_file(folder / "network.safetensors"))
        self.kept = load_episodes(folder / "kept.npz")
        self.wakings, self.updated = int(counts["wakings"]), int(counts["updated"])

    def _policy(self, rng: np.random.Generator, epsilon: float) -> Callable[[Now], Array]:
        import torch

        def act(now: Now) -> Array:
            with torch.inference_mode():
                chances = self.network(torch.from_numpy(now.seen)).softmax(dim=-1).numpy()
            return draw((1 - epsilon) * chances + epsilon / self.actions, rng)

        return act

    def _clone(self, updates: int, rng: np.random.Generator) -> None:
        """Raise the likelihood of the actions of every kept episode."""
        import torch
        from torch import nn

        if not self.kept or not updates:
            return
        seen = sparse.csr_array(sparse.vstack([episode.seen[:-1] for episode in self.kept]))
        action = torch.from_numpy(np.concatenate([episode.action for episode in self.kept]))
        torch.set_flush_denormal(True)  # which Adam's moments of rare inputs fade into
        optimiser = torch.optim.Adam(self.network.parameters(), lr=self.learning_rate, fused=True)
        for _ in range(updates):
            rows = rng.integers(0, len(action), BATCH)
            logits = self.network(torch.from_numpy(seen[rows].toarray()))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, action[torch.from_numpy(rows)]).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            optimiser.step()
        self.updated += updates


def best(episodes: list[Episode], most: int, discount: float) -> list[Episode]:
    """The episodes that were won or, where none was, all; of these the ``most`` of the highest discounted return."""
    pool = [episode for episode in episodes if episode.success] or episodes
    return sorted(pool, key=lambda episode: -episode.returns(discount)[0])[:most]
