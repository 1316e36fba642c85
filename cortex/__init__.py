"""Cortex: agents that learn by day without changing a weight, and sleep by night to keep what they learned."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cortex.envs.register import register

if TYPE_CHECKING:
    from cortex.agent import Agent as Agent
    from cortex.config import Config as Config
    from cortex.config import load as load_config
    from cortex.language import say as say
    from cortex.lesions import LESIONS as LESIONS
    from cortex.own import Own as Own
    from cortex.types import CortexError as CortexError

__version__ = "0.1.0"

_HOMES = {
    "Agent": ("cortex.agent", "Agent"),
    "Config": ("cortex.config", "Config"),
    "CortexError": ("cortex.types", "CortexError"),
    "LESIONS": ("cortex.lesions", "LESIONS"),
    "Own": ("cortex.own", "Own"),
    "load_config": ("cortex.config", "load"),
    "say": ("cortex.language", "say"),
}

__all__ = ["LESIONS", "Agent", "Config", "CortexError", "Own", "load_config", "say"]

register()
del register


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that ``import cortex`` stays quick and loads no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cortex' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
