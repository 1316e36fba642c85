"""A run folder -> the story of a life, and the few figures that sum it up."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cortex.report.events import Constant, Day, Episode, Event, Exam, Life, Night, events
from cortex.types import CortexError

ROWS = {
    "evening": "In the evening, with memory and search",
    "morning_habit": "Next morning, memory cleared and search off",
    "no_night": "The same, without any night",
    "shuffled": "The same, after a night on shuffled targets",
    "constant": "By chance (the best fixed mix of actions)",
}
"""The five lines of the table, in the order in which they are read."""

MEASURABLE = 0.05
"""Below this evening score there is nothing to keep, and a ratio to it would be noise."""


@dataclass(frozen=True)
class Story:
    """Everything that a run folder tells, sorted by kind and in the order in which it happened."""

    name: str
    config: str
    happened: tuple[Event, ...]
    damaged: int  # lines that could not be read

    def all(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.happened if isinstance(event, kind)]

    @cached_property
    def life(self) -> Life:
        """The life's opening line, or an empty one where it is missing."""
        return next((event for event in self.happened if isinstance(event, Life)), Life())

    @cached_property
    def constants(self) -> dict[int, float]:
        """Task -> success of its best constant action distribution."""
        return {event.task: event.success for event in self.all(Constant)}

    @cached_property
    def tasks(self) -> list[int]:
        """The numbers of the life's tasks, those that only appear in events included."""
        seen = {event.task for kind in (Constant, Episode, Day, Exam) for event in self.all(kind)}
        return sorted(seen | set(range(len(self.life.tasks))))

    def title(self, task: int) -> str:
        """The task's full id."""
        return str(self.life.tasks[task]) if 0 <= task < len(self.life.tasks) else f"task {task}"

    def label(self, task: int) -> str:
        """The task's id without family and version, unless that would make two tasks one."""
        short = [re.sub(r"^(MiniGrid-|BabyAI-|cortex/)|-v\d+$", "", self.title(other)) for other in self.tasks]
        mine = short[self.tasks.index(task)]
        return mine if short.count(mine) == 1 and mine else self.title(task)

    @cached_property
    def exams(self) -> dict[tuple[int, str, str, int], Exam]:
        """(night, when, arm, task) -> exam; the night is the one that the evening precedes or the morning follows."""
        found: dict[tuple[int, str, str, int], Exam] = {}
        night, day = None, 0
        for event in self.happened:
            if isinstance(event, Night):
                night = event.day
            elif isinstance(event, Day):
                day = event.day
            elif isinstance(event, Exam):
                morning = night if night is not None else min(event.day, day)
                found[morning if event.when == "morning" else event.day, event.when, event.arm, event.task] = event
        return found

    @cached_property
    def night(self) -> int | None:
        """The last night with an exam of the habit behind it; ``None`` before there is one."""
        return max((night for night, when, arm, _ in self.exams if (when, arm) == ("morning", "habit")), default=None)

    def exam(self, night: int | None, when: str, arm: str, task: int) -> Exam | None:
        """One exam, if it was taken."""
        return self.exams.get((night if night is not None else -1, when, arm, task))

    @cached_property
    def own_steps(self) -> list[tuple[Episode, int]]:
        """Each episode with the environment steps spent on its own task so far."""
        spent: dict[int, int] = {}
        placed, seen, closed = [], 0, 0
        for event in self.happened:
            if isinstance(event, Episode | Day):
                closed += event.steps if isinstance(event, Day) else 0
                total = closed if isinstance(event, Day) else event.total
                spent[event.task] = spent.get(event.task, 0) + max(0, total - seen)
                seen = max(seen, total)
                if isinstance(event, Episode):
                    placed.append((event, spent[event.task]))
        return placed


def read(run: Path) -> Story:
    """Read a run folder; whatever is missing or damaged is left out.

    Raises CortexError if the folder holds no life.
    """
    run = Path(run)
    metrics, config = run / "metrics.jsonl", run / "config.yaml"
    try:
        lines = list(events(metrics))
        text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    except OSError as error:
        raise CortexError(
            f"{run} is no life: it holds no readable metrics.jsonl; give the folder that `cortex live` printed."
        ) from error
    happened = tuple(event for event in lines if event is not None)
    if not happened and not text:
        raise CortexError(
            f"{run} is no life: its metrics.jsonl tells nothing of one; give the folder that `cortex live` printed."
        )
    return Story(run.resolve().name, text, happened, len(lines) - len(happened))


