"""What the diagnostic tasks share: how a layout is drawn, and the sentences for what cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cortex.types import CortexError

METADATA: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}
"""What gymnasium is told of every task."""


def draw(task: str, sizes: Sequence[int], rng: np.random.Generator, options: dict[str, Any] | None) -> tuple[int, ...]:
    """An episode's layout: one whole number below each of ``sizes``, all equally likely.

    ``options={"layout": ...}`` at reset asks for one. Raises CortexError for a layout that the task has not.
    """
    if options is None or "layout" not in options:
        return tuple(int(rng.integers(size)) for size in sizes)
    asked = options["layout"]
    fits = isinstance(asked, (tuple, list)) and len(asked) == len(sizes)
    if not fits or not all(_whole(n) and 0 <= n < size for n, size in zip(asked, sizes)):
        raise CortexError(
            f"{task} has no layout {asked!r}; {len(sizes)} whole numbers below {tuple(sizes)} in turn would do."
        )
    return tuple(int(n) for n in asked)


def act(task: str, running: bool, action: Any, actions: int) -> int:
    """The action as an int. Raises CortexError where no episode is running and for what is no action."""
    if not running:
        raise CortexError(f"{task} has no episode to act in, it ended or did not begin; call reset() first.")
    if not _whole(action) or not 0 <= action < actions:
        raise CortexError(f"{task} has no action {action!r}; a whole number from 0 to {actions - 1} would do.")
    return int(action)


def number(task: str, name: str, value: Any, least: int, most: int) -> int:
    """A whole-number parameter. Raises CortexError outside of ``least`` to ``most``."""
    if not _whole(value) or not least <= value <= most:
        raise CortexError(f"{task}: {name} is {value!r}; a whole number from {least} to {most} would do.")
    return int(value)


def choice(task: str, name: str, value: Any, known: Sequence[Any]) -> Any:
    """One of the ``known`` values of a parameter. Raises CortexError for another."""
    if value not in known:
        raise CortexError(f"{task}: {name} is {value!r}; one of {', '.join(map(repr, known))} would do.")
    return value


def senses(task: str, mute: Any, known: Sequence[str]) -> frozenset[str]:
    """The observation keys that say nothing. Raises CortexError for a key that the task has not."""
    if isinstance(mute, str) or not set(mute) <= set(known):
        raise CortexError(f"{task}: mute is {mute!r}; a tuple of some of {', '.join(map(repr, known))} would do.")
    return frozenset(mute)


def rule(game_seed: Any, task: str) -> np.random.Generator:
    """What the rules that stay the same in every episode are drawn from."""
    # Apart from the stream of reset(seed=game_seed), or the layout would tell of the rule.
    return np.random.default_rng((number(task, "game_seed", game_seed, 0, 2**32 - 1), 77))


def _whole(value: Any) -> bool:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
