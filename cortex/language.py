"""What an agent is about to do, said in one plain English sentence: its plan, read deed by deed from what it foretells.

A plan foretells of each of its steps where the agent will be, what it will hold and what it will face. What changes
between two of these is a deed, what leads from one deed to the next is walking, and why all of it is done follows from
what the line promised to search: pay, something to find out, or something to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cortex.agent import Agent, Trace
from cortex.lines import Considered, considered, signs_of
from cortex.mapped import OPAQUE
from cortex.modules.context import place_number, tell_sign
from cortex.names import Names
from cortex.types import UNSEEN, Array, Motions

MOST = 8
"""Clauses of a sentence; of a longer plan the rest is counted."""
SIDES = {"left": "turn left", "right": "turn right"}

Step = tuple[int, int | None]
"""An action, and the signature of what should be seen after it where that was foretold."""


def say(agent: Agent, trace: Trace, body: int = 0, world: Any = None) -> str:
    """What ``body`` is about to do at the step that ``trace`` is of, in one sentence of plain text.

    ``world``: the environment whose words name things and actions; the one that the agent learns in where it has one.
    Ask before the step is observed. Nothing is changed by it.
    """
    part = next(part for part in trace.parts if body in part.bodies)
    speaker = Speaker(agent, world_of(agent.bodies, body) if world is None else world)
    return speaker(part, int(np.flatnonzero(part.bodies == body)[0]))


class Speaker:
    """Says what ``agent`` is about to do, in the words of ``world``, an environment; keep it for one episode."""

    def __init__(self, agent: Agent, world: Any = None) -> None:
        self.agent, self.names = agent, Names(agent, world)

    def __call__(self, trace: Trace, body: int) -> str:
        """The sentence for one ``body`` of a trace."""
        steps, why = self._plan(trace, body)
        if trace.state.place is None:
            does, aim = self._listed(steps), WHY.get(why, "")
        else:
            does, aim = self._told(trace, body, steps, why)
        return f"It is about to {does}{aim}."

    def _plan(self, trace: Trace, body: int) -> tuple[list[Step], str]:
        """The steps that are planned, this one first, and what for: a key of WHY, "trial" or "event"."""
        action, rest = int(trace.carry.context.action[body]), trace.carry.line
        if trace.followed[body]:
            later = [int(a) for a in rest.actions[body] if a >= 0]
            signs = [int(sign) for sign in rest.expected[body, : len(later)]]
            return list(zip([action, *later], [*signs, None], strict=True)), self._pay(trace, body)
        line = self._line(trace, body, action)
        if line is None:
            if trace.searched[body] and trace.plan.best[body, action]:
                return [(action, None)], "best"
            return [(action, None)], "habit" if int(self.agent.habit.nights) else "chance"
        steps: list[Step] = list(zip(line.actions, signs_of(trace.tree, line), strict=True))
        level, row = line.leaf
        told = trace.tree.layers[level].expansion
        if line.paid > line.value / 2:
            return steps, self._pay(trace, body)
        return steps, "trial" if told.novelty.ravel()[row] >= OPAQUE else "event"

    def _line(self, trace: Trace, body: int, action: int) -> Considered | None:
        if not trace.searched[body]:
            return None
        actions, discount = self.agent.motor.actions, self.agent.config.planner.discount
        lines = considered(trace.tree, body, actions, discount, actions)
        # Of two ways to one scene only one has a line; in words they are the same.
        alike = lines[:1] if trace.plan.best[body, action] else []
        return next((line for line in [*lines, *alike] if line.actions[0] == action or line in alike), None)

    def _pay(self, trace: Trace, body: int) -> str:
        counts = self.agent.hippocampus.world(int(trace.situation[body])).events.counts
        return "win" if 2 * counts[:, 1:3].min(axis=1).sum() >= counts[:, 1].sum() else "pay"

    def _listed(self, steps: Sequence[Step]) -> str:
        """Actions by their names, where nothing is known of what they do."""
        runs: list[tuple[int, int]] = []
        for action, _ in steps:
            times = runs.pop()[1] + 1 if runs and runs[-1][0] == action else 1
            runs.append((action, times))
        return _joined([f"do “{self.names.actions[a]}”{f' {n} times' if n > 1 else ''}" for a, n in runs])

    def _told(self, trace: Trace, body: int, steps: Sequence[Step], why: str) -> tuple[str, str]:
        """The plan as clauses on the map, and what it is for."""
        situation, place = int(trace.situation[body]), trace.state.place
        assert place is not None
        world = self.agent.hippocampus.world(situation)
        empty = next((key[2] for key in world.interactions.outcomes), int(place.carried[body]))
        tale = _Tale(
            self.names, self.agent.imagination.motions(situation), place.cells[body], world.footing, empty,
            [int(part) for part in place.pose[body]], int(place.carried[body]), why in ("win", "pay"),
            set(world.walked),
        )  # fmt: skip
        trial = why == "trial" and not tale.turns(steps[-1][0])
        for action, sign in steps[:-1] if trial else steps:
            tale.go(action, sign)
        if trial:
            what, deed = tale.before(steps[-1][0])
            if what != UNSEEN:
                tale.walk_up(what)
                aim = f"find out what happens when it {deed}"
                return (tale.clauses(), f", to {aim}") if tale.told else (aim, "")
            why = "see"
            tale.go(steps[-1][0], None)
        if why in ("event", "trial"):
            why = "see" if tale.front() == UNSEEN else "ask"
        tale.close(why == "see")
        return tale.clauses(), WHY[why]


WHY = {
    "win": ", to win",
    "pay": ", for a reward",
    "see": ", to see what it has not seen yet",
    "ask": ", to find out whether that pays",
    "trial": ", to find out what happens",
    "event": ", to find out whether that pays",
    "best": ", which promises most by what it foretells",
    "habit": ", by habit",
    "chance": ", by chance: it knows nothing better",
}
"""What a plan is for, in words."""


@dataclass
class _Tale:
    """A plan told step by step on a map."""

    names: Names
    motions: Motions
    cells: Array  # [S, S]
    footing: int
    empty: int  # code of an empty hand
    pose: list[int]
    carried: int
    sure: bool  # what is not foretold comes off
    walked_on: set[int]  # codes that are known to be walked on
    changed: dict[tuple[int, int], int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    walked: bool = False  # since the last deed
    turned: str = ""  # the only turn since then
    onto: int = UNSEEN  # the thing that the last step led onto

    def turns(self, action: int) -> bool:
        """Whether an action only turns the agent, or does nothing."""
        reach = self.motions.reach[self.pose[2], action]
        return bool(self.motions.turns[self.pose[2], action]) or not reach.any()

    def at(self, step: Array) -> tuple[int, int]:
        """The cell of the map that lies a ``step`` away."""
        size = len(self.cells)
        return (self.pose[0] + int(step[0])) % size, (self.pose[1] + int(step[1])) % size

    def look(self, spot: tuple[int, int]) -> int:
        """What is there by now."""
        return self.changed.get(spot, int(self.cells[spot]))

    def front(self) -> int:
        """What the agent faces."""
        return self.look(self.at(self.motions.facing[self.pose[2]]))

    def before(self, action: int) -> tuple[int, str]:
        """What an action would act on, and "uses the key on the door": its deed if nobody knows what comes of it."""
        heading, held = self.pose[2], self.carried != self.empty
        what, name = self.look(self.at(self.motions.reach[heading, action])), self.names.actions[action]
        thing = "that" if what == UNSEEN else self.names.thing(what)
        if self.motions.go[heading, action].any():
            return what, f"walks into {thing}"
        if name == "wait":
            return what, f"waits before {thing}"
        if held and name in ("use", "toggle"):
            return what, f"uses {self.hand(self.carried)} on {thing}"
        return what, f"tries “{name}” on {thing}" + (f" with {self.hand(self.carried)} in hand" if held else "")

    def hand(self, code: int) -> str:
        return self.names.held(code, self.motions.held)

    def go(self, action: int, sign: int | None) -> None:
        """Tell one step; without a ``sign`` of what it leads to, as far as the body schema says."""
        heading = self.pose[2]
        go, reach = self.motions.go[heading, action], self.motions.reach[heading, action]
        spot, here = self.at(reach), (self.pose[0], self.pose[1])
        what = self.look(spot) if reach.any() else UNSEEN
        if sign is None:
            turn, held = int(self.motions.turn[heading, action]), self.carried
            unknown = self.sure or self.footing == UNSEEN
            free = unknown or what in (UNSEEN, self.footing) or what in self.walked_on
            there, front = (self.at(go) if go.any() and free else here), None
        else:
            number, turn, held, front = tell_sign(sign)
            ways = {place_number(*here): here, place_number(*self.at(go)): self.at(go)}
            there = ways.get(number, (number // 64, number % 64))
        moved = there != (here[0] % len(self.cells), here[1] % len(self.cells))
        leapt = moved and there != self.at(go)
        self.pose = [*there, turn]
        ahead = self.at(self.motions.facing[turn])
        if front is not None and front != UNSEEN:
            self.changed[ahead] = front
        after = front if front is not None and ahead == spot and not moved else what
        self._note(action, sign, what, after, held, (moved, leapt, turn != heading, bool(go.any())))

    def _note(
        self, action: int, sign: int | None, what: int, after: int, held: int, how: tuple[bool, bool, bool, bool]
    ) -> None:
        (moved, leapt, turned, walks), before = how, self.carried
        self.carried = held
        name = self.names.actions[action]
        if leapt:
            self.deed(what, "go through {}")
        elif moved:
            if what not in (UNSEEN, self.footing) and self.front() == what and sign is not None:
                self.deed(what, "push {}")
            self.walked, self.onto = True, UNSEEN if what == self.footing else what
        elif held != before and before == self.empty:
            self.deed(what, "pick up {}")
        elif held != before and held == self.empty:
            placed = what in (UNSEEN, self.footing)
            self.deed(UNSEEN if placed else what, f"put down {self.hand(before)}" if placed else self._use(before))
        elif held != before:
            self.deed(what, f"give {self.hand(before)} for {{}}")
        elif after != what and what != UNSEEN:
            self.deed(what, self._change(what, after, walks))
        elif turned:
            self.turned = SIDES.get(name, "turn") if not self.turned and not self.walked else "turn"
        elif name not in ("wait", "done") and what not in (UNSEEN, self.footing):  # what it does is not known
            self.deed(what, self._try(name, held, walks))
        else:
            self.told.append("wait" if name in ("wait", "done") else f"do “{name}”")

    def _use(self, held: int) -> str:
        return f"use {self.hand(held)} on {{}}"

    def _try(self, name: str, held: int, walks: bool) -> str:
        """What to do something is called of which nobody knows what it changes."""
        if walks:
            return "walk into {}"
        if name in ("use", "toggle") and held != self.empty:
            return self._use(held)
        return "pick up {}" if name == "pickup" else f"try “{name}” on {{}}"

    def _change(self, what: int, after: int, walks: bool) -> str:
        """In a word what makes one thing of another."""
        sooner, later = self.names.thing(what), self.names.thing(after)
        if later.startswith("the open "):
            return "open {}" + (f" with {self.hand(self.carried)}" if "locked" in sooner else "")
        if sooner.startswith("the open "):
            return "shut {}"
        if walks:
            return "walk into {}"
        return self._use(self.carried) if self.carried != self.empty else f"make {{}} {later}"

    def deed(self, what: int, words: str) -> None:
        """Tell a deed on a thing, after the way there; ``{}`` stands for the thing."""
        thing = "it"
        if what == UNSEEN:
            self.close(True)
        elif not self.walk_up(what):
            thing = self.names.thing(what)
        self.told.append(words.format(thing).replace("pick up it", "pick it up"))

    def walk_up(self, what: int) -> bool:
        """Tell of the way to a thing; False where there was none."""
        gone, self.walked, self.turned, self.onto = self.walked or bool(self.turned), False, "", UNSEEN
        if gone:
            self.told.append(f"walk to {self.names.thing(what)}")
        return gone

    def close(self, plain: bool) -> None:
        """Tell of the way that ends here; ``plain``: whatever it leads to."""
        front = self.front()
        if self.walked and self.onto != UNSEEN:
            self.told.append(f"walk onto {self.names.thing(self.onto)}")
        elif self.walked:
            to = "" if plain or front in (UNSEEN, self.footing) else f" up to {self.names.thing(front)}"
            self.told.append(f"walk{to or ' on'}")
        elif self.turned:
            self.told.append(self.turned)
        self.walked, self.turned, self.onto = False, "", UNSEEN

    def clauses(self) -> str:
        """All that was told, as one."""
        more = len(self.told) - MOST
        return _joined([*self.told[:MOST], f"do {more} thing{'s' * (more > 1)} more"] if more > 0 else self.told)


def _joined(parts: Sequence[str]) -> str:
    """Clauses with commas, and an "and" before the last."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else "stay where it is"


def world_of(bodies: Any, body: int) -> Any:
    """The environment of one body of a vector; None where there is none, or it is hidden."""
    envs = getattr(bodies, "envs", None)
    return envs[body] if isinstance(envs, list) and body < len(envs) else None
