"""The night: from memory to weights. No environment is touched, and only here does a weight change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex import mirrors
from cortex.defaults import Sleep as Settings
from cortex.dream import dream, replay
from cortex.mapped import FOCUS, focus_tokens
from cortex.modules import body_image, habit, world_model
from cortex.modules.hippocampus.forgetting import ByRank, retention
from cortex.modules.hippocampus.worlds import met_of
from cortex.reliance import ask, reliance
from cortex.replay import fold, moments, relearn
from cortex.types import MODALITIES, Array, Episode, Scene, State, join, take

if TYPE_CHECKING:
    from cortex.agent import Agent
    from cortex.record_night import NightWatcher

Progress = Callable[[str, int, int, dict[str, float]], None]

ROOTS = 256
"""States searched side by side."""
TRANSITIONS = 20_000
"""Most steps from which the world model learns in one night."""
CHUNK = 512
"""Lessons about which the habit is asked at once."""
DREAMS = 64
"""Most dreams that one remembered state is given."""
TRIES = 4
"""Most dreams for one that is to be learned from: in some games most of what can be dreamed up leads nowhere."""


@dataclass
class Report:
    """What a night did; ``stages`` are seconds."""

    updates: int = 0
    seconds: float = 0.0
    chosen: int = 0
    known: float = 0.0
    agreement_before: float = 0.0
    agreement_after: float = 0.0
    rolled_back: bool = False
    losses: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)


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
    alike: Array  # [n, 8, A] of which action each is, in the scene turned or mirrored, what that is in it


def night(
    agent: Agent,
    generator: np.random.Generator,
    progress: Progress | None = None,
    shuffled: bool = False,
    watcher: NightWatcher | None = None,
    tomorrow: Collection[int] = (),
) -> dict[str, Any]:
    """One night: settle, learn the world and the body, choose, search again, distil, guard. Returns what it did.

    ``shuffled`` gives every state another state's targets: a control that must teach nothing. ``watcher`` looks on and
    changes nothing. ``tomorrow``: situations that are said to come, of which more is learned (what is needed is
    replayed, Mattar & Daw 2018; what is expected to be needed is kept by sleep, Wilhelm 2011).
    """
    report, began = Report(), time.perf_counter()
    settings = agent.config.sleep
    stage = _stages(report)
    if settings.steps == 0 or agent.hippocampus.capacity == 0:
        return vars(report)
    with stage("settle"):
        episodes = settle(agent)
    before = {name: value.clone() for name, value in agent.weights().items()}
    with stage("world model"):
        learn_world(agent, episodes, report, generator, progress)
    with stage("body"):
        learn_body(agent, episodes, report, generator)
    with stage("choose"):
        chosen = choose(agent, episodes, generator, tomorrow)
    if chosen:  # else nothing is remembered, or nothing was drawn
        with stage("re-search"):
            lessons = search_again(agent, chosen, generator, progress, tomorrow)
            report.chosen, report.known = len(lessons.known), float(lessons.known.mean()) if len(lessons.known) else 0.0
        report.agreement_before = agreement(agent, lessons)
        if watcher is not None:
            watcher.chose(agent, episodes, lessons)
        with stage("distil"):
            drawn = None if watcher is None else watcher.drawn
            distil(agent, lessons, report, generator, progress, shuffled, drawn, tomorrow)
        with stage("guard"):
            report.agreement_after = agreement(agent, lessons)
            if report.agreement_after < report.agreement_before - settings.guard:
                agent.restore(before)
                report.rolled_back = True
    report.seconds = time.perf_counter() - began
    if watcher is not None:
        watcher.woke(agent, vars(report))
    return vars(report)


def settle(agent: Agent) -> list[Episode]:
    """Keep what is unfinished too; all that is remembered."""
    agent.hippocampus.flush()
    store = agent.hippocampus.store
    return [store.read(number) for number in store.episodes()]


def prune(agent: Agent, generator: np.random.Generator) -> dict[str, Any]:
    """Forget by rank what exceeds the capacity, now that it was slept on, and learn the statistics anew from the rest.

    Returns how many steps of this day's memory were ``forgotten`` and are ``kept``, these ``by_situation`` and by
    ``strength``. Pruned twice, it has forgotten no more.
    """
    memory, store, h = agent.hippocampus, agent.hippocampus.store, agent.config.hippocampus
    memory.flush()
    numbers = store.episodes()
    episodes = [store.read(number) for number in numbers]
    steps = np.array([len(e.action) for e in episodes], np.int64)
    spared = math.ceil((1 - agent.config.sleep.prune) * max(0, int(steps.sum()) - memory.capacity))
    ranked = ByRank(h.fading, h.reservoir)
    forgets = agent.own.forgetting or ranked
    gone = np.asarray(forgets(episodes, memory.day, memory.capacity + spared, generator), bool)
    done = store.get("pruned", {})  # a life that was killed here finds its rows pruned already, with what that told
    lost = int(done["forgotten"]) if done.get("day") == memory.day else int(steps[gone].sum())
    if gone.any():
        going = [number for number, goes in zip(numbers, gone, strict=True) if goes]
        asked = ask(agent, {e.situation for e, goes in zip(episodes, gone, strict=True) if goes}, generator.spawn(1)[0])
        memory.keep_gists(fold(agent, going))
        store.delete(going)
        store.put("pruned", {"day": memory.day, "forgotten": lost})
        memory.recollect()
        relearn(agent)
        memory.rely(reliance(agent, asked))
    salience, age = ranked.judge(episodes, memory.day)
    stays, situation = ~gone, np.array([e.situation for e in episodes], np.int64)
    strength = (salience * retention(age, 1 + 9 * salience))[stays]
    return {
        "forgotten": lost,
        "kept": int(steps[stays].sum()),
        "strength": np.histogram(strength, bins=10, range=(0, 1), weights=steps[stays])[0].astype(int).tolist(),
        "by_situation": {str(s): int(steps[stays & (situation == s)].sum()) for s in np.unique(situation[stays])},
    }


def learn_world(
    agent: Agent, episodes: list[Episode], report: Report, generator: np.random.Generator, progress: Progress | None
) -> None:
    """Teach the cortex what happens next, and how its body moves the view."""
    model, motions = agent.imagination.world_model, agent.hippocampus.own_body.rigid
    if (
        motions.resolved
    ):  # where the view stays, the body is shown otherwise in each world, and found within a few steps
        model.set_motions(motions)
    steps = agent.config.sleep.world_model_steps
    total = sum(len(e.action) for e in episodes)
    rows: list[tuple[Array, ...]] = []
    for m in moments(agent, episodes):
        picked = np.flatnonzero(generator.random(len(m.rows)) * total < TRANSITIONS)
        if len(picked):
            before, after = take(m.before, picked), take(m.after, picked)
            told = transitions(agent, before, after, m.action[picked], int(m.situation[0]))
            keep = told[-1]
            if not keep.any():
                continue
            columns = (*told[:-1], m.action[picked], m.reward[picked], m.terminated[picked])
            rows.append(tuple(column[keep] for column in columns))
    if not rows:
        return
    focus, after_focus, moved, action, reward, end = (np.concatenate(column) for column in zip(*rows, strict=True))
    tell = None if progress is None else lambda update, losses: progress("world model", update + 1, steps, losses)
    sleep = agent.config.sleep
    losses = world_model.fit(
        model, focus, action, after_focus, moved, reward, end, steps, sleep.batch, sleep.learning_rate, generator, tell
    )
    report.losses |= {f"world_model.{name}": value for name, value in losses.items()}
    report.updates += steps if losses else 0


def learn_body(agent: Agent, episodes: list[Episode], report: Report, generator: np.random.Generator) -> None:
    """Teach the cortex which of the things in view it was and which way it faced, in views that never turn: there it
    looks otherwise in each world. Of each world it learns as much as of any other, as far as ``sleep.balance`` says."""
    body, sleep = agent.hippocampus.own_body, agent.config.sleep
    total = sum(len(e.action) for e in episodes)
    rows: list[tuple[Array, ...]] = []
    for episode in episodes:
        motions = body.motions(episode.situation)
        if motions.resolved and motions.shown:
            picked = np.flatnonzero(generator.random(len(episode.codes)) * total < sleep.states)
            view = body.volatility.steady(episode.codes[picked])[:, agent.context.grid]
            own = motions.where(view, agent.context.view)
            view, own = view[own >= 0], own[own >= 0]
            looks = (np.tile(of_guise, (len(own), 1)) for of_guise in (motions.selves, motions.faces))
            rows.append((view, own, *looks, np.full(len(own), episode.situation)))
    if rows:
        view, own, selves, faces, situation = (np.concatenate(column) for column in zip(*rows, strict=True))
        of_situation = np.bincount(situation)[situation]
        even, by_lot = 1 / of_situation / len(np.unique(situation)), 1 / len(own)
        losses = body_image.fit(
            agent.body_image,
            view,
            agent.codebook,
            own,
            selves,
            faces,
            sleep.balance * even + (1 - sleep.balance) * by_lot,
            body.held,
            sleep.body_steps,
            sleep.batch,
            sleep.learning_rate,
            generator,
        )
        report.losses |= {f"body_image.{name}": value for name, value in losses.items()}
        report.updates += sleep.body_steps if losses else 0


def transitions(
    agent: Agent, before: State, after: State, action: Array, situation: int
) -> tuple[Array, Array, Array, Array]:
    """Focus tokens before and after [n, F, E], whether the agent moved [n], and which rows can be learned from [n]."""
    if before.place is None or after.place is None:
        tokens = agent.codebook.decode(before.codes), agent.codebook.decode(after.codes)
        grid = bool((agent.senses.layout.modality == MODALITIES["grid"]).any())
        return *tokens, np.zeros(len(before.code), bool), np.full(len(before.code), not grid)
    codes, codes_after, moved = met_of(before.place, after.place, action, agent.imagination.motions(situation))
    codes, codes_after = codes[:, :FOCUS], codes_after[:, :FOCUS]
    words = agent.codebook.decode(before.codes[:, agent.context.words])
    seen = (codes[:, 0] > 0) & (codes_after[:, 0] > 0)
    return focus_tokens(agent.codebook, codes, words), focus_tokens(agent.codebook, codes_after, words), moved > 0, seen


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
    Where no episode of a situation is kept for the probe, dreams are, by lot: none goes without being learned."""
    lessons, done, total = [], 0, sum(len(group.old) for group in chosen)
    for group, dreams in zip(chosen, dreams_of(agent.config.sleep, chosen, tomorrow), strict=True):
        settled, by_lot = bool(group.old.all()), not group.probe.any()
        for at in range(0, len(group.old), ROOTS):
            part = latest = take(group, slice(at, at + ROOTS))
            taught, line = search_states(agent, part, settled)
            lessons.append(taught)
            wanted = int(generator.poisson(dreams))
            left = wanted * len(part.old)
            for number in range(min(TRIES * wanted, DREAMS)):
                if left <= 0:
                    break
                leads = (line >= 0).any(axis=1)
                if number % 2 and leads.any():  # every other dream goes on from one from which search knew a way
                    rows = np.where(leads, np.arange(len(line)), generator.choice(np.flatnonzero(leads), len(line)))
                    latest = take(latest, rows)
                    state = replay(agent, latest.state, latest.situation, line[rows], generator)
                    latest = replace(latest, state=state)
                else:
                    state = dream(agent, part.state, part.situation, generator)
                    aside = generator.random(len(part.old)) < agent.config.sleep.probe if by_lot else part.probe
                    latest = replace(part, state=state, probe=aside, dreamed=np.ones(len(part.old), bool))
                taught, line = search_states(agent, latest, settled)
                lessons.append(taught)
                left -= int(taught.found.sum())
            if progress is not None:
                done += len(part.old)
                progress("re-search", done, total, {})
    return join(lessons)


