"""What is left to find: nothing that is imagined promises more, it saves nodes, and it ends a vain search sooner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex
from cortex.day import living
from cortex.mapped import MappedModel
from cortex.modules import planner
from cortex.outlook import outlook
from cortex.patience import HALVINGS, Patience
from cortex.types import Array, Plan

NODES = 2048


@dataclass(frozen=True)
class Searched:
    """One moment's search by the model's own bound, and by the closer one."""

    top: float
    left: float
    promised: float  # the most that any imagined step promised
    loose: Plan
    close: Plan


def search(model: MappedModel, left: float, tree: list[planner.Layer] | None = None) -> Plan:
    def look_out(bodies: Array) -> tuple[Array, Array]:
        return np.full(len(bodies), left), np.full(len(bodies), NODES)

    prior = np.full((1, 6), 1 / 6, np.float32)
    settings: dict[str, Any] = {"simulations": NODES, "discount": 0.97, "width": 256, "depth": 64}
    return planner.search(model, model.roots(), 1, 6, prior, **settings, tree=tree, outlook=look_out)


@pytest.fixture(scope="module")
def searches() -> list[Searched]:
    """Those of the first 250 actions in a novel game."""
    env = gymnasium.make("cortex/NovelGame-v0", game_seed=2302, difficulty=3, level=1)
    agent = cortex.Agent.make(env, f"planner.simulations={NODES}", seed=0)
    found = []
    for _, (trace, action, outcome, _) in zip(range(250), living(agent, agent.bodies, 1, np.random.default_rng(1))):
        model = trace.tree.model
        if isinstance(model, MappedModel):
            left, tree = outlook(model, np.arange(1)), list[planner.Layer]()
            loose = search(model, model.top, tree)
            promised = max(float((e.bonus + e.reward).max()) for e in (layer.expansion for layer in tree))
            found.append(Searched(model.top, left, promised, loose, search(model, left)))
        agent.observe(trace, action, outcome)
    return found


def test_no_step_promises_more_than_is_left_to_find(searches: list[Searched]) -> None:
    above = [one.promised > one.left + 1e-6 for one in searches]
    assert len(searches) > 50 and np.mean(above) < 0.02
    assert np.mean([one.left < 0.8 * one.top for one in searches]) > 0.2, "it says more than the model's own bound"


def test_a_search_that_knows_what_is_left_finds_as_much_with_fewer_nodes(searches: list[Searched]) -> None:
    assert all(one.close.value[0] >= one.loose.value[0] - 1e-4 for one in searches if one.promised <= one.left)
    long = [one for one in searches if one.loose.nodes[0] > 2 * planner.LONG]
    assert sum(one.close.nodes[0] for one in long) < 0.8 * sum(one.loose.nodes[0] for one in long)


def plan(nodes: int, known: bool) -> Plan:
    found = planner.nothing(1, 2)
    found.nodes[0], found.known[0] = nodes, known
    return found


def test_long_searches_in_vain_leave_ever_fewer_nodes_until_something_is_to_be_hoped_for() -> None:
    row, left, patience = np.zeros(1, np.int64), np.array([0.3]), Patience.fresh(1)
    spent = []
    for _ in range(HALVINGS + 2):
        most = patience.nodes(row, left, 2048)
        spent.append(int(most[0]))
        patience = patience.after(row, plan(int(most[0]), known=False), most, left)
    assert spent == [2048, 1024, 512, 256, 128, 128]
    assert patience.nodes(row, left + 0.1, 2048) == 2048, "more is left to find than then"
    assert patience.nodes(row, left - 0.1, 2048) == 128
    assert patience.begun(np.ones(1, bool)).nodes(row, left, 2048) == 2048, "another episode"
    assert patience.begun(np.zeros(1, bool)).nodes(row, left, 2048) == 128
    short = patience.after(row, plan(100, known=False), np.array([128]), left)
    assert short.nodes(row, left, 2048) == 128, "a search that came to its end tells nothing"
    assert patience.after(row, plan(128, known=True), np.array([128]), left).nodes(row, left, 2048) == 2048
    unasked = Patience.fresh(1).after(row, plan(2048, known=False), np.array([2048]), np.full(1, np.inf))
    assert unasked.nodes(row, left, 2048) == 2048
