"""How far does a habit fall while it sleeps? What was known falls in the middle of a night that restores it by morning.

Each agent of ``--lives`` lives a further day of ``--games`` new games and sleeps. Every ``--every`` updates its weights
are put aside; afterwards each of them is examined alone, hippocampus cleared and search off, in all games of the life
(``old``) and in those of that day (``new``): mean returns, 0 the best constant actions and 1 the game's solver. ``dip``
is what the old games lost at the worst of these moments (stability gap, de Lange et al. 2023). The last rows have the
means over lives. Lives of `novel_night` are kept in ``runs/novel_night/plain``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

FIRST = 62_000_000
"""Seed of the first of the new games."""
COLUMNS = ("life", "updates", "games", "old", "new", "dip")


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="dip.csv")
    line.add_argument("--games", type=int, default=4, help="new games of the day")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--exam", type=int, default=16, help="episodes of a game's exam")
    line.add_argument("--every", type=int, default=200, help="updates from one exam to the next")
    options = common.read(line)
    if options.quick:
        options.games, options.steps, options.exam, options.every = 1, 60, 2, 10
    table: list[dict[str, Any]] = []
    for folder in lived.found(options):
        table += night_of(folder, options)
        common.progress(f"{folder.name}: the worst dip is {table[-1]['dip']:.3f}")
        common.write_csv(options.out, [*table, *over(table)], COLUMNS)
    last = {"experiment": "dip", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def night_of(folder: Path, options: Any) -> list[dict[str, Any]]:
    """The rows of the life kept in ``folder``: one for each moment of its night, and its dip."""
    from cortex import face

    life, *events = lived.events_of(folder)
    count, first = lived.slept_on(events), int(life["games"][0]["name"].split("-")[1])
    old = lived.games_like(life, first, count)
    new = lived.games_like(life, FIRST + int(life["seed"]) * options.games, options.games)
    learner = lived.wake(folder)
    for number, game in enumerate(new):
        with closing(game.make(1, "day")) as bodies:
            learner.live(bodies, options.steps, number, lambda _: True)

    def weights() -> dict[str, Any]:
        return {name: value.clone() for name, value in learner.agent.weights().items()}

    moments = {0: weights()}

    def look(part: str, update: int, of: int, _: dict[str, float]) -> None:
        if part == "habit" and (update % options.every == 0 or update == of):
            moments[update] = weights()

    face.sleep(learner.agent, look)
    learner.clear()
    rows = []
    for update, kept in moments.items():
        learner.agent.restore(kept)
        marks = [
            [lived.mark(game, lived.played(learner, game, options.exam, habit=True)) for game in games]
            for games in (old, new)
        ]
        told = {"old": float(np.mean(marks[0])), "new": float(np.mean(marks[1]))}
        rows.append({"life": folder.name, "updates": update, "games": count, **told})
    return [*rows, {"life": folder.name, "games": count, "dip": dip([row["old"] for row in rows])}]


def dip(marks: list[float]) -> float:
    """What was lost at the worst moment of a night, of what was there before it."""
    return max(0.0, marks[0] - min(marks))


def over(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over lives of each moment and of the dips, with intervals where there are several."""
    found = []
    for updates in dict.fromkeys(row.get("updates") for row in table):
        rows = [row for row in table if row.get("updates") == updates]
        told = {} if updates is None else {"updates": updates}
        games = sum(row["games"] for row in rows)
        found.append({"life": "mean", "games": games, **told, **lived.means(rows, ("old", "new", "dip"))})
    return found


if __name__ == "__main__":
    main()
