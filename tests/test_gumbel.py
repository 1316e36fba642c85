"""Gumbel search, held against a naive tree in plain Python and against mctx, on small worlds given as tables."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cortex.modules.gumbel import Step, rounds, search
from cortex.types import Array, CortexError, Plan

GOLDEN = Path(__file__).parent / "golden" / "gumbel.json"
"""What the search finds with few simulations. To renew it after a change that is meant, and to review the difference:
RENEW_GOLDEN=1 python -m pytest tests/test_gumbel.py -k golden && git diff tests/golden"""


@dataclass
class Table:
    """A world as a table, with any prior and any value: an exact fake of a learned model. A latent is a state [M]."""

    following: Array  # [S, A]
    reward: Array  # [S, A]
    discount: Array  # [S, A]
    logits: Array  # [S, A]
    value: Array  # [S]
    batches: list[int] = field(default_factory=list)

    def step(self, latent: Array, action: Array) -> Step:
        self.batches.append(len(action))
        state = self.following[latent, action]
        reward, discount = self.reward[latent, action], self.discount[latent, action]
        return Step(state, reward, discount, self.logits[state], self.value[state])


def table(seed: int, actions: int, states: int = 20) -> Table:
    """A random world with some ends; prior and value know nothing of it."""
    draw = np.random.default_rng(seed)
    shape = (states, actions)
    reward = draw.normal(size=shape) * (draw.random(shape) < 0.5)
    discount = 0.95 * (draw.random(shape) > 0.1)
    return Table(draw.integers(0, states, shape), reward, discount, draw.normal(size=shape), draw.normal(size=states))


def solve(world: Table, bodies: int, simulations: int, noise: Array | None = None, **settings: Any) -> Plan:
    """Body b begins in state b."""
    return search(world, np.arange(bodies), world.logits[:bodies], world.value[:bodies], simulations, noise, **settings)


def gumbel(seed: int, bodies: int, actions: int) -> Array:
    return np.random.default_rng(seed).gumbel(size=(bodies, actions))


class Node:
    """One node of the oracle: its returns are kept one by one, so that every mean is a plain mean."""

    def __init__(self, world: Table, state: int) -> None:
        self.world, self.state, self.returns = world, state, [float(world.value[state])]
        self.children: dict[int, Node] = {}

    def visits(self, action: int) -> int:
        return len(self.children[action].returns) if action in self.children else 0

    def q(self, action: int) -> float:
        below = float(np.mean(self.children[action].returns))
        return float(self.world.reward[self.state, action] + self.world.discount[self.state, action] * below)

    def logits(self) -> Array:
        """The improved policy's: prior plus completed values (Danihelka et al. 2022, equations 8, 10, 33)."""
        prior = self.world.logits[self.state]
        chance = np.exp(prior - prior.max()) / np.exp(prior - prior.max()).sum()
        tried = sorted(self.children)
        visits = [self.visits(action) for action in tried]
        mixed = self.returns[0]
        if tried:
            mean = sum(chance[a] * self.q(a) for a in tried) / chance[tried].sum()
            mixed = (mixed + sum(visits) * mean) / (1 + sum(visits))
        q = np.array([self.q(a) if a in self.children else mixed for a in range(len(prior))])
        q = (q - q.min()) / max(q.max() - q.min(), 1e-8)
        return prior + 0.1 * (50 + max(visits, default=0)) * q

    def policy(self) -> Array:
        logits = self.logits()
        return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()

    def simulate(self, action: int | None = None) -> float:
        """Walk down to a new node, by the improved policy below the root; the return from here."""
        if action is None:
            counts = np.array([self.visits(a) for a in range(len(self.world.logits[self.state]))])
            action = int(np.argmax(self.policy() - counts / (1 + counts.sum())))
        if action in self.children:
            below = self.children[action].simulate()
        else:
            self.children[action] = Node(self.world, int(self.world.following[self.state, action]))
            below = self.children[action].returns[0]
        earned = float(self.world.reward[self.state, action] + self.world.discount[self.state, action] * below)
        self.returns.append(earned)
        return earned


