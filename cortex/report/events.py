"""The lines of metrics.jsonl as records.

A life may be cut at any byte, and a later version may add events: a line that is no JSON, or whose values have
the wrong type, is counted and left out; an unknown event or key is skipped; a missing optional key has its default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Life:
    tasks: list[Any] = field(default_factory=list)
    days: int = 0
    seed: int | None = None
    bodies: int | None = None
    steps: int | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    task: int
    success: float


@dataclass(frozen=True, slots=True)
class Episode:
    day: int
    task: int
    total: int  # environment steps of the whole life so far
    success: bool
    steps: int = 0
    searched: float | None = None  # share of decisions that used search


@dataclass(frozen=True, slots=True)
class Day:
    day: int
    task: int
    steps: int = 0
    seconds: float = 0.0
    speed: float | None = None
    memories: int | None = None
    situations: int | None = None
    interactions: int | None = None
    morning: str = ""  # digests of the weights
    evening: str = ""

    @property
    def unchanged(self) -> bool:
        """Whether both digests are there and equal."""
        return bool(self.morning) and self.morning == self.evening


@dataclass(frozen=True, slots=True)
class NightUpdate:
    day: int
    part: str
    update: int
    losses: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Night:
    day: int
    updates: int = 0
    seconds: float = 0.0
    chosen: int | None = None
    known: float | None = None
    agreement_before: float | None = None
    agreement_after: float | None = None
    rolled_back: bool = False
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exam:
    day: int
    when: str
    arm: str
    task: int
    success: float
    episodes: int = 0
    steps: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    day: int
    strength: list[float] = field(default_factory=list)  # counts, from the weakest to the strongest
    kept: int | None = None
    forgotten: int | None = None
    by_situation: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    sentence: str
    day: int | None = None
    task: int | None = None


Event = Life | Constant | Episode | Day | NightUpdate | Night | Exam | Memory | Fault

EVENTS: dict[str, type[Event]] = {
    "life": Life,
    "constant": Constant,
    "episode": Episode,
    "day": Day,
    "night_update": NightUpdate,
    "night": Night,
    "exam": Exam,
    "memory": Memory,
    "fault": Fault,
}


def events(path: Path) -> Iterator[Event | None]:
    """Every event of a metrics file in order; ``None`` stands for a line that could not be read."""
    with path.open("rb") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                values = json.loads(line)
                kind = EVENTS.get(str(values["event"]))
                if kind is not None:
                    yield _record(kind, values)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                yield None


def _record(kind: type[Event], values: dict[str, Any]) -> Event:
    known: dict[str, Any] = {}
    for slot in fields(kind):
        value = values.get(slot.name)
        if value is not None:
            known[slot.name] = CASTS[str(slot.type).removesuffix(" | None")](value)
        elif slot.default is MISSING and slot.default_factory is MISSING:
            raise KeyError(slot.name)
    return kind(**known)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _numbers(value: Any) -> dict[str, float]:
    # A loss may be nan, and that is worth seeing: it stays, and the figures leave a gap.
    return {str(name): float(number) for name, number in value.items() if number is not None}


CASTS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "float": _finite,
    "str": str,
    "bool": bool,
    "list[Any]": list,
    "list[float]": lambda value: [_finite(number) for number in value],
    "dict[str, float]": _numbers,
}
