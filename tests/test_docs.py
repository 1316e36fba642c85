"""The pages: what they point to is there, what they quote is so, and what they show as code runs."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

import cortex  # noqa: F401  registers the environments
from cortex.envs.novel_game import observe, spec, words
from cortex.envs.novel_game.difficulty import PERMUTED, setting
from cortex.envs.novel_game.generate import generate
from cortex.envs.novel_game.vector import NovelGames
from experiments import common, show_games

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GAMES = ROOT / "docs" / "novel-games.md"
MOST_BYTES = 60_000

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def links(text: str) -> list[str]:
    """The files that a page shows or points to."""
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def modules(text: str) -> list[str]:
    """The modules that a page's commands run."""
    return re.findall(r"python -m ([\w.]*\w)", text)


def targets(text: str) -> list[str]:
    """The targets that a page asks make for: in code, or on a line of their own in a block."""
    return re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)


def blocks(text: str) -> list[str]:
    """The Python code of a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose heading begins with ``heading``."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("| ").split(" | ")])
    return table


@pages
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in links(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not missing


@pages
def test_commands_and_ids_are_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert all(importlib.util.find_spec(name) for name in modules(text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    missing = [target for target in targets(text) if not re.search(rf"^{target}:", makefile, re.MULTILINE)]
    assert not missing
    for name in re.findall(r"cortex/\w+-v\d+", text):
        gymnasium.spec(name)


def test_pictures_are_small_and_shown() -> None:
    folder = GAMES.with_suffix("")
    shown = {(GAMES.parent / link).resolve() for link in links(GAMES.read_text(encoding="utf-8"))}
    drawn = {path.resolve() for path in folder.glob("*.png")}
    assert drawn and drawn <= shown
    assert all(path.stat().st_size < MOST_BYTES for path in drawn)


def test_pictures_are_those_that_the_experiment_draws(tmp_path: Path) -> None:
    for path in map(Path, show_games.pictures(tmp_path)):
        kept = Image.open(GAMES.with_suffix("") / path.name).convert("RGB")
        drawn = Image.open(path).convert("RGB")
        assert kept.size == drawn.size
        # Letters may be drawn a shade otherwise by another version of the library.
        assert np.mean(np.asarray(kept) != np.asarray(drawn)) < 0.02


@pytest.mark.timeout(300)
@pytest.mark.parametrize("difficulty", show_games.SHOWN)
def test_pictures_show_what_the_environment_does(difficulty: int) -> None:
    seed = show_games.SHOWN[difficulty]
    frames = list(show_games.watch(show_games.deal(difficulty, seed), seed))
    env = gymnasium.make("cortex/NovelGame-v0", game_seed=seed, difficulty=difficulty)
    observation, _ = env.reset(seed=seed)
    np.testing.assert_array_equal(frames[0].codes, observation["grid"][..., 0])
    assert frames[-1].told.endswith("wins") and len(frames) == frames[-1].clock + 1


@pytest.mark.timeout(300)
def test_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CORTEX_CACHE", str(tmp_path))
    code = blocks(GAMES.read_text(encoding="utf-8"))
    space: dict[str, Any] = {}
    for block in code:
        exec(compile(block, GAMES.name, "exec"), space)
    assert len(code) >= 4 and space["train"] and space["test"]
    assert "Use the flag on the jar to win." in capsys.readouterr().out


def test_the_rules_told_are_those_of_the_game() -> None:
    difficulty, seed = show_games.TOLD
    game = generate(seed, "train", setting(difficulty), permuted=difficulty >= PERMUTED)
    told = rows(GAMES.read_text(encoding="utf-8"), "level 1, and what can come up")[0][1]
    assert told.split("<br>") == words.tell(game.tables)


def test_tables_name_all_there_is() -> None:
    text = GAMES.read_text(encoding="utf-8")
    assert [row[0] for row in rows(text, "mechanic")] == list(spec.MECHANICS)
    assert [row[0] for row in rows(text, "decoy")] == list(spec.DECOYS)
    assert [row[0].strip("`") for row in rows(text, "`split`")] == list(spec.SPLITS)
    assert [row[0].strip("`") for row in rows(text, "key")] == [*observe.MODALITIES, "noise"]
    assert ", ".join(f"{a}-{b}" for a, b in spec.HELD_PAIRS[:-1]) in text
    known = set(inspect.signature(NovelGames).parameters) - {"num_envs"}
    assert {row[0].strip("`") for row in rows(text, "setting")} == known


def test_settings_begin_with_their_default() -> None:
    parameters = inspect.signature(NovelGames).parameters
    for name, values, _ in rows(GAMES.read_text(encoding="utf-8"), "setting"):
        default = parameters[name.strip("`")].default
        shown = getattr(default, "value", default)
        as_code = str(shown) if not isinstance(shown, str) else f'"{shown}"'
        assert values.replace("`", "").startswith(as_code.replace("'", '"')), name


def test_anchors_shown_are_those_of_the_results() -> None:
    text = GAMES.read_text(encoding="utf-8")
    kept = common.read_csv(common.RESULTS / "novel_anchors.csv")
    assert [f"| {' | '.join(row)} |" for row in rows(text, "difficulty")] == [show_games.page_row(row) for row in kept]
    assert all(row["games"] == "100" for row in kept) and "100 training games of each class" in text


def test_a_quick_run_makes_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_CACHE", str(tmp_path))
    row = show_games.measure(0, 2, 50)
    path = common.write_csv(tmp_path / "table.csv", [row], show_games.COLUMNS)
    assert show_games.page_row(common.read_csv(path)[0]) == show_games.page_row(row)
    assert row["random"] <= row["solver"] == 1 and row["h_low"] <= row["h"] <= row["h_high"]
