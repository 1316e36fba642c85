"""PPO of stable-baselines3: one network through all games of a life. Schulman et al. 2017, arXiv 1707.06347.

Chosen among ten settings on MiniGrid-Empty-5x5-v0: 8 wins in 10 after a median of 1.6k actions of one body (1.1k to
1.9k, 4 seeds; 2.2k with a width of 64), and of 8 bodies on DoorKey-5x5 after 7.6k, 7.7k and 21k, where rollouts of 32
steps once failed. On three novel games of difficulty 1, 8 bodies: 1.1k, 4.6k and not within 25k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import Space
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from cortex.envs.make import make_env
from cortex.measure.protocol import Cost, Played
from cortex.types import Array
from experiments.baselines import adaptor
from experiments.baselines.adaptor import Adaptor, Bodies
from experiments.baselines.features import Features

SETTINGS: dict[str, Any] = {
    "n_steps": 128,  # of each body before each training, or more of few bodies, to fill a minibatch
    "batch_size": 256,
    "n_epochs": 10,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "ent_coef": 0.01,
    "learning_rate": 5e-4,
    "width": 256,
}

ADAM: dict[str, Any] = {"fused": True, "eps": 1e-5}
"""What stable-baselines3 gives a policy's optimiser, and all of it in one kernel."""


class RealRows(RolloutBuffer):
    """A rollout of which only the rows that hold experience are learned from."""

    bodies: Adaptor | None = None

    def get(self, batch_size: int | None = None) -> Iterator[Any]:  # type: ignore[override]
        """As ``RolloutBuffer.get``; a batch of less than two rows, which has no spread, is left out."""
        return (samples for samples in super().get(batch_size) if len(samples.observations) > 1)

    def _get_samples(self, batch_inds: Array, env: Any = None) -> Any:
        assert self.bodies is not None
        return super()._get_samples(batch_inds[self.bodies.rows(self.buffer_size)[batch_inds]], env)


