"""The motor: turns a plan into an action, and follows the plan while what it foretold comes true.

Actions of a Discrete space stand as they are. A line of actions found by search is a motor intention: it is carried
out without searching again until something unexpected is seen (Botvinick 2008, on the hierarchy of action).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortex.types import Array, Plan


@dataclass(frozen=True, slots=True)
class Line:
    """The actions still to be done, and what should be seen before each."""

    actions: Array  # [B, L] int16, -1 beyond the end
    expected: Array  # [B, L] int64, what should be seen when the action at the same place is due; the first is due now
    known: Array  # [B] bool, the line ends in something known to pay


class Motor:
    """Chooses among ``actions`` actions; ``temperature`` 0 takes the likeliest, 1 draws from the plan. Lines are up
    to ``length`` long."""

    def __init__(self, actions: int, temperature: float, length: int) -> None:
        self.actions, self.temperature, self.length = actions, temperature, length

    def initial(self, bodies: int) -> Line:
        """No intention."""
        return Line(
            np.full((bodies, self.length), -1, np.int16),
            np.zeros((bodies, self.length), np.int64),
            np.zeros(bodies, bool),
        )

    def follows(self, line: Line, seen: Array, first: Array) -> Array:
        """[B] bool: the line goes on, since what is ``seen`` [B] was expected and the line leads to something known."""
        return np.asarray(~first & line.known & (line.actions[:, 0] >= 0) & (line.expected[:, 0] == seen))

    def __call__(
        self, line: Line, goes_on: Array, plan: Plan, generator: np.random.Generator, temperature: float | None = None
    ) -> tuple[Array, Line]:
        """Actions [B] int64 and what is left of the lines."""
        bodies = len(goes_on)
        heat = self.temperature if temperature is None else temperature
        draw = generator.random(bodies)
        if goes_on.all():
            return line.actions[:, 0].astype(np.int64), _rest(line.actions, line.expected, line.known)
        if heat > 0:
            power = np.maximum(plan.weights.astype(np.float64), 1e-12) ** (1 / heat)
            chances = np.cumsum(power / power.sum(axis=1, keepdims=True), axis=1)
            drawn = np.minimum((chances < draw[:, None]).sum(axis=1), self.actions - 1)
        else:
            drawn = plan.weights.argmax(axis=1)

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
        return action, _rest(actions, expected, np.where(goes_on, line.known, plan.known))


def _rest(actions: Array, expected: Array, known: Array) -> Line:
    """The line without its first action."""
    left = Line(np.full_like(actions, -1), np.zeros_like(expected), known)
    left.actions[:, :-1], left.expected[:, :-1] = actions[:, 1:], expected[:, 1:]
    return left
