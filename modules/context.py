"""Short-term memory: a slow trace of percepts, and a map of what was seen before in this episode.

The trace is the leaky average of the temporal context model (Howard & Kahana 2002). The map is built by path
integration: of the motions that the last action can make, standing still among them, the one whose view agrees best
with the map is taken (place and grid cells; McNaughton 2006). One who finds that neither agrees looks for what is seen
on the map, and else begins another. What is heard as an episode begins is kept in mind with the words of its mission.
With ``length`` 0 only the present scene is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from cortex.types import (
    FACING,
    MODALITIES,
    TOKEN_WIDTH,
    TURN,
    UNSEEN,
    Array,
    Layout,
    Motions,
    Place,
    Scene,
    Sensed,
    State,
    Vocabulary,
    spread,
)

MATCH, MISMATCH = np.log([0.95, 0.005])
"""Log likelihood of a cell that shows what the map says, or another thing."""

SMOOTH, ROUGH = np.log([0.9, 0.1])
"""The same of a cell that the map does not know: one beside it shows the same, or none does. Worlds are smooth."""

STRANGE = 6
"""Cells of the view that disagree with the map from which more of them make the agent look for where it is."""
EVIDENCE, CHANGED = 12.0, 3
"""Nats by which a place of the map must explain the view better than chance does for the agent to be found there, and
how many cells of it may have changed since."""
TURNS = 20.0
"""Log odds that a turn happens: nothing stands in its way, and a room may look alike on all sides."""
PASSED = 256
"""Most actions of an episode of which is known where they led."""
GAZE = np.full((1, TOKEN_WIDTH), TOKEN_WIDTH**-0.5, np.float32)
"""The token that stands where the agent looks, in a view that does not turn with it."""


@dataclass(frozen=True, slots=True)
class Carry:
    """What short-term memory hands from one step to the next."""

    trace: Array  # [B, D]
    cells: Array  # [B, S, S] int32 codes
    seen: Array  # [B, S, S] int32, the clock when the cell was last in view
    pose: Array  # [B, 3] row, column, heading
    action: Array  # [B] int64, the last action, -1 at the beginning
    clock: Array  # [B] int32, steps in this episode
    frame: Array  # [B] int64, of the motions that the map was made with
    passed: Array  # [B, PASSED] int64, see `Place`
    carried: Array  # [B] int64, code of what it held
    heard: Array  # [B] int64, identity of what was heard when the episode began


@dataclass(frozen=True, slots=True)
class Sight:
    """How a view lies on the map of one with these motions."""

    motions: Motions
    own: Array  # [n] bool, the cell in which the agent stands
    offset: Array  # [4, n, P] int64, from the agent to each cell on the map, by heading
    body: tuple[Array, ...]  # where it goes and turns, what is only a turn, by heading and action; what bars the way


class Context:
    """Short-term memory for scenes of one layout.

    ``length``: steps that it reaches back. ``decay``: of the trace, a step. ``size``: side S of the map, which wraps
    around. ``surroundings``: radius of the egocentric window that is handed on; ``tokens``: the most of its cells,
    nearest first.
    """

    def __init__(
        self,
        layout: Layout,
        codebook: Vocabulary,
        width: int,
        length: int,
        decay: float,
        size: int,
        surroundings: int,
        tokens: int,
    ) -> None:
        self.layout, self.codebook = layout, codebook
        self.width, self.length, self.decay, self.size = width, length, decay, size
        self.grid = np.flatnonzero(layout.modality == MODALITIES["grid"])
        self.words = np.flatnonzero(layout.modality == MODALITIES["text"])
        self.sounds = np.flatnonzero(layout.modality == MODALITIES["sound"])
        self.rest = np.flatnonzero(layout.modality != MODALITIES["grid"])
        self.view = layout.position[self.grid].astype(np.int64)
        span = np.arange(-surroundings, surroundings + 1)
        window = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
        apart = np.abs(self.view[:, None] - self.view[None]).sum(axis=2)
        self.beside = np.argsort(apart != 1, axis=1, kind="stable")[:, :4]  # up to four neighbours of each cell
        self.touches = np.take_along_axis(apart == 1, self.beside, axis=1)
        self.near = self.beside, self.touches
        self.window = window[np.lexsort((window[:, 1], window[:, 0], np.abs(window).sum(axis=1)))]
        self.tokens = min(tokens, len(self.window))
        self.around = np.einsum("hij,nj->hni", TURN, self.window)  # the window on the map, by heading
        self.names = np.random.default_rng(0).integers(1, 2**62, (2, max(1, len(layout.modality))), dtype=np.int64) | 1
        self._sight: Sight | None = None
        self._latest: tuple[Carry, Sensed, Motions, tuple[Carry, State]] | None = None

    def initial(self, bodies: int) -> Carry:
        """Short-term memory before the first step of ``bodies`` bodies."""
        side = self.size if len(self.grid) else 0
        return Carry(
            trace=np.zeros((bodies, self.width), np.float32),
            cells=np.zeros((bodies, side, side), np.int32),
            seen=np.zeros((bodies, side, side), np.int32),
            pose=np.tile(np.array([side // 2, side // 2, 0]), (bodies, 1)),
            action=np.full(bodies, -1, np.int64),
            clock=np.zeros(bodies, np.int32),
            frame=np.zeros(bodies, np.int64),
            passed=np.zeros((bodies, PASSED), np.int64),
            carried=np.zeros(bodies, np.int64),
            heard=np.zeros(bodies, np.int64),
        )

    def __call__(
        self, carry: Carry, sensed: Sensed, first: Array, motions: Motions, around: bool = True
    ) -> tuple[Carry, State]:
        """One step; ``first`` [B] says which bodies begin an episode. Without ``around`` the scene stays as it is, even
        where there is a map."""
        if first.any() or not self._known(carry, sensed, motions):
            self._latest = carry, sensed, motions, self._step(carry, sensed, first, motions)
        assert self._latest is not None
        carry, state = self._latest[-1]
        if not around or state.place is None:
            return carry, state
        return carry, replace(state, scene=self.surroundings(state.place, state.codes, motions))

    def spot(self, state: State, held: int) -> Array:
        """One number [B] for where the agents are and what they hold, or, without a map, for what they see and what the
        token ``held`` shows; -1: nothing is known to."""
        if state.place is not None:
            return sign_of(state.place)
        if not len(self.grid):
            return state.code
        tells = self.grid if held < 0 else np.append(self.grid, held)
        return np.asarray(state.codes[:, tells] @ self.names[0, tells])

    def _known(self, carry: Carry, sensed: Sensed, motions: Motions) -> bool:
        """Whether this was asked just before: what is observed after one step is what the next one begins with."""
        if self._latest is None:
            return False
        told, seen, body, _ = self._latest
        return carry is told and sensed is seen and motions is body

    def _step(self, carry: Carry, sensed: Sensed, first: Array, motions: Motions) -> tuple[Carry, State]:
        scene, codes = sensed.scene, sensed.codes
        fresh = first | (self.length == 0)
        decay = np.where(fresh, 0.0, self.decay).astype(np.float32)[:, None]
        trace = decay * carry.trace + (1 - decay) * sensed.percept.latent
        clock = np.where(fresh, 0, carry.clock + 1).astype(np.int32)
        code = codes @ self.names[0, : codes.shape[1]]
        heard = np.where(fresh, codes[:, self.sounds] @ self.names[1, self.sounds], carry.heard)
        carry = replace(carry, trace=trace, clock=clock, heard=heard)
        if not (motions.resolved and len(self.grid)):
            return carry, State(trace, scene, code, codes, None)
        fresh |= carry.frame != motions.frame
        stood = carry.pose
        carry, place = self._map(carry, codes, fresh, motions)
        carry, place = self._note(carry, place, stood, fresh)
        return carry, State(trace, scene, code, codes, place)

    def scene(self, codes: Array) -> Scene:
        """The scene that ``codes`` [B, N] stand for."""
        position, modality = spread(self.layout.position, len(codes)), spread(self.layout.modality, len(codes))
        return Scene(self.codebook.decode(codes), position, modality, codes != UNSEEN)

    def _map(self, carry: Carry, codes: Array, fresh: Array, motions: Motions) -> tuple[Carry, Place]:
        """Where am I, and what does the map say now."""
        cells, seen = carry.cells.copy(), carry.seen.copy()
        cells[fresh], seen[fresh] = UNSEEN, 0
        view = codes[:, self.grid].astype(np.int32, order="C")
        sight = self._sight_of(motions)
        if not motions.along:
            pose = _stand(cells, seen, view, self.view, motions.selves, carry.pose, carry.clock)
        else:
            middle = np.array([self.size // 2, self.size // 2, 0])
            pose = np.where(fresh[:, None], middle, carry.pose)
            pose = _walk(cells, view, sight.offset, sight.own, self.near, sight.body, pose, carry.action, fresh)
            if motions.shown:
                self._recognise(cells, view, sight, pose)
            _draw(cells, seen, view, sight.offset, sight.own, pose, carry.clock)
        carry = replace(carry, cells=cells, seen=seen, pose=pose, frame=np.full(len(codes), motions.frame))
        if motions.along and (carry.clock >= max(1, self.length)).any():
            cells = np.where(carry.clock[:, None, None] - seen < max(1, self.length), cells, UNSEEN)
        return carry, self._place(cells, pose, codes, motions, carry.heard)

    def _sight_of(self, motions: Motions) -> Sight:
        """How the view lies on the map; kept for as long as the body schema stays."""
        if self._sight is None or self._sight.motions is not motions:
            offset = np.einsum("hij,nj->hni", TURN, self.view - motions.own)
            # What the agent looks like says nothing of how its view is turned.
            offset = np.ascontiguousarray(np.repeat(offset[:1], 4, axis=0) if motions.shown else offset)
            blocked = motions.blocked.astype(np.float64)
            body = tuple(map(np.ascontiguousarray, (motions.go, motions.turn, motions.turns, blocked)))
            self._sight = Sight(motions, (self.view == motions.own).all(axis=1), offset, body)
        return self._sight

    def _recognise(self, cells: Array, view: Array, sight: Sight, pose: Array) -> None:
        """Take the heading from what the agent looks like, and look for it where the map says otherwise than the view;
        ``pose`` [B, 3] and ``cells`` are changed."""
        motions = sight.motions
        told = view[:, sight.own] == motions.selves
        pose[:, 2] = np.where(told.any(axis=1), told.argmax(axis=1), pose[:, 2])
        for lost in np.flatnonzero(_unlike(cells, view, sight.offset, sight.own, pose) > STRANGE):
            shown = (view[lost] != UNSEEN) & ~sight.own
            pose[lost, :2], found = self._find(cells[lost], view[lost], shown, motions)
            cells[lost] = np.where(found, cells[lost], UNSEEN)

    def _place(self, cells: Array, pose: Array, codes: Array, motions: Motions, heard: Array) -> Place:
        carried = np.zeros(len(codes), np.int64) if motions.held < 0 else codes[:, motions.held]
        mission = codes[:, self.words] @ self.names[1, self.words] + heard
        none = np.zeros((len(codes), PASSED), np.int64)
        return Place(cells, pose, front_of(pose, motions, self.size), carried, mission, none)

    def centred(self, codes: Array, own: Array, facing: Array, held: int) -> Scene:
        """What is around an agent that a view shows at its grid token ``own`` [B], and what its other senses say; as
        `surroundings`, of the present view alone. ``facing`` [B]: which of `FACING` it does, -1 where that is unknown.
        ``held``: the token that shows what the agent holds, -1 for none."""
        bodies, size = np.arange(len(codes)), self.size
        cells = np.zeros((len(codes), size, size), np.int32)
        at = self.view % size
        cells[:, at[:, 0], at[:, 1]] = codes[:, self.grid]
        pose = np.column_stack([self.view[own], np.zeros(len(codes), np.int64)])
        cells[bodies, pose[:, 0] % size, pose[:, 1] % size] = UNSEEN
        carried = np.zeros(len(codes), np.int64) if held < 0 else codes[:, held]
        gaze = np.where((facing >= 0)[:, None], FACING[facing], 0)
        return self._surroundings(cells, pose, self.around[:1], carried, codes, gaze)

    def _note(self, carry: Carry, place: Place, stood: Array, fresh: Array) -> tuple[Carry, Place]:
        """The last action led here from where the agent ``stood`` [B, 3], and the episode goes on."""
        passed = np.where(fresh[:, None], 0, carry.passed)
        moved = (stood[:, :2] != place.pose[:, :2]).any(axis=1)
        _note(passed, np.where(fresh, -1, carry.action), moved, carry.carried, sign_of(place))
        return replace(carry, passed=passed, carried=place.carried.astype(np.int64)), replace(place, passed=passed)

    def _find(self, cells: Array, view: Array, shown: Array, motions: Motions) -> tuple[Array, bool]:
        """Where on the map [S, S] a ``view`` [n] that does not turn is seen from, and whether it is known there."""
        places = np.argwhere(cells != UNSEEN)  # it stands on what it has seen
        at = (places[:, None] + (self.view - motions.own)[shown]) % self.size
        told = cells[at[..., 0], at[..., 1]]
        alike, other = told == view[shown], (told != UNSEEN) & (told != view[shown])
        count = np.bincount(cells.ravel(), minlength=int(view.max()) + 1)
        rare = -np.log(np.maximum(count, 1) / max(1, count[1:].sum()))[view[shown]]  # what is everywhere tells little
        score = np.where(other.sum(axis=1) <= CHANGED, alike @ rare + MISMATCH * other.sum(axis=1), -np.inf)
        known = score.max(initial=-np.inf) > EVIDENCE
        return (places[score.argmax()], True) if known else (np.full(2, self.size // 2), False)

    def surroundings(self, place: Place, codes: Array, motions: Motions) -> Scene:
        """What is around the agent, nearest first, in its own frame, and what its other senses say."""
        heading = place.pose[:, 2]
        window, gaze = self.around[heading], np.zeros((len(codes), 2), np.int64)
        if motions.shown:  # the view stays as it is, and where the agent looks has to be told
            window, gaze = self.around[:1], motions.facing[heading]
        return self._surroundings(place.cells, place.pose, window, place.carried, codes, gaze)

    def _surroundings(
        self, cells: Array, pose: Array, window: Array, carried: Array, codes: Array, gaze: Array
    ) -> Scene:
        """``window`` [B or 1, n, P] around ``pose`` [B, 3], and the cell at ``gaze`` [B, P] is marked, if not the own
        one."""
        bodies = np.arange(len(codes))[:, None]
        at = (pose[:, None, :2] + window) % self.size
        around = cells[bodies, at[..., 0], at[..., 1]]
        around[:, 0] = carried
        order = np.argsort(around == UNSEEN, axis=1, kind="stable")[:, : self.tokens]
        around = around[bodies, order]
        both = np.concatenate([around, codes[:, self.rest]], axis=1)
        grid = np.full((len(codes), order.shape[1] + 1), MODALITIES["grid"], np.int8)
        rest = spread(self.layout.modality[self.rest], len(codes))
        beside = spread(self.layout.position[self.rest], len(codes))
        tokens = np.concatenate([spread(GAZE, len(codes)), self.codebook.decode(both)], axis=1)
        position = np.concatenate([gaze[:, None], self.window[order], beside], axis=1).astype(np.float32)
        known = np.column_stack([gaze.any(axis=1), both != UNSEEN])
        return Scene(tokens, position, np.concatenate([grid, rest], axis=1), known)


@njit(cache=True)
def signature(row: Any, column: Any, heading: Any, carried: Any, front: Any) -> Any:
    """What is seen of a mapped scene at once, as one number: where the agent is, what it holds, what it faces."""
    return (((row * 64 + column) * 4 + heading) << 42) + (carried << 21) + front


def tell_sign(sign: int) -> tuple[int, int, int, int]:
    """What a `signature` says: the number of the place, the heading, the codes of what is held and what is faced."""
    return sign >> 44, (sign >> 42) & 3, (sign >> 21) & ((1 << 21) - 1), sign & ((1 << 21) - 1)


def place_number(row: int, column: int) -> int:
    """The number by which a `signature` tells a place."""
    return row * 64 + column


def sign_of(place: Place) -> Array:
    """The signature [B] of the present, to be held against a plan's expectation."""
    size, ahead = place.cells.shape[1], place.ahead
    front = place.cells[np.arange(len(ahead)), ahead[:, 0], ahead[:, 1]]
    row, column, heading = (place.pose % np.array([size, size, 4])).T
    return np.asarray(signature.py_func(row, column, heading, place.carried.astype(np.int64), front.astype(np.int64)))


