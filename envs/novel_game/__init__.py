"""Novel games: environments whose rules are drawn, so that a new game is unlike any seen before."""

from __future__ import annotations

import contextlib
from pathlib import Path


def drop_stale(folder: Path) -> int:
    """Remove compiled kernels older than the newest source beside them; returns how many files went.

    numba notices that a file has changed, not that a kernel which it calls from another file has. A folder that can
    not be written is left as it is.
    """
    dropped = 0
    with contextlib.suppress(OSError):
        newest = max((source.stat().st_mtime_ns for source in folder.glob("*.py")), default=0)
        for kernel in folder.glob("__pycache__/*.nb[ic]"):
            with contextlib.suppress(OSError):
                if kernel.stat().st_mtime_ns < newest:
                    kernel.unlink()
                    dropped += 1
    return dropped


drop_stale(Path(__file__).resolve().parent)
