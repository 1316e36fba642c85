"""The body schema in a view that never turns: which of the things in it am I, and where do my actions take me?

The agent is the thing, in one guise or several, that is in every scene exactly once and whose steps its actions
explain (agency as contingency between efference and what is seen; Wolpert 1998, Haggard 2017). In a view that stays it
moves among the other things; in one that moves along it keeps its cell, and all else shifts against its steps (optic
flow; Gibson 1950). Guises stand for headings. What an action did in earlier worlds is what it is expected to do in this
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from cortex.types import UNSEEN, Array, Motions

GUISES = 4
"""Most guises of one agent."""
ROWS = 64
"""Latest rows that are looked at; more add time, not certainty."""
TOUCHED = 2
"""Most cells that change at a usual step beside those that the agent leaves, enters and stands on."""
STRANGE = 6
"""Cells that differ after a step, as it is best explained, from which more of them make it a leap."""
CLEAR = 2
"""Cells by which one shift of the view must explain a step better than any other does."""
MARGIN = 1.0
"""Nats by which one candidate's steps must be explained better than another's."""
CONSTANT = 0.8
"""Share of an action's rows that one answer must explain to be taken for its rule."""
PRIOR = 0.2
"""Pseudo-count of every step that an action might make."""
TIE = 1e-3
"""Added to how often an action made a step, so that what it never made is left to it where all else is taken."""
OTHERWISE = 2
"""Actions that must do other than they did elsewhere before the rest is not expected to do the same either."""
STEPS = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
"""Steps that are told apart: to a neighbour, or none; and, after them, a leap to anywhere else."""
STILL, LEAP = 4, 9
COVERS = 1_000
"""Sets of guises from which more of them tell nothing: whatever is new in each scene could be the agent."""
LEAPS = 0.35
"""Largest share of leaps."""
NOWHERE = -1
"""The own cell of a view that stays: it has none."""


@dataclass(frozen=True, slots=True)
class Track:
    """What T rows say of one candidate for the agent."""

    codes: Array  # its guises
    own: int  # the token that always shows it, NOWHERE in a view that stays
    heading: Array  # [T] its guise before
    then: Array  # [T] and after
    steps: Array  # [T] of STEPS, or LEAP
    clear: Array  # [T] bool, the row tells which


