"""How often acting without looking wins: the best constant distribution of actions, task by task.

A task in which it wins often proves nothing about an agent. Beside it stands the number of different layouts among a
number of resets: a task with few layouts can be learned by heart.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import binomtest

from cortex.envs.layouts import layout_digest
from cortex.envs.make import make_env
from cortex.measure.constant import best_constant, blind, play_constant
from experiments import common

TASKS = (
    "MiniGrid-DoorKey-5x5-v0",
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-GoToDoor-5x5-v0",
    "MiniGrid-GoToDoor-6x6-v0",
    "MiniGrid-Unlock-v0",
    "MiniGrid-UnlockPickup-v0",
    "MiniGrid-LavaGapS5-v0",
    "MiniGrid-LavaCrossingS9N1-v0",
    "MiniGrid-SimpleCrossingS9N1-v0",
    "MiniGrid-MultiRoom-N2-S4-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
    "MiniGrid-GoToObject-6x6-N2-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
    "MiniGrid-KeyCorridorS3R1-v0",
    "BabyAI-GoToRedBallGrey-v0",
    "BabyAI-GoToLocalS5N2-v0",
    "BabyAI-GoToLocalS7N4-v0",
    "BabyAI-PickupLoc-v0",
    "BabyAI-PickupDist-v0",
    "BabyAI-OpenRedDoor-v0",
    "BabyAI-PutNextLocalS5N3-v0",
)
COLUMNS = ("task", "success", "low", "high", "distribution", "layouts", "resets", "max_steps", "episodes", "seconds")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="constants.csv", seeds=1)
    line.add_argument("--tasks", nargs="+", default=TASKS, help="environment ids")
    line.add_argument("--episodes", type=int, default=400, help="episodes of each rung, and of the fresh evaluation")
    line.add_argument("--resets", type=int, default=2000, help="resets in which layouts are counted")
    options = common.read(line)
    if options.quick:
        options.episodes, options.resets = min(options.episodes, 60), min(options.resets, 200)
    rows = []
    for task in options.tasks:
        rows.append(measure(task, options.episodes, options.resets, options.seeds))
        common.progress("{task}: {success:.3f} [{low:.3f}, {high:.3f}] {layouts}/{resets} layouts".format(**rows[-1]))
        common.write_csv(options.out, rows, COLUMNS)
    common.last_line(
        {"experiment": "constants", "out": str(options.out), "tasks": {row.pop("task"): row for row in rows}}
    )


def measure(task: str, episodes: int, resets: int, seeds: int) -> dict[str, Any]:
    """One row: the best of ``seeds`` searches, its fresh success with a 95 % Wilson interval, and the layouts."""
    began = time.perf_counter()
    env = make_env(task)
    found = [best_constant(partial(make_env, task), episodes, np.random.default_rng(seed)) for seed in range(seeds)]
    distribution, _ = max(found, key=lambda pair: pair[1])
    rng = np.random.default_rng(seeds)
    success, _ = play_constant(blind(env), distribution, rng.integers(2**31, size=episodes), rng)
    interval = binomtest(round(success * episodes), episodes).proportion_ci(method="wilson")
    return {
        "task": task,
        "success": success,
        "low": float(interval.low),
        "high": float(interval.high),
        "distribution": " ".join(f"{chance:.2f}" for chance in distribution),
        "layouts": len({layout_digest(env, env.reset(seed=seed)[0]) for seed in range(resets)}),
        "resets": resets,
        "max_steps": getattr(env.unwrapped, "max_steps", None) or (env.spec and env.spec.max_episode_steps),
        "episodes": episodes,
        "seconds": time.perf_counter() - began,
    }


if __name__ == "__main__":
    main()
