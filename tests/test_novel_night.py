"""The table of the night: each of its controls does what it is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cortex.curriculum import Lessons
from cortex.measure.protocol import Played
from cortex.types import Array, CortexError, Habit, Scene
from experiments import (
    arbitration,
    calibrated,
    choice,
    common,
    consolidation,
    cued,
    dip,
    mornings,
    novel_night,
    transfer,
)
from experiments import lived as kept
from experiments.agents import Cortex, make

SMALL = {
    "sleep.guard": "1",
    "sleep.steps": "2",
    "sleep.states": "20",
    "sleep.world_model_steps": "1",
    "planner.simulations": "16",
}


def bodies(game: int) -> Any:
    kind = {"game_seed": game, "difficulty": 1, "level": 1}
    return gymnasium.make_vec("cortex/NovelGame-v0", 1, vectorization_mode="vector_entry_point", **kind)


def newborn(**settings: str) -> Cortex:
    env = bodies(0)
    return make(env.single_observation_space, env.single_action_space, 0, **{**SMALL, **settings})


def lived(learner: Cortex, games: int) -> list[int]:
    """Which games memory holds on the evening of a day."""
    for game in range(games):
        learner.live(bodies(900 + game), 60, game, lambda played: None)
    store = learner.agent.hippocampus.store
    return sorted({store.read(number).environment for number in store.episodes()})


def test_every_fifth_game_is_forgotten_before_the_night() -> None:
    learner = newborn(control="withheld")
    assert lived(learner, 5) == [1, 2, 3, 4, 5]
    learner.sleep(0)
    store = learner.agent.hippocampus.store
    assert {store.read(number).environment for number in store.episodes()} == {1, 2, 3, 4}


def test_nights_by_day_follow_each_game_and_know_nothing_of_the_one_before() -> None:
    learner = newborn(control="naps", **{"hippocampus.capacity": "1"})
    lived(learner, 2)
    assert learner.agent.hippocampus.store.steps <= 1 and int(learner.agent.habit.nights) == 2
    digest = learner.agent.digest()
    learner.sleep(0)
    assert learner.agent.digest() == digest


def test_shuffled_nights_learn_other_weights_from_the_same_rows() -> None:
    told = []
    for control in ("none", "shuffled"):
        learner = newborn(control=control)
        lived(learner, 1)
        learner.sleep(0)
        told.append(learner.agent.digest())
    assert told[0] != told[1]
    with pytest.raises(CortexError, match="controls are none, shuffled"):
        newborn(control="shufled")


def test_the_table_asks_for_equal_updates_and_tells_withheld_games_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def answer(arguments: list[str], cell: Path, logs: Path) -> dict[str, Any]:
        asked.append(arguments)
        rows = [{"game": str(game), "last_habit": str(float((game + 1) % 5 > 0))} for game in range(10)]
        common.write_csv(cell.with_suffix(".csv"), rows, ["game", "last_habit"])
        return dict.fromkeys(novel_night.FIGURES) | {"acc": {"value": 0.5, "low": 0.4, "high": 0.6}}

    monkeypatch.setattr(common, "ask", answer)
    arms = ["plain", "joint", "by day", "withheld"]
    monkeypatch.setattr("sys.argv", ["", "--arms", *arms, "--out", str(tmp_path / "night.csv"), "--jobs", "1"])
    novel_night.main()
    rows = {row["arm"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["withheld"]["withheld"] == 0 and rows["withheld"]["replayed"] == 1
    assert rows["plain"]["acc_over_joint"]["value"] == pytest.approx(1.0)
    given = [dict(pair.split("=") for pair in line[line.index("--set") + 1 :]) for line in asked]
    for part, usual in (("steps", 0), ("world_model_steps", 500), ("body_steps", 500)):
        updates = np.array([10, 1, 40, 10]) * [int(one.get(f"sleep.{part}", usual)) for one in given]
        assert len(set(updates.tolist())) == 1, "every row has the same updates in all"
    assert given[0]["hippocampus.capacity"] == "500"


class Stubborn:
    """A habit that is fairly sure of one action, whatever it sees."""

    def __init__(self, action: int) -> None:
        self.action, self.nights = action, 1

    def __call__(self, scene: Scene, asked: Array, unsure: float) -> Habit:
        prior = np.tile(np.eye(6, dtype=np.float32)[self.action], (scene.bodies, 1))
        return Habit(prior, np.full(scene.bodies, 0.5, np.float32), np.full(scene.bodies, 0.8, np.float32))


def test_a_habit_is_right_where_search_would_do_the_same() -> None:
    learner = newborn(**{"planner.simulations": "256", "habit.trust": "2"})
    learner.live(bodies(901), 300, 0, lambda played: None)
    rights = []
    for action in range(learner.agent.motor.actions):
        agent = replace(learner.agent, habit=Stubborn(action))
        confidence, right = zip(*calibrated.asked(agent, bodies(901), 40, 0), strict=True)
        rights.append(np.concatenate(right))
        assert np.allclose(np.concatenate(confidence), 0.8)
    assert len(rights[0]) > 20 and all(0 < right.mean() < 1 for right in rights[:4])
    assert np.any(rights, axis=0).all(), "search would choose one of them"


def test_a_further_day_is_held_against_a_newborns_game_by_game() -> None:
    told: dict[str, Any] = {"h": [10, 10, 5]}
    told["lived"] = {"first_wins": [10, None, 10], "search": [1.0, 0.8, 0.0], "habit": {"500": [0.5, 0.8, 0.3]}}
    told["newborn"] = {"first_wins": [40, 40, 5], "search": [1.0, 1.0, 1.0], "habit": {"500": [0.2, 0.2, 0.2]}}
    told["lived"]["met_first"], told["newborn"]["met_first"] = [10, 20], [40, 20]
    lived, newborn = transfer.rows("one", told)
    assert lived["ratio_first"] == pytest.approx(0.5) and newborn["ratio_first"] is None
    assert lived["won"] == 2 and lived["first_win_over_h"] == pytest.approx(2**0.5) and newborn["won"] == 3
    assert lived["ratio"] == pytest.approx((10 / 40 * 10 / 5) ** 0.5), "of the games that both have won"
    assert lived["habit"] == pytest.approx((0.5 + 0.8 + 0.3) / (1.0 + 0.8 + 0.0)), "of all that search can do"
    assert lived["score"] == pytest.approx((0.5 + 0.8 + 0.3) / 3) and newborn["score"] == pytest.approx(0.2)
    mean = transfer.over([lived, newborn, *transfer.rows("two", told)])
    assert [row["agent"] for row in mean] == ["lived", "newborn"] and mean[0]["games"] == 6


def test_each_decision_counts_once_whoever_made_it() -> None:
    episodes = [Played(10, 10, 1.0, True, 1.0), Played(40, 30, 1.0, True, 0.0)]  # the second ended at action 40
    assert arbitration.decided(episodes) == {"without_search": 0.75, "steps": 40}


def test_a_dip_is_what_is_lost_at_the_worst_moment_of_a_night() -> None:
    assert dip.dip([0.9, 0.7, 0.95]) == pytest.approx(0.2) and dip.dip([0.5, 0.6]) == 0
    rows = [{"life": life, "updates": at, "games": 4, "old": at / 10, "new": 0.5} for life in "ab" for at in (0, 2)]
    mean = dip.over([*rows, {"life": "a", "games": 4, "dip": 0.1}, {"life": "b", "games": 4, "dip": 0.3}])
    assert [row.get("updates") for row in mean] == [0, 2, None] and mean[1]["games"] == 8
    assert mean[1]["old"].startswith("0.200") and mean[2]["dip"].startswith("0.200")


def test_wrong_labels_are_those_of_other_states_that_search_knew_something_of() -> None:
    count = 400
    column: Any = np.arange(count)
    targets, found = np.eye(count, dtype=np.float32), np.arange(count) % 2 == 0
    lessons = Lessons(column, targets, targets > 0, column / count, found, *[column] * 10)
    given = choice._mislabelled(lessons, 0.25, np.random.default_rng(0))
    label = given.targets.argmax(axis=1)
    assert 0.08 < (label != column).mean() < 0.2, "half of what is drawn can be taught"
    assert found[label[label != column]].all() and (given.best.argmax(axis=1) == label).all()
    assert (choice._mislabelled(lessons, 0.0, np.random.default_rng(0)).targets == targets).all()


def test_as_many_lives_as_are_wanted_are_asked_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / f"cortex-{number}" / "000001" / "learner").mkdir(parents=True)
        told = "night" if number else "waking"
        (tmp_path / f"cortex-{number}" / "events.jsonl").write_text(f'{{"event": "{told}"}}\n', encoding="utf-8")

    def asked(*line: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["x", "--lives", str(tmp_path), *line])
        return [folder.name for folder in kept.found(common.read(kept.parser(None, out="x.csv")))]

    assert asked() == ["cortex-1", "cortex-2", "cortex-3"], "a life without a night has nothing to tell"
    assert asked("--seeds", "2") == ["cortex-1", "cortex-2"]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [transfer, choice, calibrated, arbitration, dip])
def test_lives_that_were_kept_are_asked_further(
    experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common, "QUICK", tmp_path / "quick")
    name = experiment.__name__.split(".")[-1]
    line = [name, "--quick", "--out", str(tmp_path / f"{name}.csv")]
    line += ["--runs", str(tmp_path / "runs")] if experiment in (transfer, choice) else []
    monkeypatch.setattr("sys.argv", line)
    experiment.main()
    rows = common.read_csv(tmp_path / f"{name}.csv")
    assert {row["life"] for row in rows} >= {"cortex-0"} and json.loads(capsys.readouterr().out.splitlines()[-1])[
        "rows"
    ]


def test_of_two_games_either_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["cued", "--quick", "--out", str(tmp_path / "cued.csv"), "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr("sys.argv", line)
    cued.main()
    rows = common.read_csv(tmp_path / "cued.csv")
    assert [row["pair"] for row in rows] == ["0", "mean"]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"][0]["updates"] == 10


def test_what_a_night_kept_is_told_beside_what_it_could_not() -> None:
    lives = []
    for luck in (0.0, 0.01, 0.02):
        marks = {row: [0.9 - luck] * 5 if kept else [0.1] * 5 for row, (_, _, kept) in consolidation.ARMS.items()}
        marks["withheld games, weights alone"] = [0.9] * 4 + [0.0]  # of the others its own row tells
        marks["the others, weights alone"] = [0.9] * 4 + [0.0]
        marks["shuffled rewards, weights alone"] = [0.7] * 5
        lives.append(marks)
    table = {row["row"]: row for row in consolidation.rows(lives)}
    wrong = [name for name, row in table.items() if row["as_foretold"] != "yes"]
    assert wrong == ["shuffled rewards, weights alone"]
    assert table["withheld games, weights alone"]["games"] == 3 and table["the others, weights alone"]["games"] == 12
    assert {row["as_foretold"] for row in consolidation.rows(lives[:2])} == {""}, "two lives tell nothing"


def test_rewards_that_are_exchanged_are_the_same_rewards_elsewhere() -> None:
    learner = newborn(**{"planner.simulations": "64"})
    learner.live(bodies(901), 200, 0, lambda played: None)

    def rewards() -> Array:
        store = learner.agent.hippocampus.store
        return np.concatenate([store.read(number).reward for number in store.episodes()])

    before = rewards()
    consolidation.exchange_rewards(learner.agent, np.random.default_rng(0))
    after = rewards()
    assert (np.sort(before) == np.sort(after)).all() and (before != after).any()


def test_each_morning_is_told_over_the_lives_that_had_it() -> None:
    def life(won: float, days: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = [{"event": "life", "source": {"difficulty": [1, 2]}}]
        for day in range(1, days + 1):
            events.append({"event": "night", "day": day, "cpu_seconds": 10.0 * day})
            for game in range(2 * day):
                for arm, success, searched, decisions in (("whole", 1.0, 0.5, 10 + 20 * game), ("habit", won, 0.0, 9)):
                    exam = {"event": "exam", "day": day, "when": "morning", "arm": arm, "game": game}
                    won_or_not = success if game % 2 == 0 else 0.0
                    events.append({**exam, "success": won_or_not, "searched": searched, "decisions": decisions})
        return events

    first, second = mornings.rows([mornings.by_morning(life(won, days)) for won, days in ((0.8, 2), (0.4, 1))])
    assert (first["lives"], first["games"], second["lives"], second["games"]) == (2, 4, 1, 4)
    assert first["habit"].startswith("0.300 (0.200 to 0.400)") and second["habit"].startswith("0.400")
    assert second["habit at difficulty 1"].startswith("0.800") and second["habit at difficulty 2"].startswith("0.000")
    assert second["night_cpu_seconds"].startswith("20.000") and second["without_search"].startswith("0.500")


@pytest.mark.slow
def test_the_table_of_what_a_night_kept_is_made_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["consolidation", "--quick", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "table.csv")]
    monkeypatch.setattr("sys.argv", line)
    consolidation.main()
    assert [row["row"] for row in common.read_csv(tmp_path / "table.csv")] == list(consolidation.ARMS)
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]) == len(consolidation.ARMS)
