"""The life that every learner can live: games by day, a night, and the next morning an exam on all games so far.

``run`` lives it and tells what happened as plain events; `cortex.measure.scores` makes figures of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from gymnasium.vector import VectorEnv

from cortex.journal import Journal
from cortex.store import Lease, files
from cortex.types import CortexError

Bodies = VectorEnv[Any, Any, Any]
Event = dict[str, Any]

EVENTS, BOUNDARY = "events.jsonl", "boundary.json"
PURPOSES = {"waking": 0, "exam": 1, "night": 2}
"""What randomness is for -> its number in the seed sequence."""

_NUMBERED = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Played:
    """One finished episode."""

    steps: int  # environment actions of all bodies in this game so far, when the episode ended
    length: int
    reward: float  # undiscounted return
    success: bool
    searched: float = 0.0  # share of its decisions that search made


@dataclass(frozen=True, slots=True)
class Cost:
    """What a life has used up to now."""

    updates: int  # gradient (or other weight) updates so far in this life
    bytes_memory: int  # memory that is not weights: replay buffers, tables, rows
    bytes_weights: int


class Learner(Protocol):
    """Whoever lives: our agent or a peer. Bodies are gymnasium vectors in NEXT_STEP mode, whose fake steps are none."""

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        """Waking: ``steps`` actions of all bodies in one game, learning as it may. Returns actions lived."""
        ...

    def sleep(self, seed: int) -> None:
        """The night: no environment."""
        ...

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act only; nothing is learned. Every body has the same quota of episodes, or one less.

        ``habit``: everything but the weights cleared, search off.
        """
        ...

    def clear(self) -> None:
        """Empty the memory (not the weights)."""
        ...

    def cost(self) -> Cost:
        """What was used so far; equal before a ``save`` and after its ``load``."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that decides what comes next into ``folder``, which is empty."""
        ...

    def load(self, folder: Path) -> None:
        """Into a freshly made learner of the same spaces and seed; nothing that is read may run."""
        ...


@dataclass(frozen=True)
class Task:
    """A game of a life."""

    name: str
    make: Callable[[int, str], Bodies]  # (bodies, part) -> vector; part "day" or "exam" (fresh layouts)
    floor: float  # J0: mean return of the best constant action distribution
    ceiling: float  # J*: mean return of the solver
    h: float | None = None  # a reference learner's actions to its first win
    areas: Callable[[int], tuple[float, float]] | None = None
    """Budget of actions -> areas under the curve of (random, reference learner)."""
    by: Literal["reward", "success"] = "reward"
    """What J is the mean of: returns, or wins where returns of different games cannot be compared."""


Probe = Callable[[Learner, int, str], Mapping[str, Any]]


