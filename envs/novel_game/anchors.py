"""What is known of a game before anyone learns it: what its floors, its solver and the reference learner reach.

Anchors depend on the rules, the codes and the setting alone. They are computed once and then kept, in memory and on
disk: in ``$CORTEX_CACHE``, or in ``cortex`` under the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortex.envs.novel_game import floors, players
from cortex.envs.novel_game.codes import LEVELS
from cortex.envs.novel_game.dynamics import Terms
from cortex.envs.novel_game.generate import Bench, Game
from cortex.envs.novel_game.layout import ALL
from cortex.envs.novel_game.players import Ways
from cortex.types import Array, CortexError

VERSION = 4
"""Of the players and the dynamics: raise it where either plays otherwise, and what was kept is computed anew."""

EPISODES = 1000
"""Episodes of each floor and level; the solver plays one in `SOLVER_SHARE` of them."""

SOLVER_SHARE = 50
RUNS = {1: 8, 2: 4, 3: 4, 4: 4}
"""Lives of the reference learner on each level."""

TRIES = 10
"""Tries of a life that tell ``learner``; a first win is awaited for twice as many."""

RANDOM_RUNS = 200
"""Lives of random actions behind an area."""

NAMES = ("random", "constant", "walk", "solver", "learner", "h")
VIEWS = {"full": Ways(), "ego": Ways(sees_all=False)}

_kept: dict[str, dict[str, float]] = {}


def anchors(game: Game, level: int | None = None, view: str = "full", episodes: int = EPISODES) -> dict[str, float]:
    """What known players reach in a game, on layouts of its own: success, which is the mean return; and h.

    ``random``: all actions equally likely; ``constant``: the best constant distribution, judged on other episodes than
    it was chosen on; ``walk``: walks to things at random; ``solver``: knows the rules; ``learner``: the reference
    learner on its tenth try, mean over `RUNS` lives; ``h``: its actions to the first win, median over the lives,
    where one without a win in twice as many tries counts with all its actions. ``level`` 1 to 4; None:
    the mean over the levels with weights 1 to 4, and h of level 1. ``view`` "ego": of a learner that sees no further
    than the egocentric view. Raises CortexError for others.
    """
    _check(level, view)
    if episodes < SOLVER_SHARE:
        raise CortexError(f"Anchors over {episodes} episodes say too little; {SOLVER_SHARE} or more would do.")
    levels = range(1, LEVELS + 1) if level is None else (level,)
    each = [_keep(game, ["anchors", one, view, episodes], NAMES, _level, one, view, episodes) for one in levels]
    weights = np.array(levels) / sum(levels)
    means = {name: float(weights @ [found[name] for found in each]) for name in NAMES}
    return means | {"h": each[0]["h"]}


def areas(game: Game, actions: int, level: int = 1, view: str = "full") -> tuple[float, float]:
    """Areas under the learning curves of random actions and of the reference learner, over ``actions`` actions.

    The area is the mean over the actions of the success of the episode that ended last, 0 before the first; means over
    `RANDOM_RUNS` and `RUNS` lives. Raises CortexError for an unknown level or view and without actions.
    """
    _check(level, view)
    if actions < 1:
        raise CortexError(f"A learning curve over {actions} actions has no area; 1 action or more would do.")
    found = _keep(game, ["areas", level, view, actions], ("random", "learner"), _areas, level, view, actions)
    return found["random"], found["learner"]


def _check(level: int | None, view: str) -> None:
    if level is not None and level not in range(1, LEVELS + 1):
        raise CortexError(f"There is no level {level!r}; a game has the levels 1 to {LEVELS}.")
    if view not in VIEWS:
        raise CortexError(f"There is no view {view!r}; the views are {', '.join(VIEWS)}.")


def _level(game: Game, seed: int, level: int, view: str, episodes: int) -> dict[str, float]:
    """The anchors of one level."""
    bench = Bench.make(seed)
    rules, world, mind, terms = *_table(game, bench), _terms(game, level)
    found = floors.best_constant(rules, world, terms, mind, np.random.default_rng(seed))
    floor = {}
    for name, edges in {"random": floors.UNIFORM, "constant": found}.items():
        wins = np.zeros(1, np.int64)
        floors.compare(rules, world, terms, mind, edges[None], episodes, wins)
        floor[name] = int(wins[0]) / episodes
    room = (bench.lanes, bench.queue, bench.plan)
    players.forget(rules, mind)
    walked = players.walks(rules, world, terms, mind, *room, episodes, episodes) / episodes
    solved = 0
    players.know(rules, mind)
    for _ in range(episodes // SOLVER_SHARE):
        players.solve(rules, world, terms, mind, bench.plan)
        solved += int(world["success"])
    tenth, actions = [], []
    for run in range(RUNS[level]):
        life = Life.begin(game, seed + 1 + run, level, VIEWS[view])
        ends, wins = life.learn(TRIES)
        tenth.append(bool(wins[-1]))
        before = 0
        if not wins.any():
            before = int(ends[-1])
            ends, wins = life.learn(TRIES)
        actions.append(before + int(ends[np.argmax(wins)] if wins.any() else ends[-1]))
    return {
        **floor,
        "walk": walked,
        "solver": solved / (episodes // SOLVER_SHARE),
        "learner": float(np.mean(tenth)),
        "h": float(np.median(actions)),
    }


def _areas(game: Game, seed: int, level: int, view: str, actions: int) -> dict[str, float]:
    """The areas of one level."""
    bench = Bench.make(seed)
    rules, world, mind, terms = *_table(game, bench), _terms(game, level)
    ends, wins = np.zeros(actions, np.int64), np.zeros(actions, np.bool_)
    random = []
    for _ in range(RANDOM_RUNS):
        count = floors.live_constant(rules, world, terms, mind, floors.UNIFORM, actions, ends, wins)
        random.append(area(ends[:count], wins[:count], actions))
    lives = [Life.begin(game, seed + 1 + run, level, VIEWS[view]) for run in range(RUNS[level])]
    learned = [area(*life.learn(actions, actions), actions) for life in lives]
    return {"random": float(np.mean(random)), "learner": float(np.mean(learned))}


@dataclass(frozen=True, slots=True)
class Life:
    """A life of the reference learner in one game."""

    game: Game
    terms: Terms
    ways: Ways
    bench: Bench

    @classmethod
    def begin(cls, game: Game, seed: int, level: int = 1, ways: Ways = VIEWS["full"]) -> Life:
        """One that knows the form of the rules and not the rules."""
        life = cls(game, _terms(game, level), ways, Bench.make(seed))
        players.forget(_table(game, life.bench)[0], life.bench.mind[0])
        return life

    def learn(self, tries: int, actions: int = 2**62) -> tuple[Array, Array]:
        """Go on for ``tries`` episodes or ``actions`` actions, which the last episode may exceed.

        Returns the actions [n] after which the episodes ended, and whether each was won [n].
        """
        rules, world, mind = _table(self.game, self.bench)
        ends, wins = np.zeros(tries, np.int64), np.zeros(tries, np.bool_)
        plan, ways = self.bench.plan, self.ways
        count = players.learn(rules, world, self.terms, mind, plan, ways, tries, actions, ends, wins)
        return ends[:count], wins[:count]


def area(ends: Array, wins: Array, actions: int) -> float:
    """Mean over ``actions`` of the success of the episode that ended last, from their ends and wins [n]."""
    held = np.diff(np.append(np.minimum(ends, actions), actions))
    return float(wins @ held / actions)


def _table(game: Game, bench: Bench) -> tuple[Array, Array, Array]:
    return game.tables[None][0], bench.world[0], bench.mind[0]


def _terms(game: Game, level: int) -> Terms:
    return Terms(game.setting.size, game.setting.limit, level, ALL)


def _keep(
    game: Game, what: list[Any], names: tuple[str, ...], compute: Callable[..., dict[str, float]], *given: Any
) -> dict[str, float]:
    """What ``compute`` finds, or what it found before."""
    digest = _digest(game, [])
    key = _digest(game, what)
    if key not in _kept:
        path = _folder() / f"{key}.json"
        found = _read(path, names)
        if found is None:
            found = compute(game, int(digest[:12], 16), *given)
            _write(path, found)
        _kept[key] = found
    return _kept[key]


def _digest(game: Game, what: list[Any]) -> str:
    """Hash of a game's tables, of what bounds its episodes and of what is asked."""
    hashed = hashlib.sha256(json.dumps([VERSION, game.setting.size, game.setting.limit, *what]).encode())
    for name in game.tables.dtype.names or ():
        hashed.update(np.ascontiguousarray(game.tables[name]).tobytes())
    return hashed.hexdigest()


def _folder() -> Path:
    if given := os.environ.get("CORTEX_CACHE"):
        return Path(given) / "anchors"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cortex" / "anchors"


def _read(path: Path, names: tuple[str, ...]) -> dict[str, float] | None:
    """What a file holds, None where it is not there or damaged."""
    try:
        found = json.loads(path.read_bytes())
        values = {name: float(found[name]) for name in names}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    good = len(found) == len(names) and all(math.isfinite(value) and value >= 0 for value in values.values())
    return values if good else None


def _write(path: Path, found: dict[str, float]) -> None:
    """Write a file that appears at once and whole; where nothing can be written, nothing is kept."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(found, file)
            os.replace(fresh, path)
        except BaseException:
            os.unlink(fresh)
            raise
