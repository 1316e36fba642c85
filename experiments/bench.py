"""How fast the agent lives by day, where its time goes, and what it needs, with a memory of many rows; one thread.

A life is lived until the memory holds the rows, one short night wakes the networks, and then a stretch of the next day
is timed part by part. The parts are wrapped here; the agent knows nothing of it.
"""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before numpy counts the cores
    os.environ[threads] = "1"

import resource  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gymnasium  # noqa: E402
import numpy as np  # noqa: E402

from experiments import common  # noqa: E402

TASKS = ("MiniGrid-DoorKey-5x5-v0", "MiniGrid-GoToDoor-5x5-v0")
PARTS = ("environment", "encode", "context", "recall", "habit", "search", "learn", "write", "rest")
COLUMNS = (
    "task", "seed", "bodies", "rows", "steps", "steps_per_second", "steps_per_cpu_second", "success", "searched",
    *(f"{part}_us" for part in PARTS), "rebuild_seconds", "resident_mb", "disk_mb",
)  # fmt: skip
KILOBYTES = 2**20 if sys.platform == "darwin" else 2**10
"""What a megabyte is in the unit of ru_maxrss."""
SHORT_NIGHT = ["sleep.steps=50", "sleep.states=256", "sleep.world_model_steps=20", "sleep.guard=1"]


