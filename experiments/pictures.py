"""Pictures instead of symbols: MiniGrid tasks from rendered views, and novel games from sprites on and off the lattice.

In MiniGrid each agent lives one day until 18 of its last 20 episodes were won, from symbols and from pictures, whose
tiles a first look around found (48 random actions before birth, not counted). The first task is also lived from the
``patches`` of the image encoder, told that there are no tiles. The task of the demo goes on: a night, and the next
morning an exam of the habit alone, the hippocampus cleared. Novel games of difficulty 1 are lived as in `novel_day`,
from symbols, from sprites, and from sprites that each episode moves off the lattice by up to seven pixels; their tiles
are told to be 8 pixels wide. A night follows, and exams say what it kept. Each cell of the table is kept beside the
results: the same command goes on where it was stopped.
"""

from __future__ import annotations

import math
import os
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from experiments import common
from experiments.minigrid_day import Bar, Count
from experiments.novel_day import FIRST

TASKS = ("MiniGrid-Empty-5x5-v0", "MiniGrid-DoorKey-5x5-v0", "MiniGrid-MultiRoom-N2-S4-v0")
DEMO = TASKS[-1]
"""The task that the demo lives too."""
TILE = 8
"""Pixels along a rendered cell."""
SENSES = ("symbols", "pictures", "patches")
SPRITES = ("--modalities", "image", "text", "body")
GAMES: dict[str, tuple[str, ...]] = {
    "symbols": (),
    "sprites": SPRITES,
    "offset": (*SPRITES, "--game", "image_offset=True"),
}
"""What novel games are seen as -> what their lives are told."""
KEPT = ("first_win_over_h", "first_win_actions", "learn", "consolidation_index")
COLUMNS = (
    *("world", "sense", "seeds", "limit", "finished", "first_win", "steps", "episodes", "habit"),
    *("games", *KEPT),
)


def days(task: str, sense: str, seeds: int, limit: int, updates: int, exam: int) -> None:
    """Live a MiniGrid task once for each seed, in this process, and print what came of it."""
    told = []
    for seed in range(seeds):
        told.append(_day(task, sense, seed, limit, updates if task == DEMO else 0, exam))
        common.progress(f"{task} {sense} seed {seed}: {told[-1]}")
    common.last_line({"commit": common.commit(), "days": told})


def _day(task: str, sense: str, seed: int, limit: int, updates: int, exam: int) -> dict[str, Any]:
    from cortex.config import load
    from cortex.envs.make import make_vector
    from cortex.looks import look
    from experiments import agents

    bodies = make_vector(lambda: _world(task, sense), 1, seed, held_out=0.0)
    tile = 0 if sense == "patches" else look(load({"seed": seed}), bodies).encoders.tile
    spaces = bodies.single_observation_space, bodies.single_action_space
    learner = agents.make(*spaces, seed, **{"encoders.tile": str(tile), "sleep.steps": str(updates)})
    count = Count(Bar())
    learner.live(bodies, limit, seed, lambda played: count(played.success, played.steps))
    habit = None
    if updates:
        learner.sleep(seed)
        learner.clear()
        habit = float(np.mean([played.success for played in learner.play(bodies, exam, 1_000 + seed, habit=True)]))
    episodes = len(count.wins) if count.reached is not None else None
    return {"tile": tile, "first_win": count.first, "steps": count.reached, "episodes": episodes, "habit": habit}


def _world(task: str, sense: str) -> gymnasium.Env[Any, Any]:
    from minigrid.wrappers import RGBImgPartialObsWrapper

    from cortex.envs.make import make_env

    env = make_env(task)
    return env if sense == "symbols" else RGBImgPartialObsWrapper(env, tile_size=TILE)


def row(told: list[dict[str, Any]]) -> dict[str, Any]:
    """What the seeds of a cell say together: means with intervals, None where one is missing."""
    from cortex.measure.statistics import interval

    found: dict[str, Any] = {"finished": sum(day["steps"] is not None for day in told)}
    for key in ("first_win", "steps", "episodes", "habit"):
        values = [math.nan if day[key] is None else float(day[key]) for day in told]
        low, high = interval(values)
        found[key] = None if math.isnan(low) else {"value": float(np.mean(values)), "low": low, "high": high}
    return found


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="pictures.csv", seeds=5)
    line.add_argument("--tasks", nargs="*", default=list(TASKS), choices=TASKS, help="MiniGrid tasks")
    line.add_argument("--senses", nargs="*", default=list(SENSES), choices=SENSES, help="what they are seen as")
    line.add_argument(
        "--views", nargs="*", default=list(GAMES), choices=list(GAMES), help="what novel games are seen as"
    )
    line.add_argument("--limit", type=int, default=1_500, help="steps of a MiniGrid day at most")
    line.add_argument("--updates", type=int, default=1_500, help="updates of a night")
    line.add_argument("--exam", type=int, default=30, help="episodes of an exam")
    line.add_argument("--lives", type=int, default=3, help="lives of novel games")
    line.add_argument("--games", type=int, default=4, help="games of a life")
    line.add_argument("--steps", type=int, default=300, help="actions of a game")
    line.add_argument("--runs", type=Path, default=Path("runs/pictures"), help="folder of the lives and logs")
    options = common.read(line)
    if options.quick:
        options.seeds, options.limit, options.updates, options.exam = 1, 40, 10, 2
        options.lives, options.games, options.steps = 1, 1, 60
        options.tasks, options.senses, options.views = options.tasks[-1:], options.senses[1:2], options.views[-1:]
        options.runs = options.runs / "quick"
    cells, table = options.out.with_suffix(""), list[dict[str, Any]]()

    def add(**told: Any) -> None:
        table.append(told)
        common.write_csv(options.out, ({c: common.figure(one.get(c)) for c in COLUMNS} for one in table), COLUMNS)

    for task, sense in product(options.tasks, options.senses):
        if sense == "patches" and task != TASKS[0]:
            continue
        call = f"days({task!r}, {sense!r}, {options.seeds}, {options.limit}, {options.updates}, {options.exam})"
        asked = ["-c", f"from experiments import pictures; pictures.{call}"]
        told = common.ask(asked, cells / f"{task}-{sense}.json", options.runs)["days"]
        add(world=task, sense=sense, seeds=options.seeds, limit=options.limit, **row(told))
    for view in options.views:
        life = ["-m", "experiments.life", "--days", "1", "--difficulty", "1", "--split", "T1"]
        life += ["--seeds", str(options.lives), "--games-per-day", str(options.games)]
        life += ["--steps-per-game", str(options.steps), "--exam", str(options.exam)]
        life += ["--runs", str(options.runs / view)]
        life += ["--game-seeds", f"{FIRST}:{FIRST + options.lives * options.games}"]
        life += ["--out", os.path.relpath(cells / f"novel-{view}.csv")]
        life += [*GAMES[view], "--set", f"sleep.steps={options.updates}"]
        life += [f"encoders.tile={TILE}"] if view != "symbols" else []
        told = common.ask(life, cells / f"novel-{view}.json", options.runs)
        kept = {name: told.get(name) for name in ("games", *KEPT)}
        add(world="novel games, difficulty 1", sense=view, seeds=options.lives, limit=options.steps, **kept)
    common.last_line({"experiment": "pictures", "quick": options.quick, "out": str(options.out), "rows": table})


if __name__ == "__main__":
    main()
