"""Novel games: environments whose rules are drawn, so that a new game is unlike any seen before."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def drop_stale(folder: Path) -> int:
    """Remove compiled kernels older than the newest source beside them; returns how many files went.

    numba notices that a file has changed, not that a kernel which it calls from another file has. Looks into
    ``__pycache__`` and ``$NUMBA_CACHE_DIR``; a folder that can not be written is left as it is.
    """
    dropped, elsewhere = 0, os.environ.get("NUMBA_CACHE_DIR")
    with contextlib.suppress(OSError):
        newest = max((source.stat().st_mtime_ns for source in folder.glob("*.py")), default=0)
        kernels = [*folder.glob("__pycache__/*.nb[ic]")]
        if elsewhere:
            kernels += Path(elsewhere).glob(f"{folder.name}_*/*.nb[ic]")
        for kernel in kernels:
            with contextlib.suppress(OSError):
                if kernel.stat().st_mtime_ns < newest:
                    kernel.unlink()
                    dropped += 1
    return dropped


drop_stale(Path(__file__).resolve().parent)
