"""Environments: days and exams on different layouts, and bad ones that harm nobody."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from cortex.envs.bodies import Bodies
from cortex.envs.guard import misfit
from cortex.envs.layouts import HeldOutLayouts, layout_digest
from cortex.envs.make import make_env, make_vector
from cortex.measure.constant import best_constant, play_constant
from cortex.types import CortexError

DOORKEY = "MiniGrid-DoorKey-5x5-v0"


class Corridor(gymnasium.Env[Any, Any]):
    """Starts at a random place of 0..9, counts its steps, ends after ``length`` and can be told to misbehave once."""

    observation_space = spaces.Dict({"place": spaces.Box(-100, 100, (2,), np.float32), "name": spaces.Text(20)})
    action_space = spaces.Discrete(3)

    def __init__(self, length: int = 4, misbehave: Callable[[], tuple[Any, ...]] | None = None, at: int = 2) -> None:
        self.length, self.misbehave, self.at = length, misbehave, at

    def look(self) -> dict[str, Any]:
        return {"place": np.array([self.start, self.clock], np.float32), "name": f"start {self.start}"}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.start, self.clock = int(self.np_random.integers(10)), 0
        return self.look(), {}

    def step(self, action: Any) -> tuple[Any, ...]:
        self.clock += 1
        if self.misbehave and self.clock == self.at:
            return self.misbehave()
        over = self.clock == self.length
        return self.look(), float(over), over, False, {"extra": self.clock}


def burst() -> tuple[Any, ...]:
    raise RuntimeError("the cable broke")


GOOD = {"place": np.zeros(2, np.float32), "name": "x"}
BAD = {
    "raises": (burst, "the cable broke"),
    "nan": (lambda: (GOOD, float("nan"), False, False, {}), "nan"),
    "infinite": (lambda: (GOOD, float("inf"), False, False, {}), "inf"),
    "no number": (lambda: (GOOD, "much", False, False, {}), "'much'"),
    "no reward": (lambda: (GOOD, None, False, False, {}), "None"),
    "rewards": (lambda: (GOOD, np.ones(2), False, False, {}), "not a number"),
    "no flag": (lambda: (GOOD, 0.0, None, False, {}), "terminated"),
    "too few": (lambda: (GOOD, 0.0, False), "unpack"),
    "shape": (lambda: ({**GOOD, "place": np.zeros(3)}, 0.0, False, False, {}), "shape (3,)"),
    "no key": (lambda: ({"place": np.zeros(2)}, 0.0, False, False, {}), "'name'"),
    "no text": (lambda: ({**GOOD, "name": 7}, 0.0, False, False, {}), "not text"),
    "no array": (lambda: ({**GOOD, "place": "here"}, 0.0, False, False, {}), "not numbers"),
    "no dict": (lambda: (3, 0.0, False, False, {}), "not a dict"),
    "no info": (lambda: (GOOD, 0.0, False, False, 5), "info"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_body_ends_its_own_episode_and_no_other(kind: str) -> None:
    misbehave, word = BAD[kind]
    bad = Bodies([Corridor, partial(Corridor, misbehave=misbehave), Corridor], seed=3)
    well = Bodies([Corridor, Corridor, Corridor], seed=3)
    others = [0, 2]
    first, _ = bad.reset(seed=5)
    well.reset(seed=5)
    for clock in range(1, 9):
        seen, reward, terminated, truncated, info = bad.step(np.zeros(3, int))
        expected = well.step(np.zeros(3, int))
        assert np.array_equal(seen["place"][others], expected[0]["place"][others])
        assert np.array_equal(reward[others], expected[1][others]) and np.isfinite(reward).all()
        assert np.array_equal(terminated[others], expected[2][others]) and not truncated[others].any()
        if clock == 2:
            assert truncated.tolist() == [False, True, False] and not terminated[1] and reward[1] == 0
            assert word in info["fault"][1] and info["fault"][1].startswith("Body 1: ")
            assert info["fault"][0] is None and info["fault"][2] is None
            assert seen["place"][1].tolist() == [first["place"][1, 0], 1], "the last good observation stays"
        if clock == 3:
            assert seen["place"][1, 1] == 0 and "fault" not in info, "a new episode has begun"


def test_a_body_whose_environment_raised_goes_on_in_a_fresh_one() -> None:
    made = []

    def make() -> Corridor:
        made.append(Corridor(misbehave=burst))
        return made[-1]

    bodies = Bodies([make, Corridor], seed=0)
    bodies.reset()
    for _ in range(9):
        bodies.step([0, 0])
    assert len(made) == 1 + 3 and bodies.envs[0] is made[-1]


def test_an_own_environment_that_raised_and_can_not_be_made_again_goes_on() -> None:
    broken: list[int] = []

    def once() -> tuple[Any, ...]:
        if not broken:
            broken.append(1)
            raise RuntimeError("boom")
        return {"place": np.zeros(2, np.float32), "name": ""}, 0.0, True, False, {}

    bodies = make_vector(Corridor(misbehave=once), 1, 0, held_out=0)
    bodies.reset()
    faults = [bodies.step(np.zeros(1, np.int64))[4].get("fault", [None])[0] for _ in range(12)]
    assert [fault for fault in faults if fault] == ["Body 0: step raised RuntimeError: boom."]


def test_a_body_that_can_not_begin_is_refused_in_a_sentence() -> None:
    class Stillborn(Corridor):
        def reset(self, **_: Any) -> Any:
            raise OSError("no display")

    with pytest.raises(CortexError, match=r"Body 1 can not begin .*no display"):
        Bodies([Corridor, Stillborn]).reset(seed=0)


def test_bodies_answer_as_gymnasium_does() -> None:
    """Observation, reward, ends, reset step and info of gymnasium's own vector, on the same seeds and actions."""
    ours = make_vector(DOORKEY, 3, held_out=0)
    theirs = SyncVectorEnv([partial(gymnasium.make, DOORKEY, max_steps=20)] * 3)
    ours = Bodies([partial(make_env, DOORKEY, max_steps=20)] * 3)
    seeds: list[int | None] = [4, 5, 6]
    a, b = ours.reset(seed=seeds)[0], theirs.reset(seed=seeds)[0]
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(60):
        assert np.array_equal(a["image"], b["image"]) and np.array_equal(a["direction"], b["direction"])
        assert a["mission"] == b["mission"] and isinstance(a["mission"], tuple)
        assert a["image"].dtype == b["image"].dtype and a["image"].shape == (3, 7, 7, 3)
        action = rng.integers(0, 7, 3)
        (a, *mine, info), (b, *its, _) = ours.step(action), theirs.step(action)
        assert all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(mine, its))
        assert info["success"].dtype == bool
        ends += int(its[1].sum() + its[2].sum())
    assert ends >= 6
    assert ours.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP


