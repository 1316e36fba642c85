"""Nested observations as flat ones, for libraries whose vector environments hold nothing else."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from cortex.types import CortexError


class FlatKeys(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Give a nested observation as one Dict, each part under its path: ``{"hand": {"touch": x}}`` as ``"hand.touch"``.

    stable-baselines3's vector environments hold no nested spaces. An agent that was made for the nested observation
    reads the flat one as well: ``evaluate_policy(agent, FlatKeys(env))``. Raises CortexError for an observation
    without keys.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        if not isinstance(env.observation_space, (spaces.Dict, spaces.Tuple)):
            raise CortexError(f"the observation is {env.observation_space}, which has no keys; leave FlatKeys out")
        self.observation_space = spaces.Dict(_flat(env.observation_space))

    def observation(self, observation: Any) -> Any:
        """As ``gymnasium.ObservationWrapper.observation``."""
        return _flat(observation)


def _flat(nested: Any, path: str = "") -> dict[str, Any]:
    """The leaves of Dicts and Tuples, spaces or values, by their path."""
    if isinstance(nested, (spaces.Dict, spaces.Tuple)):
        nested = nested.spaces
    if not isinstance(nested, (dict, tuple)):
        return {path: nested}
    parts = nested.items() if isinstance(nested, dict) else enumerate(nested)
    below = [_flat(part, f"{path}.{key}" if path else str(key)) for key, part in parts]
    return {name: leaf for leaves in below for name, leaf in leaves.items()}
