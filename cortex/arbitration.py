"""Between habit and search: a sure habit acts, unless memory objects.

A habit knows what used to be right. Before it acts, what it would do is imagined one step ahead: where memory foretells
that it changes nothing, or ends the episode without reward, and where it led back to the same place before, search
decides, and what that finds is carried to its end. (Rats pause and look ahead before a choice that they cannot take
back, vicarious trial and error: Tolman 1948; Redish 2016.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex.types import Array, Habit, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent
    from cortex.modules.motor import Line

RELIED = 0.5
"""Reliance on search from which memory is heeded: of what was given up it knows less than the habit does."""


def arbitrate(
    agent: Agent, habit: Habit, state: State, situation: Array, may: Array, line: Line, spot: Array, first: Array
) -> tuple[Habit, Array, Array]:
    """The habit without what memory objects to, whether it acts [B], and whether it would have, but for that [B].

    ``may`` [B]: who may act by habit. ``line``, ``spot`` [B] and ``first`` [B] tell what was done where in this
    episode, as for `Motor`.
    """
    would = may & agent.sure(habit, situation, agent.config.habit.trust)
    heeds = would & (agent.hippocampus.reliance(situation) >= RELIED)
    if not heeds.any():
        return habit, would, heeds
    circles = agent.motor.circles(line, habit.prior, spot, first)
    habit, loss = foreseen(agent, habit, state, situation, heeds)
    held = heeds & (loss | circles)
    return habit, would & ~held, held


def foreseen(agent: Agent, habit: Habit, state: State, situation: Array, asked: Array) -> tuple[Habit, Array]:
    """For those ``asked`` [B] the habit without the actions of which a loss is foreseen, its chance at least
    ``habit.caution``, and whether it was sure of one of them [B], in which it has no confidence then. An agent that
    cannot search foresees nothing."""
    caution, rows, sure_of_loss = agent.config.habit.caution, np.flatnonzero(asked), np.zeros(len(asked), bool)
    if caution > 1 or agent.config.planner.simulations == 0 or not len(rows):
        return habit, sure_of_loss
    present = state if len(rows) == len(asked) else take(state, rows)
    model: Any = agent.imagination.model(present, situation[rows])  # of either kind
    told = model.expand(model.roots())
    unchanged = told.sign == agent.imagination.sign(present)[:, None]
    loss = (told.novelty <= 1 - caution) & (told.reward <= 0) & (unchanged | (told.end >= caution))
    if not loss.any():
        return habit, sure_of_loss
    sure_of_loss[rows] = loss[np.arange(len(rows)), habit.prior[rows].argmax(axis=1)]
    prior, left = habit.prior.copy(), np.where(loss, 0, habit.prior[rows])
    total = left.sum(axis=1, keepdims=True)
    prior[rows] = np.where(total > 0, left / np.maximum(total, 1e-9), prior[rows])
    return replace(habit, prior=prior, confidence=np.where(sure_of_loss, 0, habit.confidence)), sure_of_loss