def naive(world: Table, state: int, simulations: int, noise: Array) -> tuple[int, Array, float]:
    """Action, improved policy and value of one state, one simulation after the other."""
    root, actions = Node(world, state), range(len(noise))

    def best(visits: int) -> int:
        return max((a for a in actions if root.visits(a) == visits), key=lambda a: (noise + root.logits())[a])

    for visits, _ in rounds(simulations, min(16, len(noise)), parallel=False):
        root.simulate(best(visits))
    return best(max(root.visits(a) for a in actions)), root.policy(), float(np.mean(root.returns))


@pytest.mark.parametrize("actions", [1, 2, 5, 18])
@pytest.mark.parametrize("simulations", [1, 3, 16, 60])
def test_action_policy_and_value_are_those_of_a_naive_tree(actions: int, simulations: int) -> None:
    world, noise = table(actions, actions), gumbel(1, 12, actions)
    plan = solve(world, 12, simulations, noise, parallel=False)
    for body in range(12):
        action, weights, value = naive(world, body, simulations, noise[body])
        assert plan.best[body].tolist() == [a == action for a in range(actions)]
        np.testing.assert_allclose(plan.weights[body], weights, atol=1e-5)
        assert plan.value[body] == pytest.approx(value, abs=1e-5)
        assert plan.actions[body, 0] == action and plan.steps[body] == (plan.actions[body] >= 0).sum() >= 1


@pytest.mark.parametrize("simulations", [8, 200])
def test_action_policy_value_and_rounds_are_those_of_mctx(simulations: int) -> None:
    mctx, jax = pytest.importorskip("mctx"), pytest.importorskip("jax")
    world, bodies = table(3, 7), 12
    with jax.enable_x64(True):
        following, reward, discount, logits, value = (
            jax.numpy.asarray(a) for a in (world.following, world.reward, world.discount, world.logits, world.value)
        )

        def step(_: Any, __: Any, action: Any, state: Any) -> Any:
            after = following[state, action]
            told = {"reward": reward[state, action], "discount": discount[state, action]}
            return mctx.RecurrentFnOutput(**told, prior_logits=logits[after], value=value[after]), after

        start = {"prior_logits": logits[:bodies], "value": value[:bodies], "embedding": jax.numpy.arange(bodies)}
        theirs = mctx.gumbel_muzero_policy(None, jax.random.PRNGKey(0), mctx.RootFnOutput(**start), step, simulations)
        tree = theirs.search_tree
        noise = np.asarray(tree.extra_data.root_gumbel)
        asked = mctx._src.seq_halving.get_sequence_of_considered_visits(7, simulations)
    plan = solve(world, bodies, simulations, noise, parallel=False)
    np.testing.assert_array_equal(plan.best.argmax(axis=1), theirs.action)
    np.testing.assert_allclose(plan.weights, theirs.action_weights, atol=1e-5)
    np.testing.assert_allclose(plan.value, tree.node_values[:, 0], atol=1e-5)
    assert [visits for visits, _ in rounds(simulations, 7, parallel=False)] == list(asked)


def test_a_round_of_halving_is_one_batch_and_hardly_ever_changes_the_action() -> None:
    bodies, same = 500, []
    for actions, simulations, batches in ((2, 16, 8), (6, 16, 6), (6, 50, 19)):
        world, noise = table(7, actions, states=bodies), gumbel(2, bodies, actions)
        ordered = solve(world, bodies, simulations, noise, parallel=False)
        world.batches.clear()
        beside = solve(world, bodies, simulations, noise)
        assert len(world.batches) == batches and sum(world.batches) == bodies * simulations
        same.append((ordered.best == beside.best).all(axis=1).mean())
    assert min(same) > 0.95


def test_rounds_halve_the_candidates_and_spend_all_simulations() -> None:
    assert rounds(16, 6) == ((0, 6), (1, 3), (2, 2), (3, 2), (4, 2), (5, 1))
    assert rounds(8, 1) == tuple((visits, 1) for visits in range(8))
    for simulations in (1, 7, 64, 200):
        for considered in (1, 2, 5, 16):
            assert sum(count for _, count in rounds(simulations, considered)) == simulations
    assert rounds(0, 6) == ()


