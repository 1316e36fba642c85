"""What is stored survives: kills, full disks, damaged files, second writers."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cortex.store import Lease, Rows, checkpoint, digest, files, load, save
from cortex.types import TOKEN_WIDTH, CortexError, Episode, Layout

ROOT = Path(__file__).resolve().parent.parent


def episode(seed: int, steps: int = 5, tokens: int = 4, **changes: Any) -> Episode:
    rng = np.random.default_rng(seed)
    fields: dict[str, Any] = {
        "codes": rng.integers(0, 300, (steps + 1, tokens)).astype(np.int32),
        "action": rng.integers(0, 7, steps).astype(np.int16),
        "reward": rng.normal(size=steps).astype(np.float32),
        "salience": rng.random(steps).astype(np.float32),
        "terminated": bool(seed % 2),
        "truncated": not seed % 2,
        "success": bool(seed % 3),
        "layout": Layout(np.arange(2 * tokens, dtype=np.float32).reshape(tokens, 2), np.full(tokens, 2, np.int8)),
        "situation": seed % 5,
        "day": seed // 10,
        "environment": seed % 2,
        "body": seed % 4,
    }
    return Episode(**{**fields, **changes})


def flat(item: Episode) -> tuple[Any, ...]:
    arrays = (item.codes, item.action, item.reward, item.salience, item.layout.position, item.layout.modality)
    scalars = (item.terminated, item.truncated, item.success, item.situation, item.day, item.environment, item.body)
    return (*((array.dtype.str, array.shape, array.tobytes()) for array in arrays), *scalars)


def everything(rows: Rows) -> tuple[Any, ...]:
    meta = {key: rows.get(key) for key in ("a", "b", "c")}
    return {number: flat(rows.read(number)) for number in rows.episodes()}, rows.tokens().tobytes(), json.dumps(meta)


def vectors(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, TOKEN_WIDTH)).astype(np.float32)


def fill(rows: Rows, episodes: int = 12) -> None:
    rows.put_tokens(len(rows.tokens()), vectors(9))
    for seed in range(episodes):
        rows.add(episode(seed))
        if seed % 3 == 2:
            rows.put("a", {"seed": seed, "text": f"{seed}, " * 1000})
            rows.commit()
    rows.commit()


# Rows -----------------------------------------------------------------------------------------------------------------


def test_rows_read_back_equal_after_reopening(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite")
    originals = [episode(1), episode(2, steps=1), episode(3, steps=0), episode(4, tokens=7)]
    originals.append(episode(5, reward=np.array([-0.0, 1.0, -1.0, 0.0, 3e-39], np.float32)))
    ids = [rows.add(item) for item in originals]
    rows.put_tokens(1, vectors(3))
    rows.put_tokens(4, vectors(2))
    rows.put("a", {"x": [1, 2.5, None, "ü"]})
    before = everything(rows)
    rows.close()

    again = Rows(tmp_path / "rows.sqlite")
    assert everything(again) == before and again.episodes() == ids and again.steps == 16
    for number, item in zip(ids[:4], originals[:4], strict=True):
        assert flat(again.read(number)) == flat(item)
    assert np.array_equal(again.read(ids[4]).reward, originals[4].reward)
    assert again.tokens().shape == (6, TOKEN_WIDTH) and not again.tokens()[0].any()
    assert again.get("a") == {"x": [1, 2.5, None, "ü"]} and again.get("absent", 7) == 7
    assert again.read(ids[0]).layout is again.read(ids[1]).layout
    again.close()


def test_terminal_row_has_no_action_and_columns_can_be_queried(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite")
    number = rows.add(episode(1))
    rows.close()
    with sqlite3.connect(tmp_path / "rows.sqlite") as plain:
        assert plain.execute("SELECT action FROM step WHERE episode=? AND t=5", (number,)).fetchone() == (-1,)
        ret, steps = plain.execute("SELECT ret, steps FROM episode").fetchone()
    plain.close()
    assert steps == 5 and ret == pytest.approx(float(episode(1).reward.sum()), abs=1e-6)


def test_memory_is_a_copy_that_nobody_can_write() -> None:
    rows, given = Rows(), episode(1)
    kept = rows.read(rows.add(given))
    given.codes[:] = 7
    assert flat(kept) == flat(episode(1))
    for array in (kept.codes, kept.reward, rows.tokens()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_deleted_episodes_stay_away_and_ids_are_never_used_again(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite")
    ids = [rows.add(episode(seed)) for seed in range(4)]
    rows.commit()
    buffered = rows.add(episode(9))
    rows.delete([ids[1], ids[3], buffered, 999])
    assert rows.episodes() == [ids[0], ids[2]] and rows.steps == 10
    rows.close()
    again = Rows(tmp_path / "rows.sqlite")
    assert again.episodes() == [ids[0], ids[2]] and again.add(episode(5)) > buffered
    with pytest.raises(CortexError, match="no episode"):
        again.read(ids[1])
    again.close()


def test_count_tells_a_resumed_life_how_far_its_block_was(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite")
    for day, environment in ((0, 0), (0, 1), (1, 1), (1, 1)):
        number = rows.add(episode(1, day=day, environment=environment))
    rows.close()
    again = Rows(tmp_path / "rows.sqlite")
    assert [again.count(*block) for block in ((0, 0), (1, 1), (1, 0))] == [5, 10, 0]
    again.delete([number])
    assert again.count(1, 1) == 5 and again.steps == 15
    again.close()


def test_commits_by_itself_and_stamps_each_generation(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    rows = Rows(path, commit_every=10)
    rows.add(episode(0))
    assert Rows(path).episodes() == [] and rows.generation == 0
    rows.add(episode(1))
    other = Rows(path)
    assert other.episodes() == rows.episodes() and rows.generation == other.generation == 1
    rows.commit()
    assert rows.generation == 1, "nothing new, no new generation"
    assert rows.bytes >= path.stat().st_size and Rows().bytes > 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reward": np.array([0, np.nan, 0, 0, 0], np.float32)}, "rewards"),
        ({"reward": np.array([0, 1e300, 0, 0, 0])}, "rewards"),
        ({"salience": np.full(5, np.inf, np.float32)}, "salience"),
        ({"salience": np.zeros(4, np.float32)}, "salience"),
        ({"action": np.full(5, 70_000)}, "actions"),
        ({"codes": np.zeros((5, 4), np.int32)}, "codes"),
        ({"codes": np.full((6, 4), 2**40)}, "codes"),
        ({"situation": 2**70}, "situation"),
    ],
)
def test_refuses_what_is_not_finite_or_does_not_fit(changes: dict[str, Any], said: str) -> None:
    rows = Rows()
    with pytest.raises(CortexError, match=said):
        rows.add(episode(1, **changes))
    assert rows.episodes() == [] and rows.steps == 0


def test_refuses_tokens_out_of_order_and_values_that_are_not_json() -> None:
    rows = Rows()
    with pytest.raises(CortexError, match="next is 1"):
        rows.put_tokens(3, vectors(1))
    with pytest.raises(CortexError, match="token"):
        rows.put_tokens(1, np.full((1, TOKEN_WIDTH), np.nan))
    for value in (float("nan"), object(), {1: 2}):
        with pytest.raises(CortexError):
            rows.put("a", value)
    assert len(rows.tokens()) == 1 and rows.get("a") is None


def test_snapshot_is_equal_and_replaces_only_snapshots(tmp_path: Path) -> None:
    for rows in (Rows(tmp_path / "rows.sqlite"), Rows()):
        fill(rows)
        rows.add(episode(50))
        for _ in range(2):
            rows.snapshot(tmp_path / "copy.sqlite")
        copy = Rows(tmp_path / "copy.sqlite")
        assert everything(copy) == everything(rows) and copy.generation == rows.generation
        copy.close()
        for taken, data in (("notes.txt", b"mine"), ("rows.sqlite", None)):
            if data:
                (tmp_path / taken).write_bytes(data)
            if rows.path:
                with pytest.raises(CortexError, match=taken):
                    rows.snapshot(tmp_path / taken)
        rows.close()
    assert (tmp_path / "notes.txt").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["copy.sqlite", "notes.txt", "rows.sqlite"]


def test_leftovers_of_a_killed_process_are_in_nobodys_way(tmp_path: Path) -> None:
    for name in ("rows.sqlite", "copy.sqlite"):
        for suffix in (".new", ".new-journal", ".new-wal"):
            (tmp_path / f"{name}{suffix}").write_bytes(b"half" * 1000)
    rows = Rows(tmp_path / "rows.sqlite")
    fill(rows)
    rows.snapshot(tmp_path / "copy.sqlite")
    copy = Rows(tmp_path / "copy.sqlite")
    assert everything(copy) == everything(rows)
    for opened_rows in (copy, rows):
        opened_rows.close()
    assert sorted(os.listdir(tmp_path)) == ["copy.sqlite", "rows.sqlite"]


# Full disks and failing disks -----------------------------------------------------------------------------------------


def test_full_database_keeps_the_buffer_for_a_later_commit(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite", commit_every=10**9)
    fill(rows, 3)
    pages = rows._database.execute("PRAGMA page_count").fetchone()[0]
    rows._database.execute(f"PRAGMA max_page_count={pages + 1}")
    for seed in range(40):
        rows.add(episode(seed, steps=50))
    rows.delete([1])
    with pytest.raises(CortexError, match=r"rows\.sqlite.*full.*make space"):
        rows.commit()
    assert len(Rows(rows.path).episodes()) == 3, "a commit is whole or absent"
    assert len(rows.episodes()) == 42 and rows.steps == 10 + 40 * 50
    rows._database.execute("PRAGMA max_page_count=1000000")
    before = everything(rows)
    rows.close()
    assert everything(Rows(tmp_path / "rows.sqlite")) == before


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The system refuses to make any file longer than this."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("space", [0, 4096, 65536])
def test_disk_that_refuses_to_write(tmp_path: Path, space: int) -> None:
    rows = Rows(tmp_path / "rows.sqlite", commit_every=10**9)
    fill(rows, 3)
    log = (tmp_path / "rows.sqlite-wal").stat().st_size
    for seed in range(40):
        rows.add(episode(seed, steps=100))
    with files_end_at(log + space), pytest.raises(CortexError, match=r"rows\.sqlite"):
        rows.commit()
    reader = Rows(tmp_path / "rows.sqlite")
    with files_end_at(space // 16), pytest.raises(CortexError, match="snapshot cannot be written"):
        reader.snapshot(tmp_path / "snapshot")
    assert not (tmp_path / "snapshot").exists()
    assert len(Rows(tmp_path / "rows.sqlite").episodes()) == 3
    before = everything(rows)
    rows.close()
    assert everything(Rows(tmp_path / "rows.sqlite")) == before


@pytest.mark.parametrize("space", [0, 4096, 65536])
def test_disk_that_refuses_a_checkpoint_keeps_the_old_one(tmp_path: Path, space: int) -> None:
    save(tmp_path, weights(1), {"day": 1})
    with files_end_at(space), pytest.raises(CortexError, match="make space"):
        save(tmp_path, {"large": np.zeros(30_000)}, {"day": 2})
    assert_is(load(tmp_path), 1)
    save(tmp_path, weights(3), {"day": 3})
    assert_is(load(tmp_path), 3)


# Kill -9 --------------------------------------------------------------------------------------------------------------

LIVE = """
import sys
from pathlib import Path
from cortex.store import Lease, Rows
from tests.test_store import episode, vectors
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
with Lease(folder):
    rows = Rows(folder / "rows.sqlite", commit_every=10**9)
    print("ready", flush=True)
    while True:
        rows.put_tokens(len(rows.tokens()), vectors(1))
        ids = [rows.add(episode(rows._next, steps=20)) for _ in range(1 + rows._next % 5)]
        if rows.generation % 4 == 3:
            rows.delete(rows.episodes()[:1])
        rows.commit()
        print(rows.episodes()[0], ids[-1], len(rows.tokens()), flush=True)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_kill_loses_no_acknowledged_episode(tmp_path: Path) -> None:
    rng, acknowledged = random.Random(0), (1, 0, 1)
    for life in range(8):
        process = start(LIVE, tmp_path, life)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for _ in range(rng.randrange(12)):
            acknowledged = tuple(map(int, process.stdout.readline().split()))  # type: ignore[assignment]
        with suppress(subprocess.TimeoutExpired):
            process.wait(
                rng.random() * 0.02
            )  # it does not end by itself: the wait is where in the next commits it dies
        process.send_signal(signal.SIGKILL)
        for line in process.communicate()[0].splitlines(keepends=True):
            if line.endswith("\n"):
                acknowledged = tuple(map(int, line.split()))  # type: ignore[assignment]
        first, last, tokens = acknowledged
        with Lease(tmp_path):
            rows = Rows(tmp_path / "rows.sqlite")
            held = rows.episodes()
            assert set(range(first + 1, last + 1)) <= set(held) and len(rows.tokens()) >= tokens
            assert all(flat(rows.read(n)) == flat(episode(n, steps=20)) for n in held)
            rows.close()
    assert acknowledged[1] > 20


