"""What a search weighed: for each first action the best line that it found, and where the best of them leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from cortex.agent import Tree
from cortex.imagination import WholeModel
from cortex.modules.planner import TIE, Layer
from cortex.types import Array, Place


@dataclass(frozen=True, slots=True)
class Considered:
    """A line of actions that search found."""

    actions: list[int]
    value: float
    paid: float  # what of the value is reward; the rest is worth of finding out
    leaf: tuple[int, int]  # layer, row


def considered(tree: Tree, body: int, actions: int, discount: float, most: int = 4) -> list[Considered]:
    """The best lines by their first action, best first, at most ``most``; [] where ``body`` was not searched for.

    Where two first actions lead to one scene, the line stands for both. A first action from which search came only to
    scenes that it had reached sooner otherwise is left with what it found before.
    """
    if body not in tree.rows or not tree.layers:
        return []
    own = int(np.flatnonzero(tree.rows == body)[0])
    best, paid, leaf = np.full(actions, TIE), np.zeros(actions), np.full((actions, 2), -1)
    for level, layer in enumerate(tree.layers):
        e = layer.expansion
        told = e.reward, e.end, e.novelty, e.bonus, e.value
        _lead(level, own, (layer.body, layer.weight, layer.gained, layer.first), told, discount, best, paid, leaf)
    found: dict[tuple[int, int], Considered] = {}
    equal = best >= best.max() - 2 * TIE  # of equals the plan takes the first that search came to
    for action in np.lexsort((leaf[:, 1], leaf[:, 0], np.where(equal, -np.inf, -best))):
        level, row = (int(part) for part in leaf[action])
        if level >= 0 and (level, row) not in found and len(found) < most:
            line = _line(tree.layers, level, row, actions)
            found[level, row] = Considered(line, float(best[action]), float(paid[action]), (level, row))
    return list(found.values())


def end_of(tree: Tree, line: Considered) -> Place | Array | None:
    """The scene that a line ends in as it was imagined: a map, or tokens [N, E]; None where it cannot be imagined."""
    level, row = line.leaf
    if tree.layers[level].expansion.novelty.ravel()[row] >= 1:
        return None
    node = tree.model.pick(tree.layers[level].expansion.children, np.array([row]))
    if isinstance(tree.model, WholeModel):
        return np.asarray(node.tokens[0])
    place: Place = tree.model.place_at(node)
    return place


def signs_of(tree: Tree, line: Considered) -> list[int]:
    """What will be seen after each action of a line, as it was imagined."""
    (level, row), signs = line.leaf, list[int]()
    while level >= 0:
        sign = tree.layers[level].expansion.sign
        signs.append(int(sign.ravel()[row]))
        level, parent = level - 1, row // sign.shape[1]
        row = int(tree.layers[level].rows[parent]) if level >= 0 else 0
    return signs[::-1]


def _line(layers: Sequence[Layer], level: int, row: int, actions: int) -> list[int]:
    """The actions on the way to the child ``row`` of a layer."""
    line = []
    while level >= 0:
        parent, action = divmod(row, actions)
        line.append(action)
        level -= 1
        row = int(layers[level].rows[parent]) if level >= 0 else 0
    return line[::-1]


@njit(cache=True)
def _lead(
    level: int,
    own: int,
    layer: tuple[Array, Array, Array, Array],
    told: tuple[Array, Array, Array, Array, Array],
    discount: float,
    best: Array,
    paid: Array,
    leaf: Array,
) -> None:
    """Note for each first action the best line of a body that stops in this layer, as the search values it."""
    (body, weight, gained, first), (reward, end, novelty, bonus, value) = layer, told
    for node in range(len(body)):
        if body[node] != own:
            continue
        for action in range(reward.shape[1]):
            sure = weight[node] * (1 - novelty[node, action])
            gain = gained[node] + sure * reward[node, action]
            on = discount * sure * (1 - end[node, action])
            stop = gain + weight[node] * bonus[node, action] + on * value[node, action]
            for start in range(len(best)):
                begins = first[node, start] if level else start == action
                if begins and stop > best[start] + TIE:
                    best[start], paid[start] = stop, gain
                    leaf[start, 0], leaf[start, 1] = level, node * len(best) + action
