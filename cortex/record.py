"""What is kept of a life to be looked at: chosen episodes step by step, and the nights. It only looks.

FOLDER/watch.jsonl holds a line for each episode that was watched and each night, appended when it is over. One body is
watched. An episode is, if no more of its day's share of steps is spent when it begins than the day is over; of one
that outlasts the share the last steps stay. So the whole is bounded and spread evenly over days and tasks, and what is
chosen follows from the settings and the life alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex.agent import Agent, Trace
from cortex.frames import Frames
from cortex.journal import Journal
from cortex.look import Look, short
from cortex.types import UNSEEN, Array, Outcome

BODY = 0
"""The body that is watched."""


class Record:
    """watch.jsonl of a life's folder."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "watch.jsonl")
        self.told: set[int] = set()  # codes of which a line says what they look like
        self.spent: Counter[tuple[int, int]] = Counter()  # steps watched, by day and task

    def begin(self, **facts: Any) -> None:
        """The first line: what a reader must know of the life."""
        self.journal.cut(0, lambda _: False)
        self.journal.write("watch", **facts)

    def resume(self, size: int, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Go on behind the first ``size`` bytes and the lines after them that ``keep`` wants."""
        self.journal.cut(size, keep)
        for line in self.journal.cut(0, lambda _: True):
            self._note(line)

    def write(self, frames: Frames, event: str, codes: set[int], **values: Any) -> None:
        """Add a line, and what the ``codes`` in it look like if no line before has told it."""
        line = {**values, "cells": frames.cells(sorted(codes - self.told - {UNSEEN}))}
        self._note({"event": event, **line})
        self.journal.write(event, **line)

    def _note(self, line: dict[str, Any]) -> None:
        self.told |= {int(code) for code in line.get("cells", {}) if str(code).isdecimal()}
        if line["event"] == "episode":
            self.spent[line["day"], line["task"]] += len(line["steps"])


@dataclass
class _Episode:
    """One that is watched."""

    facts: dict[str, Any]
    look: Look
    steps: deque[dict[str, Any]]
    now: dict[str, Any] | None = None  # the step of which nothing has come yet
    count: int = 0
    reward: float = field(default=0.0)


class Watcher:
    """Looks at one day in one task: at most ``room`` of its ``steps``, of which ``lived`` are over. ``world``: the
    environment of the body that is watched, for its words."""

    def __init__(
        self, record: Record, agent: Agent, day: int, task: int, room: int, steps: int, lived: int, world: Any = None
    ) -> None:
        self.record, self.agent, self.day, self.task, self.world = record, agent, day, task, world
        self.room, self.steps, self.before, self.lived = room, steps, lived, lived
        self.frames = Frames(agent.senses, agent.codebook)
        self.begins = True
        self.episode: _Episode | None = None

    def decided(self, trace: Trace, action: Array) -> None:
        """Look at a decision before anything comes of it."""
        trace = next(part for part in trace.parts if BODY in part.bodies)
        if self.begins:
            self.begins, self.episode = False, self._open(int(trace.situation[BODY]))
        if self.episode is not None:
            self.episode.now = self.episode.look(trace, int(action[BODY]))

    def came(self, outcome: Outcome, total: int) -> None:
        """What came of it, after it was remembered; ``total``: steps since the first that was looked at."""
        self.lived, episode = self.before + total, self.episode
        if not outcome.valid[BODY]:  # it is put back to a beginning
            self.begins, self.episode = True, None
        elif episode is not None and episode.now is not None:
            reward = float(outcome.reward[BODY])
            if reward:
                episode.now["reward"] = short(reward)
            episode.steps.append(episode.now)
            episode.count, episode.reward, episode.now = episode.count + 1, episode.reward + reward, None
            if outcome.done[BODY]:
                self.end(bool(outcome.terminated[BODY]), bool(outcome.success[BODY]))

    def end(self, terminated: bool = False, success: bool = False) -> None:
        """The episode is over, or the day is."""
        episode, self.episode = self.episode, None
        if episode is None or not episode.steps:
            return
        number, first = self._number(), episode.count - len(episode.steps)
        if number is not None:
            for step, salience in zip(episode.steps, self.agent.hippocampus.store.read(number).salience[first:]):
                step["salience"] = short(salience)
        place = {"day": self.day, "task": self.task, "lived": self.lived, "memory": number, **episode.facts}
        told = {"terminated": terminated, "success": success, "return": short(episode.reward), "length": episode.count}
        steps = {"first": first, "steps": list(episode.steps)}
        self.record.write(self.frames, "episode", episode.look.codes, **place, **told, **steps)

    def _open(self, situation: int) -> _Episode | None:
        """An episode begins: is it watched?"""
        spent = self.record.spent[self.day, self.task]
        if spent >= self.room or spent > self.room * self.lived / self.steps:
            return None
        facing = self.agent.imagination.motions(situation).facing.tolist()
        facts = {"situation": situation, "facing": facing}
        return _Episode(
            facts, Look(self.agent, self.frames, BODY, situation, self.world), deque(maxlen=self.room - spent)
        )

    def _number(self) -> int | None:
        """Which memory the episode has become."""
        store = self.agent.hippocampus.store
        return next((n for n in reversed(store.episodes()) if store.read(n).body == BODY), None)