@njit(cache=True)
def deed(action: int, moved: bool, held: int, sign: int) -> int:
    """One number, never 0, for an action, whether it moved the agent, what this held, and the signature of where it
    led: of equal deeds what is known of events foretells the same."""
    key = (sign * 64 + action % 64) * 0x1E3779B97F4A7C15
    return (key ^ ((2 * held + moved) * 0x3C6EF372FE94F82B) ^ (action // 64 * 0x2545F4914F6CDD1D)) | 1


@njit(cache=True)
def slot(key: int) -> int:
    """Where in ``passed`` a deed is noted; a later one may take its place."""
    return (key >> 40) % PASSED


@njit(cache=True)
def has_passed(passed: Array, action: int, moved: bool, held: int, sign: int) -> bool:
    """Whether a deed was done in this episode, of which ``passed`` [PASSED] tells."""
    key = deed(action, moved, held, sign)
    return bool(passed[slot(key)] == key)


@njit(cache=True)
def _note(passed: Array, action: Array, moved: Array, held: Array, sign: Array) -> None:
    for body in range(len(action)):
        if action[body] >= 0:
            key = deed(action[body], moved[body], held[body], sign[body])
            passed[body, slot(key)] = key


def front_of(pose: Array, motions: Motions, size: int) -> Array:
    """The cell of the map [n, P] in front of ``pose`` [n, 3], on a map of side ``size``."""
    return np.asarray((pose[:, :2] + motions.facing[pose[:, 2]]) % size)


@njit(cache=True)
def _stand(cells: Array, seen: Array, view: Array, position: Array, selves: Array, pose: Array, clock: Array) -> Array:
    """The pose [B, 3] in a ``view`` [B, n] that stays: where one of ``selves`` shows, else as before. All else that is
    in view is noted in ``cells`` and ``seen`` [B, S, S]."""
    told, size = pose.copy(), cells.shape[1]
    for body in range(len(view)):
        found = False
        for i, code in enumerate(view[body]):
            if code == UNSEEN:
                continue
            heading = 0
            while heading < len(selves) and selves[heading] != code:
                heading += 1
            if heading == len(selves):
                row, column = position[i, 0] % size, position[i, 1] % size
                cells[body, row, column], seen[body, row, column] = code, clock[body]
            elif not found:
                told[body, 0], told[body, 1], told[body, 2] = position[i, 0], position[i, 1], heading
                found = True
    return told


@njit(cache=True)
def _walk(
    cells: Array,
    view: Array,
    offset: Array,
    own: Array,
    near: tuple[Array, Array],
    schema: tuple[Array, ...],
    pose: Array,
    action: Array,
    fresh: Array,
) -> Array:
    """The pose [B, 3] after ``action`` [B] by which the ``view`` [B, n] agrees best with the map: moved or as before;
    ``fresh`` [B] bodies are where they are."""
    (beside, touches), (go, turn, still, blocked), size = near, schema, cells.shape[1]
    told, smooth = pose.copy(), np.zeros(view.shape[1], np.bool_)
    for body in range(len(view)):
        act, heading = action[body], pose[body, 2]
        if fresh[body] or act < 0:
            continue
        seen = view[body]
        for i in range(len(seen)):
            smooth[i] = False
            for k in range(beside.shape[1]):
                other = beside[i, k]
                smooth[i] |= touches[i, k] and not own[other] and seen[other] != UNSEEN and seen[other] == seen[i]
        row, column, odds = pose[body, 0] + go[heading, act, 0], pose[body, 1] + go[heading, act, 1], TURNS
        if not still[heading, act]:
            ahead = cells[body, row % size, column % size]
            chance = blocked[ahead] if ahead < len(blocked) else 0.5
            odds = np.log(1 - chance) - np.log(chance)
        stays = _fit(cells[body], seen, offset[heading], own, smooth, pose[body, 0], pose[body, 1])
        if _fit(cells[body], seen, offset[turn[heading, act]], own, smooth, row, column) + odds > stays:
            told[body, 0], told[body, 1], told[body, 2] = row, column, turn[heading, act]
    return told


@njit(cache=True)
def _fit(known: Array, view: Array, offset: Array, own: Array, smooth: Array, row: int, column: int) -> float:
    """Log likelihood of a ``view`` [n] from a place of the map ``known`` [S, S], ``offset`` [n, P] from it."""
    size, same, other, fits, new = len(known), 0, 0, 0, 0
    for i, code in enumerate(view):
        if code == UNSEEN or own[i]:
            continue
        there = known[(row + offset[i, 0]) % size, (column + offset[i, 1]) % size]
        if there == UNSEEN:
            fits += smooth[i]
            new += not smooth[i]
        else:
            same += there == code
            other += there != code
    # Of counts, so that what is equally likely is equal to the last bit.
    return float(same * MATCH + other * MISMATCH + fits * SMOOTH + new * ROUGH)


@njit(cache=True)
def _unlike(cells: Array, view: Array, offset: Array, own: Array, pose: Array) -> Array:
    """How many cells [B] of the ``view`` [B, n] are not what the map says of them, if the agent stands at ``pose``."""
    unlike, size = np.zeros(len(view), np.int64), cells.shape[1]
    for body in range(len(view)):
        row, column, lies = pose[body, 0], pose[body, 1], offset[pose[body, 2]]
        for i, code in enumerate(view[body]):
            there = cells[body, (row + lies[i, 0]) % size, (column + lies[i, 1]) % size]
            unlike[body] += code != UNSEEN and not own[i] and there != UNSEEN and there != code
    return unlike


@njit(cache=True)
def _draw(cells: Array, seen: Array, view: Array, offset: Array, own: Array, pose: Array, clock: Array) -> None:
    """Note what is in ``view`` [B, n] from ``pose`` [B, 3] in ``cells`` and ``seen`` [B, S, S]."""
    size = cells.shape[1]
    for body in range(len(view)):
        lies = offset[pose[body, 2]]
        for i, code in enumerate(view[body]):
            if code != UNSEEN and not own[i]:
                row, column = (pose[body, 0] + lies[i, 0]) % size, (pose[body, 1] + lies[i, 1]) % size
                cells[body, row, column], seen[body, row, column] = code, clock[body]
