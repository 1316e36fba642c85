"""The sqlite file of rows: its tables, and how it is made, opened, checked and read whole.

Every row carries a checksum and the seal counts the rows, because sqlite notices damage to its pages but not to what
stands in them. One generation is one transaction.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortex.store import files, wal
from cortex.types import COORDINATES, TOKEN_WIDTH, Array, CortexError, Episode, Layout

APPLICATION = 0x43525458  # "CRTX", at byte 68 of the file
VERSION = 1
TABLES = {
    "seal": "CREATE TABLE seal(id INTEGER PRIMARY KEY, generation, next, episodes, layouts, tokens, metas, crc)",
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT, crc INTEGER) WITHOUT ROWID",
    "layout": "CREATE TABLE layout(id INTEGER PRIMARY KEY, position BLOB, modality BLOB, crc INTEGER)",
    "token": "CREATE TABLE token(code INTEGER PRIMARY KEY, vector BLOB, crc INTEGER)",
    "episode": (
        "CREATE TABLE episode(id INTEGER PRIMARY KEY, day INTEGER, environment INTEGER, body INTEGER,"
        " situation INTEGER, layout INTEGER REFERENCES layout(id), steps INTEGER, ret REAL, terminated INTEGER,"
        " truncated INTEGER, success INTEGER, salience REAL, crc INTEGER)"
    ),
    "step": (
        "CREATE TABLE step(episode INTEGER REFERENCES episode(id) ON DELETE CASCADE, t INTEGER, action INTEGER,"
        " reward REAL, salience REAL, codes BLOB, PRIMARY KEY(episode, t)) WITHOUT ROWID"
    ),
}


@dataclass(frozen=True, slots=True)
class Held:
    """All that a file holds."""

    generation: int
    next: int  # the id of the next episode
    episodes: dict[int, Episode]  # in the order of ids
    layouts: list[Layout]  # layout i has id i + 1
    tokens: Array  # [V, E] float32, row 0 zeros
    meta: dict[str, str]  # JSON texts


def crc(*parts: Any) -> int:
    """Checksum of texts, numbers and bytes in this order."""
    total = 0
    for part in parts:
        total = zlib.crc32(part if isinstance(part, bytes) else repr(part).encode(), total)
    return total


def content(episode: Episode) -> tuple[bytes, bytes, bytes, bytes]:
    """What the checksum of an episode covers beside its row."""
    return (
        episode.action.tobytes(),
        episode.reward.tobytes(),
        episode.salience.tobytes(),
        episode.codes.tobytes(),
    )


@contextmanager
def answering(path: Path | None, doing: str, remedy: str) -> Iterator[None]:
    """Turn what sqlite and the system raise into one sentence that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError, MemoryError, UnicodeDecodeError) as error:  # the last from sqlite's own messages
        raise CortexError(f"{path or 'the memory'} cannot be {doing} ({error}); {remedy}") from error


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the file, or make it where it is missing (None: in memory); its form is checked, its rows are not yet."""
    if path is None:
        database = sqlite3.connect(":memory:", isolation_level=None)
        _create(database)
    else:
        _prepare(path)
        database = sqlite3.connect(path, isolation_level=None)
    try:
        for setting in ("trusted_schema=OFF", "cell_size_check=ON", "foreign_keys=ON", "synchronous=FULL"):
            database.execute(f"PRAGMA {setting}")
        _check_form(database, path)
        database.execute("PRAGMA journal_mode=WAL")
    except BaseException:
        database.close()
        raise
    return database


def read(database: sqlite3.Connection, path: Path | None) -> Held:
    """Read all rows and check each; CortexError names the file."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            held = _read(database)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError) as error:
        raise CortexError(f"{path} is damaged ({error}); restore it from a snapshot") from error
    for episode in held.episodes.values():
        for array in (episode.codes, episode.action, episode.reward, episode.salience):
            array.flags.writeable = False
    return held


def clear(path: Path) -> None:
    """Remove an unfinished file of ours with its logs, which sqlite would play into a new one."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def is_ours(path: Path) -> bool:
    """A regular file that bears our mark."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    with open(path, "rb") as file:
        return file.read(72)[68:] == APPLICATION.to_bytes(4, "big")


