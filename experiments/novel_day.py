"""The day alone: how soon games never seen before are won by memory and search, while no weight changes.

Every row is a set of lives by `experiments.life`, one body, without nights: actions to the first win over those of the
reference learner, and the wins by try; the last rows are over all difficulties. The memory is kept over all games of a
life, unless a variant empties it; others disturb the senses or add to the game. The games are none of those that the
agent was designed on. Each cell of the table is kept beside the results: the same command goes on where it was stopped,
and a cell whose file is deleted is run again.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common
from experiments.novel_peers import TRIES, row

FIRST = 10_000_000
"""Seed of the first game."""

FIGURES = ("first_win_over_h", "first_win_actions", "auc", "adaptation_share", "cpu_seconds", "bytes_memory")
COLUMNS = ("agent", "difficulty", "split", "variant", "games", "seeds", *(f"try_{k}" for k in TRIES), *FIGURES)

VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "cleared": ("--clear-between-games",),
    "noise-key": ("--noise", "1000"),
    "noise-body": ("--noise", "1000", "--game", "noise_in=body"),
    "noise-grid": ("--noise", "100", "--game", "noise_in=grid"),  # 1,000 would be more planes than a grid may have
    "flicker": ("--wrap", "experiments.disturbed:flicker"),
    "renamed": ("--wrap", "experiments.disturbed:renamed"),
    "decoys": ("--game", "decoys=6"),  # the most that a game has
    "ego": ("--view", "ego"),
    "no-levels": ("--set", "hippocampus.levels=[]"),
}
"""What a row of the table is called -> what its lives are told beside."""


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="novel_day.csv", seeds=5)
    line.add_argument("--agents", nargs="+", default=["cortex"], help="cortex, or names of files in baselines")
    line.add_argument("--difficulties", nargs="+", type=int, default=[1, 2, 3, 4], help="classes of games")
    line.add_argument("--splits", nargs="+", default=["T1"], help="which rules: train, or T0 to T4")
    line.add_argument("--variants", nargs="+", default=["plain"], choices=list(VARIANTS), help="rows of the table")
    line.add_argument("--games", type=int, default=8, help="games of a life")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    line.add_argument("--runs", type=Path, default=Path("runs/novel_day"), help="folder of the lives and logs")
    options = common.read(line)
    if options.quick:
        options.runs, options.seeds, options.games = options.runs / "quick", 1, min(options.games, 2)
        options.difficulties, options.splits = options.difficulties[:1], options.splits[:1]
        options.variants, options.steps = options.variants[:1], min(options.steps, 100)
    cells = options.out.with_suffix("")

    def live(agent: str, difficulty: int, split: str, variant: str) -> dict[str, Any]:
        name = f"{agent}-{difficulty}-{split}-{variant}"
        line = ["-m", "experiments.life", "--days", "0", "--agent", agent, "--difficulty", str(difficulty)]
        line += ["--split", split, "--seeds", str(options.seeds), "--games-per-day", str(options.games)]
        line += [
            "--steps-per-game",
            str(options.steps),
            "--runs",
            str(options.runs / f"{difficulty}-{split}-{variant}"),
        ]
        line += ["--game-seeds", f"{FIRST}:{FIRST + options.seeds * options.games}"]
        line += ["--out", os.path.relpath(cells / f"{name}.csv")]
        line += VARIANTS[variant]
        told = common.ask(line, cells / f"{name}.json", options.runs)
        return {"agent": agent, "difficulty": difficulty, "split": split, "variant": variant, **told}

    wanted = product(options.agents, options.difficulties, options.splits, options.variants)
    table: list[dict[str, Any]] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for told in pool.map(lambda one: live(*one), wanted):
            table.append(told)
            common.write_csv(options.out, (row(one, COLUMNS) for one in [*table, *over(table, cells)]), COLUMNS)
    table += over(table, cells)
    common.last_line({"experiment": "novel_day", "quick": options.quick, "out": str(options.out), "rows": table})


def over(table: list[dict[str, Any]], cells: Path) -> list[dict[str, Any]]:
    """The first wins in games of several difficulties together, of each agent, split and variant."""
    from cortex.measure.statistics import nested_interval

    rows = []
    for agent, split, variant in dict.fromkeys((one["agent"], one["split"], one["variant"]) for one in table):
        some = [one for one in table if (one["agent"], one["split"], one["variant"]) == (agent, split, variant)]
        lives: dict[str, list[float]] = {}
        for one in some:
            for game in common.read_csv(cells / f"{agent}-{one['difficulty']}-{split}-{variant}.csv"):
                lives.setdefault(game["seed"], []).append(float(np.log(float(game["first_win"]) / float(game["h"]))))
        logs = [np.array(life) for life in lives.values()]
        if len(some) == 1 or not logs:
            continue
        low, high = nested_interval(logs, lambda games: games.mean(axis=-1))
        middle = float(np.concatenate(logs).mean())
        figure = {name: float(np.exp(value)) for name, value in (("value", middle), ("low", low), ("high", high))}
        which = " ".join(str(one["difficulty"]) for one in some)
        told = {"agent": agent, "difficulty": which, "split": split, "variant": variant, "seeds": len(lives)}
        told |= {"win_rate_by_try": dict.fromkeys(TRIES)}
        rows.append({**dict.fromkeys(COLUMNS), **told, "games": sum(map(len, logs)), "first_win_over_h": figure})
    return rows


if __name__ == "__main__":
    main()
