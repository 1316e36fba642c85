"""Cells of a table: each computed once and kept, whatever kills the processes that compute them."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cortex.measure.cells import fill
from cortex.types import CortexError

ROOT = Path(__file__).parents[1]
QUESTIONS = {f"n{number}": number**2 for number in range(150)}
FILLING = """
import math, sys, time
from pathlib import Path
from cortex.measure.cells import fill
cells = {f"n{number}": number**2 for number in range(150)}
work, cells = (math.isqrt, cells) if sys.argv[2] == "root" else (time.sleep, {"a": 60, "b": 60})
fill(cells, work, Path(sys.argv[1]), 2, lambda done, total: print(done, flush=True))
"""


def filling(folder: Path, work: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", FILLING, str(folder), work]
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_a_cell_is_computed_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert fill({"a": 9, "b": 16}, math.isqrt, tmp_path, jobs=2) == {"a": 3, "b": 4}
    (tmp_path / "a.json").write_text('{"asked": 9, "answer": "kept"}')
    found = fill({"a": 9, "b": 16, "c": 25}, math.isqrt, tmp_path, 2, lambda *counts: told.append(counts))
    assert found == {"a": "kept", "b": 4, "c": 5} and told == [(2, 3), (3, 3)]


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    draw, killed = random.Random(3), 0
    for _ in range(20):
        process = filling(tmp_path, "root")
        assert process.stdout is not None
        first = int(process.stdout.readline())
        for _ in range(draw.randrange(3)):  # at some moment after a few of them
            process.stdout.readline()
        process.kill()
        process.wait()
        killed += first < len(QUESTIONS)
        for path in tmp_path.glob("*.json"):
            assert path.read_text().endswith("}"), "no cell is half written"
    assert killed == 20
    answers = fill(QUESTIONS, math.isqrt, tmp_path, 2)
    assert answers == {name: math.isqrt(asked) for name, asked in QUESTIONS.items()}


def test_nobody_outlives_who_is_killed(tmp_path: Path) -> None:
    process = filling(tmp_path, "wait")
    assert process.stdout is not None
    process.stdout.readline()
    children: list[int] = []
    until = time.monotonic() + 60
    while len(children) < 3 and time.monotonic() < until:  # two workers, and who keeps their semaphores
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(alive(pid) for pid in children) and time.monotonic() < until:
        pass
    assert children and not any(alive(pid) for pid in children)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_dies_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(CortexError, match="was killed, or found no memory; the same command goes on"):
        fill({"a": 1}, os._exit, tmp_path)


def test_what_work_raises_comes_through_and_the_rest_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nonnegative"):
        fill({"good": 4, "bad": -1}, math.isqrt, tmp_path)
    assert fill({"good": 4}, len, tmp_path) == {"good": 2}, "len was not asked"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"asked": 9', "a.json is damaged"),
        ('{"asked": 9}', "a.json is damaged"),
        ('{"asked": {"seed": 1}, "answer": 3}', "a.json was computed with other settings"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CortexError, match=words):
        fill({"a": 9}, math.isqrt, tmp_path)
