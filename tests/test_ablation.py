"""Ablation: what a lesion costs is told from exams of the same lives, and the verdict is what the figures say."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import cortex
from cortex.cli import main
from cortex.measure import ablation
from cortex.measure.ablation import Row, ablate, lesion, live, write_csv
from cortex.measure.battery import BATTERY, WHEN, AblationTask, named
from cortex.measure.dissociation import SEEDS, double, losses, table, verdicts
from cortex.types import CortexError

ROOT = Path(__file__).parents[1]
TASKS = [AblationTask(name, "-", 1, asks=asks) for name, asks in {"A": {"eye": "birth"}, "B": {"ear": "birth"}}.items()]
TASKS += [AblationTask(name, "-", 1) for name in "CDE"]


def rows(scores: Mapping[str, Mapping[str, float]], seeds: int = 4, jitter: float = 0.01) -> list[Row]:
    """Exams with a whole agent at 1 (in E at .2), and lesions from birth at ``scores`` [lesion][task], else at 1."""
    found = []
    for task in TASKS:
        whole = 0.2 if task.name == "E" else 1.0
        for name, when in (("whole", "morning"), *((name, "birth") for name in scores)):
            score = scores.get(name, {}).get(task.name, whole)
            for seed in range(seeds):
                value = score - jitter * (seed % 2)
                found.append(Row(task.name, name, when, seed, 10, value, 0.5, 3.0, 0.0, 1.0, value))
    return found


def test_a_double_dissociation_is_found() -> None:
    found = verdicts(losses(rows({"eye": {"A": 0.1}, "ear": {"B": 0.3}})), TASKS, ["eye", "ear"])
    assert [(one.own.task if one.own else "", one.foretold, one.dissociated) for one in found] == [
        ("A", True, True),
        ("B", True, True),
    ]
    assert found[0].spares == ("B", "C", "D"), "E tells nothing: the whole agent fails it"
    assert double(found) == [("eye", "ear")]
    assert [line[-1] for line in table(found)[1:]] == ["dissociated"] * 2


def test_a_lesion_that_fails_everything_is_not_dissociated() -> None:
    found = verdicts(losses(rows({"eye": dict.fromkeys("ABC", 0.1), "ear": {"B": 0.1}})), TASKS, ["eye", "ear"])
    assert [one.dissociated for one in found] == [False, True] and double(found) == []
    assert table(found)[1][-1] == "fails, and so do others"


def test_a_cost_that_is_not_sure_is_no_failure() -> None:
    found = rows({"eye": {"A": 0.6}})
    wild = [replace(row, score=row.seed % 2) if (row.task, row.lesion) == ("A", "eye") else row for row in found]
    (loss,) = [loss for loss in losses(wild) if loss.task == "A"]
    assert loss.cost > 0.3 > loss.low and not loss.fails and not loss.spared
    assert not verdicts([loss], TASKS, ["eye"])[0].dissociated


def test_what_was_not_foretold_is_marked() -> None:
    (found,) = verdicts(losses(rows({"nose": {"C": 0.2}})), TASKS, ["nose"])
    assert found.own is not None and found.own.task == "C" and not found.foretold
    assert table([found])[1][2] == "C*"


def test_few_seeds_and_a_task_that_nobody_wins_tell_nothing() -> None:
    few = verdicts(losses(rows({"eye": {"A": 0.0}}, seeds=SEEDS - 1)), TASKS, ["eye"])
    assert not few[0].dissociated and table(few)[1][-1] == f"too few seeds ({SEEDS - 1})"
    lost = [replace(row, score=0.2) if row.task == "A" else row for row in rows({"eye": {"A": 0.0}})]
    assert table(verdicts(losses(lost), TASKS, ["eye"]))[1][-1] == "the whole agent fails it"


def test_costs_are_paired_by_seed() -> None:
    """Lives differ by .5, each loses .4: the interval is that of the difference."""
    found = [replace(row, score=row.score - 0.5 * (row.seed % 2)) for row in rows({"eye": {"A": 0.6}})]
    (loss,) = [loss for loss in losses(found) if loss.task == "A"]
    assert loss.low == pytest.approx(0.4) == pytest.approx(loss.high)


def test_each_life_is_asked_for_and_scored_between_chance_and_optimum(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def answer(cells: Mapping[str, Any], *_: Any) -> dict[str, Any]:
        asked.update(cells)
        exam = {"episodes": 8, "success": 0.6, "searched": 1.0, "steps": 2.0}
        cut = ("evening", "morning")
        whole = [{"lesion": name, "when": when, **exam} for when in cut for name in ("whole", "planner")]
        told = {name: {"rows": [{"lesion": name.split("-")[2], "when": "birth", **exam}]} for name in cells}
        told |= {name: {"rows": whole} for name in cells if name.endswith("whole")}
        return told | {name: {"chance": 0.2} for name in cells if name.endswith("floor")}

    monkeypatch.setattr(ablation, "fill", answer)
    lines = {"planner": "planner.simulations=0", "night": "sleep.steps=0"}
    cut = ("birth", "evening", "morning")
    found = ablate(tmp_path, TASKS[:2], lines, seeds=2, cut=cut, beside={"other": "a:b"})
    assert len(asked) == 2 * 2 * 4 + 2, "constant actions are tried once for each task"
    waking = {"planner": "planner.simulations=0"}
    assert asked["A-1-whole"]["later"] == {"evening": waking, "morning": waking}, "a night is slept with all its parts"
    assert asked["B-0-night"]["born"] == ["night", "sleep.steps=0"] and asked["B-0-other"]["learner"] == [
        "other",
        "a:b",
    ]
    assert all(row.score == pytest.approx(0.5) for row in found), ".6 lies half way from .2 to 1"
    assert [(row.lesion, row.when, row.seed) for row in found[:4]] == [
        ("whole", "evening", 0),
        ("whole", "evening", 1),
        ("whole", "morning", 0),
        ("whole", "morning", 1),
    ]
    read = list(csv.DictReader(write_csv(found).splitlines()))
    assert len(read) == len(found) and float(read[0]["score"]) == 0.5
    asked.clear()
    ablate(tmp_path, TASKS[:1], lines, seeds=1)
    assert set(asked) == {"A-0-whole", "A-0-night", "A-0-floor"}, "what cannot be cut later is cut at birth"
    asked.clear()
    ablate(tmp_path, [replace(TASKS[0], asks={"planner": "birth"})], lines, seeds=1)
    assert "A-0-planner" in asked, "and what is foretold to cost then"
    asked.clear()
    ablate(tmp_path, TASKS[:2], lines, seeds=1, cut=("night",))
    assert set(asked) == {"A-0-whole", "A-0-floor", "B-0-whole", "B-0-floor"}, "nobody is born without a part"
    assert asked["A-0-whole"]["later"] == {"night": lines}, "nights can be slept without one of theirs"
    with pytest.raises(CortexError, match="'a/b' needs a name of its own"):
        ablate(tmp_path, TASKS[:1], {"a/b": "sleep.steps=0"})


def test_a_life_loses_what_was_cut() -> None:
    """Food is found again by a grown agent, and by one whose memory is cleared only by chance; and a night that another
    one slept leaves the agent as it was."""
    task = asdict(replace(BATTERY["Foraging"], settings=("sleep.steps=40", "sleep.world_model_steps=40")))
    shared = {"task": task, "seed": 0, "days": 1, "exam": 24, "settings": []}
    cut = {"hippocampus": "hippocampus.capacity=0"}
    told = live({**shared, "later": {"evening": cut, "night": cut, "morning": {}}})
    evening, night, morning = (
        {row["lesion"]: row["success"] for row in told["rows"] if row["when"] == when} for when in WHEN[1:]
    )
    assert evening["whole"] >= 0.9 and evening["hippocampus"] <= 0.5
    assert morning["whole"] >= 0.9 and night["hippocampus"] <= 0.5 and set(morning) == {"whole"}
    (born,) = live({**shared, "born": ["hippocampus", "hippocampus.capacity=0"]})["rows"]
    assert born["when"] == "birth" and born["success"] <= 0.5
    again = live({**shared, "later": {"evening": cut}})["rows"]
    assert again == [row for row in told["rows"] if row["when"] != "night"], "a life is lived again as it was"


OWN = """
import gymnasium
from gymnasium import spaces
class Door(gymnasium.Env):
    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(3)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}
    def step(self, action):
        return 1, float(action == 2), True, False, {}
