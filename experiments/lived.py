"""Lives of novel games that `novel_night` keeps, for experiments that ask their agents something more."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from cortex.measure.statistics import interval
from experiments import common
from experiments.life import novel_tasks

LIFE: dict[str, Any] = {
    "source": {
        "split": "train",
        "difficulty": [1, 2, 3],
        "noise": 0,
        "view": "full",
        "modalities": ["grid", "text", "body"],
        "level": 1,
    }
}
"""What games a newborn has, as a life of `novel_night` tells it: of three difficulties, in turn."""


def parser(description: str | None, *, out: str) -> argparse.ArgumentParser:
    """As `common.parser`, with the folder of the lives."""
    line = common.parser(description, out=out)
    lives = Path("runs/novel_night/plain")
    line.add_argument("--lives", type=Path, default=lives, help="folder of lives of novel games")
    return line


def found(options: argparse.Namespace) -> list[Path]:
    """The first ``options.seeds`` folders in ``options.lives`` that keep a life which has had a night; one lived now if
    quick. Exits where there is none."""
    if options.quick:
        options.lives = quick_lives(common.QUICK / Path(options.name).stem)
    folders = [folder for folder in sorted(options.lives.glob("*")) if slept(folder)]
    if not folders:
        sys.exit(f"error: there are no lives in {options.lives}; make some by python -m experiments.novel_night")
    return folders[: options.seeds]


def quick_lives(folder: Path) -> Path:
    """A folder of one life of one game, lived now."""
    small = {"days": 1, "games-per-day": 1, "steps-per-game": 60, "exam": 2, "seeds": 1, "runs": folder}
    life = ["-m", "experiments.life", *(str(part) for key, value in small.items() for part in (f"--{key}", value))]
    life += ["--set", "sleep.steps=20", "sleep.states=64"]
    common.ask([*life, "--out", str(folder / "life.csv")], folder / "life.json", folder)
    return folder


def slept(folder: Path) -> bool:
    """Whether a life is kept in ``folder`` that has had a night."""
    kept = any(folder.glob("[0-9]*/learner")) and (folder / "events.jsonl").is_file()
    return kept and '"event": "night"' in (folder / "events.jsonl").read_text(encoding="utf-8")


def events_of(folder: Path) -> list[dict[str, Any]]:
    """What the life kept in ``folder`` is, and what happened in it."""
    return [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def slept_on(events: Sequence[dict[str, Any]]) -> int:
    """How many games had been lived in before the last night."""
    kinds = [event["event"] for event in events]
    return kinds[: len(kinds) - kinds[::-1].index("night")].count("waking")


def means(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Means over lives of columns, with intervals where there are several; what no row has is left out."""
    found = {}
    for name in names:
        values = [float(row[name]) for row in rows if row.get(name) is not None]
        if values:
            found[name] = common.figure(mean(values))
    return found


def mean(values: Sequence[float]) -> dict[str, float]:
    """The mean over lives with its interval, which is the mean alone where there is one life."""
    low, high = interval(values) if len(values) > 1 else (values[0], values[0])
    return {"value": float(np.mean(values)), "low": low, "high": high}


def wake(folder: Path, grown: bool = True) -> Any:
    """The learner that the life in ``folder`` left on its last morning, or a newborn with its settings; in RAM."""
    from cortex.agent import Agent
    from experiments.agents import Cortex

    morning = max(folder.glob("[0-9]*/learner"))
    agent = Agent.load(morning)
    learner = Cortex(agent.config, agent.observation_space, agent.space)
    if grown:
        learner.load(morning)
    return learner


def played(learner: Any, game: Any, exam: int, habit: bool) -> list[Any]:
    """``exam`` episodes of a game on layouts that no day has, by the whole agent or by its weights alone."""
    with closing(game.make(8, "exam")) as bodies:
        return list(learner.play(bodies, exam, 1_000, habit=habit))


def mark(game: Any, episodes: Sequence[Any]) -> float:
    """The mean return of episodes, 0 for the best constant actions and 1 for the solver."""
    mean = float(np.mean([episode.reward for episode in episodes]))
    return (mean - game.floor) / (game.ceiling - game.floor)


def games_like(life: dict[str, Any], first: int, count: int) -> list[Any]:
    """Novel games as ``life`` had them, ``count`` of them from seed ``first``."""
    source = argparse.Namespace(**{"game": [], "wrap": None, **life["source"]})
    source.difficulty = np.atleast_1d(source.difficulty).tolist()
    source.game_seeds, source.days, source.games_per_day, source.seeds = (first, first + count), 1, count, 1
    return novel_tasks(source, 0)
