"""The day in games never seen: what one who cannot change a weight finds out within an hour's worth of actions."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv

import cortex
from cortex.day import live_day, living
from cortex.envs.make import make_vector
from cortex.measure.protocol import Played
from cortex.types import Outcome
from experiments import common, novel_day
from experiments.agents import Cortex, make

GAMES = range(900, 906)
STEPS = 300


def bodies(game: int, count: int = 1, **kind: Any) -> Any:
    return gymnasium.make_vec(
        "cortex/NovelGame-v0",
        count,
        vectorization_mode="vector_entry_point",
        game_seed=game,
        level=1,
        **{"difficulty": 1, **kind},
    )


def newborn(**settings: str) -> Cortex:
    env = bodies(0)
    return make(env.single_observation_space, env.single_action_space, 0, **settings)


def lived(learner: Cortex, game: int, steps: int = STEPS, **kind: Any) -> list[Played]:
    played: list[Played] = []
    learner.live(bodies(game, **kind), steps, game, played.append)
    return played


@pytest.fixture(scope="module")
def life() -> tuple[Cortex, str, list[list[Played]]]:
    """One memory over six games, the weights' digest at its birth, and its episodes."""
    learner = newborn()
    digest = learner.agent.digest()
    return learner, digest, [lived(learner, game) for game in GAMES]


@pytest.mark.slow
def test_games_side_by_side_are_learned_as_each_alone() -> None:
    """One body in each: what is known of one game leads nobody in another."""

    def vector(games: tuple[int, ...]) -> SyncVectorEnv:
        kind = {"level": 1, "difficulty": 1}
        return SyncVectorEnv(
            [lambda game=game: gymnasium.make("cortex/NovelGame-v0", game_seed=game, **kind) for game in games]
        )

    def won(*games: int) -> list[float]:
        agent = cortex.Agent.make(vector(games), seed=0)
        ended: list[Any] = []
        live_day(
            agent, agent.bodies, STEPS * len(games), 0, np.random.default_rng(0), lambda _, over: ended.extend(over)
        )
        trace, *_ = next(living(agent, agent.bodies, 1, np.random.default_rng(1)))
        assert len(trace.parts) == len(games) and all(cortex.say(agent, trace, body) for body in range(len(games)))
        return [float(np.mean([e.success for e in ended if e.body == body][-8:])) for body in range(len(games))]

    together, alone = won(*GAMES[:3]), [won(game)[0] for game in GAMES[:3]]
    assert min(alone) > 0.7 and min(together) > 0.7, f"{together} together, {alone} alone"


