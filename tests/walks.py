"""Random walks through real MiniGrid worlds, with the truth beside what is seen: for tests of body and map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces
from minigrid.core.constants import DIR_TO_VEC

from cortex.envs.make import make_vector
from cortex.modules.codebook import Codebook
from cortex.modules.context import Context
from cortex.modules.encoders import Senses
from cortex.modules.hippocampus.registration import Registration
from cortex.types import TURN, Array, Layout, Motions, Percept, Sensed, State

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
EMPTY, WALL = (1, 0, 0), (2, 5, 0)
RESTLESS = (0.2, 0.2, 0.5, 0.02, 0.02, 0.05, 0.01)
"""Chances of the actions that get a random walk about."""

Change = Callable[[Array], Array]


@dataclass(frozen=True)
class Step:
    """One step of every body."""

    codes: Array  # [B, N]
    action: Array  # [B] that led here
    first: Array  # [B] bool, an episode begins here
    position: Array  # [B, 2] the true one
    heading: Array  # [B] the true one


class Walk:
    """Bodies that see the view alone, as ``change`` [B, H, W, C] shows it, and act at random with ``chances``."""

    def __init__(self, task: Any, bodies: int, seed: int, chances: Any = None, change: Change = np.asarray) -> None:
        self.bodies, self.change = make_vector(task, bodies, seed, held_out=0), change
        self.space = spaces.Dict({"image": self.bodies.single_observation_space["image"]})  # type: ignore[index]
        self.senses, self.codebook = Senses.for_space(self.space), Codebook()
        self.seed, self.chances, self.draw = seed, chances, np.random.default_rng(seed)

    @property
    def layout(self) -> Layout:
        return self.senses.layout

    @property
    def worlds(self) -> list[Any]:
        return [env.unwrapped for env in self.bodies.envs]  # type: ignore[attr-defined]

    def steps(self, count: int) -> Iterator[Step]:
        """The first scene and ``count`` more."""
        observation, _ = self.bodies.reset(seed=self.seed)
        bodies = self.bodies.num_envs
        action, first, ended = np.full(bodies, -1), np.ones(bodies, bool), np.zeros(bodies, bool)
        for t in range(count + 1):
            if t:
                action = self.draw.choice(7, bodies, p=self.chances)
                observation, _, terminated, truncated, _ = self.bodies.step(action)
                first, ended = ended, terminated | truncated
            scene = self.senses({"image": self.change(observation["image"])})
            position = np.array([world.agent_pos for world in self.worlds])
            heading = np.array([world.agent_dir for world in self.worlds])
            yield Step(self.codebook.encode(scene.tokens, scene.mask), action, first, position, heading)

    def code(self, triples: Any) -> Array:
        """Codes [n] of cells given as MiniGrid's triples [n, 3]."""
        shape = self.space["image"].shape
        image = np.zeros((len(triples), *(shape or ())), np.uint8)
        image[:, 0, 0] = triples
        scene = self.senses({"image": image})
        return self.codebook.encode(scene.tokens[:, 0], scene.mask[:, 0])

    def truth(self, body: int, places: Array) -> Array:
        """Codes [n] of the true cells at ``places`` [n, 2] of a body's world; beyond its edge all is wall."""
        grid = self.worlds[body].grid
        triples = []
        for x, y in places.tolist():
            inside = 0 <= x < grid.width and 0 <= y < grid.height
            cell = grid.get(x, y) if inside else None
            triples.append(WALL if not inside else EMPTY if cell is None else cell.encode())
        return self.code(triples)


def pairs(walk: Walk, count: int) -> tuple[Array, Array, Array]:
    """Codes before and after [T, N] and actions [T] of a walk: the rows from which a body is found."""
    rows: list[tuple[Array, Array, Array]] = []
    last: Step | None = None
    for step in walk.steps(count):
        if last is not None:
            same = ~step.first
            rows.append((last.codes[same], step.codes[same], step.action[same]))
        last = step
    before, after, action = (np.concatenate(column) for column in zip(*rows, strict=True))
    return before, after, action


def find_body(walk: Walk, task: Any, steps: int = 90) -> Motions:
    """The motions as another walk through ``task`` shows them, in the codes of ``walk``."""
    other = Walk(task, 8, walk.seed + 1_000, change=walk.change)
    other.codebook = walk.codebook
    motions = Registration(walk.layout.position, 7).fit(*pairs(other, steps))
    assert motions.resolved
    return motions


def memory(walk: Walk, length: int = 1000, size: int = 64) -> Context:
    """Short-term memory for a walk."""
    return Context(walk.layout, walk.codebook, 8, length, 0.9, size, 6, 64)


@dataclass(frozen=True)
class Moment:
    """What short-term memory makes of a step, and the truth."""

    step: Step
    state: State
    pose: Array  # [B, 3] the true pose, in the frame of the map
    origin: Array  # [B, 2] where the episode began
    facing: Array  # [B] and in which heading


def follow(walk: Walk, context: Context, motions: Motions, count: int) -> Iterator[Moment]:
    """Lead short-term memory along a walk."""
    bodies = walk.bodies.num_envs
    carry, origin, facing = context.initial(bodies), np.zeros((bodies, 2), int), np.zeros(bodies, int)
    for step in walk.steps(count):
        origin = np.where(step.first[:, None], step.position, origin)
        facing = np.where(step.first, step.heading, facing)
        carry = replace(carry, action=np.where(step.first, -1, step.action))
        latent = np.zeros((bodies, 8), np.float32)
        latent[:, 0] = step.codes[:, 0]
        sensed = Sensed(context.scene(step.codes), Percept(latent), step.codes)
        carry, state = context(carry, sensed, step.first, motions)
        ahead, right = axes(facing)
        away = step.position - origin
        place = np.stack([(away * right).sum(axis=1), -(away * ahead).sum(axis=1)], axis=1) + context.size // 2
        pose = np.concatenate([place, ((step.heading - facing) % 4)[:, None]], axis=1)
        yield Moment(step, state, pose, origin, facing)


def axes(heading: Array) -> tuple[Array, Array]:
    """The directions [B, 2] ahead and to the right of a heading [B], in MiniGrid's coordinates."""
    ahead = np.array(DIR_TO_VEC)[heading]
    return ahead, np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1)


def place_of(pose: Array, view: Array, own: Array, size: int) -> Array:
    """Where cells of the view lie on the map: ``pose`` [B, 3], ``view`` [n, P] -> [B, n, P]."""
    offset = np.einsum("hij,nj->hni", TURN, view - own)
    return np.asarray((pose[:, None, :2] + offset[pose[:, 2]]) % size)


def moved(pose: Array, action: Array, motions: Motions) -> Array:
    """The pose [B, 3] after the motion of ``action`` [B] was made."""
    at = pose[:, 2], action
    return np.concatenate([pose[:, :2] + motions.go[at], motions.turn[at][:, None]], axis=1)
