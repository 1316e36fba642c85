"""Spaces of users' own environments: actions in several parts, observations in dicts within dicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import cortex
from cortex.envs.flat import FlatKeys
from cortex.envs.make import make_vector
from cortex.life import live
from cortex.measure.constant import best_constant
from cortex.modules.encoders import Senses
from cortex.modules.motor import Codec
from cortex.types import CortexError

QUICK = ("planner.simulations=24", "life.bodies=4", "sleep.steps=0")


class Locks(gymnasium.Env[Any, Any]):
    """Two doors, one after the other: the key of its colour, turned as both bolts together say. A mistake ends it."""

    KEYS = (12, 10, 11)  # of each colour
    DOORS = 2
    CHANCE = 1 / 36

    def __init__(self) -> None:
        door = spaces.Dict(colour=spaces.Discrete(3), bolts=spaces.MultiDiscrete([2, 2]))
        self.observation_space = spaces.Dict(way=spaces.Dict(door=door, opened=spaces.Discrete(self.DOORS + 1)))
        self.action_space = spaces.MultiDiscrete([3, 2], start=[10, 0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.opened = 0
        return self._look(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        right = tuple(action) == (self.KEYS[self.colour], self.bolts[0] ^ self.bolts[1])
        self.opened += right
        won = self.opened == self.DOORS
        return self._look(), float(won), bool(won or not right), False, {"success": bool(won)}

    def _look(self) -> Any:
        self.colour, self.bolts = int(self.np_random.integers(3)), self.np_random.integers(0, 2, 2)
        return {"way": {"door": {"colour": self.colour, "bolts": self.bolts}, "opened": self.opened}}


def won(agent: cortex.Agent, episodes: int, seed: int = 0) -> float:
    """Share of episodes won by what the agent predicts."""
    env, wins = Locks(), 0
    for episode in range(episodes):
        observation, over, info = env.reset(seed=seed + episode)[0], False, {"success": False}
        state = None
        while not over:
            action, state = agent.predict(observation, state)
            observation, _, over, _, info = env.step(action)
        wins += info["success"]
    return wins / episodes


@pytest.fixture(scope="module")
def locksmith() -> cortex.Agent:
    return cortex.Agent.make(Locks, *QUICK).learn(1_500)


def test_actions_in_parts_and_nested_observations_are_learned(locksmith: cortex.Agent) -> None:
    assert won(locksmith, 40) > 0.9 > 10 * Locks.CHANCE


def test_saved_and_loaded_it_still_knows_them(locksmith: cortex.Agent, tmp_path: Path) -> None:
    locksmith.save(tmp_path)
    loaded = cortex.Agent.load(tmp_path, Locks)
    assert won(loaded, 20, seed=99) == won(locksmith, 20, seed=99) > 0.9
    assert loaded.learn(20).hippocampus.store.steps > locksmith.hippocampus.store.steps
    with pytest.raises(CortexError, match="lacks key 'way'"):
        cortex.Agent.load(tmp_path, FlatKeys(Locks()))


def test_evaluate_policy_works_on_them(locksmith: cortex.Agent) -> None:
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.monitor import Monitor

    env = FlatKeys(Locks())
    assert list(env.observation_space) == ["way.door.bolts", "way.door.colour", "way.opened"]
    mean, _ = evaluation.evaluate_policy(locksmith, Monitor(env), n_eval_episodes=20)
    assert mean > 0.9


@pytest.mark.parametrize("vector", [SyncVectorEnv, AsyncVectorEnv])
def test_vector_environments_hold_them(vector: Any) -> None:
    bodies = vector([Locks] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    agent = cortex.Agent.make(bodies, *QUICK).learn(20)
    assert agent.hippocampus.store.steps >= 20
    action, _ = agent.predict(bodies.reset(seed=0)[0])
    assert action.shape == (2, 2) and bodies.action_space.contains(action)
    bodies.close()


def test_a_life_in_them_has_nights_exams_and_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gymnasium.registry, "Locks-v0", EnvSpec("Locks-v0", Locks))
    monkeypatch.setattr("cortex.life.CONSTANT_EPISODES", 60)
    live(cortex.load_config("debug", "life.tasks=[Locks-v0]", f"folder={tmp_path}"))
    events = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"episode", "exam", "day", "night"} <= {event["event"] for event in events}


def test_the_floor_of_a_score_numbers_the_actions_likewise() -> None:
    class Pair(Locks):
        """The same action always wins."""

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            assert self.action_space.contains(action)
            right = bool(tuple(action) == (11, 1))
            return self._look(), float(right), True, False, {"success": right}

    distribution, success = best_constant(Pair, 200, np.random.default_rng(0))
    assert distribution.argmax() == 3 and success > 3 / 6


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=-2),
        spaces.MultiDiscrete([3, 4, 2], start=[5, -1, 0]),
        spaces.MultiDiscrete([[2, 3], [2, 1]]),
        spaces.MultiDiscrete([1024]),
        spaces.MultiBinary(4),
        spaces.MultiBinary([2, 2]),
    ],
    ids=str,
)
def test_every_action_of_a_space_has_one_number(space: Any) -> None:
    codec = Codec(space)
    told = codec(np.arange(codec.actions))
    assert len({np.asarray(action).tobytes() for action in told}) == codec.actions
    assert all(space.contains(action) for action in told)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.MultiDiscrete([33, 32]), r"MultiDiscrete\(\[33 32\]\), 1056 actions in all, .* one part at a time"),
        (spaces.MultiBinary(11), "2048 actions"),
        (spaces.Discrete(1025), "1025 actions"),
        (spaces.Box(-1, 1, (2,)), r"Box\(-1.0, 1.0, \(2,\), float32\), and only Discrete spaces.* wrapper"),
        (spaces.Dict(a=spaces.Discrete(2)), "only Discrete spaces, MultiDiscrete and MultiBinary"),
    ],
    ids=str,
)
def test_other_actions_are_refused_in_one_sentence(space: Any, words: str) -> None:
    with pytest.raises(CortexError, match=words) as refused:
        Codec(space)
    assert "\n" not in str(refused.value)


NESTED = spaces.Dict(
    b=spaces.Tuple((spaces.Discrete(3), spaces.Dict(x=spaces.Text(9), a=spaces.MultiBinary(2)))),
    a=spaces.Box(-1, 1, (2,)),
)


def nested(bodies: int) -> Any:
    ticks = np.arange(bodies)
    inner = {"x": ["yes", "no"] * (bodies // 2), "a": np.stack([ticks % 2, ticks // 2 % 2], 1).astype(np.int8)}
    return {"a": np.zeros((bodies, 2), np.float32), "b": (ticks % 3, inner)}


def test_nested_observations_are_read_by_their_paths() -> None:
    senses = Senses.for_space(NESTED)
    assert [part.key for part in senses.parts] == ["a", "b.0", "b.1.a", "b.1.x"]
    seen = nested(4)
    flat = {"a": seen["a"], "b.0": seen["b"][0], "b.1.a": seen["b"][1]["a"], "b.1.x": seen["b"][1]["x"]}
    np.testing.assert_array_equal(senses(seen).tokens, senses(flat).tokens)
    one = {"a": seen["a"][1], "b": (1, {"x": "no", "a": seen["b"][1]["a"][1]})}
    assert senses.is_batched(seen) and not senses.is_batched(one)
    np.testing.assert_array_equal(senses(senses.batch(one)).tokens[0], senses(seen).tokens[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": (0,)}, "for observation key 'b' something of 2 parts, got tuple of 1"),
        ({"b": np.zeros(3)}, "of 2 parts, got ndarray"),
        ({"b": (np.zeros(4, int), {"x": ["a"] * 4})}, r"'b.1.a' is missing: expected \['a', 'x'\]"),
        ({"b": (np.zeros(4, int), [])}, r"for observation key 'b.1' something with the keys \['a', 'x'\], got list"),
        ({"b": (np.full(4, 3), nested(4)["b"][1])}, "'b.0' of body 0: expected whole numbers from 0 to 2, got 3"),
        ({"c": 1}, "'c' is not known"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(change: Any, words: str) -> None:
    with pytest.raises(CortexError, match=words):
        Senses.for_space(NESTED)(nested(4) | change)


def test_what_cannot_be_told_apart_or_tells_nothing_is_refused() -> None:
    twice = spaces.Dict({"a.b": spaces.Discrete(2), "a": spaces.Dict(b=spaces.Discrete(2))})
    with pytest.raises(CortexError, match=r"both|two parts of the observation are called 'a.b'"):
        Senses.for_space(twice)
    with pytest.raises(CortexError, match="'a' is an empty Dict"):
        Senses.for_space(spaces.Dict(a=spaces.Dict(), b=spaces.Discrete(2)))
    with pytest.raises(CortexError, match="which has no keys"):
        FlatKeys(gymnasium.make("CartPole-v1"))


def test_a_body_whose_nested_observation_is_wrong_ends_its_episode() -> None:
    class Broken(Locks):
        def _look(self) -> Any:
            seen = super()._look()
            return {"way": {**seen["way"], "door": {"colour": 1}}} if self.opened else seen

    bodies = make_vector(lambda: Broken(), 1, 0, held_out=0)
    bodies.reset(seed=0)
    for _ in range(60):
        env = bodies.envs[0].unwrapped
        action = [env.KEYS[env.colour], env.bolts[0] ^ env.bolts[1]]
        *_, info = bodies.step(np.array([action]))
        if "fault" in info:
            break
    assert "the observation['way']['door'] lacks 'bolts'" in info["fault"][0]
