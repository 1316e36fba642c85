"""The night: from memory to weights. No environment is touched, and only here does a weight change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex.curriculum import Lessons, Progress, agreement, choose, needed, search_again
from cortex.mapped import FOCUS, focus_tokens
from cortex.modules import body_image, habit, world_model
from cortex.modules.hippocampus.forgetting import ByRank, retention
from cortex.modules.hippocampus.worlds import met_of
from cortex.reliance import ask, reliance
from cortex.replay import fold, moments, relearn
from cortex.types import MODALITIES, Array, Episode, Scene, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent
    from cortex.record_night import NightWatcher

TRANSITIONS = 20_000
"""Most steps from which the world model learns in one night."""


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
            if len(own) == 0:
                continue
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
    untold = Scene(*(getattr(lessons.scene, part.name)[:, :0] for part in fields(Scene)))  # too large to be copied
    learn = take(replace(lessons, scene=untold), rows)
    choice = choice_of(agent, learn, tomorrow)
    if shuffled:
        order = generator.permutation(len(rows))
        learn = replace(learn, targets=learn.targets[order], value=learn.value[order])
    tell = None if progress is None else lambda update, losses: progress("habit", update + 1, steps, losses)
    drawn = [] if drawn is None else drawn
    before = len(drawn)
    losses = habit.fit(
        agent.habit,
        lessons.scene,
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
        sleep.bfloat16,
        sleep.seconds,
        rows,
    )
    aside = take(lessons, np.flatnonzero(lessons.found & lessons.probe))
    agent.habit.calibrate(aside.scene, aside.best)
    report.losses |= {f"habit.{name}": value for name, value in losses.items()}
    report.updates += len(drawn) - before


def choice_of(agent: Agent, lessons: Lessons, tomorrow: Collection[int] = ()) -> habit.Choice:
    """How lessons are drawn: by what the habit does in them and what is at stake, as far as ``sleep.choice`` says, and
    by what is new and what comes ``tomorrow``."""
    mass, sleep = (lessons.prior * lessons.best).sum(axis=1), agent.config.sleep
    need = needed(sleep, lessons.situation, tomorrow) * np.where(lessons.old, 1.0, sleep.recent)
    return habit.Choice(mass, lessons.situation, need, sleep.stakes * lessons.stake, sleep.choice)


def _stages(report: Report) -> Callable[[str], Any]:
    @contextmanager
    def stage(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        report.stages[name] = report.stages.get(name, 0.0) + time.perf_counter() - began

    return stage
