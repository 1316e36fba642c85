"""How hard games are, for those who do not look, for those who remember actions, and for the reference learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from cortex.envs.novel_game import anchors, floors, players
from cortex.envs.novel_game.difficulty import band
from cortex.envs.novel_game.generate import Bench, Game
from cortex.types import Array
from experiments.proofs.claims import Family, Proof, believed, first_win, lies, mean, rules_of
from experiments.proofs.solutions import solution

RANDOM, WALK, BY_HEART = 0.2, 0.1, 0.05
"""Most that random actions, the random walk, a memory of actions and another game's rules may win."""

BY_TRY, SHARE = 10, 0.6
"""By this try the reference learner wins at least this share of games."""

CHANCE = 0.01
"""Chance of a trend where there is none, below which it counts as one."""

EPISODES, WALKS = 100, 40
"""Episodes of random actions and of the random walk in each game."""


def survey(family: Family, seeds: Sequence[int], lives: int = 8) -> list[dict[str, Any]]:
    """One row a game: what random actions and the random walk win, and how fast the reference learner is."""
    return [_row(family, game, lives) for game in family.games(seeds)]


def _row(family: Family, game: Game, lives: int) -> dict[str, Any]:
    bench, rules, terms = Bench.make(game.seed), rules_of(game), family.terms()
    world, mind, wins = bench.world[0], bench.mind[0], np.zeros(1, np.int64)
    floors.compare(rules, world, terms, mind, floors.UNIFORM[None], EPISODES, wins)
    players.forget(rules, mind)
    walked = players.walks(rules, world, terms, mind, bench.lanes, bench.queue, bench.plan, WALKS, WALKS)
    actions, early = [], []
    for life in range(lives):
        ends, won = anchors.Life.begin(game, 1000 * game.seed + life).learn(2 * BY_TRY)
        actions.append(first_win(ends, won))
        early.append(bool(won[:BY_TRY].any()))
    return {
        "family": family.name,
        "seed": game.seed,
        "last": game.spec.stages[-1].mechanic,
        "random": int(wins[0]) / EPISODES,
        "walk": walked / WALKS,
        "first": actions[0],
        "h": float(np.median(actions)),
        "early": float(np.mean(early)),
    }


def blind(family: str, rows: Sequence[Mapping[str, Any]]) -> list[Proof]:
    """Random actions and the random walk win little."""
    found = []
    for name, most in (("random", RANDOM), ("walk", WALK)):
        figures = mean([row[name] for row in rows])
        found.append(Proof(f"{name} below {most}", family, figures["high"] < most, figures))
    return found


def learnable(family: str, rows: Sequence[Mapping[str, Any]]) -> Proof:
    """The reference learner wins early enough in enough games."""
    figures = mean([row["early"] for row in rows])
    return Proof(f"learner wins by try {BY_TRY} in {SHARE} of the games", family, figures["mean"] >= SHARE, figures)


def in_band(difficulty: int, rows: Sequence[Mapping[str, Any]]) -> Proof:
    """The median of h lies where the class says; beside it stands that of single lives."""
    holds, figures = lies(np.array([row["h"] for row in rows]), *band(difficulty))
    once = float(np.median([row["first"] for row in rows]))
    return Proof("median h in its band", str(difficulty), holds, {**figures, "of single lives": once})


def harder(rows: Sequence[Mapping[str, Any]], seed: int = 0, draws: int = 999) -> Proof:
    """Higher classes need more actions, among games whose last stage is alike.

    Page's linear-by-rank statistic (1963) over strata of last mechanics; its chance comes from permuting difficulties
    within strata. Rows of families that are no classes do not count.
    """
    rng = np.random.default_rng(seed)
    strata: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        strata.setdefault(row["last"], []).append(row)
    ranks = {last: rankdata([row["h"] for row in group]) for last, group in strata.items()}
    classes = {last: np.array([int(row["family"]) for row in group], np.float64) for last, group in strata.items()}
    centred = {last: rank - rank.mean() for last, rank in ranks.items()}
    statistic = sum(float(classes[last] @ centred[last]) for last in strata)
    permuted = np.array(
        [sum(float(rng.permutation(classes[last]) @ centred[last]) for last in strata) for _ in range(draws)]
    )
    chance = (1 + int((permuted >= statistic).sum())) / (1 + draws)
    medians = {str(d): float(np.median([row["h"] for row in rows if row["family"] == d])) for d in _classes(rows)}
    figures = {"statistic": statistic, "chance": chance, "strata": len(strata), "games": len(rows), "medians": medians}
    return Proof("harder is harder", "all", chance < CHANCE, figures)


