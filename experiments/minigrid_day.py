"""MiniGrid as it is, in one day: how many steps a newborn agent takes to win a task, and to win nearly always.

One body, a view of 7 x 7 cells, a mission in words, another layout in each episode, and no weight changes. Counted are
the steps to the first win and those until 18 of the last 20 episodes are won (MemoryS7: 90 of 100), each seed up to a
limit. With ``--peer`` others live the same tasks by the same count. With ``--row`` one memory lives all tasks in a row,
and then each of them again. Each cell of the table is kept beside the results: the same command goes on where it was
stopped, and a cell whose file is deleted is run again.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common

Run = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """Within how many steps so many of the last episodes should be won; None where no number of steps is set."""

    steps: int | None = None
    wins: int = 18
    window: int = 20


BARS = {
    "MiniGrid-Empty-5x5-v0": Bar(250),
    "MiniGrid-DoorKey-5x5-v0": Bar(600),
    "MiniGrid-DoorKey-8x8-v0": Bar(800),
    "BabyAI-GoToObj-v0": Bar(250),
    "BabyAI-GoToLocal-v0": Bar(1_000),
    "MiniGrid-Unlock-v0": Bar(1_000),
    "MiniGrid-MultiRoom-N2-S4-v0": Bar(1_000),
    "MiniGrid-LavaGapS5-v0": Bar(1_000),
    "MiniGrid-FourRooms-v0": Bar(2_500),
    "MiniGrid-MemoryS7-v0": Bar(10_000, 90, 100),
}
FRONTIER = (
    "MiniGrid-UnlockPickup-v0",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-DoorKey-16x16-v0",
    "MiniGrid-KeyCorridorS4R3-v0",
    "MiniGrid-Dynamic-Obstacles-6x6-v0",
)
"""Tasks that are told of without a bar."""

PEERS = {"ppo": 8, "recurrent_ppo": 1}
"""Peer -> the bodies that its settings were chosen with."""

QUICK = {"seeds": 1, "frontier": 80, "peer_steps": 300}
"""Largest values of a quick run; no task is lived for longer than ``frontier`` in it."""

WARM = 3
"""Steps of another body at the beginning of a process: what they load is nobody's time for an action."""

SHOWN = 20
"""Episodes before and after the others by which it is told what a row of tasks left of one."""

COLUMNS = (
    *("task", "agent", "bar", "limit", "seeds", "finished", "within_bar", "first_win", "first_win_min"),
    *("first_win_max", "steps", "steps_max", "success", "ms_per_action", "weights_unchanged", "each"),
)
ROW_COLUMNS = (
    *("task", "bar", "limit", "seeds", "finished", "steps", "steps_max", "again_finished", "again", "again_max"),
    *("wins_before", "wins_again", "ms_per_action", "weights_unchanged"),
)


class Count:
    """The steps to the first win and to the bar, told episode after episode."""

    def __init__(self, bar: Bar) -> None:
        self.bar, self.wins = bar, list[bool]()
        self.first: int | None = None
        self.reached: int | None = None
        self._last: deque[bool] = deque(maxlen=bar.window)

    def __call__(self, success: bool, steps: int) -> bool:
        """An episode that ended after ``steps`` in all; False once the bar is reached."""
        self.wins.append(success)
        self._last.append(success)
        if success and self.first is None:
            self.first = steps
        if len(self._last) == self.bar.window and sum(self._last) >= self.bar.wins and self.reached is None:
            self.reached = steps
        return self.reached is None


def main() -> None:
    """Run the experiment."""
    options = _read()
    from cortex.envs.make import make_env
    from cortex.types import CortexError

    try:
        for task in options.tasks:
            make_env(task).close()
    except CortexError as error:
        sys.exit(f"error: {error}")
    (rows if options.row else tasks)(options)


