"""What was left every morning: the exams of lives that were lived, with everything and by the weights alone.

A row tells of one morning, over all lives in ``--lives``: how many games had been lived in, the share of episodes won
in all of them with everything (``whole``) and with the hippocampus cleared and search off (``habit``), the habit's also
by difficulty, the share of decisions without search, and the CPU seconds of the night before. Intervals are of 95 %,
over lives. Nothing is played again; lives of `novel_night` are kept in ``runs/novel_night/plain``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import common, lived


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="mornings.csv")
    options = common.read(line)
    lives = [by_morning(lived.events_of(folder)) for folder in lived.found(options)]
    table = rows(lives)
    common.write_csv(options.out, table, list(dict.fromkeys(name for row in table for name in row)))
    common.last_line({"experiment": "mornings", "quick": options.quick, "out": str(options.out), "rows": table})


def by_morning(events: Sequence[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """Of one life, each morning that was examined: its number -> figures."""
    life, *rest = events
    classes = np.atleast_1d(life["source"]["difficulty"]).tolist()
    told = {}
    for day in sorted({event["day"] for event in rest if event["event"] == "night"}):
        exams = [
            event for event in rest if event["event"] == "exam" and (event["day"], event["when"]) == (day, "morning")
        ]
        whole, habit = ([event for event in exams if event["arm"] == arm] for arm in ("whole", "habit"))
        if not whole or not habit:
            continue
        decisions = sum(event["decisions"] for event in whole)
        searched = sum(event["searched"] * event["decisions"] for event in whole)
        told[day] = {"games": len(habit), "whole": _won(whole), "habit": _won(habit)}
        told[day] |= {"without_search": 1 - searched / decisions}
        nights = [event["cpu_seconds"] for event in rest if (event["event"], event.get("day")) == ("night", day)]
        told[day] |= {"night_cpu_seconds": float(np.sum(nights))}
        for difficulty in sorted(set(classes)):
            of = [event for event in habit if classes[event["game"] % len(classes)] == difficulty]
            told[day] |= {f"habit at difficulty {difficulty}": _won(of)} if of else {}
    return told


def _won(exams: Sequence[dict[str, Any]]) -> float:
    return float(np.mean([event["success"] for event in exams]))


def rows(lives: Sequence[dict[int, dict[str, float]]]) -> list[dict[str, Any]]:
    """The table, over the lives that had each morning."""
    table = []
    for day in sorted(set().union(*lives)):
        told = [life[day] for life in lives if day in life]
        names = dict.fromkeys(name for life in told for name in life if name != "games")
        first = {"morning": day, "lives": len(told), "games": sum(int(life["games"]) for life in told)}
        table.append(first | lived.means(told, list(names)))
    return table


if __name__ == "__main__":
    main()
