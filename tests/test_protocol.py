"""A life of games: its order, its randomness, what its exams leave alone, and that it goes on where it was killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from cortex.envs.make import make_env, make_vector
from cortex.measure.protocol import Bodies, Cost, Event, Played, Task, run
from cortex.types import CortexError

ARMS, LENGTH = 4, 2
"""Arms of a game, and actions of an episode: the first action decides, the second ends it."""


class Levers(gymnasium.Env[Any, Any]):
    """Which game it is can be seen; which of its arms pays, the game's number tells (modulo ARMS)."""

    action_space = spaces.Discrete(ARMS)

    def __init__(self, game: int) -> None:
        self.game = game
        self.observation_space = spaces.Discrete(1000)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.clock, self.won = 0, False
        return self.game, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.won = int(action) == self.game % ARMS if self.clock == 0 else self.won
        self.clock += 1
        over = self.clock == LENGTH
        return self.game, float(over and self.won), over, False, {"success": over and self.won}


def lever(game: int, **facts: Any) -> Task:
    """A game whose floor is chance."""
    make = partial(make_vector, partial(Levers, game), held_out=0.0)
    return Task(f"lever-{game}", lambda bodies, part: make(bodies), 1 / ARMS, 1.0, **facts)


class Keeper:
    """Remembers the arm that paid in each game, and by night puts the newest ``keeps`` games of memory into weights.

    What was in the weights before the night goes, but for ``keeps``; so what it forgets is known beforehand. An
    unknown game is played at random.
    """

    def __init__(self, seed: int = 0, keeps: int = 1000, learns: bool = True) -> None:
        self.seed, self.keeps, self.learns = seed, keeps, learns
        self.memory: dict[int, int] = {}
        self.weights: dict[int, int] = {}
        self.nights = 0
        self.calls: list[str] = []

    def _episodes(self, bodies: Bodies, seed: int, knows: dict[int, int], learn: bool) -> Any:
        rng = np.random.default_rng(seed)
        observation, _ = bodies.reset(seed=seed)
        over, first = np.zeros(bodies.num_envs, bool), np.ones(bodies.num_envs, bool)
        chosen, total = np.zeros(bodies.num_envs, np.int64), 0
        while True:
            action = np.array([knows.get(int(o), rng.integers(ARMS)) for o in observation])
            chosen = np.where(first, action, chosen)
            observation, reward, done, _, info = bodies.step(action)
            valid = ~over
            total += int(valid.sum())
            over = done & valid
            for b in np.flatnonzero(over):
                if learn and reward[b] > 0:
                    self.memory[int(observation[b])] = int(chosen[b])
                yield total, int(b), Played(total, LENGTH, float(reward[b]), bool(info["success"][b]), 0.5)
            yield total, None, None
            first = ~valid

    def live(self, bodies: Bodies, steps: int, seed: int, on_episode: Callable[[Played], object]) -> int:
        self.calls.append("live")
        for total, _, played in self._episodes(bodies, seed, self.memory, self.learns):
            if played is not None:
                on_episode(played)
            elif total >= steps:
                return int(total)
        raise AssertionError

    def sleep(self, seed: int) -> None:
        self.calls.append("sleep")
        self.nights += 1
        known = {**self.weights, **self.memory}
        self.weights = dict(list(known.items())[-self.keeps :]) if self.keeps else {}

    def play(self, bodies: Bodies, episodes: int, seed: int, habit: bool = False) -> list[Played]:
        self.calls.append("habit" if habit else "whole")
        quota = np.full(bodies.num_envs, episodes // bodies.num_envs)
        quota[: episodes % bodies.num_envs] += 1
        told = []
        for _, body, played in self._episodes(bodies, seed, self.weights if habit else self.memory, False):
            if body is not None and quota[body]:
                quota[body] -= 1
                told.append(played)
            if not quota.any():
                return told
        raise AssertionError

    def clear(self) -> None:
        self.calls.append("clear")
        self.memory = {}

    def cost(self) -> Cost:
        return Cost(10 * self.nights, 8 * len(self.memory), 8 * len(self.weights))

    def save(self, folder: Path) -> None:
        told = [list(self.memory.items()), list(self.weights.items()), self.nights]
        (folder / "keeper.json").write_text(json.dumps(told))

    def load(self, folder: Path) -> None:
        memory, weights, self.nights = json.loads((folder / "keeper.json").read_text())
        self.memory, self.weights = dict(memory), dict(weights)


DAYS = [[lever(1), lever(2)], [lever(3), lever(4)], [lever(5), lever(6)]]


def timeless(events: Sequence[Event]) -> list[Event]:
    """Events without what no seed decides."""
    return [{key: value for key, value in event.items() if key != "cpu_seconds"} for event in events]


def live(learner: Any = None, folder: Path | None = None, **changes: Any) -> list[Event]:
    settings: dict[str, Any] = {"days": DAYS, "steps": 40, "exam": 6, "seed": 0, **changes}
    return run(learner or Keeper(), folder=folder, exam_bodies=4, **settings)


def test_a_day_has_its_parts_in_order() -> None:
    keeper = Keeper()
    events = live(keeper, days=DAYS[:2])
    first = ["live"] * 2 + ["whole"] * 2 + ["habit"] * 2 + ["sleep"] + ["whole"] * 2 + ["habit"] * 2
    second = ["live"] * 2 + ["whole"] * 2 + ["habit"] * 2 + ["sleep"] + ["whole"] * 4 + ["habit"] * 4
    assert keeper.calls == first + second
    assert [e["event"] for e in events if e["event"] != "episode"] == (
        ["life"] + ["waking"] * 2 + ["exam"] * 4 + ["night"] + ["exam"] * 4 +
        ["waking"] * 2 + ["exam"] * 4 + ["night"] + ["exam"] * 8
    )  # fmt: skip
    assert events[0]["games"][2] == {
        **{"game": 2, "day": 2, "name": "lever-3", "floor": 0.25, "ceiling": 1.0, "h": None, "by": "reward"},
        **{"area_random": None, "area_reference": None},
    }


def test_waking_lives_its_steps_and_fake_steps_are_none() -> None:
    events = live(days=DAYS[:1])
    for game in (0, 1):
        episodes = [e for e in events if e["event"] == "episode" and e["game"] == game]
        assert [e["steps"] for e in episodes] == list(range(LENGTH, 41, LENGTH))
    assert [e["lived"] for e in events if e["event"] == "waking"] == [40, 40]


def test_every_body_plays_its_share_of_an_exam() -> None:
    exams = [e for e in live() if e["event"] == "exam"]
    assert {e["episodes"] for e in exams} == {6}
    assert {e["decisions"] for e in exams} == {6 * LENGTH}
    assert {e["searched"] for e in exams} == {0.5}


def test_the_waking_part_alone() -> None:
    keeper = Keeper()
    events = live(keeper, days=DAYS[:1], nights=False, exam=0)
    assert keeper.calls == ["live", "live"]
    assert {e["event"] for e in events} == {"life", "episode", "waking"}


def test_memory_is_emptied_between_games_where_asked() -> None:
    keeper = Keeper()
    live(keeper, days=DAYS[:1], clear_between_games=True)
    assert keeper.calls[:4] == ["live", "clear", "live", "whole"]
    assert set(keeper.memory) == {2}


def test_equal_seeds_equal_lives_and_others_other() -> None:
    assert timeless(live()) == timeless(live())
    assert timeless(live())[1:] != timeless(live(seed=1))[1:]


def test_both_exams_of_a_day_have_the_same_layouts_and_the_days_have_others() -> None:
    asked: list[tuple[str, int | None]] = []

    class Noted(Levers):
        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[Any, dict[str, Any]]:
            asked.append((part_now[0], seed))
            return super().reset(seed=seed, options=options)

    part_now = [""]

    def make(bodies: int, part: str) -> Bodies:
        part_now[0] = part
        return make_vector(partial(Noted, 1), bodies, held_out=0.0)

    live(days=[[Task("noted", make, 0.25, 1.0)]])
    first = [seed for part, seed in asked if part == "exam" and seed is not None]
    assert len(first) == 4 * 4 and first[:4] == first[4:8] == first[8:12] == first[12:]
    assert not {seed for part, seed in asked if part == "day" and seed is not None} & set(first)


def killed_after(parts: int) -> Callable[[Event], None]:
    """An ``on_event`` that stops the life in the middle of a part."""
    seen = [0]

    def see(event: Event) -> None:
        seen[0] += event["event"] in ("waking", "night", "exam")
        if seen[0] > parts:
            raise KeyboardInterrupt

    return see


@pytest.mark.parametrize("parts", [0, 1, 2, 4, 7, 9, 15, 22])
def test_a_killed_life_goes_on_as_if_it_had_not_been(tmp_path: Path, parts: int) -> None:
    whole = timeless(live())
    with pytest.raises(KeyboardInterrupt):
        live(folder=tmp_path, on_event=killed_after(parts))
    keeper = Keeper()
    resumed = live(keeper, tmp_path)
    assert timeless(resumed) == whole
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert timeless([json.loads(line) for line in lines]) == whole
    assert keeper.calls.count("live") == sum(waking > parts for waking in (1, 2, 12, 13, 27, 28))


def test_a_life_that_is_over_is_not_lived_again(tmp_path: Path) -> None:
    first, keeper = live(folder=tmp_path), Keeper()
    assert live(keeper, tmp_path) == first
    assert keeper.calls == []


def test_killed_while_saving_it_goes_on_from_the_save_before(tmp_path: Path) -> None:
    class Clumsy(Keeper):
        def save(self, folder: Path) -> None:
            super().save(folder)
            if self.nights:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live(Clumsy(), tmp_path)
    assert timeless(live(folder=tmp_path)) == timeless(live())


@pytest.mark.parametrize("change", [{"seed": 3}, {"steps": 41}, {"days": DAYS[:2]}, {"about": {"agent": "other"}}])
def test_a_folder_belongs_to_one_life(tmp_path: Path, change: dict[str, Any]) -> None:
    live(folder=tmp_path)
    with pytest.raises(CortexError, match="begun with another"):
        live(folder=tmp_path, **change)


def test_a_damaged_folder_says_so(tmp_path: Path) -> None:
    live(folder=tmp_path)
    (newest,) = (path for path in tmp_path.iterdir() if path.name.isdecimal())
    (newest / "boundary.json").write_text("{}")
    with pytest.raises(CortexError, match="tell no life"):
        live(folder=tmp_path)


def test_games_without_a_score_are_refused() -> None:
    with pytest.raises(CortexError, match=r"flat has the floor 1 and the ceiling 1"):
        live(days=[[Task("flat", lever(1).make, 1.0, 1.0)]])
    with pytest.raises(CortexError, match="needs games"):
        live(days=[])


def test_a_probe_measures_at_evening_and_morning() -> None:
    events = live(days=DAYS[:1], probe=lambda learner, day, when: {"known": len(learner.weights)})
    assert [(e["when"], e["known"]) for e in events if e["event"] == "probe"] == [("evening", 0), ("morning", 2)]


# Our own agent as a learner, and the command

SMALL = {
    **{"planner.simulations": "16", "habit.width": "8", "world_model.width": "8", "world_model.ensemble": "1"},
    **{"sleep.steps": "10", "sleep.states": "40", "sleep.world_model_steps": "4", "habit.trust": "0.6"},
}


def wordless() -> gymnasium.Env[Any, Any]:
    """An empty room without its mission: the sentence encoder takes seconds to load."""
    return gymnasium.wrappers.FilterObservation(make_env("MiniGrid-Empty-5x5-v0", max_steps=40), ["image"])


def room() -> Task:
    return Task("room", lambda bodies, part: make_vector(wordless, bodies, held_out=0.0), 0.0, 1.0)


def newborn(**settings: str) -> Any:
    from experiments import agents

    body = room().make(1, "day")
    return agents.make(body.single_observation_space, body.single_action_space, 0, **{**SMALL, **settings})


def digest(cortex: Any) -> tuple[str, int]:
    from cortex.store import digest as of

    return of(cortex.agent.weights()), cortex.agent.hippocampus.store.steps


def test_cortex_lives_and_sleeps_and_exams_leave_it_alone() -> None:
    cortex = newborn()
    episodes: list[Played] = []
    before = digest(cortex)
    assert cortex.live(room().make(1, "day"), 60, 5, episodes.append) == 60
    lived = digest(cortex)
    assert lived == (before[0], 60) and episodes and episodes[-1].steps <= 60
    for habit in (False, True):
        played = cortex.play(room().make(2, "exam"), 2, 1, habit=habit)
        assert len(played) == 2 and digest(cortex) == lived
    cortex.sleep(9)
    assert digest(cortex)[0] != lived[0] and digest(cortex)[1] == 60
    assert cortex.cost().updates == 14 and cortex.cost().bytes_memory > 60 * 49 * 4


def test_the_habit_of_cortex_acts_without_memory_or_search() -> None:
    cortex = newborn()
    cortex.live(room().make(1, "day"), 80, 5, lambda _: None)
    searched = [played.searched for played in cortex.play(room().make(1, "exam"), 1, 1)]
    assert max(searched) > 0
    assert {played.searched for played in cortex.play(room().make(1, "exam"), 1, 1, habit=True)} == {0.0}


def test_a_cleared_cortex_keeps_its_weights_alone() -> None:
    cortex = newborn()
    cortex.live(room().make(1, "day"), 50, 5, lambda _: None)
    cortex.sleep(9)
    weights, _ = digest(cortex)
    cortex.clear()
    assert digest(cortex) == (weights, 0) and cortex.agent.hippocampus.day == 2
    assert cortex.live(room().make(1, "day"), 40, 6, lambda _: None) == 40


@pytest.mark.slow
def test_a_killed_life_of_cortex_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"days": [[room()], [room()]], "steps": 40, "exam": 1, "seed": 0}
    whole = timeless(run(newborn(), **settings))
    with pytest.raises(KeyboardInterrupt):
        run(newborn(), folder=tmp_path, on_event=killed_after(5), **settings)
    assert timeless(run(newborn(), folder=tmp_path, **settings)) == whole