def test_answers_stay_as_they_were_given() -> None:
    bodies = Bodies([Corridor, Corridor], seed=0)
    first, _ = bodies.reset()
    copy = first["place"].copy()
    bodies.step([0, 0])
    assert np.array_equal(first["place"], copy)


def test_info_of_bodies_is_batched() -> None:
    bodies = Bodies([Corridor, partial(Corridor, length=1)], seed=0)
    bodies.reset()
    bodies.step([0, 0])
    *_, info = bodies.step([0, 0])
    assert info["extra"].tolist() == [2, 0] and info["_extra"].tolist() == [True, False]


def test_seeds_make_bodies_and_lives_differ_and_runs_repeat() -> None:
    def look(seed: int) -> bytes:
        return b"".join(make_vector("BabyAI-GoToLocalS5N2-v0", 4, seed).reset()[0]["image"].tobytes() for _ in "ab")

    assert look(1) == look(1) != look(2)
    images = make_vector("BabyAI-GoToLocalS5N2-v0", 4, 1).reset()[0]["image"]
    assert len({image.tobytes() for image in images}) == 4


def layouts(part: str, resets: int = 60) -> set[str]:
    env = make_env(DOORKEY)
    held = HeldOutLayouts(env, part, 0.25)  # type: ignore[arg-type]
    return {layout_digest(env, held.reset(seed=seed)[0]) for seed in range(resets)}


def test_days_and_exams_share_no_layout() -> None:
    day, exam = layouts("day"), layouts("exam")
    assert day and exam and not day & exam
    assert len(exam) < len(day)


def test_a_share_of_nothing_passes_every_layout() -> None:
    plain, held = make_env(DOORKEY), HeldOutLayouts(make_env(DOORKEY), "exam", 0)
    for seed in range(20):
        assert layout_digest(plain, plain.reset(seed=seed)[0]) == layout_digest(held, held.reset(seed=seed)[0])


def test_a_seeded_layout_repeats() -> None:
    env = HeldOutLayouts(make_env(DOORKEY), "exam", 0.25)
    digests = [layout_digest(env, env.reset(seed=seed)[0]) for seed in (1, 2, 1, 2)]
    assert digests[:2] == digests[2:]


def test_layouts_without_a_grid_are_told_apart_by_what_is_seen_first() -> None:
    day, exam = (HeldOutLayouts(Corridor(), part, 0.5) for part in ("day", "exam"))
    places = [{int(env.reset(seed=seed)[0]["place"][0]) for seed in range(100)} for env in (day, exam)]
    assert places[0] | places[1] == set(range(10)) and not places[0] & places[1]


def test_too_few_layouts_are_said_to_be() -> None:
    parts = []
    for part in ("day", "exam"):
        try:
            make_vector("MiniGrid-Empty-5x5-v0", 1, 0, part).reset()
        except CortexError as error:
            assert "Empty-5x5-v0 has too few layouts" in str(error) and "life.held_out=0" in str(error)
            parts.append(part)
    assert len(parts) == 1


