"""How many environment steps until a task is won: an agent that learns by memory and search, beside PPO.

Won means success .9 over the last 20 episodes (CartPole: a mean return of 475 over the last 100). Both sides are
counted on the episodes they live while they learn. Ours lives in one body, and in MiniGrid one day, so no weight
changes; in CartPole, where a scene hardly ever comes back, it lives days of 1,000 steps and sleeps between them. The
curves of both stay beside the table as peers_TASK.csv, with peers.png and peers.svg.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common

Episodes = list[dict[str, Any]]

# Task -> the episodes' score, window and bar; then the budgets of our side and of PPO.
TASKS: dict[str, tuple[str, int, float, int, int]] = {
    "CartPole-v1": ("return", 100, 475.0, 4_000, 100_000),
    "MiniGrid-Empty-5x5-v0": ("success", 20, 0.9, 1_000, 20_000),
    "MiniGrid-DoorKey-5x5-v0": ("success", 20, 0.9, 3_000, 100_000),
}
QUICK = (1_000, 3_000)
"""Largest budgets of our side and of PPO in a quick run; PPO's schedules keep their full length."""

NIGHTS = {"CartPole-v1": ("life.steps=1000", "sleep.steps=500", "sleep.states=1000", "planner.simulations=64")}
"""Tasks that are learned over several days, and their settings; the others are learned in one."""

COLUMNS = ("task", "side", "seed", "solved", "best", "episodes", "steps", "seconds")
CURVE = ("side", "seed", "steps", "length", "return", "success")
COLOURS = {"cortex": "#0f766e", "ppo": "#b45309"}


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="peers.csv")
    line.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS), help="environment ids")
    line.add_argument("--sides", nargs="+", default=["cortex", "ppo"], choices=["cortex", "ppo"], help="who runs")
    options = common.read(line)
    seeds = min(options.seeds, 2) if options.quick else options.seeds
    table: list[dict[str, Any]] = []
    curves: dict[str, dict[tuple[str, int], Episodes]] = defaultdict(dict)
    for task in options.tasks:
        for seed in range(seeds):
            for side in options.sides:
                began = time.perf_counter()
                episodes = {"cortex": _ours, "ppo": _ppo}[side](task, seed, options.quick)
                curves[task][side, seed] = episodes
                table.append(_row(task, side, seed, episodes, time.perf_counter() - began))
                common.progress("{task} {side} seed {seed}: solved at {solved}, best {best:.2f}".format(**table[-1]))
        _keep(options.out, task, curves[task])
        common.write_csv(options.out, table, COLUMNS)
    draw(options.out, curves)
    common.last_line({"experiment": "peers", "quick": options.quick, "out": str(options.out), "tasks": summary(table)})


def score(task: str, episodes: Episodes) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean score of the window that ends at each episode from the first full window on; empty before."""
    key, window, *_ = TASKS[task]
    values = np.array([float(episode[key]) for episode in episodes])
    if len(values) < window:
        return np.zeros(0)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return (sums[window:] - sums[:-window]) / window


def solved(task: str, episodes: Episodes) -> int | None:
    """Environment steps at the end of the first window that reaches the bar; None where none does."""
    _, window, bar, *_ = TASKS[task]
    reached = np.flatnonzero(score(task, episodes) >= bar - 1e-9)
    return int(episodes[window - 1 + reached[0]]["steps"]) if len(reached) else None


def summary(table: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each task and side: how many seeds solved it, the steps of each (None: not solved), their median."""
    answer: dict[str, dict[str, Any]] = defaultdict(dict)
    for task, side in dict.fromkeys((row["task"], row["side"]) for row in table):
        steps = [row["solved"] for row in table if (row["task"], row["side"]) == (task, side)]
        done = [count for count in steps if count is not None]
        median = float(np.median(done)) if len(done) == len(steps) else None
        best = [round(row["best"], 3) for row in table if (row["task"], row["side"]) == (task, side)]
        answer[task][side] = {"solved": len(done), "seeds": len(steps), "steps": steps, "median": median, "best": best}
    return dict(answer)


def _ours(task: str, seed: int, quick: bool) -> Episodes:
    import cortex

    budget = min(TASKS[task][3], QUICK[0]) if quick else TASKS[task][3]
    episodes: Episodes = []
    # Every layout, as for PPO; one body, so that an action is counted once for what it teaches.
    day = NIGHTS.get(task, (f"life.steps={budget}",))
    agent = cortex.Agent.make(task, "life.held_out=0", "life.bodies=1", *day, seed=seed)
    agent.learn(total_timesteps=budget, on_episode=episodes.append)
    return episodes


def _ppo(task: str, seed: int, quick: bool) -> Episodes:
    from experiments.baselines import ppo

    budget = QUICK[1] if quick else TASKS[task][4]
    window = TASKS[task][1]

    def enough(episodes: Episodes) -> bool:
        return episodes[-1]["steps"] >= budget or solved(task, episodes[-window:]) is not None

    return ppo.run(task, seed, TASKS[task][4], enough)


def _row(task: str, side: str, seed: int, episodes: Episodes, seconds: float) -> dict[str, Any]:
    scores = score(task, episodes)
    key = TASKS[task][0]
    # Where no window is full yet, the mean of all episodes says what there is to say.
    best = float(scores.max()) if len(scores) else float(np.mean([float(e[key]) for e in episodes] or [0.0]))
    steps = int(episodes[-1]["steps"]) if episodes else 0
    counts = {"solved": solved(task, episodes), "best": best, "episodes": len(episodes), "steps": steps}
    return {"task": task, "side": side, "seed": seed, **counts, "seconds": seconds}


def _keep(out: Path, task: str, runs: dict[tuple[str, int], Episodes]) -> None:
    rows = [
        {"side": side, "seed": seed, **{key: episode[key] for key in CURVE[2:]}}
        for (side, seed), episodes in runs.items()
        for episode in episodes
    ]
    common.write_csv(out.with_name(f"{out.stem}_{task}.csv"), rows, CURVE)


def draw(out: Path, curves: dict[str, dict[tuple[str, int], Episodes]]) -> None:
    """Draw a panel a task, a line a seed: the mean of the last window, or of all episodes before the first window is
    full, over environment steps, logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(curves), figsize=(4.6 * len(curves), 3.4), squeeze=False)
    for panel, (task, runs) in zip(panels[0], curves.items()):
        key, window, bar, *_ = TASKS[task]
        panel.set_ylim(0, bar * 1.12)
        for (side, seed), episodes in runs.items():
            values = np.array([float(episode[key]) for episode in episodes])
            scores = [values[max(0, i - window) : i].mean() for i in range(1, len(values) + 1)]
            steps = [episode["steps"] for episode in episodes]
            panel.plot(steps, scores, color=COLOURS[side], alpha=0.8, lw=1.4, label=side if seed == 0 else None)
        panel.axhline(bar, color="#64748b", lw=0.8, ls=":")
        panel.set(
            title=task,
            xscale="log",
            xlim=(10, TASKS[task][4]),
            xlabel="environment steps",
            ylabel=f"{key}, last {window} episodes",
        )
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    figure.tight_layout()
    for suffix in (".png", ".svg"):
        figure.savefig(out.with_suffix(suffix), dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
