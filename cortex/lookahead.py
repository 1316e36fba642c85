"""Look before leaping: what a habit is sure of is imagined one step ahead, before it is done.

A habit knows what used to be right. Where memory foretells that an action changes nothing, or ends the episode without
reward, it is not followed, and search decides. (Rats pause and look ahead before a choice that they cannot take back,
vicarious trial and error: Tolman 1948; Redish 2016.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex.types import Array, Habit, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent

RELIED = 0.5
"""Reliance on search from which what memory foretells counts against a sure habit: of what was given up it knows less
than the habit does."""


def checked(agent: Agent, habit: Habit, state: State, situation: Array, heeds: Array) -> Habit:
    """The habit without the actions of which a loss is foreseen, its chance at least ``habit.caution``, for those who
    are sure and heed memory (``heeds`` [B]); its confidence is 0 where it was sure of one.

    The others, and all of an agent that cannot search, are left as they are.
    """
    caution, rows = agent.config.habit.caution, np.flatnonzero(heeds)
    if caution > 1 or agent.config.planner.simulations == 0 or not len(rows):
        return habit
    present = state if len(rows) == len(heeds) else take(state, rows)
    model: Any = agent.imagination.model(present, situation[rows])  # of either kind
    told = model.expand(model.roots())
    unchanged = told.sign == agent.imagination.sign(present)[:, None]
    loss = (told.novelty <= 1 - caution) & (told.reward <= 0) & (unchanged | (told.end >= caution))
    if not loss.any():
        return habit
    prior, confidence = habit.prior.copy(), habit.confidence.copy()
    confidence[rows[loss[np.arange(len(rows)), prior[rows].argmax(axis=1)]]] = 0
    left = np.where(loss, 0, prior[rows])
    total = left.sum(axis=1, keepdims=True)
    prior[rows] = np.where(total > 0, left / np.maximum(total, 1e-9), prior[rows])
    return replace(habit, prior=prior, confidence=confidence)
