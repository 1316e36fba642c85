"""Registration: which rigid motion of the view each action makes, found from pairs of scenes.

Each action scores every rigid motion of the view by its likelihood: a cell that the motion brings from a seen cell
should show the same code, a cell that it brings from outside shows codes at their base rate. Walking into a wall
leaves the view as it is, so an action's likelihood mixes the motion with standing still. The turns' fixed point is
the agent's own cell; the cell that walking brings under the agent is the one in front. A view that never turns is not
resolved here; see guises. (Biology: the body schema learned from efference copies, Wolpert 1998.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from cortex.types import TURN, UNSEEN, Array, Motions

MISREAD = 0.05
"""Chance that a cell changes by itself between two steps."""
EVIDENCE = 12.0
"""Nats by which a motion must explain an action's rows better than standing still does."""
CLEAR = 2.0
"""Nats by which one step must favour moving or standing to count as a clear case."""
TOUCHED = 2
"""Cells that change when an action acts instead of moves: the one that it touches, and the own one, which shows what
is held."""
TRIALS = 4
"""Rows of every action that must exist before anything is concluded."""
ROWS = 64
"""Distinct rows of an action that are scored; more add time, not certainty."""


def silent(actions: int) -> Motions:
    """The body schema of one who has seen nothing: no motion known."""
    return rigid(np.zeros(actions, np.int64), np.zeros((actions, 2), np.int64), np.zeros(2, np.int64), None, None)


def rigid(
    rotation: Array, shift: Array, own: Array, front: Array | None, blocked: Array | None, held: int = -1
) -> Motions:
    """The body schema of one whose view moves along: action a moves what is seen by p -> R^rotation[a] p + shift[a].

    ``rotation`` [A], ``shift`` [A, P], ``own`` and ``front`` [P] in the view; unresolved without ``front``. ``held``:
    the token that shows what is held.
    """
    actions = len(rotation)
    drift = np.einsum("aij,j->ai", TURN[rotation], own) + shift - own
    turn = (np.arange(4)[:, None] - rotation) % 4
    go = -np.einsum("haij,aj->hai", TURN[turn], drift)
    facing = np.zeros((4, 2), np.int64) if front is None else TURN @ (front - own)
    reach = np.where((rotation != 0)[None, :, None], 0, facing[:, None])
    version = 0
    blocked = np.full(1, 0.5, np.float32) if blocked is None else blocked
    if front is not None:
        parts = np.concatenate([rotation, shift.ravel(), own, front, blocked * 10]).astype(np.int64)
        version = int((parts * np.arange(1, 2 * len(parts), 2)).sum() + len(parts)) + 1
    selves = np.zeros(4, np.int64)
    return Motions(go, turn, reach, facing, np.arange(actions), own, selves, blocked, held, front is not None, version)


def hypotheses(position: Array) -> tuple[Array, Array, Array]:
    """All rigid motions that keep at least a quarter of the view in sight.

    ``position`` [N, P] int. Returns rotation [H], shift [H, P] and source [H, N]: the token that the motion brings to
    each place, -1 where it comes from outside. Standing still is the first.
    """
    low, high = position.min(axis=0), position.max(axis=0)
    size = high - low + 1
    index = np.full(size, -1)
    index[tuple((position - low).T)] = np.arange(len(position))
    found: list[tuple[int, Array, Array]] = []
    for rotation in range(4):
        turned = position @ TURN[rotation].T
        for shift in np.ndindex(*(2 * (size + np.abs(turned).max(axis=0)) + 1)):
            offset = np.array(shift) - (size + np.abs(turned).max(axis=0))
            moved = turned + offset - low
            inside = ((moved >= 0) & (moved < size)).all(axis=1)
            if 4 * inside.sum() < len(position):
                continue
            source = np.full(len(position), -1)
            source[index[tuple(moved[inside].T)]] = np.flatnonzero(inside)
            found.append((rotation, offset, source))
    found.sort(key=lambda h: (h[0], int(np.abs(h[1]).sum()), tuple(h[1])))
    return np.array([h[0] for h in found]), np.stack([h[1] for h in found]), np.stack([h[2] for h in found])