def tasks(options: argparse.Namespace) -> None:
    """Each task by newborn agents, and by the peers; a row of the table each."""
    cells = options.out.with_suffix("")

    def cell(agent: str, task: str) -> dict[str, Any]:
        bar, limit = BARS.get(task, Bar()), options.peer_steps if agent in PEERS else _limit(task, options)
        call = f"newborns({agent!r}, {task!r}, {options.seeds}, {limit})"
        runs = _ask(call, cells / f"{agent}-{task}.json", options.runs)["runs"]
        return {"task": task, "agent": agent, "bar": bar.steps, "limit": limit, **summary(runs, bar)}

    table: list[dict[str, Any]] = []
    wanted = [(agent, task) for task in options.tasks for agent in ("cortex", *options.peer)]
    with ThreadPoolExecutor(options.jobs) as pool:
        for told in pool.map(lambda one: cell(*one), wanted):
            table.append(told)
            common.write_csv(options.out, table, COLUMNS)
            common.progress("{task} {agent}: {finished} of {seeds} finished, median {steps}".format(**told))
    common.last_line({"experiment": "minigrid_day", "quick": options.quick, "out": str(options.out), "rows": table})


def rows(options: argparse.Namespace) -> None:
    """All tasks in a row by one memory, and again; a row of the table for each task."""
    out = options.out.with_name(f"{options.out.stem}_row.csv")
    limits = {task: _limit(task, options) for task in options.tasks}

    def cell(seed: int) -> dict[str, Any]:
        return _ask(f"in_a_row({limits}, {seed})", out.with_suffix("") / f"seed-{seed}.json", options.runs)

    with ThreadPoolExecutor(options.jobs) as pool:
        lives = list(pool.map(cell, range(options.seeds)))
    table = []
    for place, (task, limit) in enumerate(limits.items()):
        bar, visits = BARS.get(task, Bar()), [[life["visits"][v][place] for life in lives] for v in (0, 1)]
        first, again = (summary(runs, bar) for runs in visits)
        table.append(
            {
                **{"task": task, "bar": bar.steps, "limit": limit, **first},
                "again_finished": again["finished"],
                "again": again["steps"],
                "again_max": again["steps_max"],
                "wins_before": np.mean([np.mean(run["wins"][-SHOWN:] or [0]) for run in visits[0]]),
                "wins_again": np.mean([np.mean(run["wins"][:SHOWN] or [0]) for run in visits[1]]),
                "weights_unchanged": first["weights_unchanged"] and again["weights_unchanged"],
            }
        )
    common.write_csv(out, ({column: row[column] for column in ROW_COLUMNS} for row in table), ROW_COLUMNS)
    common.last_line({"experiment": "minigrid_day", "quick": options.quick, "out": str(out), "rows": table})


def summary(runs: Sequence[Run], bar: Bar) -> dict[str, Any]:
    """What the seeds of a task say together; None for a median or a largest that lies beyond the limit."""
    steps, first = ([math.inf if run[key] is None else run[key] for run in runs] for key in ("reached", "first"))
    unchanged = [run["unchanged"] for run in runs if run["unchanged"] is not None]
    return {
        "seeds": len(runs),
        "finished": sum(map(math.isfinite, steps)),
        "within_bar": None if bar.steps is None else float(np.mean([count <= bar.steps for count in steps])),
        "first_win": _finite(np.median(first)),
        "first_win_min": _finite(min(first)),
        "first_win_max": _finite(max(first)),
        "steps": _finite(np.median(steps)),
        "steps_max": _finite(max(steps)),
        "success": float(np.mean([np.mean(run["wins"][-bar.window :] or [0]) for run in runs])),
        "ms_per_action": 1000 * sum(run["cpu_seconds"] for run in runs) / sum(run["lived"] for run in runs),
        "weights_unchanged": all(unchanged) if unchanged else None,
        "each": " ".join("-" if run["reached"] is None else str(run["reached"]) for run in runs),
    }


def newborns(agent: str, task: str, seeds: int, limit: int) -> None:
    """Live a task once for each seed, in this process, and print what came of it."""
    live, runs = _peer if agent in PEERS else _ours, list[Run]()
    live(agent, task, 0, WARM)
    for seed in range(seeds):
        runs.append(live(agent, task, seed, limit))
        common.progress(f"{task} {agent} seed {seed}: first win {runs[-1]['first']}, bar {runs[-1]['reached']}")
    common.last_line({"commit": common.commit(), "runs": runs})


