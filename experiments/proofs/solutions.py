"""The solver's actions, one by one: what a memory of actions repeats, and what the public environment replays."""

from __future__ import annotations

from cortex.envs.novel_game import players
from cortex.envs.novel_game.dynamics import Terms
from cortex.envs.novel_game.generate import Bench, Game
from experiments.proofs.claims import rules_of


def solution(game: Game, terms: Terms, seed: int) -> tuple[list[int], bool]:
    """The actions of the solver in the first episode of a body with ``seed``, and whether they win."""
    bench, rules = Bench.make(seed), rules_of(game)
    world, mind = bench.world[0], bench.mind[0]
    players.know(rules, mind)
    players.solve(rules, world, terms, mind, bench.plan)
    return mind["past"][: world["clock"]].tolist(), bool(world["success"])