# Damage ---------------------------------------------------------------------------------------------------------------


def damage(data: bytes, rng: random.Random) -> bytes:
    kind, at = rng.choice(["flip", "byte", "cut", "zeros", "more"]), rng.randrange(len(data))
    if kind == "cut":
        return data[:at]
    if kind == "more":
        return data + rng.randbytes(rng.randrange(1, 5000))
    if kind == "zeros":
        size = rng.randrange(1, 600)
        return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]
    mask = 1 << rng.randrange(8) if kind == "flip" else rng.randrange(1, 256)
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def opened(path: Path) -> tuple[Any, ...] | None:
    try:
        rows = Rows(path)
    except CortexError as error:
        assert path.name in str(error)
        return None
    try:
        return everything(rows)
    finally:
        rows._database.close()


def test_damaged_rows_are_an_error_or_unchanged(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.sqlite")
    fill(rows)
    before = everything(rows)
    rows.close()
    data, rng, errors = (tmp_path / "rows.sqlite").read_bytes(), random.Random(1), 0
    for trial in range(150):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / "rows.sqlite").write_bytes(damage(data, rng))
        answer = opened(folder / "rows.sqlite")
        assert answer in (None, before), trial
        errors += answer is None
    assert errors > 50


def test_damaged_log_loses_at_most_what_a_power_cut_could(tmp_path: Path) -> None:
    rows, states = Rows(tmp_path / "rows.sqlite", commit_every=10**9), []
    rows._database.execute("PRAGMA wal_autocheckpoint=0")
    for seed in range(8):
        rows.add(episode(seed, steps=60))
        rows.commit()
        states.append(everything(rows))
    files_now = {suffix: (tmp_path / f"rows.sqlite{suffix}").read_bytes() for suffix in ("", "-wal")}
    rows.close()
    rng, errors = random.Random(2), 0
    for trial in range(60):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / "rows.sqlite").write_bytes(files_now[""])
        log, at = bytearray(files_now["-wal"]), rng.randrange(len(files_now["-wal"]))
        log[at] ^= rng.randrange(1, 256)
        (folder / "rows.sqlite-wal").write_bytes(log)
        answer = opened(folder / "rows.sqlite")
        assert answer in (None, states[-1], states[-2]), trial
        errors += answer is None
    assert errors > 30
    (tmp_path / "0" / "rows.sqlite").unlink()
    assert opened(tmp_path / "0" / "rows.sqlite") is None, "a log without its database is not a new life"