def run(
    learner: Learner,
    days: Sequence[Sequence[Task]],
    steps: int,
    exam: int,
    seed: int,
    folder: Path | None = None,
    *,
    clear_between_games: bool = False,
    nights: bool = True,
    bodies: int = 1,
    exam_bodies: int = 32,
    probe: Probe | None = None,
    about: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> list[Event]:
    """Live ``days`` lists of games, ``steps`` actions a game; return the events of the whole life.

    ``learner`` is freshly made. After its games each day has an exam of them ("evening"), a night, and an exam of all
    games so far ("morning"), each once with everything ("whole") and once by the weights alone ("habit"), ``exam``
    episodes a game; both exams of a day are on the same layouts. ``nights`` False, ``exam`` 0: the waking part alone.
    ``clear_between_games``: the memory is emptied before each game. ``probe(learner, day, when)`` may measure more, at
    evening and morning; it must not change the learner. ``about``: facts that belong to the first event.

    With a ``folder`` events go to events.jsonl there, and a life that was killed goes on behind the last game, night or
    exam that it finished, at which the learner was saved. Equal seeds give equal events, interrupted or not, but for
    ``cpu_seconds``. Raises CortexError for games without a score and for a folder that holds another life.
    """
    life = _Life(learner, days, steps, exam, seed, clear_between_games, nights, bodies, exam_bodies, probe)
    with ExitStack() as stack:
        diary = stack.enter_context(_Diary(folder, on_event))
        diary.begin(learner, {"event": "life", **dict(about or {}), **life.facts()})
        for number, part in enumerate(life.parts(), 1):
            if number > diary.done:
                for event in part():
                    diary.write(event)
                diary.boundary(learner, number)
    return diary.events


@dataclass(frozen=True)
class _Life:
    """The parts of one life, each a generator of events."""

    learner: Learner
    days: Sequence[Sequence[Task]]
    steps: int
    exam: int
    seed: int
    clear_between_games: bool
    nights: bool
    bodies: int
    exam_bodies: int
    probe: Probe | None

    def facts(self) -> dict[str, Any]:
        """What makes this life another than others, and what its scores need. Raises CortexError for unfit games."""
        if self.steps < 1 or not any(self.days):
            raise CortexError("a life needs games and at least 1 step for each; give days=[[task]] and steps=2000")
        told = []
        for game, (day, task) in enumerate(self._games()):
            if not task.ceiling > task.floor:
                raise CortexError(
                    f"{task.name} has the floor {task.floor:g} and the ceiling {task.ceiling:g}, which leave no "
                    "score; take a game that a solver plays better than constant actions do"
                )
            areas = task.areas(self.steps) if task.areas else (None, None)
            told.append(
                {"game": game, "day": day, "name": task.name, "floor": task.floor, "ceiling": task.ceiling}
                | {"h": task.h, "by": task.by, "area_random": areas[0], "area_reference": areas[1]}
            )
        names = ("seed", "steps", "exam", "bodies", "exam_bodies", "clear_between_games", "nights")
        return {name: getattr(self, name) for name in names} | {"games": told}

    def parts(self) -> Iterator[Callable[[], Iterator[Event]]]:
        """Every waking, night and exam in their order; the life may be left and entered between them."""
        games, done = self._games(), 0
        for day, tasks in enumerate(self.days, 1):
            today = range(done, done + len(tasks))
            done += len(tasks)
            for game in today:
                yield partial(self._waking, day, game, games[game][1])
            for when, which in (("evening", today), ("morning", range(done))):
                if when == "morning" and self.nights:
                    yield partial(self._night, day)
                if self.exam and (when == "evening" or self.nights):
                    for arm in ("whole", "habit"):
                        yield partial(self._exam, day, when, arm, which)
                if self.probe:
                    yield partial(self._probe, day, when)

    def _waking(self, day: int, game: int, task: Task) -> Iterator[Event]:
        if self.clear_between_games and game:
            self.learner.clear()
        place = {"day": day, "game": game}
        episodes: list[Event] = []

        def see(played: Played) -> None:
            episodes.append({"event": "episode", **place, **_plain(played)})

        began = time.process_time()
        with closing(task.make(self.bodies, "day")) as vector:
            lived = self.learner.live(vector, self.steps, self._seed(day, game, "waking"), see)
        yield from episodes
        yield {"event": "waking", **place, "lived": int(lived), **self._cost(began)}

    def _night(self, day: int) -> Iterator[Event]:
        began = time.process_time()
        self.learner.sleep(self._seed(day, 0, "night"))
        yield {"event": "night", "day": day, **self._cost(began)}

    def _exam(self, day: int, when: str, arm: str, which: Sequence[int]) -> Iterator[Event]:
        for game in which:
            began = time.process_time()
            task = self._games()[game][1]
            with closing(task.make(min(self.exam_bodies, self.exam), "exam")) as vector:
                played = self.learner.play(vector, self.exam, self._seed(day, game, "exam"), habit=arm == "habit")
            if not played:
                raise CortexError(f"no episode was played in the exam of {task.name}; play must return {self.exam}")
            length = [int(episode.length) for episode in played]
            yield {
                **{"event": "exam", "day": day, "when": when, "arm": arm, "game": game, "episodes": len(played)},
                "reward": float(np.mean([episode.reward for episode in played])),
                "success": float(np.mean([episode.success for episode in played])),
                "decisions": sum(length),
                "searched": float(np.average([episode.searched for episode in played], weights=length)),
                "cpu_seconds": time.process_time() - began,
            }

    def _probe(self, day: int, when: str) -> Iterator[Event]:
        assert self.probe is not None
        yield {"event": "probe", "day": day, "when": when, **self.probe(self.learner, day, when)}

    def _games(self) -> list[tuple[int, Task]]:
        return [(day, task) for day, tasks in enumerate(self.days, 1) for task in tasks]

    def _seed(self, day: int, game: int, purpose: str) -> int:
        return int(np.random.SeedSequence([self.seed, day, game, PURPOSES[purpose]]).generate_state(1)[0])

    def _cost(self, began: float) -> dict[str, Any]:
        seconds, cost = time.process_time() - began, self.learner.cost()
        told = {name: int(getattr(cost, name)) for name in ("updates", "bytes_memory", "bytes_weights")}
        return {**told, "cpu_seconds": seconds}


class _Diary:
    """The events of a life, on disk where there is a folder, and how many of its parts are done."""

    def __init__(self, folder: Path | None, on_event: Callable[[Event], object] | None) -> None:
        self.folder, self.on_event = None if folder is None else Path(folder), on_event
        self.events: list[Event] = []
        self.done = 0
        self._stack = ExitStack()
        self._journal: Journal | None = None

    def __enter__(self) -> _Diary:
        if self.folder is not None:
            self._stack.enter_context(Lease(self.folder))
            self._journal = Journal(self.folder / EVENTS)
            self._stack.callback(self._journal.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, learner: Learner, first: Event) -> None:
        """Open a new life with its first event, or go on with the one in the folder."""
        if self.folder is None or self._journal is None:
            self.write(first)
            return
        first = json.loads(json.dumps(first, default=float))  # as it would be read again: tuples are lists
        numbers = sorted(name for name in os.listdir(self.folder) if _NUMBERED.fullmatch(name))
        if not numbers:
            self._journal.cut(0, lambda _: False)
            self.write(first)
            return
        self._resume(self.folder / numbers[-1], learner, first)

    def _resume(self, newest: Path, learner: Learner, first: Event) -> None:
        assert self.folder is not None and self._journal is not None
        try:
            told = json.loads(files.read(newest / BOUNDARY, 1 << 16))
            done, size = int(told["done"]), int(told["size"])
            lines = (self.folder / EVENTS).read_bytes()[:size].splitlines()
            self.events = [json.loads(line) for line in lines]
            began = self.events[0]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise CortexError(f"{newest} and {EVENTS} tell no life ({error}); restore both from a backup") from error
        wrong = [key for key in {**began, **first} if began.get(key) != first.get(key)]
        if wrong:
            raise CortexError(f"the life in {self.folder} was begun with another {wrong[0]}; choose another folder")
        learner.load(newest / "learner")
        self._journal.cut(size, lambda _: False)
        self.done = done

    def write(self, event: Event) -> None:
        """Put down one event."""
        self.events.append(event)
        if self._journal is not None:
            self._journal.write(**event)
        if self.on_event is not None:
            self.on_event(event)

    def boundary(self, learner: Learner, number: int) -> None:
        """Save the learner behind part ``number``: in a folder that appears by one rename, whole."""
        if self.folder is None or self._journal is None:
            return
        size, fresh, final = self._journal.sync(), self.folder / ".partial", self.folder / f"{number:06d}"
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            (fresh / "learner").mkdir(parents=True)
            learner.save(fresh / "learner")
            files.write(fresh / BOUNDARY, json.dumps({"done": number, "size": size}).encode())
            _sync(fresh)
            os.rename(fresh, final)
            files.sync(self.folder)
        except OSError as error:
            raise CortexError(
                f"cannot save in {self.folder} ({error.strerror}); make space and begin again, what was saved is kept"
            ) from error
        for name in os.listdir(self.folder):
            if _NUMBERED.fullmatch(name) and name < final.name and (self.folder / name / BOUNDARY).is_file():
                shutil.rmtree(self.folder / name, ignore_errors=True)


def _plain(played: Played) -> dict[str, Any]:
    return {
        "steps": int(played.steps),
        "length": int(played.length),
        "reward": float(played.reward),
        "success": bool(played.success),
        "searched": float(played.searched),
    }


def _sync(folder: Path) -> None:
    """Wait until the disk has all files below ``folder``, and their names."""
    for where, _, names in os.walk(folder):
        for name in names:
            handle = os.open(Path(where, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        files.sync(Path(where))
