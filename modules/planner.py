"""The slow system: best-first search in imagined scenes, with a transposition table, for all bodies at once.

A line of actions is worth the reward expected along it, discounted, plus what there is to find out at its end. Every
action costs one step, so the most promising nodes are those of least depth: a layer of the tree of all bodies is
expanded in one batch, its most promising nodes first (uniform-cost search, Russell & Norvig 3.4.2). The search is a
pure function; the model is its argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cortex.types import Array, Plan

TIE = 1e-6
"""Difference in worth below which two lines are equally good."""
LEAST = 1e-4
"""Weight (discount times certainty) below which a line is given up."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the model imagines for every node and every action; M nodes, A actions."""

    children: Any  # imagined scenes, M * A of them, in the order (node, action)
    key: Array  # [M, A] int64, equal for equal imagined scenes of one body
    reward: Array  # [M, A] expected reward
    end: Array  # [M, A] chance that the episode ends there
    novelty: Array  # [M, A] chance that this imagination is wrong
    bonus: Array  # [M, A] worth of finding out, counted where a line stops
    value: Array  # [M, A] worth expected beyond the child, counted where a line stops
    sign: Array  # [M, A] int64, what will be seen of the child: a plan is kept while this comes true


class Model(Protocol):
    """Imagination as the search sees it: ``top`` bounds from above what one more step and all beyond can be worth."""

    top: float

    def expand(self, nodes: Any) -> Expansion: ...

    def pick(self, children: Any, rows: Array) -> Any:
        """The imagined scenes at ``rows`` of M * A."""
        ...


def nothing(bodies: int, actions: int, prior: Array | None = None) -> Plan:
    """The plan of one who has not searched: the habit's prior."""
    weights = np.full((bodies, actions), 1 / actions, np.float32) if prior is None else prior.astype(np.float32)
    zero, never = np.zeros(bodies, np.int32), np.zeros(bodies, bool)
    none = np.zeros((bodies, 0))
    return Plan(
        weights,
        np.zeros((bodies, actions), bool),
        zero,
        zero.astype(np.float32),
        never,
        zero,
        none.astype(np.int16),
        none.astype(np.int64),
    )


def search(
    model: Model,
    roots: Any,
    bodies: int,
    actions: int,
    prior: Array,
    simulations: int,
    discount: float,
    width: int,
    depth: int,
) -> Plan:
    """Search from ``roots`` (one imagined scene a body) with up to ``simulations`` nodes a body.

    ``prior`` [B, A] is the plan where search finds nothing. At most ``width`` nodes of a layer are kept a body, and
    ``depth`` layers are made.
    """
    plan = nothing(bodies, actions, prior)
    if simulations <= 0 or bodies == 0:
        return plan
    best = np.full(bodies, TIE)
    best_sets = np.zeros((bodies, actions), bool)
    best_leaf = np.full((bodies, 2), -1)  # layer, row
    paid = np.zeros(bodies)
    spent = np.zeros(bodies, np.int64)

    body, nodes = np.arange(bodies), roots
    weight, gained = np.ones(bodies), np.zeros(bodies)
    first = np.zeros((bodies, actions), bool)  # root actions that begin a best line to the node
    table_key, table_weight, table_gained = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    layers: list[tuple[Array, Array, Array]] = []  # parent row, action, sign of each node of a layer

    for level in range(depth):
        if len(body) == 0:
            break
        np.add.at(spent, body, 1)
        e = model.expand(nodes)
        gain = gained[:, None] + weight[:, None] * (1 - e.novelty) * e.reward
        on = discount * weight[:, None] * (1 - e.novelty) * (1 - e.end)
        stop = gain + weight[:, None] * e.bonus + on * e.value
        starts = np.repeat(first, actions, axis=0) if level else np.tile(np.eye(actions, dtype=bool), (len(body), 1))

        owner = np.repeat(body, actions)
        flat = stop.ravel()
        top = np.full(bodies, -np.inf)
        np.maximum.at(top, owner, flat)
        better = top > best + TIE
        ties = np.flatnonzero(flat >= np.maximum(top, best)[owner] - TIE)
        best_sets[better] = False
        np.logical_or.at(best_sets, owner[ties], starts[ties])
        best = np.maximum(best, top)
        leaders = ties[better[owner[ties]]][::-1]
        best_leaf[owner[leaders]] = np.stack([np.full(len(leaders), level), leaders], axis=1)
        paid[owner[leaders]] = (gain.ravel() / np.maximum(flat, TIE))[leaders]
        layers.append(
            (np.repeat(np.arange(len(body)), actions), np.tile(np.arange(actions), len(body)), e.sign.ravel())
        )

        child_gain, child_weight = gain.ravel(), on.ravel()
        hope = child_gain + child_weight * model.top
        rows = np.flatnonzero((child_weight > LEAST) & (hope > best[owner] + TIE) & (spent < simulations)[owner])
        key = e.key.ravel()[rows] * np.int64(1_000_003) + owner[rows]
        rows, merged = _distinct(rows, key, child_weight, child_gain, starts)
        key = e.key.ravel()[rows] * np.int64(1_000_003) + owner[rows]
        if len(table_key):
            at = np.minimum(np.searchsorted(table_key, key), len(table_key) - 1)
            worse = (child_weight[rows] <= table_weight[at] + TIE) & (child_gain[rows] <= table_gained[at] + TIE)
            fresh = ~((table_key[at] == key) & worse)
            rows, merged, key = rows[fresh], merged[fresh], key[fresh]
        left = np.minimum(width, simulations - spent)
        chosen = _most_promising(owner[rows], hope[rows], left)
        rows, merged, key = rows[chosen], merged[chosen], key[chosen]

        table_key, table_weight, table_gained = _enter(
            (table_key, table_weight, table_gained), (key, child_weight[rows], child_gain[rows])
        )
        body, nodes = owner[rows], model.pick(e.children, rows)
        weight, gained, first = child_weight[rows], child_gain[rows], merged
        layers[-1] = (*layers[-1], rows)  # type: ignore[assignment]

    return _read(plan, best, best_sets, best_leaf, paid, spent, layers)


