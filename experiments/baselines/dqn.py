"""DQN of stable-baselines3: one network and one memory through all games of a life. Mnih et al. 2015, Nature 518.

Chosen among 16 settings by play on MiniGrid-Empty-5x5-v0 after 1.5k actions of one body: all of 48 episodes won, 4 of 4
seeds; with a discount of .99, where actions differ by a hundredth, at most .54 of them after 3k. On one novel game of
difficulty 1, 8 wins in 10 after 4.1k of 8k actions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import ReplayBufferSamples
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.utils import polyak_update

from cortex.measure.protocol import Bodies, Cost, Played
from cortex.types import Array, CortexError
from experiments.baselines import adaptor
from experiments.baselines.adaptor import Adaptor
from experiments.baselines.features import Features

SETTINGS: dict[str, Any] = {
    "buffer_size": 50_000,  # transitions
    "batch_size": 64,
    "learning_rate": 5e-4,
    "gamma": 0.95,
    "learning_starts": 200,  # actions of the life without training
    "updates": 0.5,  # of a minibatch for each action
    "target_updates": 50,  # after so many updates the target network is renewed
    "exploration": 0.2,  # share of a game's actions over which exploration falls from 1 to its end
    "epsilon": 0.05,  # its end
    "width": 256,
    "sleep.steps": 0,  # updates by night
}


class Memory:
    """The last ``capacity`` transitions, in turn overwritten: binary features as bits, the others as floats."""

    def __init__(self, capacity: int, binary: Array) -> None:
        self.capacity, self.binary = capacity, binary
        self.stream: Adaptor | None = None
        bits, floats = -(-int(binary.sum()) // 8), int((~binary).sum())
        # numpy's zeros take memory only as they are written.
        self.arrays: dict[str, Array] = {
            "bits": np.zeros((capacity, 2, bits), np.uint8),
            "floats": np.zeros((capacity, 2, floats), np.float32),
            "action": np.zeros((capacity, 1), np.int64),
            "reward": np.zeros((capacity, 1), np.float32),
            "terminated": np.zeros((capacity, 1), np.float32),
        }
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self.count = 0

    def __len__(self) -> int:
        return min(self.count, self.capacity)

    @property
    def nbytes(self) -> int:
        """Bytes of the transitions that it holds."""
        return sum(array[: len(self)].nbytes for array in self.arrays.values())

    def add(self, seen: Array, after: Array, action: Array, reward: Array, done: Array, infos: list[Any]) -> None:
        """Keep a step's transitions, as ``ReplayBuffer.add``; of bodies that only waited for a reset, nothing."""
        assert self.stream is not None
        for body in np.flatnonzero(self.stream.real):
            row = self.count % self.capacity
            both = np.stack([seen[body], after[body]])
            self.arrays["bits"][row] = np.packbits(both[:, self.binary] > 0, axis=1)
            self.arrays["floats"][row] = both[:, ~self.binary]
            self.arrays["action"][row] = action[body]
            self.arrays["reward"][row] = reward[body]
            self.arrays["terminated"][row] = done[body] and not infos[body]["TimeLimit.truncated"]
            self.count += 1

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Draw transitions uniformly, as ``ReplayBuffer.sample``."""
        rows = np.random.randint(0, len(self), batch_size)
        both = np.empty((batch_size, 2, len(self.binary)), np.float32)
        both[..., self.binary] = np.unpackbits(self.arrays["bits"][rows], axis=2, count=int(self.binary.sum()))
        both[..., ~self.binary] = self.arrays["floats"][rows]
        action, reward, terminated = (
            torch.from_numpy(self.arrays[n][rows]) for n in ("action", "reward", "terminated")
        )
        return ReplayBufferSamples(
            torch.from_numpy(both[:, 0]), action, torch.from_numpy(both[:, 1]), terminated, reward
        )

    def save(self, path: Path) -> None:
        """Write what it holds."""
        held: dict[str, Any] = {name: array[: len(self)] for name, array in self.arrays.items()}
        np.savez(path, count=np.array(self.count), **held)

    def load(self, path: Path) -> None:
        """Read it again."""
        with np.load(path, allow_pickle=False) as file:
            self.count = int(file["count"])
            for name, array in self.arrays.items():
                array[: len(self)] = file[name]


class Replaying:
    """DQN that explores anew in each game and replays all games of its life."""

    def __init__(self, model: Any, features: Features, settings: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)  # which Adam's moments of rare inputs fade into
        self.model, self.features, self.settings = model, features, settings
        self.memory = Memory(settings["buffer_size"], features.binary)
        model.replay_buffer = self.memory
        model.set_logger(Logger(None, []))

    def live(
        self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object] = lambda played: None
    ) -> int:
        """Live and learn for ``steps`` actions of all bodies, or until an episode is answered by False.

        Several bodies may go a few actions beyond.
        """
        stream = Adaptor(bodies, self.features, leaves_out=True)
        model, count, rate = self.model, bodies.num_envs, self.settings["updates"]
        self.memory.stream = stream
        model.n_envs = count
        model.set_env(stream)
        model.set_random_seed(seed)
        lowest, share = self.settings["epsilon"], self.settings["exploration"]
        model.exploration_schedule = lambda _: max(lowest, 1 - (1 - lowest) * stream.lived / max(1.0, share * steps))
        model.exploration_rate = 1.0
        diary = adaptor.Diary(on_episode)
        while (left := steps - stream.lived) > 0 and not diary.enough:
            length = min(max(1, round(1 / rate / count)), -(-left // count))
            whole = max(1, left // (length * count))
            model.train_freq = TrainFreq(length, TrainFrequencyUnit.STEP)
            model.gradient_steps = max(1, round(length * count * rate))
            model.target_update_interval = round(self.settings["target_updates"] / rate)
            model.learn(whole * length * count, diary, log_interval=None, reset_num_timesteps=False)
        return stream.lived

    def sleep(self, seed: int) -> None:
        """Replay for ``sleep.steps`` updates, none by default."""
        model, left = self.model, self.settings["sleep.steps"] if len(self.memory) else 0
        model.set_random_seed(seed)
        while left > 0:
            updates = min(left, self.settings["target_updates"])
            model.train(updates, self.settings["batch_size"])
            polyak_update(model.q_net.parameters(), model.q_net_target.parameters(), 1.0)
            left -= updates

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act by the best value, at random with the exploration's end; ``habit`` is the same, as memory only trains."""
        generator, actions = np.random.default_rng(seed), self.model.action_space.n

        def act(seen: Array, first: Array) -> Array:
            best, _ = self.model.policy.predict(seen, deterministic=True)
            random = generator.random(len(seen)) < self.settings["epsilon"]
            return np.where(random, generator.integers(actions, size=len(seen)), best)

        return adaptor.play(Adaptor(bodies, self.features, leaves_out=True), episodes, seed, act)

    def clear(self) -> None:
        """Empty the replay memory."""
        self.memory.clear()

    def cost(self) -> Cost:
        """Updates are those of minibatches; weights are those of both networks."""
        return Cost(adaptor.updates(self.model), self.memory.nbytes, adaptor.weight_bytes(self.model))

    def save(self, folder: Path) -> None:
        """Write networks, optimiser and memory to ``folder``."""
        adaptor.keep(folder, self.model, steps=self.model.num_timesteps, calls=self.model._n_calls)
        self.memory.save(folder / "memory.npz")

    def load(self, folder: Path) -> None:
        """Read them again. Raises CortexError where they do not fit."""
        counts = adaptor.restore(folder, self.model)
        self.model.num_timesteps, self.model._n_calls = counts["steps"], counts["calls"]
        self.memory.load(folder / "memory.npz")


def make(observation_space: Space[Any], action_space: Space[Any], seed: int, **settings: str) -> Replaying:
    """Make the learner for the spaces of one body; ``settings`` are those of ``SETTINGS``.

    Raises CortexError for actions that are not Discrete.
    """
    if not isinstance(action_space, spaces.Discrete):
        raise CortexError(f"DQN values each action; {action_space} has none to list, a Discrete space would do.")
    chosen = adaptor.read(settings, SETTINGS)
    features = Features(observation_space)
    model = DQN(
        "MlpPolicy",
        adaptor.Nowhere(features, action_space),
        buffer_size=1,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": [chosen["width"], chosen["width"]], "optimizer_kwargs": {"fused": True}},
        **{name: chosen[name] for name in ("batch_size", "learning_rate", "gamma", "learning_starts")},
    )
    return Replaying(model, features, chosen)
