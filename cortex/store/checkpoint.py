"""Atomic saves of weights and state into a life's folder.

    FOLDER/checkpoints/000007/{weights.safetensors, state.json, manifest.json}    a generation; the newest two are kept
    FOLDER/LATEST                                                                 the name of the newest
    FOLDER/weights.safetensors                                                    a copy of its weights, for users

A generation appears by one rename, after all of it is on the disk: what can be seen is whole. Its manifest tells sizes
and sha256, so damage afterwards is found, and the newest generation without damage is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from cortex.store import files
from cortex.types import Array, CortexError

FORMAT = 1
KEEP = 2
WEIGHTS, STATE, MANIFEST = "weights.safetensors", "state.json", "manifest.json"
_GENERATION = re.compile(r"[0-9]{6,12}")
_SMALL = 1 << 16  # bytes; a manifest or pointer beyond this is not ours


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was saved."""

    weights: dict[str, Array]
    state: dict[str, Any]
    path: Path  # the generation's folder
    warning: str | None = None  # names what was damaged where an older generation had to serve


def digest(weights: Mapping[str, Any]) -> str:
    """sha256 of names, dtypes, shapes and bytes in the order of the names: equal weights, equal digest."""
    total = hashlib.sha256()
    for name, value in sorted(_arrays(weights).items()):
        total.update(json.dumps([name, value.dtype.str, value.shape]).encode())
        total.update(value.tobytes())
    return total.hexdigest()


def save(folder: Path, weights: Mapping[str, Any], state: dict[str, Any]) -> Path:
    """Save weights (numpy arrays or torch tensors) and state (JSON) as the next generation; returns its folder.

    Raises CortexError where the folder cannot be used or the disk is full; what was saved before then still loads.
    """
    folder = Path(folder)
    contents = {WEIGHTS: safetensors.numpy.save(_arrays(weights)), STATE: _text(state)}
    root = folder / "checkpoints"
    files.make_folder(folder)
    _refuse_foreign(folder)
    files.make_folder(root)
    try:
        generation = max(map(int, _generations(root)), default=0) + 1
        partial, final = root / ".partial", root / f"{generation:06d}"
        _remove(partial)
        partial.mkdir()
        for name, data in contents.items():
            files.write(partial / name, data)
        sizes = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in contents.items()}
        files.write(partial / MANIFEST, _text({"format": FORMAT, "generation": generation, "files": sizes}))
        files.sync(partial)
        os.rename(partial, final)
        files.sync(root)
        files.replace(folder / "LATEST", f"{final.name}\n".encode())
        files.replace(folder / WEIGHTS, contents[WEIGHTS])
    except OSError as error:
        raise CortexError(
            f"cannot save in {folder} ({error.strerror}); the state before loads, make space and save again"
        ) from error
    _prune(root)
    return final


def load(folder: Path) -> Checkpoint:
    """Load the newest generation without damage. Sizes are compared before anything is read, then sha256.

    Raises CortexError that names the file where no generation is whole, or the folder where there is none.
    """
    folder = Path(folder)
    root = folder / "checkpoints"
    try:
        names = _generations(root)
    except OSError as error:
        raise CortexError(f"{root} cannot be read ({error.strerror}); restore it from a backup") from error
    if not names:
        raise CortexError(f"no checkpoint in {folder}; name the folder of a life that has saved")
    warning = _pointer_warning(folder, names)
    for name in names:
        try:
            found = _read(root / name)
        except CortexError as error:
            warning = warning or str(error)
        else:
            return replace(found, warning=warning and f"{warning}; {found.path} was loaded instead")
    raise CortexError(warning or f"no whole checkpoint in {folder}")