def _prepare(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    if os.path.lexists(path):
        if not path.is_file():
            raise CortexError(f"{path} is not a regular file; move it away or name another")
        wal.check(path)
        return
    if log.exists():  # sqlite would play it into the new file
        raise CortexError(f"{path} is missing while its log {log.name} is there; restore it, or move the log away")
    fresh = path.with_name(path.name + ".new")
    clear(fresh)
    database = sqlite3.connect(fresh, isolation_level=None)
    try:
        _create(database)
    finally:
        database.close()
    os.replace(fresh, path)
    files.sync(path.parent)


def _create(database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    for statement in TABLES.values():
        database.execute(statement)
    seal = (0, 0, 1, 0, 0, 0, 0)
    database.execute("INSERT INTO seal VALUES(?,?,?,?,?,?,?,?)", (*seal, crc(seal)))
    database.execute(f"PRAGMA application_id={APPLICATION}")
    database.execute(f"PRAGMA user_version={VERSION}")
    database.execute("COMMIT")


def _check_form(database: sqlite3.Connection, path: Path | None) -> None:
    marks = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if marks[0] != APPLICATION:
        raise CortexError(f"{path} is no memory of Cortex; name another file")
    if marks[1] != VERSION:
        raise CortexError(f"{path} has version {marks[1]} where {VERSION} is read; use the Cortex that wrote it")
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise CortexError(f"{path} is damaged ({' '.join(str(verdict).split())}); restore it from a snapshot")
    found = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    if found != TABLES:
        raise CortexError(f"{path} is damaged (its tables are not ours); restore it from a snapshot")


def _read(database: sqlite3.Connection) -> Held:
    (seal,) = database.execute("SELECT * FROM seal")
    _require(crc(seal[:-1]) == seal[-1], "seal")
    _, generation, following, episodes, layouts, tokens, metas, _ = seal
    held = Held(
        generation,
        following,
        {},
        [_layout(*row) for row in database.execute("SELECT * FROM layout ORDER BY id")],
        _tokens(list(database.execute("SELECT * FROM token ORDER BY code"))),
        {},
    )
    for key, value, check in database.execute("SELECT * FROM meta"):
        _require(crc(key, value) == check, f"entry {key}")
        json.loads(value)
        held.meta[key] = value
    steps = itertools.groupby(database.execute("SELECT * FROM step ORDER BY episode, t"), key=lambda row: row[0])
    for row in database.execute("SELECT * FROM episode ORDER BY id"):
        episode, group = next(steps, (None, iter(())))
        _require(episode == row[0], f"episode {row[0]}")
        held.episodes[row[0]] = _episode(row, list(group), held.layouts)
    _require(next(steps, None) is None, "steps")
    counts = (len(held.episodes), len(held.layouts), len(held.tokens) - 1, len(held.meta))
    _require(counts == (episodes, layouts, tokens, metas), "number of rows")
    return held


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"the checksum of {what} differs")


def _layout(number: int, position: bytes, modality: bytes, check: int) -> Layout:
    _require(crc(number, position, modality) == check, f"layout {number}")
    places = np.frombuffer(position, np.float32).reshape(len(modality), COORDINATES)
    return Layout(places, np.frombuffer(modality, np.int8))


def _tokens(rows: list[tuple[int, bytes, int]]) -> Array:
    for expected, (code, vector, check) in enumerate(rows, 1):
        _require(code == expected and crc(code, vector) == check, f"token {expected}")
    data = b"".join(vector for _, vector, _ in rows)
    kept = np.frombuffer(data, np.float32).reshape(len(rows), TOKEN_WIDTH)
    return np.concatenate([np.zeros((1, TOKEN_WIDTH), np.float32), kept])


def _episode(row: tuple[Any, ...], group: list[tuple[Any, ...]], layouts: list[Layout]) -> Episode:
    number, day, environment, body, situation, layout, steps, _, terminated, truncated, success, _, check = row
    _, times, action, reward, salience, codes = zip(*group, strict=True)
    _require(len(times) == steps + 1 and times == tuple(range(len(times))) and action[-1] == -1, f"episode {number}")
    found = Episode(
        codes=np.frombuffer(b"".join(codes), np.int32).reshape(steps + 1, len(layouts[layout - 1].modality)),
        action=np.array(action[:-1], np.int16),
        reward=np.array(reward[:-1], np.float32),
        salience=np.array(salience[:-1], np.float32),
        terminated=bool(terminated),
        truncated=bool(truncated),
        success=bool(success),
        layout=layouts[layout - 1],
        situation=situation,
        day=day,
        environment=environment,
        body=body,
    )
    _require(crc(row[:-1], *content(found)) == check, f"episode {number}")
    return found
