"""What a night did with which memories, kept to be looked at: what was replayed, how often, and what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cortex.agent import Agent
from cortex.curriculum import Lessons
from cortex.frames import Frames
from cortex.look import shorts
from cortex.record import Record
from cortex.types import Array, Episode, take

EXAMPLES = 24
"""States whose habit is shown before and after."""
REPLAYED = 300
"""Memories of which is told how often they were replayed: those that were most."""
ORDER = 120
"""Replays shown in their order, the first of the night."""


class NightWatcher:
    """Looks at one night, and changes nothing in it."""

    def __init__(self, record: Record, day: int) -> None:
        self.record, self.day = record, day
        self.drawn: list[Array] = []  # rows of the lessons that were learned from, in their order
        self.lessons: Lessons | None = None

    def chose(self, agent: Agent, episodes: Sequence[Episode], lessons: Lessons) -> None:
        """Look at what is to be learned, before anything is."""
        self.lessons, self.episodes, self.numbers = lessons, episodes, agent.hippocampus.store.episodes()
        real = np.flatnonzero(lessons.found & ~lessons.dreamed & ~lessons.probe)
        picked = real[np.unique(np.linspace(0, max(0, len(real) - 1), min(len(real), EXAMPLES)).astype(int))]
        self.shown = picked
        self.before = self._prior(agent)

    def woke(self, agent: Agent, report: dict[str, Any]) -> None:
        """Write what the night did."""
        if self.lessons is None:
            return
        frames, codes = Frames(agent.senses, agent.codebook), set[int]()
        lessons, after = self.lessons, self._prior(agent)
        counts = self._counts()
        examples = []
        for row, old, new in zip(self.shown, self.before, after, strict=True):
            episode = self.episodes[int(lessons.episode[row])]
            seen = episode.codes[int(lessons.t[row])]
            view = frames.view(seen)
            codes |= set(view)
            examples.append(
                {"view": view, "beside": frames.beside(seen), "task": episode.environment, "times": int(counts[row])}
                | {"day": episode.day, "memory": self.numbers[int(lessons.episode[row])], "t": int(lessons.t[row])}
                | {"before": shorts(old), "after": shorts(new), "search": shorts(lessons.targets[row])}
                | {"best": np.flatnonzero(lessons.best[row]).tolist()}
            )
        names = ("updates", "chosen", "known", "agreement_before", "agreement_after", "rolled_back", "losses")
        told = {name: report[name] for name in names}
        self.record.write(
            frames, "night", codes, day=self.day, **told, dreamed=int(lessons.dreamed.sum()),
            replays=int(counts.sum()), groups=self._groups(counts), memories=self._memories(counts),
            order=self._order(), examples=examples,
        )  # fmt: skip

    def _prior(self, agent: Agent) -> Array:
        assert self.lessons is not None
        return agent.habit(take(self.lessons.scene, self.shown)).prior if len(self.shown) else np.zeros((0, 1))

    def _counts(self) -> Array:
        """How often each lesson was learned from."""
        assert self.lessons is not None
        length = len(self.lessons.found)
        learned = np.flatnonzero(self.lessons.found & ~self.lessons.probe)
        if not self.drawn:
            return np.zeros(length, np.int64)
        return np.bincount(learned[np.concatenate(self.drawn)], minlength=length)

    def _groups(self, counts: Array) -> list[dict[str, Any]]:
        """By the day, task and situation in which they were lived: lessons, dreams among them, replays."""
        assert self.lessons is not None
        found: dict[tuple[int, int, int], list[int]] = {}
        for row, index in enumerate(self.lessons.episode.tolist()):
            e = self.episodes[index]
            group = found.setdefault((e.day, e.environment, e.situation), [0, 0, 0])
            group[0] += 1
            group[1] += int(self.lessons.dreamed[row])
            group[2] += int(counts[row])
        keys = ("day", "task", "situation", "lessons", "dreamed", "replays")
        return [dict(zip(keys, (*key, *group), strict=True)) for key, group in sorted(found.items())]

    def _memories(self, counts: Array) -> list[list[int]]:
        """Memory, its day, task, situation, length, lessons and replays: those that were replayed most."""
        assert self.lessons is not None
        lessons = np.bincount(self.lessons.episode, minlength=len(self.episodes))
        replays = np.bincount(self.lessons.episode, counts, len(self.episodes)).astype(np.int64)
        rows = np.lexsort((np.arange(len(replays)), -replays))[:REPLAYED]
        told = []
        for row in rows[lessons[rows] > 0].tolist():
            e = self.episodes[row]
            place = [self.numbers[row], e.day, e.environment, e.situation, len(e.action)]
            told.append([*place, int(lessons[row]), int(replays[row])])
        return told

    def _order(self) -> list[list[int]]:
        """The first replays: memory, step, day, task, and whether it was dreamed on from there."""
        assert self.lessons is not None
        if not self.drawn:
            return []
        learned = np.flatnonzero(self.lessons.found & ~self.lessons.probe)
        rows = learned[np.concatenate(self.drawn[: 1 + ORDER // len(self.drawn[0])])[:ORDER]]
        found = []
        for row in rows.tolist():
            index = int(self.lessons.episode[row])
            e = self.episodes[index]
            place = [self.numbers[index], int(self.lessons.t[row]), e.day, e.environment]
            found.append([*place, int(self.lessons.dreamed[row])])
        return found