def dreams_of(settings: Settings, chosen: Sequence[Remembered], tomorrow: Collection[int] = ()) -> Array:
    """How many dreams each state of a situation is given [situations]: so many that of each situation as much is
    learned, ``sleep.today`` times as much of those of today, and more of those that ``tomorrow`` brings, however little
    of a situation is remembered."""
    steps = np.array([len(group.old) for group in chosen])
    share = np.array([1.0 if group.old.all() else settings.today for group in chosen])
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
    alike = alike_of(agent, chosen)
    lessons = Lessons(chosen.state.scene, plan.weights, plan.best, value, plan.steps > 0, plan.known, *where, alike)
    return rehearsed(agent, lessons, chosen.situation) if settled else lessons, plan.actions


def alike_of(agent: Agent, chosen: Remembered) -> Array:
    """How the states may be seen turned or mirrored [n, 8, A], see `mirrors`; as they are where there is no map."""
    if chosen.state.place is not None and agent.config.sleep.mirror:
        return mirrors.of_scenes(chosen.state.scene, agent.imagination.motions(int(chosen.situation[0])))
    return mirrors.none(len(chosen.old), agent.motor.actions)


def rehearsed(agent: Agent, lessons: Lessons, situation: Array) -> Lessons:
    """The lessons of situations of which too little may be left to search in: where search finds nothing, or can be
    relied on less than the habit is confident, what the cortex is sure of teaches itself (pseudo-rehearsal, Robins
    1995; learning without forgetting, Li & Hoiem 2016)."""
    habit = agent.habit(lessons.scene)
    poorer = (habit.confidence > agent.hippocampus.reliance(situation)) | ~lessons.found
    sure = poorer & agent.sure(habit, situation, agent.config.sleep.sure)
    likely = habit.prior >= 0.5 * habit.prior.max(axis=1, keepdims=True)
    return replace(
        lessons,
        targets=np.where(sure[:, None], habit.prior, lessons.targets),
        best=np.where(sure[:, None], likely, lessons.best),
        value=np.where(sure, habit.value, lessons.value),
        found=sure | lessons.found,
    )