class Clock:
    """Nanoseconds by part; what one part spends in another counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = defaultdict(int)
        self._inner = [0]

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        began = time.perf_counter_ns()
        self._inner.append(0)
        try:
            yield
        finally:
            passed = time.perf_counter_ns() - began
            self.spent[part] += passed - self._inner.pop()
            self._inner[-1] += passed

    def wrap(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        def timed(*given: Any, **named: Any) -> Any:
            with self(part):
                return call(*given, **named)

        return timed


class Wrapped:
    """Another object, some of whose calls are timed."""

    def __init__(self, whole: Any, clock: Clock, **parts: str) -> None:
        self.__dict__.update({"_whole": whole, "_clock": clock, "_parts": parts})

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._whole, name)
        return self._clock.wrap(self._parts[name], value) if name in self._parts else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._whole, name, value)

    def __len__(self) -> int:
        return len(self._whole)

    def __call__(self, *given: Any, **named: Any) -> Any:
        with self._clock(self._parts["call"]):
            return self._whole(*given, **named)


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="bench.csv", seeds=1)
    line.add_argument("--tasks", nargs="+", default=list(TASKS), help="environment ids")
    line.add_argument("--rows", type=int, nargs="+", default=[50_000], help="steps that the memory holds; several")
    line.add_argument("--lived", type=int, default=50_000, help="of them lived; the rest are the same episodes again")
    line.add_argument("--steps", type=int, default=6_000, help="steps that are timed")
    line.add_argument("--bodies", type=int, default=32, help="copies of the environment lived at once")
    options = common.read(line)
    if options.quick:
        options.rows, options.steps = [min(options.rows[0], 3_000)], min(options.steps, 1_500)
    rows = []
    for task in options.tasks:
        for seed in range(options.seeds):
            for held in options.rows:
                rows.append(measure(task, seed, options.bodies, held, min(held, options.lived), options.steps))
                common.write_csv(options.out, rows, COLUMNS)
                print(describe(rows[-1]), flush=True)
    slowest = min(rows, key=lambda row: row["steps_per_second"])
    common.last_line(
        {
            "experiment": "bench",
            "quick": options.quick,
            "out": str(options.out),
            "steps_per_second": {row["task"]: round(row["steps_per_second"]) for row in rows},
            "steps_per_cpu_second": {row["task"]: round(row["steps_per_cpu_second"]) for row in rows},
            "slowest": slowest["task"],
            "resident_mb": round(max(row["resident_mb"] for row in rows)),
            "disk_mb": round(max(row["disk_mb"] for row in rows), 1),
            "rows": rows,
        }
    )


def measure(task: str, seed: int, bodies: int, rows: int, lived: int, steps: int) -> dict[str, Any]:
    """Fill a memory by living ``lived`` steps in ``task``, sleep shortly, hold the same episodes again until there are
    ``rows``, and time ``steps`` steps of the next day."""
    import faiss
    import torch

    import cortex  # noqa: F401
    from cortex.build import build
    from cortex.config import load
    from cortex.day import live_day
    from cortex.envs.make import make_env, make_vector
    from cortex.replay import relearn
    from cortex.sleep import night
    from cortex.store import Rows

    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = Rows(Path(folder) / "memory.sqlite")
        spec = make_env(task).spec
        twin = spec is not None and spec.vector_entry_point is not None
        mode: Any = {"vectorization_mode": "vector_entry_point"}
        vector = gymnasium.make_vec(task, bodies, **mode) if twin else make_vector(task, bodies, seed, held_out=0.0)
        config = load(*SHORT_NIGHT, {"seed": seed})
        agent = build(config, vector.single_observation_space, vector.single_action_space, rows=store)
        draw = np.random.default_rng(seed)

        def tell(total: int, _: Any) -> None:
            if total % 10_000 < bodies:
                common.progress(f"{task} seed {seed}: {total} of {lived} rows")

        live_day(agent, vector, lived, seed, draw, tell)
        night(agent, draw)
        began = time.perf_counter()
        relearn(agent)
        rebuilt = time.perf_counter() - began
        again(agent, rows)
        agent.hippocampus.day += 1

        clock, ended = Clock(), list[Any]()
        watched: Any = Wrapped(vector, clock, step="environment", reset="environment")
        live_day(
            agent, vector, 10 * bodies, seed + 1, draw
        )  # caches that a night empties are filled by the first steps
        wall, cpu = time.perf_counter(), time.process_time()
        with wrapped(clock, agent) as timed:
            told = live_day(timed, watched, steps, seed + 2, draw, lambda _, finished: ended.extend(finished))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        held, disk = store.steps, store.bytes
        store.close()
    clock.spent["rest"] = int(wall * 1e9) - sum(clock.spent[part] for part in PARTS if part != "rest")
    return {
        "task": task,
        "seed": seed,
        "bodies": bodies,
        "rows": held,
        "steps": told,
        "steps_per_second": told / wall,
        "steps_per_cpu_second": told / cpu,
        "success": float(np.mean([episode.success for episode in ended] or [0.0])),
        "searched": float(np.mean([episode.searched for episode in ended] or [0.0])),
        **{f"{part}_us": clock.spent[part] / told / 1e3 for part in PARTS},
        "rebuild_seconds": rebuilt,
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTES,
        "disk_mb": disk / 2**20,
    }


def again(agent: Any, rows: int) -> None:
    """Hold the episodes that are held again, one by one, until there are ``rows`` steps."""
    memory = agent.hippocampus
    while memory.store.steps < rows:
        for number in memory.store.episodes():
            episode = memory.store.read(number)
            memory.enter(episode.situation).episodes.append(memory.store.add(episode))
            if memory.store.steps >= rows:
                break
    memory.store.commit()


@contextmanager
def wrapped(clock: Clock, agent: Any) -> Iterator[Any]:
    """The agent with its parts timed."""
    from cortex.modules import planner

    search, store = planner.search, agent.hippocampus.store
    planner.search = clock.wrap("search", search)
    agent.hippocampus.store = Wrapped(store, clock, add="write", commit="write", put_tokens="write")
    try:
        yield replace(
            agent,
            senses=Wrapped(agent.senses, clock, call="encode"),
            multimodal=Wrapped(agent.multimodal, clock, call="encode"),
            context=Wrapped(agent.context, clock, call="context"),
            hippocampus=Wrapped(agent.hippocampus, clock, recognise="recall", observe="learn"),
            habit=Wrapped(agent.habit, clock, call="habit"),
            imagination=Wrapped(agent.imagination, clock, sign="search", model="search"),
        )
    finally:
        planner.search, agent.hippocampus.store = search, store


def describe(row: dict[str, Any]) -> str:
    """One task in words and bars."""
    total = sum(row[f"{part}_us"] for part in PARTS)
    lines = [
        "{task}: {steps_per_second:.0f} steps/s ({steps_per_cpu_second:.0f} a CPU second), {bodies} bodies, "
        "{rows} rows, success {success:.2f}; memory {resident_mb:.0f} MB, disk {disk_mb:.1f} MB; "
        "statistics rebuilt in {rebuild_seconds:.1f} s".format(**row)
    ]
    for part in PARTS:
        spent = row[f"{part}_us"]
        lines.append(f"  {part:12} {spent:7.1f} us a step  {spent / total:4.0%} {'#' * round(50 * spent / total)}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
