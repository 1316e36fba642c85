"""The report: what a person reads of a life, and that it neither breaks nor flatters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cortex.report import summary, table, write
from cortex.report.read import read
from cortex.types import CortexError

TASKS = ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-GoToDoor-5x5-v0", "BabyAI-GoToObjS4-v0"]
CHANCE = [0.0, 0.12, 0.28]
EVENING = [0.95, 0.9, 0.97]
MORNING = [0.93, 0.8, 0.97]


def story(days: int = 3, episodes: int = 60, seed: int = 0) -> list[dict[str, Any]]:
    """The events of a life that learns by day and keeps it by night."""
    random = np.random.default_rng(seed)
    told: list[dict[str, Any]] = [
        {"event": "life", "tasks": TASKS, "days": days, "seed": 0, "bodies": 8, "steps": 3000, "version": "0.1.0"},
        *({"event": "constant", "task": task, "success": chance} for task, chance in enumerate(CHANCE)),
    ]
    total, habit = 0, list(CHANCE)
    for day in range(1, days + 1):
        for task in range(len(TASKS)):
            start = total
            for try_ in range(episodes):
                skill = max(habit[task], EVENING[task] * min(1, try_ / (episodes / 3)))
                won = bool(random.random() < skill)
                steps = int(
                    random.integers(8, 20) if won else 250 if random.random() < 0.3 else random.integers(15, 90)
                )
                total += steps
                searched = float(np.clip(1.2 - 0.35 * day + random.normal(0, 0.1), 0, 1))
                told.append(
                    {"event": "episode", "day": day, "task": task, "total": total, "steps": steps}
                    | {"return": 0.9 * won, "success": won, "searched": searched}
                )
            told.append(
                {"event": "day", "day": day, "task": task, "steps": total - start, "seconds": 5.1, "speed": 588}
                | {"memories": 900 * (3 * day + task - 2), "situations": task + 1, "interactions": 51 + 9 * task}
                | {"morning": f"{day:x}a7c91e0f42", "evening": f"{day:x}a7c91e0f42"}
            )
        counts = {str(task): 300 * day + 150 * task for task in range(3)}
        told.append(
            {"event": "memory", "day": day, "strength": [3, 9, 14, 20, 28, 33, 40, 38, 30, 61][: 4 + 3 * day]}
            | {"kept": 120 * day, "forgotten": 4 * (day - 1), "by_situation": counts}
        )
        for task in range(3):
            told.append(exam(day, "evening", "whole", task, EVENING[task]))
            told.append(exam(day, "evening", "habit", task, habit[task]))
        for update in range(0, 2001, 100):
            fall = np.exp(-update / 500) / day
            told.append(
                {"event": "night_update", "day": day, "part": "habit", "update": update}
                | {"losses": {"policy": 0.08 + 1.6 * fall, "value": 0.01 + 0.2 * fall}}
            )
            if update % 200 == 0:
                told.append(
                    {"event": "night_update", "day": day, "part": "world_model", "update": update}
                    | {"losses": {"scene": 0.02 + 0.9 * fall, "reward": 0.003 + 0.05 * fall}}
                )
        told.append(
            {"event": "night", "day": day, "updates": 2000, "seconds": 41.0, "chosen": 4000, "known": 0.83}
            | {"agreement_before": 0.2 + 0.2 * day, "agreement_after": 0.9 + 0.02 * day, "rolled_back": day == 2}
            | {"stages": {"settle": 1.0, "choose": 0.2, "re-search": 9.0, "distil": 30.0, "guard": 0.8}}
        )
        for task in range(3):
            habit[task] = MORNING[task] * (0.6 + 0.4 * day / days)
            told.append(exam(day, "morning", "habit", task, habit[task]))
            told.append(exam(day, "morning", "cleared", task, min(1, habit[task] + 0.02)))
            told.append(exam(day, "morning", "whole", task, EVENING[task]))
            if day == days:
                told.append(exam(day, "morning", "no_night", task, CHANCE[task] + 0.01))
                told.append(exam(day, "morning", "shuffled", task, CHANCE[task]))
    return told


def exam(day: int, when: str, arm: str, task: int, success: float) -> dict[str, Any]:
    score = (success - CHANCE[task]) / (1 - CHANCE[task])
    return {"event": "exam", "day": day, "when": when, "arm": arm, "task": task, "episodes": 60} | {
        "success": success,
        "steps": 11.2,
        "score": score,
    }


def live(folder: Path, told: list[dict[str, Any]], tail: str = "", config: str = "seed: 0\n") -> Path:
    """A run folder with these events."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in told) + tail)
    (folder / "config.yaml").write_text(config)
    return folder


