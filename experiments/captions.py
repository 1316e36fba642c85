"""Frames of MiniGrid told three times: as symbols, as a picture, and in words, from the environment's true state.

No frame of an environment in `HELD_OUT`, nor of one of its family, is learned from, by the image encoder neither.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from cortex.types import Array

LEARNED = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-Fetch-8x8-N3-v0",
    "MiniGrid-PutNear-8x8-N3-v0",
    "MiniGrid-RedBlueDoors-8x8-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-MultiRoom-N4-S5-v1",
    "MiniGrid-UnlockPickup-v0",
    "MiniGrid-GoToDoor-8x8-v0",
    "MiniGrid-GoToObject-8x8-N2-v0",
    "MiniGrid-LavaGapS7-v0",
    "MiniGrid-SimpleCrossingS11N5-v0",
    "BabyAI-GoToLocal-v0",
    "BabyAI-PickupLoc-v0",
    "BabyAI-OpenTwoDoors-v0",
    "BabyAI-ActionObjDoor-v0",
    "BabyAI-UnlockToUnlock-v0",
)
"""Environments of which frames are learned from."""

HELD_OUT = (
    "MiniGrid-KeyCorridorS4R3-v0",
    "MiniGrid-ObstructedMaze-2Dlhb-v1",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-Playground-v0",
    "MiniGrid-LavaCrossingS9N2-v0",
    "MiniGrid-MemoryS13-v0",
    "MiniGrid-Dynamic-Obstacles-16x16-v0",
    "BabyAI-BossLevel-v0",
    "BabyAI-PutNextS7N4Carrying-v0",
    "BabyAI-FindObjS7-v0",
    "BabyAI-SynthLoc-v0",
)
"""Environments of which frames are asked about."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
VIEW, TILE = 7, 8
"""Cells along a view, which the agent sees from the middle of its last row, and pixels along a cell."""
STRAY = 10
"""Most things that are strewn over a world that is learned from: any colour and kind, anywhere."""
HOLDS = 0.2
"""Share of those worlds in which the agent holds something."""
VIEWS = 8
"""Frames of a world: the agent is set down that often, anywhere."""


Caption = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """n moments; ``told`` [n] has for each thing in view, nearest first, what it is and where it lies."""

    grid: Array  # [n, 7, 7, 3] uint8, as MiniGrid observes
    picture: Array  # [n, 56, 56, 3] uint8
    told: list[Caption]


def watch(names: Sequence[str], count: int, seed: int, stray: int = 0, views: int = 1) -> Frames:
    """At most ``count`` frames, no two with the same symbols or the same words, ``views`` of a world, the environments
    in turn. ``stray``: most things that are strewn over each world."""
    import minigrid

    gymnasium.register_envs(minigrid)
    random = np.random.default_rng(seed)
    worlds = [gymnasium.make(name).unwrapped for name in names]
    grid, picture, told, known = [], [], [], set()
    for tries in range(100 * count):
        world: Any = worlds[tries % len(worlds)]
        with contextlib.redirect_stdout(None):  # BabyAI prints the missions that it turns down
            world.reset(seed=int(random.integers(2**31)))
        if stray:
            _strew(world, int(random.integers(stray + 1)), random)
        for _ in range(views):
            _set_down(world, random)
            seen, words = world.gen_obs()["image"], tell(world)
            alike = {seen.tobytes(), tuple(sorted(words))}
            if words and not alike & known:
                known |= alike
                grid.append(seen)
                picture.append(world.get_pov_render(TILE))
                told.append(words)
        if len(told) >= count:
            break
    return Frames(np.stack(grid[:count]), np.stack(picture[:count]), told[:count])


def sentences(told: Caption) -> list[str]:
    """The sentences of a caption."""
    return [f"{what} {where}" for what, where in told]


def tell(world: Any) -> Caption:
    """What each thing is that the agent sees, and where it lies, nearest first."""
    seen, visible = world.gen_obs_grid()
    found = []
    for right in range(VIEW):
        for down in range(VIEW):
            thing, ahead, aside = seen.get(right, down), VIEW - 1 - down, right - VIEW // 2
            if visible[right, down] and thing is not None and thing.type not in ("wall", "floor"):
                found.append((ahead + abs(aside), ahead, aside, (name(thing), place(ahead, aside))))
    return tuple(words for *_, words in sorted(found))


def name(thing: Any) -> str:
    """What a thing is: colour and kind, of a door also how it stands."""
    if thing.type == "lava":
        return "lava"
    how = ""
    if thing.type == "door":
        how = "locked " if thing.is_locked else "open " if thing.is_open else "closed "
    words = f"{how}{thing.color} {thing.type}"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def place(ahead: int, aside: int) -> str:
    """Where, in steps of the agent; what it holds is shown in its own cell."""
    if not ahead and not aside:
        return "in hand"
    parts = []
    if ahead:
        parts.append(f"{NUMBERS[ahead]} step{'s' * (ahead > 1)} ahead")
    if aside:
        parts.append(f"{NUMBERS[abs(aside)]} to the {'right' if aside > 0 else 'left'}")
    return " and ".join(parts)


def _strew(world: Any, count: int, random: np.random.Generator) -> None:
    from minigrid.core.constants import COLOR_NAMES
    from minigrid.core.world_object import Ball, Box, Door, Goal, Key, Lava

    if random.random() < HOLDS:
        world.carrying = (Key, Ball, Box)[random.integers(3)](random.choice(COLOR_NAMES))
    for _ in range(count):
        colour = random.choice(COLOR_NAMES)
        kind = random.choice(6, p=[0.23, 0.23, 0.23, 0.23, 0.04, 0.04])
        if kind == 3:
            how = random.integers(3)
            thing: Any = Door(colour, is_open=how == 0, is_locked=how == 1)
        else:
            thing = (Key, Ball, Box)[kind](colour) if kind < 3 else (Goal if kind == 4 else Lava)()
        if (where := _free(world, random)) is not None:
            world.grid.set(*where, thing)


def _set_down(world: Any, random: np.random.Generator) -> None:
    if (where := _free(world, random)) is not None:
        world.agent_pos, world.agent_dir = where, int(random.integers(4))


def _free(world: Any, random: np.random.Generator) -> tuple[int, int] | None:
    free = [i for i, thing in enumerate(world.grid.grid) if thing is None]
    if not free:
        return None
    row, column = divmod(free[random.integers(len(free))], world.grid.width)
    return column, row
