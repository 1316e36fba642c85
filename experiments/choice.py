"""What nights should repeat: what was forgotten comes back sooner where memories are chosen, and where they are needed.

Each agent of ``--lives`` has its last memory searched again, and then forgets: ``--harm`` updates teach it one game
alone. From there it learns all games again, once as nights choose (balanced over situations, and each lesson weighed by
p(1-p) of the habit), once by lot, with the labels that search gave and with a share of ``--wrong`` of them taken from
other states. A row tells how much of what it knew before is back after so many updates (agreement with search on states
that are never taught, mean over games), and what it cost.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

BY_LOT = ("sleep.balance=0", "sleep.choice=0")
COLUMNS = ("life", "choice", "labels", "updates", "back", "cpu_seconds")


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="choice.csv")
    line.add_argument("--updates", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="updates of a night")
    line.add_argument("--states", type=int, default=12_000, help="states that are searched again")
    line.add_argument("--harm", type=int, default=1000, help="updates with one game alone")
    line.add_argument("--wrong", type=float, default=0.25, help="share of wrong labels")
    line.add_argument("--runs", type=Path, default=Path("runs/choice"), help="folder of the logs")
    options = common.read(line)
    if options.quick:
        options.updates, options.states, options.harm = [5, 10], 64, 5
        options.runs = options.runs / "quick"
    found = lived.found(options)
    table: list[dict[str, Any]] = []
    for folder in found:
        given = str(folder), options.updates, options.states, options.harm, options.wrong
        call = f"repeat({', '.join(map(repr, given))})"
        asked = ["-c", f"from experiments import choice; choice.{call}"]
        told = common.ask(asked, options.out.with_suffix("") / f"{folder.name}.json", options.runs)
        table += [{"life": folder.name, **row} for row in told["rows"]]
        common.write_csv(options.out, [*table, *over(table)], COLUMNS)
    last = {"experiment": "choice", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def repeat(folder: str, updates: list[int], states: int, harm: int, wrong: float) -> None:
    """Let the life in ``folder`` forget, and learn again in each way; print what came of it."""
    from cortex import curriculum, sleep
    from cortex.agent import Agent

    agent = Agent.load(max(Path(folder).glob("[0-9]*/learner"))).lesioned(f"sleep.states={states}", "sleep.sure=2")
    episodes = sleep.settle(agent)
    draw = np.random.default_rng

    def lessons_of(*lines: str) -> curriculum.Lessons:
        other = agent.lesioned(*lines) if lines else agent
        return curriculum.search_again(other, curriculum.choose(other, episodes, draw(1)), draw(2), None)

    def taught(lessons: curriculum.Lessons, steps: int, *lines: str) -> float:
        other = agent.lesioned(f"sleep.steps={steps}", *lines)
        began = time.process_time()
        lessons = replace(lessons, prior=curriculum.priors(other, lessons.scene))  # it was another that made them
        sleep.distil(other, lessons, sleep.Report(), draw(3), None, False)
        return time.process_time() - began

    began = time.process_time()
    chosen, by_lot = lessons_of(), lessons_of(*BY_LOT)
    searched = (time.process_time() - began) / 2
    situation = np.array([episode.situation for episode in episodes])
    games = np.unique(situation[chosen.episode])
    found = [(int(game), _aside(chosen, situation[chosen.episode] == game)) for game in games]
    asked = [(game, part) for game, part in found if part is not None]

    def known() -> Any:
        return np.array([curriculum.agreement(agent, part) for _, part in asked])

    before = known()
    last = situation[chosen.episode] == games[-1]
    taught(_rows(chosen, last), harm)
    harmed = {name: value.clone() for name, value in agent.weights().items()}
    rows = [_row("none", "clean", 0, known(), before, 0.0)]
    for labels in ("clean", "wrong"):
        for name, lessons, lines in (("chosen", chosen, ()), ("by lot", by_lot, BY_LOT)):
            given = lessons if labels == "clean" else _mislabelled(lessons, wrong, draw(4))
            for steps in updates:
                agent.restore(harmed)
                spent = searched + taught(given, steps, *lines)
                rows.append(_row(name, labels, steps, known(), before, spent))
                common.progress(str(rows[-1]))
    common.last_line({"commit": common.commit(), "rows": rows})


def _row(choice: str, labels: str, updates: int, now: Any, before: Any, seconds: float) -> dict[str, Any]:
    told = {"choice": choice, "labels": labels, "updates": updates, "cpu_seconds": seconds}
    return {**told, "back": float(np.mean(now / np.maximum(before, 1e-9))) if len(before) else None}


def _rows(lessons: Any, keep: Any) -> Any:
    from cortex.types import take

    return take(lessons, np.flatnonzero(keep))


def _aside(lessons: Any, of_game: Any) -> Any:
    """What is kept aside of a game; None where search knew of too little there."""
    part = _rows(lessons, of_game & lessons.probe & lessons.found)
    return part if len(part.old) >= 8 else None


def _mislabelled(lessons: Any, share: float, generator: np.random.Generator) -> Any:
    """The lessons with a share of their labels taken from other states."""
    count = len(lessons.old)
    order = np.where(generator.random(count) < share, generator.integers(0, count, count), np.arange(count))
    order = np.where(lessons.found[order], order, np.arange(count))
    return replace(lessons, targets=lessons.targets[order], best=lessons.best[order], value=lessons.value[order])


def over(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over lives, with intervals where there are several."""
    from cortex.measure.statistics import interval

    found = []
    for key in dict.fromkeys((row["choice"], row["labels"], row["updates"]) for row in table):
        some = [row for row in table if (row["choice"], row["labels"], row["updates"]) == key]
        lives = sorted({row["life"] for row in some if row["back"] is not None})
        if not lives:
            continue
        values = [float(np.mean([row["back"] for row in some if row["life"] == life])) for life in lives]
        low, high = interval(values) if len(values) > 1 else (values[0], values[0])
        mean = dict(zip(("life", "choice", "labels", "updates"), ("mean", *key), strict=True))
        mean["back"] = common.figure({"value": float(np.mean(values)), "low": low, "high": high})
        found.append({**mean, "cpu_seconds": float(np.mean([row["cpu_seconds"] for row in some]))})
    return found


if __name__ == "__main__":
    main()
