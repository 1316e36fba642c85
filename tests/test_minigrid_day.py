"""The day in MiniGrid: how wins are counted, what a table says of seeds that did not finish, and the command itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments import common, minigrid_day
from experiments.minigrid_day import Bar, Count, summary


def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> Path:
    out = tmp_path / "day.csv"
    line = ["minigrid_day", *words, "--jobs", "1", "--runs", str(tmp_path / "runs"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", line)
    minigrid_day.main()
    return out


def counted(wins: list[bool], bar: Bar | None = None) -> tuple[Count, list[bool]]:
    """Episodes of ten steps each."""
    count = Count(bar or Bar())
    return count, [count(won, 10 * (number + 1)) for number, won in enumerate(wins)]


def test_the_bar_is_reached_when_18_of_the_last_20_episodes_are_won() -> None:
    wins = [False] * 3 + [True] * 9 + [False] + [True] * 20
    count, goes_on = counted(wins)
    # Episodes 1 to 20 hold four losses, 2 to 21 three, 3 to 22 two.
    assert count.first == 40 and count.reached == 220
    assert goes_on == [True] * 21 + [False] * 12


def test_fewer_episodes_than_the_window_never_reach_the_bar() -> None:
    assert counted([True] * 19)[0].reached is None
    assert counted([True] * 20)[0].reached == 200
    assert counted([True] * 99, minigrid_day.BARS["MiniGrid-MemoryS7-v0"])[0].reached is None


def run(first: int | None, reached: int | None, unchanged: bool = True) -> dict[str, Any]:
    spent = {"lived": 100, "cpu_seconds": 1.0, "wins": [1, 1], "unchanged": unchanged}
    return {"seed": 0, "first": first, "reached": reached, **spent}


def test_a_seed_that_did_not_finish_counts_as_later_than_all_others() -> None:
    told = summary([run(10, 100), run(20, 300), run(None, None)], Bar(200))
    assert (told["finished"], told["seeds"], told["each"]) == (2, 3, "100 300 -")
    assert (told["steps"], told["steps_max"], told["within_bar"]) == (300, None, pytest.approx(1 / 3))
    assert (told["first_win"], told["first_win_min"], told["first_win_max"]) == (20, 10, None)
    assert summary([run(10, 100), run(None, None), run(None, None)], Bar())["steps"] is None
    assert told["ms_per_action"] == pytest.approx(10) and told["weights_unchanged"] is True
    assert summary([run(1, 2), run(1, 2, unchanged=False)], Bar())["weights_unchanged"] is False


def test_an_unknown_task_is_answered_with_the_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: There is no environment 'MiniGrid-Emtpy-5x5-v0'; .*Empty-5x5"):
        command(monkeypatch, tmp_path, "--tasks", "MiniGrid-Emtpy-5x5-v0")


@pytest.mark.slow
def test_a_task_is_lived_by_newborns_and_by_a_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--quick", "--peer", "ppo", "--tasks", "MiniGrid-Empty-5x5-v0"]
    rows = common.read_csv(command(monkeypatch, tmp_path, *words))
    assert [(row["agent"], row["limit"], row["seeds"]) for row in rows] == [("cortex", "80", "1"), ("ppo", "300", "1")]
    assert [row["weights_unchanged"] for row in rows] == ["True", ""] and float(rows[0]["first_win"]) <= 80
    first = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(first)["rows"][0]["task"] == "MiniGrid-Empty-5x5-v0"
    command(monkeypatch, tmp_path, *words)
    assert capsys.readouterr().out.splitlines()[-1] == first, "what is kept is not lived again"


@pytest.mark.slow
def test_one_memory_lives_a_row_of_tasks_and_each_of_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = ["MiniGrid-Empty-5x5-v0", "BabyAI-GoToObj-v0"]
    command(monkeypatch, tmp_path, "--quick", "--row", "--tasks", *tasks)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["task"] for row in told["rows"]] == tasks
    assert all(row["weights_unchanged"] and 0 <= row["wins_again"] <= 1 for row in told["rows"])
    life = json.loads((tmp_path / "day_row" / "seed-0.json").read_text())
    assert [len(visit) for visit in life["visits"]] == [2, 2]
    assert len(common.read_csv(tmp_path / "day_row.csv")) == 2
