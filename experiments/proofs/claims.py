"""What every proof is made of: a family of games, figures with intervals, and a claim that can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from cortex.envs.novel_game.codes import NEXT, REWARD
from cortex.envs.novel_game.difficulty import PERMUTED, setting
from cortex.envs.novel_game.dynamics import Terms
from cortex.envs.novel_game.generate import Game, generate
from cortex.envs.novel_game.layout import ALL
from cortex.envs.novel_game.spec import Setting
from cortex.measure.statistics import interval
from cortex.types import Array

ENOUGH = 1000
"""Games with which a median has to lie where it should; with fewer its interval has to meet that."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim about a family of games."""

    name: str
    family: str
    holds: bool
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """Games that are drawn alike."""

    name: str
    setting: Setting
    difficulty: int | None = None  # None: the setting is none of the classes
    permuted: bool = True

    @classmethod
    def of(cls, difficulty: int) -> Family:
        """The games of a class of difficulty."""
        return cls(str(difficulty), setting(difficulty), difficulty, difficulty >= PERMUTED)

    def games(self, seeds: Sequence[int], split: str = "train") -> list[Game]:
        """The games of some seeds."""
        return [generate(seed, split, self.setting, permuted=self.permuted) for seed in seeds]

    def terms(self, level: int = 1) -> Terms:
        """What a body plays a level by, on all layouts."""
        return Terms(self.setting.size, self.setting.limit, level, ALL)

    @property
    def public(self) -> dict[str, Any]:
        """How the public environment is asked for these games."""
        return {"difficulty": self.setting if self.difficulty is None else self.difficulty, "layouts": "all"}


def mean(values: Sequence[float] | Array) -> dict[str, float]:
    """A mean with its 95 % interval over games."""
    low, high = interval(np.asarray(values, np.float64).tolist())
    return {"mean": float(np.mean(values)), "low": low, "high": high, "games": len(values)}


def ratio(actions: Array, reference: Array) -> dict[str, float]:
    """Geometric mean of the ratios of paired counts of actions, with its 95 % interval over games."""
    logs = np.log(actions / reference)
    low, high = interval(logs.tolist())
    values = {"ratio": np.exp(logs.mean()), "low": np.exp(low), "high": np.exp(high)}
    return {name: float(value) for name, value in values.items()} | {"games": len(logs)}


def median(values: Array) -> dict[str, float]:
    """A median with its 95 % interval, by order statistics (Conover 1999, section 3.2)."""
    ranked, count = np.sort(values), len(values)
    low = int(max(0, binom.ppf(0.025, count, 0.5) - 1))
    high = int(min(count - 1, binom.ppf(0.975, count, 0.5)))
    return {
        "median": float(np.median(ranked)),
        "low": float(ranked[low]),
        "high": float(ranked[high]),
        "games": count,
    }


def lies(values: Array, low: float, high: float) -> tuple[bool, dict[str, float]]:
    """Whether a median lies from ``low`` to ``high``; of fewer than `ENOUGH` games, whether its interval meets that."""
    found = median(values)
    inside = low <= found["median"] <= high
    meets = found["low"] <= high and found["high"] >= low
    return inside if len(values) >= ENOUGH else meets, {**found, "from": low, "to": high}


def first_win(ends: Array, wins: Array) -> int:
    """Actions to the first win of a life; all of them where it won nothing."""
    return int(ends[np.argmax(wins)] if wins.any() else ends[-1])


def goal(game: Game) -> int:
    """The code of the thing that wins: what is walked against, used on, or pushed."""
    act, push = game.tables["act"], game.tables["push"]
    things = np.flatnonzero(act[..., REWARD].any(axis=(0, 2)) | push[..., REWARD].any(axis=1))
    return int(things[0])


def rules_of(game: Game) -> Array:
    """A game's tables as the record that compiled players take."""
    table: Array = game.tables[None][0]
    return table


def believed(other: Game, game: Game) -> Array:
    """Another game's rules with this game's codes of floor, walls, pads and agent, and its moves; a `GAME` record."""
    to = np.arange(len(other.tables["look"]))
    for theirs, ours in zip(other.tables["ground"].tolist(), game.tables["ground"].tolist()):
        at = int(np.flatnonzero(to == ours)[0])
        to[theirs], to[at] = ours, to[theirs]
    back = np.argsort(to)
    table = game.tables[None].copy()[0]
    act, push = other.tables["act"][:, back][:, :, back], other.tables["push"][back][:, back]
    table["act"], table["push"] = act, push
    table["act"][..., :2] = to[act[..., :2]]  # what stays in the cell, and what is then carried
    table["push"][..., NEXT] = to[push[..., NEXT]]
    after = other.tables["after"][back]
    table["after"][:, 0], table["after"][:, 1] = to[after[:, 0]] * (after[:, 1] > 0), after[:, 1]
    rules: Array = table
    return rules