def _classes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({row["family"] for row in rows}, key=int)


def memoriser(
    family: Family, games: Sequence[Game], learned: Sequence[int] = range(24), judged: Sequence[int] = range(1000, 1100)
) -> Proof:
    """Strings of actions that won on other layouts do not win here.

    The solver's strings on the layouts ``learned`` are the memory; the string that wins most of half of the layouts
    ``judged`` plays the other half, every second one.
    """
    won = []
    for game in games:
        strings = [actions for seed in learned if (actions := solution(game, family.terms(), seed)[0])]
        share = _recited(game, family, strings, list(judged)[::2])
        best = strings[int(np.argmax(share))]
        won.append(float(_recited(game, family, [best], list(judged)[1::2])[0]))
    figures = mean(won)
    return Proof(f"memorised actions below {BY_HEART}", family.name, figures["high"] < BY_HEART, figures)


def _recited(game: Game, family: Family, strings: list[list[int]], seeds: Sequence[int]) -> Array:
    """Share of layouts that each string wins."""
    actions = np.zeros((len(strings), max(map(len, strings))), np.int64)
    for row, string in zip(actions, strings):
        row[: len(string)] = string
    lengths, total = np.array([len(string) for string in strings]), np.zeros(len(strings))
    for seed in seeds:
        wins = np.zeros(len(strings), np.int64)
        world = Bench.make(seed).world[0]
        floors.recite(rules_of(game), world, family.terms(), actions, lengths, 1, wins)
        total += wins
    return total / len(seeds)


def misled(family: Family, games: Sequence[Game], others: Sequence[Game], episodes: int = 10) -> Proof:
    """A planner that believes the rules of another game does not win; every game has its other in ``others``."""
    won = []
    for game, other in zip(games, others):
        bench, rules, belief = Bench.make(game.seed), rules_of(game), believed(other, game)
        wins = 0
        for _ in range(episodes):
            players.know(belief, bench.mind[0])
            players.solve(rules, bench.world[0], family.terms(), bench.mind[0], bench.plan)
            wins += int(bench.world[0]["success"])
        won.append(wins / episodes)
    figures = mean(won)
    return Proof(f"another game's rules below {BY_HEART}", family.name, figures["high"] < BY_HEART, figures)


def scaled(family: Family, games: Sequence[Game], episodes: int = 400, solved: int = 10) -> list[Proof]:
    """On the scale from the best constant actions to the solver who never learns is at 0, and the solver at 1.

    Who never learns draws from the best constant distribution for ever; both are measured on other episodes than those
    that made the scale.
    """
    idle, solver = [], []
    for game in games:
        bench, rules, terms = Bench.make(game.seed), rules_of(game), family.terms()
        world, mind = bench.world[0], bench.mind[0]
        edges = floors.best_constant(rules, world, terms, mind, np.random.default_rng(game.seed))[None]
        floor, again = (_constant(rules, world, terms, mind, edges, episodes) for _ in range(2))
        ceiling, twice = (_solved(rules, world, terms, mind, bench.plan, solved) for _ in range(2))
        idle.append((again - floor) / (ceiling - floor))
        solver.append((twice - floor) / (ceiling - floor))
    found = []
    for name, scores, due in (("who never learns scores 0", idle, 0), ("the solver scores 1", solver, 1)):
        figures = mean(scores)
        close = abs(figures["mean"] - due) < 0.02  # all games of a solver may be equal, and then have no interval
        holds = figures["low"] <= due <= figures["high"] or close
        found.append(Proof(name, family.name, holds, figures))
    return found


def _constant(rules: Array, world: Array, terms: Any, mind: Array, edges: Array, episodes: int) -> float:
    wins = np.zeros(1, np.int64)
    floors.compare(rules, world, terms, mind, edges, episodes, wins)
    return int(wins[0]) / episodes


def _solved(rules: Array, world: Array, terms: Any, mind: Array, plan: Array, episodes: int) -> float:
    wins = 0
    for _ in range(episodes):
        players.know(rules, mind)
        players.solve(rules, world, terms, mind, plan)
        wins += int(world["success"])
    return wins / episodes
