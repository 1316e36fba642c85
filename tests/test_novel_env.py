"""Novel games as environments: one body and many see the same, what is asked for, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import cortex
from cortex.envs.make import make_env, make_vector
from cortex.envs.novel_game import drop_stale, render
from cortex.envs.novel_game.codes import DIRECTIONS, LEVELS, TONES
from cortex.envs.novel_game.deck import LOSSES, WINS, Deck
from cortex.envs.novel_game.difficulty import HARDEST, SETTINGS
from cortex.envs.novel_game.spec import Setting
from cortex.envs.novel_game.vector import NovelGames
from cortex.types import CortexError

ID = "cortex/NovelGame-v0"
EVERYTHING = ("grid", "image", "text", "body", "sound")
USE, WAIT, NONE_YET = 4, 5, 6


def many(bodies: int = 4, **settings: Any) -> Any:
    return gymnasium.make_vec(ID, num_envs=bodies, vectorization_mode="vector_entry_point", **settings)


def one(**settings: Any) -> Any:
    return gymnasium.make(ID, **settings).unwrapped


def same(a: Any, b: Any) -> bool:
    """Whether nested observations or infos are equal, bit for bit."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and (a == b).all())
    return bool(a == b)


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("first", ["import cortex, gymnasium", "import gymnasium, cortex"])
def test_importing_cortex_registers_the_ids_and_loads_nothing_heavy(first: str) -> None:
    names = run(
        f"import sys; {first}; print(*{{'numba', 'torch'}} & set(sys.modules));"
        "print(*(name for name in gymnasium.registry if name.startswith('cortex/')))"
    ).split("\n")
    assert names[0] == ""
    assert {ID, "cortex/Cue-v0", "cortex/Errand-v0"} <= set(names[1].split())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"modalities": EVERYTHING, "render_mode": "ansi", "difficulty": 5},
        {"modalities": ("image",), "image_offset": True, "view": "ego", "render_mode": "rgb_array", "noise": 10},
        {"difficulty": "adaptive", "noise": 100, "noise_in": "grid", "noise_kind": "controllable", "text": "all rules"},
        {"noise": 10, "noise_in": "body", "noise_kind": "predictable", "text": "one rule", "level": 2},
        {"modalities": ("text",), "text": "none", "split": "T0", "difficulty": 0},
    ],
)
def test_gymnasium_finds_nothing_wrong_with_it(settings: dict[str, Any]) -> None:
    env = one(game_seed=17, **settings)
    check_env(env, skip_render_check=env.render_mode is None)
    again = gymnasium.make(gymnasium.make(ID, game_seed=17, **settings).spec)
    assert again.observation_space == env.observation_space


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(
    "settings",
    [
        {"modalities": EVERYTHING, "difficulty": 0, "image_offset": True, "noise": 10},
        {"difficulty": "adaptive", "noise": 100, "noise_in": "grid", "noise_kind": "controllable"},
        {"difficulty": 1, "view": "ego", "text": "all rules", "noise": 10, "noise_in": "body", "noise_kind": "texture"},
    ],
)
def test_many_bodies_see_what_each_alone_sees_to_the_bit(settings: dict[str, Any], mode: AutoresetMode) -> None:
    bodies, steps = 6, 170
    vector = many(bodies, game_seed=3, autoreset_mode=mode, **settings)
    alone = gymnasium.make_vec(
        ID,
        num_envs=bodies,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        game_seed=3,
        **settings,
    )
    assert vector.metadata["autoreset_mode"] == mode and vector.observation_space == alone.observation_space
    assert same(vector.reset(seed=40), alone.reset(seed=40))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(steps):
        actions = rng.integers(6, size=bodies)
        here, there = vector.step(actions), alone.step(actions)
        assert all(same(a, b) for a, b in zip(here, there))
        ends += int((here[2] | here[3]).sum())
    assert ends > bodies


