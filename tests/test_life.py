"""A life: days and nights in a folder, interrupted anywhere, and measured honestly."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from cortex import keep, life
from cortex.agent import Agent
from cortex.build import build
from cortex.config import Config, ConfigError, load
from cortex.day import live_day
from cortex.envs.make import make_vector
from cortex.life import live
from cortex.measure import examine
from cortex.report import summary, table, write
from cortex.store import Rows, checkpoint
from cortex.types import CortexError

TINY = (
    "debug",
    "life.tasks=[MiniGrid-GoToDoor-5x5-v0,MiniGrid-MultiRoom-N2-S4-v0]",
    "life.held_out=0.25",
    "life.days=2",
    "life.steps=90",
    "life.exam=3",
    "life.controls=false",
    "planner.simulations=24",
    "sleep.guard=1",
)
EXAMS = (("evening", "whole"), ("evening", "habit"), ("morning", "habit"))
SILENT = Console(file=open(os.devnull, "w"), stderr=True)  # noqa: SIM115


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(folder: Path, *more: str) -> Config:
    return load(*TINY, *more, {"folder": str(folder)})


def lines(folder: Path) -> list[dict[str, Any]]:
    """What happened, without the times it took."""
    told = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "speed", "stages")} for line in told]


def episodes(folder: Path) -> list[tuple[Any, ...]]:
    rows = Rows(folder / keep.MEMORY)
    kept = [rows.read(number) for number in rows.episodes()]
    rows.close()
    return [(e.day, e.environment, e.codes.tolist(), e.action.tolist(), e.reward.tolist()) for e in kept]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A life that was never interrupted."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("lives") / "whole"
    live(tiny(folder), SILENT)
    return folder


def test_a_life_tells_what_the_report_reads(whole: Path) -> None:
    facts = summary(whole)
    assert facts["nights"] == 2 and facts["weights_unchanged"] is True
    assert facts["steps"] >= 4 * 90
    assert all(task["evening"]["episodes"] == task["morning_habit"]["episodes"] == 3 for task in facts["tasks"])
    assert write(whole).stat().st_size > 10_000 and len(table(facts)) == 6
    told = lines(whole)
    days = [line for line in told if line["event"] == "day"]
    assert [(line["day"], line["task"]) for line in days] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert len({line["morning"] for line in days}) == 2, "a night changes weights, and nothing else does"
    arms = {(line["day"], line["when"], line["arm"]) for line in told if line["event"] == "exam"}
    wanted = {(day, when, arm) for day in (1, 2) for when, arm in EXAMS}
    assert arms == {*wanted, (2, "morning", "cleared")}
    totals = [line["total"] for line in told if line["event"] == "episode"]
    assert totals == sorted(totals) and {line["day"] for line in told if line["event"] == "night"} == {1, 2}


def test_exams_leave_no_rows(whole: Path) -> None:
    lived = sum(line["steps"] for line in lines(whole) if line["event"] == "day")
    assert sum(len(action) for *_, action, _ in episodes(whole)) == lived


def test_interrupted_at_every_boundary_a_life_ends_bit_for_bit_the_same(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boundary = life._Life._boundary

    def stop(self: Any, day: int, phase: str) -> None:
        boundary(self, day, phase)
        if phase != "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(life._Life, "_boundary", stop)
    cuts = until_over(tmp_path)
    assert cuts == 9
    same(whole, tmp_path)


def test_cut_within_an_exam_or_a_night_they_are_done_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_in: set[str] = set()
    begin = life.View.begin

    def stop(self: Any, title: str, total: int, done: int = 0) -> None:
        begin(self, title, total, done)
        if ("MultiRoom" in title or "world" in title) and not title.startswith("day") and title not in cut_in:
            cut_in.add(title)
            raise KeyboardInterrupt

    monkeypatch.setattr(life.View, "begin", stop)
    assert until_over(tmp_path) == len(cut_in) == 9
    same(whole, tmp_path)


def until_over(folder: Path) -> int:
    """Live, and live on after every interruption; how many there were."""
    for cuts in range(40):
        try:
            live(tiny(folder), SILENT)
            return cuts
        except KeyboardInterrupt:
            continue
    raise AssertionError("the life never ends")


def same(one: Path, other: Path) -> None:
    a, b = checkpoint.load(one), checkpoint.load(other)
    assert checkpoint.digest(a.weights) == checkpoint.digest(b.weights)
    assert episodes(one) == episodes(other)
    assert lines(one) == lines(other)


def test_ctrl_c_by_day_keeps_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    observe, seen = Agent.observe, [0]
    pressed: list[int] = []

    def press(self: Agent, trace: Any, action: Any, outcome: Any) -> None:
        seen[0] += int(outcome.valid.sum())
        if seen[0] >= 130 and not pressed:  # in the second task of the first day, in the middle of a step
            pressed.append(seen[0])
            os.kill(os.getpid(), signal.SIGINT)
        observe(self, trace, action, outcome)

    monkeypatch.setattr(Agent, "observe", press)
    with pytest.raises(KeyboardInterrupt):
        live(tiny(tmp_path), SILENT)
    assert sum(len(action) for *_, action, _ in episodes(tmp_path)) == seen[0]
    assert signal.getsignal(signal.SIGINT) is before
    before = episodes(tmp_path)
    live(tiny(tmp_path), SILENT)
    after = episodes(tmp_path)
    assert after[: len(before)] == before, "what was lived before the interruption is still there"
    told = lines(tmp_path)
    days = [(line["day"], line["task"], line["steps"]) for line in told if line["event"] == "day"]
    assert [day[:2] for day in days] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert sum(day[2] for day in days) == sum(len(action) for *_, action, _ in after)
    totals = [line["total"] for line in told if line["event"] == "episode"]
    assert totals == sorted(totals)


def test_a_finished_life_answers_the_same_again(whole: Path) -> None:
    before = (whole / "metrics.jsonl").read_bytes()
    assert live(tiny(whole), SILENT) == whole
    assert (whole / "metrics.jsonl").read_bytes() == before


def test_another_config_is_refused_by_its_first_key(whole: Path) -> None:
    with pytest.raises(ConfigError, match=r"another planner\.novelty"):
        live(tiny(whole, "planner.novelty=0.4", "life.days=3"), SILENT)


def test_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("mine")
    with pytest.raises(ConfigError, match=r"metrics\.jsonl but no config\.yaml"):
        live(tiny(tmp_path), SILENT)
    assert (tmp_path / "metrics.jsonl").read_text() == "mine"


def test_settings_that_did_not_work_do_not_claim_the_folder(tmp_path: Path) -> None:
    with pytest.raises(CortexError, match="no environment"):
        live(tiny(tmp_path, "life.tasks=[MiniGrid-Emtpy-5x5-v0]"), SILENT)
    live(tiny(tmp_path, "life.days=1", "life.steps=20", "life.exam=0", "sleep.steps=1"), SILENT)
    assert lines(tmp_path)


def test_a_life_without_its_memories_is_refused(tmp_path: Path, whole: Path) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    (tmp_path / "memory.sqlite").unlink()
    with pytest.raises(CortexError, match=r"memory\.sqlite is missing"):
        live(tiny(tmp_path), SILENT)
    with pytest.raises(CortexError, match=r"memory\.sqlite is missing"):
        Agent.load(tmp_path)
    assert not (tmp_path / "memory.sqlite").exists()


def test_tasks_of_different_spaces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CortexError, match=r"in CartPole-v1 the observation is a Box of 4"):
        live(tiny(tmp_path, "life.tasks=[MiniGrid-Empty-5x5-v0,CartPole-v1]"), SILENT)


def test_controls_and_constant_stand_beside_the_habit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "CONSTANT_EPISODES", 12)
    more = ("life.controls=true", "life.days=1", "life.tasks=[MiniGrid-GoToDoor-5x5-v0]")
    facts = summary(live(tiny(tmp_path, *more), SILENT))
    (task,) = facts["tasks"]
    assert all(task[arm] is not None for arm in ("evening", "morning_habit", "no_night", "shuffled", "constant"))
    assert facts["nights"] == 1, "the control's night is not the life's"


def test_the_agent_of_a_life_can_be_loaded(whole: Path) -> None:
    agent = Agent.load(whole)
    assert agent.digest() == checkpoint.digest(checkpoint.load(whole).weights)
    assert agent.hippocampus.store.steps == sum(len(action) for *_, action, _ in episodes(whole))


def test_words_keep_their_bits_without_the_language_model(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a text that was heard is embedded anew")

    agent = Agent.load(whole)
    monkeypatch.setattr("cortex.modules.encoders.text._load", never)
    bodies = make_vector("MiniGrid-MultiRoom-N2-S4-v0", 2, 0)
    assert examine(agent, bodies, 2, seed=0).episodes == 2


def test_statistics_are_nothing_but_rows() -> None:
    """Deleted and computed anew from rows, they lead to the same actions."""
    config = load("debug", "life.bodies=4", "planner.simulations=48")
    bodies = make_vector("MiniGrid-DoorKey-5x5-v0", 4, 0)
    agent = build(config, bodies.single_observation_space, bodies.single_action_space)
    live_day(agent, bodies, 400, 1, np.random.default_rng(1))
    assert agent.imagination.motions(0).resolved
    from cortex.replay import relearn

    first = actions(agent, 300)
    agent.hippocampus.clear()
    assert actions(agent, 300) != first, "without statistics it acts otherwise"
    relearn(agent)
    assert actions(agent, 300) == first


def actions(agent: Agent, steps: int) -> list[list[int]]:
    """What it does in new episodes, without learning from them."""
    from cortex.day import living

    lived = living(agent, make_vector("MiniGrid-DoorKey-5x5-v0", 2, 0), 7, np.random.default_rng(7))
    return [next(lived)[1].tolist() for _ in range(steps // 2)]
