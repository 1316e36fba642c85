"""Records and protocols that every part of the mind shares: the first page to read.

Dimensions are letters, the same everywhere:

    B  bodies (parallel copies of the environment)     N  tokens of a scene     E  token width
    D  latent width                                    P  coordinates           K  memories recalled
    A  actions                                         M  nodes of the search   L  length of a plan
    S  side of the map of surroundings                 T  rows of experience    C  attributes of a token

All arrays are numpy; only the networks (habit, world model) know torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TOKEN_WIDTH = 64
"""E. Wide enough for three attributes of 21 dimensions each; a 384-wide sentence is six tokens."""

COORDINATES = 2
"""P. Row and column on a grid; index and zero in a list."""

APART = 64
"""Two keys of one modality, and two sentences of a caption, stand a multiple of so many rows apart."""

UNSEEN = 0
"""The code of a place that has not been seen. Real tokens have codes from 1."""

MODALITIES = {"vector": 0, "symbol": 1, "grid": 2, "text": 3, "sound": 4, "image": 5}
"""Modality name -> the number that stands in ``Scene.modality``."""

TURN = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]])
"""Quarter turns as matrices, [4, P, P]."""

FACING = TURN @ np.array([-1, 0])
"""The cells beside one's own [4, P]: one of them it faces."""

SYMMETRIES = np.concatenate([TURN, TURN @ np.array([[1, 0], [0, -1]])])
"""Quarter turns, and the same of what is mirrored, [8, P, P]; the first changes nothing."""

Record = TypeVar("Record")


LEAST_ROOM = 64
"""Rows for which an array that grows has room at first."""


class CortexError(Exception):
    """A mistake that its user can mend; its message is one sentence that says what, where and what would do."""


def take(record: Record, rows: Any) -> Record:
    """Index every array of a record (records in records too) along its first axis."""
    if isinstance(rows, slice) and rows == slice(None):
        return record
    picked: list[Any] = []
    for name in record.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(record, name)
        if isinstance(value, np.ndarray):
            picked.append(value[rows])
        else:
            picked.append(take(value, rows) if hasattr(value, "__dataclass_fields__") else value)
    return type(record)(*picked)


def spread(array: Array, bodies: int) -> Array:
    """What all bodies share, [...] -> [B, ...], without a copy."""
    return array[None] if bodies == 1 else np.broadcast_to(array, (bodies, *array.shape))


