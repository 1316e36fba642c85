"""The page of a life's moments: all of it in one file, its data as JSON, its script known by its hash."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cortex.report.events import Day, NightUpdate
from cortex.report.read import Story, read
from cortex.report.watch.memories import memories
from cortex.report.watch.read import recorded
from cortex.types import CortexError

SCRIPTS = ("draw.js", "moment.js", "night.js", "page.js")
"""In this order one script."""
UPDATES = 60
"""Points of a loss curve."""


def write(run: Path, out: Path | None = None) -> Path:
    """Write ``watch.html`` into a run folder, or the page to ``out``; returns its path.

    Raises CortexError if nothing of the life was recorded, or the page cannot be written.
    """
    run = Path(run)
    path = run / "watch.html" if out is None else Path(out)
    text = render(gather(run))
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise CortexError(f"{path} cannot be written ({error.strerror}); free space or name another --out.") from error
    return path


def gather(run: Path) -> dict[str, Any]:
    """Everything that the page shows, as JSON."""
    facts, episodes, nights, damaged = recorded(run / "watch.jsonl")
    story = read(run)
    notes = [f"{damaged} line{'s' * (damaged > 1)} of watch.jsonl could not be read."] if damaged else []
    shown: dict[str, Any] = {"points": []}
    try:
        shown = memories(run / "memory.sqlite", facts)
    except CortexError as error:
        notes.append(f"There is no map of the memories: {error}")
    frames = _Frames()
    for episode in episodes:
        for step in episode["steps"]:
            step["view"] = frames.number(step["view"])
            for memory in step.get("recalled", []):
                memory["view"] = frames.number(memory["view"])
            if "view" in step.get("future", {}):
                step["future"]["view"] = frames.number(step["future"]["view"])
    for night in nights:
        night["curves"] = _curves(story, night["day"])
        for example in night["examples"]:
            example["view"] = frames.number(example["view"])
    for point in shown["points"]:
        point[7] = frames.number(point[7])
    palette = facts.pop("palette") | shown.pop("cells", {})
    days = sorted({(e["day"]) for e in episodes} | {n["day"] for n in nights})
    return {
        **facts,
        "name": story.name,
        "tasks": {task: story.label(task) for task in sorted({e["task"] for e in episodes} | set(story.tasks))},
        "lived": [[d.day, d.task, d.steps] for d in story.all(Day)],
        "days": days,
        "palette": palette,
        "frames": frames.all,
        "episodes": episodes,
        "nights": nights,
        "map": shown,
        "notes": notes,
    }


class _Frames:
    """Equal frames are held once."""

    def __init__(self) -> None:
        self.all: list[list[int]] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, view: list[int]) -> int:
        key = tuple(view)
        if key not in self._numbers:
            self._numbers[key] = len(self.all)
            self.all.append(view)
        return self._numbers[key]


def _curves(story: Story, day: int) -> dict[str, list[list[float]]]:
    """Part and loss -> [update, value] through the night after ``day``, thinned."""
    curves: dict[str, list[list[float]]] = {}
    for event in story.all(NightUpdate):
        if event.day == day:
            for name, value in event.losses.items():
                if value == value:  # a loss may be nan: the curve has a gap there
                    curves.setdefault(f"{event.part}: {name}", []).append([event.update, round(value, 4)])
    return {name: curve[:: 1 + len(curve) // UPDATES] for name, curve in curves.items()}


def render(shown: dict[str, Any]) -> str:
    """The page; every string that comes from the run is data."""
    loader = PackageLoader("cortex.report.watch", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    script = "\n".join(loader.get_source(environment, name)[0] for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = json.dumps(shown, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":  # in a script element a string must not close it or open a comment
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return environment.get_template("template.html").render(
        name=shown["name"], version=shown["version"], digest=digest, notes=shown["notes"],
        style=Markup(loader.get_source(environment, "page.css")[0]), script=Markup(script), data=Markup(data),
    )  # fmt: skip
