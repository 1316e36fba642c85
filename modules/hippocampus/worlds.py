"""What is known of one situation: what happens when this meets that, what pays, where the agent is in the view.

All of it is a closed-form statistic of the rows of that situation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cortex.types import UNSEEN, Array, Motions, Place

from .events import Events
from .interactions import Interactions

FRONT, CARRIED, UNDER, BEYOND = 0, 1, 2, 3
"""Columns of what was met."""


@dataclass
class World:
    """What is known of one situation."""

    interactions: Interactions
    events: Events
    shows: Array  # [2, R] changes of each sense that is no grid: beside something reached or paid, and alone
    motions: Motions | None = None  # the body schema, where the view stays
    rows: list[tuple[Array, Array, int]] = field(default_factory=list)  # the first steps: cells before, after, action
    steps: Array | None = None  # [A, 10] how often each action made each step in those rows
    walked: dict[int, int] = field(default_factory=dict)  # code -> how often the agent stepped onto it
    episodes: list[int] = field(default_factory=list)  # their numbers

    @property
    def footing(self) -> int:
        """What the agent walks on as a rule, UNSEEN while it has not walked."""
        return max(self.walked, key=lambda code: (self.walked[code], -code), default=UNSEEN)

    def learn(
        self,
        motions: Motions,
        situation: int,
        before: Place,
        after: Place,
        other: Array,
        action: Array,
        reward: Array,
        terminated: Array,
    ) -> None:
        """Count what one step of n bodies taught. ``other`` [n, R]: which of the senses that are no grid changed."""
        met, met_after, moved = met_of(before, after, action, motions)
        changed = (met[:, (FRONT, BEYOND)] != met_after[:, (FRONT, BEYOND)]).any(axis=1)
        told = (changed | terminated | (reward != 0))[:, None]
        self.shows += (other & told).sum(axis=0), (other & ~told).sum(axis=0)
        for code in met[(moved == 1) & ~changed, FRONT].tolist():
            self.walked[code] = self.walked.get(code, 0) + 1
        # What was pushed on leaves behind what is usually walked on.
        pushed = (moved > 0) & (met[:, BEYOND] != met_after[:, BEYOND]) & (met[:, FRONT] == met_after[:, FRONT])
        if pushed.any() and self.footing != UNSEEN:
            met_after[pushed, FRONT] = self.footing
        reaches = motions.reach[before.pose[:, 2], action].any(axis=1)
        rows = np.flatnonzero(((met[:, FRONT] != UNSEEN) & (met_after[:, FRONT] != UNSEEN)) | ~reaches)
        verb, three = motions.verb[action], [FRONT, CARRIED, BEYOND]
        self.interactions.learn(verb[rows], met[rows][:, three], moved[rows], met_after[rows][:, three])
        body = np.arange(len(action))
        own = after.cells[body, *(after.pose[:, :2] % after.cells.shape[1]).T]
        front = np.where(reaches & (moved == 0), met_after[:, FRONT], after.cells[body, *after.ahead.T])
        event = [
            verb,
            moved > 0,
            own,
            front,
            after.carried,
            after.mission,
            np.full(len(action), situation),
            met[:, CARRIED],
        ]
        self.events.learn(np.stack([column.astype(np.int64) for column in event], axis=1), reward, terminated)


def met_of(before: Place, after: Place, action: Array, motions: Motions) -> tuple[Array, Array, Array]:
    """What ``action`` [n] met: codes [n, 4] reached, carried, under the agent and behind what was reached; the same
    cells, hold and footing after; and how it moved [n]: 0 not, 1 by a step, 2 to another cell like the one reached."""
    body, size = np.arange(len(before.pose)), before.cells.shape[1]
    at, behind = reached(before.pose, action, motions, size)
    reaches = motions.reach[before.pose[:, 2], action].any(axis=1)
    told = []
    for place in (before, after):
        under = place.cells[body, *(place.pose[:, :2] % size).T]
        front, beyond = (np.where(reaches, place.cells[body, *cell.T], UNSEEN) for cell in (at, behind))
        told.append(np.stack([front, place.carried, under, beyond], axis=1).astype(np.int64))
    moved = (before.pose[:, :2] != after.pose[:, :2]).any(axis=1)
    stepped = ((before.pose[:, :2] + motions.go[before.pose[:, 2], action] - after.pose[:, :2]) % size == 0).all(axis=1)
    leapt = moved & ~stepped & (told[0][:, FRONT] != UNSEEN) & (told[0][:, FRONT] == told[1][:, UNDER])
    return told[0], told[1], np.where(leapt, 2, moved.astype(np.int64))


def reached(pose: Array, action: Array, motions: Motions, size: int) -> tuple[Array, Array]:
    """The cells [n, P] of the map that ``action`` [n] acts on from ``pose`` [n, 3], and those behind them."""
    step = motions.reach[pose[:, 2], action]
    return np.asarray((pose[:, :2] + step) % size), np.asarray((pose[:, :2] + 2 * step) % size)