def room(array: Array, size: int) -> Array:
    """An array with room for ``size`` rows, at least twice as long as before if it has to grow."""
    if size <= len(array):
        return array
    grown = np.zeros((max(size, 2 * len(array), LEAST_ROOM), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def join(records: Sequence[Record]) -> Record:
    """Concatenate records along their first axis; what is None in one must be None in all."""
    first = records[0]
    joined: dict[str, Any] = {}
    for field in fields(first):  # type: ignore[arg-type]
        values = [getattr(record, field.name) for record in records]
        if isinstance(values[0], np.ndarray):
            joined[field.name] = np.concatenate(values)
        elif hasattr(values[0], "__dataclass_fields__"):
            joined[field.name] = join(values)
    return replace(first, **joined)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class Scene:
    """What frozen encoders return and what is stored, once per step."""

    tokens: Array  # [B, N, E] float32
    position: Array  # [B, N, P] float32, in cells or list indexes
    modality: Array  # [B, N] int8, a value of MODALITIES
    mask: Array  # [B, N] bool, False where nothing is known (an unseen cell, a missing sense)

    @classmethod
    def concatenate(cls, scenes: Sequence[Scene]) -> Scene:
        """Join the scenes of several senses along N."""
        return cls(*(np.concatenate([getattr(s, f.name) for s in scenes], axis=1) for f in fields(cls)))

    @property
    def bodies(self) -> int:
        return int(self.tokens.shape[0])


def either(which: Array, scene: Scene, other: Scene) -> Scene:
    """Of each body [B] the one scene or the other; the shorter is filled up with tokens that are not known."""
    most = max(scene.mask.shape[1], other.mask.shape[1])

    def whole(array: Array) -> Array:
        return np.pad(array, [(0, 0), (0, most - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])

    names = "tokens", "position", "modality", "mask"
    columns = ((whole(getattr(scene, name)), whole(getattr(other, name))) for name in names)
    return Scene(*(np.where(which.reshape(-1, *[1] * (one.ndim - 1)), one, two) for one, two in columns))


@dataclass(frozen=True, slots=True)
class Percept:
    """The multimodal summary of one scene."""

    latent: Array  # [B, D] float32, unit norm (zero for an empty scene)


@dataclass(frozen=True, slots=True)
class Sensed:
    """One observation as it was perceived: once, to act on it and to remember what it came of."""

    scene: Scene
    percept: Percept
    codes: Array  # [B, N] int32, the scene in the codebook


@dataclass(frozen=True, slots=True)
class Motions:
    """The body schema: where the agent is in its view, where its actions take it, what they act on. Found from rows.

    Steps are in cells of the map (row, column). A heading is what tells the agent's states apart at one place: where it
    looks in a view that turns with it, which of its guises it shows in one that never turns.
    """

    go: Array  # [4, A, P] int, the step that an action makes, by heading, if nothing stands in its way
    turn: Array  # [4, A] int, the heading after it
    reach: Array  # [4, A, P] int, the cell that it acts on; 0 0 where it acts on none
    facing: Array  # [4, P] int, the cell in front
    verb: Array  # [A] int, equal for actions that do the same to what they reach
    own: Array  # [P] int, the cell of the view in which the agent stands; negative where the view stays
    selves: Array  # [4] int, the codes that show the agent, by heading, where the view never turns; UNSEEN for none
    blocked: Array  # [V] float, chance that walking into a cell with this code leaves the agent where it is
    held: int  # the token of the scene that shows what the agent holds, -1 for none
    resolved: bool  # False: nothing is known of the body yet, nothing may be mapped
    version: int = 0  # equal for equal motions

    @property
    def along(self) -> bool:
        """The view moves along with the agent."""
        return bool((self.own >= 0).all())

    @property
    def shown(self) -> bool:
        """The heading is what the agent looks like, and says nothing of how the view is turned."""
        return bool(self.selves.any())

    def where(self, view: Array, position: Array) -> Array:
        """Which of the cells [n] at ``position`` [n, P] of a ``view`` [T, n] that never turns shows the agent; -1 where
        none does."""
        own = (position == self.own).all(axis=1) if self.along else np.isin(view, self.selves[self.selves != UNSEEN])
        shown = np.broadcast_to(own, view.shape)
        return np.where(shown.any(axis=1), shown.argmax(axis=1), -1)

    @property
    def faces(self) -> Array:
        """Which of `FACING` the agent does [4], by heading; -1 where that is not known."""
        alike = (self.facing[:, None] == FACING).all(axis=-1)
        return np.where(alike.any(axis=1), alike.argmax(axis=1), -1)

    @property
    def frame(self) -> int:
        """Equal for motions by which the same map is made; a map of another frame is begun anew."""
        around = self.along and self.shown  # where the view never turns, only the own cell tells how to lay it out
        return -1 - int(self.own[0]) * (1 << 16) - int(self.own[1]) if around else self.version

    @property
    def turns(self) -> Array:
        """[4, A] bool: the action changes nothing but the heading."""
        still = (self.go == 0).all(axis=-1) & (self.reach == 0).all(axis=-1)
        return np.asarray(still & (self.turn != np.arange(4)[:, None]))


@dataclass(frozen=True, slots=True)
class Place:
    """The map of surroundings that ego-motion builds within one episode, and the agent's pose on it."""

    cells: Array  # [B, S, S] int32 codes, UNSEEN where never seen; wraps around
    pose: Array  # [B, 3] int: row, column, heading in quarter turns
    ahead: Array  # [B, P] int: the cell of the map in front of the agent
    carried: Array  # [B] int32, code of what shows what the agent holds
    mission: Array  # [B] int64, identity of the scene's words, and of what was heard as the episode began; 0 for none
    passed: Array  # [B, W] int64, hashes of what was done in this episode, and where it led, that did not end it


@dataclass(frozen=True, slots=True)
class State:
    """Short-term memory's answer: a scene completed by what was seen before, and a slow trace."""

    latent: Array  # [B, D] float32, leaky trace of percepts
    scene: Scene  # surroundings in the egocentric frame; the present scene where there is no map
    code: Array  # [B] int64, identity of the whole present scene (equal scenes, equal codes)
    codes: Array  # [B, N] int32, the present scene in the codebook
    place: Place | None  # None until registration is resolved, or where a scene has no map


@dataclass(frozen=True, slots=True)
class Recall:
    """What the hippocampus gives back for a cue."""

    situation: Array  # [B] int32, recognised when the episode began
    rows: Array  # [B, K] int64, -1 where fewer memories exist
    similarity: Array  # [B, K] float32, cosine; 0 where there is none
    novelty: Array  # [B] float32 in [0, 1]; 1 with an empty memory
    value: Array  # [B, A] float32, similarity-weighted return of each action where tried, else 0
    tried: Array  # [B, A] float32, how much evidence stands behind ``value``


@dataclass(frozen=True, slots=True)
class Habit:
    """The fast system's answer."""

    prior: Array  # [B, A] float32, sums to 1
    value: Array  # [B] float32, discounted return expected
    confidence: (
        Array  # [B] float32 in [0, 1], calibrated chance that the likeliest action is one that search would choose
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """Search's answer: what is done now, and what the habit learns by night."""

    weights: Array  # [B, A] float32, improved policy, sums to 1
    best: Array  # [B, A] bool, the set of best first actions (all False where nothing was found)
    steps: Array  # [B] int32, actions to the end of the best line, 0 where there is none
    value: Array  # [B] float32
    known: Array  # [B] bool, the best line ends in something that memory knows to pay
    nodes: Array  # [B] int32, nodes expanded
    actions: Array  # [B, L] int16, the best line, -1 beyond its end
    expected: Array  # [B, L] int64, key of the imagined state after each action


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the environment answered to one action."""

    sensed: Sensed  # the observation after the action, the final one where the episode ended
    reward: Array  # [B] float32
    terminated: Array  # [B] bool
    truncated: Array  # [B] bool
    success: Array  # [B] bool
    valid: Array  # [B] bool, False for the fake step with which gymnasium's vector environments reset

    @property
    def done(self) -> Array:
        """[B] bool: the episode is over, by the game's rule or by the clock."""
        return self.terminated | self.truncated


@runtime_checkable
class Encoder(Protocol):
    """A frozen sense: a batch of one observation key -> a scene. Deterministic, without state that changes answers."""

    modality: str

    def __call__(self, values: Any) -> Scene:
        """Encode a batch of B values of one observation key; [B, N, E] tokens."""
        ...


class Vocabulary(Protocol):
    """Interns tokens: equal tokens have equal codes, and UNSEEN stands for none. A cache of perception, not
    knowledge."""

    @property
    def size(self) -> int: ...

    @property
    def vectors(self) -> Array:
        """All tokens [V, E]; the first, of UNSEEN, is zero."""
        ...

    def encode(self, tokens: Array, mask: Array) -> Array:
        """Tokens [..., E] -> codes [...] int32."""
        ...

    def decode(self, codes: Array) -> Array:
        """Codes [...] -> tokens [..., E]."""
        ...

    def attributes(self, codes: Array, blocks: int = 3) -> Array:
        """Codes [...] -> [..., C]: numbers of the ``blocks`` that a token is made of."""
        ...

    def compose(self, attributes: Array) -> Array:
        """Attributes [n, C] -> codes [n] of the tokens made of those blocks."""
        ...

    def nearest(self, tokens: Array) -> tuple[Array, Array]:
        """Tokens [n, E] -> the codes [n] of the nearest known ones and their distances [n]."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """What the scenes of one environment have in common: where their tokens stand and which sense they belong to."""

    position: Array  # [N, P] float32
    modality: Array  # [N] int8


@dataclass(frozen=True, slots=True)
class Episode:
    """The unit of memory: T actions and the T + 1 scenes around them. Kept, forgotten and committed whole."""

    codes: Array  # [T + 1, N] int32, the scenes as codes of the codebook, UNSEEN where masked
    action: Array  # [T] int16
    reward: Array  # [T] float32
    salience: Array  # [T] float32 in [0, 1]
    terminated: bool  # by the game's rule, at its last step
    truncated: bool  # by the clock, or because the life stopped there
    success: bool
    layout: Layout
    situation: int
    day: int
    environment: int  # bookkeeping for scores; the agent never reads it
    body: int


class Planner(Protocol):
    """The slow system: what is best to do in the present of B bodies, found in imagination."""

    def __call__(self, model: Any, prior: Array, simulations: int) -> Plan:
        """``model`` imagines: its ``roots()`` are the present of the bodies, ``expand(nodes)`` is what every action
        leads to, ``pick(children, rows)`` goes on from there; see `cortex.modules.planner`. ``prior`` [B, A] is what
        the habit would do; up to ``simulations`` nodes a body may be expanded."""
        ...


class Forgetting(Protocol):
    """The rule by which memories go."""

    def __call__(self, episodes: Sequence[Episode], day: int, capacity: int, generator: np.random.Generator) -> Array:
        """Which of ``episodes`` [n] go on the morning after ``day``, so that ``capacity`` steps at most stay: [n] bool.
        What it leaves over the capacity stays."""
        ...
