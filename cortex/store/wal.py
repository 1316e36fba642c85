"""Is sqlite's write-ahead log whole? sqlite itself drops whatever follows the first bad frame, without a word.

File format: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from cortex.store import files
from cortex.types import CortexError

_HEADER, _FRAME = 32, 24  # bytes
_MAGIC = 0x377F0682


def check(path: Path) -> None:
    """Raise CortexError where the log of the database at ``path`` lost commits that were acknowledged.

    A torn last transaction is what a power cut leaves and is no damage: it was never acknowledged. A bad frame before
    a transaction that others followed is damage, since each commit waits for the disk before the next begins.
    """
    log = path.with_name(path.name + "-wal")
    if not log.exists():
        return
    data = files.read(log, sys.maxsize)
    if len(data) >= _HEADER and any(data) and _lost(data):
        raise CortexError(
            f"{log} is damaged and held acknowledged memories; restore it from a backup, or move it away to go on"
        )


def _lost(data: bytes) -> bool:
    magic, _, page, _, *salts, first, second = struct.unpack(">8I", data[:_HEADER])
    order = ">" if magic & 1 else "<"
    if (
        magic & ~1 != _MAGIC
        or not 512 <= page <= 65536
        or page % 8
        or _sum(data[:24], (0, 0), order) != (first, second)
    ):
        return True
    chain, whole, doubtful = (first, second), True, False
    for start in range(_HEADER, len(data) - _FRAME - page + 1, _FRAME + page):
        _, size, *rest = struct.unpack(">6I", data[start : start + _FRAME])
        if whole:
            chain = _sum(data[start : start + 8], chain, order)
            chain = _sum(data[start + _FRAME : start + _FRAME + page], chain, order)
            whole = rest == [*salts, *chain]
        # Frames of an earlier round differ in both salts; one salt may be what is damaged.
        if not whole and (rest[0] == salts[0] or rest[1] == salts[1]):
            if doubtful:
                return True
            doubtful = size != 0  # a commit mark behind a bad frame; acknowledged if anything follows it
    return False


def _sum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """sqlite's checksum, going on from ``start``."""
    a, b = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for x, y in zip(words, words, strict=True):
        a = (a + x + b) & 0xFFFFFFFF
        b = (b + y + a) & 0xFFFFFFFF
    return a, b
