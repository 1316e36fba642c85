"""From a seed to a game: drawn until it is worth playing.

A draw is rejected where its things hardly find room, where the solver loses or needs more or less steps than asked for,
or where a random walk to things wins more than a tenth of its episodes. What is left is a function of seed, split and
setting alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortex.envs.novel_game import players, spec
from cortex.envs.novel_game.codes import CODES, LEVELS, MOST_CELLS
from cortex.envs.novel_game.dynamics import WORLD, Terms
from cortex.envs.novel_game.layout import ALL, roomy
from cortex.envs.novel_game.search import MIND
from cortex.envs.novel_game.spec import SPLITS, Setting, Spec
from cortex.envs.novel_game.tables import TooManyCodes, tables
from cortex.types import Array, CortexError

SOLVED = {1: 4, 2: 1, 3: 1, 4: 1}
"""Layouts of each level that the solver has to win."""

WALKS = 40
"""Episodes of the random walk to things."""

DRAWS = 2000
"""Draws before a split is said to be empty."""


@dataclass(frozen=True, slots=True)
class Game:
    """One game: its rules, what it was drawn with, its tables."""

    seed: int
    split: str
    setting: Setting
    spec: Spec
    tables: Array  # a GAME record
    optimal: float  # the solver's steps on level 1, mean over layouts


@dataclass(frozen=True, slots=True)
class Bench:
    """Room for compiled players to play in."""

    world: Array  # WORLD [1]
    mind: Array  # MIND [1]
    plan: Array  # [2 * MOST_CELLS] int64
    lanes: Array  # [3, 4 * MOST_CELLS] int32
    queue: Array  # [4 * MOST_CELLS] int32

    @classmethod
    def make(cls, seed: int = 0) -> Bench:
        """A bench whose worlds and players draw from ``seed``."""
        bench = cls(
            np.zeros(1, WORLD),
            np.zeros(1, MIND),
            np.zeros(2 * MOST_CELLS, np.int64),
            np.zeros((3, 4 * MOST_CELLS), np.int32),
            np.zeros(4 * MOST_CELLS, np.int32),
        )
        bench.world["seed"] = bench.mind["dice"] = seed
        return bench


def generate(seed: int, split: str, setting: Setting, silent: bool = False, permuted: bool = True) -> Game:
    """The game of a seed. ``silent``: what changes by itself can only be heard; ``permuted``: moves may be permuted.

    Raises CortexError for an unknown split, impossible settings, and where `DRAWS` draws hold no game of the split.
    """
    check(setting)
    if split not in SPLITS:
        raise CortexError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    # T0 and T1 are the training games: in other layouts, with other codes.
    family = "train" if split in ("T0", "T1") else split
    for draw in range(DRAWS):
        rng = np.random.default_rng([seed, SPLITS.index(family), draw])
        rules = spec.sample(rng, setting, family)
        if rules is None:
            continue
        look = np.random.default_rng([seed, SPLITS.index("T1" if split == "T1" else family), draw, 1])
        codes = 1 + look.permutation(CODES - 1)
        moves = look.permutation(4) if look.integers(2) and permuted else np.arange(4)
        try:
            game = tables(rules, codes, moves, setting.pillars, silent)
        except TooManyCodes:
            continue
        optimal = worth(game, setting, seed + draw)
        if optimal is not None:
            return Game(seed, split, setting, rules, game, optimal)
    raise CortexError(
        f"{DRAWS} draws with seed {seed} held no game of split {split} that is worth playing; a larger grid, fewer "
        "decoys or another split would do."
    )


def check(setting: Setting) -> None:
    """Raises CortexError for settings that no game can have."""
    if not 1 <= setting.length <= 4 or not 0 <= setting.decoys <= 6:
        raise CortexError(f"A game has 1 to 4 stages and 0 to 6 decoys, not {setting.length} and {setting.decoys}.")
    if not 7 <= setting.size <= 13:
        raise CortexError(f"A grid of {setting.size} cells a side is not possible; 7 to 13 would do.")
    unknown = set(setting.mechanics) - set(spec.MECHANICS)
    if unknown or not setting.mechanics:
        raise CortexError(f"There are no mechanics {sorted(unknown)}; some of {', '.join(spec.MECHANICS)} would do.")


def worth(game: Array, setting: Setting, seed: int) -> float | None:
    """The solver's mean steps on level 1, or None where the game is not worth playing."""
    bench = Bench.make(seed)
    rules, world, mind = game[None][0], bench.world[0], bench.mind[0]
    if not roomy(rules, world, setting.size):
        return None
    optimal = _solve(rules, bench, setting, 1)
    if optimal is None or not setting.optimal[0] <= optimal <= setting.optimal[1]:
        return None
    terms, enough = Terms(setting.size, setting.limit, 1, ALL), int(setting.walks * WALKS)
    if enough < WALKS:
        players.forget(rules, mind)
        won = players.walks(rules, world, terms, mind, bench.lanes, bench.queue, bench.plan, WALKS, enough)
        if won > enough:
            return None
    for level in range(2, LEVELS + 1):
        if _solve(rules, bench, setting, level) is None:
            return None
    return optimal


def _solve(rules: Array, bench: Bench, setting: Setting, level: int) -> float | None:
    """The solver's mean steps on a level, None where it loses."""
    terms = Terms(setting.size, setting.limit, level, ALL)
    players.know(rules, bench.mind[0])
    steps = 0
    for _ in range(SOLVED[level]):
        players.solve(rules, bench.world[0], terms, bench.mind[0], bench.plan)
        if not bench.world[0]["success"]:
            return None
        steps += int(bench.world[0]["clock"])
    return steps / SOLVED[level]
