"""The night: what lives of many games keep in the weights, beside nights that must fail.

Every row is a set of lives by `experiments.life`: days of four new games of difficulty 1, 2 and 3 in turn, a night
after each, and every morning an exam on all games so far. Memory keeps less than a twentieth of all that is lived.
``plain`` are our nights; ``joint`` sleeps once on all that was lived, with as many updates as the others together,
which nothing that learns game after game should beat. The others must fail: no night, targets of other states, no
memory of earlier days, nights that are spent right after each game, and nights before which every fifth game is
forgotten (these games apart). The games are none of those that the agent was designed on. Each cell is kept beside the
results: the same command goes on where it was stopped.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cortex.defaults import Sleep
from experiments import common
from experiments.agents import WITHHELD

FIRST = 30_000_000
"""Seed of the first game."""
KEPT = 0.025
"""Share of all steps of which memory keeps the rows; with the gists of the others it takes less than a twentieth of the
room of all rows."""
PER_DAY = 4
ARMS = ("plain", "joint", "no night", "shuffled", "today", "by day", "withheld")
FIGURES = (
    *("consolidation_index", "habit_over_search", "acc", "learn", "forgetting"),
    *("forgetting_by_chance", "bwt", "min_acc", "acc_over_joint"),
    *("share_without_search", "first_win_over_h", "updates", "cpu_seconds", "bytes_memory", "bytes_weights"),
)
COLUMNS = ("arm", "days", "games", "seeds", *FIGURES, "withheld", "replayed")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="novel_night.csv")
    line.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, help="rows of the table")
    line.add_argument("--controls", type=int, default=3, help="lives of each row but plain")
    line.add_argument("--first", type=int, default=FIRST, help="seed of the first game")
    line.add_argument("--days", type=int, default=10, help="days of a life")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--updates", type=int, default=2000, help="updates of a night")
    line.add_argument("--exam", type=int, default=16, help="episodes of each game's exam")
    line.add_argument("--difficulties", nargs="+", type=int, default=[1, 2, 3], help="classes of games, in turn")
    line.add_argument("--set", nargs="*", default=[], metavar="key=value", help="further settings of the agent")
    line.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    line.add_argument("--runs", type=Path, default=Path("runs/novel_night"), help="folder of the lives and logs")
    options = common.read(line)
    if options.quick:
        options.runs, options.seeds, options.controls, options.days = options.runs / "quick", 1, 1, 2
        options.steps, options.updates, options.exam = 100, 50, 4
        options.arms = [arm for arm in options.arms if arm in ("plain", "shuffled")]
    cells = options.out.with_suffix("")

    def live(arm: str) -> dict[str, Any]:
        games = options.days * PER_DAY
        seeds = options.seeds if arm == "plain" else min(options.seeds, options.controls)
        days = 1 if arm == "joint" else options.days
        line = ["-m", "experiments.life", "--days", str(days), "--games-per-day", str(games // days)]
        line += ["--seeds", str(seeds), "--steps-per-game", str(options.steps), "--exam", str(options.exam)]
        line += [
            "--difficulty",
            *map(str, options.difficulties),
            "--game-seeds",
            f"{options.first}:{options.first + seeds * games}",
        ]
        name = arm.replace(" ", "-")
        line += ["--out", os.path.relpath(cells / f"{name}.csv"), "--runs", str(options.runs / name), "--set"]
        line += [f"{key}={value}" for key, value in settings(arm, games, options).items()] + options.set
        told = common.ask(line, cells / f"{name}.json", options.runs)
        return {"arm": arm, "days": days, **told, **apart(common.read_csv(cells / f"{name}.csv"), arm == "withheld")}

    with ThreadPoolExecutor(options.jobs) as pool:
        table = []
        for told in pool.map(live, options.arms):
            table.append(told)
            joint = next((one["acc"]["value"] for one in table if one["arm"] == "joint" and one["acc"]), None)
            rows = [against(one, joint) for one in table]
            common.write_csv(options.out, ({c: common.figure(one.get(c)) for c in COLUMNS} for one in rows), COLUMNS)
    common.last_line({"experiment": "novel_night", "quick": options.quick, "out": str(options.out), "rows": rows})


def settings(arm: str, games: int, options: Any) -> dict[str, Any]:
    """What the agent of a row is told."""
    kept = max(1, round(KEPT * games * options.steps))
    told = {"hippocampus.capacity": kept, "sleep.steps": options.updates}
    no_past = {"hippocampus.capacity": 1, "hippocampus.gist": 0}
    others = {f"sleep.{name}": getattr(Sleep, name) for name in ("world_model_steps", "body_steps")}
    longer = {name: steps * options.days for name, steps in others.items()}
    shorter = {name: steps // PER_DAY for name, steps in {**others, "sleep.states": Sleep.states}.items()}
    return (
        told
        | {
            "plain": {},
            "joint": longer
            | {"hippocampus.capacity": games * options.steps, "sleep.steps": options.updates * options.days},
            "no night": {"sleep.steps": 0},
            "shuffled": {"control": "shuffled"},
            "today": no_past,
            "by day": no_past | shorter | {"sleep.steps": options.updates // PER_DAY, "control": "naps"},
            "withheld": {"control": "withheld"},
        }[arm]
    )


def apart(games: list[dict[str, str]], withheld: bool) -> dict[str, float | None]:
    """Mean score of the habit on the last morning in games whose memories were withheld, and in the others."""
    marks: dict[bool, list[float]] = {True: [], False: []}
    for row in games if withheld else ():
        if row["last_habit"]:
            marks[(int(row["game"]) + 1) % WITHHELD == 0].append(float(row["last_habit"]))
    return {
        name: sum(marks[side]) / len(marks[side]) if marks[side] else None
        for name, side in (("withheld", True), ("replayed", False))
    }


def against(told: dict[str, Any], joint: float | None) -> dict[str, Any]:
    """A row with its acc over that of joint training, a ratio of two means."""
    if not joint or not told["acc"]:
        return told
    return {**told, "acc_over_joint": {"value": told["acc"]["value"] / joint, "low": None, "high": None}}


if __name__ == "__main__":
    main()
