"""PPO of stable-baselines3 with tuned settings, living the same episodes that our side is counted by.

CartPole-v1 uses the settings of rl-baselines3-zoo; MiniGrid a plain MLP on the one-hot view, which learned
Empty-5x5 in 7k and DoorKey-5x5 in 21k to 51k steps. Schulman et al. 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from cortex.envs.make import make_env

BODIES = 8
PLANES = (11, 6, 3)
"""Codes of object, colour and state in a MiniGrid view."""

Episode = dict[str, Any]


def run(
    task: str, seed: int, steps: int, enough: Callable[[list[Episode]], bool] = lambda episodes: False
) -> list[Episode]:
    """Train for ``steps`` environment steps of all bodies, or until ``enough`` of the episodes so far says so.

    Returns the training episodes in the order in which they ended: ``steps`` (of all bodies until then), ``length``,
    ``return``, ``success``. The policy acts as it trains, by sampling.
    """
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv

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
    from torch import nn

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