def test_cortex_is_loaded_with_its_own_settings(tmp_path: Path) -> None:
    newborn().save(tmp_path)
    with pytest.raises(CortexError, match=r"planner\.simulations"):
        newborn(**{"planner.simulations": "17"}).load(tmp_path)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    from experiments import life

    monkeypatch.setattr(sys, "argv", ["life", *words])
    life.main()


@pytest.mark.slow
def test_the_command_writes_rows_and_ends_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments import common

    words = ["--envs", "MiniGrid-GoToDoor-5x5-v0", "MiniGrid-MultiRoom-N2-S4-v0", "--seeds", "2", "--days", "0"]
    words += ["--steps-per-game", "60", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "life.csv")]
    words += ["--set", *(f"{key}={value}" for key, value in SMALL.items())]
    command(monkeypatch, *words)
    first = capsys.readouterr().out.splitlines()[-1]
    told = json.loads(first)
    assert (told["games"], told["seeds"], told["steps"], told["updates"], told["acc"]) == (4, 2, 120.0, 0, None)
    rows = common.read_csv(tmp_path / "life.csv")
    assert [(row["seed"], row["name"]) for row in rows] == [
        (seed, name) for seed in "01" for name in words[1:3]
    ]  # fmt: skip
    command(monkeypatch, *words)
    assert capsys.readouterr().out.splitlines()[-1] == first


def test_an_unknown_agent_is_answered_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^error: there is no agent 'pppo'; agents are cortex, .*ppo"):
        command(monkeypatch, "--agent", "pppo", "--envs", "CartPole-v1", "--days", "0")


TWO = ("MiniGrid-GoToDoor-5x5-v0", "MiniGrid-MultiRoom-N2-S4-v0")


def test_every_environment_that_is_named_is_lived_in_or_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"1 days of 1 games have no room for 2 environments"):
        command(monkeypatch, "--envs", *TWO, "--days", "1", "--games-per-day", "1", "--quick")


def test_lives_do_not_share_their_games(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"3 lives of 8 games need the game seeds 100:124, which 100:107 does not"):
        command(
            monkeypatch, "--game-seeds", "100:107", "--seeds", "3", "--days", "2", "--games-per-day", "4"
        )  # fmt: skip
