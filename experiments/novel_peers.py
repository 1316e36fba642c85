"""What an agent has to beat in novel games: every peer on the standard life, and the steps to win one game reliably.

Lives: 5 days of 4 new games with 2,000 actions each, one body, by `experiments.life`. Steps: one new game, until 8 of
the last 10 episodes are won, censored at 200,000, by PPO and DQN with many bodies, and by Cortex with one. The games
are none of those that the family was designed and calibrated with. Each cell of the table is kept beside the results as
soon as it is done: the same command goes on where it was stopped, and a cell whose file is deleted is run again.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from experiments import common

PEERS = (
    "random",
    "ppo",
    "dqn",
    "recurrent_ppo",
    "episodic",
    "filtered_bc",
    "monolith",
    "evolution",
    "tree",
    "boosting",
)
LEARNERS = {"ppo": 8, "dqn": 4, "cortex": 1}
"""Agent whose steps to a game are counted -> its bodies."""

BUDGET, QUICK_BUDGET = 200_000, 1_000
FIRST = 1_000_000
"""Seed of the first game: far from those that the family was designed with."""

GAMES = 20
"""Games of a standard life."""

FIGURES = (
    *("first_win_over_h", "first_win_actions", "auc", "adaptation_share", "consolidation_index", "acc", "learn"),
    *("forgetting", "bwt", "min_acc", "habit_over_search", "updates", "cpu_seconds", "bytes_memory", "bytes_weights"),
)
TRIES = ("1", "3", "10", "30")
LIFE_COLUMNS = ("agent", "difficulty", "games", "seeds", *(f"try_{k}" for k in TRIES), *FIGURES)
STEPS_COLUMNS = ("agent", "difficulty", "game", "h", "steps")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="novel_peers.csv")
    line.add_argument("--agents", nargs="*", default=list(PEERS), help="cortex, or names of files in baselines")
    line.add_argument("--difficulties", nargs="+", type=int, default=[1, 2], help="classes of games")
    line.add_argument(
        "--steps-of", nargs="*", default=list(LEARNERS), choices=list(LEARNERS), help="whose steps to count"
    )
    line.add_argument("--games", type=int, default=10, help="games of a class whose steps are counted")
    line.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    line.add_argument("--exam", type=int, default=16, help="episodes of each game's exam")
    line.add_argument("--runs", type=Path, default=Path("runs/novel_peers"), help="folder of the lives and logs")
    options = common.read(line)
    if options.quick:
        options.runs, options.games = options.runs / "quick", min(options.games, 1)
        options.difficulties, options.seeds = options.difficulties[:1], min(options.seeds, 1)
    seeds, quick = options.seeds, options.quick
    cells = options.out.with_suffix("")
    pairs = [(agent, level) for level in options.difficulties for agent in options.agents]
    counted = [
        (agent, level, FIRST + game)
        for level in options.difficulties
        for agent in options.steps_of
        for game in range(options.games)
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        lives = pool.map(lambda pair: life(*pair, seeds, options.exam, cells, options.runs, quick), pairs)
        steps = pool.map(lambda one: steps_of(*one, cells, options.runs, quick), counted)
        table, rows = [], []
        for told in lives:
            table.append(told)
            common.write_csv(options.out, map(row, table), LIFE_COLUMNS)
        for told in steps:
            rows.append({column: told[column] for column in STEPS_COLUMNS})
            common.write_csv(options.out.with_name(f"{options.out.stem}_steps.csv"), rows, STEPS_COLUMNS)
    common.last_line(
        {"experiment": "novel_peers", "quick": quick, "lives": table, "steps": summary(rows), "fewer": fewer(rows)}
    )


def life(agent: str, difficulty: int, seeds: int, exam: int, cells: Path, runs: Path, quick: bool) -> dict[str, Any]:
    """The figures of one peer on the standard life, by the command that its users have."""
    first = FIRST + 1000
    command = ["-m", "experiments.life", "--agent", agent, "--difficulty", str(difficulty), "--seeds", str(seeds)]
    command += ["--game-seeds", f"{first}:{first + seeds * GAMES}", "--runs", str(runs / f"lives-{difficulty}")]
    command += ["--out", os.path.relpath(cells / f"{agent}-{difficulty}.csv"), "--exam", str(exam)]
    command += ["--quick"] if quick else []
    return {"agent": agent, "difficulty": difficulty, **common.ask(command, cells / f"{agent}-{difficulty}.json", runs)}


def steps_of(agent: str, difficulty: int, game: int, cells: Path, runs: Path, quick: bool) -> dict[str, Any]:
    """Steps of one peer in one game; None where it did not get there."""
    command = ["-c", f"from experiments.novel_peers import count; count({agent!r}, {difficulty}, {game}, {quick})"]
    return common.ask(command, cells / f"steps-{agent}-{difficulty}-{game}.json", runs)


def count(agent: str, difficulty: int, game: int, quick: bool) -> None:
    """Train a peer in one game, in this process, and print what came of it."""
    import gymnasium

    import cortex  # noqa: F401  registers the games
    from experiments.baselines.adaptor import steps_to
    from experiments.life import agent as maker

    kind: dict[str, Any] = {"game_seed": game, "difficulty": difficulty, "level": 1}
    h = gymnasium.make("cortex/NovelGame-v0", **kind).unwrapped.anchors()["h"]  # type: ignore[attr-defined]
    bodies = gymnasium.make_vec("cortex/NovelGame-v0", LEARNERS[agent], vectorization_mode="vector_entry_point", **kind)
    learner = maker(agent)(bodies.single_observation_space, bodies.single_action_space, game)
    steps = steps_to(learner, bodies, QUICK_BUDGET if quick else BUDGET, game)
    common.last_line({"agent": agent, "difficulty": difficulty, "game": game, "h": h, "steps": steps})


def row(told: dict[str, Any], columns: Sequence[str] = LIFE_COLUMNS) -> dict[str, Any]:
    """One row of a table of lives; a figure with an interval as text."""
    flat = {**told, **{f"try_{k}": told["win_rate_by_try"][k] for k in TRIES}}
    return {column: common.figure(flat[column]) for column in columns}


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """For each peer and class: how many games it got, and the steps of each, in order; null where it did not."""
    found: dict[str, Any] = {}
    for one in rows:
        found.setdefault(f"{one['agent']} at {one['difficulty']}", []).append(one["steps"])
    return {
        name: {"won": sum(s is not None for s in steps), "games": len(steps), "steps": sorted(steps, key=_late)}
        for name, steps in found.items()
    }


def fewer(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """By class, how many times fewer steps Cortex took than the better of the others, median over games."""
    steps = {(one["difficulty"], one["game"], one["agent"]): min(_late(one["steps"]), BUDGET) for one in rows}
    found: dict[str, list[float]] = {}
    for (difficulty, game, agent), taken in steps.items():
        others = [steps.get((difficulty, game, other)) for other in LEARNERS if other != "cortex"]
        if agent == "cortex" and None not in others:
            found.setdefault(str(difficulty), []).append(min(others) / taken)
    return {difficulty: statistics.median(ratios) for difficulty, ratios in found.items()}


def _late(steps: int | None) -> float:
    return math.inf if steps is None else steps


if __name__ == "__main__":
    main()
