"""The hippocampus: rows are the truth; everything else here is a closed-form statistic of them.

It observes step by step, keeps whole episodes, and answers three questions: what was like this (recall), what happens
when this meets that (interactions, events, scenes), and how does my body move the view (motions). With ``capacity`` 0
it knows nothing: an empty memory on the first morning is the lesioned memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from cortex.types import (
    MODALITIES,
    UNSEEN,
    Array,
    Episode,
    Layout,
    Motions,
    Outcome,
    Percept,
    Recall,
    State,
    Vocabulary,
    take,
)

from .events import Events
from .guises import LEAP, STILL, Guises
from .interactions import Interactions
from .moments import STEP, Moments
from .registration import Registration, silent
from .scenes import Scenes, unlike
from .situations import Situations
from .unfinished import Unfinished
from .volatility import Volatility
from .worlds import DUE, World

PAIRS = 4096
"""Steps from which registration is found; it is settled long before."""
HOLDS = 0.9
"""Share of its changes that must come with those of something reached, or with pay, in what shows what is held."""


class Store(Protocol):
    """Where rows last: see cortex.store."""

    def add(self, episode: Episode) -> int: ...

    def put_tokens(self, first_code: int, vectors: Array) -> None: ...

    def tokens(self) -> Array: ...

    def commit(self) -> None: ...

    def episodes(self) -> list[int]: ...

    def read(self, episode: int) -> Episode: ...

    def delete(self, episodes: Sequence[int]) -> None: ...

    @property
    def steps(self) -> int: ...


class Hippocampus:
    """Episodic memory for scenes of ``layout`` and ``actions`` actions, over the rows of ``store``; ``channels``: of
    each cell of their grids."""

    def __init__(
        self,
        store: Store,
        codebook: Vocabulary,
        layout: Layout,
        actions: int,
        width: int,
        capacity: int,
        recall: int,
        levels: Sequence[str],
        discount: float,
        change: float,
        channels: int,
    ) -> None:
        self.store, self.codebook, self.layout, self.actions = store, codebook, layout, actions
        self.width, self.capacity, self.k, self.levels, self.discount = width, capacity, recall, list(levels), discount
        self.change = change
        self.grid = np.flatnonzero(layout.modality == MODALITIES["grid"])
        self.rest = np.flatnonzero((layout.modality != MODALITIES["grid"]) & (layout.modality != MODALITIES["text"]))
        at = layout.position[self.grid]
        self.registration = Registration(at, actions, self.grid) if len(self.grid) else None
        self.guises = Guises(at, actions) if len(self.grid) else None
        self.day, self.environment = 0, 0
        self.unfinished: list[Unfinished] = []
        self.rigid: Motions = silent(actions)
        self.volatility = Volatility(self.grid, codebook, channels)
        self._stored = max(1, len(store.tokens()))
        self._pairs, self._due = 0, 24
        self._before: list[Array] = []
        self._after: list[Array] = []
        self._action: list[Array] = []
        self.clear()
        self._blank(0)  # levels that no token has are refused at once

    def clear(self) -> None:
        """Forget every statistic; rows stay. What is known of the body stays until it is found anew."""
        self.worlds: list[World] = []
        self._held: int | None = None  # not known since what tells it changed
        self.scenes = Scenes(self.width, self.actions, self.k if self.capacity else 0)
        self.situations = Situations(self.width)
        self.largest_reward = 0.0
        self.moments = Moments()

    def world(self, situation: int) -> World:
        """What is known of a situation; nothing of a new one."""
        return self.worlds[situation] if situation < len(self.worlds) else self._blank(len(self.worlds))

    def enter(self, situation: int) -> World:
        """The same, to be filled."""
        while situation >= len(self.worlds):
            self.worlds.append(self._blank(len(self.worlds)))
        return self.worlds[situation]

    def renew(self, situation: int) -> None:
        """Forget what is known of a situation; of the agent's body in it nothing is forgotten."""
        world = self.enter(situation)
        world.interactions.clear()
        world.events.clear()
        world.shows, world.walked, self._held = np.zeros_like(world.shows), {}, None

    def _blank(self, situation: int) -> World:
        before = self.worlds[:situation]
        lore = before[0].interactions.lore if before else None
        interactions = Interactions(self.codebook, self.levels, self.change, lore)
        return World(
            interactions, Events(self.change, [world.events for world in before]), np.zeros((2, len(self.rest)))
        )

    @property
    def held(self) -> int:
        """The token that shows what is held where the view stays: the one that changes when something reached does, and
        else stays as it is; -1 while none is known."""
        if self._held is None:
            beside, alone = sum((world.shows for world in self.worlds), np.zeros((2, len(self.rest))))
            share = beside / (beside + alone + 0.1)
            best = int(share.argmax()) if len(share) else 0
            self._held = int(self.rest[best]) if len(share) and share[best] >= HOLDS else -1
        return self._held

    def stirs(self, situation: int) -> Array:
        """How much each action [A] promises to show where the agent is, against the best: what moved it in other worlds
        and was not yet tried in vain in this one."""
        steps = sum(
            (world.steps for world in self.worlds if world.steps is not None), np.zeros((self.actions, LEAP + 1))
        )
        share = (steps.sum(axis=1) - steps[:, STILL] + 1) / (steps.sum(axis=1) + 2)
        done = np.bincount([row[2] for row in self.world(situation).rows], minlength=self.actions)
        share /= 1 + done
        return np.asarray(share / share.max())

    def motions(self, situation: int) -> Motions:
        """The body schema: of a view that moves along, else that of the situation."""
        own = self.world(situation).motions
        return self.rigid if self.rigid.resolved or own is None else own

    # What it answers by day

    def recognise(self, codes: Array, latent: Array, first: Array, situation: Array) -> Array:
        """The situation [B] of each body; ``situation`` [B], that of the step before, is kept within an episode."""
        if not first.any():
            return situation
        rows, situation = np.flatnonzero(first), np.array(situation)
        cells = codes[rows][:, self.grid]
        situation[rows] = self.situations.recognise(latent[rows], cells, self._missing(cells))
        return situation

    def _missing(self, cells: Array) -> Array:
        """Whether grid cells [B, n] do not show the agent once, as each situation [B, situations] has it."""
        missing = np.zeros((len(cells), len(self.situations)), bool)
        for number, world in enumerate(self.worlds[: len(self.situations)]):
            if world.motions is not None and not self.rigid.resolved:
                guises = world.motions.selves[world.motions.selves != UNSEEN]
                missing[:, number] = np.isin(cells, guises).sum(axis=1) != 1
        return missing

    def recall(self, percept: Percept, situation: Array, among: int | None = None) -> Recall:
        """Memories like the present, which is of ``situation`` [B], ``among`` the first so many scenes, else all."""
        rows, entries, similarity = self.scenes.search(percept.latent, among)
        value, tried = self.scenes.value(entries, similarity)
        return Recall(situation, rows, similarity, unlike(similarity), value, tried)

    # What it writes by day

    def observe(
        self,
        before: State,
        situation: Array,
        percepts: tuple[Percept, Percept],
        codes: tuple[Array, Array],
        action: Array,
        outcome: Outcome,
        after: State,
    ) -> list[int]:
        """Take in one step of every body, each in its ``situation`` [B]; ``codes`` [B, N] before and after are what was
        seen, noise and all. Returns the situations whose body schema changed, so that what is known of them has to be
        learned anew."""
        if self.capacity == 0:
            return []
        while len(self.unfinished) < len(action):
            self.unfinished.append(Unfinished())
        rows, bodies = _where(outcome.valid), np.flatnonzero(outcome.valid).tolist()
        began = [self.moments.next(self.day, b) for b in bodies]
        when = [(at + len(self.unfinished[b].action) * STEP, at) for b, at in zip(bodies, began, strict=True)]
        latent, latent_after = percepts[0].latent, percepts[1].latent
        novelty = self._novelty(before, latent, after)
        news = self.learn(
            take(before, rows), latent[rows], situation[rows], action[rows], outcome.reward[rows],
            outcome.terminated[rows], take(after, rows), latent_after[rows], np.array(when, np.int64).reshape(-1, 2),
        )  # fmt: skip
        self.largest_reward = max(self.largest_reward, float(np.abs(outcome.reward).max(initial=0)))
        paid = np.abs(outcome.reward) / self.largest_reward if self.largest_reward else np.zeros(len(action))
        salience = 1 - (1 - novelty) * (1 - paid)
        if news is not None:  # what was known before is worth no room, however much it pays
            salience[rows] = news
        for b in bodies:
            part = self.unfinished[b]
            if not part.action:
                part.situation = int(situation[b])
                self.situations.learn(part.situation, latent[b], before.codes[b, self.grid])
            part.codes.append(codes[0][b])
            part.code.append(int(before.code[b]))
            part.action.append(int(action[b]))
            part.reward.append(float(outcome.reward[b]))
            part.salience.append(float(salience[b]))
            part.after = codes[1][b]
            if outcome.done[b]:
                end = bool(outcome.terminated[b]), bool(outcome.truncated[b]), bool(outcome.success[b])
                self._finish(int(b), codes[1][b], *end)
        return self._register(situation, codes, action, outcome)

    def _novelty(self, before: State, latent: Array, after: State) -> Array:
        """How unlike all known scenes each is [B]; on a map, where what a step teaches counts instead, 0."""
        mapped = before.place is not None and after.place is not None
        return np.zeros(len(latent), np.float32) if mapped else self.scenes.novelty(before.code, latent)

    def learn(
        self,
        before: State,
        latent: Array,
        situation: Array,
        action: Array,
        reward: Array,
        terminated: Array,
        after: State,
        latent_after: Array,
        when: Array,
    ) -> Array | None:
        """Count what one step of n bodies taught, and ``when`` [n, 2] it was and its episode began: the scenes that
        followed, the interactions, the events. Returns as `learn_worlds`."""
        entries = self.scenes.enter(before.code, before.codes, latent)
        followed = self.scenes.enter(after.code, after.codes, latent_after)
        self.scenes.learn(entries, action, reward, terminated, followed)
        return self.learn_worlds(before, situation, action, reward, terminated, after, when)

    def learn_worlds(
        self,
        before: State,
        situation: Array,
        action: Array,
        reward: Array,
        terminated: Array,
        after: State,
        when: Array,
    ) -> Array | None:
        """Count what one step of n bodies taught of their worlds, and ``when`` [n, 2]: the interactions, the events.
        Returns which [n] taught something new; None without a map."""
        if before.place is None or after.place is None:
            return None
        news = np.zeros(len(action), bool)
        for number in sorted(set(situation.tolist())):
            rows = _where(situation == number)
            world, motions = self.enter(number), self.motions(number)
            other = before.codes[rows][:, self.rest] != after.codes[rows][:, self.rest]
            places = take(before.place, rows), take(after.place, rows)
            came = reward[rows], terminated[rows], when[rows]
            self._held = None if other.any() else self._held
            news[rows] = world.learn(motions, number, *places, other, action[rows], *came)
        return news

    def flush(self) -> None:
        """Keep what is unfinished too, as cut off: the life stops here."""
        for body, part in enumerate(self.unfinished):
            if part.action and part.after is not None:
                self._finish(body, part.after, False, True, False)
        self.unfinished = []
        self.keep_tokens()
        self.store.commit()

    def keep_tokens(self) -> None:
        """Hand the store the tokens that it does not hold yet, so that every code keeps its meaning."""
        self.store.put_tokens(self._stored, self.codebook.vectors[self._stored :])
        self._stored = self.codebook.size

    def drop(self, bodies: Sequence[int]) -> bool:
        """Give up the unfinished episodes of ``bodies``; True where they had taught something already."""
        taught = False
        for body in bodies:
            if body < len(self.unfinished):
                taught |= bool(self.unfinished[body].action)
                self.unfinished[body] = Unfinished()
        return taught

    def _finish(self, body: int, last: Array, terminated: bool, truncated: bool, success: bool) -> None:
        """An episode is over: keep it whole, and let its scenes be recalled."""
        episode, code = self._episode(body, last, terminated, truncated, success), self.unfinished[body].code
        self.keep_tokens()
        number = self.store.add(episode)
        self.moments.enter(number, episode)
        self.credit(episode, number, np.array(code))
        self.unfinished[body] = Unfinished()

    def _episode(self, body: int, last: Array, terminated: bool, truncated: bool, success: bool) -> Episode:
        part = self.unfinished[body]
        return part.episode(last, terminated, truncated, success, self.layout, self.day, self.environment, body)

    def unfinished_episodes(self) -> list[Episode]:
        """What each body has lived since its episode began."""
        return [
            self._episode(body, part.after, False, False, False)
            for body, part in enumerate(self.unfinished)
            if part.action and part.after is not None
        ]

    def credit(self, episode: Episode, number: int, code: Array) -> None:
        """What the actions of memory ``number`` led to; ``code`` [T] of its scenes."""
        returns = np.zeros(len(episode.action), np.float32)
        later = 0.0
        for t in range(len(returns) - 1, -1, -1):
            later = float(episode.reward[t]) + self.discount * later
            returns[t] = later
        self.scenes.credit(code, episode.action.astype(np.int64), returns, number)
        self.enter(episode.situation).episodes.append(number)

    # How it finds its own body

    def _register(self, situation: Array, codes: tuple[Array, Array], action: Array, outcome: Outcome) -> list[int]:
        if self.registration is None or self.guises is None:
            return []
        rows = _where(outcome.valid)
        views = codes[0][rows][:, self.grid], codes[1][rows][:, self.grid]
        changed = [] if self.rigid.resolved else self._find_self(situation[rows], *views, action[rows])
        if self._pairs >= PAIRS:
            return changed
        self._before.append(views[0])
        self._after.append(views[1])
        self._action.append(action[rows])
        self._pairs += len(views[0])
        if self._pairs < self._due:
            return changed
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        pairs = np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action)
        return list(range(len(self.worlds))) if self.register(*pairs) else changed

    def _find_self(self, situation: Array, before: Array, after: Array, action: Array) -> list[int]:
        """Look for the agent in the first steps of situations; those whose schema is another than before."""
        changed = set(self.hold())
        for number in sorted(set(situation.tolist())):
            world = self.enter(number)
            rows, known = np.flatnonzero(situation == number), len(world.rows)
            if known >= DUE[-1]:
                continue
            world.rows += zip(before[rows], after[rows], action[rows].tolist())
            if not any(known < due <= len(world.rows) for due in DUE):
                continue
            if self.volatility.notice(self.worlds, [number]):
                return self._find_selves()
            if self._see_self(number):
                changed.add(number)
        return sorted(changed)

    def _find_selves(self) -> list[int]:
        """Find all body schemas anew; the situations that there are."""
        for situation, world in enumerate(self.worlds):
            if world.rows:
                self._see_self(situation)
        if self._pairs:
            self.register(np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action))
        return list(range(len(self.worlds)))

    def hold(self) -> list[int]:
        """Look for what is held where the rows now say that it is shown; the situations in which that is news."""
        changed, held = [], self.held
        for number, world in enumerate(self.worlds):
            if world.motions is not None and world.motions.held != held:
                world.motions = replace(world.motions, held=held, version=world.motions.version + held + 1)
                changed.append(number)
        return changed

    def _see_self(self, situation: int) -> bool:
        """Find the schema of one situation from its first rows; True where it is another than before."""
        assert self.guises is not None
        world, held = self.worlds[situation], self.held
        before, after, action = world.first_rows()
        before, after = self.volatility.cells(before), self.volatility.cells(after)
        usual = np.zeros((self.actions, LEAP + 1))
        for other in self.worlds[:situation]:
            usual += 0 if other.steps is None else other.steps
        found = self.guises.fit(before, after, action, usual, held)
        known, world.motions = world.motions, found
        world.steps = None if found is None else self.guises.steps(found, before, after, action)
        return (None if known is None else known.version) != (None if found is None else found.version)

    def recollect(self) -> None:
        """Find the body schemas anew, from the first rows that are kept, as if they had just been lived."""
        self.rigid, self._pairs, self._due = silent(self.actions), 0, 24
        self._before, self._after, self._action = [], [], []
        for world in self.worlds:
            world.motions, world.rows, world.steps, world.readings = None, [], None, 0
        if self.registration is None or self.capacity == 0:
            return
        for number in self.store.episodes():
            episode = self.store.read(number)
            codes, action = episode.codes[:, self.grid], episode.action.astype(np.int64)
            world = self.enter(episode.situation)
            world.rows += list(zip(codes[:-1], codes[1:], action.tolist()))[: DUE[-1] - len(world.rows)]
            if self._pairs < PAIRS:
                self._before.append(codes[:-1])
                self._after.append(codes[1:])
                self._action.append(action)
                self._pairs += len(action)
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        self.volatility.notice(self.worlds, range(len(self.worlds)))
        self._find_selves()

    def register(self, before: Array, after: Array, action: Array) -> bool:
        """Find the motions of the view from rows; True where they are other than before."""
        if self.registration is None:
            return False
        if any(world.motions is not None and world.motions.along for world in self.worlds):
            return False  # a view that never turns, though a room may look like another one turned
        found = self.registration.fit(self.volatility.cells(before), self.volatility.cells(after), action)
        if not found.resolved or found.version == self.rigid.version:
            return False
        self.rigid = found
        return True


def _where(chosen: Array) -> Array | slice:
    """The index of what is ``chosen`` [B]; a slice where all are, since a slice copies nothing."""
    return slice(None) if chosen.all() else np.flatnonzero(chosen)
