"""What is said to come tomorrow is learned more: of two games of a day one is announced in the evening.

Each newborn of a pair lives a day of two new games. From the same evening it sleeps a night for either of them, with an
observation of that game as what comes tomorrow, and the same number of updates. Rows tell the share of what search did
in the evening that the habit alone does in the morning, the hippocampus cleared, of the game that was announced and of
the other one; each game of a pair is both, and pairs with a game that search cannot win are left out. The mean tells by
how much the announced one is kept better, over pairs (Wilhelm 2011: sleep keeps what is expected to be needed; Mattar &
Daw 2018: need).
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common, lived

FIRST = 62_000_000
"""Seed of the first of the games."""
COLUMNS = ("pair", "updates", "announced", "other", "difference")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="cued.csv")
    line.add_argument("--pairs", type=int, default=12, help="pairs of games")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--exam", type=int, default=64, help="episodes of a game's exam")
    line.add_argument("--updates", type=int, nargs="+", default=[125, 250], help="updates of the night")
    line.add_argument("--set", nargs="*", default=[], metavar="key=value", help="overrides")
    line.add_argument("--runs", type=Path, default=Path("runs/cued"), help="folder of the logs")
    options = common.read(line)
    if options.quick:
        options.pairs, options.steps, options.exam, options.updates = 1, 60, 2, [10]
        options.set += ["sleep.states=64", "sleep.world_model_steps=10", "sleep.body_steps=10"]
        options.runs = options.runs / "quick"
    table: list[dict[str, Any]] = []
    for pair in range(options.pairs):
        call = f"announced({pair}, {options.steps}, {options.exam}, {options.updates}, {options.set})"
        asked = ["-c", f"from experiments import cued; cued.{call}"]
        told = common.ask(asked, options.out.with_suffix("") / f"{pair}.json", options.runs)
        table += told["rows"]
        common.write_csv(options.out, [*table, *over(table)], COLUMNS)
    last = {"experiment": "cued", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": table, "mean": over(table)})


def announced(pair: int, steps: int, exam: int, updates: list[int], lines: list[str]) -> None:
    """The day and the nights of one pair; print what came of them."""
    from cortex.agent import Agent
    from experiments.agents import make

    games = lived.games_like(lived.LIFE, FIRST + 2 * pair, 2)
    observations, learner = [], None
    for number, game in enumerate(games):
        with closing(game.make(1, "day")) as bodies:
            if learner is None:
                learner = make(bodies.single_observation_space, bodies.single_action_space, pair)
            learner.live(bodies, steps, number, lambda _: True)
            observations.append(bodies.reset(seed=number)[0])
    assert learner is not None
    search = [lived.mark(game, lived.played(learner, game, exam, habit=False)) for game in games]
    rows = []
    with tempfile.TemporaryDirectory() as evening:
        learner.save(Path(evening))
        for number in updates:
            kept = np.zeros((2, 2))  # of what is announced, of game
            for come, observation in enumerate(observations):
                learner.agent = Agent.load(evening).lesioned(f"sleep.steps={number}", *lines)
                learner.agent.sleep(tomorrow=observation)
                learner.clear()
                kept[come] = [lived.mark(game, lived.played(learner, game, exam, habit=True)) for game in games]
            share = kept / np.maximum(search, 1e-9)
            mine, other = float(share.diagonal().mean()), float(share[::-1].diagonal().mean())
            rows.append({"pair": pair, "updates": number, "announced": mine, "other": other})
            rows[-1]["difference"] = mine - other
            common.progress(f"search {search}, kept {kept.tolist()}")
    common.last_line({"commit": common.commit(), "search": search, "rows": [r for r in rows if min(search) > 0]})


def over(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over pairs after nights of so many updates, with intervals where there are several pairs."""
    found = []
    for updates in dict.fromkeys(row["updates"] for row in table):
        some = [row for row in table if row["updates"] == updates]
        found.append({"pair": "mean", "updates": updates, **lived.means(some, COLUMNS[2:])})
    return found


if __name__ == "__main__":
    main()