class Guises:
    """Finds the agent among the cells of a view with ``position`` [N, P] for ``actions`` actions."""

    def __init__(self, position: Array, actions: int) -> None:
        self.position, self.actions = np.asarray(position, np.int64), actions
        apart = self.position[None] - self.position[:, None]  # [N, N, P] from the first token to the second
        there = (apart[None] == STEPS[:, None, None]).all(axis=3)
        self.source = np.where(there.any(axis=2), there.argmax(axis=2), -1)  # [9, N] the token that a step away
        self.target = np.where(there.any(axis=1), there.argmax(axis=1), -1)  # [9, N] the token that it is a step from

    def fit(self, before: Array, after: Array, action: Array, usual: Array, held: int) -> Motions | None:
        """The schema from rows ``before``, ``after`` [T, N] codes, ``action`` [T] of one world; None while they do not
        tell. ``usual`` [A, 10]: how often each action made each step in other worlds."""
        before, after, action = before[-ROWS:], after[-ROWS:], action[-ROWS:]
        if not len(action):
            return None
        differ = self._differ(before, after)
        found = [
            (self._evidence(track, action, usual), track)
            for track in (self._fixed(before, after, differ) if _flows(differ) else self._restless(before, after))
            if self._obeys(track, action)
        ]
        found.sort(key=lambda one: -one[0])
        if not found or (len(found) > 1 and found[0][0] - found[1][0] < MARGIN):
            return None
        return self._schema(found[0][1], before, action, usual, held)

    def steps(self, motions: Motions, before: Array, after: Array, action: Array) -> Array:
        """How often each action made each step [A, 10] in rows [T, N] of a world with this schema."""
        if motions.along:
            own = int((self.position == motions.own).all(axis=1).argmax())
            track = self._shifted(motions.selves, own, before, after, self._differ(before, after))
        else:
            track = self._moved(motions.selves, before, after)
        counts = np.zeros((self.actions, LEAP + 1))
        np.add.at(counts, (action[track.clear], track.steps[track.clear]), 1)
        return counts

    def _restless(self, before: Array, after: Array) -> list[Track]:
        """Sets of codes of which every scene shows exactly one, and which move."""
        scenes = np.concatenate([before, after])
        codes = np.unique(scenes)
        codes = codes[codes != UNSEEN]
        shown = scenes[:, :, None] == codes  # [2T, N, codes]
        times = shown.sum(axis=1)
        single = times.max(axis=0) == 1
        place = shown.argmax(axis=1)
        place = np.where(times > 0, place, -1).reshape(2, len(before), len(codes))
        restless = single & (place[0] != place[1]).any(axis=0)
        codes, present = codes[restless], (times > 0)[:, restless]
        found = []
        for number, chosen in enumerate(_covers(present)):
            if number == COVERS:
                return []
            track = self._moved(codes[chosen], before, after)
            others = (before != after).sum(axis=1) - 2 * (track.steps != STILL)
            if _walks(track, others):
                found.append(track)
        return found

    def _fixed(self, before: Array, after: Array, differ: Array) -> list[Track]:
        """Sets of codes of which every scene shows exactly one, always in the same cell, while all else shifts."""
        scenes = np.concatenate([before, after])
        found = []
        for own in range(len(self.position)):
            codes = np.unique(scenes[:, own])
            if len(codes) > GUISES or codes[0] == UNSEEN or np.isin(scenes, codes).sum() != len(scenes):
                continue
            track = self._shifted(codes, own, before, after, differ)
            if _walks(track, self._unlike(differ, own).min(axis=1)):
                found.append(track)
        return found

    def _moved(self, codes: Array, before: Array, after: Array) -> Track:
        """The rows of one who moves among the things of a view that stays."""
        (at, heading), (to, then) = self._where(before, codes), self._where(after, codes)
        return Track(codes, NOWHERE, heading, then, _step(at, to, self.position), np.ones(len(before), bool))

    def _shifted(self, codes: Array, own: int, before: Array, after: Array, differ: Array) -> Track:
        """The rows of one whom the cell ``own`` shows in a view that moves along."""
        heading, then = ((scenes[:, own, None] == codes).argmax(axis=1) for scenes in (before, after))
        unlike = self._unlike(differ, own)
        best, next_best = np.sort(unlike, axis=1)[:, :2].T
        steps = np.where(best > STRANGE, LEAP, unlike.argmin(axis=1))
        return Track(codes, own, heading, then, steps, (next_best - best >= CLEAR) | (steps == LEAP))

    def _differ(self, before: Array, after: Array) -> Array:
        """Cells [T, 9, N] that show another code than before, if the agent made each step and the view moved along."""
        origin = np.where(self.source >= 0, before[:, self.source], UNSEEN)
        return np.asarray((origin != after[:, None]) & (origin != UNSEEN) & (after != UNSEEN)[:, None])

    def _unlike(self, differ: Array, own: int) -> Array:
        """How many cells [T, 9] differ, but for the own one and that which the agent stood on."""
        stood = differ[:, np.arange(LEAP), self.target[:, own]] & (self.target[:, own] >= 0)
        stood[:, STILL] = False  # that is the own cell
        return np.asarray(differ.sum(axis=2) - differ[:, :, own] - stood)

    def _evidence(self, track: Track, action: Array, usual: Array) -> float:
        """Log odds that the steps follow from the actions, against steps that only have a frequency."""
        seen = np.zeros((self.actions, LEAP + 1))
        np.add.at(seen, (action[track.clear], track.steps[track.clear]), 1)
        known = usual / np.maximum(usual.sum(axis=1, keepdims=True) / 4, 1)  # worth about four rows of this world
        alone = _dirichlet(seen.sum(axis=0, keepdims=True), np.full((1, LEAP + 1), PRIOR)).sum()
        # The actions do what they did elsewhere, or something else.
        either = [_dirichlet(seen, prior + PRIOR).sum() for prior in (known, np.zeros_like(known))]
        return float(np.logaddexp(*either) - np.log(2) - alone)

    def _obeys(self, track: Track, action: Array) -> bool:
        """Whether the same action in the same guise makes the same step: what goes its own way is not the agent."""
        moves = _steps_on(track)
        counts = np.zeros((GUISES, self.actions, LEAP))
        np.add.at(counts, (track.heading[moves], action[moves], track.steps[moves]), 1)
        return bool(counts.max(axis=2).sum() >= CONSTANT * moves.sum())

    def _where(self, scenes: Array, guises: Array) -> tuple[Array, Array]:
        """The token [T] at which the agent is shown, -1 where it is not, and its guise [T]."""
        real = guises[guises != UNSEEN]
        shown = (scenes[:, :, None] == real).any(axis=2)
        at = shown.argmax(axis=1)
        guise = (scenes[np.arange(len(scenes)), at][:, None] == guises).argmax(axis=1)
        return np.where(shown.any(axis=1), at, -1), guise

    def _schema(self, track: Track, before: Array, action: Array, usual: Array, held: int) -> Motions:
        """Where each action leads by heading, as far as the rows and other worlds tell."""
        selves = np.zeros(GUISES, np.int64)
        selves[: len(track.codes)] = track.codes
        heading, then, steps, moved = track.heading, track.then, track.steps, _steps_on(track)
        count, headings = self.actions, np.arange(GUISES)
        go = np.zeros((GUISES, count, 2), np.int64)
        turn = np.tile(headings[:, None], (1, count))
        facing = np.zeros((GUISES, 2), np.int64)
        absolute = np.zeros(count, bool)
        for a in range(count):
            rows = action == a
            steady = rows.any() and (heading[rows] == then[rows]).mean() >= CONSTANT
            if rows.any() and not steady:
                constant = _most(then[rows])
                for h in headings:
                    here = rows & (heading == h)
                    turn[h, a] = _most(then[here]) if here.any() else constant
                if (then[rows] == constant).mean() >= CONSTANT:
                    turn[:, a] = constant
            elif rows.any() and len(set(heading[rows])) == 1 and moved[rows].any():
                turn[:, a] = then[rows][0]  # it went on as it was headed: so far it may as well have turned there
            went = rows & moved
            if went.any():
                best = _most(steps[went])
                absolute[a] = (steps[went] == best).mean() >= CONSTANT
                for h in headings:
                    here = went & ((heading == h) | absolute[a])
                    go[h, a] = STEPS[_most(steps[here])] if here.any() else 0
        for h in headings:
            led = (then == h) & moved
            facing[h] = STEPS[_most(steps[led])] if led.any() else 0
        unmoved = np.flatnonzero((go == 0).all(axis=(0, 2)))
        tried, constant = np.isin(np.arange(count), action), (turn == turn[:1]).all(axis=0)
        for a in unmoved[tried[unmoved] & constant[unmoved]].tolist():
            if facing[turn[0, a]].any():
                # It turns to where another leads: what stood in its way is all that it did not step on.
                go[:, a], absolute[a] = facing[turn[0, a]], True
        # The others do what they did elsewhere; where two did not, what is left to them: two seldom do the same.
        expected = usual[:, :LEAP] * (np.arange(LEAP) != STILL)
        other = (STEPS[expected.argmax(axis=1)] != go[0]).any(axis=1) & absolute & expected.any(axis=1)
        expected[absolute | (tried & ~constant) | np.isin(np.arange(count), unmoved, invert=True)] = 0
        if other.sum() >= OTHERWISE:
            taken = (STEPS[:, None] == go[0, absolute]).all(axis=2).any(axis=1) | ~usual[:, :LEAP].any(axis=0)
            expected[expected.any(axis=1)] += TIE
            expected[:, taken] = 0
        expected[:, STILL] = 0
        while expected.any():
            a, way = np.unravel_index(expected.argmax(), expected.shape)
            go[:, a], absolute[a] = STEPS[way], True
            if tried[a]:
                facing[turn[0, a]] = STEPS[way]
            expected[a], expected[:, way] = 0, 0
        moves = (go != 0).any(axis=2)
        reach = np.where(moves[..., None], go, facing[:, None])
        alone = (turn != headings[:, None]) & ~moves
        reach = np.where(alone[..., None], 0, reach)
        verb = np.where(absolute, np.flatnonzero(absolute)[0] if absolute.any() else 0, np.arange(count))
        own = np.full(2, NOWHERE) if track.own == NOWHERE else self.position[track.own]
        blocked = self._blocked(track, before, action, go)
        barred = np.sign(blocked - 0.5)
        parts = [go.ravel(), turn.ravel(), reach.ravel(), facing.ravel(), selves, own, [held], barred]
        whole = np.concatenate(parts).astype(np.int64)
        version = int((whole * np.arange(1, 2 * len(whole), 2)).sum()) + 1
        return Motions(go, turn, reach, facing, verb, own, selves, blocked, held, True, version)

    def _blocked(self, track: Track, before: Array, action: Array, go: Array) -> Array:
        """Chance, by code, that stepping onto it leaves the agent in place: .1, .5 or .9. Asked only where the view
        does not show where the agent is."""
        if track.own == NOWHERE:
            return np.full(1, 0.5, np.float32)
        step = go[track.heading, action]
        way = step[:, 0] * 3 + step[:, 1] + STILL
        ahead = self.source[way, track.own]
        front, tells = before[np.arange(len(before)), ahead], track.clear & (way != STILL) & (ahead >= 0)
        stood, walked = np.zeros((2, int(before.max()) + 1))
        np.add.at(stood, front[tells & (track.steps == STILL)], 1)
        np.add.at(walked, front[tells & (track.steps == way)], 1)
        return np.asarray(0.5 + 0.4 * np.sign(stood - walked), np.float32)


