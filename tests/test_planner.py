"""The search, held against exact answers: dynamic programming on small worlds that are given as tables."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cortex.modules.planner import Expansion, Plan, nothing, put, search
from cortex.types import Array

GOLDEN = Path(__file__).parent / "golden" / "search.json"
"""What the search finds with few nodes. To renew it after a change that is meant, and to review the difference:
RENEW_GOLDEN=1 python -m pytest tests/test_planner.py -k golden && git diff tests/golden"""


@dataclass
class Table:
    """Worlds as tables, one a body: an exact fake of the imagination."""

    following: Array  # [B, S, A] the next state
    reward: Array  # [B, S, A]
    end: Array  # [B, S, A]
    bonus: Array  # [B, S, A]
    top: float
    expanded: int = 0
    calls: int = 0

    def roots(self) -> Array:
        """Every body begins in state 0 of its own world."""
        return np.stack([np.arange(len(self.following)), np.zeros(len(self.following), np.int64)], axis=1)

    def pick(self, children: Array, rows: Array) -> Array:
        return np.asarray(children[rows])

    def expand(self, nodes: Array) -> Expansion:
        self.expanded += len(nodes)
        self.calls += 1
        at = nodes[:, 0], nodes[:, 1]
        key = self.following[at]
        shape = key.shape
        children = np.stack([np.repeat(nodes[:, 0], shape[1]), key.ravel()], axis=1)
        zero = np.zeros(shape)
        return Expansion(children, key, self.reward[at], self.end[at], zero, self.bonus[at], zero, key * 10 + 7)

    def select(self, bodies: slice) -> Table:
        return Table(self.following[bodies], self.reward[bodies], self.end[bodies], self.bonus[bodies], self.top)


def worlds(
    seed: int, bodies: int = 1, states: int = 12, actions: int = 3, density: float = 0.2, discount: float = 0.9
) -> Table:
    """Random graphs with rewards of few sizes, so that many lines are equally good, and some ends."""
    draw = np.random.default_rng(seed)
    shape = (bodies, states, actions)
    reward = draw.choice([1.0, 2.0, 3.0], shape) * (draw.random(shape) < density)
    end = (draw.random(shape) < 0.2).astype(float)
    return Table(draw.integers(0, states, shape), reward, end, np.zeros(shape), 3.0 / (1 - discount))


def exact(world: Table, depth: int, discount: float) -> tuple[Array, Array, float]:
    """Backward induction over ``depth`` steps: worth of first actions [B, A], the best [B], the most of all."""
    bodies, states, _ = world.following.shape
    rows = np.arange(bodies)[:, None, None]
    value = np.zeros((bodies, states))
    worth = world.reward
    for _ in range(depth):
        worth = world.reward + discount * (1 - world.end) * value[rows, world.following]
        value = worth.max(axis=2)
    return worth[:, 0], value[:, 0], float(value.max())


def solve(world: Table, depth: int = 8, discount: float = 0.9, simulations: int = 100_000, width: int = 10_000) -> Plan:
    bodies, actions = len(world.following), world.following.shape[2]
    prior = np.full((bodies, actions), 1 / actions, np.float32)
    return search(
        world,
        world.roots(),
        bodies,
        actions,
        prior,
        simulations=simulations,
        discount=discount,
        width=width,
        depth=depth,
    )


def walk(world: Table, body: int, line: Array, discount: float) -> tuple[float, list[int]]:
    """Do a line of actions: its discounted return, and the states passed."""
    state, weight, total, passed = 0, 1.0, 0.0, []
    for action in line[line >= 0]:
        total += weight * world.reward[body, state, action]
        weight *= discount * (1 - world.end[body, state, action])
        state = int(world.following[body, state, action])
        passed.append(state)
    return total, passed


@pytest.mark.parametrize("density", [0.03, 0.2, 0.6])
@pytest.mark.parametrize("depth", [1, 4, 9])
def test_the_value_and_all_best_first_actions_are_those_of_dynamic_programming(depth: int, density: float) -> None:
    world = worlds(seed=depth, bodies=150, density=density)
    worth, value, _ = exact(world, depth, 0.9)
    plan = solve(world, depth)
    np.testing.assert_allclose(plan.value, value, atol=1e-4)
    np.testing.assert_array_equal(plan.best, (worth > value[:, None] - 1e-5) & (value > 0)[:, None])


def test_a_bound_as_tight_as_can_be_saves_nodes_and_costs_no_value() -> None:
    world = worlds(seed=11, bodies=150)
    _, value, most = exact(world, 9, 0.9)
    loose = solve(world, 9)
    world.top = most
    tight = solve(world, 9)
    np.testing.assert_allclose(tight.value, value, atol=1e-4)
    # Once a line is found, another that can at most draw level is not followed up.
    assert not (tight.best & ~loose.best).any() and (tight.best.any(axis=1) == loose.best.any(axis=1)).all()
    assert tight.nodes.sum() < loose.nodes.sum()


def test_the_line_that_is_handed_on_earns_the_value_and_foretells_what_will_be_seen() -> None:
    world = worlds(seed=1, bodies=150)
    plan = solve(world)
    for body in np.flatnonzero(plan.steps).tolist():
        line = plan.actions[body]
        earned, passed = walk(world, body, line, 0.9)
        assert earned == pytest.approx(plan.value[body], abs=1e-4)
        assert plan.best[body, line[0]] and (line >= 0).sum() == plan.steps[body]
        assert plan.expected[body, : len(passed)].tolist() == [state * 10 + 7 for state in passed]
    assert plan.known[plan.steps > 0].all()


def test_the_line_is_the_shortest_that_earns_the_value() -> None:
    world = worlds(seed=2, bodies=150, density=0.1)
    plan = solve(world)
    for steps in range(1, 8):
        _, value, _ = exact(world, steps, 0.9)
        enough = value > plan.value - 1e-5
        assert (plan.steps[enough & (plan.value > 0)] <= steps).all()


def test_many_bodies_at_once_find_what_each_would_find_alone() -> None:
    world = worlds(seed=3, bodies=12)
    for simulations in (7, 40, 100_000):
        together = solve(world, simulations=simulations, width=5)
        for body in range(12):
            alone = solve(world.select(slice(body, body + 1)), simulations=simulations, width=5)
            for name in ("weights", "best", "steps", "value", "known", "nodes"):
                assert (getattr(alone, name)[0] == getattr(together, name)[body]).all(), name
            length = alone.actions.shape[1]
            assert (alone.actions[0] == together.actions[body, :length]).all()
            assert (alone.expected[0] == together.expected[body, :length]).all()
            assert (together.actions[body, length:] == -1).all()


def test_without_simulations_the_prior_stays_and_the_model_is_not_asked() -> None:
    world = worlds(seed=4, bodies=5)
    prior = np.random.default_rng(0).dirichlet(np.ones(3), 5).astype(np.float32)
    plan = search(world, world.roots(), 5, 3, prior, simulations=0, discount=0.9, width=100, depth=8)
    np.testing.assert_array_equal(plan.weights, prior)
    assert world.calls == 0 and not plan.best.any() and not plan.nodes.any() and not plan.known.any()


def test_where_nothing_pays_the_prior_stays() -> None:
    world = worlds(seed=5, bodies=4, density=0.0)
    prior = np.random.default_rng(0).dirichlet(np.ones(3), 4).astype(np.float32)
    plan = search(world, world.roots(), 4, 3, prior, simulations=500, discount=0.9, width=100, depth=8)
    np.testing.assert_array_equal(plan.weights, prior)
    assert not plan.best.any() and not plan.steps.any() and (plan.actions == -1).all()


@pytest.mark.parametrize("simulations", [1, 2, 5, 17, 64])
def test_no_body_spends_more_nodes_than_it_may(simulations: int) -> None:
    world = worlds(seed=6, bodies=40, states=200, density=0.02)
    plan = solve(world, depth=30, simulations=simulations)
    assert (plan.nodes >= 1).all() and (plan.nodes <= simulations).all()
    assert world.expanded == plan.nodes.sum()
    assert (plan.nodes == simulations).mean() > 0.5


def test_more_nodes_never_find_less() -> None:
    world = worlds(seed=7, bodies=60, states=60, density=0.05)
    values = [solve(world, depth=20, simulations=n).value for n in (4, 16, 64, 256, 100_000)]
    assert all((later >= earlier - 1e-5).all() for earlier, later in itertools.pairwise(values))
    assert values[0].sum() < values[-1].sum()


def corridor(side: int, discount: float) -> Table:
    """An empty square of ``side`` cells a side, left by its far corner, which pays; four actions."""
    row, column = np.divmod(np.arange(side * side), side)
    steps = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    following = np.stack(
        [np.clip(row + r, 0, side - 1) * side + np.clip(column + c, 0, side - 1) for r, c in steps], axis=1
    )
    pays = (following == side * side - 1).astype(float)
    return Table(following[None], pays[None], pays[None], np.zeros_like(pays)[None], 1.0)


def test_equal_scenes_are_expanded_once() -> None:
    side = 12
    world = corridor(side, 0.99)
    plan = solve(world, depth=40, discount=0.99)
    assert plan.steps[0] == 2 * (side - 1) and plan.value[0] == pytest.approx(0.99 ** (2 * side - 3), abs=1e-5)
    assert world.expanded <= side * side  # the tree without the table has 4 ** 22 nodes
    assert plan.best[0].tolist() == [False, True, True, False]


def test_ways_that_meet_bring_all_their_first_actions() -> None:
    """Where three first actions lead to one state, all that do so in time are best, though their ways are merged."""
    following = np.array([[[1, 2, 4], [3, 5, 5], [3, 5, 5], [5, 6, 5], [3, 1, 5], [5, 5, 5], [5, 5, 5]]])
    reward = np.zeros((1, 7, 3))
    reward[0, 3, 1] = 1
    plan = solve(Table(following, reward, np.zeros_like(reward), np.zeros_like(reward), 1.0))
    assert plan.best[0].tolist() == [True, True, True]  # 0-1-3, 0-2-3 and 0-4-3 are equally long
    following[0, 4, 0] = 1
    plan = solve(Table(following, reward, np.zeros_like(reward), np.zeros_like(reward), 1.0))
    assert plan.best[0].tolist() == [True, True, False]


def test_a_later_way_that_earned_more_is_kept_though_its_state_was_reached_before() -> None:
    """0 -> 2 at once, or 0 -> 1 -> 2 with a reward on the way: the second is better although it comes later."""
    following = np.array([[[2, 1], [2, 3], [3, 3], [3, 3]]])
    reward = np.zeros((1, 4, 2))
    reward[0, 1, 0], reward[0, 2, 0] = 2, 1
    plan = solve(Table(following, reward, np.zeros_like(reward), np.zeros_like(reward), 30.0))
    assert plan.best[0].tolist() == [False, True]
    assert plan.value[0] == pytest.approx(0.9 * 2 + 0.81)


def test_ways_that_meet_with_unequal_chances_to_live_on_are_all_kept_while_any_could_win() -> None:
    """One way earns 1 and lives on with chance .5, the other only lives on: which is better shows later."""
    following = np.array([[[1, 1], [2, 2], [2, 2]]])
    reward, end = np.zeros((1, 3, 2)), np.zeros((1, 3, 2))
    reward[0, 0, 0], end[0, 0, 0] = 1.0, 0.5
    for later, best in ((1.0, [True, False]), (10.0, [False, True])):
        reward[0, 1] = later
        plan = solve(Table(following, reward, end, np.zeros_like(reward), 100.0))
        assert plan.best[0].tolist() == best
        assert plan.value[0] == pytest.approx(max(1 + 0.45 * later, 0.9 * later))


def test_a_small_reward_at_once_does_not_hide_a_large_one_later() -> None:
    following = np.array([[[3, 1], [3, 2], [3, 3], [3, 3]]])
    reward = np.zeros((1, 4, 2))
    reward[0, 0, 0], reward[0, 2, 1] = 0.75, 1.0
    plan = solve(Table(following, reward, np.zeros_like(reward), np.zeros_like(reward), 1.0))
    assert plan.best[0].tolist() == [False, True] and plan.value[0] == pytest.approx(0.81)
    plan = solve(Table(following, reward, np.zeros_like(reward), np.zeros_like(reward), 1.0), depth=2)
    assert plan.best[0].tolist() == [True, False] and plan.value[0] == pytest.approx(0.75)


def test_what_is_worth_finding_out_counts_only_where_a_line_stops_and_is_not_called_known() -> None:
    world = worlds(seed=8, bodies=1, states=4, density=0.0)
    world.following[0] = np.array([[1, 0, 0], [2, 1, 1], [3, 2, 2], [3, 3, 3]])
    world.end[:] = 0
    world.bonus[0, 0, 0], world.bonus[0, 1, 0] = 1.0, 1.5
    plan = solve(world)
    assert plan.value[0] == pytest.approx(0.9 * 1.5) and plan.steps[0] == 2 and not plan.known[0]


def test_an_answer_for_some_bodies_leaves_the_others_as_they_were() -> None:
    world = worlds(seed=9, bodies=2, density=0.6)
    found = solve(world)
    plan = put(nothing(5, 3), found, np.array([3, 1]))
    for name in ("weights", "best", "steps", "value", "known", "nodes", "actions", "expected"):
        np.testing.assert_array_equal(getattr(plan, name)[[3, 1]], getattr(found, name))
    assert (plan.actions[[0, 2, 4]] == -1).all() and not plan.nodes[[0, 2, 4]].any()


def told(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "nodes": int(plan.nodes[body]),
            "value": round(float(plan.value[body]), 4),
            "best": np.flatnonzero(plan.best[body]).tolist(),
            "line": [int(action) for action in plan.actions[body] if action >= 0],
        }
        for body in range(len(plan.value))
    ]


def test_golden_search() -> None:
    """The order in which nodes are spent shows in what small budgets find."""
    found = {}
    for simulations in (8, 32, 128):
        world = worlds(seed=10, bodies=8, states=80, density=0.04)
        found[str(simulations)] = told(solve(world, depth=12, simulations=simulations, width=16))
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_sure_habit_goes_before_a_line_that_only_promises_news() -> None:
    """One that is to yield keeps its prior where nothing is known to pay, and its line where something is."""
    shape = (2, 2, 2)
    following = np.zeros(shape, np.int64)
    bonus, reward = np.zeros(shape), np.zeros(shape)
    bonus[:, 0, 1] = 0.5  # in both worlds action 1 is news
    reward[1, 0, 0] = 1.0  # in the second action 0 pays
    world = Table(following, reward, np.ones(shape), bonus, 1.0)
    prior = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)

    def found(yields: list[bool]) -> Plan:
        settings = {"simulations": 10, "discount": 0.9, "width": 10, "depth": 2}
        return search(world, world.roots(), 2, 2, prior, **settings, yields=np.array(yields))

    plan, bold = found([True, True]), found([False, False])
    assert bold.weights.tolist() == [[0, 1], [1, 0]] and bold.steps.tolist() == [1, 1]
    np.testing.assert_array_equal(plan.weights, [prior[0], [1, 0]])
    assert plan.steps.tolist() == [0, 1] and not plan.best[0].any() and (plan.actions[0] < 0).all()
    assert (plan.nodes > 0).all(), "the search is counted all the same"
