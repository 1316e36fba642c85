"""Where is what was learned? Lives of one day and one night, and what is left when a part is cut before or after it.

Each life has a day of five novel games that nothing was designed on. From its evening, nights of equal length are
slept: our own, one before which the last game is forgotten, one whose memories have each other's rewards, one that
teaches each state what is right in another. A row tells the score in an exam on fresh layouts (0 the best constant
actions, 1 the game's solver), what that costs against the evening with everything, with 95 % intervals over lives, and
whether it came as systems consolidation foretells (Marr 1971; Squire & Alvarez 1995): until the night all lies in the
hippocampus and needs search, after it neither is needed, and what the night did not replay is not there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np

from cortex.measure.dissociation import FAILS, SEEDS, SPARED
from experiments import common, lived
from experiments.agents import WITHHELD

FIRST = 70_000_000
"""Seed of the first game."""
GAMES = WITHHELD
KIND = {"split": "train", "difficulty": [1, 2, 3], "noise": 0, "view": "full", "level": 1}
KIND |= {"modalities": ["grid", "text", "body"]}
LOST = ("hippocampus", "planner")
EVENING = "evening"
NIGHTS = ("ours", "withheld", "rewards", "shuffled")
ARMS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "evening": (EVENING, (), True),
    "evening, hippocampus cleared": (EVENING, ("hippocampus",), False),
    "evening, search off": (EVENING, ("planner",), False),
    "morning": ("ours", (), True),
    "morning, hippocampus cleared": ("ours", ("hippocampus",), True),
    "morning, search off": ("ours", ("planner",), True),
    "morning, weights alone": ("ours", LOST, True),
    "morning, weights of the evening": ("restored", (), True),
    "morning, weights of the evening, hippocampus cleared": ("restored", ("hippocampus",), False),
    "withheld games, weights alone": ("withheld", LOST, False),
    "the others, weights alone": ("withheld", LOST, True),
    "shuffled rewards, weights alone": ("rewards", LOST, False),
    "shuffled targets, weights alone": ("shuffled", LOST, False),
}
"""Row -> the night that was slept, what was cut then, and whether what was learned should still be there."""
OF = {
    "withheld games, weights alone": slice(WITHHELD - 1, None, WITHHELD),
    "the others, weights alone": slice(WITHHELD - 1),
}
"""Games that a row is about; all, of the other rows."""
COLUMNS = ("row", "foretold", "lives", "games", "score", "cost", "as_foretold")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="consolidation.csv")
    line.add_argument("--steps", type=int, default=500, help="actions of a game")
    line.add_argument("--updates", type=int, default=2000, help="updates of a night")
    line.add_argument("--exam", type=int, default=32, help="episodes of a game's exam")
    line.add_argument("--set", nargs="*", default=[], metavar="key=value", help="further settings of the agent")
    line.add_argument("--runs", type=Path, default=Path("runs/consolidation"), help="folder of the logs")
    options = common.read(line)
    if options.quick:
        options.seeds, options.steps, options.updates, options.exam = 1, 60, 10, 2
        options.set += ["sleep.states=64", "sleep.world_model_steps=10", "sleep.body_steps=10"]
        options.runs = options.runs / "quick"
    told, settings = [], [f"sleep.steps={options.updates}", *options.set]
    for seed in range(options.seeds):
        call = f"life({seed}, {options.steps}, {options.exam}, {settings})"
        asked = ["-c", f"from experiments import consolidation; consolidation.{call}"]
        told.append(common.ask(asked, options.out.with_suffix("") / f"{seed}.json", options.runs)["marks"])
        common.write_csv(options.out, rows(told), COLUMNS)
    last = {"experiment": "consolidation", "quick": options.quick, "out": str(options.out)}
    common.last_line({**last, "rows": rows(told)})


def life(seed: int, steps: int, exam: int, settings: Sequence[str]) -> None:
    """Live a day, sleep each of the nights from its evening; print the marks of each game in each row."""
    from experiments.agents import make

    games = lived.games_like({"source": KIND}, FIRST + seed * GAMES, GAMES)
    marks: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as passing:
        for night in (EVENING, *NIGHTS):
            with closing(games[0].make(1, "day")) as bodies:
                space, actions = bodies.single_observation_space, bodies.single_action_space
            control = night if night in ("withheld", "shuffled") else "none"
            learner = make(space, actions, seed, control, **dict(line.split("=", 1) for line in settings))
            if night == EVENING:
                for number, game in enumerate(games):
                    with closing(game.make(1, "day")) as bodies:
                        learner.live(bodies, steps, number, lambda played: None)
                learner.save(Path(passing, EVENING))
                before = {name: value.clone() for name, value in learner.agent.weights().items()}
            else:
                copytree(Path(passing, EVENING), Path(passing, night))
                learner.load(Path(passing, night))
                if night == "rewards":
                    exchange_rewards(learner.agent, np.random.default_rng(seed))
                learner.sleep(0)
            slept = [night, "restored"] if night == "ours" else [night]
            for state in slept:
                if state == "restored":
                    learner.agent.restore(before)
                for row, (asked, cut, _) in ARMS.items():
                    if asked == state:
                        marks[row] = [_mark(learner.agent, game, exam, cut) for game in games]
                        common.progress(f"life {seed} {row}: {np.round(marks[row], 2).tolist()}")
    common.last_line({"commit": common.commit(), "marks": marks})


def exchange_rewards(agent: Any, generator: np.random.Generator) -> None:
    """Give each remembered step the reward of another one, drawn without regard to game or episode."""
    from cortex import keep

    store = agent.hippocampus.store
    episodes = [store.read(number) for number in store.episodes()]
    reward = generator.permutation(np.concatenate([episode.reward for episode in episodes]))
    parts = np.split(reward, np.cumsum([len(episode.reward) for episode in episodes])[:-1])
    store.delete(store.episodes())
    for episode, given in zip(episodes, parts, strict=True):
        store.add(replace(episode, reward=given))
    keep.awaken(agent)


def _mark(agent: Any, game: Any, exam: int, cut: Sequence[str]) -> float:
    """Mean return of an exam, 0 for the best constant actions and 1 for the solver."""
    from cortex.measure.exam import sit

    with closing(game.make(8, "exam")) as bodies:
        played = sit(agent.lesioned(*cut) if cut else agent, bodies, exam, 1_000)[0]
    return float((np.mean([one.reward for one in played]) - game.floor) / (game.ceiling - game.floor))


def rows(lives: Sequence[dict[str, list[float]]]) -> list[dict[str, Any]]:
    """The table: of each row the mean score over games and lives, and what it costs against the evening."""
    table = []
    for row, (_, _, kept) in ARMS.items():
        games = OF.get(row, slice(None))
        whole, left = ([float(np.mean(marks[name][games])) for marks in lives] for name in ("evening", row))
        score, cost = lived.mean(left), lived.mean([a - b for a, b in zip(whole, left, strict=True)])
        found = cost["high"] <= SPARED if kept else cost["low"] >= FAILS
        told = {"row": row, "foretold": "kept" if kept else "lost", "lives": len(lives)}
        told |= {"games": sum(len(marks[row][games]) for marks in lives)}
        told |= {"score": common.figure(score), "cost": common.figure(cost)}
        table.append(told | {"as_foretold": "" if len(lives) < SEEDS else "yes" if found else "no"})
    return table


if __name__ == "__main__":
    main()