def distil(
    agent: Agent,
    lessons: Lessons,
    report: Report,
    generator: np.random.Generator,
    progress: Progress | None,
    shuffled: bool,
    drawn: list[Array] | None = None,
    tomorrow: Collection[int] = (),
) -> None:
    """Clone what search found into the habit, most what it can learn and has not learned yet. ``drawn`` is given the
    rows of each update, among those that can be learned."""
    rows, sleep = np.flatnonzero(lessons.found & ~lessons.probe), agent.config.sleep
    steps = round(sleep.distil * sleep.steps)
    if len(rows) == 0 or steps == 0:
        return
    learn = take(lessons, rows)
    choice = choice_of(agent, learn, tomorrow)
    if shuffled:
        order = generator.permutation(len(rows))
        learn = replace(learn, targets=learn.targets[order], value=learn.value[order])
    tell = None if progress is None else lambda update, losses: progress("habit", update + 1, steps, losses)
    losses = habit.fit(
        agent.habit,
        learn.scene,
        learn.targets,
        learn.value,
        learn.alike,
        choice,
        steps,
        sleep.batch,
        sleep.learning_rate,
        generator,
        tell,
        drawn,
    )
    aside = take(lessons, np.flatnonzero(lessons.found & lessons.probe))
    agent.habit.calibrate(aside.scene, aside.best)
    report.losses |= {f"habit.{name}": value for name, value in losses.items()}
    report.updates += steps


