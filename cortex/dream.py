"""Dreams: states that the day did not pass through, made of what it did (REM sleep, Hobson 2009).

Known things are put to other places, as memories are recombined in sleep (Lewis, Knoblich & Poe 2018), and from there
a few imagined steps are made. Search can label such states, since what happens when this meets that does not depend on
where.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cortex.mapped import Mapped, MappedModel
from cortex.modules.context import front_of
from cortex.types import UNSEEN, Array, Motions, Place, State

if TYPE_CHECKING:
    from cortex.agent import Agent

STEPS = 8
"""Most imagined steps at random to a dreamed state."""
ASIDE = 2
"""Most of them that lead away from a line that is replayed."""
RARE = 4
"""Most cells of a map that show a thing for it to be put elsewhere: what there is more of is how the place is built."""


def dream(agent: Agent, states: State, situation: Array, generator: np.random.Generator) -> State:
    """A state [n] dreamed up from each of ``states`` [n] of one ``situation`` [n], which have a map."""
    assert states.place is not None
    motions = agent.imagination.motions(int(situation[0]))
    footing = agent.hippocampus.worlds[int(situation[0])].footing
    states = replace(states, place=rearranged(states.place, footing, motions, generator))
    model = _imagined(agent, states, situation)
    return _beheld(agent, states, model, wandered(model, model.roots(), STEPS, generator), situation)


def replay(agent: Agent, states: State, situation: Array, line: Array, generator: np.random.Generator) -> State:
    """Where ``line`` [n, L] of actions, -1 beyond its end, leads from ``states`` [n], up to a step of it by lot, and a
    few at random: hippocampal sequences run ahead to the goal (Pfeiffer & Foster 2013), so that what comes late in a
    long task is dreamed of as often as its beginning."""
    model = _imagined(agent, states, situation)
    nodes, length = model.roots(), (line >= 0).sum(axis=1)
    steps = generator.integers(0, np.maximum(1, length))
    for step in range(int(steps.max(initial=0))):
        rows = np.arange(len(line)) * agent.motor.actions + np.maximum(line[:, step], 0)
        nodes = _those(step < steps, model.pick(model.expand(nodes).children, rows), nodes)
    return _beheld(agent, states, model, wandered(model, nodes, ASIDE, generator), situation)


def rearranged(place: Place, footing: int, motions: Motions, generator: np.random.Generator) -> Place:
    """Maps on which rare things, each by chance, have changed places with cells of ``footing``, and the agent stands on
    another of them; as they are where nothing is known to be walked on."""
    cells, pose = place.cells.copy(), place.pose.copy()
    bodies, size = len(cells), cells.shape[1]
    flat = cells.reshape(bodies, -1)
    own = (pose[:, 0] % size) * size + pose[:, 1] % size
    for body in range(bodies) if footing != UNSEEN else ():
        counts = np.bincount(flat[body])
        rare = (counts[flat[body]] <= RARE) & (flat[body] != UNSEEN) & (flat[body] != footing)
        rare[own[body]] = False
        things = np.flatnonzero(rare & (generator.random(len(rare)) < 0.5))
        free = generator.permutation(np.flatnonzero((flat[body] == footing) & (np.arange(size * size) != own[body])))
        things = things[: max(0, len(free) - 1)]
        there = free[: len(things)]
        flat[body, there], flat[body, things] = flat[body, things], footing
        if len(free) > len(things):
            pose[body, :2] = divmod(int(free[len(things)]), size)
            flat[body, own[body]] = footing
    return replace(place, cells=cells, pose=pose, ahead=front_of(pose, motions, size), passed=0 * place.passed)


def wandered(model: MappedModel, nodes: Mapped, most: int, generator: np.random.Generator) -> Mapped:
    """Where up to ``most`` random steps lead that are imagined with certainty and end nothing."""
    length = generator.integers(1, most + 1, len(nodes.root))
    for step in range(most):
        e = model.expand(nodes)
        possible = (e.end < 0.5) & (e.novelty < 0.5)
        draw = np.where(possible, generator.random(possible.shape), -1.0)
        rows = np.arange(len(draw)) * draw.shape[1] + draw.argmax(axis=1)
        nodes = _those((step < length) & possible.any(axis=1), model.pick(e.children, rows), nodes)
    return nodes


def _imagined(agent: Agent, states: State, situation: Array) -> MappedModel:
    model = agent.imagination.calm().model(states, situation)
    assert isinstance(model, MappedModel)
    return model


def _beheld(agent: Agent, states: State, model: MappedModel, nodes: Mapped, situation: Array) -> State:
    """What is seen at imagined ``nodes`` [n], one of each of ``states`` [n]."""
    place, motions = model.place_at(nodes), agent.imagination.motions(int(situation[0]))
    # A compass or any other sense beside the view cannot be imagined: in a dream it is missing.
    codes = states.codes.copy()
    codes[:, [i for i in agent.context.rest if i not in set(agent.context.words)]] = UNSEEN
    return replace(states, place=place, scene=agent.context.surroundings(place, codes, motions), codes=codes)


def _those(goes: Array, a: Mapped, b: Mapped) -> Mapped:
    """The nodes of ``a`` where it ``goes`` on [n], else those of ``b``."""
    parts = ((getattr(a, name), getattr(b, name)) for name in Mapped.__slots__)
    return Mapped(*(np.where(goes.reshape(-1, *[1] * (x.ndim - 1)), x, y) for x, y in parts))
