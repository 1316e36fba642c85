"""Facts that change within a game: is the one recalled that holds now?

In `cortex/Changing-v0` doors and fruits change roles; one body lives one game, without a night. At the beginning of
each episode the agent's imagination is asked what every door and fruit comes to from every cell beside it: the share
of right answers is ``recalled`` where the agent went against the thing that way since the last change, ``elsewhere``
where it met the thing another way. Beside supersession stand counts that fade with each newer row of the same key, and
counts that do not. In the rows without changes the good fruit pays by chance: there the answer is right if it says that
the better fruit pays and the other does not.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product
from typing import Any
from unittest import mock

import numpy as np

from experiments import common

ARMS = {"supersession": 0.0, "decay .8": 0.8, "decay .5": 0.5, "none": 1.0}
"""What a row is called -> what is left of a count with each newer row of its key; 0: it is superseded or it is not."""
GAMES = {"5 changes": (5, 12, 1.0), "10 changes": (10, 12, 1.0), "luck .8": (0, 80, 0.8)}
"""Changes, episodes between them, chance that the good fruit pays."""
DOORS = (6, 7)
COLUMNS = ("game", "arm", "lives", "recalled", "doors", "fruits", "elsewhere", "return", "steps")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="changes.csv", seeds=10)
    options = common.read(line)
    table = []
    games = {"5 changes": (2, 4, 1.0)} if options.quick else GAMES
    for (game, given), arm in product(games.items(), ARMS):
        told = [live(seed, *given, ARMS[arm]) for seed in range(1 if options.quick else options.seeds)]
        row: dict[str, Any] = {"game": game, "arm": arm, "lives": len(told)}
        row |= {column: over([life[column] for life in told]) for column in COLUMNS[3:]}
        common.progress(str(row))
        table.append(row)
        rows = [{key: common.figure(value) for key, value in row.items()} for row in table]
        common.write_csv(options.out, rows, COLUMNS)
    common.last_line({"experiment": "changes", "quick": options.quick, "out": str(options.out), "rows": table})


def over(values: list[float]) -> dict[str, float]:
    """A mean over lives with its interval."""
    from cortex.measure import interval

    low, high = interval(values) if len(values) > 1 else (values[0], values[0])
    return {"value": float(np.mean(values)), "low": low, "high": high}


def live(seed: int, changes: int, every: int, luck: float, fading: float) -> dict[str, float]:
    """One life of one game."""
    from cortex.day import living
    from cortex.envs.bodies import Bodies
    from cortex.envs.changing import Changing
    from experiments.agents import make

    game = Changing(changes, every, luck, game_seed=seed)
    bodies = Bodies([lambda: game])
    change = {"hippocampus.change": "0"} if fading else {}
    agent = make(bodies.single_observation_space, bodies.single_action_space, seed, **change).agent
    right: dict[str, list[bool]] = {}
    episodes, won, steps, part, met, first = 0, 0.0, 0, 0, set[tuple[int, int]](), True
    with ExitStack() as stack:
        if 0 < fading < 1:
            fade(stack, fading)
        for trace, action, outcome, finished in living(agent, bodies, seed, np.random.default_rng(seed)):
            if first:
                for (thing, way), answer in asked(agent, trace, game).items():
                    kind = "elsewhere" if (thing, way) not in met else "doors" if thing in DOORS else "fruits"
                    if thing in {known for known, _ in met}:
                        right.setdefault(kind, []).append(answer)
            first = not outcome.valid[0]
            agent.observe(trace, action, outcome)
            steps += int(outcome.valid[0])
            met |= {game.met}
            for episode in finished:
                episodes, won = episodes + 1, won + episode.reward
            if not outcome.valid[0] and game.changed != part:
                part, met = game.changed, set()
            if episodes == every * (changes + 1):
                break
    told = {kind: float(np.mean(right[kind])) for kind in ("doors", "fruits", "elsewhere")}
    both = float(np.mean(right["doors"] + right["fruits"]))
    return {"recalled": both, **told, "return": won / episodes, "steps": float(steps)}


def asked(agent: Any, trace: Any, game: Any) -> dict[tuple[int, int], bool]:
    """Whether the answer is right of each door and fruit and way to go against it."""
    from cortex.envs.changing import FLOOR, STEPS
    from cortex.mapped import Mapped

    if trace.state.place is None:
        return {}
    model = agent.imagination.model(trace.state, trace.situation)
    root, found = model.roots(), {}
    heading, own = int(root.pose[0, 2]), np.array(root.pose[0, :2])
    for thing, holds in game.facts.items():
        there = np.argwhere(game.room == thing)[0]
        for way, step in enumerate(STEPS):
            actions = np.flatnonzero((model.motions.go[heading] == step).all(axis=1))
            if game.room[tuple(there - step)] != FLOOR or not len(actions):
                continue
            pose = np.array([[*(own + there - step - game.start), heading]])
            told = model.expand(Mapped(root.root, pose, root.carried, root.cell, root.code))
            after = model.pick(told.children, actions[:1]).pose[0, :2]
            goes, pays = bool((after != pose[0, :2]).any()), told.reward[0, actions[0]] > 0
            found[thing, way] = bool((goes if thing in DOORS else pays) == holds)
    return found


def fade(stack: ExitStack, fading: float) -> None:
    """Let the counts of a key fade with each newer row of it, in place of supersession."""
    from cortex.modules.hippocampus.events import Events
    from cortex.modules.hippocampus.facts import Facts

    def weights(latest: Any, key: int) -> tuple[Any, Any]:
        size = int(latest.size[key])
        return latest.outcome[key, :size], fading ** np.arange(size - 1, -1, -1)

    def now(self: Any, key: Any) -> Any:
        outcome, weight = weights(self.latest, self.numbers[key])
        return list(self._kinds)[int(np.bincount(outcome, weight).argmax())]

    def counted(self: Any) -> Any:
        counts = self.counts[: len(self), :3].copy()
        for event in np.flatnonzero(self._mixed[: len(self)]):
            outcome, weight = weights(self._latest, event)
            counts[event] = weight.sum(), weight[outcome >= 2].sum(), weight[outcome % 2 == 1].sum()
        return counts

    stack.enter_context(mock.patch.object(Facts, "now", now))
    stack.enter_context(mock.patch.object(Events, "_counted", counted))


if __name__ == "__main__":
    main()
