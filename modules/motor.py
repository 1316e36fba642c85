"""The motor: turns a plan into an action, and follows the plan while what it foretold comes true.

Every action has a number, whatever the space: what the mind knows of, and what memory keeps. A line of actions found by
search is a motor intention: it is carried out without searching again until something unexpected is seen (Botvinick
2008, on the hierarchy of action). Where nobody searched, what was done here before in this episode is done less again:
it has led back here (inhibition of return, Posner & Cohen 1984; spontaneous alternation, Dember & Richman 1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from cortex.types import Array, CortexError, Plan

MOST_ACTIONS = 1024
"""Actions that a search can still tell apart one by one."""
DEEDS = 256
"""Latest deeds of an episode that are not repeated as readily."""
NOTHING = 0
"""No deed."""


class Codec:
    """Numbers the ``actions`` of a space from 0: those of a Discrete space in order, those of a MultiDiscrete or
    MultiBinary one as a product, the last part running fastest.

    Raises CortexError for another space, and for more than MOST_ACTIONS.
    """

    def __init__(self, space: Space[Any]) -> None:
        if isinstance(space, spaces.Discrete):
            counts, self._start = [int(space.n)], np.array([space.start])
        elif isinstance(space, spaces.MultiDiscrete):
            counts, self._start = space.nvec.ravel().tolist(), space.start.ravel()
        elif isinstance(space, spaces.MultiBinary):
            counts = [2] * math.prod(space.shape)
            self._start = np.zeros(len(counts), np.int64)
        else:
            raise CortexError(
                f"The action space is {space}, and only Discrete spaces, MultiDiscrete and MultiBinary are supported; "
                "a wrapper that offers the actions as one of these would do."
            )
        self.actions = math.prod(counts)
        if not 1 <= self.actions <= MOST_ACTIONS:
            raise CortexError(
                f"The action space is {space}, {self.actions} actions in all, and only 1 to {MOST_ACTIONS} are "
                "supported; a wrapper that offers fewer, such as one part at a time, would do."
            )
        self._counts, self._shape, self._dtype = counts, tuple(space.shape or ()), space.dtype

    def __call__(self, action: Array) -> Array:
        """Numbers [B] -> what the environment is told, [B, ...]: actions of its own space."""
        parts = np.stack(np.unravel_index(action, self._counts), axis=-1) + self._start
        return np.asarray(parts.reshape(*np.shape(action), *self._shape).astype(self._dtype))


@dataclass(frozen=True, slots=True)
class Line:
    """The actions still to be done, and what should be seen before each."""

    actions: Array  # [B, L] int16, -1 beyond the end
    expected: Array  # [B, L] int64, what should be seen when the action at the same place is due; the first is due now
    known: Array  # [B] bool, the line ends in something known to pay
    firm: Array  # [B] bool, found since memory objected to what the habit would have done: it is carried to its end
    deeds: Array  # [B, DEEDS] int64, what was done where in this episode, the latest first; NOTHING beyond


class Motor:
    """Chooses among the actions of ``codec``; ``temperature`` 0 takes the likeliest, 1 draws from the plan. Lines are
    up to ``length`` long. ``inhibition``: share by which a habit is the less followed for each time that it was where
    the agent is again."""

    def __init__(self, codec: Codec, temperature: float, length: int, inhibition: float = 0.0) -> None:
        self.codec, self.actions, self.temperature, self.length = codec, codec.actions, temperature, length
        self.inhibition = inhibition

    def cooled(self, share: float) -> Motor:
        """The same motor at a ``share`` of its temperature."""
        return Motor(self.codec, share * self.temperature, self.length, self.inhibition)

    def initial(self, bodies: int) -> Line:
        """No intention."""
        return Line(
            np.full((bodies, self.length), -1, np.int16),
            np.zeros((bodies, self.length), np.int64),
            np.zeros(bodies, bool),
            np.zeros(bodies, bool),
            np.full((bodies, DEEDS), NOTHING, np.int64),
        )

    def follows(self, line: Line, seen: Array, first: Array) -> Array:
        """[B] bool: the line goes on, since what is ``seen`` [B] was expected and the line leads to something known."""
        return np.asarray(~first & line.known & (line.actions[:, 0] >= 0) & (line.expected[:, 0] == seen))

    def circles(self, line: Line, prior: Array, spot: Array, first: Array) -> Array:
        """Whether what the habit would do at ``spot`` [B] was done there before in this episode [B] bool: it led back
        here. ``prior`` [B, A]; never without inhibition."""
        if not self.inhibition:
            return np.zeros(len(spot), bool)
        again = _again(line.deeds, _deeds(spot, self.actions))
        return np.asarray(~first & (again[np.arange(len(spot)), prior.argmax(axis=1)] > 0))

    def __call__(
        self,
        line: Line,
        goes_on: Array,
        plan: Plan,
        held: Array,
        spot: Array,
        first: Array,
        generator: np.random.Generator,
        temperature: float | None = None,
    ) -> tuple[Array, Line]:
        """Actions [B] int64 and what is left of the lines; ``held`` [B]: whose habit memory objected to. ``spot`` [B]
        tells where they are acted, ``first`` [B] who begins an episode."""
        bodies = len(goes_on)
        heat = self.temperature if temperature is None else temperature
        draw = generator.random(bodies)
        deeds = np.where(first[:, None], NOTHING, line.deeds)
        here = _deeds(spot, self.actions)
        if goes_on.all():
            action = line.actions[:, 0].astype(np.int64)
            return action, _rest(replace(line, deeds=_noted(deeds, here, action)))
        weights, unsearched = plan.weights, np.flatnonzero(plan.steps == 0)
        if self.inhibition and len(unsearched):
            again = _again(deeds[unsearched], here[unsearched])
            weights = weights.astype(np.float64)
            weights[unsearched] *= (1 - self.inhibition) ** again
        if heat > 0:
            power = np.maximum(weights.astype(np.float64), 1e-12)
            power = (power / power.max(axis=1, keepdims=True)) ** (1 / heat)  # the likeliest is 1, however cold
            chances = np.cumsum(power / power.sum(axis=1, keepdims=True), axis=1)
            drawn = np.minimum((chances < draw[:, None]).sum(axis=1), self.actions - 1)
        else:
            drawn = weights.argmax(axis=1)

        length = min(plan.actions.shape[1], self.length)
        actions, expected = np.full_like(line.actions, -1), np.zeros_like(line.expected)
        actions[:, :length] = plan.actions[:, :length]
        expected[:, 1:length] = plan.expected[:, : max(0, length - 1)]
        # Among lines that are equally good one is drawn; the rest of a line is kept if its own first action was drawn.
        action = np.where(
            goes_on, line.actions[:, 0], np.where(plan.known & (actions[:, 0] >= 0), actions[:, 0], drawn)
        ).astype(np.int64)
        actions = np.where(goes_on[:, None], line.actions, np.where((action == actions[:, 0])[:, None], actions, -1))
        expected = np.where(goes_on[:, None], line.expected, expected)
        known, firm = np.where(goes_on, line.known, plan.known), np.where(goes_on, line.firm, held)
        return action, _rest(Line(actions, expected, known, firm, _noted(deeds, here, action)))


def _deeds(spot: Array, actions: int) -> Array:
    """One number [B, actions], never NOTHING, for each action at each ``spot`` [B]."""
    return np.asarray((spot.astype(np.int64)[:, None] * actions + np.arange(actions)) | (1 << 62))


def _again(deeds: Array, here: Array) -> Array:
    """How often [B, actions] the deeds ``here`` [B, actions] are among those of an episode [B, DEEDS]."""
    return np.asarray((deeds[:, None] == here[:, :, None]).sum(axis=2))


def _noted(deeds: Array, here: Array, action: Array) -> Array:
    """The latest deeds with those that are done now in front."""
    return np.concatenate([here[np.arange(len(action)), action][:, None], deeds[:, :-1]], axis=1)


def _rest(line: Line) -> Line:
    """The line without its first action."""
    left = replace(line, actions=np.full_like(line.actions, -1), expected=np.zeros_like(line.expected))
    left.actions[:, :-1], left.expected[:, :-1] = line.actions[:, 1:], line.expected[:, 1:]
    return left
