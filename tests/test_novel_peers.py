"""The table of peers: how many steps each takes to a game, and how they compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments import common, novel_peers


def taken(agent: str, game: int, steps: int | None, difficulty: int = 1) -> dict[str, Any]:
    return {"agent": agent, "difficulty": difficulty, "game": game, "h": 10.0, "steps": steps}


def test_ours_are_held_against_the_better_of_the_others_game_by_game() -> None:
    rows = [taken("ppo", 0, 20_000), taken("dqn", 0, 5_000), taken("cortex", 0, 100)]
    rows += [taken("ppo", 1, None), taken("dqn", 1, None), taken("cortex", 1, 400)]
    rows += [taken("ppo", 2, 1_000), taken("dqn", 2, None), taken("cortex", 2, None)]
    rows += [taken("ppo", 7, 1_000, 2), taken("cortex", 7, 10, 2)]  # and nobody else: no comparison
    assert novel_peers.fewer(rows) == {"1": 50.0}
    assert novel_peers.fewer(rows[:6]) == {"1": (50 + 500) / 2}
    assert novel_peers.summary(rows)["dqn at 1"] == {"won": 1, "games": 3, "steps": [5_000, None, None]}


@pytest.mark.slow
def test_cortex_is_counted_as_the_peers_are(capsys: pytest.CaptureFixture[str]) -> None:
    novel_peers.count("cortex", 1, 907, True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["agent"] == "cortex" and 10 <= told["steps"] < 1_000


def test_counts_that_were_kept_become_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kept(agent: str, difficulty: int, game: int, *_: object) -> dict[str, Any]:
        return {"command": "as a cell holds it", **taken(agent, game, 5_000 if agent == "ppo" else None, difficulty)}

    monkeypatch.setattr(novel_peers, "steps_of", kept)
    line = ["novel_peers", "--agents", "--difficulties", "1", "--games", "2", "--out", str(tmp_path / "peers.csv")]
    monkeypatch.setattr("sys.argv", [*line, "--steps-of", "ppo", "dqn"])
    novel_peers.main()
    assert json.loads(capsys.readouterr().out)["steps"]["ppo at 1"]["won"] == 2
    rows = common.read_csv(tmp_path / "peers_steps.csv")
    assert [row["steps"] for row in rows] == ["5000", "5000", "", ""]