def likelihood(before: Array, after: Array, source: Array, base: Array) -> Array:
    """Log likelihood [T, H] of each motion for each pair of scenes; ``before``, ``after`` [T, N] codes, ``base`` [V]
    base rates."""
    rate, seen = base[after], after != UNSEEN
    new, same, other = (np.log(p) * seen for p in (rate, 1 - MISREAD + MISREAD * rate, MISREAD * rate))
    outside = np.full((len(before), 1), UNSEEN, before.dtype)  # the last, which a source of -1 points to
    return np.asarray(_likelihood(np.hstack([before, outside]), after, source, new, same, other))


@njit(cache=True)
def _likelihood(before: Array, after: Array, source: Array, new: Array, same: Array, other: Array) -> Array:
    told = np.empty((len(after), len(source)))
    for row in range(len(after)):
        sooner, later = before[row], after[row]
        for motion in range(len(source)):
            total = 0.0
            for i in range(len(later)):
                origin = sooner[source[motion, i]]
                if origin == UNSEEN:
                    total += new[row, i]
                else:
                    total += same[row, i] if origin == later[i] else other[row, i]
            told[row, motion] = total
    return told


def _walks(rotation: Array, shift: Array) -> Array:
    """Which motions [A] lead elsewhere without a turn."""
    return np.asarray((rotation == 0) & (shift != 0).any(axis=1))


