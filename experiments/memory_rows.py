"""What memory is worth per byte: lives of novel games with a quarter of the memory, and what decides what stays.

One body lives game after game, each a day; every evening what exceeds the capacity is forgotten, and what is known is
learned anew from the rows that stay and from the gist of the others; no weight ever changes. Behind the last day all
games are played on fresh layouts. Rows: all that was lived; a quarter of the steps, kept by salience, retention and a
reservoir, as is the default; the same without one of them, or without gist. Differences are held against the quarter
within each life and game.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Any
from unittest import mock

import numpy as np

from experiments import common

FIRST = 20_000_000
"""Seed of the first game."""
ARMS: dict[str, dict[str, str]] = {
    "unbounded": {"hippocampus.capacity": "1000000"},
    "quarter": {},
    "no gist": {"hippocampus.gist": "0"},
    "plain reservoir": {"hippocampus.reservoir": "1"},
    "no reservoir": {"hippocampus.reservoir": "0"},
    "no forgetting": {},
}
"""What a row is called -> its settings; without forgetting, age counts for nothing."""
COLUMNS = ("arm", "lives", "games", "steps kept", "bytes", "return", "difference", "first_win_over_h", "won")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="memory_rows.csv", seeds=5)
    line.add_argument("--games", type=int, default=5, help="games of a life, of difficulty 1 and 2 in turn")
    line.add_argument("--steps", type=int, default=240, help="actions of a game")
    line.add_argument("--exam", type=int, default=16, help="episodes of each exam")
    line.add_argument("--first", type=int, default=FIRST, help="seed of the first game")
    line.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="rows of the table")
    options = common.read(line)
    if options.quick:
        options.seeds, options.games, options.steps, options.exam = 1, 2, 80, 4
    told: dict[str, list[list[dict[str, float]]]] = {}
    for arm in options.arms:
        told[arm] = [
            live(seed, arm, options.first + seed * options.games, options.games, options.steps, options.exam)
            for seed in range(options.seeds)
        ]
        common.progress(f"{arm}: {row(arm, told)}")
    table = [row(arm, told) for arm in told]
    written = [{key: common.figure(value) for key, value in line.items()} for line in table]
    common.write_csv(options.out, written, COLUMNS)
    common.last_line({"experiment": "memory_rows", "quick": options.quick, "out": str(options.out), "rows": table})


def row(arm: str, told: dict[str, list[list[dict[str, float]]]]) -> dict[str, Any]:
    """The figures of one arm over lives and games."""
    from cortex.measure.statistics import nested_interval

    def over(lives: list[list[float]]) -> dict[str, float]:
        low, high = nested_interval([np.array(life) for life in lives], lambda drawn: drawn.mean(axis=1))
        return {"value": float(np.mean([np.mean(life) for life in lives])), "low": low, "high": high}

    lives = told[arm]
    ratio = np.exp(np.mean([np.log(game["first_win_over_h"]) for life in lives for game in life]))
    line: dict[str, Any] = {"arm": arm, "lives": len(lives), "games": len(lives[0])}
    line |= {"steps kept": int(np.mean([life[0]["kept"] for life in lives]))}
    line |= {"bytes": int(np.mean([life[0]["bytes"] for life in lives]))}
    line |= {"return": over([[game["return"] for game in life] for life in lives])}
    if "quarter" in told and arm != "quarter":
        pairs = zip(lives, told["quarter"], strict=True)
        gains = [[a["return"] - b["return"] for a, b in zip(one, other, strict=True)] for one, other in pairs]
        line |= {"difference": over(gains)}
    won = float(np.mean([game["won"] for life in lives for game in life]))
    return {**line, "first_win_over_h": float(ratio), "won": won}


def live(seed: int, arm: str, first: int, games: int, steps: int, exam: int) -> list[dict[str, float]]:
    """One life; of each game how it was won first, and what exams say of it in the end."""
    import gymnasium

    from cortex import sleep
    from cortex.day import Ended, live_day
    from experiments.agents import make

    def bodies(game: int, count: int, part: str) -> Any:
        kind = {"game_seed": first + game, "difficulty": 1 + game % 2, "level": 1, "layouts": part}
        return gymnasium.make_vec("cortex/NovelGame-v0", count, vectorization_mode="vector_entry_point", **kind)

    told, agent = [], None
    with ExitStack() as stack:
        if arm == "no forgetting":
            ageless = mock.patch("cortex.modules.hippocampus.forgetting.retention", lambda age, _: np.ones(len(age)))
            stack.enter_context(ageless)
        for game in range(games):
            won: list[int] = []
            with closing(bodies(game, 1, "day")) as body:
                if agent is None:
                    given = {"hippocampus.capacity": str(games * steps // 4), **ARMS[arm]}
                    agent = make(body.single_observation_space, body.single_action_space, seed, **given)

                def see(total: int, finished: list[Ended], won: list[int] = won) -> None:
                    won += [total for episode in finished if episode.success]

                agent.agent.hippocampus.day = game + 1
                live_day(agent.agent, body, steps, seed, np.random.default_rng([seed, game]), see)
                h = body.anchors()[0]["h"]
            sleep.prune(agent.agent, np.random.default_rng([seed, game, 1]))
            told.append({"won": float(bool(won)), "first_win_over_h": (won[0] if won else steps) / h})
        assert agent is not None
        kept = {"kept": float(agent.agent.hippocampus.store.steps), "bytes": float(agent.cost().bytes_memory)}
        for game, line in enumerate(told):
            with closing(bodies(game, 8, "exam")) as body:
                played = agent.play(body, exam, seed + 1)
            line |= {"return": float(np.mean([episode.reward for episode in played])), **kept}
    return told


if __name__ == "__main__":
    main()
