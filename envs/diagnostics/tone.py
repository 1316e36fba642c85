"""Tone: what is heard tells which of two doors pays."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .rules import METADATA, act, choice, draw, rule, senses

SAMPLES = 1024
PITCHES = (0.05, 0.13)
"""Cycles a sample of the low tone and the high one."""
LOUDNESS, HISS = 0.5, 0.01
"""Amplitude of the tone, and deviation of the noise in every sample."""


class Tone(gymnasium.Env[dict[str, Any], Any]):
    """One sound, one choice of two doors (two-tone choice, Znamenskiy & Zador 2013).

    Observation: ``sound``, samples in [-1, 1] of a low or a high tone that begins anywhere in its cycle, with a little
    noise, so that no two sounds are equal in any sample. Which door each pitch opens is the same in all episodes of a
    ``game_seed``. ``mute=("sound",)`` leaves silence. OPTIMUM: the pitches are told apart. CHANCE and WITHOUT hearing:
    each door pays in one episode of two and nothing else tells which.
    """

    metadata = METADATA
    MODULE = "sound"
    OPTIMUM, CHANCE, WITHOUT = 1.0, 0.5, 0.5
    SURVIVES = ("hippocampus", "planner", "context", "night", "world_model", "habit", "dream", "guard")

    def __init__(self, mute: tuple[str, ...] = (), game_seed: int = 0, render_mode: str | None = None) -> None:
        self.mute = senses("Tone", mute, ("sound",))
        self.render_mode = choice("Tone", "render_mode", render_mode, (None, "ansi"))
        self.pays = rule(game_seed, "Tone").permutation(2).tolist()  # the door of each pitch
        self.layout_sizes = (2,)
        self.observation_space = spaces.Dict({"sound": spaces.Box(-1.0, 1.0, (SAMPLES,), np.float32)})
        self.action_space = spaces.Discrete(2)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As ``gymnasium.Env.reset``; ``options={"layout": (pitch,)}``."""
        super().reset(seed=seed)
        (self._pitch,) = draw("Tone", self.layout_sizes, self.np_random, options)
        cycles = PITCHES[self._pitch] * np.arange(SAMPLES) + self.np_random.random()
        noise = HISS * self.np_random.standard_normal(SAMPLES)
        self._sound = np.clip(LOUDNESS * np.sin(2 * np.pi * cycles) + noise, -1, 1).astype(np.float32)
        self._running = True
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """As ``gymnasium.Env.step``; then there is silence."""
        won = act("Tone", self._running, action, 2) == self.pays[self._pitch]
        self._running = False
        return self._look(), float(won), True, False, {"success": won}

    def render(self) -> Any:
        """One line: which tone sounds."""
        if self.render_mode is None:
            return None
        return f"{('low', 'high')[self._pitch]} tone" if self._running and not self.mute else "silence"

    def _look(self) -> dict[str, Any]:
        heard = self._running and "sound" not in self.mute
        return {"sound": self._sound if heard else np.zeros(SAMPLES, np.float32)}
