"""Files that are either whole or absent, whatever happens to the power."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from cortex.types import CortexError


def write(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it. Raises OSError."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of ``path`` in one step: a reader sees the old file or the new one. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    write(fresh, data)
    os.replace(fresh, path)
    sync(path.parent)


def read(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes; CortexError names the file. A pipe or device is never opened."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise CortexError(f"{path} is not a regular file; restore it from a backup")
        if found.st_size > limit:
            raise CortexError(f"{path} has {found.st_size} bytes where {limit} were expected; restore it from a backup")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CortexError(f"{path} cannot be read ({error.strerror}); restore it from a backup") from error


def sync(folder: Path) -> None:
    """Wait until the disk has the names in a folder. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_names(value: Any, where: str) -> None:
    """Refuse keys that are not text: JSON would turn 1 into "1" without a word, and loaded would differ from saved."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise CortexError(f"the key {key!r} in {where} is not text, which JSON would change; use str(key)")
            require_names(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            require_names(item, where)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably; CortexError where something else has its name."""
    try:
        if folder.is_dir():
            return
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
    except OSError as error:
        raise CortexError(f"{folder} cannot be a folder ({error.strerror}); name another place") from error
