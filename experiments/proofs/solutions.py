"""The solver's actions, one by one: what a memory of actions repeats, and what the public environment replays."""

from __future__ import annotations

from cortex.envs.novel_game import players, search
from cortex.envs.novel_game.codes import WAIT
from cortex.envs.novel_game.dynamics import Terms
from cortex.envs.novel_game.generate import Bench, Game
from experiments.proofs.claims import rules_of


def solution(game: Game, terms: Terms, seed: int) -> tuple[list[int], bool]:
    """The actions of the solver in the first episode of a body with ``seed``, and whether they win."""
    bench, rules = Bench.make(seed), rules_of(game)
    world, mind, plan = bench.world[0], bench.mind[0], bench.plan
    actions: list[int] = []

    def stride(step: int) -> bool:
        kept: bool = players.stride(rules, world, terms, mind, step, True)
        actions.append(int(world["action"]))
        return kept

    players.know(rules, mind)
    players.wake(rules, world, terms, mind, True)
    search.want(mind)
    patience = players.PATIENCE
    while not world["over"] and patience > 0:
        kind, length, _, aim = search.search(mind, terms.size, players.SOLVER_BUDGET, False, plan)
        if kind == search.NONE:
            patience -= 1
            stride(WAIT)
        code = mind["grid"][aim]
        for step in plan[:length].tolist():
            if world["over"] or mind["grid"][aim] != code or not stride(step):
                break
    return actions, bool(world["success"])
