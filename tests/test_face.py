"""The public face: what a user of stable-baselines3 expects, and what lasts in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FilterObservation

import cortex
from cortex.day import live_day
from cortex.envs.make import make_vector
from cortex.keep import awaken
from cortex.store.spaces import decode, differs, encode
from cortex.types import CortexError

SMALL = (
    "planner.simulations=24",
    "life.bodies=2",
    "habit.width=8",
    "world_model.width=8",
    "world_model.ensemble=2",
    "sleep.steps=8",
    "sleep.batch=16",
    "sleep.states=32",
    "sleep.world_model_steps=4",
)
EMPTY = "MiniGrid-Empty-5x5-v0"


@pytest.fixture(scope="module")
def walker() -> cortex.Agent:
    """An agent that has lived a day and a night in MiniGrid."""
    return cortex.Agent.make(EMPTY, *SMALL, "life.steps=120").learn(160)


def pictures() -> gymnasium.Env[Any, Any]:
    import minigrid

    gymnasium.register_envs(minigrid)
    return FilterObservation(gymnasium.make(EMPTY), ["image", "direction"])


@pytest.mark.parametrize("source", ["CartPole-v1", "FrozenLake-v1", pictures], ids=["vector", "symbol", "grid"])
def test_evaluate_policy_works_as_it_is(source: Any) -> None:
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.monitor import Monitor

    env = source() if callable(source) else gymnasium.make(source)
    agent = cortex.Agent.make(source, *SMALL, "sleep.steps=0").learn(60)
    rows, weights = agent.hippocampus.store.episodes(), agent.digest()
    mean, _ = evaluation.evaluate_policy(agent, Monitor(env), n_eval_episodes=2)
    rewards, lengths = evaluation.evaluate_policy(
        agent, make_vec_env(source, n_envs=3), n_eval_episodes=3, deterministic=False, return_episode_rewards=True
    )
    assert np.isfinite(mean) and len(rewards) == len(lengths) == 3
    assert (agent.hippocampus.store.episodes(), agent.digest()) == (rows, weights), "predict is no teacher"


def test_predict_wins_with_words_too(walker: cortex.Agent) -> None:
    env = gymnasium.make(EMPTY)
    observation, _ = env.reset(seed=3)
    state, first, won = None, True, False
    for _ in range(40):
        action, state = walker.predict(observation, state, np.array([first]))
        observation, reward, terminated, truncated, _ = env.step(action)
        first, won = terminated or truncated, won or float(reward) > 0
    assert won


def test_words_pass_through_stable_baselines3_as_bytes(walker: cortex.Agent) -> None:
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.monitor import Monitor

    from cortex.envs.words import WordsAsBytes

    mean, _ = evaluation.evaluate_policy(walker, Monitor(WordsAsBytes(gymnasium.make(EMPTY))), n_eval_episodes=3)
    assert mean > 0.8
    with pytest.raises(cortex.CortexError, match=r"WordsAsBytes\(env, length="):
        WordsAsBytes(gymnasium.make(EMPTY), length=4).reset()


def test_predict_is_the_same_for_one_and_for_many(walker: cortex.Agent) -> None:
    env = gymnasium.make(EMPTY)
    observation, _ = env.reset(seed=0)
    one, _ = walker.predict(observation)
    batch = {key: np.stack([np.asarray(value)] * 3) for key, value in observation.items() if key != "mission"}
    many, _ = walker.predict({**batch, "mission": [observation["mission"]] * 3})
    assert np.ndim(one) == 0 and many.tolist() == [one] * 3


def test_bodies_of_different_games_are_predicted_for_each_in_its_own() -> None:
    def game(seed: int) -> Any:
        kind = {"game_seed": seed, "difficulty": 1, "level": 1}
        return gymnasium.make_vec("cortex/NovelGame-v0", 1, vectorization_mode="vector_entry_point", **kind)

    agent = cortex.Agent.make(game(1), "planner.simulations=256", seed=0)
    for seed in (1, 4):
        live_day(agent, game(seed), 300, seed, np.random.default_rng(seed))
        awaken(agent)
    games, state, start, won = [game(4), game(1)], None, np.ones(2, bool), [0, 0]
    seen = [env.reset(seed=3)[0] for env in games]
    for _ in range(60):
        both = {
            key: sum((env[key] for env in seen), ())
            if isinstance(value, tuple)
            else np.concatenate([env[key] for env in seen])
            for key, value in seen[0].items()
        }
        action, state = agent.predict(both, state, start)
        for body, env in enumerate(games):
            seen[body], reward, terminated, truncated, _ = env.step(action[body : body + 1])
            start[body] = terminated[0] | truncated[0]
            won[body] += int(reward[0] > 0.5)
    assert min(won) >= 2


def test_observation_state_and_starts_are_of_equally_many_bodies() -> None:
    agent = cortex.Agent.make("CartPole-v1", *SMALL)
    _, state = agent.predict(np.zeros((1, 4), np.float32))
    with pytest.raises(CortexError, match="observation is of 2 bodies, the state of 1"):
        agent.predict(np.zeros((2, 4), np.float32), state)
    with pytest.raises(CortexError, match="episode_start of 3"):
        agent.predict(np.zeros((2, 4), np.float32), episode_start=[True] * 3)


def test_a_night_that_is_cut_off_leaves_the_weights_of_the_evening() -> None:
    def stop(part: str, update: int, of: int, losses: dict[str, float]) -> None:
        if part == "habit" and update > 3:
            raise KeyboardInterrupt

    agent = cortex.Agent.make(EMPTY, *SMALL).learn(100)
    evening = agent.digest()
    with pytest.raises(KeyboardInterrupt):
        agent.sleep(stop)
    assert (agent.digest(), agent.hippocampus.day) == (evening, 1)
    assert agent.sleep()["updates"] and agent.digest() != evening


class Counting(gymnasium.Env[Any, Any]):
    """Ends after ``length`` steps; where it is ``unsound``, the third reward of every other episode is no number."""

    action_space = spaces.Discrete(2)

    def __init__(self, length: int = 5, unsound: bool = False, sees: Any = None) -> None:
        self.observation_space = spaces.Discrete(20) if sees is None else sees
        self.length, self.unsound, self.begun, self.clock = length, unsound, 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.begun, self.clock = self.begun + 1, 0
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.clock += 1
        bad = self.unsound and self.clock == 3 and self.begun % 2 == 0
        return self.clock, float("nan") if bad else 1.0, self.clock == self.length, False, {}


def test_a_faulty_episode_is_named_and_not_remembered() -> None:
    ended: list[dict[str, Any]] = []
    agent = cortex.Agent.make(Counting(unsound=True), *SMALL, "sleep.steps=0").learn(40, on_episode=ended.append)
    assert [e["fault"] is None for e in ended[:4]] == [True, False, True, False]
    assert "the reward is nan" in str(ended[1]["fault"])
    kept = [agent.hippocampus.store.read(number) for number in agent.hippocampus.store.episodes()]
    assert kept and all(len(episode.action) == 5 for episode in kept)


def test_only_where_it_is_asked_to_predict_draws() -> None:
    agent = cortex.Agent.make("CartPole-v1", *SMALL, "lesion=planner")
    still = np.zeros((1, 4), np.float32)
    drawn = {
        deterministic: {int(agent.predict(still, deterministic=deterministic)[0][0]) for _ in range(30)}
        for deterministic in (True, False)
    }
    assert len(drawn[True]) == 1 and len(drawn[False]) == 2


def test_a_day_goes_on_at_the_next_call_and_a_night_follows_it() -> None:
    # Eight updates may make things worse, and a night that did is rolled back.
    agent = cortex.Agent.make(EMPTY, *SMALL, "life.steps=60", "sleep.guard=1")
    ended: list[dict[str, Any]] = []
    newborn = agent.digest()
    agent.learn(40, on_episode=ended.append)
    assert (agent.hippocampus.day, agent.digest()) == (1, newborn)
    agent.learn(40, on_episode=ended.append)
    assert agent.hippocampus.day == 2 and agent.digest() != newborn
    assert ended and set(ended[0]) == {"steps", "length", "return", "success", "fault"}
    assert agent.learn(1) is agent


def test_stopped_and_begun_again_no_episode_goes_on_in_another() -> None:
    def stop(episode: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    lengths = iter([2, 5, 2, 5])
    agent = cortex.Agent.make(lambda: Counting(next(lengths)), *SMALL, "sleep.steps=0")
    with pytest.raises(KeyboardInterrupt):
        agent.learn(40, on_episode=stop)
    agent.learn(40)
    kept = [agent.hippocampus.store.read(number) for number in agent.hippocampus.store.episodes()]
    assert {len(episode.action) for episode in kept if episode.body == 1} >= {2, 5}
    assert max(len(episode.action) for episode in kept) == 5


def test_a_vector_of_environments_is_lived_in_as_it_is() -> None:
    vector = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=AutoresetMode.NEXT_STEP)
    agent = cortex.Agent.make(vector, *SMALL, "sleep.steps=0").learn(30)
    assert agent.bodies.num_envs == 3 and agent.hippocampus.store.steps >= 30


def test_saved_and_loaded_it_acts_the_same(walker: cortex.Agent, tmp_path: Path) -> None:
    walker.save(tmp_path / "one")
    loaded = cortex.Agent.load(tmp_path / "one")
    loaded.save(tmp_path / "two")
    files = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1] and loaded.digest() == walker.digest()
    assert actions(loaded, 200) == actions(walker, 200)
    with pytest.raises(CortexError, match="no environment to learn in"):
        loaded.learn(10)
    again = cortex.Agent.load(tmp_path / "one", EMPTY)
    again.learn(10)
    assert again.hippocampus.store.steps >= walker.hippocampus.store.steps + 10
    walker.save(tmp_path / "one")  # over an earlier save


def actions(agent: cortex.Agent, steps: int) -> list[int]:
    bodies = make_vector(EMPTY, 2, 5, held_out=0)
    observation, _ = bodies.reset(seed=5)
    state, first, done = None, np.ones(2, bool), []
    for _ in range(steps // 2):
        action, state = agent.predict(observation, state, first)
        observation, _, terminated, truncated, _ = bodies.step(action)
        first = terminated | truncated
        done += action.tolist()
    return done


def test_a_lesion_shares_the_weights_and_not_the_memory(walker: cortex.Agent) -> None:
    cut = walker.lesioned("hippocampus", "planner")
    assert cut.hippocampus.store.steps == 0 and cut.hippocampus.capacity == 0
    assert all(mine is theirs for mine, theirs in zip(cut.habit.parameters(), walker.habit.parameters(), strict=True))
    assert cut.plan is not walker.plan and cut.config.planner.simulations == 0
    assert walker.lesioned("context").hippocampus is walker.hippocampus
    before = walker.hippocampus.store.steps
    actions(cut, 20)
    assert walker.hippocampus.store.steps == before
    with pytest.raises(CortexError, match="unknown lesion 'hippocampos', nearest is 'hippocampus'"):
        walker.lesioned("hippocampos")


def test_a_memory_that_is_set_otherwise_is_counted_anew_from_a_copy(walker: cortex.Agent) -> None:
    rows = walker.hippocampus.store.steps
    other = walker.lesioned("hippocampus.change=0", "planner.depth=2")
    assert other.config.planner.depth == 2 and other.hippocampus is not walker.hippocampus
    assert other.hippocampus.change == 0 < walker.hippocampus.change
    assert other.hippocampus.store.steps == rows > 0 and len(other.hippocampus.worlds) == len(walker.hippocampus.worlds)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda folder: cortex.Agent.make("Pendulum-v1"), "only Discrete spaces"),
        (lambda folder: cortex.Agent.make(lambda: Counting(sees=spaces.Box(0, 1, (2, 2)))), "supported are"),
        (lambda folder: cortex.Agent.make("CartPol-v1"), "CartPole-v1"),
        (
            lambda folder: cortex.Agent.make(EMPTY, "hippocampus.levels=[front,front.9]"),
            "attributes 0 to 2",
        ),
        (lambda folder: cortex.Agent.make(EMPTY, "planner.discount=1"), "from 0 to 0.9999"),
        (lambda folder: cortex.Agent.load(folder / "nothing"), "holds no config.yaml"),
        (lambda folder: cortex.Agent.load(folder / "saved", "CartPole-v1"), "observation is a Box of 4 .* not a Dict"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(call: Any, words: str, walker: cortex.Agent, tmp_path: Path) -> None:
    walker.save(tmp_path / "saved")
    with pytest.raises(CortexError, match=words) as refused:
        call(tmp_path)
    assert "\n" not in str(refused.value)


def test_an_agent_is_not_saved_over_a_life(walker: cortex.Agent, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(CortexError, match="holds a life"):
        walker.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


FEW = {"kind": "multidiscrete", "nvec": [0, 2], "start": [0]}


def test_spaces_survive_as_json() -> None:
    import json

    space = spaces.Dict(
        {
            "body": spaces.Box(np.array([-np.inf, 0], np.float32), np.array([1, np.inf], np.float32)),
            "image": spaces.Box(0, 255, (7, 7, 3), np.uint8),
            "heading": spaces.Discrete(4, start=-1),
            "words": spaces.Text(20),
            "limbs": spaces.MultiDiscrete([[3, 4], [5, 6]], start=[[0, 1], [0, -2]]),
            "touch": spaces.Dict(skin=spaces.Tuple((spaces.MultiBinary((2, 3)), spaces.Discrete(3)))),
        }
    )
    back = decode(json.loads(json.dumps(encode(space))))
    assert isinstance(back, spaces.Dict)
    assert differs(space, back) is None and back["body"] == space["body"] and back["image"] == space["image"]
    assert back["limbs"] == space["limbs"] and back["limbs"].start.tolist() == [[0, 1], [0, -2]]
    assert back["touch"] == space["touch"]
    numb = spaces.Dict(skin=spaces.Tuple((spaces.MultiBinary((3, 2)), spaces.Discrete(3))))
    assert "the observation['touch']['skin'][0] is MultiBinary((3, 2))" in str(
        differs(space, spaces.Dict({**space.spaces, "touch": numb}))
    )
    other = spaces.Dict({**space.spaces, "limbs": spaces.MultiDiscrete([[3, 4], [5, 7]])})
    assert "the observation['limbs'] is MultiDiscrete(" in str(differs(space, other))
    assert differs(space, spaces.Dict({**space.spaces, "heading": spaces.Discrete(4)})) == (
        "the observation['heading'] is Discrete(4), not Discrete(4, start=-1)"
    )
    with pytest.raises(CortexError, match="cannot be saved"):
        encode(spaces.Sequence(spaces.Discrete(3)))
    for damaged in (None, {}, {"kind": "box"}, {"kind": "pickle"}, {"kind": "discrete", "n": -1, "start": 0}, FEW):
        with pytest.raises(CortexError, match=r"damaged|unknown kind"):
            decode(damaged)