def _read(path: Path) -> Checkpoint:
    """One generation, every byte checked."""
    manifest = _json(path / MANIFEST, files.read(path / MANIFEST, _SMALL))
    data: dict[str, bytes] = {}
    try:
        if manifest["format"] != FORMAT or manifest["generation"] != int(path.name):
            raise ValueError("another format or generation")
        expected = {
            name: (int(manifest["files"][name][0]), str(manifest["files"][name][1])) for name in (WEIGHTS, STATE)
        }
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise CortexError(f"{path / MANIFEST} is damaged ({error}); restore it from a backup") from error
    for name, (size, sha256) in expected.items():
        data[name] = files.read(path / name, size)
        if len(data[name]) != size or hashlib.sha256(data[name]).hexdigest() != sha256:
            raise CortexError(f"{path / name} is damaged (it differs from {MANIFEST}); restore it from a backup")
    try:
        weights = {name: array.copy() for name, array in safetensors.numpy.load(data[WEIGHTS]).items()}
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CortexError(f"{path / WEIGHTS} is damaged ({error}); restore it from a backup") from error
    return Checkpoint(weights, _json(path / STATE, data[STATE]), path)


def _json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CortexError(f"{path} is damaged ({error}); restore it from a backup") from error
    if not isinstance(value, dict):
        raise CortexError(f"{path} is damaged (no JSON object); restore it from a backup")
    return value


def _text(state: dict[str, Any]) -> bytes:
    """JSON that reads back as what was given, but for tuples, which become lists; NaN and infinity may stand in it."""
    files.require_names(state, "the state")
    try:
        return json.dumps(state, sort_keys=True, indent=1).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CortexError(f"the state cannot be JSON ({error}); put arrays among the weights") from error


def _arrays(weights: Mapping[str, Any]) -> dict[str, Array]:
    """Numpy in C order by sorted name; torch tensors are known by their methods, so torch need not be loaded."""
    arrays: dict[str, Array] = {}
    for name in sorted(weights):
        value = weights[name]
        try:
            array = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value, order="C")
        except (TypeError, ValueError) as error:
            raise CortexError(f"weight {name} cannot be saved ({error}); convert it to float32") from error
        if array.dtype.kind not in "fiub":
            raise CortexError(f"weight {name} has dtype {array.dtype}, which cannot be saved; convert it to float32")
        arrays[name] = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return arrays


def _generations(root: Path) -> list[str]:
    """Names of the generations, newest first."""
    if not root.is_dir():
        return []
    return sorted((name for name in os.listdir(root) if _GENERATION.fullmatch(name)), key=int, reverse=True)


def _pointer_warning(folder: Path, names: list[str]) -> str | None:
    # A crash between the rename and the pointer leaves it one behind, which is no damage.
    pointer = folder / "LATEST"
    if not pointer.exists():
        return None
    try:
        name = files.read(pointer, _SMALL).decode("ascii", "replace").strip()
    except CortexError as error:
        return str(error)
    if not _GENERATION.fullmatch(name):
        return f"{pointer} is damaged (it names no checkpoint)"
    return f"{pointer} names {name}, which is missing" if int(name) > int(names[0]) else None


def _refuse_foreign(folder: Path) -> None:
    for name in ("LATEST", WEIGHTS):
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise CortexError(f"{path} is not a regular file; move it away or save elsewhere")
    if (folder / WEIGHTS).exists() and not _generations(folder / "checkpoints"):
        raise CortexError(f"{folder / WEIGHTS} was not saved by a life; move it away or save elsewhere")


def _prune(root: Path) -> None:
    """Drop generations beyond the newest; what cannot be dropped now is tried again at the next save."""
    for name in _generations(root)[KEEP:]:
        try:
            if (root / name / MANIFEST).is_file():
                _remove(root / name)
        except OSError:
            continue


def _remove(path: Path) -> None:
    """Remove our three files, the manifest (which marks it as ours) last, and the folder if nothing else is in it."""
    if not path.is_dir() or path.is_symlink():
        return
    for name in (WEIGHTS, STATE, MANIFEST):
        (path / name).unlink(missing_ok=True)
    path.rmdir()
