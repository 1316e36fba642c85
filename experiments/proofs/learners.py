"""Whether the reference learner deserves its name: nothing taken from it helps, and what is told to it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortex.envs.novel_game import anchors, words
from cortex.envs.novel_game.difficulty import CHAIN
from cortex.envs.novel_game.generate import Game
from cortex.envs.novel_game.players import Ways
from cortex.envs.novel_game.spec import Setting
from cortex.types import Array
from experiments.proofs.claims import Family, Proof, lies, ratio

CHAINS = {(1, 0): 9.0, (1, 3): 15.0, (2, 3): 42.5, (3, 3): 120.5}
"""Stages and decoys of a chain -> the learner's median actions to its first win."""

WITHIN = 0.15
"""Share by which a median may differ from that."""

ABLATIONS = {
    "waits when stuck": (Ways(waits=True), 1),
    "ignores goals": (Ways(ignores_goals=True), 3),
    "sees one layout": (Ways(same_layout=True), 1),
}
"""What is taken from the learner, and the win up to which it is followed: a known goal serves from the second on."""

TRIES = 20

MARGIN = 0.02
"""An ablation counts as better where even the upper end of its interval is this much below the learner's actions."""


def chain(length: int, decoys: int) -> Family:
    """Games of the plain mechanics as they are drawn, easy ones too; decoys consume or change, moves are as named."""
    setting = Setting(length, decoys, 9, mechanics=CHAIN, kinds=("eater", "switch"), walks=1.0)
    return Family(f"chain {length},{decoys}", setting, permuted=False)


def lives(games: Sequence[Game], ways: Ways = anchors.VIEWS["full"], told: bool = False, wins: int = 1) -> Array:
    """Actions to the ``wins``-th win [n] of one life in each game; ``told``: it has read all rules."""
    actions = []
    for game in games:
        life = anchors.Life.begin(game, 2**33 + game.seed, 1, ways)
        if told:
            words.read(words.tell(game.tables), life.bench.mind[0])
        actions.append(_nth_win(*life.learn(TRIES), wins))
    return np.array(actions, np.float64)


def _nth_win(ends: Array, wins: Array, nth: int) -> int:
    """Actions to a win of a life; all of them where it won less often."""
    at = np.flatnonzero(wins)
    return int(ends[at[nth - 1]] if len(at) >= nth else ends[-1])


def paced(family: Family, actions: Array, due: float) -> Proof:
    """The median over games is what it should be."""
    holds, figures = lies(actions, due * (1 - WITHIN), due * (1 + WITHIN))
    return Proof(f"learner's median within {WITHIN:.0%}", family.name, holds, {**figures, "due": due})


def ablations(family: Family, games: Sequence[Game]) -> list[Proof]:
    """Each ablation beside the learner, in the same games with the same layouts."""
    return [
        admissible(family.name, name, lives(games, wins=wins), lives(games, ways, wins=wins))
        for name, (ways, wins) in ABLATIONS.items()
    ]


def admissible(family: str, name: str, reference: Array, ablated: Array) -> Proof:
    """An ablation is no better than the learner: it does not need fewer actions to as many wins."""
    figures = ratio(ablated, reference)
    return Proof(f"learner that {name} is no better", family, figures["high"] >= 1 - MARGIN, figures)


def slowed(few: Array, many: Array) -> Proof:
    """More decoys slow the learner down; [n] actions in games with few of them, and in others with many."""
    low, high, value = _unpaired(many, few)
    figures = {"ratio": value, "low": low, "high": high, "games": len(few) + len(many)}
    return Proof("more decoys slow the learner", "chains 2,0 and 2,6", low > 1, figures)


def _unpaired(actions: Array, reference: Array, draws: int = 2000) -> tuple[float, float, float]:
    """Interval and value of a ratio of geometric means of different games."""
    rng = np.random.default_rng(0)
    drawn = [np.log(x)[rng.integers(len(x), size=(draws, len(x)))].mean(axis=1) for x in (actions, reference)]
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    value = np.log(actions).mean() - np.log(reference).mean()
    return float(np.exp(low)), float(np.exp(high)), float(np.exp(value))


def served(family: str, untold: Array, told: Array) -> Proof:
    """Who has read the rules wins earlier."""
    figures = ratio(told, untold)
    return Proof("learner that has read the rules wins earlier", family, figures["high"] < 1, figures)
