"""Who decides? Lives that were lived are examined once more on their last morning: habit and search in the balance.

Each agent of ``--lives`` plays all the games of its life again, on fresh layouts: by search alone, as it would by
itself, without looking ahead before a sure habit acts, without the doubt of one who comes back to the same place, and
without both. A row tells its mean return (0 the best constant actions, 1 the game's solver), that over the return of
search alone, the share of decisions without search, steps and CPU seconds of the exam, environments included. The last
rows have the means over lives. Lives of `novel_night` are kept in ``runs/novel_night/plain``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

SEARCH = "search alone"
ARMS = {
    SEARCH: ("habit",),
    "whole": (),
    "no caution": ("caution",),
    "no inhibition": ("inhibition",),
    "neither": ("caution", "inhibition"),
}
"""Arm -> what of the agent is cut."""
FIGURES = ("return", "over_search", "without_search", "steps", "cpu_seconds")
COLUMNS = ("life", "arm", "games", *FIGURES)


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="arbitration.csv")
    line.add_argument("--exam", type=int, default=16, help="episodes of each game")
    line.add_argument(
        "--set", nargs="*", default=[], metavar="key=value", help="settings other than those of the lives"
    )
    options = common.read(line)
    if options.quick:
        options.exam = 2
    table: list[dict[str, Any]] = []
    for folder in lived.found(options):
        table += told(folder, options.exam, options.set)
        for row in table[-len(ARMS) :]:
            common.progress("{life} {arm}: return {return:.3f}, {without_search:.3f} without search".format(**row))
        common.write_csv(options.out, [*table, *over(table)], COLUMNS)
    last = {"experiment": "arbitration", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def told(folder: Path, exam: int, settings: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the life kept in ``folder``."""
    life, *events = lived.events_of(folder)
    games = lived.games_like(life, int(life["games"][0]["name"].split("-")[1]), lived.slept_on(events))
    rows: list[dict[str, Any]] = []
    learner = lived.wake(folder)
    whole = learner.agent
    for arm, cut in ARMS.items():
        learner.agent = whole.lesioned(*settings, *cut) if settings or cut else whole
        began = time.process_time()
        played = [lived.played(learner, game, exam, habit=False) for game in games]
        spent = time.process_time() - began
        marks = [lived.mark(game, episodes) for game, episodes in zip(games, played, strict=True)]
        row = {"life": folder.name, "arm": arm, "games": len(games), "return": float(np.mean(marks))}
        row["over_search"] = row["return"] / (rows[0]["return"] if rows else row["return"])
        rows.append({**row, **decided([episode for episodes in played for episode in episodes]), "cpu_seconds": spent})
    return rows


def decided(episodes: Sequence[Any]) -> dict[str, float]:
    """How many decisions were made, and the share of them without search."""
    steps = sum(episode.length for episode in episodes)
    return {
        "without_search": 1 - sum(episode.searched * episode.length for episode in episodes) / steps,
        "steps": steps,
    }


def over(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over lives of each arm, with intervals where there are several."""
    found = []
    for arm in ARMS:
        rows = [row for row in table if row["arm"] == arm]
        games = sum(row["games"] for row in rows)
        found.append({"life": "mean", "arm": arm, "games": games} | lived.means(rows, FIGURES))
    return found


if __name__ == "__main__":
    main()