class Page(HTMLParser):
    """Which elements a page has, what it says, and whether every element is closed."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = live(tmp_path_factory.mktemp("runs") / "first", story(), config="seed: 0\nname: <b>bold</b>\n")
    write(folder)
    return folder


def test_summary_takes_the_last_night(run: Path) -> None:
    facts = summary(run)
    assert [task["id"] for task in facts["tasks"]] == TASKS
    assert facts["day"] == 3 and facts["nights"] == 3 and facts["weights_unchanged"] is True
    second = facts["tasks"][1]
    assert second["evening"]["success"] == 0.9 and second["morning_habit"]["success"] == pytest.approx(0.8)
    assert second["no_night"]["score"] == pytest.approx(0.01 / 0.88) and second["shuffled"]["score"] == 0
    assert second["constant"]["success"] == 0.12 and second["constant"]["score"] == 0
    scores = [[(s - c) / (1 - c) for s, c in zip(row, CHANCE, strict=True)] for row in (EVENING, MORNING)]
    assert facts["kept"] == pytest.approx(sum(scores[1]) / sum(scores[0]))
    assert facts["seconds"] == pytest.approx(9 * 5.1 + 3 * 41)
    low, high = second["evening"]["low"], second["evening"]["high"]
    assert 0.79 < low < 0.81 and 0.95 < high < 0.96  # Wilson, 54 of 60


def test_the_table_has_a_heading_and_five_lines(run: Path) -> None:
    rows = table(summary(run))
    assert len(rows) == 6 and all(len(row) == 4 for row in rows)
    assert rows[0][1:] == tuple(TASKS)
    assert rows[1][1:] == ("95% (0.95)", "90% (0.89)", "97% (0.96)")
    assert rows[5][1:] == ("0% (0.00)", "12% (0.00)", "28% (0.00)")


def test_the_page_holds_everything_and_asks_for_nothing(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Page(text)
    assert not page.open
    tags = [tag for tag, _ in page.elements]
    assert not {"script", "img", "link", "iframe", "object"} & set(tags)
    assert not [a for _, a in page.elements if any(n in a for n in ("src", "onload")) or "//" in str(a.get("href"))]
    assert not re.findall(r"url\((?!#)|@import", text)
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(pictures) == 5 + 3 + 3 + 2 + 2 + 2 + 1
    assert all(picture.get("role") == "img" and len(picture.get("aria-label") or "") > 30 for picture in pictures)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name in re.findall(r'(?:xlink:href="|url\()#([^")]+)', text):
        assert name in ids
    assert len(text) < 1_500_000


def test_the_page_tells_what_the_summary_tells(run: Path) -> None:
    words = Page((run / "report.html").read_text()).text
    assert f"{summary(run)['kept']:.0%} of what it could do in the evening" in words
    assert "weights changed by day never" in words and words.count("✓ equal") == 9
    assert "undone: it had made things worse" in words
    assert json.loads((run / "report.json").read_text()) == summary(run)


def test_strings_of_the_run_stay_strings(tmp_path: Path) -> None:
    evil = '<script>alert("1")</script> $\\frac{x$ --> &amp;'
    told = story(days=1, episodes=5)
    told[0]["tasks"] = [evil, *TASKS[1:]]
    told += [
        {"event": "fault", "day": 1, "task": 0, "sentence": evil},
        {"event": "night_update", "day": 1, "part": evil, "update": 1, "losses": {evil: 1.0}},
        {"event": "memory", "day": 1, "strength": [1], "by_situation": {evil: 3}},
    ]
    page = Page(write(live(tmp_path / "<i>run", told, config=evil)).read_text())
    assert "script" not in {tag for tag, _ in page.elements} and not page.open
    assert page.text.count(evil) >= 6 and page.text.count("<i>run") == 2


@pytest.mark.parametrize("event", ["life", "constant", "episode", "day", "night_update", "night", "exam", "memory"])
def test_any_kind_of_event_may_be_missing(tmp_path: Path, event: str) -> None:
    told = [line for line in story(days=1, episodes=6) if line["event"] != event]
    page = Page(write(live(tmp_path, told)).read_text())
    assert not page.open and len(table(summary(tmp_path))) == 6
    if event == "exam":
        assert "has not been examined" in page.text and summary(tmp_path)["kept"] is None
    if event == "day":
        assert summary(tmp_path)["weights_unchanged"] is None and "weights changed by day" not in page.text


@pytest.mark.parametrize("lines", [0, 1, 4, 90, 206, 227])
def test_a_life_may_stop_anywhere(tmp_path: Path, lines: int) -> None:
    told = story(days=2)[:lines]
    page = Page(write(live(tmp_path, told, tail='{"event": "episode", "day": 1, "ta')).read_text())
    assert not page.open and "1 line of metrics.jsonl could not be read" in page.text
    assert summary(tmp_path)["morning_habit_score"] is None


@pytest.mark.parametrize(
    "line", ["[1]", "7", '{"event": "exam", "day": 1}', '{"event": "day", "day": "x", "task": 0}', "\x00\xff{", "{}"]
)
def test_damaged_lines_are_counted_and_left_out(tmp_path: Path, line: str) -> None:
    whole, damaged = live(tmp_path / "a", story(days=1)), live(tmp_path / "b", story(days=1), tail=line + "\n")
    assert read(whole).damaged == 0 and read(damaged).damaged == 1
    assert read(whole).happened == read(damaged).happened


def test_numbers_that_are_none_do_no_harm(tmp_path: Path) -> None:
    told = story(days=1, episodes=4)
    nan = float("nan")
    told += [{"event": "night_update", "day": 1, "part": "habit", "update": 2100, "losses": {"policy": nan, "x": None}}]
    told += [{"event": "night", "day": 1, "agreement_before": None, "agreement_after": None, "unheard": [1]}]
    told += [{"event": "unheard of", "day": 1}]
    assert not Page(write(live(tmp_path, told)).read_text()).open


def test_the_page_does_not_flatter(tmp_path: Path) -> None:
    told = story(days=1)
    for line in told:
        if line["event"] == "day" and line["task"] == 2:
            line["evening"] = "another"
        if line["event"] == "exam" and line["arm"] == "whole" and line["when"] == "evening":
            line |= {"success": CHANCE[line["task"]] + 0.01, "score": 0.01}
    page = Page(write(live(tmp_path, told)).read_text())
    facts = summary(tmp_path)
    assert facts["weights_unchanged"] is False and "✗ changed" in page.text
    assert facts["kept"] is None and "learned too little" in page.text


def test_a_night_that_was_not_examined_is_not_reported(tmp_path: Path) -> None:
    told = [line for line in story(days=2) if (line.get("when"), line.get("day")) != ("morning", 2)]
    assert summary(live(tmp_path, told))["day"] == 1


def test_a_mean_over_some_games_is_not_sold_as_a_mean_over_all(tmp_path: Path) -> None:
    told = [line for line in story(days=1) if (line.get("when"), line.get("task")) != ("morning", 1)]
    facts = summary(live(tmp_path, told))
    assert facts["evening_score"] is not None and facts["kept"] is None and facts["morning_habit_score"] is None


def test_a_morning_exam_belongs_to_the_night_before_it(tmp_path: Path) -> None:
    told = story(days=2)
    for line in told:
        if line.get("when") == "morning":
            line["day"] += 1  # written by the calendar of the new day
    assert summary(live(tmp_path / "new", told)) | {"run": ""} == summary(live(tmp_path / "old", story(2))) | {
        "run": ""
    }


def test_each_game_has_its_own_clock(tmp_path: Path) -> None:
    def play(task: int, total: int) -> dict[str, Any]:
        return {"event": "episode", "day": 1, "task": task, "total": total, "success": True}

    told = [play(0, 10), play(0, 30), {"event": "day", "day": 1, "task": 0, "steps": 40}, play(1, 45), play(0, 55)]
    assert [own for _, own in read(live(tmp_path, told)).own_steps] == [10, 30, 5, 50]


@pytest.mark.parametrize("make", ["nothing", "folder", "file", "garbage"])
def test_a_folder_that_is_no_life_is_refused_in_one_sentence(tmp_path: Path, make: str) -> None:
    run = tmp_path / "run"
    if make in ("folder", "garbage"):
        run.mkdir()
    if make == "file":
        run.write_text("life")
    if make == "garbage":
        (run / "metrics.jsonl").write_bytes(b"\x80\x02garbage\nmore\n")
    with pytest.raises(CortexError, match=r"is no life: .*cortex live") as error:
        write(run)
    assert "\n" not in str(error.value)
    assert not (run / "report.html").exists()


def test_reading_loads_neither_torch_nor_matplotlib(run: Path) -> None:
    code = f"""
