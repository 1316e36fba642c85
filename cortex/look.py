"""One decision as it can be looked at: what was seen, what was weighed, and what it was like."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortex.agent import Agent, Trace
from cortex.frames import Frames, chart
from cortex.language import Speaker
from cortex.lines import Considered, considered, end_of
from cortex.types import Array, Place

RECALLED = 6
"""Most memories kept of a recall."""
LINES = 4
"""Most lines kept of a search."""


class Look:
    """Looks at ``body`` through one episode in ``situation``, in the words of the environment ``world`` where it has
    some; ``codes`` are those of all cells that were shown."""

    def __init__(self, agent: Agent, frames: Frames, body: int, situation: int, world: Any = None) -> None:
        self.agent, self.frames, self.body, self.speaker = agent, frames, body, Speaker(agent, world)
        begin, end = frames.span
        self.held = begin <= agent.imagination.motions(situation).held < end  # a cell shows what it holds
        self.codes: set[int] = set()
        self.due = 0  # what should be seen next
        self.shown: dict[str, Any] = {}
        self.begins = True

    def __call__(self, trace: Trace, action: int) -> dict[str, Any]:
        """What there is to see of a decision for ``action``, as JSON; what is as it was shown last is left out."""
        body, habit, plan = self.body, trace.habit, trace.plan
        by = "line" if trace.followed[body] else "search" if trace.searched[body] else "habit"
        foretold = self._foretold(trace)
        step: dict[str, Any] = {"view": self._view(trace.codes[body]), "action": action, "by": by}
        step["said"] = self.speaker(trace, body)
        step |= self._news("beside", self.frames.beside(trace.codes[body]))
        step |= {
            "prior": shorts(habit.prior[body]),
            "habit": shorts(np.stack([habit.value, habit.confidence])[:, body]),
        }
        if foretold is not None:
            step["foretold"] = foretold
        if trace.state.place is not None:
            drawn = self._chart(trace.state.place, body)
            step |= {"pose": drawn.pop("pose"), **self._news("map", drawn)}
        if int(trace.state.code[body]) not in self.agent.hippocampus.scenes.entry:
            step["new"] = True
        if by == "search":
            step |= {"weights": shorts(plan.weights[body]), "known": bool(plan.known[body])}
            step["plan"] = [short(plan.value[body]), int(plan.steps[body]), int(plan.nodes[body])]
            step |= self._weighed(trace)
        if by == "search" or self.begins or foretold is False:
            step["recalled"] = self._recalled(trace)
        self.begins = False
        return step

    def _view(self, codes: Array) -> list[int]:
        view = self.frames.view(codes)
        self.codes.update(view)
        return view

    def _chart(self, place: Place, body: int) -> dict[str, Any]:
        drawn = chart(place, body)
        if self.held:
            drawn["holds"] = int(place.carried[body])
        self.codes.update([*drawn["cells"], drawn.get("holds", 0)])
        return drawn

    def _news(self, name: str, value: Any) -> dict[str, Any]:
        if self.shown.get(name) == value:
            return {}
        self.shown[name] = value
        return {name: value}

    def _foretold(self, trace: Trace) -> bool | None:
        """Whether what is seen is what the line of before foretold; None where it foretold nothing."""
        due, rest = self.due, trace.carry.line
        self.due = int(rest.expected[self.body, 0]) if rest.actions[self.body, 0] >= 0 else 0
        return due == int(self.agent.imagination.sign(trace.state)[self.body]) if due else None

    def _weighed(self, trace: Trace) -> dict[str, Any]:
        """The lines that search weighed, and where the best of them leads."""
        discount = self.agent.config.planner.discount
        lines = considered(trace.tree, self.body, self.agent.motor.actions, discount, LINES)
        if not lines:
            return {}
        told = [{"actions": x.actions, "value": short(x.value), "paid": short(x.paid)} for x in lines]
        future = self._future(trace, lines[0])
        return {"lines": told} | ({"future": future} if future else {})

    def _future(self, trace: Trace, line: Considered) -> dict[str, Any] | None:
        end = end_of(trace.tree, line)
        if isinstance(end, Place):
            return self._chart(end, 0)
        if end is None or not self.frames.grids:
            return None
        return {"view": self._view(self.agent.codebook.nearest(end)[0])}

    def _recalled(self, trace: Trace) -> list[dict[str, Any]]:
        """The memories most like the present: how like, of which day, what they were worth keeping, what they show."""
        memory = self.agent.hippocampus
        latent = trace.sensed.percept.latent[self.body : self.body + 1]
        found = []
        for row, entry, like in list(zip(*(part[0] for part in memory.scenes.search(latent)), strict=True))[:RECALLED]:
            if entry < 0:
                continue
            codes = memory.scenes.codes[entry]
            told: dict[str, Any] = {"like": short(like), "view": self._view(codes)}
            if not self.frames.grids:
                told["beside"] = self.frames.beside(codes)
            if row >= 0:
                episode = memory.store.read(int(row))
                at = (episode.codes[:-1] == codes).all(axis=1)
                told |= {"day": episode.day, "task": episode.environment, "memory": int(row)}
                told["salience"] = short(episode.salience[at].max(initial=0))
            found.append(told)
        return found


def short(value: Any) -> float:
    """To three digits."""
    return round(float(value), 3)


def shorts(values: Array) -> list[float]:
    """Each to three digits."""
    return [round(value, 3) for value in np.asarray(values, np.float64).tolist()]