def test_games_differ_by_body_where_seeds_do() -> None:
    vector = many(3, game_seed=np.array([17, 4, 17]), text="all rules")
    seen = vector.reset(seed=[9, 9, 9])[0]
    assert seen["text"][0] == seen["text"][2] != seen["text"][1]
    assert (seen["grid"][0] == seen["grid"][2]).all()
    assert same(seen["grid"][1], one(game_seed=4).reset(seed=9)[0]["grid"])


@pytest.mark.parametrize("settings", [{}, {"difficulty": "adaptive", "noise": 10}, {"autoreset_mode": "SameStep"}])
def test_it_tells_success_and_nothing_else(settings: dict[str, Any]) -> None:
    vector = many(64, **{"difficulty": 0, "game_seed": np.arange(64) % 8, "modalities": EVERYTHING, **settings})
    seen, info = vector.reset(seed=0)
    vector.action_space.seed(0)
    known = {*EVERYTHING, *(["noise"] if "noise" in settings else [])}
    won = 0
    for _ in range(120):
        assert set(seen) == known == set(vector.single_observation_space)
        assert set(info) <= {"success", "_success", "final_obs", "_final_obs", "final_info", "_final_info"}
        assert set(info.get("final_info", {})) <= {"success", "_success"}
        assert info["success"].dtype == bool and info["_success"].all()
        seen, reward, terminated, truncated, info = vector.step(vector.action_space.sample())
        success = info["final_info"]["success"] if "final_info" in info else info["success"]
        assert (reward == success).all() and (terminated | ~success).all() and not (terminated & truncated).any()
        won += int(success.sum())
    assert won > 0
    env = one(difficulty=0)
    assert list(env.reset(seed=0)[1]) == list(env.step(0)[4]) == ["success"]


def test_every_observation_is_the_callers_to_keep() -> None:
    vector = many(5, modalities=EVERYTHING, noise=10)
    first = vector.reset(seed=1)[0]
    kept = {key: np.copy(value) for key, value in first.items()}
    second = vector.step(np.zeros(5, int))[0]
    assert all((kept[key] == first[key]).all() for key in kept)
    assert not any(np.shares_memory(first[key], second[key]) for key in kept if key != "text")


def test_the_clock_ends_an_episode_and_later_levels_have_more_time() -> None:
    limit = SETTINGS[2].limit
    for level in (1, 3):
        env = one(game_seed=5, difficulty=2, level=level)
        env.reset(seed=0)
        steps = [env.step(WAIT) for _ in range(limit * level)]
        ends = [step[2:4] for step in steps]
        assert all(step[0] in env.observation_space for step in steps)
        assert ends[:-1] == [(False, False)] * (limit * level - 1) and ends[-1] == (False, True)


def test_a_body_knows_where_it_is_what_it_did_and_whether_it_bumped() -> None:
    env = one(game_seed=5, difficulty=Setting(1, 0, 7, mechanics=("carry", "tool", "toggle"), walks=1.0))
    straight = env.bodies.deck.games[0]["moves"]
    seen = env.reset(seed=3)[0]
    assert seen["body"].tolist()[:3] == [NONE_YET, 0, 0] and seen["body"][5] == 0
    agents = set()
    rng = np.random.default_rng(0)
    for t in range(1, 40):
        action = int(rng.integers(4))
        before, (seen, _, over, cut, _) = seen, env.step(action)
        row, column = seen["body"][3:5]
        agents.add(int(seen["grid"][row, column, 0]))
        moved = (seen["body"][3:5] - before["body"][3:5]).tolist()
        assert seen["body"][0] == action and seen["body"][5] == t
        assert seen["body"][1] == (moved == [0, 0]) and (
            moved == [0, 0] or moved == DIRECTIONS[straight[action]].tolist()
        )
        if over or cut:
            break
    assert len(agents) == 4  # its own cell shows where it faces


def test_from_the_third_class_on_some_games_permute_the_moves() -> None:
    def moves(game_seed: int, difficulty: int) -> list[int]:
        return one(game_seed=game_seed, difficulty=difficulty).bodies.deck.games[0]["moves"].tolist()

    assert all(moves(seed, 2) == [0, 1, 2, 3] for seed in range(8))
    permuted = sum(moves(seed, 3) != [0, 1, 2, 3] for seed in range(40))
    assert 10 <= permuted <= 30


