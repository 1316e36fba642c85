"""How long a night takes on one core, stage by stage, and how near its training comes to what that core can multiply.

A newborn lives a day of new novel games and sleeps on it; so do agents of ``--lives`` on the day after their last.
Then some updates of the same habit on the same lessons are profiled: floating point operations a second of its products
(of matrices, and convolutions), against those of one large product of matrices in the same precision, and where the
time of an update goes.
"""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before numpy counts the cores
    os.environ[threads] = "1"

import copy  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import AbstractContextManager, ExitStack, closing  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from experiments import common, lived  # noqa: E402

FIRST = 70_000_000
"""Seed of the first of the day's games."""
SIDE = 1024
"""Rows and columns of the large product."""
KINDS = {"convolutions": ("convolution",), "products": ("addmm", "aten::mm", "bmm", "matmul")}
"""What the time of an update is divided into, by a part of the operators' names; the optimiser and all else apart."""
STAGES = ("settle", "world model", "body", "choose", "re-search", "distil", "guard")
SPENT = {stage: stage.replace(" ", "_").replace("-", "_") + "_seconds" for stage in STAGES}
"""Their columns."""
SHARES = (*KINDS, "optimiser", "rest")
COLUMNS = (
    "agent", "situations", "steps", "rows", "lessons", "updates", "wall_seconds", "cpu_seconds",
    *SPENT.values(),
    "update_ms", "gflop", "gflops", "peak_gflops", "of_peak", *(f"{share}_share" for share in SHARES), "resident_mb",
)  # fmt: skip
KILOBYTES = 2**20 if sys.platform == "darwin" else 2**10
"""What a megabyte is in the unit of ru_maxrss."""


class Onlooker:
    """Keeps what a night is about to learn."""

    lessons: Any = None
    drawn = None

    def chose(self, agent: Any, episodes: Any, lessons: Any) -> None:
        """Keep it."""
        self.lessons = lessons

    def woke(self, agent: Any, report: dict[str, Any]) -> None:
        """The night is over."""


def main() -> None:
    """Run the experiment."""
    line = lived.parser(__doc__, out="bench_night.csv")
    line.add_argument("--games", type=int, default=4, help="games of the day")
    line.add_argument("--steps", type=int, default=2000, help="steps of each game")
    line.add_argument("--bodies", type=int, default=8, help="bodies at once")
    line.add_argument("--profiled", type=int, default=60, help="updates that are profiled")
    line.add_argument("--set", nargs="*", default=[], metavar="key=value", help="settings of the newborn")
    options = common.read(line)
    if options.quick:
        options.games, options.steps, options.profiled = 1, 100, 3
        options.set = ["sleep.steps=20", "sleep.states=64", "sleep.world_model_steps=10"]
    lives = sorted(folder for folder in options.lives.glob("*") if lived.slept(folder)) if not options.quick else []
    rows = []
    for folder in [None, *lives][: 1 + options.seeds]:
        rows.append(measure(folder, options))
        common.write_csv(options.out, rows, COLUMNS)
        common.progress(describe(rows[-1]))
    common.last_line({"experiment": "bench_night", "quick": options.quick, "out": str(options.out), "rows": rows})


