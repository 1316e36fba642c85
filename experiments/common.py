"""The contract of every experiment: ``--help``, ``--quick``, ``--seeds``, ``--out``; its last line is a JSON object."""

from __future__ import annotations

import argparse
import csv
import functools
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
QUICK = Path("runs/quick")


def parser(description: str | None, *, out: str, seeds: int = 5) -> argparse.ArgumentParser:
    """Begin a command line; ``out`` is the name of its file in ``experiments/results``."""
    commit()  # remembered now: a long run is told by the code that it began with
    line = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    line.add_argument("--quick", action="store_true", help="a small run that shows that everything works, no more")
    line.add_argument("--seeds", type=int, default=seeds, help="number of seeds, from 0")
    line.add_argument("--out", type=Path, help=f"CSV file to write; {RESULTS.name}/{out}, or {QUICK}/{out} if quick")
    line.set_defaults(name=out)
    return line


def read(line: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; a quick run must not write over results."""
    options = line.parse_args()
    options.out = options.out or (QUICK if options.quick else RESULTS) / options.name
    return options


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    """Write rows under two comment lines that hold the command and the commit; read back with ``read_csv``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# command: {command()}\n# commit: {commit()}\n")
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows({key: _short(value) for key, value in row.items()} for row in rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read the rows of a file that ``write_csv`` wrote; every value is text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def ask(arguments: Sequence[str], cell: Path, logs: Path) -> dict[str, Any]:
    """The JSON object that ends the output of ``python`` with these arguments, one thread, what it tells in a log.

    It is kept in the file ``cell``, and what an earlier run kept is not run again. Exits where the command fails, and
    where another command made the cell.
    """
    asked = " ".join(["python", *arguments])
    if not cell.exists():
        progress(f"begins: {cell.stem}")
        for folder in (cell.parent, logs):
            folder.mkdir(parents=True, exist_ok=True)
        alone, log = {**os.environ, "OMP_NUM_THREADS": "1"}, logs / f"{cell.stem}.log"
        with log.open("w", encoding="utf-8") as told:
            line = [sys.executable, *arguments]
            done = subprocess.run(line, stdout=subprocess.PIPE, stderr=told, text=True, env=alone)
        if done.returncode:
            sys.exit(f"error: {cell.stem} failed; its log is {log}")
        fresh = cell.with_suffix(".part")
        answer = {"command": asked, **json.loads(done.stdout.splitlines()[-1])}
        fresh.write_text(json.dumps(answer) + "\n", encoding="utf-8")
        fresh.replace(cell)
        progress(f"done: {cell.stem}")
    found: dict[str, Any] = json.loads(cell.read_text(encoding="utf-8"))
    if found["command"] != asked:
        sys.exit(f"error: {cell} came of another command ({found['command']}); delete it, or give another --out")
    return found


def figure(value: Any) -> Any:
    """A figure as text, with its interval if it has one; anything else as it is."""
    if not isinstance(value, dict):
        return value
    return ("{value:.3f}" if value["low"] is None else "{value:.3f} ({low:.3f} to {high:.3f})").format(**value)


def last_line(record: Mapping[str, Any]) -> None:
    """Print the experiment's result as the one JSON object that ends its output."""
    print(json.dumps(record, default=str), flush=True)


def progress(text: str) -> None:
    """Say on stderr what happens now, so that stdout stays readable by programs."""
    print(text, file=sys.stderr, flush=True)


def command() -> str:
    """The command that runs now, as a user would type it in the root of the repository."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return shlex.join(["python", "-m", spec.name, *sys.argv[1:]] if spec else ["python", *sys.argv])


@functools.cache
def commit() -> str:
    """The commit that is checked out, marked ``+`` where tracked files differ from it; ``unknown`` outside of git."""

    def ask(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    try:
        changed = ask("status", "--porcelain", "--untracked-files=no")
        return ask("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
