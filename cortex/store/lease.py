"""One life, one writer."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from cortex.store import files
from cortex.types import CortexError


class Lease:
    """Hold a life's folder for this process alone: ``with Lease(folder): ...``; the folder is made where it is missing.

    The lock is the kernel's (flock on FOLDER/LEASE), so it is free again the moment its owner ends, even by kill -9;
    the pid in the file only serves the message. A second holder gets a CortexError that names the first.
    Forked children would share the lock: start helpers by spawn.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / "LEASE"
        self._handle: int | None = None

    def __enter__(self) -> Lease:
        files.make_folder(self.path.parent)
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise CortexError(
                f"{self.path} cannot be opened ({error.strerror}); choose a folder you may write"
            ) from error
        try:
            self._take(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return self

    def _take(self, handle: int) -> None:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise CortexError(f"{self.path} is not a regular file; move it away")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise CortexError(
                f"{self.path.parent} is being lived by process {owner}; wait for it to end, or choose another folder"
            ) from None
        except OSError as error:
            raise CortexError(f"{self.path} cannot be locked ({error.strerror}); choose a local folder") from error
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # A full disk costs the name in the message, not the lock.

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
