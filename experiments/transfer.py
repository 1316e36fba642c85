"""Does a life help with the next day? Lives that were lived meet games that nobody met, and newborns meet the same.

Of each agent of ``--lives`` a copy and a newborn with its settings live a further day of ``--games`` new games, then
sleep nights of ``--updates`` updates, each number from the same evening. Rows tell the actions to the first win over
those of the reference, and, after each night, what the habit alone scores in the new games, the hippocampus cleared,
and how much that is of what search can do there by the evening (mean over mean). ``ratio`` is the first of the lived
over that of the newborn, game by game (geometric mean). Whether nights still teach as much as the first one did (loss
of plasticity, Dohare et al. 2024) stands in the same row.

A newborn that lives a day of several games is one no more after the first of them. So ``--first`` further games are
met as the first game of their day, each by another copy and another newborn: ``ratio_first``, in which a game that was
not won counts with its whole budget.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

FIRST = 63_000_000
"""Seed of the first of the new games."""
ALONE = 61_000_000
"""Seed of the first of the games that are met as the first of a day."""
COLUMNS = ("life", "agent", "games", "won", "first_win_over_h", "ratio", "ratio_first", "updates", "score", "habit")


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="transfer.csv")
    line.add_argument("--games", type=int, default=4, help="new games of the day")
    line.add_argument("--first", type=int, default=24, help="new games that are the first of their day")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--exam", type=int, default=32, help="episodes of a game's exam")
    line.add_argument("--updates", type=int, nargs="+", default=[500, 1000, 2000], help="updates of the night")
    line.add_argument("--runs", type=Path, default=Path("runs/transfer"), help="folder of the logs")
    options = common.read(line)
    if options.quick:
        options.games, options.first, options.steps, options.exam, options.updates = 1, 1, 60, 2, [10, 20]
        options.runs = options.runs / "quick"
    found = lived.found(options)
    table: list[dict[str, Any]] = []
    for folder in found:
        seed = int(lived.events_of(folder)[0]["seed"])
        day = f"{FIRST + seed * options.games}, {options.games}"
        alone = f"{ALONE + seed * options.first}, {options.first}"
        call = f"further({str(folder)!r}, {day}, {alone}, {options.steps}, {options.exam}, {options.updates})"
        asked = ["-c", f"from experiments import transfer; transfer.{call}"]
        told = common.ask(asked, options.out.with_suffix("") / f"{folder.name}.json", options.runs)
        table += rows(folder.name, told)
        common.write_csv(options.out, [*table, *over(table)], COLUMNS)
    last = {"experiment": "transfer", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def further(
    folder: str, seed: int, games: int, first: int, alone: int, steps: int, exam: int, updates: list[int]
) -> None:
    """A further day and its nights of the life in ``folder``, and of a newborn, and games that each is the first of a
    day for them; print what came of them."""
    life = lived.events_of(Path(folder))[0]
    day, firsts = lived.games_like(life, seed, games), lived.games_like(life, first, alone)
    told: dict[str, Any] = {}
    for who in ("lived", "newborn"):
        grown = who == "lived"
        met = [_first_win(lived.wake(Path(folder), grown), game, steps, 0) for game in firsts]
        common.progress(f"{Path(folder).name} {who}: {met}")
        told[who] = _day(lived.wake(Path(folder), grown), day, steps, exam, updates)
        told[who]["met_first"] = [won or steps for won in met]
    common.last_line({"commit": common.commit(), "h": [game.h for game in day], **told})


def _first_win(learner: Any, game: Any, steps: int, seed: int, on: bool = False) -> int | None:
    """Actions to the first win of a game, None for none in ``steps``; ``on``: whether it is lived to the end then."""
    played: list[Any] = []

    def see(one: Any) -> bool:
        played.append(one)
        return on or not one.success

    with closing(game.make(1, "day")) as bodies:
        learner.live(bodies, steps, seed, see)
    return next((one.steps for one in played if one.success), None)


def _day(learner: Any, games: list[Any], steps: int, exam: int, updates: list[int]) -> dict[str, Any]:
    from cortex.agent import Agent

    firsts = [_first_win(learner, game, steps, number, on=True) for number, game in enumerate(games)]
    search = [lived.mark(game, lived.played(learner, game, exam, habit=False)) for game in games]
    habits = {}
    with tempfile.TemporaryDirectory() as evening:
        learner.save(Path(evening))
        for number in updates:
            learner.agent = Agent.load(evening).lesioned(f"sleep.steps={number}")
            learner.sleep(0)
            learner.clear()
            habits[str(number)] = [lived.mark(game, lived.played(learner, game, exam, habit=True)) for game in games]
            common.progress(f"{number} updates: {habits[str(number)]}")
    return {"first_wins": firsts, "search": search, "habit": habits}


def rows(life: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one life: who lived and who did not, after each night. Games that one of them did not win are no part
    of the ratio."""
    found = []
    for who, other in (("lived", "newborn"), ("newborn", "lived")):
        mine, theirs = told[who]["first_wins"], told[other]["first_wins"]
        both = [(a, b) for a, b in zip(mine, theirs, strict=True) if a and b]
        over_h = [won / h for won, h in zip(mine, told["h"], strict=True) if won]
        alone = zip(told[who]["met_first"], told[other]["met_first"], strict=True)
        ratio_first = _geometric([a / b for a, b in alone]) if who == "lived" else None
        for updates, habit in told[who]["habit"].items():
            searched = float(np.mean(told[who]["search"]))
            found.append(
                {
                    "life": life,
                    "agent": who,
                    "games": len(mine),
                    "won": len(over_h),
                    "first_win_over_h": _geometric(over_h),
                    "ratio": _geometric([a / b for a, b in both]) if who == "lived" else None,
                    "ratio_first": ratio_first,
                    "updates": int(updates),
                    "score": float(np.mean(habit)),
                    "habit": float(np.mean(habit)) / searched if searched > 0 else None,
                }
            )
    return found


def over(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over lives of each agent and night, with intervals where there are several; geometric ones of ratios."""
    from cortex.measure.statistics import interval

    found = []
    for who, updates in dict.fromkeys((row["agent"], row["updates"]) for row in table):
        some = [row for row in table if (row["agent"], row["updates"]) == (who, updates)]
        mean = {"life": "mean", "agent": who, "updates": updates}
        mean |= {name: sum(row[name] for row in some) for name in ("games", "won")}
        for name in ("first_win_over_h", "ratio", "ratio_first", "score", "habit"):
            values = [float(row[name]) for row in some if row[name] is not None]
            if not values:
                continue
            told, back = (np.log(values), np.exp) if name not in ("score", "habit") else (np.array(values), np.asarray)
            low, high = interval(told) if len(told) > 1 else (told[0], told[0])
            told = {"value": float(back(told.mean())), "low": float(back(low)), "high": float(back(high))}
            mean[name] = common.figure(told)
        found.append(mean)
    return found


def _geometric(values: list[float]) -> float | None:
    return float(np.exp(np.mean(np.log(values)))) if values else None


if __name__ == "__main__":
    main()
