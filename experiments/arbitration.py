"""Who decides? Lives that were lived are examined once more on their last morning: habit and search in the balance.

Each agent of ``--lives`` plays all the games of its life again, on fresh layouts: by search alone, as it would by
itself, without looking ahead before a sure habit acts, without the doubt of one who comes back to the same place, and
without both. A row tells its mean return (0 the best constant actions, 1 the game's solver), that over the return of
search alone, the share of decisions without search, steps and CPU seconds of the exam, environments included. The last
rows have the means over lives. Lives of `novel_night` are kept in ``runs/novel_night/plain``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from shutil import copytree
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
    from cortex.agent import Agent
    from experiments.agents import Cortex

    life, *events = lived.events_of(folder)
    games = lived.games_like(life, int(life["games"][0]["name"].split("-")[1]), lived.slept_on(events))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as passing:
        morning = Path(passing, "morning")
        copytree(max(folder.glob("[0-9]*/learner")), morning)
        whole = Agent.load(morning)
        learner = Cortex(whole.config, whole.observation_space, whole.space)
        learner.load(morning)
        for arm, cut in ARMS.items():
            learner.agent = whole.lesioned(*settings, *cut) if settings or cut else whole
            began, marks, searched, steps = time.process_time(), [], 0.0, 0
            for game in games:
                with closing(game.make(8, "exam")) as bodies:
                    played = learner.play(bodies, exam, 1_000, habit=False)
                mean = float(np.mean([one.reward for one in played]))
                marks.append((mean - game.floor) / (game.ceiling - game.floor))
                searched += sum(one.searched * one.steps for one in played)
                steps += sum(one.steps for one in played)
            row = {"life": folder.name, "arm": arm, "games": len(games), "return": float(np.mean(marks))}
            row["over_search"] = row["return"] / (rows[0]["return"] if rows else row["return"])
            row |= {"without_search": 1 - searched / steps, "steps": steps}
            rows.append({**row, "cpu_seconds": time.process_time() - began})
    return rows


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
