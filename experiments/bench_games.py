"""How fast novel games are on one core: 1,024 bodies, each in its own game, random actions, processor time."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np

import cortex  # noqa: F401  registers the games
from experiments import common

CASES: dict[str, dict[str, Any]] = {
    "grid": {"modalities": ("grid",)},
    "ego": {"modalities": ("grid",), "view": "ego"},
    "default": {},
    "image": {"modalities": ("image",)},
    "noise_1000": {"modalities": ("grid",), "noise": 1000},
}
COLUMNS = ("case", "difficulty", "bodies", "seed", "steps_per_second")
DIFFICULTY = 5


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="bench_games.csv", seeds=3)
    line.add_argument("--bodies", type=int, default=1024, help="bodies at once, each in its own game")
    line.add_argument("--steps", type=int, default=1000, help="steps of each body")
    options = common.read(line)
    if options.quick:
        options.bodies, options.steps, options.seeds = min(options.bodies, 64), min(options.steps, 50), 1
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for case, settings in CASES.items():
            speed = measure(options.bodies, options.steps, seed, settings)
            rows.append({"case": case, "difficulty": DIFFICULTY, "bodies": options.bodies, "seed": seed})
            rows[-1]["steps_per_second"] = round(speed)
            common.progress(f"{case}: {speed:,.0f} steps/s")
            common.write_csv(options.out, rows, COLUMNS)
    medians = {c: float(np.median([r["steps_per_second"] for r in rows if r["case"] == c])) for c in CASES}
    common.last_line({"experiment": "bench_games", "quick": options.quick, "steps_per_second": medians})


def measure(bodies: int, steps: int, seed: int, settings: dict[str, Any]) -> float:
    """Steps of all bodies a second of processor time, observations included; what compiles is run before."""
    games = np.arange(bodies) + bodies * seed
    envs = gymnasium.make_vec(
        "cortex/NovelGame-v0",
        bodies,
        vectorization_mode="vector_entry_point",
        game_seed=games,
        difficulty=DIFFICULTY,
        **settings,
    )
    envs.reset(seed=seed)
    actions = np.random.default_rng(seed).integers(6, size=(steps + 1, bodies))
    envs.step(actions[-1])
    began = time.process_time()
    for chosen in actions[:-1]:
        envs.step(chosen)
    seconds = time.process_time() - began
    envs.close()
    return bodies * steps / seconds


if __name__ == "__main__":
    main()
