"""Recurrent PPO of sb3-contrib: PPO with an LSTM, so that its policy remembers within the episode.

Hochreiter & Schmidhuber 1997; Schulman et al. 2017, arXiv 1707.06347. Chosen among five settings by play on
MiniGrid-Empty-5x5-v0 after 3k actions of one body: .71, .92 and 1.0 of 48 episodes won, 3 seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from gymnasium import Space
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.buffers import RecurrentRolloutBuffer
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from torch import nn

from cortex.types import Array
from experiments.baselines import adaptor
from experiments.baselines.adaptor import Adaptor
from experiments.baselines.features import Features
from experiments.baselines.ppo import ADAM, OnPolicy

SETTINGS: dict[str, Any] = {
    "n_steps": 128,  # of each body before each training, or more of few bodies, to fill a minibatch
    "batch_size": 128,
    "n_epochs": 4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "ent_coef": 0.01,
    "learning_rate": 2e-3,
    "width": 64,
}


class RealRows(RecurrentRolloutBuffer):
    """A rollout of which only the rows that hold experience are learned from; the others stay in their sequences."""

    bodies: Adaptor | None = None

    def get(self, batch_size: int | None = None) -> Iterator[Any]:  # type: ignore[override]
        """As ``RecurrentRolloutBuffer.get``; a batch of less than two rows, whose spread is no number, is left out."""
        return (samples for samples in super().get(batch_size) if samples.mask.sum() > 1)

    def _get_samples(self, batch_inds: Array, env_change: Array, env: Any = None) -> Any:  # type: ignore[override]
        assert self.bodies is not None
        samples = super()._get_samples(batch_inds, env_change, env)
        real = self.bodies.rows(self.buffer_size)[batch_inds].astype("float32")
        return samples._replace(mask=samples.mask * self.pad_and_flatten(real))


def make(observation_space: Space[Any], action_space: Space[Any], seed: int, **settings: str) -> OnPolicy:
    """Make the learner for the spaces of one body; ``settings`` are those of ``SETTINGS``."""
    chosen = adaptor.read(settings, SETTINGS)
    n_steps, width = chosen.pop("n_steps"), chosen.pop("width")
    features = Features(observation_space)
    model: Any = RecurrentPPO(
        "MlpLstmPolicy",
        adaptor.Nowhere(features, action_space),
        n_steps=chosen["batch_size"],
        seed=seed,
        device="cpu",
        policy_kwargs={
            "lstm_hidden_size": width,
            "net_arch": [width],
            "activation_fn": nn.Tanh,
            "optimizer_kwargs": ADAM,
        },
        **chosen,
    )

    def buffer(bodies: int) -> RealRows:
        cells = torch.zeros(1, bodies, width)
        model._last_lstm_states = RNNStates((cells, cells), (cells, cells))
        return RealRows(
            1,
            model.observation_space,
            model.action_space,
            (1, *cells.shape),
            model.device,
            model.gae_lambda,
            model.gamma,
            bodies,
        )

    return OnPolicy(model, features, n_steps, buffer)
