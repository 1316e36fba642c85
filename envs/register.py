"""Tells gymnasium the ids of Cortex's environments, as soon as gymnasium is there; imports nothing heavy itself."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NOVEL_GAME = "cortex/NovelGame-v0"


def register() -> None:
    """Register with gymnasium: now where it is imported already, else right after its import."""
    if "gymnasium" in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterGymnasium) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterGymnasium())


class _AfterGymnasium(MetaPathFinder):
    """Finds gymnasium where it is, and registers once it has been executed."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        specs = (other.find_spec(fullname, path, target) for other in sys.meta_path if other is not self)
        spec = next(filter(None, specs), None)
        loader: Any = spec.loader if spec else None
        if loader is None:
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            sys.meta_path.remove(self)
            _register()

        loader.exec_module = exec_module
        return spec


def _register() -> None:
    import gymnasium

    from cortex.envs import diagnostics

    diagnostics.register()
    if NOVEL_GAME not in gymnasium.registry:
        gymnasium.register(
            NOVEL_GAME,
            entry_point="cortex.envs.novel_game.single:NovelGame",
            vector_entry_point="cortex.envs.novel_game.vector:NovelGames",
            order_enforce=False,  # it says itself, in its own words, what is wrong with a call
            disable_env_checker=True,
        )
