"""The hippocampus: rows are the truth; everything else here is a closed-form statistic of them.

It observes step by step, keeps whole episodes, and answers three questions: what was like this (recall), what happens
when this meets that (interactions, events, scenes), and how does my body move the view (motions). With ``capacity`` 0
it knows nothing: an empty memory on the first morning is the lesioned memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from cortex.types import (
    MODALITIES,
    Array,
    Episode,
    Layout,
    Outcome,
    Percept,
    Recall,
    State,
    Vocabulary,
    take,
)

from . import gist as gists
from . import schemas
from .body import Body
from .events import Events
from .gist import Gist, Taught
from .interactions import Interactions
from .moments import STEP, Moments
from .naming import Naming
from .ripening import Ripening
from .scenes import Scenes, unlike
from .situations import Situations
from .unfinished import Unfinished
from .worlds import World


class Store(Protocol):
    """Where rows last: see cortex.store."""

    def add(self, episode: Episode) -> int: ...

    def put_tokens(self, first_code: int, vectors: Array) -> None: ...

    def tokens(self) -> Array: ...

    def commit(self) -> None: ...

    def episodes(self) -> list[int]: ...

    def read(self, episode: int) -> Episode: ...

    def delete(self, episodes: Sequence[int]) -> None: ...

    def get(self, key: str, default: Any = None) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...

    @property
    def steps(self) -> int: ...


class Hippocampus:
    """Episodic memory for scenes of ``layout`` and ``actions`` actions, over the rows of ``store``; ``channels``: of
    each cell of their grids; ``situations`` are told apart from the first."""

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
        situations: int,
        naming: int = 0,
        gist: int = 0,
    ) -> None:
        self.store, self.codebook, self.layout, self.actions = store, codebook, layout, actions
        self.most = situations
        self.channels = max(1, channels)
        self.width, self.capacity, self.k, self.levels, self.discount = width, capacity, recall, list(levels), discount
        self.change, self.naming, self.gist = change, naming, gist
        self.words = np.flatnonzero(layout.modality == MODALITIES["text"])
        self.grid = np.flatnonzero(layout.modality == MODALITIES["grid"])
        self.day, self.environment = 0, 0
        self.unfinished: list[Unfinished] = []
        self.worlds: list[World] = []
        self.own_body = Body(self.worlds, codebook, layout, actions, channels)
        self.own_body.earlier = schemas.heard(store.get("bodies", {}))
        self.gists = {int(s): gists.heard(gist) for s, gist in store.get("gists", {}).items()}
        self._stored = max(1, len(store.tokens()))
        self.clear()
        self._blank(0)  # levels that no token has are refused at once

    def clear(self) -> None:
        """Forget every statistic; rows stay. What is known of the body stays until it is found anew."""
        self.worlds.clear()
        self.own_body.news()
        self.scenes = Scenes(self.width, self.actions, self.k if self.capacity and self.width else 0)
        self.situations = Situations(self.width, partial(self.codebook.attributes, blocks=self.channels), self.most)
        self.largest_reward = 0.0
        self.moments = Moments()
        self.relied: dict[int, float] = {int(s): share for s, share in self.store.get("relied", {}).items()}

    def rely(self, relied: Mapping[int, float]) -> None:
        """Keep how far search is relied on in situations of which memories were given up."""
        self.relied = dict(relied)
        self.store.put("relied", {str(situation): share for situation, share in relied.items()})

    def fold(self, situation: int, taught: Sequence[Taught]) -> Gist:
        """The gist of a situation with what its rows ``taught``, up to today, that were not counted in it yet."""
        world = self.enter(situation)
        changes = np.array([[*pair, times] for pair, times in sorted(world.ripening.changes.items())], np.int64)
        told = world.shows.astype(np.int64), world.ripening.times, changes.reshape(-1, 3), self.day
        return gists.gist_of(taught, self.gists.get(situation), *told, self.gist)

    def keep_gists(self, fresh: Mapping[int, Gist]) -> None:
        """Keep what rows that are given up had taught of their worlds, and of the agent's body in all of them."""
        if self.gist:
            self.gists |= fresh
            self.store.put("gists", {str(situation): gist.told() for situation, gist in self.gists.items()})
            known = {number: world.motions for number, world in enumerate(self.worlds)}
            self.own_body.earlier = {number: schema for number, schema in known.items() if schema is not None}
            self.store.put("bodies", schemas.told(self.own_body.earlier))

    def counted(self, episodes: Sequence[Episode]) -> Array:
        """Which of ``episodes`` [n] are counted in a gist."""
        days = {situation: int(gist.day[0]) for situation, gist in self.gists.items()}
        return np.array([episode.day <= days.get(episode.situation, -1) for episode in episodes], bool)

    def reliance(self, situation: Array) -> Array:
        """How far search can be relied on in each situation [B], in [0, 1]; 1 where nothing was given up."""
        return np.array([self.relied.get(int(number), 1.0) for number in situation])

    def world(self, situation: int) -> World:
        """What is known of a situation; nothing of a new one."""
        return self.worlds[situation] if situation < len(self.worlds) else self._blank(len(self.worlds))

    def enter(self, situation: int) -> World:
        """The same, to be filled."""
        while situation >= len(self.worlds):
            self.worlds.append(self._blank(len(self.worlds)))
            self._recall_gist(len(self.worlds) - 1)
        return self.worlds[situation]

    def renew(self, situation: int) -> None:
        """Forget what is known of a situation; of the agent's body in it nothing is forgotten."""
        world = self.enter(situation)
        world.interactions.clear()
        world.events.clear()
        world.ripening = Ripening()
        world.shows, world.walked = np.zeros_like(world.shows), {}
        self.own_body.news()
        self._recall_gist(situation)

    def _recall_gist(self, situation: int) -> None:
        if situation in self.gists:
            self.worlds[situation].remember(self.gists[situation])
            self.own_body.news()

    def _blank(self, situation: int) -> World:
        before = self.worlds[:situation]
        lore = before[0].interactions.lore if before else None
        interactions = Interactions(self.codebook, self.levels, self.change, lore)
        events = Events(self.change, [world.events for world in before])
        naming = Naming(self.codebook, self.naming, self.channels)
        return World(interactions, events, naming, np.zeros((2, len(self.own_body.rest))))

    # What it answers by day

    def recognise(self, codes: Array, latent: Array, first: Array, situation: Array) -> Array:
        """The situation [B] of each body; ``situation`` [B], that of the step before, is kept within an episode."""
        if not first.any():
            return situation
        rows, situation = np.flatnonzero(first), np.array(situation)
        cells = codes[rows][:, self.grid]
        missing = self.own_body.missing(cells, len(self.situations))
        free = max(len(self.worlds), *(1 + number for number in self.relied), 0)  # all rows of one may be given up
        situation[rows] = self.situations.recognise(latent[rows], cells, missing, free)
        return situation

    def familiar(self, situation: Array) -> Array:
        """Whether each situation [B] was lived in before today, so that a night could learn of it. Without a memory
        nothing says otherwise."""
        if self.capacity == 0:
            return np.ones(len(situation), bool)
        return np.array([self._old(int(number)) for number in situation], bool)

    def _old(self, situation: int) -> bool:
        first = self.worlds[situation].episodes[:1] if situation < len(self.worlds) else []
        return bool(first) and self.store.read(first[0]).day < self.day

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
        bodies: Array,
    ) -> list[int]:
        """Take in one step of ``bodies`` [B], each in its ``situation`` [B]; ``codes`` [B, N] before and after are what
        was seen, noise and all. Returns the situations whose body schema changed, so that what is known of them has to
        be learned anew."""
        if self.capacity == 0:
            return []
        while len(self.unfinished) <= bodies.max(initial=-1):
            self.unfinished.append(Unfinished())
        rows, valid = _where(outcome.valid), np.flatnonzero(outcome.valid).tolist()
        parts = [self.unfinished[bodies[b]] for b in valid]
        began = [self.moments.next(self.day, int(bodies[b])) for b in valid]
        when = [(at + len(part.action) * STEP, at) for part, at in zip(parts, began, strict=True)]
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
        for b, part in zip(valid, parts, strict=True):
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
                self._finish(int(bodies[b]), codes[1][b], *end)
        for number in set(situation[rows].tolist()):
            self.enter(number)
        return self.own_body.observe(situation[rows], codes[0][rows], codes[1][rows], action[rows])

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
        counted: Array | None = None,
    ) -> Array | None:
        """Count what one step of n bodies taught, and ``when`` [n, 2] it was and its episode began: the scenes that
        followed, the interactions, the events, but of those that are ``counted`` [n] in a gist. Returns as
        `learn_worlds`."""
        entries = self.scenes.enter(before.code, before.codes, latent)
        followed = self.scenes.enter(after.code, after.codes, latent_after)
        self.scenes.learn(entries, action, reward, terminated, followed)
        if counted is not None and counted.any():
            self._hear(before, situation)  # a gist holds no sentences
            rows = np.flatnonzero(~counted)
            before, after, situation, action = take(before, rows), take(after, rows), situation[rows], action[rows]
            reward, terminated, when = reward[rows], terminated[rows], when[rows]
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
        self._hear(before, situation)
        news = np.zeros(len(action), bool)
        for number in sorted(set(situation.tolist())):
            rows = _where(situation == number)
            world, motions = self.enter(number), self.own_body.motions(number)
            other = before.codes[rows][:, self.own_body.rest] != after.codes[rows][:, self.own_body.rest]
            places = take(before.place, rows), take(after.place, rows)
            came = reward[rows], terminated[rows], when[rows]
            if other.any():
                self.own_body.news()
            news[rows] = world.learn(motions, number, *places, other, action[rows], *came)
        return news

    def _hear(self, before: State, situation: Array) -> None:
        """Remember which sentences missions are, where they are taken to name things."""
        if self.naming and before.place is not None:
            for number in set(situation.tolist()):
                rows, naming = _where(situation == number), self.enter(number).naming
                naming.hear(before.place.mission[rows], before.codes[rows][:, self.words])

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

    def recollect(self) -> None:
        """Find the body schemas anew, from the first rows that are kept."""
        kept = [self.store.read(number) for number in self.store.episodes()] if self.capacity else []
        for episode in kept:
            self.enter(episode.situation)
        self.own_body.recollect(kept)

    def credit(self, episode: Episode, number: int, code: Array) -> None:
        """What the actions of memory ``number`` led to; ``code`` [T] of its scenes."""
        returns = np.zeros(len(episode.action), np.float32)
        later = 0.0
        for t in range(len(returns) - 1, -1, -1):
            later = float(episode.reward[t]) + self.discount * later
            returns[t] = later
        self.scenes.credit(code, episode.action.astype(np.int64), returns, number)
        self.enter(episode.situation).episodes.append(number)


def _where(chosen: Array) -> Array | slice:
    """The index of what is ``chosen`` [B]; a slice where all are, since a slice copies nothing."""
    return slice(None) if chosen.all() else np.flatnonzero(chosen)
