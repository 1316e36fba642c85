"""Days and exams on different layouts: a score on layouts that were practised says little."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import gymnasium
import numpy as np

from cortex.types import CortexError

Part = Literal["day", "exam"]

DRAWS = 1000
"""Draws before an environment is said to have too few layouts; at share .25 a fair one fails with chance .75^1000."""


def layout_digest(env: gymnasium.Env[Any, Any], observation: Any) -> str:
    """Name the layout that ``env`` has just been reset to by its content, in hexadecimal digits.

    Content is the whole grid, the agent's position and heading and the mission where the environment has a grid
    (MiniGrid and its like), and the first observation elsewhere. Call it right after ``reset``.
    """
    world: Any = env.unwrapped
    digest = hashlib.sha256()
    if hasattr(getattr(world, "grid", None), "encode") and hasattr(world, "agent_pos"):
        _absorb(
            digest, (world.grid.encode(), tuple(world.agent_pos), int(world.agent_dir), getattr(world, "mission", ""))
        )
    else:
        _absorb(digest, observation)
    return digest.hexdigest()


class HeldOutLayouts(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Let an environment begin only in layouts of one part: the day's or the exam's, disjoint by content.

    ``share`` is the part of all layouts that exams own; 0 passes every layout. A reset draws until a layout falls
    into ``part``: the first draw with the caller's seed, the rest from the environment's own generator.

    Raises CortexError at reset when ``DRAWS`` draws hold no layout of that part.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], part: Part, share: float = 0.25) -> None:
        super().__init__(env)
        if part not in ("day", "exam"):
            raise CortexError(f"A layout belongs to part 'day' or 'exam', not {part!r}.")
        if not 0 <= share < 1:
            raise CortexError(f"The share of layouts held out for exams is {share}; it has to be in [0, 1).")
        self.part, self.share = part, share

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset to a layout of this part; as ``gymnasium.Env.reset``."""
        if self.share == 0:
            return self.env.reset(seed=seed, options=options)
        for draw in range(DRAWS):
            observation, info = self.env.reset(seed=seed if draw == 0 else None, options=options)
            if belongs(layout_digest(self.env, observation), self.share) == self.part:
                return observation, info
        name = self.env.spec.id if self.env.spec else type(self.env.unwrapped).__name__
        raise CortexError(
            f"{name} has too few layouts: {DRAWS} resets held none for the {self.part}; life.held_out=0 would do."
        )


def belongs(digest: str, share: float) -> Part:
    """Tell which part owns a layout; the same layout always has the same owner."""
    return "exam" if int(digest[:16], 16) % 1000 < share * 1000 else "day"


def _absorb(digest: Any, value: Any) -> None:
    """Feed nested observations to a hash, with lengths and keys, so that no two contents share their bytes."""
    if isinstance(value, dict):
        for key in sorted(value):
            _absorb(digest, key)
            _absorb(digest, value[key])
    elif isinstance(value, (tuple, list)):
        for item in value:
            _absorb(digest, item)
    else:
        content = value.encode() if isinstance(value, str) else np.ascontiguousarray(value).tobytes()
        digest.update(len(content).to_bytes(8, "big") + content)