def summary(run: Path) -> dict[str, Any]:
    """The figures of the table, from the last night that was examined, or from the last evening before there is one.

    ``tasks`` is a list with, for each task, ``id`` and the keys of ``ROWS``: {score, success, low, high, steps,
    episodes} or None where not measured (low, high: 95% Wilson interval of the success). ``kept`` is the mean habit
    score of the morning over the mean score of the evening, None where the evening holds nothing to keep.
    ``weights_unchanged`` is None while no day has ended. Raises CortexError if the folder holds no life.
    """
    return summarise(read(run))


def summarise(story: Story) -> dict[str, Any]:
    """``summary`` of a story that was read already."""
    evenings = [night for night, when, arm, _ in story.exams if (when, arm) == ("evening", "whole")]
    night = story.night if story.night is not None else max(evenings, default=None)
    tasks = [{"id": story.title(task), **_arms(story, night, task)} for task in story.tasks]
    days, nights = story.all(Day), story.all(Night)
    return {
        "run": story.name,
        "version": story.life.version,
        "seed": story.life.seed,
        "day": night,
        "nights": len({event.day for event in nights}),
        "steps": max([sum(event.steps for event in days), *(event.total for event in story.all(Episode))]),
        "seconds": round(sum(event.seconds for event in days + nights), 1),
        "tasks": tasks,
        **{f"{name}_score": _mean(tasks, name, "score") for name in ROWS},
        **{f"{name}_success": _mean(tasks, name, "success") for name in ROWS},
        "kept": kept(tasks),
        "weights_unchanged": all(event.unchanged for event in days) if days else None,
    }


def _arms(story: Story, night: int | None, task: int) -> dict[str, dict[str, Any] | None]:
    def either(arm: str) -> Exam | None:
        return story.exam(night, "morning", arm, task) or story.exam(night, "evening", arm, task)

    chance = story.constants.get(task)
    taken = {
        "evening": story.exam(night, "evening", "whole", task),
        "morning_habit": story.exam(night, "morning", "habit", task),
        "no_night": either("no_night"),
        "shuffled": either("shuffled"),
    }
    rows = {name: figures(exam, chance) if exam else None for name, exam in taken.items()}
    fixed = {"score": 0.0, "success": chance, "low": None, "high": None, "steps": None, "episodes": None}
    return rows | {"constant": None if chance is None else fixed}


def figures(exam: Exam, chance: float | None) -> dict[str, Any]:
    """Success, its interval and its score: (success - chance) / (1 - chance)."""
    score = exam.score
    if score is None and chance is not None and chance < 1:
        score = (exam.success - chance) / (1 - chance)
    low, high = interval(exam.success, exam.episodes)
    shares = {"score": score, "success": exam.success, "low": low, "high": high}
    return {**shares, "steps": exam.steps, "episodes": exam.episodes}


def interval(success: float, episodes: int, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a share (Wilson, 1927); the whole of [0, 1] where nothing was tried."""
    if episodes <= 0:
        return 0.0, 1.0
    share = min(max(success, 0.0), 1.0)
    centre = (share + z * z / (2 * episodes)) / (1 + z * z / episodes)
    half = z / (1 + z * z / episodes) * math.sqrt(share * (1 - share) / episodes + (z / (2 * episodes)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


def kept(tasks: list[dict[str, Any]]) -> float | None:
    """Mean morning score of the habit over the mean evening score; None before all tasks have both."""
    evening, morning = _mean(tasks, "evening", "score"), _mean(tasks, "morning_habit", "score")
    return None if evening is None or morning is None or evening < MEASURABLE else morning / evening


def _mean(tasks: list[dict[str, Any]], name: str, key: str) -> float | None:
    # One missing task would turn a mean over all into a mean over some: then there is none.
    values = [task[name][key] for task in tasks if task[name] and task[name][key] is not None]
    return float(sum(values) / len(values)) if values and len(values) == len(tasks) else None


def table(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """A heading and five lines for the terminal: share of games won and, in brackets, the score, by task."""

    def cell(values: dict[str, Any] | None) -> str:
        if values is None:
            return "not measured"
        return f"{values['success']:.0%}" + ("" if values["score"] is None else f" ({values['score']:.2f})")

    heading = ("Games won (score)", *(task["id"] for task in summary["tasks"]))
    return [heading, *((text, *(cell(task[name]) for task in summary["tasks"])) for name, text in ROWS.items())]
