"""watch.jsonl -> what the page shows of episodes and nights, checked: a page must not stumble over a damaged line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cortex.binding import RANDOM
from cortex.types import CortexError

TILE = 8 * 8 * 3
"""Bytes of a tile of a game: rows, columns, colours."""
HINT = "live with life.watch=1200, the most steps to record, as the block demo does"


def recorded(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], int]:
    """The facts of the first line, the episodes, the nights, and how many lines could not be read.

    Raises CortexError where there is nothing to show.
    """
    if not path.exists():
        raise CortexError(f"{path.parent} holds no {path.name}, nothing of this life was recorded; {HINT}.")
    facts: dict[str, Any] = {}
    episodes: list[dict[str, Any]] = []
    nights: list[dict[str, Any]] = []
    cells: dict[int, list[int]] = {}
    damaged = 0
    try:
        for line in _lines(path):
            try:
                told = json.loads(line, parse_constant=_refuse)
                kind = told["event"]
                if kind == "watch":
                    facts = _facts(told)
                elif kind in ("episode", "night"):
                    shown = {int(code): _ints(value) for code, value in told["cells"].items()}
                    if kind == "episode":
                        episodes.append(_episode(told))
                    else:
                        nights.append(_night(told))
                    cells |= shown
            except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
                damaged += 1
    except OSError as error:
        raise CortexError(f"{path} cannot be read ({error.strerror}); make it readable, or {HINT}.") from error
    if not facts or not (episodes or nights):
        raise CortexError(f"{path} holds nothing that can be shown; restore it from a backup, or {HINT}.")
    return facts | {"palette": cells}, episodes, nights, damaged


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from (line for line in lines if line.strip())


def _facts(told: dict[str, Any]) -> dict[str, Any]:
    shape = None if told["shape"] is None else _ints(told["shape"])
    if shape is not None and (len(shape) != 2 or min(shape) < 1):
        raise ValueError("no grid has this shape")
    return {
        "actions": [str(name) for name in told["actions"]],
        "drawn": str(told["drawn"]),
        "shape": shape,
        "span": _ints(told["span"]),
        "channels": int(told["channels"]),
        "width": int(told["width"]),
        "encoder": str(told.get("encoder", RANDOM)),
        "taught": [str(name) for name in told.get("taught", [])],
        "version": str(told["version"]),
        "looks": {int(task): _look(look) for task, look in told.get("looks", {}).items()},
    }


def _look(told: dict[str, Any]) -> dict[str, list[str]]:
    tiles = [bytes.fromhex(tile) for tile in told["tiles"]]
    if any(len(tile) != TILE for tile in tiles):
        raise ValueError("no tile has this size")
    return {"names": [str(name) for name in told["names"]], "tiles": [tile.hex() for tile in tiles]}


def _episode(told: dict[str, Any]) -> dict[str, Any]:
    if not told["steps"]:
        raise ValueError("an episode has steps")
    whole = {name: int(told[name]) for name in ("day", "task", "lived", "situation", "first", "length")}
    return {
        **whole,
        "memory": None if told["memory"] is None else int(told["memory"]),
        "success": bool(told["success"]),
        "terminated": bool(told["terminated"]),
        "return": _finite(told["return"]),
        "facing": [_ints(step) for step in told["facing"]],
        "steps": [_step(step) for step in told["steps"]],
    }


def _step(told: dict[str, Any]) -> dict[str, Any]:
    step: dict[str, Any] = {
        "view": _ints(told["view"]),
        "action": int(told["action"]),
        "by": str(told["by"]),
        "said": str(told.get("said", "")),
        "prior": _floats(told["prior"]),
        "habit": _floats(told["habit"]),
        "salience": _finite(told.get("salience", 0)),
        "reward": _finite(told.get("reward", 0)),
    }
    step |= {name: bool(told[name]) for name in ("foretold", "known", "new") if name in told}
    if "beside" in told:
        step["beside"] = _all_said(told["beside"])
    if "pose" in told:
        step["pose"] = _pose(told["pose"])
    if "weights" in told:
        step |= {"weights": _floats(told["weights"]), "plan": _floats(told["plan"])}
    if "map" in told:
        step["map"] = _map(told["map"])
    if "future" in told:
        step["future"] = _map(told["future"])
    if "lines" in told:
        step["lines"] = [
            {"actions": _ints(line["actions"]), "value": _finite(line["value"]), "paid": _finite(line["paid"])}
            for line in told["lines"]
        ]
    if "recalled" in told:
        step["recalled"] = [
            {"view": _ints(memory["view"])}
            | {name: _finite(memory[name]) for name in ("like", "day", "task", "memory", "salience") if name in memory}
            | ({"beside": _all_said(memory["beside"])} if "beside" in memory else {})
            for memory in told["recalled"]
        ]
    return step


def _map(told: dict[str, Any]) -> dict[str, Any]:
    if "view" in told:
        return {"view": _ints(told["view"])}
    drawn: dict[str, Any] = {name: int(told[name]) for name in ("wide", "holds") if name in told}
    drawn |= {name: _ints(told[name]) for name in ("at", "cells")}
    if drawn["wide"] < 1 or len(drawn["at"]) != 2:
        raise ValueError("no map has this shape")
    return drawn | ({"pose": _pose(told["pose"])} if "pose" in told else {})


def _night(told: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: int(told[name]) for name in ("day", "updates", "chosen", "dreamed", "replays")},
        **{name: _finite(told[name]) for name in ("known", "agreement_before", "agreement_after")},
        "rolled_back": bool(told["rolled_back"]),
        "losses": {str(name): _finite(value) for name, value in told["losses"].items()},
        "groups": [{str(name): int(value) for name, value in group.items()} for group in told["groups"]],
        "memories": [_ints(memory) for memory in told["memories"]],
        "order": [_ints(replay) for replay in told["order"]],
        "examples": [
            {name: int(example[name]) for name in ("day", "task", "memory", "t", "times")}
            | {name: _floats(example[name]) for name in ("before", "after", "search")}
            | {"view": _ints(example["view"]), "best": _ints(example["best"])}
            | {"beside": _all_said(example["beside"])}
            for example in told["examples"]
        ],
    }


def _pose(values: Any) -> list[int]:
    row, column, heading = _ints(values)
    return [row, column, heading]


def _all_said(values: Any) -> dict[str, str | list[float]]:
    return {str(name): value if isinstance(value, str) else _floats(value) for name, value in values.items()}


def _ints(values: Any) -> list[int]:
    return [int(value) for value in values]


def _floats(values: Any) -> list[float]:
    return [_finite(value) for value in values]


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
