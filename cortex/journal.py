"""The journal of a life: one JSON line for each thing that happened, in order, none of them twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cortex.store import files
from cortex.types import CortexError


class Journal:
    """metrics.jsonl of a life's folder; lines last for certain once ``sync`` has returned. One process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "ab")  # noqa: SIM115  open as long as the life
        except OSError as error:
            raise CortexError(f"{path} cannot be written ({error.strerror}); choose a folder you may write") from error

    def write(self, event: str, **values: Any) -> None:
        """Add a line."""
        try:
            self._file.write(json.dumps({"event": event, **values}, default=float).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise CortexError(f"{self.path} cannot be written ({error.strerror}); make space and go on") from error

    def sync(self) -> int:
        """Wait until the disk has all lines; their bytes so far."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def cut(self, size: int, keep: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Drop what came after the first ``size`` bytes, but for whole lines that ``keep`` wants; returns those."""
        told = self.path.read_bytes()
        kept: list[dict[str, Any]] = []
        for line in told[size:].splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict) and keep(values):
                kept.append(values)
        rest = b"".join(json.dumps(values).encode() + b"\n" for values in kept)
        if told[:size] + rest != told:
            self._file.close()
            files.replace(self.path, told[:size] + rest)
            self._file = open(self.path, "ab")  # noqa: SIM115
        return kept

    def close(self) -> None:
        """Close the file."""
        self._file.close()
