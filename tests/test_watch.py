"""A life looked at moment by moment: looking changes nothing, is bounded, and the page shows what was recorded."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from cortex import keep, life
from cortex.agent import Tree
from cortex.cli import main
from cortex.config import Config, load
from cortex.life import live
from cortex.lines import considered
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.encoders.symbol import SymbolEncoder, SymbolsEncoder
from cortex.modules.planner import search
from cortex.report.watch import write
from cortex.report.watch.page import gather
from cortex.store import Rows, checkpoint
from cortex.types import CortexError
from tests.chromium import Chromium, found
from tests.test_planner import worlds

MOST = 120
TINY = (
    "debug",
    "life.tasks=[MiniGrid-GoToDoor-5x5-v0,MiniGrid-Empty-5x5-v0]",
    "life.days=2",
    "life.steps=100",
    "life.exam=0",
    "life.controls=false",
    "planner.simulations=48",
)
SILENT = Console(file=open(os.devnull, "w"), stderr=True)  # noqa: SIM115
EVIL = '</script><script>window.evil = 1</script><img src=x onerror="window.evil = 2"> <!-- \u2028 {{ 7 * 7 }}'
needs_browser = pytest.mark.skipif(found() is None, reason="no Chromium is installed")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(folder: Path, watch: int = MOST) -> Config:
    return load(*TINY, f"life.watch={watch}", {"folder": str(folder)})


def recorded(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "watch.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lives") / "watched"
    live(tiny(folder), SILENT)
    write(folder)
    return folder


@pytest.fixture
def copy(watched: Path, tmp_path: Path) -> Path:
    """The same life, to be damaged."""
    for name in ("watch.jsonl", "metrics.jsonl", "memory.sqlite", "config.yaml"):
        (tmp_path / name).write_bytes((watched / name).read_bytes())
    return tmp_path


# Recording


def told(folder: Path) -> tuple[str, list[Any], list[dict[str, Any]]]:
    """All that a life came to: weights, rows, what happened (but for the times it took)."""
    rows = Rows(folder / keep.MEMORY)
    kept = [rows.read(number) for number in rows.episodes()]
    rows.close()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    events = [{k: v for k, v in line.items() if k not in ("seconds", "speed", "stages")} for line in lines]
    lived = [(e.codes.tolist(), e.action.tolist(), e.reward.tolist(), e.salience.tolist()) for e in kept]
    return checkpoint.digest(checkpoint.load(folder).weights), lived, events


@pytest.mark.slow
def test_a_life_is_the_same_whether_anybody_looks_or_not(watched: Path, tmp_path: Path) -> None:
    live(tiny(tmp_path, watch=0), SILENT)
    assert not (tmp_path / "watch.jsonl").exists(), "zero is silence"
    assert told(tmp_path) == told(watched)


def test_what_is_recorded_is_bounded_and_spread_over_days_and_tasks(watched: Path) -> None:
    steps = Counter[tuple[int, int]]()
    for line in recorded(watched):
        if line["event"] == "episode":
            steps[line["day"], line["task"]] += len(line["steps"])
            assert line["first"] + len(line["steps"]) == line["length"]
    assert set(steps) == set(itertools.product((1, 2), (0, 1)))
    assert max(steps.values()) <= MOST // 4 and sum(steps.values()) > MOST // 2
    assert (watched / "watch.jsonl").stat().st_size < 4_000 * MOST


def test_what_is_recorded_is_what_was_lived(watched: Path) -> None:
    rows = Rows(watched / keep.MEMORY)
    for line in recorded(watched):
        if line["event"] == "episode":
            memory = rows.read(line["memory"])
            begin, end = line["first"], line["length"]
            assert [step["action"] for step in line["steps"]] == memory.action[begin:end].tolist()
            np.testing.assert_allclose([s["salience"] for s in line["steps"]], memory.salience[begin:end], atol=1e-3)
            assert line["steps"][0]["view"] == memory.codes[begin, 1:50].tolist()
            assert all(step["said"].startswith("It is about to ") for step in line["steps"])
            assert (line["day"], line["success"]) == (memory.day, memory.success)
    rows.close()


@pytest.mark.slow
def test_interrupted_at_every_boundary_nothing_is_recorded_twice(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boundary = life._Life._boundary

    def cut(self: Any, day: int, phase: str) -> None:
        boundary(self, day, phase)
        self.record.journal.write("night", day=99)  # behind the checkpoint: to be cut
        if phase != "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(life._Life, "_boundary", cut)
    for _ in range(20):
        try:
            live(tiny(tmp_path), SILENT)
            break
        except KeyboardInterrupt:
            continue
    assert recorded(tmp_path)[:-1] == recorded(watched), "but for the line that was added at the end"


def test_the_best_line_is_the_plan() -> None:
    for seed in range(20):
        world = worlds(seed, bodies=3)
        layers: list[Any] = []
        prior = np.full((3, 3), 1 / 3)
        plan = search(world, world.roots(), 3, 3, prior, 40, 0.9, 16, 8, layers)
        tree = Tree(world, np.array([4, 7, 9]), layers)
        for row, body in enumerate(tree.rows):
            lines = considered(tree, int(body), 3, 0.9)
            if not plan.steps[row]:
                assert not lines
                continue
            assert lines[0].value == pytest.approx(plan.value[row], abs=2e-6)
            assert lines[0].actions == [int(a) for a in plan.actions[row] if a >= 0]
            assert [x.value for x in lines] == pytest.approx(sorted((x.value for x in lines), reverse=True), abs=1e-5)
            assert all(worth(world, row, x.actions) == pytest.approx(x.value, abs=1e-5) for x in lines)
        assert considered(tree, 5, 3, 0.9) == [], "of a body that was not searched for there is none"


def worth(world: Any, body: int, actions: list[int]) -> float:
    """What a line is worth by the tables: reward on the way, and what there is to find out at its end."""
    at, weight, total = 0, 1.0, 0.0
    for action in actions:
        total += weight * float(world.reward[body, at, action])
        bonus, end = float(world.bonus[body, at, action]), float(world.end[body, at, action])
        last, weight = weight, weight * 0.9 * (1 - end)
        at = int(world.following[body, at, action])
    return total + last * bonus


def test_what_was_encoded_can_be_read_back() -> None:
    draw = np.random.default_rng(0)
    cells = draw.integers(0, 256, (2, 3, 4, 3))
    grid = GridEncoder((3, 4, 3), None)
    np.testing.assert_array_equal(grid.value(grid(cells).tokens.reshape(24, -1)), cells.reshape(24, 3))
    symbol, symbols = SymbolEncoder(5, start=2), SymbolsEncoder([3, 4], [0, 1])
    np.testing.assert_array_equal(symbol.value(symbol(np.array([2, 6])).tokens), [[2], [6]])
    np.testing.assert_array_equal(symbols.value(symbols(np.array([[2, 1], [0, 4]])).tokens), [[2, 1], [0, 4]])


# The page


def test_the_command_says_where_the_page_lies(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(copy)]) == 0
    assert capsys.readouterr().out == f"watch: {copy / 'watch.html'}\n"
    assert main(["watch", str(copy), "--out", str(copy / "elsewhere.html")]) == 0
    assert (copy / "elsewhere.html").read_bytes() == (copy / "watch.html").read_bytes()
    assert main(["watch", str(copy / "nowhere")]) == 2
    assert main(["watch", str(copy), "--out", str(copy / "no" / "such.html")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "there is no folder" in errors[0] and "cannot be written" in errors[1]


def test_the_page_asks_for_nothing_and_reading_loads_no_torch(watched: Path) -> None:
    text = (watched / "watch.html").read_text()
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
    assert "src=" not in text and "@import" not in text and "default-src 'none'" in text
    code = f"import sys, cortex.report.watch as w; w.write({str(watched)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def rewrite(folder: Path, change: Any) -> None:
    lines = recorded(folder)
    for line in lines:
        change(line)
    (folder / "watch.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def evil(line: dict[str, Any]) -> None:
    for step in line.get("steps", []) + line.get("examples", []):
        if "beside" in step:
            step["beside"] = {EVIL: EVIL}
        if "said" in step:
            step["said"] = EVIL
    if line["event"] == "watch":
        line["actions"] = [EVIL] * len(line["actions"])


def test_what_the_life_said_stays_text(copy: Path) -> None:
    rewrite(copy, evil)
    text = write(copy).read_text()
    assert "<img" not in text and text.count("</script>") == 2 and "\u2028" not in text


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "nights only", "folder"])
def test_without_records_there_is_one_clear_sentence(copy: Path, damage: str) -> None:
    path = copy / "watch.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "garbage": b"\x80\x02\nno\n", "nights only": lines[-1]}[damage])
    with pytest.raises(CortexError, match=r"watch\.jsonl.*life\.watch=1200") as error:
        write(copy)
    assert "\n" not in str(error.value) and not (copy / "watch.html").exists()


@pytest.mark.parametrize("key", ["steps", "cells", "day", "facing"])
def test_damaged_lines_are_counted_and_left_out(copy: Path, key: str) -> None:
    whole = gather(copy)

    def damage(line: dict[str, Any]) -> None:
        if line["event"] == "episode" and line["memory"] == whole["episodes"][0]["memory"]:
            line[key] = {"steps": [], "cells": [float("nan")], "day": None, "facing": 7}[key]

    rewrite(copy, damage)
    shown = gather(copy)
    assert len(shown["episodes"]) == len(whole["episodes"]) - 1
    assert shown["notes"] == ["1 line of watch.jsonl could not be read."]


def test_without_memories_the_moments_are_shown(copy: Path) -> None:
    (copy / "memory.sqlite").write_bytes(b"no memory")
    shown = gather(copy)
    assert shown["episodes"] and shown["map"]["points"] == [] and "no map of the memories" in shown["notes"][0]


def test_the_map_holds_what_is_remembered(watched: Path) -> None:
    shown = gather(watched)
    points = shown["map"]["points"]
    assert len(points) == shown["map"]["distinct"] and {point[2] for point in points} == {1, 2}
    assert max(abs(point[0]) for point in points) <= 1 and 0 < shown["map"]["share"] <= 1
    codes = {code for frame in shown["frames"] for code in frame if code}
    assert codes <= set(shown["palette"]), "every cell that is shown can be drawn"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["CartPole-v1", "cortex/NovelGame-v0"])
def test_other_worlds_can_be_watched(task: str, tmp_path: Path) -> None:
    live(load(*TINY, f"life.tasks=[{task}]", "life.days=1", "life.watch=60", {"folder": str(tmp_path)}), SILENT)
    shown = gather(tmp_path)
    step = shown["episodes"][0]["steps"][0]
    if task == "CartPole-v1":
        assert shown["shape"] is None and len(step["beside"]["observation"]) == 4
        assert shown["actions"] == ["action 0", "action 1"]
    else:
        assert shown["actions"][4:] == ["use", "wait"] and "floor" in shown["looks"][0]["names"]
        assert len(shown["looks"][0]["tiles"]) == 32 and shown["shape"] == [7, 7]
    assert step["lines"] and shown["nights"][0]["memories"]


def test_ten_thousand_steps_fit(copy: Path) -> None:
    lines = recorded(copy)
    episodes = [line for line in lines if line["event"] == "episode"]
    while sum(len(line["steps"]) for line in lines if line["event"] == "episode") < 10_000:
        lines += episodes
    (copy / "watch.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert write(copy).stat().st_size < 20_000_000


# In a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


PIXELS = "document.getElementById('frame').toDataURL()"
PLACE = "document.getElementById('place').textContent"


@pytest.mark.slow
@needs_browser
def test_the_keys_lead_through_the_life(watched: Path, browser: Chromium) -> None:
    shown = gather(watched)
    long = next(i for i, e in enumerate(shown["episodes"]) if len(e["steps"]) > 3)
    length = shown["episodes"][long]["length"]
    assert browser.open(f"{(watched / 'watch.html').as_uri()}#{long}.0", 1280, 800) < 10
    first, frames = browser.run(PLACE), {browser.run(PIXELS)}
    for _ in range(3):
        browser.press("ArrowRight")
        frames.add(browser.run(PIXELS))
    assert browser.run(PLACE) != first and len(frames) > 1, "steps change the frame"
    browser.press("End")
    assert browser.run(PLACE) == f"step {length} of {length}"
    browser.press("ArrowRight")
    assert browser.run(PLACE) == f"step {length} of {length}", "there is nothing behind the end"
    browser.press("Home")
    assert browser.run(PLACE) == first
    browser.press("n")
    assert browser.run("document.getElementById('episode').value") == str(long + 1)
    browser.press("p")
    assert browser.run(PLACE) == first
    browser.press(" ")
    assert browser.run("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    browser.press(" ")
    assert browser.run("document.getElementById('play').getAttribute('aria-label')") == "Play"
    assert not browser.errors


@pytest.mark.slow
@needs_browser
def test_every_moment_of_the_life_can_be_shown(watched: Path, browser: Chromium) -> None:
    browser.open((watched / "watch.html").as_uri(), 1280, 800)
    empty = browser.run(
        "data.episodes.flatMap((e, i) => e.steps.map((s, t) => { go(i, t); "
        "return document.getElementById('why').textContent; })).filter((text) => !text || /undefined|NaN/.test(text))"
    )
    assert empty == []
    browser.run("data.nights.forEach((n, i) => { chosen.night = i; night(); })")
    words = browser.run("document.body.innerText")
    assert "undefined" not in words and "NaN" not in words and "What is remembered" in words
    assert not browser.errors


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(("wide", "high", "dark"), [(1280, 800, False), (390, 844, True)])
def test_it_fits_the_screen(watched: Path, browser: Chromium, tmp_path: Path, wide: int, high: int, dark: bool) -> None:
    browser.open((watched / "watch.html").as_uri(), wide, high, dark)
    assert browser.run("document.documentElement.scrollWidth") == wide, "no scrolling sideways"
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    unnamed = browser.run(
        "[...document.querySelectorAll('button, select, input, canvas, svg')].filter((e) => !e.hidden && "
        "!(e.getAttribute('aria-label') || e.labels?.length || e.textContent)).map((e) => e.id || e.outerHTML)"
    )
    assert unnamed == []
    assert not browser.errors


@pytest.mark.slow
@needs_browser
def test_a_mission_that_is_html_runs_nothing(copy: Path, browser: Chromium) -> None:
    rewrite(copy, evil)
    browser.open(write(copy).as_uri(), 1280, 800)
    assert browser.run("window.evil") is None and browser.run("document.images.length") == 0
    assert "onerror" in browser.run("document.getElementById('beside').textContent")
    assert not browser.errors
