"""What is at stake: how much there is to lose where what is done cannot be taken back.

Who only goes elsewhere can come back. Where an action would change something else, search says what there still is to
be had then, so that the night repeats most the few decisions in which a mistake is dear (the gain of a backup,
Mattar & Daw 2018; memories of what mattered are replayed more, Singer & Frank 2009).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex.types import Array, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent

LIKELY = 0.5
"""Chance from which a change or an end is counted on."""


def at_stake(agent: Agent, state: State, situation: Array, value: Array, nodes: int) -> Array:
    """What the worst action would lose of ``value`` [n] in [0, 1], which search found in states [n] of one
    ``situation`` [n] with up to ``nodes`` nodes each; 0 where there is no map."""
    lost = np.zeros((len(value), agent.motor.actions))
    if state.place is None:
        return lost.max(axis=1)
    model: Any = agent.imagination.calm().model(state, situation)
    told, top, discount = model.expand(model.roots()), max(1.0, model.top), agent.config.planner.discount
    changed = (told.children.cell >= 0).any(axis=1) | (told.children.carried != state.place.carried[told.children.root])
    ends, counts = told.end >= LIKELY, (told.novelty < LIKELY) & (value > 0)[:, None]
    left = np.clip(told.reward / top, 0, 1)
    rows = np.flatnonzero(counts & ~ends & changed.reshape(lost.shape))
    if len(rows):
        root = rows // lost.shape[1]
        then = replace(take(state, root), place=model.place_at(model.pick(told.children, rows)))
        beyond = np.clip(agent.consider(then, situation[root], nodes)[0].value / top, 0, 1)
        left.flat[rows] += discount * beyond
        lost.flat[rows] = (value[:, None] - left).flat[rows]
    lost = np.where(counts & ends, value[:, None] - left, lost)
    return np.asarray(np.clip(lost, 0, 1).max(axis=1))
