"""``cortex ablate``: fill the matrix of lesions and tasks, with progress; write CSV, picture and verdicts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex.measure.ablation import ablate, write_csv
from cortex.measure.battery import AblationTask
from cortex.measure.dissociation import facts, losses, table, verdicts
from cortex.store import files
from cortex.view import View

CSV, PICTURE, VERDICTS = "ablation.csv", "ablation.png", "verdicts.json"

QUIET = 30.0
"""Seconds between two lines of progress, where no terminal shows it live."""


def run(
    folder: Path,
    tasks: Sequence[AblationTask],
    lesions: Mapping[str, str],
    view: View,
    beside: Mapping[str, str],
    **settings: Any,
) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    """Fill the matrix, and write CSV, PICTURE (and the same as SVG) and VERDICTS to ``folder``; the verdicts as lines
    of a table, and as JSON. ``settings`` are those of `ablate`."""
    told = _Progress(view)
    with view:
        view.begin("ablate", 1)
        rows = ablate(folder, tasks, lesions, beside=beside, tell=told, **settings)
    return write(folder, rows, tasks, lesions, beside)


def write(
    folder: Path,
    rows: Sequence[Any],
    tasks: Sequence[AblationTask],
    lesions: Mapping[str, str],
    beside: Mapping[str, str],
) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    """What ``rows`` say, as files, as lines of a table and as JSON."""
    from cortex.report.heatmap import draw

    files.replace(folder / CSV, write_csv(rows).encode())
    found = losses(rows)
    judged = verdicts(found, tasks, list(lesions))
    draw(found, {task.name: task.asks for task in tasks}, [*lesions, *beside], folder / PICTURE)
    said = facts(judged, tasks)
    files.replace(folder / VERDICTS, (json.dumps(said, indent=1) + "\n").encode())
    return table(judged), said


class _Progress:
    """How far the matrix is, and how long the rest will take at the speed so far."""

    def __init__(self, view: View) -> None:
        self.view, self.began, self.at_first, self.said = view, time.monotonic(), -1, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if self.at_first < 0:
            self.at_first = done
            if done:
                self.view.end(f"{done} of {total} lives are there already")
            self.view.begin("ablate", total, done)
            return
        now = time.monotonic()
        left = (now - self.began) / (done - self.at_first) * (total - done)
        self.view.move(done, f"{done} of {total} lives")
        if not self.view.console.is_terminal and (now - self.said > QUIET or done == total):
            self.said = now
            self.view.end(f"{done} of {total} lives, about {_minutes(left)} left")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
