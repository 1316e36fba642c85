"""Tells gymnasium the ids of Cortex's environments; loads none of them."""

from __future__ import annotations

import gymnasium

from cortex.envs import diagnostics

NOVEL_GAME = "cortex/NovelGame-v0"
CHANGING = "cortex/Changing-v0"


def register() -> None:
    """Register with gymnasium; a second call changes nothing."""
    diagnostics.register()
    if NOVEL_GAME not in gymnasium.registry:
        gymnasium.register(
            NOVEL_GAME,
            entry_point="cortex.envs.novel_game.single:NovelGame",
            vector_entry_point="cortex.envs.novel_game.vector:NovelGames",
            order_enforce=False,  # it says itself, in its own words, what is wrong with a call
            disable_env_checker=True,
        )
    if CHANGING not in gymnasium.registry:
        gymnasium.register(CHANGING, entry_point="cortex.envs.changing:Changing")