def test_the_near_view_is_cut_out_of_the_whole_and_dark_outside() -> None:
    whole, near = one(game_seed=7, difficulty=5), one(game_seed=7, difficulty=5, view="ego")
    a, b = whole.reset(seed=1)[0], near.reset(seed=1)[0]
    for action in np.random.default_rng(0).integers(6, size=60).tolist():
        row, column = a["body"][3:5]
        padded = np.pad(a["grid"][..., 0], 3)
        assert b["grid"].shape == (7, 7, 1)
        assert (b["grid"][..., 0] == padded[row : row + 7, column : column + 7]).all()
        (
            a,
            *_,
        ) = whole.step(action)
        b, _, over, cut, _ = near.step(action)
        if over or cut:
            break


@pytest.mark.parametrize("view", ["full", "ego"])
def test_images_are_the_codes_drawn_and_move_off_the_lattice_when_asked(view: str) -> None:
    settings: dict[str, Any] = {
        "game_seed": np.arange(8),
        "difficulty": 5,
        "view": view,
        "modalities": ("grid", "image"),
    }
    plain, off = many(8, **settings), many(8, image_offset=True, **settings)
    a, b = plain.reset(seed=0)[0], off.reset(seed=0)[0]
    sheets = plain._observe.sheets()
    assert len({sheet.tobytes() for sheet in sheets}) == 8
    assert (a["image"] == render.image(a["grid"][..., 0], sheets)).all()
    side = a["image"].shape[1]
    found = []
    for _ in range(3):
        places = [
            {
                (down, right)
                for down in range(8)
                for right in range(8)
                if (b["image"][body, down : down + side, right : right + side] == a["image"][body]).all()
            }
            for body in range(8)
        ]
        found.append(places)
        a, b = plain.step(np.full(8, WAIT))[0], off.step(np.full(8, WAIT))[0]
    assert all(len(place) == 1 for places in found for place in places) and found[0] == found[1] == found[2]
    assert len({place for places in found for body in places for place in body}) > 4


def test_sound_is_one_tone_or_silence_and_some_changes_can_only_be_heard() -> None:
    heard, quiet = set(), True
    for seed in range(12):
        vector = many(16, game_seed=seed, difficulty=5, modalities=("grid", "sound"))
        vector.reset(seed=0)
        vector.action_space.seed(0)
        for _ in range(40):
            seen = vector.step(vector.action_space.sample())[0]
            assert seen["sound"].dtype == np.float32 and set(seen["sound"].sum(1)) <= {0.0, 1.0}
            assert not seen["sound"][:, 0].any()
            heard |= set(seen["sound"].argmax(1)[seen["sound"].any(1)].tolist())
        look = vector.deck.games[0]["look"]
        quiet = quiet and (look == np.arange(32)).all()
        assert (one(game_seed=seed, difficulty=5).bodies.deck.games[0]["look"] == np.arange(32)).all()
    assert len(heard) >= 4 and max(heard) < TONES and not quiet


@pytest.mark.parametrize("amount", [1, 10, 100, 1000])
@pytest.mark.parametrize("place", ["key", "grid", "body"])
def test_noise_has_its_bytes_in_its_place_and_changes_nothing_else(amount: int, place: str) -> None:
    with_noise = many(16, game_seed=1, noise=amount, noise_in=place)
    without = many(16, game_seed=1)
    a, b = with_noise.reset(seed=5)[0], without.reset(seed=5)[0]
    seen = []
    for _ in range(60):
        if place == "key":
            grains = a.pop("noise")
            assert grains.shape == (16, amount) and grains.dtype == np.uint8
        elif place == "grid":
            planes = a["grid"][..., 1:].reshape(16, -1)
            grains, a["grid"] = planes[:, :amount], a["grid"][..., :1]
            assert not planes[:, amount:].any() and 0 <= planes.shape[1] - amount < 81
        else:
            grains, a["body"] = a["body"][:, 6:], a["body"][:, :6]
            assert grains.shape == (16, amount) and 0 <= grains.min() <= grains.max() < 256
        seen.append(grains)
        assert same(a, b)
        a, b = with_noise.step(np.full(16, WAIT))[0], without.step(np.full(16, WAIT))[0]
    everything = np.concatenate(seen).ravel()
    assert abs(everything.mean() - 127.5) < 6 * 74 / np.sqrt(len(everything))


