"""The slow system: best-first search in imagined scenes, with a transposition table, for all bodies at once.

A line of actions is worth the reward expected along it, discounted, plus what there is to find out at its end. Every
action costs one step, so the most promising nodes are those of least depth: a layer of the tree of all bodies is
expanded in one batch, its most promising nodes first (uniform-cost search, Russell & Norvig 3.4.2). The search is a
pure function; the model is its argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit

from cortex.types import Array, Plan

TIE = 1e-6
"""Difference in worth below which two lines are equally good."""
KNOWN = 0.5
"""Share of a line's worth that must be reward for it to be known to pay."""
LONG = 64
"""Nodes from which on a search is long: to ask for a closer bound takes about as long as some dozen of them."""
LEAST = 1e-4
"""Weight (discount times certainty) below which a line is given up."""
Outlook = Callable[[Array], tuple[Array, Array]]
"""Bodies [n] -> a closer bound than that of the model on what one more step and all beyond can be worth [n], and the
nodes that each may spend [n]."""


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


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a tree that was searched: M nodes, and which of their M * A children make the next one."""

    body: Array  # [M]
    weight: Array  # [M] discount times certainty on the way to the node
    gained: Array  # [M] reward expected on the way to it
    first: Array  # [M, A] bool, root actions that begin a best line to it
    expansion: Expansion
    rows: Array  # [n of M * A]


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
    tree: list[Layer] | None = None,
    yields: Array | None = None,
    outlook: Outlook | None = None,
) -> Plan:
    """Search from ``roots`` (one imagined scene a body) with up to ``simulations`` nodes a body.

    ``prior`` [B, A] is the plan where search finds nothing, and where it ``yields`` [B] and finds nothing that is known
    to pay. At most ``width`` nodes of a layer are kept a body, and ``depth`` layers are made. ``tree`` is given the
    layers, for who wants to look at them. ``outlook`` is asked once for each body whose search has become long.
    """
    plan = nothing(bodies, actions, prior)
    if simulations <= 0 or bodies == 0:
        return plan
    best = np.full(bodies, TIE)
    best_sets = np.zeros((bodies, actions), bool)
    best_leaf = np.full((bodies, 2), -1)  # layer, row
    paid = np.zeros(bodies)
    spent = np.zeros(bodies, np.int64)
    lead = best, best_sets, best_leaf, paid, spent

    nodes = roots
    room = 1 << (2 * bodies * min(simulations, width * depth)).bit_length()
    table = np.zeros(room, np.int64), np.zeros(room), np.zeros(room)  # key, weight (0: free), gained
    first = np.zeros((bodies, actions), bool)  # root actions that begin a best line to the node
    layer: tuple[Array, ...] = (
        np.arange(bodies),
        np.ones(bodies),
        np.zeros(bodies),
        first,
    )  # body, weight, gained, first
    top, most, asked = np.full(bodies, float(model.top)), np.full(bodies, simulations), np.zeros(bodies, bool)
    layers: list[tuple[Array, Array]] = []  # signs [M * A] of the children of a layer, those that stay

    for level in range(depth):
        if len(layer[0]) == 0:
            break
        e = model.expand(nodes)
        told = e.key, e.reward, e.end, e.novelty, e.bonus, e.value
        searched = layer
        if outlook is not None and (spent > LONG).any():
            long = np.flatnonzero((spent > LONG) & ~asked)
            if len(long):
                closer, limit = outlook(long)
                top[long], most[long], asked[long] = np.minimum(top[long], closer), np.minimum(most[long], limit), True
        rows, layer = _step(level, layer, told, lead, table, top, discount, most, width)
        if tree is not None:
            body, weight, gained, first = searched
            tree.append(Layer(body, weight, gained, first, e, rows))
        nodes = model.pick(e.children, rows)
        layers.append((e.sign, rows))

    best_leaf[np.zeros(bodies, bool) if yields is None else yields & (paid <= KNOWN)] = -1
    return _read(plan, best, best_sets, best_leaf, paid, spent, layers)


@njit(cache=True)
def _step(
    level: int,
    layer: tuple[Array, ...],
    told: tuple[Array, ...],
    lead: tuple[Array, ...],
    table: tuple[Array, Array, Array],
    top: Array,
    discount: float,
    most: Array,
    width: int,
) -> tuple[Array, tuple[Array, ...]]:
    """Note the best lines that end in an expanded layer, and choose which children [n of M * A] make the next one."""
    (body, weight, gained, first), (best, sets, leaf, paid, spent) = layer, lead
    keys, reward, end, novelty, bonus, value = told
    count, actions = keys.shape
    owner, key = np.empty(count * actions, np.int64), np.empty(count * actions, np.int64)
    on, gain, stop = np.empty(len(key)), np.empty(len(key)), np.empty(len(key))
    starts = np.zeros((len(key), actions), np.bool_)
    for node in range(count):
        spent[body[node]] += 1
        for action in range(actions):
            row, sure = node * actions + action, weight[node] * (1 - novelty[node, action])
            owner[row], key[row] = body[node], keys[node, action] * 1_000_003 + body[node]
            gain[row] = gained[node] + sure * reward[node, action]
            on[row] = discount * sure * (1 - end[node, action])
            stop[row] = gain[row] + weight[node] * bonus[node, action] + on[row] * value[node, action]
            if level:
                starts[row] = first[node]
            else:
                starts[row, action] = True
    _lead(level, owner, stop, gain, starts, best, sets, leaf, paid)

    hope = gain + on * top[owner]
    rows = np.flatnonzero((on > LEAST) & (hope > best[owner] + TIE) & (spent < most)[owner])
    rows = _sorted(rows, key, on + gain)
    rows, merged = _distinct(rows, key, on, gain, starts, table)
    chosen = _most_promising(owner[rows], hope[rows], np.minimum(width, np.maximum(most - spent, 0)))
    rows = rows[chosen]
    _enter(table, key[rows], on[rows], gain[rows])
    return rows, (owner[rows], on[rows], gain[rows], merged[chosen])


@njit(cache=True)
def _lead(
    level: int,
    owner: Array,
    stop: Array,
    gain: Array,
    starts: Array,
    best: Array,
    sets: Array,
    leaf: Array,
    paid: Array,
) -> None:
    """Note of each body's best lines that end in this layer what they are worth and how they begin; ``leaf`` [B, 2] is
    the first of them, ``paid`` [B] the share of its worth that is reward."""
    top = best.copy()
    for row in range(len(owner)):
        top[owner[row]] = max(top[owner[row]], stop[row])
    better = top > best + TIE
    for row in range(len(owner)):
        body = owner[row]
        if stop[row] < top[body] - TIE:
            continue
        if better[body] and leaf[body, 0] != level:
            leaf[body, 0], leaf[body, 1], paid[body] = level, row, gain[row] / max(stop[row], TIE)
            sets[body] = False
        sets[body] |= starts[row]
    best[:] = top


@njit(cache=True)
def _sorted(rows: Array, key: Array, worth: Array) -> Array:
    """The rows by their key, of equal keys the best first, of equals the first."""
    rows = rows[np.argsort(key[rows], kind="mergesort")]
    for i in range(1, len(rows)):
        row, at = rows[i], i
        while at and key[rows[at - 1]] == key[row] and worth[rows[at - 1]] < worth[row]:
            rows[at] = rows[at - 1]
            at -= 1
        rows[at] = row
    return rows


@njit(cache=True)
def _distinct(
    rows: Array, key: Array, weight: Array, gained: Array, starts: Array, table: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """One row a key, the best; its root actions are those of all rows as good as it. ``rows`` come sorted by their key,
    the best first; those that the ``table`` outdoes are left out.

    A row that the best outdoes in weight or in gain alone stays beside it: which of the two is better shows only later.
    """
    found, waiting = np.empty_like(rows), rows.copy()
    merged = np.zeros((len(rows), starts.shape[1]), np.bool_)
    number, left = 0, len(rows)
    while left:
        later, lead = 0, -1
        for i in range(left):
            row = waiting[i]
            if lead < 0 or key[row] != key[lead]:
                lead = found[number] = row
                number += 1
            if weight[row] >= weight[lead] - TIE and gained[row] >= gained[lead] - TIE:
                merged[number - 1] |= starts[row]
            if weight[row] > weight[lead] + TIE or gained[row] > gained[lead] + TIE:
                waiting[later] = row
                later += 1
        left = later
    fresh = np.zeros(number, np.bool_)
    for i in range(number):
        at = _slot(table, key[found[i]])
        worse = weight[found[i]] <= table[1][at] + TIE and gained[found[i]] <= table[2][at] + TIE
        fresh[i] = table[1][at] == 0 or not worse
    return found[:number][fresh], merged[:number][fresh]


@njit(cache=True)
def _most_promising(owner: Array, hope: Array, left: Array) -> Array:
    """The rows that stay when each body may keep ``left`` [B] of them, in their order."""
    stays, kept = np.ones(len(owner), np.bool_), np.zeros(len(left), np.int64)
    for row in range(len(owner)):
        kept[owner[row]] += 1
    if (kept <= left).all():
        return np.flatnonzero(stays)
    kept[:] = 0
    for row in np.argsort(-hope, kind="mergesort"):
        stays[row] = kept[owner[row]] < left[owner[row]]
        kept[owner[row]] += 1
    return np.flatnonzero(stays)


@njit(cache=True)
def _enter(table: tuple[Array, Array, Array], key: Array, weight: Array, gained: Array) -> None:
    """Put rows into the transposition table; of equal keys the first stays, in the place of any that was there."""
    for row in range(len(key) - 1, -1, -1):
        at = _slot(table, key[row])
        table[0][at], table[1][at], table[2][at] = key[row], weight[row], gained[row]


@njit(cache=True)
def _slot(table: tuple[Array, Array, Array], key: int) -> int:
    """Where a key is in the table, or would be: open addressing."""
    last = len(table[0]) - 1
    at = (key ^ (key >> 29)) & last
    while table[1][at] != 0 and table[0][at] != key:
        at = (at + 1) & last
    return at


def _read(plan: Plan, best: Array, sets: Array, leaf: Array, paid: Array, spent: Array, layers: list[Any]) -> Plan:
    """The plan that the finished tree holds."""
    found = leaf[:, 0] >= 0
    length = int(leaf[:, 0].max(initial=-1)) + 1
    line = np.full((len(best), length), -1, np.int16)
    signs = np.zeros((len(best), length), np.int64)
    row = leaf[:, 1].copy()
    for level in range(length - 1, -1, -1):
        on = np.flatnonzero(leaf[:, 0] >= level)
        parent, line[on, level] = np.divmod(row[on], sets.shape[1])
        signs[on, level] = layers[level][0].ravel()[row[on]]
        if level:
            row[on] = layers[level - 1][1][parent]
    # The first action of the line that is followed is the one acted on, so it belongs to the set.
    weights = np.where(found[:, None], sets / np.maximum(1, sets.sum(axis=1, keepdims=True)), plan.weights).astype(
        np.float32
    )
    return Plan(
        weights=weights,
        best=sets & found[:, None],
        steps=np.where(found, leaf[:, 0] + 1, 0).astype(np.int32),
        value=np.where(found, best, 0).astype(np.float32),
        known=found & (paid > KNOWN),
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
