"""A first look around, before an agent is born: what its pictures are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from cortex.config import Config
from cortex.modules.encoders import pictures
from cortex.modules.encoders.form import form, take_apart
from cortex.modules.encoders.tiles import find_tile

STEPS = 48
"""Random actions of the first look."""


def look(config: Config, bodies: VectorEnv[Any, Any, Any]) -> Config:
    """The config with ``encoders.tile`` found from random actions of the first of ``bodies``, where it is -1 and
    something in the observation is a picture; 0 where no picture is made of tiles."""
    tree, leaves = form(bodies.single_observation_space)
    shown = [place for place, space in enumerate(leaves.values()) if pictures(space)]
    if config.encoders.tile >= 0 or not shown:
        return config
    observation, _ = bodies.reset(seed=config.seed)
    bodies.action_space.seed(config.seed)
    frames: list[list[Any]] = [[] for _ in shown]
    for _ in range(STEPS):
        parts = take_apart(tree, list(leaves), observation)
        for place, kept in zip(shown, frames, strict=True):
            kept.append(np.array(parts[place][0]))
        observation, *_ = bodies.step(bodies.action_space.sample())
    tiles = [find_tile(np.stack(kept)) for kept in frames]
    return replace(config, encoders=replace(config.encoders, tile=next((tile for tile in tiles if tile), 0)))