def choice_of(agent: Agent, lessons: Lessons, tomorrow: Collection[int] = ()) -> habit.Choice:
    """How lessons are drawn: by what the habit does in them, as far as ``sleep.choice`` says, and by what comes
    ``tomorrow``."""
    mass, sleep = (_priors(agent, lessons.scene) * lessons.best).sum(axis=1), agent.config.sleep
    return habit.Choice(mass, lessons.situation, needed(sleep, lessons.situation, tomorrow), sleep.choice)


def agreement(agent: Agent, lessons: Lessons) -> float:
    """Share of the probe's states in which the habit's likeliest action is one that search would choose."""
    aside = take(lessons, np.flatnonzero(lessons.found & lessons.probe))
    if len(aside.value) == 0:
        return 0.0
    if not agent.habit.nights:
        return float((aside.best.mean(axis=1)).mean())
    return float(aside.best[np.arange(len(aside.value)), _priors(agent, aside.scene).argmax(axis=1)].mean())


def _priors(agent: Agent, scene: Scene) -> Array:
    """What the habit says [n, A] of many scenes, some at a time."""
    parts = np.array_split(np.arange(scene.bodies), scene.bodies // CHUNK + 1)
    return np.concatenate([agent.habit(habit.part(scene, rows)).prior for rows in parts])


def _stages(report: Report) -> Callable[[str], Any]:
    @contextmanager
    def stage(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        report.stages[name] = report.stages.get(name, 0.0) + time.perf_counter() - began

    return stage
