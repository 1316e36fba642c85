"""Rows: the memories of a life, the truth from which every index can be rebuilt."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cortex.store import database, files
from cortex.types import COORDINATES, TOKEN_WIDTH, Array, CortexError, Episode, Layout, room

_SPACE = "nothing is lost in RAM, make space and commit again"


class Rows:
    """Episodes, tokens and JSON entries in one sqlite file, all of them in RAM too; ``None`` keeps no file.

    Writing is buffered: what ``commit`` has returned from is on the disk, whole, whatever happens next. Reading answers
    from RAM and includes what is buffered. A file that is damaged, or is not such a file, is a CortexError naming it.
    One process writes (see ``Lease``).
    """

    def __init__(self, path: Path | None = None, commit_every: int = 256) -> None:
        self.path = None if path is None else Path(path)
        self.commit_every = commit_every
        with database.answering(self.path, "opened", "restore it from a snapshot or name another file"):
            self._database = database.connect(self.path)
            try:
                held = database.read(self._database, self.path)
            except BaseException:
                self._database.close()
                raise
        self._generation, self._next = held.generation, held.next
        self._episodes = held.episodes
        self._tokens = self._space = held.tokens  # of the second the first are the first, behind them is room
        self._meta = held.meta
        self._layouts = {_key(layout): (number, layout) for number, layout in enumerate(held.layouts, 1)}
        self._count: Counter[tuple[int, int]] = Counter()
        for episode in held.episodes.values():
            self._count[episode.day, episode.environment] += len(episode.action)
        self._new: list[int] = []
        self._gone: list[int] = []
        self._changed: set[str] = set()
        self._buffered = 0
        self._kept_tokens, self._kept_layouts = len(self._tokens), len(self._layouts)

    @property
    def generation(self) -> int:
        """How many transactions the file has seen: the stamp for indexes and checkpoints that depend on it."""
        return self._generation

    @property
    def steps(self) -> int:
        """Actions held, over all episodes."""
        return self._count.total()

    @property
    def bytes(self) -> int:
        """Size of the file and its log (of the pages, where there is no file)."""
        if self.path is None:
            pages, size = (
                self._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
            return int(pages * size)
        log = self.path.with_name(self.path.name + "-wal")
        return sum(path.stat().st_size for path in (self.path, log) if path.exists())

    def add(self, episode: Episode) -> int:
        """Hold a copy of an episode, in RAM now and on the disk with the next commit; returns its id.

        From ``commit_every`` buffered steps on it commits by itself; a CortexError from that commit leaves the episode
        held. An episode of wrong shapes, or that is not finite, is refused whole.
        """
        episode = self._own(episode)
        number, self._next = self._next, self._next + 1
        self._episodes[number] = episode
        self._new.append(number)
        self._count[episode.day, episode.environment] += len(episode.action)
        self._buffered += len(episode.action)
        if self._buffered >= self.commit_every:
            self.commit()
        return number

    def put_tokens(self, first_code: int, vectors: Array) -> None:
        """Hold the vectors [n, E] of the codes from ``first_code`` on, which must be the next one."""
        if first_code != len(self._tokens):
            raise CortexError(f"token codes are consecutive: the next is {len(self._tokens)}, not {first_code}")
        fresh = _exact("token vectors", vectors, np.float32, (None, TOKEN_WIDTH))
        if len(fresh):
            self._space = room(self._space, first_code + len(fresh))
            self._space[first_code : first_code + len(fresh)] = fresh
            self._tokens = self._space[: first_code + len(fresh)]

    def tokens(self) -> Array:
        """[V, E] float32, the vector of each code; row 0 (UNSEEN) is zeros. Not to be written."""
        view = self._tokens.view()
        view.flags.writeable = False
        return view

    def episodes(self) -> list[int]:
        """Ids of the episodes held, in the order in which they were added."""
        return list(self._episodes)

    def read(self, number: int) -> Episode:
        """The episode of an id; its arrays cannot be written."""
        try:
            return self._episodes[number]
        except KeyError:
            raise CortexError(f"no episode {number} in {self.path or 'memory'}; see episodes()") from None

    def delete(self, numbers: Iterable[int]) -> None:
        """Forget episodes: in RAM now, on the disk with the next commit. Ids that are not held are passed over."""
        for number in set(numbers) & self._episodes.keys():
            episode = self._episodes.pop(number)
            self._gone.append(number)
            self._count[episode.day, episode.environment] -= len(episode.action)
        self._new = [number for number in self._new if number in self._episodes]

    def count(self, day: int, environment: int) -> int:
        """Actions held of one environment on one day."""
        return self._count[day, environment]

    def get(self, key: str, default: Any = None) -> Any:
        """A JSON value that was put."""
        return json.loads(self._meta[key]) if key in self._meta else default

    def put(self, key: str, value: Any) -> None:
        """Hold a JSON value (finite numbers only) under a key, on the disk with the next commit."""
        files.require_names({key: value}, str(self.path or "memory"))
        try:
            self._meta[key] = json.dumps(value, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise CortexError(
                f"{key} cannot be kept as JSON ({error}); give finite numbers, texts and lists"
            ) from error
        self._changed.add(key)

    def commit(self) -> None:
        """Write all that is buffered in one transaction and wait for the disk; after a CortexError, call it again."""
        if not self._dirty:
            return
        with database.answering(self.path, "written", _SPACE):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._write()
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        self._generation += 1
        self._new, self._gone, self._changed, self._buffered = [], [], set(), 0
        self._kept_tokens, self._kept_layouts = len(self._tokens), len(self._layouts)

    def snapshot(self, path: Path) -> None:
        """Commit, and copy all rows to another file, whole or not at all; it may replace a snapshot, nothing else."""
        path = Path(path)
        self.commit()
        fresh = path.with_name(path.name + ".new")
        with database.answering(path, "written", "make space or name another file"):
            if os.path.lexists(path) and (not database.is_ours(path) or path.with_name(path.name + "-wal").exists()):
                raise CortexError(f"{path} exists and is in use or not ours; name another file")
            database.clear(fresh)
            copy = sqlite3.connect(fresh)
            try:
                self._database.backup(copy)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            finally:
                copy.close()
            with open(fresh, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(fresh, path)
            files.sync(path.parent)

    def close(self) -> None:
        """Commit and close the file; if the commit fails, it stays open."""
        self.commit()
        self._database.close()

    @property
    def _dirty(self) -> bool:
        return bool(self._new or self._gone or self._changed or len(self._tokens) > self._kept_tokens)

    def _write(self) -> None:
        # OR REPLACE: a commit that was interrupted after sqlite had finished may be repeated.
        write = self._database.executemany
        write("DELETE FROM episode WHERE id=?", ((number,) for number in self._gone))
        layouts = [
            (number, item.position.tobytes(), item.modality.tobytes()) for number, item in self._layouts.values()
        ]
        fresh = [(*row, database.crc(*row)) for row in layouts[self._kept_layouts :]]
        write("INSERT OR REPLACE INTO layout VALUES(?,?,?,?)", fresh)
        tokens = [(code, self._tokens[code].tobytes()) for code in range(self._kept_tokens, len(self._tokens))]
        write("INSERT OR REPLACE INTO token VALUES(?,?,?)", ((*row, database.crc(*row)) for row in tokens))
        write("INSERT OR REPLACE INTO episode VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)", map(self._row, self._new))
        for number in self._new:
            write("INSERT OR REPLACE INTO step VALUES(?,?,?,?,?,?)", _step_rows(number, self._episodes[number]))
        meta = [(key, self._meta[key]) for key in sorted(self._changed)]
        write("INSERT OR REPLACE INTO meta VALUES(?,?,?)", ((*row, database.crc(*row)) for row in meta))
        counts = (len(self._episodes), len(self._layouts), len(self._tokens) - 1, len(self._meta))
        seal = (0, self._generation + 1, self._next, *counts)
        write("INSERT OR REPLACE INTO seal VALUES(?,?,?,?,?,?,?,?)", [(*seal, database.crc(seal))])

    def _row(self, number: int) -> tuple[Any, ...]:
        e = self._episodes[number]
        layout = self._layouts[_key(e.layout)][0]
        row = (
            *(number, e.day, e.environment, e.body, e.situation, layout, len(e.action)),
            float(e.reward.sum(dtype=np.float64)),
            *(int(e.terminated), int(e.truncated), int(e.success)),
            float(e.salience.max(initial=0.0)),
        )
        return (*row, database.crc(row, *database.content(e)))

    def _own(self, episode: Episode) -> Episode:
        """A checked copy whose arrays nobody can write."""
        actions, tokens = len(episode.action), len(episode.layout.modality)
        layout = Layout(
            _exact("positions", episode.layout.position, np.float32, (tokens, COORDINATES)),
            _exact("modalities", episode.layout.modality, np.int8, (tokens,)),
        )
        return Episode(
            codes=_exact("codes", episode.codes, np.int32, (actions + 1, tokens)),
            action=_exact("actions", episode.action, np.int16, (actions,)),
            reward=_exact("rewards", np.add(episode.reward, 0.0), np.float32, (actions,)),  # sqlite has no -0.0
            salience=_exact("salience", np.add(episode.salience, 0.0), np.float32, (actions,)),
            terminated=bool(episode.terminated),
            truncated=bool(episode.truncated),
            success=bool(episode.success),
            layout=self._layouts.setdefault(_key(layout), (len(self._layouts) + 1, layout))[1],
            situation=_whole("situation", episode.situation),
            day=_whole("day", episode.day),
            environment=_whole("environment", episode.environment),
            body=_whole("body", episode.body),
        )


def _key(layout: Layout) -> bytes:
    return layout.position.tobytes() + layout.modality.tobytes()


def _exact(what: str, values: Any, dtype: type, shape: tuple[int | None, ...]) -> Array:
    """A read-only copy of this type and shape; integers must not change by it, floats must be finite."""
    given = np.asarray(values)
    if given.ndim != len(shape) or any(want not in (None, size) for want, size in zip(shape, given.shape, strict=True)):
        raise CortexError(f"{what} have shape {given.shape} where {shape} was expected; nothing was kept")
    with np.errstate(over="ignore", invalid="ignore"):
        array: Array = given.astype(dtype)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CortexError(
            f"{what} hold a value that is not finite; nothing was kept, look at what the environment sent"
        )
    if array.dtype.kind == "i" and not np.array_equal(array, given):
        raise CortexError(f"{what} do not fit {array.dtype}; nothing was kept")
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def _whole(what: str, value: Any) -> int:
    if not -(2**63) <= int(value) < 2**63:
        raise CortexError(f"{what} {value} does not fit 64 bits; nothing was kept")
    return int(value)


def _step_rows(number: int, episode: Episode) -> Iterable[tuple[Any, ...]]:
    width, codes = 4 * episode.codes.shape[1], episode.codes.tobytes()
    action, reward, salience = (
        [*array.tolist(), end] for array, end in ((episode.action, -1), (episode.reward, 0.0), (episode.salience, 0.0))
    )
    for t in range(len(action)):
        yield number, t, action[t], reward[t], salience[t], codes[t * width : (t + 1) * width]
