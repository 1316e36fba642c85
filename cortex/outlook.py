"""What is left to find at most: of the kinds that could meet, wherever on the map they lie.

The bound of the search leaves out where things are (a relaxed problem; Pearl 1984): what is on the map, what can be
held, and all that may come of these meeting, until nothing new does. What neither pays nor is worth finding out in any
of these meetings does so nowhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cortex.mapped import FRONT, LIKELY, OPAQUE, MappedModel
from cortex.modules.hippocampus.worlds import LEAPT
from cortex.types import UNSEEN, Array

MOST = 4096
"""Meetings of kinds above which they are not told apart, and no bound is found."""
OFTEN = 3
"""Places from which on a thing is taken to be seen elsewhere too, whatever is done."""


def outlook(model: MappedModel, bodies: Array) -> float:
    """What one more step and all beyond can be worth at most to any of ``bodies`` [n]; where too much can meet, or the
    learned model fills in, no more is said than by the model's own bound."""
    if model.known is not None:
        return model.top
    counts = model.counts[bodies].sum(axis=0)
    counts[UNSEEN] = 0
    there, held = np.flatnonzero(counts), np.unique(model.place.carried[bodies]).astype(np.int64)
    reaches, turns = (model.body[2] != 0).any(axis=2), model.body[4]
    verbs, idle = (np.unique(model.verb[does.any(axis=0)]) for does in (reaches, ~reaches & ~turns))
    turning = np.setdiff1d(model.verb[turns.any(axis=0)], idle)
    idle, becomes = np.concatenate([idle, turning]), model.ripe[0]
    while True:
        if len(verbs) * len(there) * len(held) * (1 + len(there)) > MOST:
            return model.top
        verb, met = _meetings(verbs, idle, there, held)
        went, after, novelty = model.world.interactions.predict(verb, met)
        still = met[:, 0] == UNSEEN
        went[still] = 0
        if len(turning):
            still &= np.isin(verb, turning)
            after[still], novelty[still] = met[still], 0
        clear = novelty < OPAQUE
        more = becomes[there[there < len(becomes)]], after[clear, 0], after[clear, 2]
        found, hold = np.unique(np.concatenate([there, *more])), np.unique(np.concatenate([held, after[clear, 1]]))
        found = found[found != UNSEEN]
        if len(found) == len(there) and len(hold) == len(held):
            break
        there, held = found, hold
    enters = np.unique(met[went > 0, 0])
    place = model.place.pose[bodies, :2].astype(np.int64) % model.size
    edge = _edge(model.cells[bodies], place, model.size, enters)
    stands = np.unique(np.concatenate([enters, model.cells[bodies, place[:, 0] * model.size + place[:, 1]]]))
    stands = np.append(stands, UNSEEN) if (model.hidden[bodies] >= 0).any() else stands
    ahead = np.append(there, UNSEEN) if edge else there
    event, new = _outcomes((verb, met, went, after, novelty), stands, ahead, counts)
    alike = np.unique(model.about[bodies], axis=0, return_index=True)[1]
    return max(_worth(model, event, new, int(body)) for body in bodies[alike])


def _worth(model: MappedModel, event: Array, new: Array, body: int) -> float:
    """The most that any of the events [n, 9], and finding out what is as ``new`` [n], is worth to a body."""
    event[:, 5:7] = model.about[body]
    asked = event if model.reading is None else model.reading(event, np.full(len(event), body))
    chance, _, untried = model.world.events.predict(asked)
    things, events, frontier = model.curious
    hope = events[model.deed[event[:, 0]], event[:, 1], event[:, 8]]
    unseen = event[:, FRONT] == UNSEEN
    chance = chance * ~unseen * ((hope > 0) | (chance >= LIKELY))
    return float((chance * model.worth + things * new + hope * untried + frontier * unseen).max(initial=0))


@njit(cache=True)
def _meetings(verbs: Array, idle: Array, there: Array, held: Array) -> tuple[Array, Array]:
    """All that may meet: verbs [n], and what is reached, carried and behind [n, 3], which changes from row to row."""
    rows = len(held) * (len(verbs) * len(there) * (1 + len(there)) + len(idle))
    verb, met, row = np.empty(rows, np.int64), np.zeros((rows, 3), np.int64), 0
    for carried in held:
        for act in verbs:
            for front in there:
                for behind in range(1 + len(there)):
                    verb[row], met[row, 0], met[row, 1] = act, front, carried
                    met[row, 2] = there[behind] if behind < len(there) else UNSEEN
                    row += 1
        for act in idle:
            verb[row], met[row, 1] = act, carried
            row += 1
    return verb, met


@njit(cache=True)
def _outcomes(told: tuple[Array, ...], stands: Array, ahead: Array, counts: Array) -> tuple[Array, Array]:
    """The events [n, 9] that meetings may come to, but for mission and situation, and how novel the newest of the
    meetings is that come to each [n]; ``told`` of each meeting: verb, what is met, how it moves, what is met
    afterwards, and novelty."""
    verb, met, went, after, novelty = told
    kept, newest, number = np.empty(len(verb), np.int64), np.empty(len(verb)), 0
    first = size = 0
    for row in range(len(verb)):
        if row and (verb[row] != verb[row - 1] or met[row, 0] != met[row - 1, 0] or met[row, 1] != met[row - 1, 1]):
            first = number
        same = first
        while same < number:
            other = kept[same]
            if went[other] == went[row] and after[other, 0] == after[row, 0] and after[other, 1] == after[row, 1]:
                break
            same += 1
        if same == number:
            kept[same], newest[same] = row, novelty[row]
            number += 1
            size += 2 * (len(ahead) if went[row] or met[row, 0] == UNSEEN else 1) * (1 if went[row] else len(stands))
        newest[same] = max(newest[same], novelty[row])
    event, new, at = np.empty((size, 9), np.int64), np.empty(size), 0
    for same in range(number):
        row = kept[same]
        moved, faces = went[row] > 0, went[row] > 0 or met[row, 0] == UNSEEN
        for under in range(1 if moved else len(stands)):
            for front in range(len(ahead) if faces else 1):
                code = ahead[front] if faces else after[row, 0]
                for twin in range(2):
                    if twin == 0 and code < len(counts) and counts[code] > OFTEN:
                        continue
                    event[at, 0], event[at, 1], event[at, 8] = verb[row], moved, twin
                    event[at, 2] = stands[under] if not moved else met[row, 0] if went[row] == LEAPT else after[row, 0]
                    event[at, 3], event[at, 4], event[at, 7] = code, after[row, 1], met[row, 1]
                    event[at, 5], event[at, 6], new[at] = 0, 0, newest[same]
                    at += 1
    return event[:at], new[:at]


@njit(cache=True)
def _edge(cells: Array, place: Array, size: int, enters: Array) -> bool:
    """Whether one who stands at ``place`` [n, P] of the maps ``cells`` [n, S * S], or somewhere that shows one of the
    codes ``enters``, may have before it what was never seen."""
    for body in range(len(cells)):
        for at in range(cells.shape[1]):
            if not (at == place[body, 0] * size + place[body, 1] or (cells[body, at] == enters).any()):
                continue
            row, column = at // size, at % size
            for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if cells[body, (row + down) % size * size + (column + right) % size] == UNSEEN:
                    return True
    return False
