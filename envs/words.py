"""Strings as arrays, for libraries whose vector environments hold nothing else."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from cortex.types import Array, CortexError


class WordsAsBytes(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Give every string of the observation as UTF-8 bytes, uint8 [length], zeros behind its end.

    stable-baselines3's vector environments cannot hold strings. An agent that was made for the strings reads the
    bytes as well: ``evaluate_policy(agent, WordsAsBytes(env))``. Raises CortexError for a string of more than
    ``length`` bytes.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], length: int = 256) -> None:
        super().__init__(env)
        self.length = length
        self.observation_space = self._space(env.observation_space)

    def _space(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        if isinstance(space, spaces.Dict):
            return spaces.Dict({key: self._space(part) for key, part in space.spaces.items()})
        words = isinstance(space, spaces.Text) or (space.dtype is not None and np.dtype(space.dtype).kind == "U")
        return spaces.Box(0, 255, (self.length,), np.uint8) if words else space

    def observation(self, observation: Any) -> Any:
        """As ``gymnasium.ObservationWrapper.observation``."""
        if isinstance(observation, dict):
            return {key: self.observation(value) for key, value in observation.items()}
        return self._bytes(observation) if isinstance(observation, str) else observation

    def _bytes(self, text: str) -> Array:
        data = text.encode()
        if len(data) > self.length:
            raise CortexError(
                f"The text {text[:40]!r}... has {len(data)} bytes; WordsAsBytes(env, length={len(data)}) would do."
            )
        return np.frombuffer(data.ljust(self.length, b"\0"), np.uint8).copy()