def test_the_four_kinds_of_noise_are_what_they_are_called() -> None:
    def bytes_of(kind: str, actions: list[int], seed: int = 0) -> Any:
        vector = many(1, game_seed=1, noise=100, noise_kind=kind, level=1)
        seen = [vector.reset(seed=seed)[0]["noise"][0]]
        return np.array(seen + [vector.step(np.array([action]))[0]["noise"][0] for action in actions]).astype(int)

    waits, knocks = [WAIT] * 20, [USE, WAIT] * 10
    texture = bytes_of("texture", waits)
    assert (texture == texture[0]).all() and not (texture[0] == bytes_of("texture", waits, 1)[0]).all()
    steps = np.diff(bytes_of("predictable", knocks), axis=0) % 256
    assert (steps == steps[0]).all() and len(set(steps[0])) > 30 and steps.min() > 0
    steps = np.diff(bytes_of("controllable", knocks), axis=0) % 256
    assert (steps[::2] == steps[0]).all() and (steps[1::2] == steps[1]).all() and (steps[0] != steps[1]).mean() > 0.9
    fresh = bytes_of("fresh", waits)
    assert abs(np.corrcoef(fresh[:-1].ravel(), fresh[1:].ravel())[0, 1]) < 0.1
    assert (fresh == bytes_of("fresh", knocks)).all()


def test_words_say_as_much_as_asked() -> None:
    said = {
        text: one(game_seed=17, difficulty=5, text=text).reset(seed=0)[0]["text"]
        for text in ("none", "goal", "one rule", "all rules")
    }
    assert said["none"] == "" and "win" in said["goal"]
    assert len(said["goal"]) < len(said["one rule"]) < len(said["all rules"])
    assert said["goal"] in said["one rule"] and said["goal"] in said["all rules"]


def layouts(env: Any, episodes: int) -> set[bytes]:
    return {env.reset()[0]["grid"].tobytes() for _ in range(episodes)}


def test_days_and_exams_have_different_layouts() -> None:
    settings: dict[str, Any] = {"game_seed": 4, "difficulty": 0, "level": 1}
    day, exam, everything = (one(layouts=part, **settings) for part in ("day", "exam", "all"))
    days, exams = layouts(day, 1500), layouts(exam, 1500)
    assert len(days) > len(exams) > 50 and not days & exams
    assert {split: one(split=split, **settings).bodies.layouts for split in ("train", "T0", "T1")} == {
        "train": "day",
        "T0": "exam",
        "T1": "all",
    }
    drawn = layouts(everything, 1500)
    assert len(drawn & days) > 50 and len(drawn & exams) > 20
    # T0 is the training game in other layouts, T1 the same rules in other codes.
    train, other, codes = (one(split=split, text="all rules", **settings) for split in ("train", "T0", "T1"))
    assert train.reset(seed=0)[0]["text"] == other.reset(seed=0)[0]["text"] != codes.reset(seed=0)[0]["text"]


def test_no_layout_comes_again_and_a_seed_begins_anew() -> None:
    env = one(game_seed=17)
    first = [env.reset(seed=8)[0], *(env.reset()[0] for _ in range(5))]
    again = [env.reset(seed=8)[0], *(env.reset()[0] for _ in range(5))]
    assert all(same(a, b) for a, b in zip(first, again))
    assert len({seen["grid"].tobytes() for seen in first}) == 6


