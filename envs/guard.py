"""What is wrong with an environment's answer, in one sentence: a bad environment ends its own episode, no other."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

Space = gymnasium.Space[Any]


def fault(space: Space, observation: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> str | None:
    """Say what is wrong with the answer to one step; None where nothing is."""
    if isinstance(reward, bool) or not isinstance(reward, (int, float, np.number, np.ndarray)) or np.ndim(reward):
        return f"the reward is {_short(reward)}, not a number"
    if not math.isfinite(reward):
        return f"the reward is {float(reward)}, not finite"
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, (bool, np.bool_, int)):
            return f"{name} is {_short(flag)}, not true or false"
    if not isinstance(info, dict):
        return f"info is {_short(info)}, not a dict"
    return misfit(space, observation)


def misfit(space: Space, observation: Any, where: str = "the observation") -> str | None:
    """Say where an observation does not fit its space in keys, shape or kind, or is not finite."""
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, dict):
            return f"{where} is {_short(observation)}, not a dict"
        for key, part in space.spaces.items():
            if key not in observation:
                return f"{where} lacks {key!r}"
            if wrong := misfit(part, observation[key], f"{where}[{key!r}]"):
                return wrong
        return None
    if isinstance(space, spaces.Tuple):
        if not isinstance(observation, (tuple, list)) or len(observation) != len(space.spaces):
            return f"{where} is {_short(observation)}, not a tuple of {len(space.spaces)}"
        parts = zip(space.spaces, observation)
        return next((w for i, (part, value) in enumerate(parts) if (w := misfit(part, value, f"{where}[{i}]"))), None)
    if isinstance(space, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)):
        if not isinstance(observation, np.ndarray):
            observation = np.asarray(observation if _numeric(observation) else None)
        if observation.dtype.kind not in "biuf":
            return f"{where} is of type {observation.dtype}, not numbers"
        if observation.shape != space.shape:
            return f"{where} has shape {observation.shape}, not {space.shape}"
        return None if np.isfinite(observation).all() else f"{where} holds a number that is not finite"
    if isinstance(space, spaces.Discrete):
        if isinstance(observation, np.ndarray) and observation.ndim == 0:
            observation = observation.item()
        if not isinstance(observation, (int, np.integer)):
            return f"{where} is {_short(observation)}, not a whole number"
        return None if 0 <= observation - space.start < space.n else f"{where} is {observation}, not in {space}"
    if isinstance(space, spaces.Text):
        return None if isinstance(observation, str) else f"{where} is {_short(observation)}, not text"
    # A custom space (MiniGrid's MissionSpace is one) may hold words that its own check does not list.
    if isinstance(observation, str) or space.contains(observation):
        return None
    return f"{where} is {_short(observation)}, not in {type(space).__name__}"


def _numeric(value: Any) -> bool:
    """Nested lists of unequal length or of words make no array."""
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"a {type(value).__name__}"
