"""What is known of one situation: what happens when this meets that, what pays, where the agent is in the view.

All of it is a closed-form statistic of the rows of that situation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from cortex.types import UNSEEN, Array, Motions, Place

from .events import Events
from .gist import Gist, Taught
from .interactions import Interactions
from .naming import Naming
from .ripening import Ripening

FRONT, CARRIED, UNDER, BEYOND = 0, 1, 2, 3
"""Columns of what was met."""
LEAPT = 2
"""How it moves: to another place like the one reached."""
DUE = (*range(1, 25), 27, 30, 34, 38, 43, 48, 54, 61, 69, 77, 86, 96)
"""Numbers of first steps of a situation from which it is found what is noise, and what in the view is the agent."""


@dataclass
class World:
    """What is known of one situation."""

    interactions: Interactions
    events: Events
    naming: Naming
    shows: Array  # [2, R] changes of each sense that is no grid: beside something reached or paid, and alone
    ripening: Ripening = field(default_factory=Ripening)
    motions: Motions | None = None  # the body schema, where the view stays
    rows: list[tuple[Array, Array, int]] = field(default_factory=list)  # the first steps: cells before, after, action
    steps: Array | None = None  # [A, 10] how often each action made each step in those rows
    readings: Array | int = 0  # [2, n] of each cell in those rows: those that the others do not foretell, and all
    walked: dict[int, int] = field(default_factory=dict)  # code -> how often the agent stepped onto it
    episodes: list[int] = field(default_factory=list)  # their numbers

    @property
    def footing(self) -> int:
        """What the agent walks on as a rule, UNSEEN while it has not walked."""
        return max(self.walked, key=lambda code: (self.walked[code], -code), default=UNSEEN)

    def first_rows(self) -> tuple[Array, Array, Array]:
        """The first rows that are due to be looked at: cells before and after [T, n], action [T]."""
        rows = self.rows[: max((due for due in DUE if due <= len(self.rows)), default=0)]
        before, after = (np.stack([row[part] for row in rows]) for part in (0, 1))
        return before, after, np.array([row[2] for row in rows])

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
        when: Array,
    ) -> Array:
        """Count what one step of n bodies taught, and ``when`` [n, 2] it was and its episode began; returns which [n]
        taught something new. ``other`` [n, R]: which of the senses that are no grid changed."""
        self.ripening.learn(before, after, action, motions)
        taught = taught_of(motions, situation, before, after, action, reward, terminated, when)
        if other.any():
            told = (taught.changed | terminated | (reward != 0))[:, None]
            self.shows += (other & told).sum(axis=0), (other & ~told).sum(axis=0)
        return self.count(taught)

    def count(self, taught: Taught) -> Array:
        """Count what n steps taught; returns which [n] taught something new."""
        for code in taught.walked[taught.walked >= 0].tolist():
            self.walked[code] = self.walked.get(code, 0) + 1
        then = taught.then.copy()
        # What was pushed on leaves behind what is usually walked on.
        if taught.pushed.any() and self.footing != UNSEEN:
            then[taught.pushed, 0] = self.footing
        rows = np.flatnonzero(taught.known)
        news = np.zeros(len(taught.verb), bool)
        news[rows] = self.interactions.learn(
            taught.verb[rows], taught.met[rows], taught.moved[rows], then[rows], taught.when[rows]
        )
        return news | self.events.learn(taught.event, taught.reward, taught.ended, taught.when)

    def remember(self, gist: Gist) -> None:
        """Count what rows that were given up had taught."""
        self.shows = gist.shows + self.shows
        self.ripening.times = gist.left.copy()
        self.ripening.changes.update({(was, then): times for was, then, times in gist.changes.tolist()})
        taught = gist.taught()
        if len(taught.verb):
            self.count(taught)


def taught_of(
    motions: Motions,
    situation: int,
    before: Place,
    after: Place,
    action: Array,
    reward: Array,
    terminated: Array,
    when: Array,
) -> Taught:
    """What one step of n bodies teaches of their world, and ``when`` [n, 2] it was and its episode began."""
    met, then, moved = met_of(before, after, action, motions)
    changed = (met[:, (FRONT, BEYOND)] != then[:, (FRONT, BEYOND)]).any(axis=1)
    pushed = (moved > 0) & (met[:, BEYOND] != then[:, BEYOND]) & (met[:, FRONT] == then[:, FRONT])
    reaches = motions.reach[before.pose[:, 2], action].any(axis=1)
    verb, three, body = motions.verb[action], [FRONT, CARRIED, BEYOND], np.arange(len(action))
    own = after.cells[body, *(after.pose[:, :2] % after.cells.shape[1]).T]
    front = np.where(reaches & (moved == 0), then[:, FRONT], after.cells[body, *after.ahead.T])
    event = [
        verb,
        moved > 0,
        own,
        front,
        after.carried,
        after.mission,
        np.full(len(action), situation),
        met[:, CARRIED],
        _twins(after.cells.reshape(len(action), -1), front.astype(np.int64)),
    ]
    return Taught(
        known=((met[:, FRONT] != UNSEEN) & (then[:, FRONT] != UNSEEN)) | ~reaches,
        changed=changed,
        pushed=pushed,
        walked=np.where((moved == 1) & ~changed, met[:, FRONT], -1),
        verb=verb,
        met=met[:, three],
        moved=moved,
        then=then[:, three],
        event=np.stack([column.astype(np.int64) for column in event], axis=1),
        ended=np.asarray(terminated, bool),
        reward=np.asarray(reward, np.float32),
        when=when,
    )


def met_of(before: Place, after: Place, action: Array, motions: Motions) -> tuple[Array, Array, Array]:
    """What ``action`` [n] met: codes [n, 4] reached, carried, under the agent and behind what was reached; the same
    cells, hold and footing after; and how it moved [n]: 0 not, 1 by a step, 2 to another cell like the one reached."""
    sooner, later = ((place.cells, place.pose.astype(np.int64), place.carried) for place in (before, after))
    met, then, moved = _met(sooner, later, np.asarray(action, np.int64), motions.go, motions.reach)
    return np.asarray(met), np.asarray(then), np.asarray(moved)


@njit(cache=True)
def _twins(cells: Array, code: Array) -> Array:
    """Whether ``code`` [n] is seen at more than one place of the maps ``cells`` [n, S * S]."""
    twin = np.zeros(len(code), np.int64)
    for body in range(len(code)):
        if code[body] != UNSEEN:
            twin[body] = (cells[body] == code[body]).sum() > 1
    return twin


@njit(cache=True)
def _met(
    before: tuple[Array, Array, Array], after: tuple[Array, Array, Array], action: Array, go: Array, reach: Array
) -> tuple[Array, Array, Array]:
    """The same from cells, pose and what is carried, before and after."""
    told, moved = np.zeros((2, len(action), 4), np.int64), np.zeros(len(action), np.int64)
    pose, then, size = before[1], after[1], before[0].shape[1]
    for body in range(len(action)):
        heading, act = pose[body, 2], action[body]
        step, leads = reach[heading, act], go[heading, act]
        down, right = then[body, 0] - pose[body, 0], then[body, 1] - pose[body, 1]
        for when, (cells, at, carried) in enumerate((before, after)):
            told[when, body, CARRIED] = carried[body]
            told[when, body, UNDER] = cells[body, at[body, 0] % size, at[body, 1] % size]
            if step[0] != 0 or step[1] != 0:
                for column, far in ((FRONT, 1), (BEYOND, 2)):
                    row, place = pose[body, 0] + far * step[0], pose[body, 1] + far * step[1]
                    told[when, body, column] = cells[body, row % size, place % size]
        if down != 0 or right != 0:
            stepped = (leads[0] - down) % size == 0 and (leads[1] - right) % size == 0
            front = told[0, body, FRONT]
            moved[body] = LEAPT if not stepped and front != UNSEEN and front == told[1, body, UNDER] else 1
    return told[0], told[1], moved
