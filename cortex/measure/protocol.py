"""The life that every learner can live: games by day, a night, an exam on all games so far the next morning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gymnasium.vector import VectorEnv

Bodies = VectorEnv[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Played:
    """One finished episode."""

    steps: int  # environment actions of all bodies in this game so far, when the episode ended
    length: int
    reward: float  # undiscounted return
    success: bool
    searched: float = 0.0  # share of its decisions that search made


@dataclass(frozen=True, slots=True)
class Cost:
    """What a life has used up to now."""

    updates: int  # gradient (or other weight) updates so far in this life
    bytes_memory: int  # memory that is not weights: replay buffers, tables, rows
    bytes_weights: int


class Learner(Protocol):
    """Whoever lives: our agent or a peer. Bodies are gymnasium vectors in NEXT_STEP mode; its fake steps do not count."""

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        """Waking: ``steps`` actions of all bodies in one game, learning as it may. Returns actions lived."""
        ...

    def sleep(self, seed: int) -> None:
        """The night: no environment."""
        ...

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act only; nothing is learned. Every body has the same quota of episodes, or one less.

        ``habit``: everything but the weights cleared, search off.
        """
        ...

    def clear(self) -> None:
        """Empty the memory (not the weights)."""
        ...

    def cost(self) -> Cost: ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None:
        """Into a freshly made learner of the same spaces and seed; no pickle."""
        ...


@dataclass(frozen=True)
class Task:
    """A game of a life."""

    name: str
    make: Callable[[int, str], Bodies]  # (bodies, part) -> vector; part "day" or "exam" (fresh layouts)
    floor: float  # J0: mean return of the best constant action distribution
    ceiling: float  # J*: mean return of the solver
    h: float | None = None  # a reference learner's actions to its first win
    areas: Callable[[int], tuple[float, float]] | None = None
    """Budget of actions -> areas under the curve of (random, reference learner)."""
