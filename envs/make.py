"""From an id, an environment or a vector of them to bodies that the agent can live in."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import io
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from cortex.envs.bodies import Bodies
from cortex.envs.layouts import HeldOutLayouts, Part
from cortex.types import CortexError

PACKAGES = {
    "MiniGrid-": ("minigrid", "cortex[minigrid]"),
    "BabyAI-": ("minigrid", "cortex[minigrid]"),
    "ALE/": ("ale_py", "ale-py"),
}
"""Beginning of an id -> the package that registers it, and what pip installs."""

Environment = str | gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]


class SuccessFromReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Put ``info["success"]`` into every step, unless the environment says it itself.

    With a ``threshold`` (gymnasium's ``spec.reward_threshold``) an episode is won when it ends with at least that
    return: CartPole pays 1 on the very step at which the pole falls. Without one it is won when it terminates on a
    positive reward.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], threshold: float | None = None) -> None:
        super().__init__(env)
        self.threshold = threshold
        self._total = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As ``gymnasium.Env.reset``."""
        self._total = 0.0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if "success" not in info:
            # What a reward is that is no number is the guard's concern.
            paid = float(reward) if isinstance(reward, (int, float, np.number)) else 0.0
            if self.threshold is None:
                won = bool(terminated) and paid > 0
            else:
                self._total += paid
                won = bool((terminated or truncated) and self._total >= self.threshold)
            info = {**info, "success": won}
        return observation, reward, terminated, truncated, info


class Quiet(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Swallow what an environment prints at reset: BabyAI tells of every layout that it rejects."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As ``gymnasium.Env.reset``."""
        with contextlib.redirect_stdout(io.StringIO()):
            return self.env.reset(seed=seed, options=options)


def make_env(source: str | gymnasium.Env[Any, Any] | Callable[[], Any], **settings: Any) -> gymnasium.Env[Any, Any]:
    """Make one environment with ``info["success"]``; ``settings`` go to ``gymnasium.make``.

    Raises CortexError for an unknown id (naming the nearest), a missing package (saying what to install), an id whose
    environment can not be made, and what is no environment.
    """
    if isinstance(source, str):
        env = _from_id(source, settings)
    elif isinstance(source, gymnasium.Env):
        env = source
    else:
        env = source() if callable(source) else source
    if not isinstance(env, gymnasium.Env):
        raise CortexError(
            f"{env!r} is no environment; an id, a gymnasium environment, or a function that makes one would do."
        )
    threshold = getattr(env.spec, "reward_threshold", None)
    return SuccessFromReward(env, None if threshold is None else float(threshold))


def make_vector(
    source: Environment, bodies: int = 1, seed: int | None = None, part: Part = "day", held_out: float = 0.25
) -> VectorEnv[Any, Any, Any]:
    """Make ``bodies`` bodies in one process, beginning only in layouts of ``part``.

    ``source`` is an id, an environment (copied through its spec for further bodies), a maker of environments, or a
    vector environment, which is returned as it is and has to bring its own bodies, layouts and NEXT_STEP resets.
    ``held_out`` is the share of layouts that belongs to exams; 0 does not part them. Novel games part them themselves.
    """
    if isinstance(source, VectorEnv):
        if source.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP) != AutoresetMode.NEXT_STEP:
            raise CortexError(
                "The vector environment resets within a step; autoreset_mode=AutoresetMode.NEXT_STEP would do."
            )
        return source
    if bodies < 1:
        raise CortexError(f"{bodies} bodies were asked for; at least 1 would do.")

    def maker(body: int) -> Callable[[], gymnasium.Env[Any, Any]]:
        given = [source] if body == 0 and isinstance(source, gymnasium.Env) else []

        def make() -> gymnasium.Env[Any, Any]:
            # The caller's own environment is used once; a replacement after a fault is a copy.
            env = make_env(given.pop() if given else _again(source) if isinstance(source, gymnasium.Env) else source)
            if held_out and hasattr(env.unwrapped, "keep_to"):
                env.unwrapped.keep_to(part)  # it parts its layouts itself, in its own share
                return env
            return HeldOutLayouts(env, part, held_out) if held_out else env

        return make

    return Bodies([maker(body) for body in range(bodies)], seed)


def _from_id(name: str, settings: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    for beginning, (package, install) in PACKAGES.items():
        if name.startswith(beginning):
            if importlib.util.find_spec(package) is None:
                raise CortexError(f"{name} needs the package {package}: pip install '{install}'.")
            gymnasium.register_envs(importlib.import_module(package))
    try:
        env = gymnasium.make(name, **{"disable_env_checker": True, **settings})
        return Quiet(env) if name.startswith("BabyAI-") else env
    except gymnasium.error.DependencyNotInstalled as error:
        raise CortexError(f"{name} needs a package that is not installed: {_sentence(error)}") from error
    except gymnasium.error.UnregisteredEnv as error:
        near = difflib.get_close_matches(name, gymnasium.registry, n=3, cutoff=0.4)
        hint = f"; the nearest known are {', '.join(near)}" if near else ""
        raise CortexError(f"There is no environment {name!r}{hint}.") from error
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise CortexError(f"{name} can not be made: {_sentence(error)}") from error


def _again(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    if env.spec is None:
        raise CortexError(
            f"{type(env).__name__} has no spec to make further bodies from; bodies=1, an id, or a function that makes "
            "environments would do."
        )
    try:
        return gymnasium.make(env.spec, disable_env_checker=True)
    except (gymnasium.error.Error, ValueError, TypeError) as error:
        raise CortexError(
            f"{env.spec.id} can not be made again behind its wrappers; one body, or a function that makes it would do: "
            f"{_sentence(error)}"
        ) from error


def _sentence(error: Exception) -> str:
    return f"{' '.join(str(error).split()).rstrip('.')}."