def test_files_that_are_no_memory(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "foreign") as foreign:
        foreign.execute("CREATE TABLE t(x)")
    foreign.close()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello" * 1000)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    rows = Rows(tmp_path / "version")
    rows._database.execute("PRAGMA user_version=99")
    rows.close()
    rows = Rows(tmp_path / "trigger")
    rows._database.execute("CREATE TRIGGER x AFTER INSERT ON step BEGIN DELETE FROM episode; END")
    rows.close()
    for name in ("foreign", "empty", "text", "folder", "pipe", "version", "trigger", "missing/rows"):
        with pytest.raises(CortexError, match=name):
            Rows(tmp_path / name)


def weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "b.weight": rng.normal(size=(8, 3)).astype(np.float32),
        "a.scale": np.array(rng.normal()),
        "steps": rng.integers(0, 9, 4),
        "empty": np.zeros((0, 5), np.float16),
    }


def assert_is(found: checkpoint.Checkpoint, day: int) -> None:
    assert digest(found.weights) == digest(weights(day)) and found.state["day"] == day


def test_damaged_checkpoints_fall_back_or_name_the_file(tmp_path: Path) -> None:
    life = tmp_path / "life"
    for day in (1, 2):
        save(life, weights(day), {"day": day})
    rng = random.Random(3)
    for name in ("LATEST", *(f"checkpoints/000002/{name}" for name in os.listdir(life / "checkpoints" / "000002"))):
        data = (life / name).read_bytes()
        for trial in range(40):
            (life / name).write_bytes(damage(data, rng))
            found = load(life)
            assert_is(found, 1 if found.path.name == "000001" else 2)
            if found.path.name == "000001":
                assert found.warning is not None and Path(name).name in found.warning and "000001" in found.warning, (
                    trial
                )
        (life / name).unlink()
        assert load(life).state["day"] == (2 if name == "LATEST" else 1)
        (life / name).write_bytes(data)
    assert load(life).warning is None
    for day in (1, 2):
        (life / f"checkpoints/00000{day}/state.json").write_bytes(b"{}")
    with pytest.raises(CortexError, match=r"000002/state\.json"):
        load(life)


