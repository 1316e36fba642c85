"""One body in a novel game, as a gymnasium environment: a vector of one, on the same kernels."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from cortex.envs.novel_game.vector import NovelGames
from cortex.types import Array, CortexError


class NovelGame(gymnasium.Env[dict[str, Any], Any]):
    """One body in a novel game; the settings are those of `NovelGames`, and so is what it sees with the same seed."""

    actions = ("move 1", "move 2", "move 3", "move 4", "use", "wait")
    """Names of the actions; which way a move goes is up to the game."""
    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, **settings: Any) -> None:
        self.bodies = NovelGames(1, render_mode=render_mode, **settings)
        self.render_mode = render_mode
        self.observation_space = self.bodies.single_observation_space
        self.action_space = self.bodies.single_action_space
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode: anew with a seed, else the next one."""
        super().reset(seed=seed)
        seen, _ = self.bodies.reset(seed=seed)
        self._running = True
        return {key: value[0] for key, value in seen.items()}, {"success": False}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Take one action, 0 to 5: four moves, use, wait."""
        if not self._running and not self.bodies.closed:
            raise CortexError("There is no episode to step in: none has begun or the last is over; call reset() first.")
        if np.ndim(action):
            raise CortexError(f"One body takes one action, not {action!r}.")
        seen, reward, terminated, truncated, info = self.bodies.step(np.asarray(action).reshape(1))
        over, cut = bool(terminated[0]), bool(truncated[0])
        self._running = not (over or cut)
        told = {"success": bool(info["success"][0])}
        return {key: value[0] for key, value in seen.items()}, float(reward[0]), over, cut, told

    def render(self) -> Any:
        """A picture, or lines of characters; None without a render mode."""
        frames = self.bodies.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Close the environment; a second call changes nothing."""
        self.bodies.close()

    def keep_to(self, layouts: str) -> None:
        """From the next episode on, begin in layouts of one part: all, day or exam; those of the two are disjoint."""
        self.bodies.keep_to(layouts)

    def looks(self) -> tuple[list[str], Array]:
        """A name for every code of this game, and the tiles [32, 8, 8, 3] uint8."""
        return self.bodies.looks()[0]

    def anchors(self) -> dict[str, float]:
        """How well others play this game; see `cortex.envs.novel_game.anchors`."""
        return self.bodies.anchors()[0]

    def areas(self, actions: int) -> tuple[float, float]:
        """Areas under the learning curves of random actions and of the reference learner over ``actions`` actions."""
        from cortex.envs.novel_game.anchors import areas

        return areas(self.bodies.deck.dealt[0], actions, self.bodies.level or 1, self.bodies.view)