gymnasium.register("Door-v0", Door)
class Chooser:
    def __init__(self, observation_space, action_space, seed): self.lived = 0
    def live(self, bodies, steps, seed, on_episode): self.lived += steps; return steps
    def sleep(self, seed): self.slept = True
    def play(self, bodies, episodes, seed, habit=False):
        from cortex.measure import Played
        return [Played(1, 1, 1.0, self.slept and self.lived == 200)] * episodes
"""


def test_an_environment_and_a_learner_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "doors.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    task = replace(named("doors:Door-v0"), steps=200, held_out=0.0, settings=("sleep.steps=1",))
    assert task.name == "Door-v0"
    shared = {"task": asdict(task), "seed": 0, "days": 1, "exam": 10, "settings": []}
    mine = {"mine": "planner.depth=2"}
    told = live({**shared, "later": {"evening": mine, "morning": mine}})
    assert [row["lesion"] for row in told["rows"]] == ["whole", "mine"] * 2
    floor = live({"task": shared["task"], "seed": 0, "floor": 400})
    assert floor["chance"] > 0.8, "always the third action: a constant wins"
    (row,) = live({**shared, "learner": ["chooser", "doors:Chooser"]})["rows"]
    assert row["success"] == 1 and row["lesion"] == "chooser"
    with pytest.raises(CortexError, match="module:function would do"):
        live({**shared, "learner": ["chooser", "doors:Nobody"]})


def test_lesions_by_name_and_by_line() -> None:
    assert lesion("planner") == ("planner", "planner.simulations=0")
    assert lesion("short=context.length=3") == ("short", "context.length=3")
    for text in ("planer", "=a.b=1", "whole=a.b=1", "planner.depth=1"):
        with pytest.raises(CortexError, match="no lesion"):
            lesion(text)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--lesions", "planer"], "no lesion 'planer'"),
        (["--lesions", "a=planner.dept=1"], "nearest is 'planner.depth'"),
        (["--tasks", "Forage"], "no task 'Forage'; tasks are Foraging"),
        (["--set", "planner"], "unknown block 'planner'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["ablate", *words]) == 2
    told = capsys.readouterr().err
    assert sentence in told and told.count("\n") == 1


def test_the_picture_names_everything(tmp_path: Path) -> None:
    from cortex.report.heatmap import draw

    found = losses(rows({"eye": {"A": 0.1}, "ear": {"B": 0.3}}))
    paths = draw(found, {task.name: task.asks for task in TASKS}, ["eye", "ear"], tmp_path / "matrix.png")
    assert [path.suffix for path in paths] == [".png", ".svg"] and all(path.stat().st_size > 1000 for path in paths)
    text = paths[1].read_text()
    assert all(f">{word}<" in text for word in ("eye", "ear", "whole agent", *"ABCDE"))
    assert "cut from birth" in text and "evening" not in text


@pytest.mark.slow
def test_a_matrix_that_is_killed_twenty_times_comes_to_the_same_table(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cortex.cli",
        "ablate",
        "--tasks",
        "Foraging",
        "--lesions",
        "hippocampus",
        "planner",
    ]
    command += ["--seeds", "8", "--jobs", "2", "--exam", "8", "--set", "sleep.steps=5", "--out"]
    subprocess.run([*command, tmp_path / "calm"], cwd=ROOT, check=True, capture_output=True)
    disturbed = [*command, tmp_path / "killed"]
    draw, killed = random.Random(5), 0
    while killed < 20:
        process = subprocess.Popen(disturbed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0, 5))  # at any instant: starting, in the middle of lives, or at the picture
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    last = subprocess.run(disturbed, cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(last.stdout.splitlines()[-1])["lesions"] == ["hippocampus", "planner"]
    one, other = ((tmp_path / name / "ablation.csv").read_text() for name in ("calm", "killed"))
    assert one == other and one.count("\n") == 1 + 8 * 2 * 3


def test_every_lesion_that_a_task_asks_for_is_known() -> None:
    asked = {(name, when) for task in BATTERY.values() for name, when in task.asks.items()}
    assert {name for name, _ in asked} <= set(cortex.LESIONS) and {when for _, when in asked} <= set(WHEN)
    assert len(BATTERY) >= 6 and len({name for name, _ in asked}) >= 8