def test_hostile_checkpoints_run_nothing_and_read_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    for number, (name, change) in enumerate(HOSTILE.items()):
        life = tmp_path / str(number)
        path = save(life, weights(1), {"day": 1})
        change(path, secret)
        with pytest.raises(CortexError, match=str(path)):
            print(name, load(life))


def _manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path, Path], None]:
    def apply(path: Path, _: Path) -> None:
        manifest = json.loads((path / "manifest.json").read_text())
        change(manifest)
        (path / "manifest.json").write_text(json.dumps(manifest))

    return apply


def _pipe(path: Path, _: Path) -> None:
    (path / "state.json").unlink()
    os.mkfifo(path / "state.json")


def _link(path: Path, secret: Path) -> None:
    (path / "state.json").unlink()
    (path / "state.json").symlink_to(secret)


HOSTILE: dict[str, Callable[[Path, Path], None]] = {
    "huge size": _manifest(lambda m: m["files"]["state.json"].__setitem__(0, 10**18)),
    "infinite size": _manifest(lambda m: m["files"]["state.json"].__setitem__(0, float("inf"))),
    "no files": _manifest(lambda m: m.pop("files")),
    "files a list": _manifest(lambda m: m.__setitem__("files", [])),
    "newer format": _manifest(lambda m: m.__setitem__("format", 99)),
    "other generation": _manifest(lambda m: m.__setitem__("generation", 3)),
    "deep": lambda path, _: files.write(path / "manifest.json", b"[" * 50_000),
    "bomb": lambda path, _: os.truncate(path / "manifest.json", 1 << 40),
    "pickle": lambda path, _: files.write(path / "weights.safetensors", b"\x80\x04cos\nsystem\n."),
    "pipe": _pipe,
    "link": _link,
}


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_checkpoint_reads_back_equal_and_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    given = weights(1)
    shuffled = {name: given[name].copy(order="F") for name in reversed(given)}
    state = {"day": 1, "nested": {"list": [1, 0.1, None, "ü"]}, "best": float("-inf")}
    one, two = save(tmp_path / "a", given, state), save(tmp_path / "b", shuffled, {"day": 1})
    found = load(tmp_path / "a")
    assert found.state == state and found.path == one and found.warning is None
    for name, array in given.items():
        assert found.weights[name].dtype == array.dtype and np.array_equal(found.weights[name], array)
        assert found.weights[name].shape == array.shape and found.weights[name].flags.writeable
    assert (one / "weights.safetensors").read_bytes() == (two / "weights.safetensors").read_bytes()
    assert digest(given) == digest(shuffled) == digest(found.weights)
    for other in ({**given, "extra": np.zeros(1)}, {**given, "steps": given["steps"] + 1}, weights(2)):
        assert digest(other) != digest(given)
    assert digest({"a": np.zeros((2, 3))}) != digest({"a": np.zeros((3, 2))})


