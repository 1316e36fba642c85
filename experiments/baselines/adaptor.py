"""Between gymnasium's vectors and stable-baselines3: steps, episodes, settings and weights."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import Space, spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from safetensors.torch import load_file, save_file
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from cortex.measure.protocol import Played
from cortex.types import Array, CortexError
from experiments.baselines.features import Features

Bodies = VectorEnv[Any, Any, Any]
Act = Callable[[Array, Array], Array]
"""Features [B, F] and which bodies begin an episode [B] -> actions [B]."""


class Adaptor(VecEnv):
    """A gymnasium vector as a stable-baselines3 vector of features [B, F], whose episodes end and begin in one step.

    SAME_STEP vectors are that already. A NEXT_STEP vector of one body is stepped on at once when its episode ends. Of
    more bodies, those that ended have to wait for the others' next actions: that step's row holds no experience. It
    looks like an episode of its own, so that no return runs through it, and ``real`` [B] is False for it; only a
    learner that leaves such rows out (``leaves_out=True``) may have it. Other vectors are refused with CortexError.

    ``lived`` counts the actions since the reset. The info of a step that ends an episode holds
    ``terminal_observation`` [F], ``TimeLimit.truncated``, and under ``played`` the episode, unless it ended by a fault
    of the environment.
    """

    def __init__(self, bodies: Bodies, features: Features, leaves_out: bool = False) -> None:
        self.bodies, self.features = bodies, features
        self.mode = bodies.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self.late = self.mode == AutoresetMode.NEXT_STEP and bodies.num_envs > 1
        if self.mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
            raise CortexError(f"The vector resets in the mode {self.mode}; SAME_STEP or NEXT_STEP would do.")
        if self.late and not leaves_out:
            raise CortexError(
                f"The {bodies.num_envs} bodies reset in NEXT_STEP mode, which would give the learner steps that are no "
                "experience; SAME_STEP, one body, or a learner that leaves those steps out would do."
            )
        super().__init__(bodies.num_envs, feature_space(features), bodies.single_action_space)
        self._seed: int | None = None
        self._actions: Any = None
        self._begin()

    def _begin(self) -> None:
        self.lived = 0
        self.real: Array = np.ones(self.num_envs, bool)
        self._history: list[Array] = []
        self._over: Array = np.zeros(self.num_envs, bool)
        self._length: Array = np.zeros(self.num_envs, np.int64)
        self._reward: Array = np.zeros(self.num_envs)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset."""
        self._seed = seed
        return [seed] * self.num_envs

    def reset(self) -> Any:
        """Begin an episode in every body -> features [B, F]."""
        observation, _ = self.bodies.reset(seed=self._seed)
        self._seed = None
        self._begin()
        return self.features(observation)

    def step_async(self, actions: Array) -> None:
        """Keep the actions [B] for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        """Take the actions -> features [B, F], reward [B], done [B], infos."""
        observation, reward, terminated, truncated, info = self.bodies.step(self._actions)
        seen = self.features(observation)
        self.real = ~self._over
        self._history.append(self.real)
        reward = np.where(self.real, reward, 0.0).astype(np.float32)
        done = (terminated | truncated) & self.real
        self._length += self.real
        self._reward += reward
        self.lived += int(self.real.sum())
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for body in map(int, np.flatnonzero(done)):
            infos[body] = {
                "TimeLimit.truncated": bool(truncated[body] and not terminated[body]),
                "terminal_observation": self._last(info, body, seen),
            }
            if _of("fault", info, body) is None:
                success = bool(_of("success", info, body))
                ended = Played(self.lived, int(self._length[body]), float(self._reward[body]), success)
                infos[body]["played"] = ended
        self._length[done], self._reward[done] = 0, 0.0
        if self.late:
            self._over, done = done, done | ~self.real
        elif done.any() and self.mode == AutoresetMode.NEXT_STEP:
            seen = self.features(self.bodies.step(self._actions)[0])
        return seen, reward, done, infos

    def _last(self, info: dict[str, Any], body: int, seen: Array) -> Array:
        """The features [F] of the observation with which a body's episode ended."""
        if self.mode == AutoresetMode.NEXT_STEP:
            return seen[body].copy()
        last = info["final_obs"][body]
        return self.features({key: [value] for key, value in last.items()} if isinstance(last, dict) else [last])[0]

    def rows(self, steps: int) -> Array:
        """Which rows of the last steps are experience: [B * steps] bool, body after body."""
        return np.stack(self._history[-steps:], axis=1).ravel()

    def close(self) -> None:
        """As ``VectorEnv.close``."""
        self.bodies.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The vector's own attribute, once a body."""
        return [getattr(self.bodies, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set the vector's own attribute."""
        setattr(self.bodies, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call the vector's own method; its answer, once a body."""
        return [getattr(self.bodies, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No body is in a wrapper of single environments."""
        return [False] * self.num_envs


def _of(key: str, info: dict[str, Any], body: int) -> Any:
    """What the step that ended a body's episode said; SAME_STEP vectors put it aside, the reset speaks in its place."""
    said = info.get("final_info", info)
    return said[key][body] if key in said else None


class Nowhere(gymnasium.Env[Any, Any]):
    """Spaces without a game, for stable-baselines3 to make a network from."""

    def __init__(self, features: Features, action_space: Space[Any]) -> None:
        self.observation_space, self.action_space = feature_space(features), action_space


def feature_space(features: Features) -> spaces.Box:
    """The space of a feature vector."""
    return spaces.Box(-np.inf, np.inf, (features.size,), np.float32)


class Diary(BaseCallback):
    """Tell of each episode that ends; ``enough`` once one is answered by False, or ``limit`` actions were lived."""

    def __init__(self, on_episode: Callable[[Played], object], limit: int | None = None) -> None:
        super().__init__()
        self.on_episode, self.limit, self.enough = on_episode, limit, False

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "played" in info and not self.enough:
                self.enough = self.on_episode(info["played"]) is False
        lived = self.locals["env"].lived
        self.enough |= self.limit is not None and lived >= self.limit
        return not self.enough


def play(adaptor: Adaptor, episodes: int, seed: int, act: Act) -> list[Played]:
    """Act until ``episodes`` have ended, each body the same number of them or one less; faulty ones are played again.

    Raises CortexError where two of three end by a fault of the environment.
    """
    quota = np.full(adaptor.num_envs, episodes // adaptor.num_envs)
    quota[: episodes % adaptor.num_envs] += 1
    played: list[Played] = []
    adaptor.seed(seed)
    seen, first, faults = adaptor.reset(), np.ones(adaptor.num_envs, bool), 0
    while quota.any():
        seen, _, first, infos = adaptor.step(act(seen, first))
        for body, info in enumerate(infos):
            faults += "terminal_observation" in info and "played" not in info
            if "played" in info and quota[body]:
                quota[body] -= 1
                played.append(info["played"])
        if faults > 2 * episodes + 2:
            raise CortexError(f"{faults} episodes ended by a fault of the environment; one that runs would do.")
    return played


def steps_to(learner: Any, bodies: Bodies, budget: int, seed: int, wins: int = 8, window: int = 10) -> int | None:
    """Train on one game until ``wins`` of the last ``window`` episodes are won -> the actions of all bodies it took.

    None where ``budget`` actions (the censoring) do not suffice. ``learner`` is a peer whose ``live`` ends early when
    an episode is answered by False.
    """
    episodes: list[Played] = []

    def note(episode: Played) -> bool:
        episodes.append(episode)
        return not won()

    def won() -> bool:
        return len(episodes) >= window and sum(e.success for e in episodes[-window:]) >= wins

    learner.live(bodies, budget, seed, note)
    return episodes[-1].steps if won() else None


def read(settings: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults with the settings put in, each of its default's type. Raises CortexError for others."""
    values = dict(defaults)
    for key, text in settings.items():
        if key not in defaults:
            near = difflib.get_close_matches(key, defaults, n=1, cutoff=0.0)[0]
            raise CortexError(f"This peer has no setting {key!r}; the nearest of its own is {near!r}.")
        try:
            values[key] = type(defaults[key])(text)
        except ValueError as error:
            raise CortexError(
                f"The setting {key}={text!r} does not fit; a number such as {defaults[key]} would do."
            ) from error
    return values


def keep(folder: Path, model: Any, **counts: int) -> None:
    """Write a network, its optimiser and some counters to ``weights.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    for index, state in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    tensors |= {f"count.{name}": torch.tensor(value) for name, value in counts.items()}
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "weights.safetensors")


def restore(folder: Path, model: Any) -> dict[str, int]:
    """Read what ``keep`` wrote into a model of the same shape -> the counters. Raises CortexError where none is."""
    path = folder / "weights.safetensors"
    if not path.exists():
        raise CortexError(f"There is no {path}; a folder into which this peer was saved would do.")
    groups: dict[str, dict[str, torch.Tensor]] = {"policy": {}, "optimizer": {}, "count": {}}
    for name, value in load_file(path).items():
        group, rest = name.split(".", 1)
        groups[group][rest] = value
    try:
        model.policy.load_state_dict(groups["policy"])
    except RuntimeError as error:
        raise CortexError(
            f"{path} holds another network; a learner of the same spaces and settings would do."
        ) from error
    optimizer = model.policy.optimizer
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in groups["optimizer"].items():
        index, field = name.split(".")
        states.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return {name: int(value) for name, value in groups["count"].items()}


def updates(model: Any) -> int:
    """Gradient updates so far, as the optimiser counts them."""
    state = model.policy.optimizer.state_dict()["state"]
    return int(next(iter(state.values()))["step"]) if state else 0


def weight_bytes(model: Any) -> int:
    """Bytes of a policy's parameters."""
    return sum(value.numel() * value.element_size() for value in model.policy.state_dict().values())