def measure(folder: Path | None, options: Any) -> dict[str, Any]:
    """The row of a newborn, or of the life kept in ``folder``."""
    import torch

    from cortex.sleep import night

    torch.set_num_threads(1)
    life = lived.LIFE if folder is None else lived.events_of(folder)[0]
    games = lived.games_like(life, FIRST, options.games)
    learner = newborn(games[0], options.set) if folder is None else lived.wake(folder)
    for number, made in enumerate(games):
        with closing(made.make(options.bodies, "day")) as bodies:
            learner.live(bodies, options.steps, number, lambda _: True)
    agent, watcher = learner.agent, Onlooker()
    given: Any = watcher
    wall, cpu = time.perf_counter(), time.process_time()
    report = night(agent, np.random.default_rng(0), watcher=given)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    store = agent.hippocampus.store
    known = {store.read(number).situation for number in store.episodes()}
    row = {
        "agent": "newborn" if folder is None else folder.name,
        "situations": len(known),
        "steps": options.games * options.steps,
        "rows": store.steps,
        "lessons": 0 if watcher.lessons is None else int(watcher.lessons.found.sum()),
        "updates": report["updates"],
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        **{SPENT[stage]: seconds for stage, seconds in report["stages"].items()},
    }
    if watcher.lessons is not None:
        row |= profile(agent, watcher.lessons, options.profiled)
    return {**row, "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTES}


def newborn(made: Any, settings: list[str]) -> Any:
    """One that never lived."""
    from experiments.agents import make

    told = dict(line.split("=", 1) for line in settings)
    with closing(made.make(1, "day")) as body:
        return make(body.single_observation_space, body.single_action_space, 0, **told)


def profile(agent: Any, lessons: Any, updates: int) -> dict[str, float]:
    """How fast the habit learns ``lessons``, and what an update's time is spent on."""
    from torch import profiler
    from torch.utils.flop_counter import FlopCounterMode

    from cortex.modules import habit
    from cortex.sleep import choice_of
    from cortex.types import take

    learn = take(lessons, np.flatnonzero(lessons.found & ~lessons.probe))
    sleep = agent.config.sleep
    moments: list[int] = []
    counter = FlopCounterMode(display=False)
    watched = profiler.profile(activities=[profiler.ProfilerActivity.CPU])

    def fit(steps: int, tell: Callable[[int, Any], None]) -> None:
        given = (learn.scene, learn.targets, learn.value, learn.alike, choice_of(agent, learn))
        habit.fit(
            copy.deepcopy(agent.habit),
            *given,
            steps,
            sleep.batch,
            sleep.learning_rate,
            np.random.default_rng(0),
            tell,
            bfloat16=sleep.bfloat16,
        )

    # What is done once for all updates is told of no update: a stretch begins when the first update is over.
    fit(updates + 1, lambda *_: moments.append(time.perf_counter_ns()))
    for within in (counter, watched):
        fit(updates + 1, while_in(within, updates))
    update, gflop = float(np.median(np.diff(moments))) / 1e9, counter.get_total_flops() / updates / 1e9
    shares: dict[str, float] = defaultdict(float)
    for event in watched.key_averages():
        named = next((kind for kind, parts in KINDS.items() if any(part in event.key for part in parts)), None)
        named = named or ("optimiser" if "adamw" in event.key.lower() else "rest")
        shares[named] += event.self_cpu_time_total
    whole, peak = sum(shares.values()), fastest()
    return {
        "update_ms": 1e3 * update,
        "gflop": gflop,
        "gflops": gflop / update,
        "peak_gflops": peak,
        "of_peak": gflop / update / peak,
        **{f"{share}_share": shares[share] / whole for share in SHARES},
    }


def while_in(within: AbstractContextManager[Any], updates: int) -> Callable[[int, Any], None]:
    """What is told of each update, in order that those after the first, up to number ``updates``, are ``within``."""
    stack = ExitStack()

    def tell(update: int, _: Any) -> None:
        if update == 0:
            stack.enter_context(within)
        if update == updates:
            stack.close()

    return tell


def fastest(repeats: int = 20) -> float:
    """Most floating point operations a second, in 1e9, of a large product of matrices of 32 bits."""
    import torch

    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        _ = left @ right
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(seconds) / 1e9


def describe(row: dict[str, Any]) -> str:
    """A night in words."""
    stages = ", ".join(f"{stage} {row[name]:.1f}" for stage, name in SPENT.items() if name in row)
    told = "{agent}, {situations} situations, {rows} rows: {wall_seconds:.0f} s, {cpu_seconds:.0f} s of CPU".format(
        **row
    )
    if "update_ms" not in row:
        return f"{told} ({stages})"
    spent = ", ".join(f"{share} {row[f'{share}_share']:.0%}" for share in SHARES)
    speed = "an update {update_ms:.1f} ms, {gflops:.1f} of {peak_gflops:.1f} GFLOP/s ({of_peak:.0%})".format(**row)
    return f"{told} ({stages}); {speed}: {spent}"


if __name__ == "__main__":
    main()