import sys
import cortex.report
cortex.report.summary({str(run)!r})
assert not {{"torch", "matplotlib"}} & set(sys.modules)
cortex.report.write({str(run)!r})
assert "torch" not in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_equal_runs_make_equal_pages(run: Path) -> None:
    assert (run / "report.html").read_text() == write(run).read_text()


def test_five_figures_tell_the_story_in_plain_words(run: Path, tmp_path: Path) -> None:
    from cortex.report.five import export, five

    told = {one.name: one.caption for one in five(read(run))}
    assert list(told) == ["learning", "kept", "forgetting", "cost", "night"]
    assert "No weight changed by day" in told["learning"] and "95% interval" in told["kept"]
    assert "94% in the evening" in told["kept"] and "90% next morning" in told["kept"]
    assert "by 0 points on average" in told["forgetting"] and "from 40% to 92%" in told["night"]
    words = Page((run / "report.html").read_text()).text
    assert all(caption in words for caption in told.values())
    paths = export(live(tmp_path, story()))
    assert sorted(path.suffix for path in paths) == [".png"] * 5 + [".svg"] * 5 + [".txt"]
    assert all(path.stat().st_size > 3000 for path in paths[:-1])
    assert "Figure 3 (forgetting). " in paths[-1].read_text()


def test_what_was_lost_is_told_as_lost(tmp_path: Path) -> None:
    from cortex.report.five import five

    told = story()
    for line in told:
        if (line.get("arm"), line.get("when"), line.get("day")) == ("habit", "morning", 3):
            line |= {"success": 0.1, "score": 0.0}
    captions = {one.name: one.caption for one in five(read(live(tmp_path, told)))}
    assert "by 68 points on average" in captions["forgetting"] and "10% next morning" in captions["kept"]


@pytest.mark.parametrize("event", ["constant", "day", "exam", "night"])
def test_a_figure_that_cannot_be_drawn_is_left_out(tmp_path: Path, event: str) -> None:
    from cortex.report.five import five

    names = [one.name for one in five(read(live(tmp_path, [e for e in story(days=1) if e["event"] != event])))]
    gone = {"exam": {"kept", "forgetting"}, "night": {"night"}}.get(event, set())
    assert set(names) == {"learning", "kept", "forgetting", "cost", "night"} - gone
