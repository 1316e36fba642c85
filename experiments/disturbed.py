"""Bodies whose senses are disturbed, in games that stay the same; for ``experiments.life --wrap``."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import TransformObservation

from cortex.types import CortexError

SHARE = 0.4
"""Of the cells that are seen, those that flicker."""


def flicker(bodies: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
    """Each grid of codes with further columns, of which every cell is drawn anew at each step."""
    grids = {key: space for key, space in _senses(bodies).items() if len(space.shape or ()) == 3}
    if not grids:
        raise CortexError("There is no grid that could flicker; an observation with a key for a grid would do.")
    noise: dict[str, Any] = {key: _beside(space) for key, space in grids.items()}
    rng = np.random.default_rng(0)

    def see(seen: dict[str, Any]) -> dict[str, Any]:
        drawn = {
            key: rng.integers(space.low, space.high, (bodies.num_envs, *space.shape), space.dtype, endpoint=True)
            for key, space in noise.items()
        }
        return {**seen, **{key: np.concatenate([seen[key], cells], axis=2) for key, cells in drawn.items()}}

    wide = {key: _joined(space, noise[key]) for key, space in grids.items()}
    return _seen_by(bodies, see, spaces.Dict({**_senses(bodies), **wide}))


def renamed(bodies: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
    """Each sense under a name that tells nothing, and in another order."""
    senses = _senses(bodies)
    names = {key: f"sense_{number}" for number, key in enumerate(sorted(senses, reverse=True))}

    def see(seen: dict[str, Any]) -> dict[str, Any]:
        return {names[key]: value for key, value in seen.items()}

    return _seen_by(bodies, see, spaces.Dict(see(senses)))


def _senses(bodies: VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    space = bodies.single_observation_space
    if not isinstance(space, spaces.Dict):
        raise CortexError(f"The observation is a {type(space).__name__}; a Dict of senses would do.")
    return dict(space.spaces)


def _beside(space: Any) -> spaces.Box:
    """The columns that flicker beside a grid; as high as it, and with the codes of its first cell."""
    height, width, planes = space.shape
    shape = (height, round(width * SHARE / (1 - SHARE)), planes)
    low, high = (np.broadcast_to(end[0, 0], shape) for end in (space.low, space.high))
    return spaces.Box(low, high, dtype=space.dtype)


def _joined(left: Any, right: Any) -> spaces.Box:
    low, high = (np.concatenate([getattr(one, end) for one in (left, right)], axis=1) for end in ("low", "high"))
    return spaces.Box(low, high, dtype=left.dtype)


def _seen_by(bodies: VectorEnv[Any, Any, Any], see: Any, space: spaces.Dict) -> VectorEnv[Any, Any, Any]:
    return TransformObservation(bodies, see, batch_space(space, bodies.num_envs), space)
