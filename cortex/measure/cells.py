"""The cells of a large table: each computed once, by one of several processes, and kept; so a table that was killed
goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from cortex.store import Lease, files
from cortex.types import CortexError

LARGEST = 1 << 24
"""Bytes of a cell's file, at most."""
SINGLE = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
"""How many threads libraries use: one for each process, since the processes share the machine."""

Work = Callable[[Any], Any]


def fill(
    cells: Mapping[str, Any],
    work: Work,
    folder: Path,
    jobs: int = 1,
    tell: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """What ``work`` answers to each of ``cells`` (file name -> question), in ``jobs`` processes; JSON both.

    An answer is kept in ``folder`` as NAME.json, beside its question, in one step: a later call computes only what is
    missing. ``work`` is a function of a module, which spawned processes import, and must answer the same question
    alike. ``tell`` gets how many are done, and of how many. Raises CortexError for a folder that another process
    fills, a file that is damaged or answers another question, and a process that was killed.
    """
    with Lease(folder):
        answers = {name: _kept(folder / f"{name}.json", asked) for name, asked in cells.items()}
        missing = [name for name, answer in answers.items() if answer is None]
        if tell is not None:
            tell(len(cells) - len(missing), len(cells))
        if not missing:
            return answers
        before, threads = multiprocessing.active_children(), {name: os.environ.get(name) for name in SINGLE}
        os.environ.update(dict.fromkeys(SINGLE, "1"))
        spawn = multiprocessing.get_context("spawn")  # a fork after faiss or torch have run threads may hang
        pool = ProcessPoolExecutor(min(jobs, len(missing)), spawn, initializer=_depend)
        try:
            asked = {pool.submit(work, cells[name]): name for name in missing}
            for number, future in enumerate(as_completed(asked), 1):
                name = asked[future]
                answers[name] = _keep(folder / f"{name}.json", cells[name], future.result())
                if tell is not None:
                    tell(len(cells) - len(missing) + number, len(cells))
        except BrokenProcessPool:
            raise CortexError(
                f"a process that filled {folder} was killed, or found no memory; the same command goes on"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - set(before):
                child.terminate()
            raise
        finally:
            pool.shutdown()
            for name, value in threads.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
    return answers


def _keep(path: Path, asked: Any, answer: Any) -> Any:
    """Write a cell; what comes back is as it will be read."""
    text = json.dumps({"asked": asked, "answer": answer}, indent=1)
    try:
        files.replace(path, text.encode())
    except OSError as error:
        raise CortexError(f"{path} cannot be written ({error.strerror}); the same command goes on") from error
    return json.loads(text)["answer"]


def _kept(path: Path, asked: Any) -> Any:
    """The answer that a file keeps; None without one."""
    if not path.exists():
        return None
    try:
        told = json.loads(files.read(path, LARGEST))
        found, answer = told["asked"], told["answer"]
    except (ValueError, KeyError, TypeError) as error:
        raise CortexError(f"{path} is damaged ({error}); delete it, and the same command goes on") from error
    if found != json.loads(json.dumps(asked)):
        other = _difference(found, json.loads(json.dumps(asked)))
        raise CortexError(f"{path} was computed with other settings ({other}); delete it, or choose another folder")
    return answer


def _difference(found: Any, asked: Any) -> str:
    if isinstance(found, dict) and isinstance(asked, dict):
        keys = sorted({*found, *asked})
        return "; ".join(f"{k}: {found.get(k)!r}" for k in keys if found.get(k) != asked.get(k))[:200]
    return repr(found)[:200]


def _depend() -> None:
    """Let a worker end with its parent, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