def test_levels_rise_with_wins_unless_one_is_asked_for() -> None:
    vector = many(64, game_seed=1, difficulty=0)
    fixed = many(64, game_seed=1, difficulty=0, level=1)
    highest = 1
    for env in (vector, fixed):
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(300):
            env.step(env.action_space.sample())
            expected = np.minimum(1 + env.worlds["wins"] - env.worlds["success"], LEVELS)
            assert (env.worlds["level"] == (expected if env is vector else 1)).all()
        highest = max(highest, int(env.worlds["level"].max()))
    assert highest >= 3


def end(vector: Any, won: list[bool]) -> Any:
    """Let the episodes of all bodies end, won or lost, and the next ones begin."""
    vector.worlds["over"], vector.worlds["success"] = True, won
    return vector.step(np.full(len(won), WAIT))[0]


def test_adaptive_difficulty_follows_each_body_on_its_own() -> None:
    vector = many(3, game_seed=6, difficulty="adaptive", text="all rules")
    seen = vector.reset(seed=0)[0]
    assert seen["grid"].shape == (3, 13, 13, 1) and not seen["grid"][:, 7:].any() and not seen["grid"][:, :, 7:].any()
    easy = seen["text"]
    assert easy[0] == easy[1] == easy[2] == one(game_seed=6, difficulty=0, text="all rules").reset()[0]["text"]
    for _ in range(WINS):
        seen = end(vector, [True, False, True])
    assert seen["text"][0] == seen["text"][2] == one(game_seed=6, difficulty=1, text="all rules").reset()[0]["text"]
    assert seen["text"][1] == easy[1] != seen["text"][0]
    assert (vector.worlds["level"][[0, 2]] == 1).all()
    for _ in range(LOSSES - 1):
        seen = end(vector, [False, False, False])
    assert seen["text"][0] != easy[0]
    seen = end(vector, [False, True, True])
    assert seen["text"][0] == easy[0] and seen["text"][2] != easy[2]
    assert vector.reset(seed=0)[0]["text"] == easy


def test_adaptive_difficulty_counts_what_comes_in_a_row() -> None:
    deck = Deck(1, 1, "train", "adaptive", False)
    body = np.zeros(1, int)
    moves = [len(deck.follow(body, np.array([won]))) for won in [0, 0, 1, 1, 0, 1, 1, 1, 1, 1, *[0] * 9, 1, *[0] * 11]]
    assert moves == [0] * 7 + [1] + [0] * 21 + [1] + [0]


def test_adaptive_difficulty_stays_within_the_classes() -> None:
    deck = Deck(2, 1, "train", "adaptive", False)
    everybody, classes = np.arange(2), []
    for _ in range(WINS * (HARDEST + 3)):
        deck.follow(everybody, np.array([True, False]))
        classes.append(deck.size.tolist())
    assert deck.size.tolist() == [SETTINGS[HARDEST].size, SETTINGS[0].size]
    assert deck.limit.tolist() == [SETTINGS[HARDEST].limit, SETTINGS[0].limit]
    deck.again()
    assert deck.size.tolist() == [SETTINGS[0].size] * 2