def test_success_is_what_the_game_calls_so() -> None:
    class Told(Corridor):
        def step(self, action: Any) -> tuple[Any, ...]:
            return *super().step(action)[:4], {"success": False}

    for maker, won in ((Corridor, True), (Told, False)):
        bodies = make_vector(partial(maker, length=1), 1, 0, held_out=0)
        bodies.reset()
        *_, info = bodies.step(np.array([0]))
        assert bool(info["success"][0]) is won


def test_the_fall_of_a_pole_is_no_success() -> None:
    bodies = make_vector("CartPole-v1", 1, 0, held_out=0)
    bodies.reset()
    terminated = np.array([False])
    while not terminated[0]:
        _, reward, terminated, _, info = bodies.step(np.array([0]))
    assert reward[0] == 1 and not info["success"][0]


def test_own_environments_and_vectors_are_taken() -> None:
    own = gymnasium.make("CartPole-v1")
    bodies = make_vector(own, 2, 0, held_out=0)
    assert isinstance(bodies, Bodies) and bodies.envs[0].unwrapped is own.unwrapped
    assert bodies.envs[1].unwrapped is not own.unwrapped
    vector = SyncVectorEnv([Corridor])
    assert make_vector(vector) is vector
    with pytest.raises(CortexError, match="NEXT_STEP"):
        make_vector(SyncVectorEnv([Corridor], autoreset_mode=AutoresetMode.SAME_STEP))
    with pytest.raises(CortexError, match="no spec"):
        make_vector(Corridor(), 2)


@pytest.mark.parametrize("source", [42, None, lambda: None], ids=["number", "nothing", "maker of nothing"])
def test_what_is_no_environment_is_refused(source: Any) -> None:
    with pytest.raises(CortexError, match="is no environment"):
        make_vector(source)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("MiniGrid-DoorKeys-5x5-v0", "MiniGrid-DoorKey-5x5-v0"),
        ("CartPole-v9", "CartPole-v1"),
        ("cartpole", "CartPole-v1"),
        ("Nowhere/Thing-v0", "no environment"),
    ],
)
def test_unknown_ids_name_the_nearest(name: str, word: str) -> None:
    with pytest.raises(CortexError, match=word):
        make_vector(name)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CortexError, match=r"pip install 'cortex\[minigrid\]'"):
        make_vector(DOORKEY)
    with pytest.raises(CortexError, match="pip install 'ale-py'"):
        make_vector("ALE/Pong-v5")


def test_babyai_does_not_write_into_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    env = make_env("BabyAI-PutNextLocalS5N3-v0")
    for seed in range(10):
        env.reset(seed=seed)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["CartPole-v1", DOORKEY, "BabyAI-GoToLocalS5N2-v0", "FrozenLake-v1", "Taxi-v4"])
def test_real_observations_fit_their_spaces(name: str) -> None:
    if name not in gymnasium.registry and name.startswith("Taxi"):
        pytest.skip("another gymnasium")
    env = make_env(name)
    assert misfit(env.observation_space, env.reset(seed=0)[0]) is None
    for _ in range(5):
        assert misfit(env.observation_space, env.step(1)[0]) is None


class Lever(gymnasium.Env[Any, Any]):
    """Ten pulls; wins at the third 0, loses at a 2: the best blind mixture never plays 2."""

    observation_space = spaces.Discrete(1)
    action_space = spaces.Discrete(3)

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        self.clock = self.zeros = 0
        return 0, {}

    def step(self, action: int) -> tuple[Any, ...]:
        self.clock += 1
        self.zeros += action == 0
        won = self.zeros == 3
        return 0, float(won), won or action == 2, self.clock == 10, {}


def test_the_best_constant_distribution_is_found() -> None:
    distribution, success = best_constant(Lever, 400, np.random.default_rng(0))
    assert distribution.sum() == pytest.approx(1) and distribution[2] < 0.1 and success > 0.75
    uniform, _ = play_constant(Lever(), np.full(3, 1 / 3), np.arange(300), np.random.default_rng(0))
    # Three zeros before the first 2: (1/2)^3.
    assert uniform == pytest.approx(1 / 8, abs=0.06)


def test_info_that_fits_no_other_is_left_out() -> None:
    class Chatty(Corridor):
        def step(self, action: Any) -> tuple[Any, ...]:
            return *super().step(action)[:4], {"extra": "words", "fault": "none", "success": np.ones(2)}

    bodies = Bodies([Corridor, Chatty], seed=0)
    bodies.reset()
    *_, info = bodies.step([0, 0])
    assert info["extra"].tolist() == [1, 0] and "fault" not in info and not info["success"].any()


def test_a_bad_reward_is_named_through_every_wrapper() -> None:
    misbehave = BAD["no reward"][0]
    bodies = make_vector(partial(Corridor, misbehave=misbehave, at=1), 1, 0)
    bodies.reset()
    *_, truncated, info = bodies.step(np.array([0]))
    assert truncated[0] and info["fault"][0] == "Body 0: the reward is None, not a number."