@pytest.mark.slow
def test_games_never_seen_are_won_within_few_actions(life: tuple[Cortex, str, list[list[Played]]]) -> None:
    *_, games = life
    first = [next((e.steps for e in episodes if e.success), STEPS) for episodes in games]
    assert sorted(first)[len(first) // 2] <= 60, first
    late = [np.mean([e.success for e in episodes[-5:]]) for episodes in games]
    assert np.mean(late) >= 0.8, late


@pytest.mark.slow
def test_no_weight_changes_by_day(life: tuple[Cortex, str, list[list[Played]]]) -> None:
    learner, digest, _ = life
    assert learner.agent.digest() == digest


@pytest.mark.slow
def test_each_game_is_a_situation_of_its_own_and_is_known_again(life: tuple[Cortex, str, list[list[Played]]]) -> None:
    learner, *_ = life
    memory = learner.agent.hippocampus
    of_games = [{memory.store.read(n).situation for n in memory.store.episodes()}]
    assert len(of_games[0]) == len(GAMES)
    again = lived(learner, GAMES[0], 100)
    assert {memory.store.read(n).situation for n in memory.store.episodes()} == of_games[0]
    assert again[0].success, "a game that was won before is won at once"


@pytest.mark.slow
def test_with_memory_silent_nothing_is_learned() -> None:
    silent = newborn(**{"hippocampus.capacity": "0"})
    known = newborn()
    episodes = [[e.success for e in lived(one, 901, difficulty=2)] for one in (silent, known)]
    assert np.mean(episodes[0]) < 0.5 <= np.mean(episodes[1][-5:])


@pytest.mark.slow
def test_several_bodies_share_what_each_finds_out() -> None:
    learner = newborn()
    played: list[Played] = []
    learner.live(bodies(902, 8), 800, 0, played.append)
    assert np.mean([e.success for e in played[-20:]]) >= 0.8


@pytest.mark.slow
def test_the_table_of_the_day_is_made_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "day.csv"
    line = ["novel_day", "--quick", "--jobs", "1", "--runs", str(tmp_path / "runs"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", line)
    monkeypatch.setenv("CORTEX_CACHE", str(tmp_path))
    novel_day.main()
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    (row,) = common.read_csv(out)
    assert row["games"] == "2" and told["rows"][0]["games"] == 2
    assert told["rows"][0]["first_win_over_h"]["value"] > 0


@pytest.mark.slow
def test_an_agent_that_was_saved_goes_on_as_the_one_that_lived(
    life: tuple[Cortex, str, list[list[Played]]], tmp_path: Path
) -> None:
    learner, *_ = life
    learner.save(tmp_path)
    other = newborn()
    other.load(tmp_path)
    here, there = learner.agent.hippocampus, other.agent.hippocampus
    assert there.own_body.held == here.own_body.held >= 0
    for situation, world in enumerate(here.worlds):
        assert world.motions is not None
        assert there.own_body.motions(situation).held == here.own_body.held
        assert there.world(situation).interactions.outcomes == world.interactions.outcomes
    exams = [one.play(bodies(GAMES[1]), 6, 3) for one in (learner, other)]
    assert exams[0] == exams[1]


def test_a_cell_of_another_command_is_not_taken_for_this_one(tmp_path: Path) -> None:
    cell = tmp_path / "cell.json"
    told = common.ask(["-c", "print('{\"a\": 1}')"], cell, tmp_path)
    assert told["a"] == 1 and common.ask(["-c", "print('{\"a\": 1}')"], cell, tmp_path) == told
    with pytest.raises(SystemExit, match="came of another command"):
        common.ask(["-c", "print('{\"a\": 2}')"], cell, tmp_path)


def test_a_game_that_is_new_after_a_night_is_begun_with_what_was_learned_and_lived() -> None:
    """Before the agent is found in the new view there is no map, and the world model learned to read maps."""
    small = {"sleep.steps": "4", "sleep.states": "32", "sleep.batch": "16", "sleep.world_model_steps": "4"}
    learner = newborn(**small, **{"planner.simulations": "32", "world_model.trust": "1.0"})
    lived(learner, GAMES[0], 60)
    learner.sleep(0)
    assert learner.updates and lived(learner, GAMES[1], 60)
    assert learner.play(bodies(GAMES[2]), 2, 0) and learner.play(bodies(GAMES[2]), 2, 0, habit=True)


def test_first_wins_are_told_over_all_difficulties_too(tmp_path: Path) -> None:
    ways = {"agent": "cortex", "split": "T1", "variant": "plain"}
    for difficulty, firsts in ((1, (10, 10)), (2, (40, 160))):
        rows = [{"seed": seed, "first_win": first, "h": 10} for seed, first in enumerate(firsts)]
        common.write_csv(tmp_path / f"cortex-{difficulty}-T1-plain.csv", rows, ("seed", "first_win", "h"))
    one, other = ({**ways, "difficulty": difficulty} for difficulty in (1, 2))
    (row,) = novel_day.over([one, other], tmp_path)
    assert row["games"] == 4 and row["seeds"] == 2 and row["difficulty"] == "1 2"
    figure = row["first_win_over_h"]
    assert (
        figure["value"] == pytest.approx((1 * 1 * 4 * 16) ** 0.25) and figure["low"] < figure["value"] < figure["high"]
    )
    assert novel_day.over([one], tmp_path) == []


def test_a_game_that_no_night_has_learned_of_is_searched_however_sure_the_habit_is() -> None:
    small = {"sleep.steps": "4", "sleep.states": "32", "sleep.batch": "16", "sleep.world_model_steps": "4"}
    heedless = {"habit.caution": "2", "motor.inhibition": "0"}  # else memory objects to so poor a habit
    learner = newborn(**small, **heedless, **{"sleep.guard": "1"})
    lived(learner, GAMES[0], 150)
    learner.sleep(0)
    learner.agent.habit.calibration.copy_(torch.tensor([0.0, 50.0, 1.0]))  # sure of everything
    again, new = lived(learner, GAMES[0], 60), lived(learner, GAMES[1], 200)
    assert all(episode.searched == 0 for episode in again), "of this one it has learned"
    assert all(episode.searched > 0.9 for episode in new) and sum(episode.success for episode in new) >= 5


def test_a_decision_takes_one_thread_and_leaves_the_others_to_whoever_used_them() -> None:
    agent, threads = newborn().agent, list[int]()

    class Probe(type(agent.habit)):  # type: ignore[misc]
        def __call__(self, *scene: Any) -> Any:
            threads.append(torch.get_num_threads())
            return agent.habit(*scene)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sensed = agent.perceive(bodies(GAMES[0]).reset(seed=0)[0])
        asked = replace(agent, habit=Probe(agent.motor.actions))
        asked.act(agent.initial(1), sensed, np.ones(1, bool), np.random.default_rng(0))
        assert threads == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["full", "ego"])
def test_statistics_made_anew_from_rows_lead_to_the_same_actions(view: str, tmp_path: Path) -> None:
    """All that is computed is thrown away in the middle of a game: it is the same again, since rows are the truth."""
    learner, again = newborn(), newborn()
    lived(learner, GAMES[0], 150, view=view)
    live_day(learner.agent, bodies(GAMES[1], view=view), 100, 1, np.random.default_rng(1))
    learner.save(tmp_path / "agent")
    again.load(tmp_path / "agent")
    actions: list[list[int]] = []
    for one in (learner, again):
        steps = living(one.agent, bodies(GAMES[1], view=view), 2, np.random.default_rng(2))
        actions.append([])
        for trace, action, outcome, _ in itertools.islice(steps, 250):
            one.agent.observe(trace, action, outcome)
            actions[-1].append(int(action[0]))
    assert actions[0] == actions[1]


@pytest.mark.slow
def test_the_door_that_a_mission_names_is_found_out_within_a_day() -> None:
    """Only one action pays here, before one door of four: what others did in vain must not speak against it."""
    env, won = make_vector("MiniGrid-GoToDoor-5x5-v0", 8, part="day", held_out=0.25), list[bool]()
    agent = cortex.Agent.make("MiniGrid-GoToDoor-5x5-v0", seed=1)
    live_day(agent, env, 1500, 1, np.random.default_rng(1), lambda _, ended: won.extend(e.success for e in ended))
    assert np.mean(won[-50:]) >= 0.9


@pytest.mark.slow
def test_where_to_go_is_told_by_what_was_seen_at_the_beginning_of_an_episode() -> None:
    """MemoryS7: of two things at the end of the hallway, the one that is also in the first room pays."""
    env = make_vector("MiniGrid-MemoryS7-v0", 1, part="day", held_out=0.0)
    learner = make(env.single_observation_space, env.single_action_space, 0)
    played: list[Played] = []
    learner.live(env, 4_000, 0, played.append)
    assert np.mean([e.success for e in played[-30:]]) >= 0.9


def test_what_is_picked_up_and_put_down_is_not_taken_for_the_agent_where_the_view_turns() -> None:
    """In front of a key, its coming and going is all that the actions do beside turning."""
    env = make_vector("MiniGrid-DoorKey-8x8-v0", 1, part="day", held_out=0.0)
    agent = make(env.single_observation_space, env.single_action_space, 0).agent
    observation, _ = env.reset(seed=1)
    world = env.envs[0].unwrapped  # type: ignore[attr-defined]
    key = next((x, y) for x in range(8) for y in range(8) if getattr(world.grid.get(x, y), "type", "") == "key")
    world.agent_pos, world.agent_dir = next(
        ((key[0] - x, key[1] - y), heading)
        for heading, (x, y) in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)])
        if world.grid.get(key[0] - x, key[1] - y) is None
    )
    left, right, _, pick, drop, toggle, done = range(7)
    often = [pick, drop, left, right, pick, drop, toggle, pick, drop, right, left, done]
    script = [left] * 4 + [right] * 4 + often * 6 + often[:9]
    carry, sensed = agent.initial(1), agent.perceive(observation)
    generator = np.random.default_rng(0)
    for step, forced in enumerate(script):
        _, carry, trace = agent.act(carry, sensed, np.array([step == 0]), generator)
        action = np.array([forced])
        observation, reward, terminated, truncated, _ = env.step(action)
        sensed = agent.perceive(observation)
        over = np.zeros(1, bool)
        agent.observe(trace, action, Outcome(sensed, reward, terminated, truncated, over, ~over))
    assert not agent.imagination.motions(0).resolved
