"""What is at stake: how much there is to lose where what is done cannot be taken back.

Who only goes elsewhere can come back. Where an action would change something else, search says what there still is to
be had then, so that the night repeats most the few decisions in which a mistake is dear (the gain of a backup,
Mattar & Daw 2018; memories of what mattered are replayed more, Singer & Frank 2009).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cortex.mapped import LIKELY, MappedModel
from cortex.types import Array, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent


def at_stake(agent: Agent, state: State, situation: Array, value: Array, nodes: int) -> Array:
    """What the worst action would lose of ``value`` [n] in [0, 1], which search found in states [n] of one
    ``situation`` [n] with up to ``nodes`` nodes each; 0 where there is no map."""
    if state.place is None:
        return np.zeros(len(value))
    model = agent.imagination.calm().model(state, situation)
    assert isinstance(model, MappedModel)
    told, top, discount = model.expand(model.roots()), max(1.0, model.top), agent.config.planner.discount
    changed = (told.children.cell >= 0).any(axis=1) | (told.children.carried != state.place.carried[told.children.root])
    ends, counts = told.end >= LIKELY, (told.novelty < LIKELY) & (value > 0)[:, None]
    asked = counts & (ends | changed.reshape(ends.shape))
    left = np.clip(told.reward / top, 0, 1)
    rows = np.flatnonzero(asked & ~ends)
    if len(rows):
        root = rows // agent.motor.actions
        then = replace(take(state, root), place=model.place_at(model.pick(told.children, rows)))
        left.flat[rows] += discount * np.clip(agent.consider(then, situation[root], nodes)[0].value / top, 0, 1)
    lost = np.where(asked, value[:, None] - left, 0.0)
    return np.asarray(np.clip(lost, 0, 1).max(axis=1))
