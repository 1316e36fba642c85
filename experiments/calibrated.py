"""Does the habit know when it is right? Lives that were lived are looked at once more, on their last morning.

Each agent of ``--lives`` plays all the games of its life again, on fresh layouts, as it would: by habit where that is
sure, else by search. At every decision search is asked too, and the habit's likeliest action is right where search
would choose it. The row of a life tells how far the habit's confidence is from being right (expected calibration
error), how often it was sure enough to act without search, and how often it was right then. The last row has the means
over lives. Lives of `novel_night` are kept in ``runs/novel_night/plain``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

COLUMNS = ("life", "games", "decisions", "calibration_error", "confidence", "right", "sure", "right_where_sure")


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="calibrated.csv")
    line.add_argument("--decisions", type=int, default=160, help="decisions asked for in each game")
    options = common.read(line)
    if options.quick:
        options.decisions = 16
    found = lived.found(options)
    table: list[dict[str, Any]] = []
    for folder in found:
        table.append(told(folder, options.decisions))
        common.progress("{life}: calibration error {calibration_error}, sure in {sure}".format(**table[-1]))
        common.write_csv(options.out, [*table, over(table)], COLUMNS)
    last = {"experiment": "calibrated", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def told(folder: Path, decisions: int) -> dict[str, Any]:
    """The row of the life kept in ``folder``."""
    from cortex.agent import Agent
    from cortex.measure import calibration_error

    life, *events = lived.events_of(folder)
    count = lived.slept_on(events)
    first = int(life["games"][0]["name"].split("-")[1])
    agent = Agent.load(max(folder.glob("[0-9]*/learner")))
    confidence, right = [], []
    for task in lived.games_like(life, first, count):
        with closing(task.make(8, "exam")) as bodies:
            for sure_of, is_right in asked(agent, bodies, decisions, life["seed"]):
                confidence.append(sure_of)
                right.append(is_right)
    given, truth = np.concatenate(confidence), np.concatenate(right)
    sure = given >= agent.config.habit.trust
    return {
        "life": folder.name,
        "games": count,
        "decisions": len(given),
        "calibration_error": calibration_error(given, truth),
        "confidence": mean(given),
        "right": mean(truth),
        "sure": mean(sure),
        "right_where_sure": mean(truth[sure]),
    }


def mean(values: Any) -> float | None:
    """None where there is nothing to take a mean of."""
    return float(np.mean(values)) if len(values) else None


def asked(agent: Any, bodies: Any, decisions: int, seed: int) -> Any:
    """Confidence [n] and whether the habit was right [n], for each step of ``bodies`` at which search found what to
    do."""
    from cortex.day import living

    met = 0
    for trace, _, outcome, _ in living(agent.calm(), bodies, seed, np.random.default_rng(seed)):
        for part in trace.parts:
            plan, _ = agent.consider(part.state, part.situation, agent.config.planner.simulations)
            rows = np.flatnonzero(plan.known & outcome.valid[part.bodies])
            chosen = part.habit.prior[rows].argmax(axis=1)
            yield part.habit.confidence[rows], plan.best[rows, chosen]
        met += bodies.num_envs
        if met >= decisions:
            break


def over(table: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over lives, with intervals where there are several."""
    found: dict[str, Any] = {"life": "mean", "games": sum(row["games"] for row in table)}
    found["decisions"] = sum(row["decisions"] for row in table)
    return found | lived.means(table, COLUMNS[3:])


if __name__ == "__main__":
    main()
