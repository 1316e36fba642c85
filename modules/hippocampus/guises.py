"""The body schema in a view that stays: which of the things in it am I, and where do my actions take me?

The agent is the thing, in one guise or several, that is in every scene exactly once and whose steps its actions
explain (agency as contingency between efference and what is seen; Wolpert 1998, Haggard 2017). Guises stand for
headings. What an action did in earlier worlds is what it is expected to do in this one.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from cortex.types import UNSEEN, Array, Motions

GUISES = 4
"""Most guises of one agent."""
ROWS = 64
"""Latest rows that are looked at; more add time, not certainty."""
TOUCHED = 2
"""Most cells that change at a usual step beside those that the agent leaves and enters, in a view that stays."""
MARGIN = 1.0
"""Nats by which one candidate's steps must be explained better than another's."""
CONSTANT = 0.8
"""Share of an action's rows that one answer must explain to be taken for its rule."""
PRIOR = 0.2
"""Pseudo-count of every step that an action might make."""
STEPS = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
"""Steps that are told apart: to a neighbour, or none; and, after them, a leap to anywhere else."""
STILL, LEAP = 4, 9
LEAPS = 0.2
"""Largest share of leaps."""


class Guises:
    """Finds the agent among the cells of a view with ``position`` [N, P] for ``actions`` actions."""

    def __init__(self, position: Array, actions: int) -> None:
        self.position, self.actions = np.asarray(position, np.int64), actions

    def fit(self, before: Array, after: Array, action: Array, usual: Array, held: int) -> Motions | None:
        """The schema from rows ``before``, ``after`` [T, N] codes, ``action`` [T] of one world; None while they do not
        tell. ``usual`` [A, 10]: how often each action made each step in other worlds."""
        before, after, action = before[-ROWS:], after[-ROWS:], action[-ROWS:]
        if not len(action):
            return None
        found = [
            (self._evidence(steps, action, usual), codes, steps)
            for codes, steps in self._candidates(before, after)
            if self._obeys(steps, self._where(before, codes)[1], action)
        ]
        found.sort(key=lambda one: -one[0])
        if not found or (len(found) > 1 and found[0][0] - found[1][0] < MARGIN):
            return None
        return self._schema(found[0][1], before, after, action, usual, held)

    def steps(self, motions: Motions, before: Array, after: Array, action: Array) -> Array:
        """How often each action made each step [A, 10] in rows [T, N] of a world with this schema."""
        taken = _step(self._where(before, motions.selves)[0], self._where(after, motions.selves)[0], self.position)
        counts = np.zeros((self.actions, LEAP + 1))
        np.add.at(counts, (action, taken), 1)
        return counts

    def _candidates(self, before: Array, after: Array) -> list[tuple[Array, Array]]:
        """Sets of codes of which every scene shows exactly one, and which move: codes and steps [T] of each."""
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
        found: dict[tuple[int, ...], Array] = {}
        for first in range(len(codes)):
            chosen, covered = [first], present[:, first].copy()
            while not covered.all() and len(chosen) < GUISES:
                free = ~(present & covered[:, None]).any(axis=0)
                gain = np.where(free, present.sum(axis=0), 0)
                if gain.max(initial=0) == 0:
                    break
                chosen.append(int(gain.argmax()))
                covered |= present[:, chosen[-1]]
            if not covered.all():
                continue
            guises = np.sort(codes[chosen])
            at, then = self._where(before, guises)[0], self._where(after, guises)[0]
            steps = _step(at, then, self.position)
            others = (before != after).sum(axis=1) - 2 * (at != then)
            moves = (steps != STILL) & (steps != LEAP)
            if moves.any() and (steps == LEAP).mean() <= LEAPS and np.median(others[moves]) <= TOUCHED:
                found[tuple(guises.tolist())] = steps
        return [(np.array(guises), steps) for guises, steps in found.items()]

    def _evidence(self, steps: Array, action: Array, usual: Array) -> float:
        """Log odds that the steps follow from the actions, against steps that only have a frequency."""
        seen = np.zeros((self.actions, LEAP + 1))
        np.add.at(seen, (action, steps), 1)
        known = usual / np.maximum(usual.sum(axis=1, keepdims=True) / 4, 1)  # worth about four rows of this world
        alone = _dirichlet(seen.sum(axis=0, keepdims=True), np.full((1, LEAP + 1), PRIOR)).sum()
        # The actions do what they did elsewhere, or something else.
        either = [_dirichlet(seen, prior + PRIOR).sum() for prior in (known, np.zeros_like(known))]
        return float(np.logaddexp(*either) - np.log(2) - alone)

    def _obeys(self, steps: Array, guise: Array, action: Array) -> bool:
        """Whether the same action in the same guise makes the same step: what goes its own way is not the agent."""
        moves = (steps != STILL) & (steps != LEAP)
        counts = np.zeros((GUISES, self.actions, LEAP))
        np.add.at(counts, (guise[moves], action[moves], steps[moves]), 1)
        return bool(counts.max(axis=2).sum() >= CONSTANT * moves.sum())

    def _where(self, scenes: Array, guises: Array) -> tuple[Array, Array]:
        """The token [T] at which the agent is shown, -1 where it is not, and its guise [T]."""
        real = guises[guises != UNSEEN]
        shown = (scenes[:, :, None] == real).any(axis=2)
        at = shown.argmax(axis=1)
        guise = (scenes[np.arange(len(scenes)), at][:, None] == guises).argmax(axis=1)
        return np.where(shown.any(axis=1), at, -1), guise

    def _schema(self, codes: Array, before: Array, after: Array, action: Array, usual: Array, held: int) -> Motions:
        """Where each action leads by heading, as far as the rows and other worlds tell."""
        selves = np.zeros(GUISES, np.int64)
        selves[: len(codes)] = codes
        (at, heading), (_, then) = self._where(before, selves), self._where(after, selves)
        steps = _step(at, self._where(after, selves)[0], self.position)
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
            elif rows.any() and len(set(heading[rows])) == 1 and not np.isin(steps[rows], (STILL, LEAP)).all():
                turn[:, a] = then[rows][0]  # it went on as it was headed: so far it may as well have turned there
            went = rows & (steps != STILL) & (steps != LEAP)
            if went.any():
                best = _most(steps[went])
                absolute[a] = (steps[went] == best).mean() >= CONSTANT
                for h in headings:
                    here = went & ((heading == h) | absolute[a])
                    go[h, a] = STEPS[_most(steps[here])] if here.any() else 0
        for h in headings:
            led = (then == h) & (steps != STILL) & (steps != LEAP)
            facing[h] = STEPS[_most(steps[led])] if led.any() else 0
        for a in np.flatnonzero((go == 0).all(axis=(0, 2))).tolist():
            constant, tried = (turn[:, a] == turn[0, a]).all(), (action == a).any()
            expected = usual[a, :LEAP] * (np.arange(LEAP) != STILL)
            if tried and constant and facing[turn[0, a]].any():
                # It turns to where another leads: what stood in its way is all that it did not step on.
                go[:, a], absolute[a] = facing[turn[0, a]], True
            elif expected.any() and (constant or not tried):
                go[:, a], absolute[a] = STEPS[int(expected.argmax())], True
                if tried:
                    facing[turn[0, a]] = go[0, a]
        moves = (go != 0).any(axis=2)
        reach = np.where(moves[..., None], go, facing[:, None])
        alone = (turn != headings[:, None]) & ~moves
        reach = np.where(alone[..., None], 0, reach)
        verb = np.where(absolute, np.flatnonzero(absolute)[0] if absolute.any() else 0, np.arange(count))
        parts = np.concatenate([go.ravel(), turn.ravel(), reach.ravel(), facing.ravel(), selves, [held]])
        version = int((parts * np.arange(1, 2 * len(parts), 2)).sum() + 31 * len(parts)) + 1
        own = np.zeros(2, np.int64)
        return Motions(go, turn, reach, facing, verb, own, selves, np.full(1, 0.5, np.float32), held, True, version)


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
