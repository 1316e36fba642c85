"""What a person sees while an agent lives: one live line in a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class View:
    """Progress of one thing after the other; ``shown`` False shows nothing."""

    def __init__(self, console: Console | None = None, shown: bool = True) -> None:
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = console or Terminal(stderr=True, highlight=False)
        self.shown = shown
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            disable=not (shown and self.console.is_terminal),
        )
        self._task = self._progress.add_task("", note="")
        self._drawn = 0.0

    def __enter__(self) -> View:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, title: str, total: int, done: int = 0) -> None:
        """Something of ``total`` steps begins."""
        self._progress.reset(self._task, total=total, completed=done, description=title, note="")

    def move(self, done: int, note: str = "") -> None:
        """It has come to ``done``; drawn a few times a second at most."""
        now = time.monotonic()
        if now - self._drawn > 0.1:
            self._drawn = now
            self._progress.update(self._task, completed=done, note=note)

    def end(self, line: str) -> None:
        """It is over: a line that stays."""
        if self.shown:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