def test_a_person_sees_the_grid_the_goal_and_what_happened() -> None:
    env = one(game_seed=17, render_mode="ansi")
    env.reset(seed=0)
    env.step(WAIT)
    text = env.render()
    size = SETTINGS[3].size
    assert text.split("\n")[0] == "#" * size and "mission: " in text and "step: 1" in text
    frame = one(game_seed=17, render_mode="rgb_array")
    frame.reset(seed=0)
    picture = frame.render()
    assert picture.dtype == np.uint8 and picture.ndim == 3 and len({px.tobytes() for px in picture.reshape(-1, 3)}) > 8
    vector = many(3, render_mode="ansi")
    vector.reset(seed=0)
    assert len(vector.render()) == 3
    silent = one()
    silent.reset()
    assert silent.render() is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"difficulty": 12}, "no difficulty 12; 0 to 9"),
        ({"difficulty": "hard"}, "no difficulty 'hard'"),
        ({"difficulty": True}, "no difficulty True"),
        ({"difficulty": Setting(2, 3, 5)}, "5 cells a side"),
        ({"split": "test"}, "no split 'test'"),
        ({"modalities": ("grid", "smell")}, "no modality 'smell'; 'grid', 'image'"),
        ({"modalities": ()}, "at least one modality"),
        ({"modalities": ("grid", "grid")}, "name one twice"),
        ({"view": "above"}, "no view 'above'; 'full', 'ego'"),
        ({"text": "hints"}, "no text 'hints'; 'none', 'goal'"),
        ({"noise": 7}, "no noise 7; 0, 1, 10, 100, 1000"),
        ({"noise": 10, "noise_kind": "pink"}, "no noise_kind 'pink'"),
        ({"noise": 10, "noise_in": "hand"}, "no noise_in 'hand'"),
        ({"noise": 10, "noise_in": "body", "modalities": ("grid",)}, "needs 'body' among the modalities"),
        ({"level": 5}, "no level 5; None, 1, 2, 3, 4"),
        ({"layouts": "night"}, "no layouts 'night'"),
        ({"num_envs": 0}, "0 bodies were asked for"),
        ({"num_envs": 2.5}, "2.5 bodies were asked for"),
        ({"game_seed": [1, 2]}, r"3 bodies were given game seeds of shape \(2,\)"),
        ({"game_seed": -1}, "whole number from 0"),
        ({"game_seed": "seventeen"}, "whole number from 0"),
        ({"autoreset_mode": AutoresetMode.DISABLED}, "no autoreset_mode"),
        ({"render_mode": "human"}, "no render_mode 'human'"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(CortexError, match=words):
        NovelGames(**{"num_envs": 3, **settings})


@pytest.mark.parametrize(
    ("action", "words"),
    [(6, "no action 6; 0 to 5"), (-1, "no action -1"), (1.5, "float64"), ("up", "whole numbers"), (None, "whole")],
)
def test_actions_that_are_none_are_refused(action: Any, words: str) -> None:
    env, vector = one(), many(2)
    env.reset(seed=0)
    vector.reset(seed=0)
    with pytest.raises(CortexError, match=words):
        env.step(action)
    with pytest.raises(CortexError, match=words):
        vector.step([0, action] if action is not None else [0, [1, 2]])
    with pytest.raises(CortexError, match="shape"):
        vector.step(np.zeros(3, int))
    with pytest.raises(CortexError, match="one action"):
        env.step([0])
    env.step(np.int64(0))
    env.step(np.array(0))


def test_calls_out_of_turn_are_refused() -> None:
    env, vector = gymnasium.make(ID, difficulty=2), many(2, render_mode="ansi")
    for early in (lambda: env.step(0), lambda: vector.step([0, 0]), vector.render):
        with pytest.raises(CortexError, match="reset"):
            early()
    with pytest.raises(CortexError, match="3 seeds were given for 2 bodies"):
        vector.reset(seed=[1, 2, 3])
    with pytest.raises(CortexError, match="negative"):
        vector.reset(seed=-1)
    env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(WAIT)
        over = terminated or truncated
    with pytest.raises(CortexError, match="the last is over; call reset"):
        env.step(0)
    env.reset()
    env.close()
    vector.close()
    for late in (env.reset, lambda: env.step(0), vector.reset, lambda: vector.step([0, 0])):
        with pytest.raises(CortexError, match="closed"):
            late()


def test_lives_are_made_of_it_with_its_own_layouts() -> None:
    vector = make_vector(ID, 2, seed=0, part="exam")
    assert [env.unwrapped.bodies.layouts for env in vector.envs] == ["exam", "exam"]
    seen, _ = vector.reset(seed=0)
    assert seen["grid"].shape == (2, 7, 7, 1) and seen["body"].shape == (2, 6)
    assert make_env(ID, game_seed=3).reset(seed=0)[1] == {"success": False}


@pytest.mark.slow
def test_an_agent_learns_in_it(tmp_path: Path) -> None:
    agent = cortex.Agent.make(ID, "debug").learn(60)
    assert len(agent.hippocampus.store.episodes()) > 0
    env = one()
    action, _ = agent.predict(env.reset(seed=0)[0])
    assert 0 <= int(action) < 6
    agent.save(tmp_path / "saved")
    again = cortex.Agent.load(tmp_path / "saved")
    assert again.observation_space["body"] == env.observation_space["body"]


def test_kernels_older_than_a_source_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name, age in (("old.nbi", 20), ("old.1.nbc", 20), ("new.nbi", 0), ("old.pyc", 20)):
        (cache / name).write_text("")
        os.utime(cache / name, (time.time() - age,) * 2)
    (tmp_path / "codes.py").write_text("")
    os.utime(tmp_path / "codes.py", (time.time() - 10,) * 2)
    elsewhere = tmp_path / "elsewhere" / f"{tmp_path.name}_0f"
    elsewhere.mkdir(parents=True)
    (elsewhere / "old.nbi").write_text("")
    os.utime(elsewhere / "old.nbi", (time.time() - 20,) * 2)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert drop_stale(tmp_path) == 2
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(elsewhere.parent))
    assert drop_stale(tmp_path) == 1 and not list(elsewhere.iterdir())
    assert sorted(file.name for file in cache.iterdir()) == ["new.nbi", "old.pyc"]
    assert drop_stale(tmp_path / "nowhere") == 0


