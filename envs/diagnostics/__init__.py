"""Diagnostic tasks: each asks for one part of the mind, with its optimum and its chance level known exactly."""

from __future__ import annotations

import gymnasium

from .facts import DIAGNOSTICS, Facts

__all__ = ["DIAGNOSTICS", "ENTRY_POINTS", "Facts", "register"]

ENTRY_POINTS = {
    "cortex/Cue-v0": "cortex.envs.diagnostics.cue:Cue",
    "cortex/Delay-v0": "cortex.envs.diagnostics.delay:Delay",
    "cortex/Order-v0": "cortex.envs.diagnostics.order:Order",
    "cortex/Foraging-v0": "cortex.envs.diagnostics.foraging:Foraging",
    "cortex/Detour-v0": "cortex.envs.diagnostics.detour:Detour",
    "cortex/Skill-v0": "cortex.envs.diagnostics.skill:Skill",
    "cortex/Generalise-v0": "cortex.envs.diagnostics.generalise:Generalise",
    "cortex/Words-v0": "cortex.envs.diagnostics.words:Words",
    "cortex/Chord-v0": "cortex.envs.diagnostics.chord:Chord",
    "cortex/Errand-v0": "cortex.envs.diagnostics.errand:Errand",
    "cortex/Tone-v0": "cortex.envs.diagnostics.tone:Tone",
}
"""Id -> where its class is."""


def register() -> None:
    """Tell gymnasium the ids of the diagnostic tasks; a second call changes nothing."""
    for name, entry_point in ENTRY_POINTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=entry_point)