class OnPolicy:
    """A learner that trains on each rollout once and forgets it: PPO, with a memory within the episode or without.

    ``buffer`` makes the rollout for a number of bodies; its rows follow the length of the game, so that exactly the
    steps asked for are lived.
    """

    def __init__(self, model: Any, features: Features, n_steps: int, buffer: Callable[[int], Any]) -> None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)  # which Adam's moments of rare inputs fade into
        self.model, self.features, self.n_steps, self.buffer = model, features, n_steps, buffer
        model.set_logger(Logger(None, []))

    def live(
        self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object] = lambda played: None
    ) -> int:
        """Live and learn for ``steps`` actions of all bodies, or until an episode is answered by False.

        Several bodies stop within one action each of ``steps``. What they live after their last whole rollout, as many
        actions as they spent waiting for resets, is not trained on.
        """
        stream = Adaptor(bodies, self.features, leaves_out=True)
        model = self.model
        model.n_envs = bodies.num_envs
        model.rollout_buffer = self.buffer(bodies.num_envs)
        model.rollout_buffer.bodies = stream
        model.set_env(stream)
        model.set_random_seed(seed)
        diary = adaptor.Diary(on_episode)
        rows = max(model.batch_size, self.n_steps * bodies.num_envs)
        while (left := steps - stream.lived) > 0 and not diary.enough:
            parts = max(1, round(left / rows))
            length = -(-left // (parts * bodies.num_envs))
            if left < 2 or (stream.late and stream.lived and left < rows / 4):
                diary.limit, length = steps, rows
            self._room(length)
            model.learn(length * bodies.num_envs, diary, log_interval=None, reset_num_timesteps=False)
        return stream.lived

    def _room(self, length: int) -> None:
        buffer = self.model.rollout_buffer
        self.model.n_steps = buffer.buffer_size = length
        if hasattr(buffer, "hidden_state_shape"):
            buffer.hidden_state_shape = (length, *buffer.hidden_state_shape[1:])

    def sleep(self, seed: int) -> None:
        """Nothing: no experience is left to learn from."""

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act by the stochastic policy, as in training; its weights are all it has, so that ``habit`` is the same."""
        state: Any = None

        def act(seen: Array, first: Array) -> Array:
            nonlocal state
            actions, state = self.model.policy.predict(seen, state, first, deterministic=False)
            return np.asarray(actions)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return adaptor.play(Adaptor(bodies, self.features, leaves_out=True), episodes, seed, act)

    def clear(self) -> None:
        """Nothing: it has no memory beside its weights."""

    def cost(self) -> Cost:
        """Updates are those of minibatches."""
        return Cost(adaptor.updates(self.model), 0, adaptor.weight_bytes(self.model))

    def save(self, folder: Path) -> None:
        """Write network and optimiser to ``folder``."""
        adaptor.keep(folder, self.model, steps=self.model.num_timesteps)

    def load(self, folder: Path) -> None:
        """Read them again. Raises CortexError where they do not fit."""
        self.model.num_timesteps = adaptor.restore(folder, self.model)["steps"]


def make(observation_space: Space[Any], action_space: Space[Any], seed: int, **settings: str) -> OnPolicy:
    """Make the learner for the spaces of one body; ``settings`` are those of ``SETTINGS``."""
    chosen = adaptor.read(settings, SETTINGS)
    n_steps, width = chosen.pop("n_steps"), chosen.pop("width")
    features = Features(observation_space)
    model = PPO(
        "MlpPolicy",
        adaptor.Nowhere(features, action_space),
        n_steps=chosen["batch_size"],
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": [width, width], "activation_fn": nn.Tanh, "optimizer_kwargs": ADAM},
        **chosen,
    )

    def buffer(bodies: int) -> RealRows:
        return RealRows(
            1, model.observation_space, model.action_space, model.device, model.gae_lambda, model.gamma, bodies
        )

    return OnPolicy(model, features, n_steps, buffer)


BODIES = 8
PLANES = (11, 6, 3)
"""Codes of object, colour and state in a MiniGrid view."""

Episode = dict[str, Any]


def run(
    task: str, seed: int, steps: int, enough: Callable[[list[Episode]], bool] = lambda episodes: False
) -> list[Episode]:
    """Train for ``steps`` environment steps of all bodies, or until ``enough`` of the episodes so far says so.

    What experiments.peers compares with: on CartPole-v1 the settings of rl-baselines3-zoo, on MiniGrid a smaller
    network, which learned Empty-5x5 in 7k and DoorKey-5x5 in 21k to 51k steps.

    Returns the training episodes in the order in which they ended: ``steps`` (of all bodies until then), ``length``,
    ``return``, ``success``. The policy acts as it trains, by sampling.
    """
    torch.set_num_threads(1)
    episodes: list[Episode] = []

    class Diary(BaseCallback):
        def _on_step(self) -> bool:
            for info in self.locals["infos"]:
                if "episode" in info:
                    episodes.append(
                        {
                            "steps": self.num_timesteps,
                            "length": int(info["episode"]["l"]),
                            "return": float(info["episode"]["r"]),
                            "success": bool(info["success"]),
                        }
                    )
                    if enough(episodes):
                        return False
            return True

    bodies = DummyVecEnv([lambda: _prepare(task) for _ in range(BODIES)])
    PPO("MlpPolicy", bodies, seed=seed, device="cpu", **_settings(task)).learn(steps, callback=Diary())
    bodies.close()
    return episodes


def _settings(task: str) -> dict[str, Any]:
    if task.startswith("CartPole"):
        return {
            "n_steps": 32,
            "batch_size": 256,
            "n_epochs": 20,
            "gamma": 0.98,
            "gae_lambda": 0.8,
            "learning_rate": lambda left: 1e-3 * left,
            "clip_range": lambda left: 0.2 * left,
        }
    return {
        "n_steps": 128,
        "batch_size": 256,
        "ent_coef": 0.01,
        "learning_rate": 5e-4,
        "policy_kwargs": {"net_arch": [64, 64], "activation_fn": nn.Tanh},
    }


def _prepare(task: str) -> gymnasium.Env[Any, Any]:
    env: gymnasium.Env[Any, Any] = gymnasium.wrappers.RecordEpisodeStatistics(make_env(task))
    if not isinstance(env.observation_space, gymnasium.spaces.Dict):
        return env
    shape = env.observation_space["image"].shape
    assert shape is not None
    width = shape[0] * shape[1] * sum(PLANES) + 4
    space = gymnasium.spaces.Box(0, 1, (width,), np.float32)
    return gymnasium.wrappers.TransformObservation(env, one_hot, space)


def one_hot(observation: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A MiniGrid view [H, W, 3] and heading as one vector [H * W * 20 + 4] of zeros and ones."""
    planes = [np.eye(codes, dtype=np.float32)[observation["image"][..., i]] for i, codes in enumerate(PLANES)]
    heading = np.eye(4, dtype=np.float32)[observation["direction"]]
    return np.concatenate([np.concatenate(planes, axis=-1).ravel(), heading])
