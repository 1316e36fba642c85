"""The house: which file may import which, the links, quick starts, and the wheel."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import cortex

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("cortex", "modules", "envs", "experiments", "tests")

# A file imports only from lower floors and its own; a leaf only from types and its own folder.
# What is not named here is the mind: the files of cortex that wire the modules and let the agent live.
FLOORS = [
    {"types"},
    {"lesions", "defaults", "modules", "envs", "store"},
    {"config", "mind"},
    {"life", "measure"},
    {"report", "cli"},
    {"experiments"},
    {"tests"},
]
LAZY = {f"cortex.{name}" for name in [*cortex.__all__, "__version__"]}
LEAVES = {"modules", "envs", "store"}


def name_of(path: Path) -> str:
    """Dotted name under which a file of the tree is imported: modules/ and envs/ live in cortex."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("cortex", *parts) if parts[0] in ("modules", "envs") else parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(name: str) -> str:
    """The part of the house that a dotted name belongs to."""
    words = name.split(".")
    if words[0] != "cortex" or len(words) == 1:
        return words[0]
    return words[1] if any(words[1] in parts for parts in FLOORS) else "mind"


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports, wherever in the file; ``from a import b`` gives a.b."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def files() -> list[Path]:
    """Every Python file of the tree, once: the links are not followed."""
    found = []
    for folder in FOLDERS:
        for where, inner, names in os.walk(ROOT / folder):
            inner[:] = [name for name in inner if not name.startswith((".", "__")) and name != "results"]
            found += [Path(where, name) for name in names if name.endswith(".py")]
    return sorted(found)


def forbidden(path: Path) -> list[str]:
    """What a file imports and should not."""
    mine, part = name_of(path), part_of(name_of(path))
    if part == "cortex":  # the lazy public names
        return []
    floor = next(number for number, parts in enumerate(FLOORS) if part in parts)
    lower = set().union(*FLOORS[: floor + 1])
    found = []
    for name in imports(path):
        theirs, outermost = part_of(name), name.split(".")[0]
        if outermost in ("modules", "envs") or (part == "envs" and outermost in ("torch", "stable_baselines3")):
            found.append(name)
        elif not name.startswith(("cortex.", "experiments.", "tests.")):
            continue
        elif part in LEAVES and theirs != "types":
            folder = mine if path.name == "__init__.py" else mine.rpartition(".")[0]
            if theirs != part or folder == "cortex.modules" or not name.startswith(f"{folder}."):
                found.append(name)
        elif theirs not in lower and name not in LAZY:
            found.append(name)
    return found


def test_imports_point_downwards() -> None:
    wrong = {str(path.relative_to(ROOT)): names for path in files() if (names := forbidden(path))}
    assert not wrong, f"these files import what their floor must not know: {wrong}"


def test_only_the_wiring_sees_the_config() -> None:
    allowed = {"config", "mind", "life", "cli", "cortex", "experiments", "tests"}
    seen = {
        part_of(name_of(path)) for path in files() if any(name.startswith("cortex.config") for name in imports(path))
    }
    assert seen <= allowed


@pytest.mark.parametrize("name", ["modules", "envs"])
def test_the_links_resolve(name: str) -> None:
    link = ROOT / "cortex" / name
    assert link.is_symlink() and os.readlink(link) == f"../{name}"
    assert link.resolve() == ROOT / name


def test_loading_runs_no_code() -> None:
    """No file of the library loads or writes what could run code."""
    wrong = []
    for path in files():
        if path.is_relative_to(ROOT / "tests"):
            continue
        text = path.read_text(encoding="utf-8")
        names = {name.split(".")[0] for name in imports(path)}
        calls = ("torch.load(", "torch.save(", "allow_pickle=True", " eval(", " exec(")
        if names & {"pickle", "dill", "cloudpickle", "joblib", "shelve"} or any(call in text for call in calls):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


def seconds(*command: str, attempts: int = 3) -> float:
    """Quickest of a few runs of a Python command line: other work on the machine only slows it."""
    best = float("inf")
    for _ in range(attempts):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=ROOT)
        best = min(best, time.perf_counter() - start)
    return best


def test_import_is_quick_and_loads_no_torch() -> None:
    assert seconds("-c", "import sys, cortex; assert 'torch' not in sys.modules") < 1.0


def test_help_is_quick() -> None:
    assert seconds("-m", "cortex.cli", "--help") < 1.5
    assert seconds("-m", "cortex.cli", "live", "--help") < 1.5


@pytest.mark.slow
def test_a_wheel_works_beside_packages_of_the_same_names(tmp_path: Path) -> None:
    tree, site, home = tmp_path / "tree", tmp_path / "site", tmp_path / "home"
    copied = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "tests", "experiments")
    shutil.copytree(ROOT, tree, symlinks=True, ignore=copied)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, tree], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in held} == {"cortex"}
    wanted = [
        Path(where, name)
        for top in ("cortex", "modules", "envs")
        for where, _, names in os.walk(tree / top)
        for name in names
    ]
    assert {f"cortex/{path.relative_to(tree)}".replace("cortex/cortex/", "cortex/") for path in wanted} <= set(held)

    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True, capture_output=True)
    for name in ("envs", "modules"):
        (home / name).mkdir(parents=True)
        (home / name / "__init__.py").write_text("MINE = True\n")
    program = f"""
import importlib, pkgutil, sys
import envs, modules, cortex
assert envs.MINE and modules.MINE and cortex.__file__.startswith({str(site)!r}), cortex.__file__
for found in pkgutil.walk_packages(cortex.__path__, "cortex."):
    importlib.import_module(found.name)
assert sys.modules["envs"].MINE and not hasattr(cortex.envs, "MINE") and not hasattr(cortex.modules, "MINE")
assert all((m.__file__ or "").startswith({str(site)!r}) for n, m in sys.modules.items() if n.startswith("cortex."))
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", program], cwd=home, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
