"""Lessons: which memories a night searches again, what it dreams up beside them, and what search says of all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cortex import mirrors
from cortex.defaults import Sleep as Settings
from cortex.dream import dream, replay
from cortex.modules.habit import part as part_of
from cortex.replay import moments
from cortex.stakes import at_stake
from cortex.types import Array, Episode, Habit, Scene, State, join, take

if TYPE_CHECKING:
    from cortex.agent import Agent

Progress = Callable[[str, int, int, dict[str, float]], None]

ROOTS = 256
"""States searched side by side."""
CHUNK = 512
"""Lessons about which the habit is asked at once."""
DREAMS = 512
"""Most dreams that one remembered state is given: enough for all that is due where one alone is left of a game."""
TRIES = 4
"""Most dreams for one that is to be learned from: in some games most of what can be dreamed up leads nowhere."""
ROUNDS = 4
"""Fewest times that dreams are searched where that many are wanted: every other time they go on from those before."""
SCOUTS = 0.25
"""Share of the dreams that tells how much of a situation is unknown, and so what the others are of."""
LEAST = 0.04
"""Least share of a situation that counts as unknown."""
USUAL = 0.06
"""Share that is unknown of a situation of which nothing is searched."""
FEW = 4
"""States that count as much as `USUAL`."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """States chosen from memory."""

    state: State  # n bodies
    situation: Array  # [n]
    old: Array  # [n] bool, lived before today
    probe: Array  # [n] bool, kept aside to judge the night
    episode: Array  # [n] index of the episode
    t: Array  # [n] step in it
    dreamed: Array  # [n] bool, imagined from there on


@dataclass(frozen=True, slots=True)
class Lessons:
    """States and what search says of them."""

    scene: Scene  # [n, N, E]
    targets: Array  # [n, A] improved policy
    best: Array  # [n, A] bool
    value: Array  # [n] in [0, 1]
    found: Array  # [n] bool, search found a line to something that pays or lies beyond the seen: it can be taught
    known: Array  # [n] bool, the line leads to something that memory knows to pay
    old: Array  # [n] bool, lived before today
    probe: Array  # [n] bool, kept aside to judge the night
    episode: Array  # [n] index of the episode
    t: Array  # [n] step in it
    dreamed: Array  # [n] bool, imagined from there on
    situation: Array  # [n]
    prior: Array  # [n, A] what the habit says of it before it learns
    alike: Array  # [n, 8, A] of which action each is, in the scene turned or mirrored, what that is in it
    stake: Array  # [n] what the worst action would lose of the value, in [0, 1]


def choose(
    agent: Agent, episodes: list[Episode], generator: np.random.Generator, tomorrow: Collection[int] = ()
) -> list[Remembered]:
    """States to search again, those of one situation together: as many of each situation as far as ``sleep.balance``
    says, ``sleep.today`` times as many of those of today, and more of those that ``tomorrow`` brings. Whole episodes
    are kept for the probe, of situations that have enough of them."""
    settings = agent.config.sleep
    wanted = max(1, round(settings.states * (1 - settings.dream)))
    today = np.array([e.day == agent.hippocampus.day for e in episodes], bool)
    situation = np.array([e.situation for e in episodes])
    steps = np.array([len(e.action) for e in episodes], np.float64)
    chance = np.zeros(len(episodes))
    for part, share in ((today, settings.today), (~today, 1.0)):
        for group in np.unique(situation[part]):
            rows = part & (situation == group)
            chance[rows] = share / steps[rows].sum()  # of each step
    chance /= max(1e-9, (chance * steps).sum())
    chance = settings.balance * chance + (1 - settings.balance) / max(1.0, steps.sum())
    chance *= needed(settings, situation, tomorrow)
    chance *= wanted / max(1e-9, (chance * steps).sum())
    _, group_of, times = np.unique(situation, return_inverse=True, return_counts=True)
    aside = (times[group_of] * settings.probe >= 1) & (generator.random(len(episodes)) < settings.probe)
    chosen = []
    for m in moments(agent, episodes):
        picked = np.flatnonzero(generator.random(len(m.rows)) < chance[m.rows])
        if len(picked):
            rows = m.rows[picked]
            where = rows, np.full(len(rows), m.t), np.zeros(len(rows), bool)
            chosen.append(Remembered(take(m.before, picked), m.situation[picked], ~today[rows], aside[rows], *where))
    # Where some situations have a map, those without one are left out: habits are learned of scenes of one kind.
    mapped = [part for part in chosen if part.state.place is not None] or chosen
    groups = np.unique([part.situation[0] for part in mapped])
    return [join([part for part in mapped if part.situation[0] == group]) for group in groups]


def needed(settings: Settings, situation: Array, tomorrow: Collection[int]) -> Array:
    """How many times as much is learned of each situation [n] for what is said of ``tomorrow``."""
    return np.asarray(1 + settings.need * np.isin(situation, list(tomorrow)))


def search_again(
    agent: Agent,
    chosen: Sequence[Remembered],
    generator: np.random.Generator,
    progress: Progress | None,
    tomorrow: Collection[int] = (),
) -> Lessons:
    """What search says of the states now, and of states dreamed up from them. Nothing is worth finding out at night.
    Where no episode of a situation is kept for the probe, dreams are, by lot, so that none goes without being learned,
    and where there are no dreams either, states are."""
    settings, done, total = agent.config.sleep, 0, 2 * sum(len(group.old) for group in chosen)
    even = dreams_of(settings, chosen, np.ones(len(chosen)), tomorrow)
    searched: list[list[tuple[Remembered, Array]]] = []
    lessons: list[list[Lessons]] = []
    for group, dreams in zip(chosen, even, strict=True):
        by_lot = not group.probe.any()
        searched.append([])
        lessons.append([])
        for at in range(0, len(group.old), ROOTS):
            part = take(group, slice(at, at + ROOTS))
            if by_lot and not dreams:
                part = replace(part, probe=generator.random(len(part.old)) < settings.probe)
            taught, line = search_states(agent, part, bool(group.old.all()))
            searched[-1].append((part, line))
            lessons[-1] += [taught, *dream_on(agent, part, line, SCOUTS * dreams, by_lot, generator)]
            done += len(part.old)
            if progress is not None:
                progress("re-search", done, total, {})
    # What is remembered was replayed often: how much of a situation is unknown is told by what was never seen before.
    wanted = dreams_of(settings, chosen, np.array([unknown(found) for found in lessons]), tomorrow)
    for group, parts, found, dreams in zip(chosen, searched, lessons, wanted - SCOUTS * even, strict=True):
        for part, line in parts:
            found += dream_on(agent, part, line, max(0.0, dreams), not group.probe.any(), generator)
            done += len(part.old)
            if progress is not None:
                progress("re-search", done, total, {})
    return join([each for found in lessons for each in found])


def dream_on(
    agent: Agent, part: Remembered, line: Array, dreams: float, by_lot: bool, generator: np.random.Generator
) -> list[Lessons]:
    """What search says of ``dreams`` for each state of ``part``, of which it knows the ``line`` [n, L]; ``by_lot``:
    whether some of them are kept for the probe."""
    lessons: list[Lessons] = []
    if dreams <= 0:
        return lessons
    settled, left = bool(part.old.all()), int(dreams * len(part.old) + generator.random())
    tries = min(round(TRIES * dreams), DREAMS)
    # Where few states are left each is dreamed on from more than once at a time, so that fewer searches do.
    times = max(1, min(ROOTS // len(part.old), tries // ROUNDS))
    again = np.concatenate([generator.permutation(len(part.old)) for _ in range(times)])
    part, line = take(part, again), line[again]
    latest = part
    for number in range(tries // times):
        if left <= 0:
            break
        leads = (line >= 0).any(axis=1)
        if number % 2 and leads.any():  # every other dream goes on from one from which search knew a way
            rows = np.where(leads, np.arange(len(line)), generator.choice(np.flatnonzero(leads), len(line)))
            rows = rows[:left]
            latest = take(latest, rows)
            state = replay(agent, latest.state, latest.situation, line[rows], generator)
            latest = replace(latest, state=state)
        else:
            latest = take(part, slice(left))
            state = dream(agent, latest.state, latest.situation, generator)
            lot = generator.random(len(latest.old)) < agent.config.sleep.probe
            aside = lot if by_lot else latest.probe
            latest = replace(latest, state=state, probe=aside, dreamed=np.ones(len(latest.old), bool))
        taught, line = search_states(agent, latest, settled)
        lessons.append(taught)
        left -= int(taught.found.sum())
    return lessons


def unknown(lessons: Sequence[Lessons]) -> float:
    """Share of what search would do in states dreamed up of a situation that the habit would not; of few, nearer to
    `USUAL`."""
    mass = np.concatenate([(each.prior * each.best).sum(axis=1)[each.found & each.dreamed] for each in lessons])
    return float(max(LEAST, ((1 - mass).sum() + FEW * USUAL) / (len(mass) + FEW)))


def dreams_of(
    settings: Settings, chosen: Sequence[Remembered], unknown: Array, tomorrow: Collection[int] = ()
) -> Array:
    """How many dreams each state of a situation is given [situations]: so many that ``sleep.today`` times as much is
    learned of a situation of today as of an older one, and more of those that ``tomorrow`` brings, however little of
    it is remembered; among those of today and among older ones the more of each the more is ``unknown``, as far as
    ``sleep.choice`` says."""
    steps = np.array([len(group.old) for group in chosen])
    settled = np.array([bool(group.old.all()) for group in chosen])
    share = np.where(settled, 1.0, settings.today)
    for some in (settled, ~settled):
        share[some] *= 1 - settings.choice + settings.choice * unknown[some] / unknown[some].sum() * some.sum()
    need = needed(settings, np.array([group.situation[0] for group in chosen]), tomorrow)
    share *= need
    fit_to_dream = np.array([group.state.place is not None for group in chosen])
    balanced, by_lot = settings.states * share / share.sum() / steps, settings.states * need / (need * steps).sum()
    wanted = settings.balance * balanced + (1 - settings.balance) * by_lot - 1
    return np.where(fit_to_dream & (settings.dream > 0), np.clip(wanted, 0, DREAMS), 0.0)


def search_states(agent: Agent, chosen: Remembered, settled: bool) -> tuple[Lessons, Array]:
    """What search says, and where it is ``settled``, in a situation that was not lived in today, the habit itself; and
    the lines [n, L] that search found best."""
    nodes = round(agent.config.sleep.search * max(1, agent.config.planner.simulations))
    plan, top = agent.consider(chosen.state, chosen.situation, nodes)
    value = np.clip(plan.value / max(1.0, top), 0, 1)
    where = chosen.old, chosen.probe, chosen.episode, chosen.t, chosen.dreamed, chosen.situation
    habit, alike = agent.habit(chosen.state.scene), alike_of(agent, chosen)
    found, stake = plan.steps > 0, np.zeros(len(value))
    if agent.config.sleep.stakes > 0 and not settled:
        stake = at_stake(agent, chosen.state, chosen.situation, value, nodes)
    lessons = Lessons(
        chosen.state.scene, plan.weights, plan.best, value, found, plan.known, *where, habit.prior, alike, stake
    )  # fmt: skip
    return rehearsed(agent, lessons, habit) if settled else lessons, plan.actions


def alike_of(agent: Agent, chosen: Remembered) -> Array:
    """How the states may be seen turned or mirrored [n, 8, A], see `mirrors`; as they are where there is no map."""
    if chosen.state.place is not None and agent.config.sleep.mirror:
        return mirrors.of_scenes(chosen.state.scene, agent.imagination.motions(int(chosen.situation[0])))
    return mirrors.none(len(chosen.old), agent.motor.actions)


def rehearsed(agent: Agent, lessons: Lessons, habit: Habit) -> Lessons:
    """The lessons of situations of which too little may be left to search in: where search finds nothing, or can be
    relied on less than the habit is confident, what the cortex is sure of teaches itself (pseudo-rehearsal, Robins
    1995; learning without forgetting, Li & Hoiem 2016)."""
    poorer = (habit.confidence > agent.hippocampus.reliance(lessons.situation)) | ~lessons.found
    sure = poorer & agent.sure(habit, lessons.situation, agent.config.sleep.sure)
    likely = habit.prior >= 0.5 * habit.prior.max(axis=1, keepdims=True)
    return replace(
        lessons,
        targets=np.where(sure[:, None], habit.prior, lessons.targets),
        best=np.where(sure[:, None], likely, lessons.best),
        value=np.where(sure, habit.value, lessons.value),
        found=sure | lessons.found,
    )


def agreement(agent: Agent, lessons: Lessons) -> float:
    """Share of the probe's states in which the habit's likeliest action is one that search would choose."""
    aside = take(lessons, np.flatnonzero(lessons.found & lessons.probe))
    if len(aside.value) == 0:
        return 0.0
    if not agent.habit.nights:
        return float((aside.best.mean(axis=1)).mean())
    return float(aside.best[np.arange(len(aside.value)), priors(agent, aside.scene).argmax(axis=1)].mean())


def priors(agent: Agent, scene: Scene) -> Array:
    """What the habit says [n, A] of many scenes, some at a time."""
    parts = np.array_split(np.arange(scene.bodies), scene.bodies // CHUNK + 1)
    return np.concatenate([agent.habit(part_of(scene, rows)).prior for rows in parts])
