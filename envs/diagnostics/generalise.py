"""Generalise: new combinations of attributes whose parts are known."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, rule

SHAPES, COLOURS, ACTIONS = 4, 3, 4
OPEN, EMPTY, DONE = range(3)
STAGES = ("shut", "open", "done")


class Generalise(gymnasium.Env[dict[str, Any], Any]):
    """A box to be opened by its shape, then emptied by its colour (after Lake & Baroni 2018: systematicity).

    Observation: ``shape``, ``colour`` and ``stage`` (shut, open, done). Each shape has one action that opens it, each
    colour one that empties it, all apart within shapes and within colours and the same in all episodes of a
    ``game_seed``; a wrong action ends the episode. Of the twelve boxes ``part`` "day" has eight and "exam" the four
    others, with shapes and colours that are all known from days. OPTIMUM: what is known of the parts is combined.
    CHANCE: 4^-2. WITHOUT combining, a box of the exam is like nothing known, and over all rules each pair of actions
    is right for one box of sixteen.
    """

    metadata = METADATA
    MODULE = "world_model"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 1 / 16, 1 / 16
    SURVIVES = ("context", "dream", "guard")

    def __init__(self, part: str = "day", game_seed: int = 0, render_mode: str | None = None) -> None:
        self.part = choice("Generalise", "part", part, ("day", "exam"))
        self.render_mode = choice("Generalise", "render_mode", render_mode, (None, "ansi"))
        rng = rule(game_seed, "Generalise")
        self.opens = rng.permutation(ACTIONS)[:SHAPES].tolist()
        self.empties = rng.permutation(ACTIONS)[:COLOURS].tolist()
        first = rng.permutation(COLOURS)  # each shape's colour in the exam; every colour is left to days too
        kept = [int(first[shape % COLOURS]) for shape in range(SHAPES)]
        self.boxes = {
            "day": [(s, c) for s in range(SHAPES) for c in range(COLOURS) if c != kept[s]],
            "exam": list(enumerate(kept)),
        }[self.part]
        self.layout_sizes = (len(self.boxes),)
        self.observation_space = spaces.Dict(
            {"shape": spaces.Discrete(SHAPES), "colour": spaces.Discrete(COLOURS), "stage": spaces.Discrete(3)}
        )
        self.action_space = spaces.Discrete(ACTIONS)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (index into boxes,)}``."""
        super().reset(seed=seed)
        (box,) = draw("Generalise", self.layout_sizes, self.np_random, options)
        self._shape, self._colour = self.boxes[box]
        self._stage, self._running = OPEN, True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        chosen = act("Generalise", self._running, action, ACTIONS)
        right = chosen == (self.opens[self._shape] if self._stage == OPEN else self.empties[self._colour])
        self._stage += right
        won = self._stage == DONE
        self._running = right and not won
        return self._look(), float(won), not self._running, False, {"success": won}

    def render(self) -> Any:
        """One line: the box."""
        if self.render_mode is None:
            return None
        shape = ("round", "square", "long", "flat")[self._shape]
        return f"a {shape} {('red', 'green', 'blue')[self._colour]} box, {STAGES[self._stage]}"

    def _look(self) -> dict[str, Any]:
        return {"shape": self._shape, "colour": self._colour, "stage": self._stage}