def test_torch_tensors_are_saved_as_they_are(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
    save(tmp_path, {"w": tensor}, {})
    assert np.array_equal(load(tmp_path).weights["w"], tensor.detach().numpy())
    assert digest({"w": tensor}) == digest(load(tmp_path).weights)
    with pytest.raises(CortexError, match="weight w"):
        save(tmp_path, {"w": tensor.to(torch.bfloat16)}, {})


def test_newest_two_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    save(tmp_path, weights(1), {"day": 1})
    root = tmp_path / "checkpoints"
    (root / "000000").mkdir()
    (root / "000000" / "weights.safetensors").write_text("mine")
    (root / "holiday").mkdir()
    for day in (2, 3, 4):
        assert save(tmp_path, weights(day), {"day": day}).name == f"{day:06d}"
    assert sorted(os.listdir(root)) == ["000000", "000003", "000004", "holiday"]
    assert (root / "000000" / "weights.safetensors").exists()
    assert (tmp_path / "LATEST").read_text() == "000004\n"
    assert (tmp_path / "weights.safetensors").read_bytes() == (root / "000004/weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(b"overwritten by a user")
    assert_is(load(tmp_path), 4)


def test_refuses_places_that_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.safetensors").write_text("mine")
    (tmp_path / "pointer").mkdir()
    (tmp_path / "pointer/LATEST").symlink_to(tmp_path / "file")
    for name in ("file", "file/below", "model", "pointer"):
        with pytest.raises(CortexError, match=name.split("/")[0]):
            save(tmp_path / name, weights(1), {})
        with pytest.raises(CortexError, match=f"no checkpoint in .*{name}"):
            load(tmp_path / name)
    assert (tmp_path / "file").read_text() == (tmp_path / "model/weights.safetensors").read_text() == "mine"
    with pytest.raises(CortexError, match="no checkpoint in"):
        load(tmp_path / "absent")


@pytest.mark.parametrize("state", [{"x": {1: 2}}, {"x": [object()]}, {"x": np.float32(1)}])
def test_state_that_json_would_change_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    with pytest.raises(CortexError, match="state"):
        save(tmp_path, weights(1), state)
    assert not (tmp_path / "checkpoints").exists()


@contextmanager
def failing(at: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The disk fails at the n-th step of saving, and from then on."""
    calls: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) > at:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        return step

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "rename", "mkdir"):
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        patch.setattr(files, "open", wrap("open", open), raising=False)
        yield calls


def test_failure_at_each_step_of_saving_keeps_the_newest_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for at in range(100):
        life = tmp_path / str(at)
        save(life, weights(1), {"day": 1})
        with failing(at, monkeypatch) as calls:
            try:
                save(life, weights(2), {"day": 2})
                failed = False
            except CortexError as error:
                failed = True
                assert str(life) in str(error)
        renamed = "rename" in calls[:at]
        found = load(life)
        assert_is(found, 2 if renamed else 1)
        assert found.warning is None
        save(life, weights(3), {"day": 3})
        assert_is(load(life), 3)
        assert ".partial" not in os.listdir(life / "checkpoints")
        steps = calls
        if not failed:
            break
    assert not failed and steps.count("fsync") == 9 and steps.count("replace") == 2 and steps.count("rename") == 1
    order = [name for name in steps if name in ("fsync", "rename", "replace")]
    assert order[:4] == ["fsync"] * 4, "files, manifest and their folder are on the disk before the name"
    assert order[4:6] == ["rename", "fsync"] and order[6:9] == ["fsync", "replace", "fsync"]


KILLED = """
import os, signal, sys
from pathlib import Path
from cortex.store import save
from tests.test_store import weights
for at in range(40):
    life = Path(sys.argv[1]) / str(at)
    save(life, weights(1), {"day": 1})
    child = os.fork()
    if child == 0:
        calls = 0
        def wrap(real):
            def step(*arguments):
                global calls
                calls += 1
                if calls > at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments)
            return step
        for name in ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "listdir"):
            setattr(os, name, wrap(getattr(os, name)))
        save(life, weights(2), {"day": 2})
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, flush=True)
    if code == 0:
        break
