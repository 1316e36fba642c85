"""Chord: neither the tone nor the light tells what to do, both together do."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, rule, senses

KINDS = 3
JITTER = 0.1
"""Tones of one pitch differ by up to this much from its middle; the middles are 1/3 apart."""


class Chord(gymnasium.Env[dict[str, Any], Any]):
    """One chord of a tone and a light, one choice of three (configural learning, Rudy & Sutherland 1995).

    Observation: ``tone``, a number in [0, 1] near the middle of one of three pitches, so that no two are quite equal,
    and ``light``, one of three. The answers form a Latin square over pitch and light, the same in all episodes of a
    ``game_seed``. ``mute`` names senses that say nothing (tone .5, light 0). OPTIMUM: both senses are bound. CHANCE:
    one answer of three. WITHOUT one of the senses: a row and a column of a Latin square hold each answer once, so the
    other sense alone leaves all three equally likely.
    """

    metadata = METADATA
    MODULE = "multimodal"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 1 / 3, 1 / 3
    SURVIVES = ("hippocampus", "planner", "context", "world_model", "dream", "guard")

    def __init__(self, mute: tuple[str, ...] = (), game_seed: int = 0, render_mode: str | None = None) -> None:
        self.mute = senses("Chord", mute, ("tone", "light"))
        self.render_mode = choice("Chord", "render_mode", render_mode, (None, "ansi"))
        rng = rule(game_seed, "Chord")
        rows, columns, names = (rng.permutation(KINDS) for _ in range(3))
        self.answers = names[(rows[:, None] + columns[None]) % KINDS]  # [pitch, light]
        self.layout_sizes = (KINDS, KINDS)
        self.observation_space = spaces.Dict(
            {"tone": spaces.Box(0.0, 1.0, (1,), np.float32), "light": spaces.Discrete(KINDS)}
        )
        self.action_space = spaces.Discrete(KINDS)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (pitch, light)}``."""
        super().reset(seed=seed)
        self._pitch, self._light = draw("Chord", self.layout_sizes, self.np_random, options)
        self._tone = (self._pitch + 0.5) / KINDS + float(self.np_random.uniform(-JITTER, JITTER))
        self._running = True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``."""
        won = act("Chord", self._running, action, KINDS) == int(self.answers[self._pitch, self._light])
        self._running = False
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: the tone and the light."""
        if self.render_mode is None:
            return None
        seen = self._look()
        return f"tone {seen['tone'][0]:.2f}   light {('red', 'green', 'blue')[seen['light']]}"

    def _look(self) -> dict[str, Any]:
        tone = 0.5 if "tone" in self.mute else self._tone
        return {"tone": np.array([tone], np.float32), "light": 0 if "light" in self.mute else self._light}
