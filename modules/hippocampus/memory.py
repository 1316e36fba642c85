"""The hippocampus: rows are the truth; everything else here is a closed-form statistic of them.

It observes step by step, keeps whole episodes, and answers three questions: what was like this (recall), what happens
when this meets that (interactions, events, scenes), and how does my body move the view (motions). With ``capacity`` 0
it knows nothing: an empty memory on the first morning is the lesioned memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    Place,
    Recall,
    State,
    Vocabulary,
    take,
)

from .events import Events
from .interactions import Interactions
from .registration import Registration, silent
from .scenes import Scenes
from .situations import Situations

PAIRS = 4096
"""Steps from which registration is found; it is settled long before."""


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


@dataclass
class Unfinished:
    """One body's episode so far."""

    codes: list[Array] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    salience: list[float] = field(default_factory=list)
    situation: int = -1
    after: Array | None = None  # the codes that followed the last action


class Hippocampus:
    """Episodic memory for scenes of ``layout`` and ``actions`` actions, over the rows of ``store``."""

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
    ) -> None:
        self.store, self.codebook, self.layout, self.actions = store, codebook, layout, actions
        self.width, self.capacity, self.k, self.levels, self.discount = width, capacity, recall, list(levels), discount
        self.grid = np.flatnonzero(layout.modality == MODALITIES["grid"])
        self.registration = Registration(layout.position[self.grid], actions) if len(self.grid) else None
        self.day, self.environment = 0, 0
        self.unfinished: list[Unfinished] = []
        self.motions: Motions = silent(actions)
        self._stored = max(1, len(store.tokens()))
        self._pairs, self._due = 0, 24
        self._before: list[Array] = []
        self._after: list[Array] = []
        self._action: list[Array] = []
        self.clear()

    def clear(self) -> None:
        """Forget every statistic; rows stay. What is known of the body stays until it is found anew."""
        self.interactions = Interactions(self.codebook, self.levels)
        self.events = Events()
        self.scenes = Scenes(self.width, self.actions, self.k if self.capacity else 0)
        self.situations = Situations(self.width)
        self.largest_reward = 0.0

    # What it answers by day

    def recall(self, percept: Percept, first: Array, situation: Array) -> Recall:
        """Memories like the present; ``situation`` [B] is that of the step before, kept unless an episode begins."""
        rows, entries, similarity = self.scenes.search(percept.latent)
        nearest = similarity.max(axis=1, initial=0.0)
        value, tried = self.scenes.value(entries, similarity)
        begun = self.situations.recognise(percept.latent) if first.any() else situation
        return Recall(np.where(first, begun, situation), rows, similarity, np.clip(1 - nearest, 0, 1), value, tried)

    # What it writes by day

    def observe(
        self,
        before: State,
        recall: Recall,
        percepts: tuple[Percept, Percept],
        action: Array,
        outcome: Outcome,
        after: State,
    ) -> bool:
        """Take in one step of every body; True where the body schema changed, so that the statistics have to be
        learned anew."""
        if self.capacity == 0:
            return False
        while len(self.unfinished) < len(action):
            self.unfinished.append(Unfinished())
        rows = np.flatnonzero(outcome.valid)
        latent, latent_after = percepts[0].latent, percepts[1].latent
        self.learn(
            take(before, rows), latent[rows], recall.situation[rows], action[rows], outcome.reward[rows],
            outcome.terminated[rows], take(after, rows), latent_after[rows],
        )  # fmt: skip
        self.largest_reward = max(self.largest_reward, float(np.abs(outcome.reward).max(initial=0)))
        paid = np.abs(outcome.reward) / self.largest_reward if self.largest_reward else np.zeros(len(action))
        salience = 1 - (1 - recall.novelty) * (1 - paid)
        for b in rows:
            part = self.unfinished[b]
            if not part.action:
                part.situation = int(recall.situation[b])
                self.situations.learn(part.situation, latent[b])
            part.codes.append(before.codes[b])
            part.code.append(int(before.code[b]))
            part.action.append(int(action[b]))
            part.reward.append(float(outcome.reward[b]))
            part.salience.append(float(salience[b]))
            part.after = after.codes[b]
            if outcome.done[b]:
                self._finish(int(b), after.codes[b], outcome)
        return self._register(before, action, outcome, after)

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
    ) -> None:
        """Count what one step of n bodies taught: the scenes that followed, the interactions, the events."""
        entries = self.scenes.enter(before.code, before.codes, latent)
        followed = self.scenes.enter(after.code, after.codes, latent_after)
        self.scenes.learn(entries, action, reward, terminated, followed)
        if before.place is None or after.place is None:
            return
        met, met_after, moved = met_of(before.place, after.place)
        rows = np.flatnonzero((met[:, 0] != UNSEEN) & (met_after[:, 0] != UNSEEN))
        self.interactions.learn(
            action[rows], met[rows, 0], met[rows, 1], moved[rows], met_after[rows, 0], met_after[rows, 1]
        )
        new = after.place
        front = new.cells[np.arange(len(action)), new.ahead[:, 0], new.ahead[:, 1]]
        event = [action, moved, met_after[:, 2], front, new.carried, new.mission, situation]
        self.events.learn(np.stack([column.astype(np.int64) for column in event], axis=1), reward, terminated)

    def flush(self) -> None:
        """Keep what is unfinished too, as cut off: the life stops here."""
        never = np.zeros(len(self.unfinished), bool)
        stop = Outcome(None, never.astype(np.float32), never, ~never, never, ~never)
        for body, part in enumerate(self.unfinished):
            if part.action and part.after is not None:
                self._finish(body, part.after, stop)
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

    def _finish(self, body: int, last: Array, outcome: Outcome) -> None:
        """An episode is over: keep it whole, and let its scenes be recalled."""
        part = self.unfinished[body]
        end = bool(outcome.terminated[body]), bool(outcome.truncated[body]), bool(outcome.success[body])
        episode = self._episode(part, body, last, *end)
        self.keep_tokens()
        number = self.store.add(episode)
        self.credit(episode, number, np.array(part.code))
        self.unfinished[body] = Unfinished()

    def _episode(
        self, part: Unfinished, body: int, last: Array, terminated: bool, truncated: bool, success: bool
    ) -> Episode:
        return Episode(
            codes=np.stack([*part.codes, last]),
            action=np.array(part.action, np.int16),
            reward=np.array(part.reward, np.float32),
            salience=np.array(part.salience, np.float32),
            terminated=terminated,
            truncated=truncated,
            success=success,
            layout=self.layout,
            situation=part.situation,
            day=self.day,
            environment=self.environment,
            body=body,
        )

    def unfinished_episodes(self) -> list[Episode]:
        """What each body has lived since its episode began."""
        return [
            self._episode(part, body, part.after, False, False, False)
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

    # How it finds its own body

    def _register(self, before: State, action: Array, outcome: Outcome, after: State) -> bool:
        if self.registration is None or self._pairs >= PAIRS:
            return False
        rows = np.flatnonzero(outcome.valid)
        self._before.append(before.codes[rows][:, self.grid])
        self._after.append(after.codes[rows][:, self.grid])
        self._action.append(action[rows])
        self._pairs += len(rows)
        if self._pairs < self._due:
            return False
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        return self.register(np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action))

    def recollect(self) -> None:
        """Find the body schema anew, from the first rows that are kept, as if they had just been lived."""
        self.motions, self._pairs, self._due = silent(self.actions), 0, 24
        self._before, self._after, self._action = [], [], []
        if self.registration is None or self.capacity == 0:
            return
        for number in self.store.episodes():
            if self._pairs >= PAIRS:
                break
            episode = self.store.read(number)
            codes = episode.codes[:, self.grid]
            self._before.append(codes[:-1])
            self._after.append(codes[1:])
            self._action.append(episode.action.astype(np.int64))
            self._pairs += len(episode.action)
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        if self._pairs:
            self.register(np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action))

    def register(self, before: Array, after: Array, action: Array) -> bool:
        """Find the motions of the view from rows; True where they are other than before."""
        if self.registration is None:
            return False
        found = self.registration.fit(before, after, action)
        if not found.resolved or found.version == self.motions.version:
            return False
        self.motions = found
        return True


def met_of(before: Place, after: Place) -> tuple[Array, Array, Array]:
    """What the agent met: codes [n, 3] in front, carried and under it, the same cell, hold and footing after, and
    whether it moved [n]."""
    body, at, size = np.arange(len(before.pose)), before.ahead, before.cells.shape[1]
    told = []
    for place in (before, after):
        row, column = (place.pose[:, :2] % size).T
        under = place.cells[body, row, column]
        told.append(np.stack([place.cells[body, at[:, 0], at[:, 1]], place.carried, under], axis=1))
    return told[0], told[1], (before.pose != after.pose).any(axis=1)