"""


def test_kill_at_each_step_of_saving_leaves_a_state_that_loads(tmp_path: Path) -> None:
    output, error = start(KILLED, tmp_path).communicate()
    codes = list(map(int, output.split()))
    assert len(codes) > 15 and set(codes[:-1]) == {-9} and codes[-1] == 0, error
    days = []
    for at, code in enumerate(codes):
        found = load(tmp_path / str(at))
        days.append(found.state["day"])
        assert_is(found, days[-1])
        assert found.warning is None and (code != 0 or days[-1] == 2)
        save(tmp_path / str(at), weights(3), {"day": 3})
        assert_is(load(tmp_path / str(at)), 3)
    assert days == sorted(days) and days[0] == 1


# Lease ----------------------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from cortex.store import Lease
with Lease(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    time.sleep(60)
"""


def test_second_writer_is_refused_by_pid_and_a_killed_one_is_gone(tmp_path: Path) -> None:
    holder = start(HOLD, tmp_path)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(CortexError, match=f"process {holder.pid};"), Lease(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with Lease(tmp_path):
        assert (tmp_path / "LEASE").read_text() == f"{os.getpid()}\n"
        with pytest.raises(CortexError, match=str(os.getpid())), Lease(tmp_path):
            pass
    with Lease(tmp_path / "new" / "life"):
        assert (tmp_path / "new/life/LEASE").exists()


def test_lease_refuses_what_is_no_folder_or_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/LEASE").symlink_to(tmp_path / "file")
    (tmp_path / "piped").mkdir()
    os.mkfifo(tmp_path / "piped/LEASE")
    for name in ("file", "linked", "piped"):
        with pytest.raises(CortexError, match=name), Lease(tmp_path / name):
            pass
    assert (tmp_path / "file").read_text() == "mine"


def test_store_needs_no_torch() -> None:
    process = start("import sys, cortex.store; print('torch' in sys.modules)")
    assert process.communicate()[0] == "False\n"
