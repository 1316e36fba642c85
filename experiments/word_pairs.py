"""Missions that join words which were never heard together: is what each word means learned, or each mission by heart?

Every mission of these tasks names a colour and a thing. Of all pairs each colour is kept from one thing: an agent never
hears of those pairs in its one day and its one night, and is then examined on them and on the pairs that it heard of.
``day`` is an exam by memory and search in the evening, no weight having changed; ``morning`` one by the habit alone,
the hippocampus cleared. To ``plain`` each mission is a symbol, ``deaf`` hears no words, ``random`` acts by lot: what
they get tells what can be had without understanding; they sleep no night. In GoToLocal whatever is reached can be tried
until it pays, in Fetch the first mistake ends the episode. Each cell of the table is kept beside the results: the same
command goes on where it was stopped.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from experiments import common

TASKS = ("BabyAI-GoToLocal-v0", "MiniGrid-Fetch-6x6-N2-v0")
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
THINGS = {"BabyAI-GoToLocal-v0": ("ball", "box", "key"), "MiniGrid-Fetch-6x6-N2-v0": ("ball", "key")}
ARMS: dict[str, tuple[str, ...]] = {
    "named": ("hippocampus.naming=4",),
    "plain": (),
    "deaf": ("encoders.words=0",),
    "random": (),
}
"""What a row of the table is called -> what its agents are told."""
DRAWS = 10_000
"""Missions drawn before one of the wanted pairs must have come."""
SIDES = ("seen", "held")
EXAMS = ("day", "morning")
COLUMNS = (
    *("task", "arm", "seeds", "steps", "exam", "updates"),
    *(f"{when}_{what}" for when in EXAMS for what in (*SIDES, "ratio")),
    *(f"day_{side}_steps" for side in SIDES),
)


class Pairs(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Begins only with missions that name one of the ``held`` pairs, or with ``heard`` only those that name none."""

    def __init__(self, env: gymnasium.Env[Any, Any], held: frozenset[tuple[str, str]], heard: bool) -> None:
        super().__init__(env)
        self.held, self.heard = held, heard

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As ``gymnasium.Env.reset``; missions are drawn until one fits."""
        for draw in range(DRAWS):
            seen, info = self.env.reset(seed=seed if draw == 0 else None, options=options)
            if (pair_of(seen["mission"]) in self.held) != self.heard:
                return seen, info
        raise RuntimeError(f"{DRAWS} missions held none of the wanted pairs")


def pair_of(mission: str) -> tuple[str, str]:
    """Colour and thing that a mission names: its last two words."""
    colour, thing = mission.split()[-2:]
    return colour, thing


def held_out(task: str, seed: int) -> frozenset[tuple[str, str]]:
    """The pairs that are never heard of by day: one of each colour, each thing as often; others with another seed."""
    things = THINGS[task]
    return frozenset((colour, things[(at + seed) % len(things)]) for at, colour in enumerate(COLOURS))


def lives(task: str, arm: str, seeds: int, steps: int, exam: int, updates: int) -> None:
    """Live a day and a night once for each seed, in this process, and print what the exams told."""
    told = []
    for seed in range(seeds):
        told.append(_life(task, arm, seed, steps, exam, updates))
        shown = ", ".join(f"{key} {np.mean(won):.2f}" for key, won in told[-1].items())
        common.progress(f"{task} {arm} seed {seed}: {shown}")
    common.last_line({"commit": common.commit(), "lives": told})


def _life(task: str, arm: str, seed: int, steps: int, exam: int, updates: int) -> dict[str, list[float]]:
    """Each episode of each exam: won or not, and its steps."""
    from cortex.envs.make import make_env, make_vector
    from experiments import agents
    from experiments.baselines import random

    held = held_out(task, seed)
    bodies = {
        side: make_vector(lambda side=side: Pairs(make_env(task), held, side == "seen"), 1, seed, held_out=0.0)
        for side in SIDES
    }
    spaces = bodies["seen"].single_observation_space, bodies["seen"].single_action_space
    settings = dict(line.split("=") for line in ARMS[arm]) | {"sleep.steps": str(updates)}
    learner: Any = random.make(*spaces, seed) if arm == "random" else agents.make(*spaces, seed, **settings)
    learner.live(bodies["seen"], steps, seed, lambda _: True)
    told: dict[str, list[float]] = {}
    for when in EXAMS[: 2 if arm == "named" and updates else 1]:
        if when == "morning":
            learner.sleep(seed)
            learner.clear()
        for side in SIDES:
            played = learner.play(bodies[side], exam, 1_000 + seed, habit=when == "morning")
            told[f"{when}_{side}"] = [float(episode.success) for episode in played]
            if when == "day":
                told[f"day_{side}_steps"] = [float(episode.length) for episode in played]
    return told


def row(told: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Means with intervals over seeds, and success on held-out pairs over that on the others."""
    from cortex.measure.statistics import interval, nested_interval

    found: dict[str, Any] = {}
    for key in told[0]:
        means = [float(np.mean(life[key])) for life in told]
        low, high = interval(means)
        found[key] = {"value": float(np.mean(means)), "low": low, "high": high}
    for when in EXAMS:
        if f"{when}_held" in found and found[f"{when}_seen"]["value"]:
            groups = [np.column_stack([life[f"{when}_{side}"] for side in reversed(SIDES)]) for life in told]
            with np.errstate(divide="ignore", invalid="ignore"):  # a resample without a win says nothing
                low, high = nested_interval(groups, lambda games: games[..., 0].mean(-1) / games[..., 1].mean(-1))
            share = found[f"{when}_held"]["value"] / found[f"{when}_seen"]["value"]
            found[f"{when}_ratio"] = {"value": share, "low": low, "high": high}
    return found


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="word_pairs.csv", seeds=5)
    line.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS, help="tasks with such missions")
    line.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="rows of the table")
    line.add_argument("--steps", type=int, default=1_500, help="steps of the day")
    line.add_argument("--exam", type=int, default=30, help="episodes of each exam")
    line.add_argument("--updates", type=int, default=3_000, help="updates of the night; 0: no morning")
    line.add_argument("--runs", type=Path, default=Path("runs/word_pairs"), help="folder of the logs")
    options = common.read(line)
    if options.quick:
        options.seeds, options.steps, options.exam, options.updates = 1, 150, 3, 20
        options.tasks, options.runs = options.tasks[-1:], options.runs / "quick"
    cells, table = options.out.with_suffix(""), list[dict[str, Any]]()
    for task, arm in product(options.tasks, options.arms):
        call = f"lives({task!r}, {arm!r}, {options.seeds}, {options.steps}, {options.exam}, {options.updates})"
        asked = ["-c", f"from experiments import word_pairs; word_pairs.{call}"]
        told = row(common.ask(asked, cells / f"{task}-{arm}.json", options.runs)["lives"])
        facts = {name: getattr(options, name) for name in ("seeds", "steps", "exam", "updates")}
        table.append({"task": task, "arm": arm, **facts, **told})
        rows = ({column: common.figure(one.get(column)) for column in COLUMNS} for one in table)
        common.write_csv(options.out, rows, COLUMNS)
    common.last_line({"experiment": "word_pairs", "quick": options.quick, "out": str(options.out), "rows": table})


if __name__ == "__main__":
    main()
