"""Frames of many environments, and what is where in those that are asked about: what the image encoder learns from, and
what its tokens are asked.

No frame of an environment in `ASKED` is learned from, but that the family of novel games is in both: there the seeds of
the games differ, and with them colours and rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import cortex  # noqa: F401  registers the games
from cortex.envs.novel_game.render import image
from cortex.envs.novel_game.sprites import TILE
from cortex.modules.encoders.image import ROWS, shrink
from cortex.types import Array

NOVEL = "cortex/NovelGame-v0"
GAMES = 100_000
"""Novel games that are learned from have seeds below this one, others those from it on."""
EPISODE = 8
"""Frames of an episode; four random actions lie between two of them, since neighbours are alike."""
GROUND = ("nothing", "floor", "wall", "agent")
"""What novel games call what is no thing."""
DIRECTIONS = 4
"""Ways in which a stick lies that are told apart."""

LEARNED = (
    NOVEL,
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-Fetch-8x8-N3-v0",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
    "MiniGrid-FourRooms-v0",
    "CartPole-v1",
    "MountainCar-v0",
    "Pendulum-v1",
    "CliffWalking-v1",
    "Taxi-v4",
    "Blackjack-v1",
)
"""Environments of which frames are learned from."""


def _objects(env: Any) -> Array:
    world = env.unwrapped
    kinds = world.grid.encode()[..., 0].T.astype(np.int64)
    kinds[world.agent_pos[1], world.agent_pos[0]] = 10
    return kinds


def _ice(env: Any) -> Array:
    world = env.unwrapped
    kinds = np.array([["SFHG".index(letter) for letter in row] for row in world.desc.astype(str).tolist()])
    kinds.flat[world.s] = 4
    return kinds


def _links(env: Any) -> Array:
    first, both = env.unwrapped.state[0], env.unwrapped.state[:2].sum()
    steps = np.array([(np.sin(first), np.cos(first)), (np.sin(both), np.cos(both))])  # right and down
    begins = np.array([(0.0, 0.0), steps[0]])
    centre = (np.indices((ROWS, ROWS)).transpose(1, 2, 0)[..., ::-1] + 0.5) / ROWS * 4.4 - 2.2
    away = centre[:, :, None] - begins
    along = np.clip((away * steps).sum(axis=-1, keepdims=True), 0, 1)
    distance = np.linalg.norm(away - along * steps, axis=-1)
    way = np.round(np.array([first, both]) / np.pi * DIRECTIONS).astype(np.int64) % DIRECTIONS
    return np.where(distance.min(axis=-1) < 2.2 / ROWS, 1 + way[distance.argmin(axis=-1)], 0)


ASKED: dict[str, tuple[str, Callable[[Any], Array] | None]] = {
    NOVEL: ("nothing, floor, wall, the agent or a thing", None),
    "MiniGrid-LavaCrossingS9N2-v0": ("which kind of object", _objects),
    "MiniGrid-BlockedUnlockPickup-v0": ("which kind of object", _objects),
    "FrozenLake-v1": ("ice, hole, start, goal or the agent", _ice),
    "Acrobot-v1": ("which way a link lies, or none", _links),
}
"""Environment -> what is asked of each patch, and who knows the kinds of things [R, C] that cover a picture evenly."""


def watch(name: str, count: int, seed: int, shown: int = 0) -> tuple[Array, Array]:
    """``count`` frames [n, 64, 64, 3] uint8 of random actions, and what is at the centre of each of their patches
    [n, 8, 8], 0 where nobody asks. Novel games have the seeds from ``shown`` on."""
    random = np.random.default_rng(seed)
    if name == NOVEL:
        return _novel(count, shown, random)
    tell = ASKED.get(name, ("", None))[1]
    frames, told = [], []
    while len(frames) < count:
        env = _make(name, random)
        for _ in range(4):
            env.reset(seed=int(random.integers(2**31)))
            env.action_space.seed(int(random.integers(2**31)))
            if name == "Acrobot-v1":  # random actions hardly swing it
                env.unwrapped.state[:2] = random.uniform(-np.pi, np.pi, 2)
            for step in range(4 * EPISODE):
                if step % 4 == 0:
                    frames.append(shrink(np.asarray(env.render())))
                    told.append(at_patches(tell(env)) if tell else np.zeros((ROWS, ROWS), np.int64))
                _, _, terminated, truncated, _ = env.step(env.action_space.sample())
                if terminated or truncated:
                    break
        env.close()
    return np.stack(frames[:count]), np.stack(told[:count])


def at_patches(kinds: Array) -> Array:
    """What is at the centre of each patch [8, 8], of kinds [R, C] that cover a picture evenly."""
    row, column = (((np.arange(ROWS) + 0.5) * size / ROWS).astype(np.int64) for size in kinds.shape)
    return kinds[row[:, None], column]


def _make(name: str, random: np.random.Generator) -> Any:
    if name.startswith("MiniGrid"):
        import minigrid

        gymnasium.register_envs(minigrid)
        return gymnasium.make(name, render_mode="rgb_array", tile_size=8, highlight=False)
    if name == "FrozenLake-v1":
        from gymnasium.envs.toy_text.frozen_lake import generate_random_map

        lake = generate_random_map(size=int(random.integers(4, 8)), seed=int(random.integers(2**31)))
        return gymnasium.make(name, render_mode="rgb_array", desc=lake)
    return gymnasium.make(name, render_mode="rgb_array")


def _novel(count: int, shown: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Frames of as many novel games as episodes, each moved off the lattice of its tiles."""
    games = -(-count // EPISODE)
    bodies: Any = gymnasium.make_vec(
        NOVEL,
        games,
        vectorization_mode="vector_entry_point",
        game_seed=shown + np.arange(games),
        difficulty=2,
        modalities=("grid",),
    )
    seen, _ = bodies.reset(seed=int(random.integers(2**31)))
    looks = bodies.unwrapped.looks()
    sheets = np.stack([tiles for _, tiles in looks])
    kinds = [np.array([GROUND.index(name) if name in GROUND else len(GROUND) for name in names]) for names, _ in looks]
    offset = random.integers(0, TILE, (games, 2))
    frames, told = [], []
    for step in range(4 * EPISODE):
        if step % 4 == 0:
            codes = seen["grid"].reshape(games, *seen["grid"].shape[1:3]).astype(np.int64)
            for body, picture in enumerate(image(codes, sheets, offset)):
                frames.append(shrink(picture))
                cells = np.zeros(picture.shape[:2], np.int64)
                down, right = offset[body]
                inside = np.kron(kinds[body][codes[body]], np.ones((TILE, TILE), np.int64))
                cells[down : down + len(inside), right : right + inside.shape[1]] = inside
                told.append(at_patches(cells))
        seen, *_ = bodies.step(random.integers(0, bodies.single_action_space.n, games))
    bodies.close()
    order = np.arange(len(frames)).reshape(-1, games).T.ravel()[:count]  # game by game
    return np.stack(frames)[order], np.stack(told)[order]