def _flows(differ: Array) -> bool:
    """Whether a shift of the view explains most of the rows in which much changes, by the cells [T, 9, N] that differ
    after each; leaps tell nothing."""
    unlike = differ.sum(axis=2)
    least = unlike.min(axis=1)
    much = (unlike[:, STILL] > 2 * TOUCHED) & (least <= STRANGE)
    shifts = unlike[:, STILL] - least >= CLEAR
    return bool((much & shifts).sum() > (much & ~shifts).sum())


def _steps_on(track: Track) -> Array:
    """The rows [T] in which it clearly went to a neighbouring cell."""
    return np.asarray(track.clear & (track.steps != STILL) & (track.steps != LEAP))


def _walks(track: Track, others: Array) -> bool:
    """Whether a candidate moves, leaps seldom, and leaves most of the ``others`` [T] as they are."""
    moves, leaps = _steps_on(track), track.steps == LEAP
    return bool(moves.any() and leaps.mean() <= LEAPS and np.median(others[moves]) <= TOUCHED)


def _covers(present: Array, chosen: tuple[int, ...] = ()) -> Iterator[list[int]]:
    """All sets of at most GUISES columns of ``present`` [scenes, codes] of which each row has exactly one, in order
    (exact cover, Knuth 2000: what shows the first scene that is not covered yet is tried in turn)."""
    covered = np.asarray(present[:, chosen].any(axis=1))
    if covered.all():
        yield sorted(chosen)
    elif len(chosen) < GUISES:
        free = np.flatnonzero(~(present & covered[:, None]).any(axis=0))
        if present[:, free].sum(axis=0).max(initial=0) * (GUISES - len(chosen)) < (~covered).sum():
            return  # too few are left
        for code in free[present[covered.argmin(), free]].tolist():
            yield from _covers(present, (*chosen, code))


def _step(at: Array, then: Array, position: Array) -> Array:
    """Which of STEPS leads from token to token [T], LEAP where none does; a token that is none stays."""
    delta = np.where(((at >= 0) & (then >= 0))[:, None], position[then] - position[at], 0)
    return np.where((np.abs(delta) <= 1).all(axis=1), delta[:, 0] * 3 + delta[:, 1] + STILL, LEAP)


def _dirichlet(counts: Array, prior: Array) -> Array:
    """Log evidence [n] of counts [n, k] under a Dirichlet prior."""
    total, weight = counts.sum(axis=1), prior.sum(axis=1)
    each = (gammaln(counts + prior) - gammaln(prior)).sum(axis=1)
    return np.asarray(gammaln(weight) - gammaln(total + weight) + each)


def _most(values: Array) -> int:
    """The most frequent of some small numbers, the smallest of equals."""
    return int(np.bincount(values).argmax())
