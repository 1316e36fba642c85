"""What a person looks at: one page, one JSON file and one short table about a life. Reading needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cortex.report.page import write
    from cortex.report.read import summary, table

__all__ = ["summary", "table", "write"]


def __getattr__(name: str) -> Any:
    # Loading matplotlib takes a second: who only wants the summary does not wait for it.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("cortex.report.page" if name == "write" else "cortex.report.read"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