def changed(before: Array, after: Array) -> Array:
    """Cells [T] that are seen in both scenes and show another code; ``before``, ``after`` [T, N]."""
    return np.asarray(((before != UNSEEN) & (after != UNSEEN) & (before != after)).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Scored:
    """What the rows of one action say."""

    rows: Array  # [n] distinct ones
    best: int  # the motion that explains them best
    gain: float  # nats by which it explains them better than standing still does
    rival: float  # the same of the best motion that does not turn
    moved: Array  # [n] nats by which each row favours moving
    much: Array  # [n] bool, more cells changed than an action touches


class Registration:
    """Finds the motions of a view with ``position`` [N, P] (integer cells) for ``actions`` actions.

    ``tokens`` [N]: which of the scene's tokens its cells are.
    """

    def __init__(self, position: Array, actions: int, tokens: Array | None = None) -> None:
        self.position = np.asarray(position, np.int64)
        self.tokens = np.arange(len(position)) if tokens is None else tokens
        self.actions = actions
        self.rotation, self.shift, self.source = hypotheses(self.position)
        self.names = np.random.default_rng(3).integers(1, 2**62, 2 * len(self.position), dtype=np.int64) | 1

    def fit(self, before: Array, after: Array, action: Array) -> Motions:
        """Motions from rows: ``before``, ``after`` [T, N] codes, ``action`` [T]; unresolved where they do not tell,
        with the turns that they do tell."""
        if len(action) == 0:
            return silent(self.actions)
        count = np.bincount(after.ravel())
        base = np.maximum(count, 0.5) / max(1, count[1:].sum())
        base = np.minimum(
            np.pad(base, (0, max(0, int(before.max()) + 1 - len(base))), constant_values=0.5 / len(action)), 1.0
        )
        scored = [self._score(a, before, after, action, base) for a in range(self.actions)]
        rotation, shift = np.zeros(self.actions, np.int64), np.zeros((self.actions, 2), np.int64)
        turning = np.zeros(self.actions, bool)

        def find(among: Array, most: int) -> None:
            """Take the motion of each action that two rows tell clearly by more than ``most`` cells ``among`` all."""
            for a, score in enumerate(scored):
                much = changed(before[score.rows][:, among], after[score.rows][:, among]) > most
                if score.gain >= EVIDENCE and ((score.moved > CLEAR) & much).sum() >= 2:
                    rotation[a], shift[a] = self.rotation[score.best], self.shift[score.best]
                    turning[a] = score.gain - score.rival >= EVIDENCE

        find(np.ones(len(self.position), bool), TOUCHED)
        own, astray = self._own(rotation, shift)
        rotation[astray], shift[astray] = 0, 0
        if own is not None and not _walks(rotation, shift).any():
            # In a narrow place few cells change by a step. What an action touches lies beside the agent.
            find(np.abs(self.position - own).sum(axis=1) > 1, 0)
        walks = np.flatnonzero(_walks(rotation, shift))
        still = np.setdiff1d(np.flatnonzero((rotation == 0) & (shift == 0).all(axis=1)), astray)
        # A motion that is not found yet: mapping on would corrupt the map.
        unclear = any(len(scored[a].rows) < 1 or scored[a].much.mean() > 0.2 for a in still)
        if unclear or len(walks) == 0 or own is None:
            return rigid(rotation * turning, np.zeros_like(shift), np.zeros(2, np.int64), None, None)
        front = own - shift[walks[0]]
        clear = []  # rows in which a walk clearly moved or clearly did not, and which
        for score in (scored[a] for a in walks):
            decided = np.abs(score.moved) > CLEAR
            clear.append((score.rows[decided], score.moved[decided] > 0))
        blocked = self._blocked(before, clear, front)
        at = np.flatnonzero((self.position == own).all(axis=1))
        return rigid(rotation, shift, own, front, blocked, int(self.tokens[at[0]]) if len(at) else -1)

    def _score(self, a: int, before: Array, after: Array, action: Array, base: Array) -> Scored:
        """How well each motion explains the rows of an action, which are too few to tell below TRIALS."""
        rows = np.flatnonzero(action == a)
        if len(rows) < TRIALS:
            return Scored(rows[:0], 0, 0.0, 0.0, np.zeros(0), np.zeros(0, bool))
        both = np.concatenate([before[rows], after[rows]], axis=1).astype(np.int64)
        rows = rows[np.unique((both * self.names).sum(axis=1), return_index=True)[1]][:ROWS]
        scores = likelihood(before[rows], after[rows], self.source, base)
        mixed = np.logaddexp(scores[:, :1], scores) - np.log(2.0)
        gain = (mixed - scores[:, :1]).sum(axis=0)
        best = int(np.argmax(gain))
        much = changed(before[rows], after[rows]) > TOUCHED
        rival = float(gain[self.rotation == 0].max())
        return Scored(rows, best, float(gain[best]), rival, scores[:, best] - scores[:, 0], much)

    def _own(self, rotation: Array, shift: Array) -> tuple[Array | None, list[int]]:
        """The fixed point of most turns, and the actions whose turns contradict these: what opens a door onto a room
        shows much at once. None where there is no turn, or as many have another fixed point."""
        points: dict[tuple[float, ...], list[int]] = {}
        for a in np.flatnonzero(rotation):
            point = np.linalg.solve(np.eye(2) - TURN[rotation[a]], shift[a])
            points.setdefault(tuple((2 * point).round() / 2), []).append(int(a))
        if not points:
            return None, []
        first, *others = sorted(points, key=lambda point: -len(points[point]))
        own, tied = np.array(first), bool(others) and len(points[others[0]]) == len(points[first])
        if tied or not (self.position == own).all(axis=1).any():
            return None, []
        return own.astype(np.int64), [a for point in others for a in points[point]]

    def _blocked(self, before: Array, clear: list[tuple[Array, Array]], front: Array) -> Array:
        """Chance, by code in front, that walking leaves the agent in place: .1, .5 or .9, so that it settles soon."""
        at = np.flatnonzero((self.position == front).all(axis=1))
        codes = int(before.max()) + 1
        stood, walked = np.zeros(codes), np.zeros(codes)
        for rows, moved in clear:
            if len(at):
                np.add.at(stood, before[rows[~moved], at[0]], 1)
                np.add.at(walked, before[rows[moved], at[0]], 1)
        return np.asarray(0.5 + 0.4 * np.sign(stood - walked), np.float32)
