"""Gumbel search: a tree of latents that a learned model imagines, grown for all bodies at once.

For scenes that have no identity, so that no table can tell that two lines meet. The root shares its simulations by
sequential halving over sampled actions; below it the action is chosen that keeps visits nearest to the improved
policy, which completes what was not tried by the mixed value (Danihelka et al. 2022, sections 3 to 5, appendix D).
The candidates of a round lie in subtrees of their own: their leaves are evaluated by the model in one batch.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit

from cortex.types import Array, CortexError, Plan

VALUE_SCALE = 0.1
MAXVISIT = 50.0
"""How loud values are beside logits: c_scale and c_visit of the paper, as in mctx for values brought to [0, 1]."""
SPREAD = 1e-8
"""Least difference between values that is brought to 1."""
LOW = -1e9
"""Least score of a candidate."""
TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Step:
    """What M actions lead to."""

    latent: Array  # [M, ...]
    reward: Array  # [M]
    discount: Array  # [M], 0 where the episode ends
    logits: Array  # [M, A] prior over what is done next
    value: Array  # [M]


class Model(Protocol):
    """Imagination as this search sees it: latents are an array of any dtype, records of fields among them."""

    def step(self, latent: Array, action: Array) -> Step:
        """Actions [M] in latents [M, ...]."""
        ...


class Tree(NamedTuple):
    """The trees of B bodies: node n of body b is row n * B + b, roots come first. M rows, A actions."""

    child: Array  # [M, A] int64 row, 0 for none: roots are nobody's children
    prior: Array  # [M, A] probability
    parent: Array  # [M] int64 row
    visits: Array  # [M] int64
    reward: Array  # [M] on the way to the node
    discount: Array  # [M] on the way to the node
    raw: Array  # [M] value that the model gave
    value: Array  # [M] mean return from the node on


def search(
    model: Model,
    roots: Array,
    logits: Array,
    value: Array,
    simulations: int,
    gumbel: Array | None = None,
    considered: int = 16,
    parallel: bool = True,
) -> Plan:
    """Search from latents [B, ...] with a prior of ``logits`` [B, A] and ``value`` [B].

    ``gumbel`` [B, A] is standard Gumbel noise; without it the prior's likeliest actions are considered. At most
    ``considered`` actions are. ``parallel`` evaluates the candidates of a round side by side; else one after the other,
    as in the paper. In the plan, ``best`` is the action found, ``value`` the mean return of the root, ``actions`` the
    line most visited; ``known`` is never true. Raises CortexError where the prior has a value that is not finite.
    """
    logits = np.asarray(logits, np.float64)
    bodies, actions = logits.shape
    if not (np.isfinite(logits).all() and np.isfinite(value).all()):
        raise CortexError("search needs a finite prior and value: lower the logits of what must not be done instead")
    noise = np.zeros_like(logits) if gumbel is None else np.asarray(gumbel, np.float64)
    tree, latents = _plant(roots, logits, value, simulations)
    packed = tuple(tree)  # numba takes plain tuples ten times as fast as named ones
    hope = noise + logits - logits.max(axis=1, keepdims=True, initial=LOW)
    at, parent, action = bodies, np.zeros(0, np.int64), np.zeros(0, np.int64)
    for visits, count in rounds(simulations, min(considered, actions), parallel) if bodies else ():
        parent, action = _leaves(packed, hope, visits, count)
        new = slice(at, at + count * bodies)
        step = model.step(latents[parent], action)
        latents[new], tree.reward[new], tree.discount[new] = step.latent, step.reward, step.discount
        tree.prior[new], tree.raw[new] = step.logits, step.value
        _grow(packed, at, parent, action, bodies)
        at = new.stop
    weights, best, line = _answer(packed, hope, simulations)
    length = (line >= 0).sum(axis=1)
    line = line[:, : length.max(initial=0)]
    return Plan(
        weights=weights.astype(np.float32),
        best=best,
        steps=length.astype(np.int32),
        value=(tree.value[:bodies] if simulations > 0 else np.zeros(bodies)).astype(np.float32),
        known=np.zeros(bodies, bool),
        nodes=np.full(bodies, max(0, simulations), np.int32),
        actions=line.astype(np.int16),
        expected=np.zeros(line.shape, np.int64),
    )


@functools.cache
def rounds(simulations: int, considered: int, parallel: bool = True) -> tuple[tuple[int, int], ...]:
    """Sequential halving: how often the candidates of each round were visited before, and how many there are.

    Equal to mctx's sequence of considered visits; unless ``parallel``, each round is cut into rounds of one.
    """
    found: list[tuple[int, int]] = []
    levels, visits, candidates, left = max(1, math.ceil(math.log2(max(1, considered)))), 0, considered, simulations
    while left > 0:
        for _ in range(max(1, int(simulations / (levels * candidates)))):
            count = min(candidates, left)
            found += [(visits, count)] if parallel else [(visits, 1)] * count
            visits, left = visits + 1, left - count
            if left == 0:
                break
        candidates = max(min(2, considered), candidates // 2)
    return tuple(found)


def _plant(roots: Array, logits: Array, value: Array, simulations: int) -> tuple[Tree, Array]:
    """Trees that are only roots, with room for all nodes, and their latents."""
    bodies, actions = logits.shape
    rows = bodies * (1 + max(0, simulations))
    child, prior = np.zeros((rows, actions), np.int64), np.empty((rows, actions))
    tree = Tree(child, prior, *np.zeros((2, rows), np.int64), *np.zeros((4, rows)))
    tree.prior[:bodies], tree.raw[:bodies] = logits, value
    latents = np.empty((rows, *roots.shape[1:]), roots.dtype)
    latents[:bodies] = roots
    _grow(tuple(tree), 0, tree.parent[:bodies], tree.parent[:bodies], bodies)
    return tree, latents


@njit(cache=True)
def _grow(packed: tuple[Array, ...], at: int, parent: Array, action: Array, bodies: int) -> None:
    """Take in new nodes [n] from row ``at`` on, and tell their ancestors what they are worth."""
    tree = Tree(*packed)
    for i in range(len(parent)):
        row = at + i
        _normalise(tree.prior[row])
        tree.visits[row], tree.value[row] = 1, tree.raw[row]
        if row < bodies:
            continue
        tree.parent[row], tree.child[parent[i], action[i]] = parent[i], row
        node, worth = row, tree.raw[row]
        while node >= bodies:
            worth = tree.reward[node] + tree.discount[node] * worth
            node = tree.parent[node]
            tree.value[node] = (tree.value[node] * tree.visits[node] + worth) / (tree.visits[node] + 1)
            tree.visits[node] += 1


@njit(cache=True)
def _normalise(logits: Array) -> None:
    """Logits [A] become probabilities in place."""
    top, total = logits.max(), 0.0
    for action in range(len(logits)):
        logits[action] = math.exp(logits[action] - top)
        total += logits[action]
    for action in range(len(logits)):
        logits[action] = max(logits[action] / total, TINY)


@njit(cache=True)
def _leaves(packed: tuple[Array, ...], hope: Array, visits: int, count: int) -> tuple[Array, Array]:
    """The rows and actions [count * B] to be tried in a round, candidate by candidate."""
    tree, (bodies, actions) = Tree(*packed), hope.shape
    parent, action = np.empty(count * bodies, np.int64), np.empty(count * bodies, np.int64)
    worth, score = np.empty(actions), np.empty(actions)
    for body in range(bodies):
        _complete(tree, body, worth)
        for a in range(actions):
            seen = tree.visits[tree.child[body, a]] if tree.child[body, a] else 0
            score[a] = max(LOW, hope[body, a] + worth[a]) if seen == visits else -np.inf
        for candidate in range(count):
            first, at = np.argmax(score), candidate * bodies + body
            score[first] = -np.inf
            child = tree.child[body, first]
            parent[at], action[at] = _descend(tree, child, worth) if child else (body, first)
    return parent, action


@njit(cache=True)
def _complete(tree: Tree, node: int, worth: Array) -> float:
    """Write into ``worth`` [A] what each action is worth, in units of logits; return that of actions never tried."""
    children, total, most, mass, mean = tree.child[node], tree.visits[node] - 1, 0, 0.0, 0.0
    for action in range(len(worth)):
        child = children[action]
        if child:
            worth[action] = tree.reward[child] + tree.discount[child] * tree.value[child]
            mass += tree.prior[node, action]
            mean += tree.prior[node, action] * worth[action]
            most = max(most, tree.visits[child])
    mixed = (tree.raw[node] + total * mean / mass) / (total + 1) if total else tree.raw[node]
    low, high = np.inf, -np.inf
    for action in range(len(worth)):
        if not children[action]:
            worth[action] = mixed
        low, high = min(low, worth[action]), max(high, worth[action])
    unit = (MAXVISIT + most) * VALUE_SCALE / max(high - low, SPREAD)
    for action in range(len(worth)):
        worth[action] = (worth[action] - low) * unit
    return (mixed - low) * unit


@njit(cache=True)
def _descend(tree: Tree, node: int, worth: Array) -> tuple[int, int]:
    """From a node on, choose actions until one was never tried: the node and the action."""
    while True:
        untried, total, chosen, gain = math.exp(_complete(tree, node, worth)), 0.0, 0, -np.inf
        children = tree.child[node]
        for action in range(len(worth)):
            worth[action] = tree.prior[node, action] * (math.exp(worth[action]) if children[action] else untried)
            total += worth[action]
        for action in range(len(worth)):
            seen = tree.visits[children[action]] if children[action] else 0
            lack = worth[action] / total - seen / tree.visits[node]
            if lack > gain:
                chosen, gain = action, lack
        if not children[chosen]:
            return node, chosen
        node = children[chosen]


@njit(cache=True)
def _answer(packed: tuple[Array, ...], hope: Array, simulations: int) -> tuple[Array, Array, Array]:
    """Improved policy [B, A], the action found [B, A], and the line most visited after it [B, simulations]."""
    tree, (bodies, actions) = Tree(*packed), hope.shape
    weights, best = tree.prior[:bodies].copy(), np.zeros((bodies, actions), np.bool_)
    line, worth, seen = np.full((bodies, simulations), -1), np.empty(actions), np.empty(actions, np.int64)
    for body in range(bodies if simulations > 0 else 0):
        _complete(tree, body, worth)
        weights[body] = np.log(weights[body]) + worth
        _normalise(weights[body])
        node, length = body, 0
        while True:
            for action in range(actions):
                seen[action] = tree.visits[tree.child[node, action]] if tree.child[node, action] else 0
            if not seen.max():
                break
            chosen = np.argmax(seen)
            if node == body:
                chosen = np.argmax(np.where(seen == seen.max(), np.maximum(LOW, hope[body] + worth), -np.inf))
                best[body, chosen] = True
            line[body, length] = chosen
            node, length = tree.child[node, chosen], length + 1
    return weights, best, line
