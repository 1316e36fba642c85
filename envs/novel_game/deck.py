"""Which game each body plays: dealt from seeds, and dealt again where the difficulty follows the player."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from cortex.envs.novel_game.codes import MOST_SIZE
from cortex.envs.novel_game.difficulty import HARDEST, PERMUTED, setting
from cortex.envs.novel_game.generate import Game, generate
from cortex.envs.novel_game.spec import SPLITS, Setting
from cortex.envs.novel_game.tables import GAME
from cortex.types import Array, CortexError

ADAPTIVE = "adaptive"
WINS, LOSSES = 3, 10
"""So many wins in a row make the next game of a body one class harder, so many losses in a row one class easier."""


class Deck:
    """The games of B bodies.

    ``games`` GAME [G] are those dealt so far, ``which`` [B] the one of each body, ``size`` and ``limit`` [B] the side
    of its grid and the steps of its episodes of level 1. ``version`` rises when a body gets another game.
    """

    def __init__(self, bodies: int, game_seed: Any, split: str, difficulty: Any, silent: bool) -> None:
        if split not in SPLITS:
            raise CortexError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
        self.seeds, self.split, self.silent = _seeds(game_seed, bodies), split, silent
        self.settings = _settings(difficulty)
        self.adaptive = isinstance(difficulty, str)
        self.side = MOST_SIZE if self.adaptive else self.settings[0][1].size
        self.longest = max(terms.limit for _, terms in self.settings)
        self.version = 0
        self.dealt: list[Game] = []
        self.games = np.zeros(0, GAME)
        self.which = np.zeros(bodies, np.int64)
        self.size, self.limit = np.zeros(bodies, np.int64), np.zeros(bodies, np.int64)
        self._numbers: dict[tuple[int, int], int] = {}
        self._classes, self._streak = np.zeros(bodies, np.int64), np.zeros(bodies, np.int64)
        self._deal(range(bodies))

    def again(self) -> None:
        """Begin anew at the easiest class."""
        if self.adaptive:
            self._streak[:] = 0
            moved = np.flatnonzero(self._classes)
            self._classes[:] = 0
            self._deal(moved)

    def follow(self, bodies: Array, won: Array) -> Array:
        """Count how the episodes of some bodies ended; returns those that got another game."""
        if not self.adaptive or not len(bodies):
            return bodies[:0]
        streak = self._streak[bodies]
        streak = np.where(won, np.maximum(streak, 0) + 1, np.minimum(streak, 0) - 1)
        step = (streak >= WINS).astype(np.int64) - (streak <= -LOSSES)
        self._streak[bodies] = np.where(step, 0, streak)
        before = self._classes[bodies]
        after = np.clip(before + step, 0, len(self.settings) - 1)
        self._classes[bodies] = after
        moved = bodies[after != before]
        self._deal(moved)
        return moved

    def _deal(self, bodies: Any) -> None:
        fresh: list[Game] = []
        for b in bodies:
            seed, place = int(self.seeds[b]), int(self._classes[b])
            difficulty, terms = self.settings[place]
            number = self._numbers.get((seed, place))
            if number is None:
                number = self._numbers[seed, place] = len(self.dealt) + len(fresh)
                fresh.append(_game(seed, self.split, terms, self.silent, difficulty >= PERMUTED))
            self.which[b], self.size[b], self.limit[b] = number, terms.size, terms.limit
        if fresh:
            self.dealt += fresh
            self.games = np.concatenate([self.games, np.stack([game.tables for game in fresh])])
        self.version += len(bodies) > 0


@lru_cache(maxsize=4096)
def _game(seed: int, split: str, setting: Setting, silent: bool, permuted: bool) -> Game:
    return generate(seed, split, setting, silent, permuted)


def _settings(difficulty: Any) -> list[tuple[int, Setting]]:
    """The classes that are played, each with its number."""
    if isinstance(difficulty, Setting):
        return [(PERMUTED, difficulty)]
    if isinstance(difficulty, str) and difficulty == ADAPTIVE:
        return [(number, setting(number)) for number in range(HARDEST + 1)]
    whole = isinstance(difficulty, (int, np.integer)) and not isinstance(difficulty, bool)
    if not whole or not 0 <= difficulty <= HARDEST:
        raise CortexError(f"There is no difficulty {difficulty!r}; 0 to {HARDEST}, {ADAPTIVE!r} or a Setting would do.")
    return [(int(difficulty), setting(int(difficulty)))]


def _seeds(game_seed: Any, bodies: int) -> Array:
    """One seed for each body, [B] int64."""
    seeds = np.asarray(game_seed)
    if seeds.dtype.kind not in "iu" or (seeds.size and not 0 <= int(seeds.min()) <= int(seeds.max()) < 2**63):
        raise CortexError(f"A game_seed is a whole number from 0, one or an array of them, not {game_seed!r}.")
    if seeds.shape not in ((), (bodies,)):
        raise CortexError(
            f"{bodies} bodies were given game seeds of shape {seeds.shape}; one number, or one a body would do."
        )
    return np.broadcast_to(seeds, (bodies,)).astype(np.int64)
