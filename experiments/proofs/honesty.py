"""Whether the public environment keeps its word: it plays by the rules, is fair, and tells nothing beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np

import cortex  # noqa: F401  (registers the environments)
from cortex.envs.novel_game.codes import LEVELS
from cortex.envs.novel_game.dynamics import begin
from cortex.envs.novel_game.generate import Bench, Game
from cortex.envs.novel_game.spec import SPLITS, belongs
from experiments.proofs.claims import Family, Proof, goal, mean, rules_of
from experiments.proofs.solutions import solution

ID = "cortex/NovelGame-v0"
SENSES = ("grid", "image", "text", "body", "sound")
SOLVED = 0.99
"""Least share of layouts that the solver has to win: what walks about may stand in its way too long."""

Make = Callable[..., Any]


def body(**settings: Any) -> Any:
    """One body of the public environment, as every user makes it, without the checks of gymnasium."""
    return gymnasium.make(ID, disable_env_checker=True, **settings)


def bodies(count: int, **settings: Any) -> Any:
    """Many bodies of the public environment."""
    return gymnasium.make_vec(ID, count, vectorization_mode="vector_entry_point", **settings)


def replayed(family: Family, games: Sequence[Game], layouts: range = range(4), make: Make = body) -> Proof:
    """What the solver does without the public environment has the same return in it, with any noise."""
    same, won = 0, []
    for game in games:
        for noise in (0, 100):
            with closing(make(game_seed=game.seed, level=1, modalities=("body",), noise=noise, **family.public)) as env:
                for seed in layouts:
                    actions, wins = solution(game, family.terms(), seed)
                    env.reset(seed=seed)
                    total, over, left = 0.0, False, list(actions)
                    while left and not over:
                        _, reward, terminated, truncated, _ = env.step(left.pop(0))
                        total, over = total + float(reward), terminated or truncated
                    same += total == wins and not left and terminated == wins
                    won.append(total)
    figures = {**mean(won), "same": same / len(won), "episodes": len(won)}
    return Proof("the solver's return replays", family.name, same == len(won) and figures["mean"] >= SOLVED, figures)


def solvable(family: Family, games: Sequence[Game], layouts: range = range(500, 502)) -> Proof:
    """Every level has layouts, and the solver wins fresh ones; ``unlaid`` counts those that were not found."""
    unlaid, figures = 0, dict[str, Any]()
    for level in range(1, LEVELS + 1):
        terms, won = family.terms(level), []
        for game in games:
            for seed in layouts:
                unlaid += not begin(rules_of(game), Bench.make(seed).world[0], terms)
                won.append(solution(game, terms, seed)[1])
        figures[f"level {level}"] = float(np.mean(won))
    holds = not unlaid and min(figures.values()) >= SOLVED
    return Proof("the solver wins every level", family.name, holds, {**figures, "unlaid": unlaid, "games": len(games)})


def untold(family: Family, seeds: Sequence[int], make: Make = body, steps: int = 60) -> Proof:
    """Neither observation nor info holds a rule, an anchor, a level, a difficulty or a label."""
    rng, told = np.random.default_rng(0), set[str]()
    for seed in seeds:
        with closing(make(game_seed=seed, modalities=SENSES, noise=1, **family.public)) as env:
            seen, info = env.reset(seed=seed)
            told |= {*_keys(info), *_keys(seen)}
            for _ in range(steps):
                seen, _, terminated, truncated, info = env.step(int(rng.integers(6)))
                told |= {*_keys(info), *_keys(seen)}
                if terminated or truncated:
                    env.reset()
    extra = sorted(told - {*SENSES, "noise", "success"})
    return Proof("nothing is told beside the senses", family.name, not extra, {"extra": extra, "games": len(seeds)})


def _keys(record: Any) -> set[str]:
    """The names in a record and in those within it."""
    if not isinstance(record, dict):
        return set()
    return {str(key) for key in record} | {name for value in record.values() for name in _keys(value)}


def alike(family: Family, seeds: Sequence[int], single: Make = body, steps: int = 300) -> Proof:
    """Many bodies at once see and get, bit for bit, what each would alone."""
    rng = np.random.default_rng(0)
    kind = {**family.public, "modalities": SENSES, "noise": 10}
    differ = 0
    with closing(bodies(len(seeds), game_seed=list(seeds), **kind)) as vector:
        alone = [single(game_seed=seed, **kind) for seed in seeds]
        together, _ = vector.reset(seed=7)
        apart = [env.reset(seed=7 + b)[0] for b, env in enumerate(alone)]
        over = np.zeros(len(seeds), bool)
        for _ in range(steps):
            differ += sum(not _equal(together, b, seen) for b, seen in enumerate(apart))
            actions = rng.integers(6, size=len(seeds))
            together, reward, terminated, truncated, info = vector.step(actions)
            for b, env in enumerate(alone):
                if over[b]:
                    apart[b], answer = env.reset()[0], (0.0, False, False, False)
                else:
                    apart[b], *rest, told = env.step(int(actions[b]))
                    answer = (*rest, told["success"])
                differ += answer != (reward[b], terminated[b], truncated[b], info["success"][b])
                over[b] = answer[1] or answer[2]
        for env in alone:
            env.close()
    figures = {"different": int(differ), "steps": steps, "bodies": len(seeds)}
    return Proof("vectorised equals single", family.name, differ == 0, figures)


def _equal(together: dict[str, Any], b: int, seen: dict[str, Any]) -> bool:
    return set(together) == set(seen) and all(np.array_equal(together[key][b], seen[key]) for key in seen)


def unmoved(family: Family, seeds: Sequence[int], make: Make = body) -> Proof:
    """Anchors are the same whatever the noise."""
    moved = 0
    for seed in seeds:
        found = []
        for noise, place in ((0, "key"), (100, "key"), (1000, "grid")):
            with closing(make(game_seed=seed, level=1, noise=noise, noise_in=place, **family.public)) as env:
                found.append(env.unwrapped.anchors())
        moved += found[0] != found[1] or found[0] != found[2]
    return Proof("anchors do not move with noise", family.name, moved == 0, {"moved": moved, "games": len(seeds)})


def apart(family: Family, games: dict[str, Sequence[Game]]) -> Proof:
    """The held-out splits share no rules with training; T0 and T1 have its rules. ``games`` by split, equal seeds."""
    digests = {split: [game.spec.digest for game in games[split]] for split in SPLITS}
    trained = {*digests["train"], *digests["T0"], *digests["T1"]}
    shared = {split: len(trained & set(digests[split])) for split in ("T2", "T3", "T4")}
    strays = sum(not belongs(game.spec, split) for split in SPLITS for game in games[split])
    own = digests["train"] == digests["T0"] == digests["T1"]
    figures = {
        "shared": shared,
        "strays": strays,
        "rules": {split: len(set(found)) for split, found in digests.items()},
    }
    return Proof("held-out rules are apart", family.name, own and not strays and not sum(shared.values()), figures)


def samples(family: Family, games: Sequence[Game], kind: str, layouts: int = 4, make: Make = body) -> dict[str, Any]:
    """What should tell nothing, and what it should not tell: one sample an episode of the solver.

    ``ids``: bits of the seeds; ``timing``: logarithms of the seconds of reset and of the last call; ``noise``: bits of
    the noise before an action of the solver drawn from its episode; ``first``: of the noise at reset; ``action``: that
    action; ``goal``: the group of eight codes among which the goal's is; ``chosen``: the samples that begin a game.
    """
    rng, rows = np.random.default_rng(0), dict[str, list[Any]]()
    for game in games:
        settings = {"game_seed": game.seed, "level": 1, "modalities": ("body",), "noise": 10, "noise_kind": kind}
        with closing(make(**settings, **family.public)) as env:
            for layout in range(layouts):
                seed = int(rng.integers(2**16))
                actions, _ = solution(game, family.terms(), seed)
                at = int(rng.integers(len(actions)))
                began = time.perf_counter()
                seen, _ = env.reset(seed=seed)
                spent = [time.perf_counter() - began] * 2
                first = np.unpackbits(seen["noise"])
                for action in actions[:at]:
                    began = time.perf_counter()
                    seen, *_ = env.step(action)
                    spent[1] = time.perf_counter() - began
                numbers = np.array([game.seed, seed], np.int64).view(np.uint8)
                row: dict[str, Any] = {
                    "noise": np.unpackbits(seen["noise"]),
                    "first": first,
                    "ids": np.unpackbits(numbers),
                }
                row |= {"timing": np.log(spent), "action": actions[at], "goal": goal(game) // 8, "chosen": layout == 0}
                for name, value in row.items():
                    rows.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in rows.items()}