def _distinct(rows: Array, key: Array, weight: Array, gained: Array, starts: Array) -> tuple[Array, Array]:
    """One row a key, the best; its root actions are those of all rows as good as it.

    A row that the best outdoes in weight or in gain alone stays beside it: which of the two is better shows only later.
    """
    found = []
    while len(rows):
        order = np.lexsort((-(weight[rows] + gained[rows]), key))
        rows, key = rows[order], key[order]
        new = np.append(True, key[1:] != key[:-1])
        begins = np.flatnonzero(new)
        lead = rows[begins][np.cumsum(new) - 1]
        alike = (weight[rows] >= weight[lead] - TIE) & (gained[rows] >= gained[lead] - TIE)
        found.append((rows[begins], np.logical_or.reduceat(starts[rows] & alike[:, None], begins, axis=0)))
        left = (weight[rows] > weight[lead] + TIE) | (gained[rows] > gained[lead] + TIE)
        rows, key = rows[left], key[left]
    if len(found) == 1:
        return found[0]
    both = [np.concatenate(column) for column in zip(*found)]
    return (both[0], both[1]) if found else (rows, starts[rows])


def _most_promising(owner: Array, hope: Array, left: Array) -> Array:
    """The rows that stay when each body may keep ``left`` [B] of them."""
    order = np.lexsort((-hope, owner))
    sorted_owner = owner[order]
    begins = np.searchsorted(sorted_owner, sorted_owner)
    return np.sort(order[np.arange(len(order)) - begins < left[sorted_owner]])


def _enter(table: tuple[Array, Array, Array], rows: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    """The transposition table with new rows, sorted by key; a key seen again keeps its newest entry."""
    key = np.concatenate([rows[0], table[0]])
    distinct, first = np.unique(key, return_index=True)
    return distinct, np.concatenate([rows[1], table[1]])[first], np.concatenate([rows[2], table[2]])[first]


def _read(plan: Plan, best: Array, sets: Array, leaf: Array, paid: Array, spent: Array, layers: list[Any]) -> Plan:
    """The plan that the finished tree holds."""
    found = leaf[:, 0] >= 0
    length = int(leaf[:, 0].max(initial=-1)) + 1
    line = np.full((len(best), length), -1, np.int16)
    signs = np.zeros((len(best), length), np.int64)
    row = leaf[:, 1].copy()
    for level in range(length - 1, -1, -1):
        on = np.flatnonzero(leaf[:, 0] >= level)
        parent, action, sign = layers[level][:3]
        line[on, level], signs[on, level] = action[row[on]], sign[row[on]]
        if level:
            row[on] = layers[level - 1][3][parent[row[on]]]
    # The first action of the line that is followed is the one acted on, so it belongs to the set.
    weights = np.where(found[:, None], sets / np.maximum(1, sets.sum(axis=1, keepdims=True)), plan.weights).astype(
        np.float32
    )
    return Plan(
        weights=weights,
        best=sets & found[:, None],
        steps=np.where(found, leaf[:, 0] + 1, 0).astype(np.int32),
        value=np.where(found, best, 0).astype(np.float32),
        known=found & (paid > 0.5),
        nodes=spent.astype(np.int32),
        actions=line,
        expected=signs,
    )


def put(plan: Plan, found: Plan, rows: Array) -> Plan:
    """The plan [B] in which ``rows`` are those of ``found``."""
    bodies, length = len(plan.value), found.actions.shape[1]
    actions, expected = np.full((bodies, length), -1, np.int16), np.zeros((bodies, length), np.int64)
    actions[rows], expected[rows] = found.actions, found.expected
    whole = {name: getattr(plan, name).copy() for name in ("weights", "best", "steps", "value", "known", "nodes")}
    for name, column in whole.items():
        column[rows] = getattr(found, name)
    return Plan(**whole, actions=actions, expected=expected)
