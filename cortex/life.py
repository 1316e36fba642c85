"""A life: days and nights over environments, kept in a folder. The same call goes on where it stopped.

    FOLDER/config.yaml       every setting of the life
    FOLDER/memory.sqlite     rows: what was lived
    FOLDER/checkpoints/      weights and place in the life, one generation at each boundary
    FOLDER/metrics.jsonl     what happened
    FOLDER/watch.jsonl       some of it step by step, where life.watch is not 0

A day writes rows, and a night weights. At each boundary everything else is computed from the rows again, whether the
life goes on or is taken up there: so an interruption at a boundary changes nothing, and one within a day only cuts the
episodes short that were open.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex import __version__, keep
from cortex.agent import Agent
from cortex.binding import taught
from cortex.build import build
from cortex.config import Config, ConfigError, differing, from_yaml
from cortex.day import Bodies, Ended, live_day
from cortex.envs.layouts import HeldOutLayouts, Part
from cortex.envs.make import make_env, make_vector
from cortex.frames import drawing
from cortex.journal import Journal
from cortex.language import world_of
from cortex.looks import look
from cortex.measure.constant import best_constant
from cortex.measure.exam import examine
from cortex.record import BODY, Record, Watcher
from cortex.record_night import NightWatcher
from cortex.store import Lease, checkpoint, digest
from cortex.types import CortexError
from cortex.view import View

if TYPE_CHECKING:
    from rich.console import Console

PHASES = ("day", "evening", "night", "morning")
"""The parts of a day, in their order; each begins at a checkpoint."""

CONSTANT_EPISODES = 400
"""Episodes from which the constant floor is found."""

RECENT = 50
"""Episodes behind the score in the live view."""


def live(config: Config, console: Console | None = None) -> Path:
    """Live the life of ``config`` in its folder, or go on with it; returns the folder, for `cortex.report`.

    ``console``: where progress is shown, stderr without. Ctrl-C stops at the next step and loses nothing. Raises
    CortexError for a folder lived under another config, tasks of different spaces, and whatever the environments lack.
    """
    folder, tasks = Path(config.folder), config.life.tasks
    if tasks:
        with contextlib.closing(make_vector(tasks[0], 1, config.seed, held_out=0)) as bodies:
            config = look(config, bodies)
    with Lease(folder):
        _own(folder, config)
        with contextlib.ExitStack() as stack:
            life = stack.enter_context(contextlib.closing(_Life(config, folder, View(console))))
            stack.enter_context(_interruptible(life))
            stack.enter_context(life.view)
            life.go_on()
    return folder


class _Life:
    """One run of the life in ``folder``."""

    def __init__(self, config: Config, folder: Path, view: View) -> None:
        self.config, self.folder, self.view = config, folder, view
        self.stopped = False
        spaces = _shared_spaces(config)
        self.rows = keep.rows_in(folder)
        self.agent = build(config, *spaces, rows=self.rows)
        self.journal = Journal(folder / "metrics.jsonl")
        self.record = Record(folder) if config.life.watch else None
        self.day, self.phase, self.total = 1, PHASES[0], 0
        self.lived: dict[int, int] = {}  # steps of the tasks that are done today
        if (folder / "checkpoints").is_dir():
            self._resume()
        else:
            self.journal.cut(0, lambda _: False)
            life = config.life
            facts = {"tasks": life.tasks, "days": life.days, "seed": config.seed, "bodies": life.bodies}
            self.journal.write("life", **facts, steps=life.steps, version=__version__)
            if self.record is not None:
                bound = {"encoder": config.multimodal.encoder, "taught": taught(self.agent.senses)}
                drawn = drawing(life.tasks, self.agent.senses, self.agent.codebook, self.agent.motor.codec)
                self.record.begin(version=__version__, width=config.multimodal.width, **bound, **drawn)
            self._boundary(1, PHASES[0])

    def go_on(self) -> None:
        """Live to the end."""
        if self.phase == "over":
            self.view.end(f"{self.folder}: this life of {self.config.life.days} days is over")
        while self.phase != "over":
            {
                "day": self._live,
                "evening": self._evening,
                "night": self._sleep,
                "morning": self._morning,
                "controls": self._controls,
            }[self.phase]()

    def close(self) -> None:
        """Keep what is unfinished, and close the files."""
        try:
            self.agent.hippocampus.flush()
        finally:
            self.rows.close()
            self.journal.sync()
            self.journal.close()
            if self.record is not None:
                self.record.journal.close()

    # The parts of a day

    def _live(self) -> None:
        """Every task for its steps. Weights stay; rows grow."""
        for task, name in enumerate(self.config.life.tasks):
            if task not in self.lived:
                self._live_task(task, name)
        self.lived = {}
        self._boundary(self.day, "evening")

    def _live_task(self, task: int, name: str) -> None:
        memory, steps = self.agent.hippocampus, self.config.life.steps
        memory.day, memory.environment = self.day, task
        before, base, began = self.rows.count(self.day, task), self.total, time.perf_counter()
        morning = digest(self.agent.weights())
        recent: deque[bool] = deque(maxlen=RECENT)
        title = f"day {self.day}  {name}"

        def see(total: int, finished: list[Ended]) -> None:
            for episode in finished:
                if episode.fault:
                    self.journal.write("fault", day=self.day, task=task, sentence=episode.fault)
                    continue
                recent.append(episode.success)
                told = {"steps": episode.steps, "return": episode.reward, "success": episode.success}
                place = {"day": self.day, "task": task, "total": base + before + episode.total}
                self.journal.write("episode", **place, **told, searched=episode.searched)
            speed = total / (time.perf_counter() - began)
            won = f"{np.mean(recent):.0%} won" if recent else "no episode yet"
            self.view.move(before + total, f"{won}  {self.rows.steps} memories  {speed:.0f} steps/s")
            self._check()

        self.view.begin(title, steps, before)
        lived = 0
        if before < steps:
            seeds = self._seeds("day", task, before)
            bodies = self._bodies(name, self.config.life.bodies, "day")
            watcher = self._watcher(task, before, world_of(bodies, BODY))
            generator = np.random.default_rng(seeds)
            lived = live_day(self.agent, bodies, steps - before, _seed(seeds), generator, see, watcher)
            bodies.close()
        seconds = time.perf_counter() - began
        self.total = base + before + lived
        self.journal.write(
            "day",
            **{"day": self.day, "task": task, "steps": before + lived, "seconds": seconds, "speed": lived / seconds},
            **{"memories": self.rows.steps, "situations": len(memory.situations)},
            interactions=sum(len(world.interactions) for world in memory.worlds),
            morning=morning,
            evening=digest(self.agent.weights()),
        )
        won = f"{np.mean(recent):.0%} of the last {len(recent)} won" if recent else "no episode ended"
        self.view.end(f"{title}: {before + lived} steps, {won}, {lived / seconds:.0f} steps/s")

    def _watcher(self, task: int, before: int, world: Any) -> Watcher | None:
        """Who looks at a day in a task, of which ``before`` steps are over; None where nobody does."""
        life = self.config.life
        room = life.watch // (life.days * len(life.tasks))
        if self.record is None:
            return None
        return Watcher(self.record, self.agent, self.day, task, room, life.steps, before, world)

    def _evening(self) -> None:
        """What the day brought, with memory and search, and what the weights alone could do before the night."""
        self._examine(self.agent, "evening", "whole")
        self._examine(self.agent.lesioned("hippocampus", "planner"), "evening", "habit")
        self._boundary(self.day, "night")

    def _sleep(self) -> None:
        """Rows become weights."""
        done = self._night(self.agent, f"night {self.day}", record=True)
        self.journal.write("night", day=self.day, **done)
        before, after = (done.get(f"agreement_{when}", 0.0) for when in ("before", "after"))
        agreement = (
            f"agreement with search {before:.0%} -> {after:.0%}{', rolled back' * bool(done.get('rolled_back'))}"
        )
        self.view.end(f"night {self.day}: {done.get('updates', 0)} updates, {agreement}")
        self._boundary(self.day, "morning")

    def _morning(self) -> None:
        """Forget what exceeds the capacity; what the night kept: the hippocampus cleared, the search off."""
        from cortex.sleep import prune

        if self.config.hippocampus.capacity:
            told = prune(self.agent, np.random.default_rng(self._seeds("night", 1)))
            self.journal.write("memory", day=self.day, **told)
        self._examine(self.agent.lesioned("hippocampus", "planner"), "morning", "habit")
        if self.day < self.config.life.days:
            self._boundary(self.day + 1, PHASES[0])
        else:
            self._boundary(self.day, "controls")

    def _controls(self) -> None:
        """What the same exam finds where nothing was learned, or nothing could be."""
        self._examine(self.agent.lesioned("hippocampus"), "morning", "cleared")
        if self.config.life.controls:
            newborn = build(self.config, self.agent.observation_space, self.agent.space, keep.twin(self.rows))
            self._examine(newborn.lesioned("hippocampus", "planner"), "morning", "no_night")
            newborn.hippocampus.day = self.day
            keep.hear(newborn)
            keep.awaken(newborn)
            self._night(newborn, "night on shuffled targets", shuffled=True)
            self._examine(newborn.lesioned("hippocampus", "planner"), "morning", "shuffled")
            for task, name in enumerate(self.config.life.tasks):
                self.view.begin(f"constant actions  {name}", 1)
                found, success = self._constant(name, task)
                self.journal.write("constant", task=task, success=success, distribution=found.tolist())
                self._check()
        self._boundary(self.day, "over")

    # What they share

    def _examine(self, agent: Agent, when: str, arm: str) -> None:
        """An exam of every task on layouts that no day has; the same ones for each arm of a day."""
        episodes = self.config.life.exam
        for task, name in enumerate(self.config.life.tasks if episodes else []):
            title = f"{when} {self.day}  exam {name} ({arm})"
            self.view.begin(title, episodes)

            def see(done: int) -> None:
                self.view.move(done)
                self._check()

            bodies = self._bodies(name, min(episodes, self.config.life.bodies), "exam")
            found = examine(agent, bodies, episodes, _seed(self._seeds("exam", task)), on_step=see)
            bodies.close()
            self.journal.write("exam", day=self.day, when=when, arm=arm, task=task, **asdict(found))
            self.view.end(f"{title}: {found.success:.0%} of {found.episodes} won")

    def _night(self, agent: Agent, title: str, record: bool = False, shuffled: bool = False) -> dict[str, Any]:
        from cortex.sleep import night

        def see(part: str, update: int, of: int, losses: dict[str, float]) -> None:
            if update == 0 or update == 1:
                self.view.begin(f"{title}  {part}", of)
            self.view.move(update, "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))
            if record and losses and update % max(1, of // 50) == 0:
                self.journal.write("night_update", day=self.day, part=part, update=update, losses=losses)
            self._check()

        watcher = NightWatcher(self.record, self.day) if record and self.record is not None else None
        return dict(night(agent, np.random.default_rng(self._seeds("night", 0)), see, shuffled, watcher))

    def _constant(self, name: str, task: int) -> tuple[Any, float]:
        share = self.config.life.held_out

        def make() -> Any:
            return HeldOutLayouts(make_env(name), "exam", share) if share else make_env(name)

        return best_constant(make, CONSTANT_EPISODES, np.random.default_rng(self._seeds("constant", task)))

    def _bodies(self, name: str, count: int, part: Part) -> Bodies:
        return make_vector(name, count, part=part, held_out=self.config.life.held_out)

    def _seeds(self, purpose: str, task: int, done: int = 0) -> np.random.SeedSequence:
        number = ("day", "exam", "night", "constant").index(purpose)
        return np.random.SeedSequence([self.config.seed, self.day, task, number, done])

    def _check(self) -> None:
        if self.stopped:
            raise KeyboardInterrupt

    # Boundaries

    def _boundary(self, day: int, phase: str) -> None:
        """The life may be left and entered here."""
        keep.awaken(self.agent)
        self.day, self.phase = day, phase
        self.agent.hippocampus.day = day
        told = self.journal.sync(), 0 if self.record is None else self.record.journal.sync()
        keep.save(self.agent, self.folder, phase=phase, total=self.total, metrics=told[0], watch=told[1])

    def _resume(self) -> None:
        """Enter at the last boundary. What was lived since stands in the rows and is kept; all else is done again."""
        found = checkpoint.load(self.folder)
        if found.warning:
            self.view.end(found.warning)
        keep.restore(self.agent, found)
        try:
            self.day, self.phase, self.total = (
                int(found.state["day"]),
                str(found.state["phase"]),
                int(found.state["total"]),
            )
            size, watched = int(found.state["metrics"]), int(found.state.get("watch", 0))
        except (KeyError, TypeError, ValueError) as error:
            raise CortexError(f"{found.path} holds no place in a life ({error}); restore it from a backup") from error
        today = {task: self.rows.count(self.day, task) for task in range(len(self.config.life.tasks))}
        reached = self.total + sum(today.values())

        def lived(event: dict[str, Any]) -> bool:
            waking = self.phase == "day" and event.get("event") in ("episode", "day", "fault")
            return waking and event.get("total", 0) <= reached

        for event in self.journal.cut(size, lived):
            if event["event"] == "day":
                self.lived[int(event["task"])] = int(event["steps"])
        self.total += sum(self.lived.values())
        if self.record is not None:
            self.record.resume(watched, lambda event: self._was_lived(event, today))

    def _was_lived(self, event: dict[str, Any], today: dict[int, int]) -> bool:
        """Whether the rows still hold what was recorded, of whose tasks ``today`` holds so many steps."""
        waking = self.phase == "day" and event.get("event") == "episode" and event.get("day") == self.day
        return waking and event.get("lived", 0) <= today.get(event.get("task", -1), 0)


def _own(folder: Path, config: Config) -> None:
    """Make the folder this life's, or see that it is. Raises CortexError where it is another's."""
    path = folder / keep.CONFIG
    if path.exists() and not any((folder / name).exists() for name in ("metrics.jsonl", "checkpoints")):
        keep.save_config(folder, config)  # nothing was lived under the settings that stand there: they did not work
        return
    if not path.exists():
        strange = [name for name in ("metrics.jsonl", keep.MEMORY, "checkpoints") if (folder / name).exists()]
        if strange:
            raise ConfigError(f"{folder} holds {strange[0]} but no {keep.CONFIG}; choose another folder")
        keep.save_config(folder, config)
        return
    key = differing(from_yaml(path), config)
    if key is not None:
        raise ConfigError(
            f"the life in {folder} was begun with another {key}; take the one in its {path.name}, or another folder="
        )


def _shared_spaces(config: Config) -> tuple[Any, Any]:
    """Observation and action space of all tasks. Raises CortexError where they differ."""
    from cortex.store.spaces import differs

    found: list[tuple[Any, Any]] = []
    for name in config.life.tasks:
        env = make_env(name)
        found.append((env.observation_space, env.action_space))
        env.close()
        wrong = differs(found[0][0], found[-1][0]) or differs(found[0][1], found[-1][1], "the action")
        if wrong:
            raise CortexError(
                f"the tasks of a life share their spaces, but in {name} {wrong} as in {config.life.tasks[0]}; "
                "live them in lives of their own"
            )
    return found[0]


def _seed(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1)[0])


@contextlib.contextmanager
def _interruptible(life: _Life) -> Iterator[None]:
    """Let the first Ctrl-C wait for the end of a step, so that no episode is torn; the second does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        if life.stopped:
            raise KeyboardInterrupt
        life.stopped = True

    before: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