def in_a_row(limits: dict[str, int], seed: int) -> None:
    """Live all tasks with one memory, then each of them again, in this process, and print what came of it."""
    from cortex import keep

    _ours("cortex", next(iter(limits)), seed, WARM)
    agent, visits = None, list[list[Run]]()
    for _ in range(2):
        visits.append([])
        for task, limit in limits.items():
            bodies = _bodies(task, 1)
            agent = agent or _newborn(bodies, seed)
            visits[-1].append(_day(agent, bodies, task, len(visits) * 1_000 + seed, limit))
            keep.awaken(agent)  # what the unfinished episode taught is known in the next task too
            common.progress(f"visit {len(visits)} of {task}: bar {visits[-1][-1]['reached']}")
    common.last_line({"commit": common.commit(), "visits": visits})


def _ours(_: str, task: str, seed: int, limit: int) -> Run:
    bodies = _bodies(task, 1)
    return _day(_newborn(bodies, seed), bodies, task, seed, limit)


def _newborn(bodies: Any, seed: int) -> Any:
    from experiments.agents import make

    return make(bodies.single_observation_space, bodies.single_action_space, seed).agent


def _day(agent: Any, bodies: Any, task: str, seed: int, limit: int) -> Run:
    """A day of our agent in a task, over once the bar is reached."""
    from cortex.day import Ended, live_day

    count, digest = Count(BARS.get(task, Bar())), agent.digest()

    def see(_: int, finished: Sequence[Ended]) -> bool:
        return all(count(episode.success, episode.total) for episode in finished if episode.fault is None)

    agent.hippocampus.environment += 1
    run = _timed(count, lambda: live_day(agent, bodies, limit, seed, np.random.default_rng(seed), see))
    return {"seed": seed, **run, "unchanged": agent.digest() == digest}


def _peer(name: str, task: str, seed: int, limit: int) -> Run:
    """The training of a peer in a task, over once the bar is reached."""
    import importlib

    bodies, count = _bodies(task, PEERS[name]), Count(BARS.get(task, Bar()))
    make = importlib.import_module(f"experiments.baselines.{name}").make
    learner = make(bodies.single_observation_space, bodies.single_action_space, seed)
    run = _timed(count, lambda: learner.live(bodies, limit, seed, lambda played: count(played.success, played.steps)))
    return {"seed": seed, **run, "unchanged": None}


def _timed(count: Count, live: Callable[[], int]) -> Run:
    began = time.process_time()
    lived = live()
    spent = {"lived": lived, "cpu_seconds": time.process_time() - began}
    return {"first": count.first, "reached": count.reached, **spent, "wins": list(map(int, count.wins))}


def _bodies(task: str, count: int) -> Any:
    from cortex.envs.make import make_vector

    return make_vector(task, count, part="day", held_out=0.0)


def _ask(call: str, cell: Path, logs: Path) -> dict[str, Any]:
    return common.ask(["-c", f"from experiments import minigrid_day; minigrid_day.{call}"], cell, logs)


def _limit(task: str, options: argparse.Namespace) -> int:
    """Steps after which a seed that has not finished is given up."""
    bar = BARS.get(task, Bar()).steps
    limit = options.frontier if bar is None else round(options.times * bar)
    return min(limit, options.frontier) if options.quick else limit


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _read() -> argparse.Namespace:
    line = common.parser(__doc__, out="minigrid_day.csv", seeds=10)
    line.add_argument("--tasks", nargs="+", help="environment ids; else all with a bar, and the frontier unless --row")
    line.add_argument("--peer", nargs="+", default=[], choices=list(PEERS), help="who lives the same tasks beside")
    line.add_argument("--row", action="store_true", help="one memory over all tasks, then each of them again")
    line.add_argument("--times", type=float, default=4, help="limit of a task, in bars")
    line.add_argument("--frontier", type=int, default=5_000, help="limit of a task without a bar, in steps")
    line.add_argument("--peer-steps", type=int, default=20_000, help="limit of a peer, in steps of all its bodies")
    line.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    line.add_argument("--runs", type=Path, default=Path("runs/minigrid_day"), help="folder of the logs")
    options = common.read(line)
    quick = options.tasks is None and options.quick
    options.tasks = options.tasks or [*BARS, *(() if options.row else FRONTIER)][: 2 if quick else None]
    for name in QUICK if options.quick else ():
        setattr(options, name, min(getattr(options, name), QUICK[name]))
    if options.row and options.peer:
        line.error("--row lives the agent alone; --peer goes without it")
    return options


if __name__ == "__main__":
    main()