def test_it_is_quick() -> None:
    vector = many(1024, game_seed=np.arange(1024) % 64, difficulty=5, modalities=("grid",))
    vector.reset(seed=0)
    actions = np.random.default_rng(0).integers(6, size=(40, 1024))
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        for chosen in actions:
            vector.step(chosen)
        best = max(best, actions.size / (time.process_time() - start))
    assert best > 500_000  # steps a second; several millions are usual


def test_the_bench_says_how_fast_games_are(tmp_path: Any) -> None:
    command = [
        sys.executable,
        "-m",
        "experiments.bench_games",
        "--quick",
        "--steps",
        "5",
        "--out",
        str(tmp_path / "b.csv"),
    ]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    assert set(told["steps_per_second"]) == {"grid", "ego", "default", "image", "noise_1000"}
    assert min(told["steps_per_second"].values()) > 0 and (tmp_path / "b.csv").exists()


def test_the_bench_says_where_the_agents_time_goes(tmp_path: Any) -> None:
    out = tmp_path / "b.csv"
    size = ["--rows", "400", "--steps", "200", "--bodies", "8", "--tasks", "MiniGrid-Empty-5x5-v0"]
    command = [sys.executable, "-m", "experiments.bench", "--quick", *size, "--out", str(out)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    assert told["slowest"] == "MiniGrid-Empty-5x5-v0" and told["steps_per_second"]["MiniGrid-Empty-5x5-v0"] > 0
    parts = {name: seconds for name, seconds in told["rows"][0].items() if name.endswith("_us")}
    assert parts["environment_us"] > 0 and parts["search_us"] + parts["habit_us"] > 0 and out.exists()


def test_the_bench_says_where_a_nights_time_goes(tmp_path: Any) -> None:
    out = tmp_path / "b.csv"
    command = [sys.executable, "-m", "experiments.bench_night", "--quick", "--out", str(out)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    row = told["rows"][0]
    stages = sum(
        seconds for name, seconds in row.items() if name.endswith("_seconds") and name[:4] not in ("wall", "cpu_")
    )
    assert 0.9 * row["wall_seconds"] < stages <= row["wall_seconds"], "the stages are the night"
    shares = {name: share for name, share in row.items() if name.endswith("_share")}
    assert len(shares) == 4 and min(shares.values()) > 0 and sum(shares.values()) == pytest.approx(1)
    assert row["gflops"] == pytest.approx(1e3 * row["gflop"] / row["update_ms"]) and 0 < row["of_peak"] < 1
    assert row["lessons"] > 0 and row["resident_mb"] > 0 and out.exists()
