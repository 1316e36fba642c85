"""Order: two events, one after the other, and a question about which came when."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, number

EVENTS = 4
BLANK, ASK_FIRST, ASK_LAST = 0, EVENTS + 1, EVENTS + 2


class Order(gymnasium.Env[dict[str, Any], Any]):
    """Two different events of four are shown in turn, ``gap`` blanks follow, then one of them is asked for.

    Observation: ``sign``, in turn an event (1 to 4), another, blanks (0), and at last the question: which was first
    (5) or which was last (6). Only the action at the question counts: action a answers event a + 1. OPTIMUM: both
    events are remembered in their order. CHANCE and WITHOUT memory: each event is the answer in one episode of four,
    whatever the question. A memory of which events there were and not of their order answers 1/2 (one of two); one
    that keeps a single event 2/3: half of the questions are about it, and for the others three are left.
    """

    metadata = METADATA
    MODULE = "context"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.25, 0.25
    SURVIVES = ("hippocampus", "planner", "night", "world_model", "habit", "dream", "guard")

    def __init__(self, gap: int = 2, render_mode: str | None = None) -> None:
        self.gap = number("Order", "gap", gap, 0, 27)
        self.render_mode = choice("Order", "render_mode", render_mode, (None, "ansi"))
        self.layout_sizes = (EVENTS, EVENTS - 1, 2)
        self.observation_space = spaces.Dict({"sign": spaces.Discrete(EVENTS + 3)})
        self.action_space = spaces.Discrete(EVENTS)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (first, which of the three others, question)}``."""
        super().reset(seed=seed)
        first, other, asked = draw("Order", self.layout_sizes, self.np_random, options)
        last = other + (other >= first)
        self._shown = (first + 1, last + 1, *[BLANK] * self.gap, (ASK_FIRST, ASK_LAST)[asked])
        self._answer, self._clock, self._running = (first, last)[asked], 0, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        answer = act("Order", self._running, action, EVENTS)
        if self._clock + 1 < len(self._shown):
            self._clock += 1
            return self._look(), 0.0, False, False, {"success": False}
        self._running, won = False, answer == self._answer
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: what is shown now."""
        if self.render_mode is None:
            return None
        sign = self._look()["sign"]
        shown = {BLANK: "-", ASK_FIRST: "which was first?", ASK_LAST: "which was last?"}.get(sign, f"event {sign}")
        return f"step {self._clock}   {shown}"

    def _look(self) -> dict[str, Any]:
        return {"sign": self._shown[self._clock]}