@pytest.mark.parametrize("simulations", [1, 2, 4, 8])
def test_with_exact_values_the_improved_policy_and_the_action_found_are_no_worse_than_the_prior(
    simulations: int,
) -> None:
    """Policy improvement (Danihelka et al. 2022, sections 2 and 4): by the values of the prior itself."""
    bodies, actions = 400, 8
    world = table(5, actions, states=bodies)
    prior = np.exp(world.logits) / np.exp(world.logits).sum(axis=1, keepdims=True)
    for _ in range(400):
        q = world.reward + world.discount * world.value[world.following]
        world.value = (prior * q).sum(axis=1)
    found = [solve(world, bodies, simulations, gumbel(seed, bodies, actions)) for seed in range(30)]
    weighed = np.mean([(plan.weights * q).sum(axis=1) for plan in found], axis=0)
    acted = np.mean([q[plan.best] for plan in found], axis=0)
    assert weighed.mean() > world.value.mean() and (weighed > world.value - 0.1).mean() > 0.95
    # One simulation only follows the prior: an action drawn by Gumbel noise.
    assert acted.mean() > world.value.mean() + (0.1 if simulations > 1 else -0.05)
    for plan in found:
        np.testing.assert_allclose(plan.weights.sum(axis=1), 1, rtol=1e-5)


def test_a_reward_some_steps_away_outweighs_the_prior() -> None:
    """Three steps to the left pay, a step to the right ends the episode; the prior leans to the right."""
    following = np.array([[1, 4], [2, 4], [3, 4], [3, 4], [4, 4]])
    reward, discount = np.zeros((5, 2)), np.full((5, 2), 0.9)
    reward[2, 0], discount[:, 1] = 1.0, 0.0
    world = Table(following, reward, discount, np.tile([0.0, 0.5], (5, 1)), np.zeros(5))
    plan = solve(world, 1, 64)
    assert plan.best[0].tolist() == [True, False] and plan.weights[0, 0] > 0.9
    assert plan.actions[0, :3].tolist() == [0, 0, 0] and plan.nodes[0] == 64


def test_many_bodies_at_once_find_what_each_would_find_alone() -> None:
    world, noise = table(4, 6), gumbel(3, 9, 6)
    together = solve(world, 9, 25, noise)
    for body in range(9):
        rows = slice(body, body + 1)
        alone = search(world, np.arange(9)[rows], world.logits[rows], world.value[rows], 25, noise[rows])
        for name in ("weights", "best", "steps", "value", "nodes"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[body])


def test_without_simulations_the_prior_stays_and_the_model_is_not_asked() -> None:
    world = table(4, 3)
    plan = solve(world, 5, 0, gumbel(0, 5, 3))
    chances = np.exp(world.logits[:5])
    np.testing.assert_allclose(plan.weights, chances / chances.sum(axis=1, keepdims=True), rtol=1e-5)
    assert not world.batches and not plan.best.any() and not plan.nodes.any() and not plan.steps.any()
    assert plan.actions.shape == (5, 0) and not plan.value.any()


def test_without_bodies_there_is_nothing_to_find() -> None:
    world = table(4, 3)
    plan = solve(world, 0, 16)
    assert plan.weights.shape == (0, 3) and not world.batches


def test_a_prior_that_forbids_is_refused() -> None:
    world = table(4, 3)
    world.logits[0, 1] = -np.inf
    with pytest.raises(CortexError, match="finite"):
        solve(world, 2, 16)


def test_golden_search() -> None:
    """The order in which simulations are spent shows in what small budgets find."""
    found = {}
    for simulations in (2, 16, 64):
        plan = solve(table(10, 5, states=60), 8, simulations, gumbel(10, 8, 5))
        found[str(simulations)] = [
            {
                "value": round(float(plan.value[body]), 4),
                "weights": [round(float(weight), 3) for weight in plan.weights[body]],
                "line": [int(action) for action in plan.actions[body] if action >= 0],
            }
            for body in range(8)
        ]
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))
