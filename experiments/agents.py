"""Cortex itself as a learner of `cortex.measure.protocol`: rows by day, weights by night; and nights that must fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cortex import face, keep
from cortex.agent import Agent
from cortex.build import build
from cortex.config import Config, differing, load
from cortex.day import Ended, live_day
from cortex.measure.exam import sit
from cortex.measure.protocol import Bodies, Cost, Played
from cortex.store import files, spaces
from cortex.types import CortexError

SPENT = "spent.json"
CONTROLS = ("none", "shuffled", "withheld", "naps")
"""What is wrong with the nights: nothing; every state has another's target; what was lived in every fifth game is
forgotten before; they are slept after each game instead."""
WITHHELD = 5


def make(observation_space: Any, action_space: Any, seed: int, control: str = "none", **settings: str) -> Cortex:
    """A newborn agent for the spaces of one body; ``settings`` are overrides such as ``sleep.steps``, ``control`` is
    one of CONTROLS."""
    if control not in CONTROLS:
        raise CortexError(f"there is no control {control!r} of nights; controls are {', '.join(CONTROLS)}")
    config = load(*(f"{key}={value}" for key, value in settings.items()), {"seed": seed})
    return Cortex(config, observation_space, action_space, control)


class Cortex:
    """One agent that lives game after game. What lasts of it is rows and weights; all else is computed from them."""

    def __init__(self, config: Config, observation_space: Any, action_space: Any, control: str = "none") -> None:
        self.control = control
        self.agent = build(config, observation_space, action_space)
        self.agent.hippocampus.day = 1
        self.updates = 0

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        """A day in one game, or until an episode is answered by False; what unfinished episodes taught is kept."""
        self.agent.hippocampus.environment += 1

        def see(_: int, finished: list[Ended]) -> bool:
            return all(on_episode(_played(episode)) is not False for episode in finished if episode.fault is None)

        lived = live_day(self.agent, bodies, steps, seed, np.random.default_rng(seed), see)
        keep.awaken(self.agent)
        if self.control == "naps":
            self._night()
        return lived

    def sleep(self, seed: int) -> None:
        """The agent's own night; its randomness follows from the agent's seed and the day."""
        if self.control == "withheld":
            store = self.agent.hippocampus.store
            store.delete([n for n in store.episodes() if store.read(n).environment % WITHHELD == 0])
            keep.awaken(self.agent)
        if self.control != "naps":
            self._night()

    def _night(self) -> None:
        self.updates += int(face.sleep(self.agent, shuffled=self.control == "shuffled").get("updates", 0))
        keep.awaken(self.agent)

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        """Act without curiosity; faulty episodes are played again. Raises CortexError where most are faulty."""
        agent = self.agent.lesioned("hippocampus", "planner") if habit else self.agent
        return [_played(episode) for episode in sit(agent, bodies, episodes, seed)[0]]

    def clear(self) -> None:
        """Be the agent that has these weights and never lived."""
        before = self.agent
        self.agent = build(before.config, before.observation_space, before.space)
        self.agent.restore(before.weights())
        self.agent.hippocampus.day = before.hippocampus.day
        self.agent.hippocampus.environment = before.hippocampus.environment
        keep.awaken(self.agent)

    def cost(self) -> Cost:
        """Updates of all nights; bytes of the rows' arrays, of what is kept beside them, and of the tensors."""
        rows = keep.rows_of(self.agent)
        told = [rows.read(number) for number in rows.episodes()]
        arrays = sum(e.codes.nbytes + e.action.nbytes + e.reward.nbytes + e.salience.nbytes for e in told)
        weights = sum(value.numel() * value.element_size() for value in self.agent.weights().values())
        beside = sum(len(json.dumps(rows.get(known, {}))) for known in ("bodies", "gists", "relied"))
        return Cost(self.updates, int(arrays + rows.tokens().nbytes + beside), int(weights))

    def save(self, folder: Path) -> None:
        """As ``Agent.save``, with the count of updates beside it."""
        self.agent.save(folder)
        files.write(folder / SPENT, json.dumps({"updates": self.updates}).encode())

    def load(self, folder: Path) -> None:
        """As ``Agent.load``. Raises CortexError for an agent that was saved with other settings or spaces."""
        found, mine = Agent.load(folder), self.agent
        wrong = differing(mine.config, found.config) or spaces.differs(mine.observation_space, found.observation_space)
        if wrong:
            raise CortexError(f"the agent in {folder} does not fit this one: {wrong}; load it with its own settings")
        self.agent = found
        try:
            self.updates = int(json.loads(files.read(folder / SPENT, 1 << 12))["updates"])
        except (ValueError, KeyError, TypeError) as error:
            raise CortexError(f"{folder / SPENT} is damaged ({error}); restore it from a backup") from error


def _played(episode: Ended) -> Played:
    return Played(episode.total, episode.steps, episode.reward, episode.success, episode.searched)
