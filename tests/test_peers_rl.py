"""Deep learners as peers: what they see, that no step is lost or invented on the way to them, and that they learn."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from cortex.envs.bodies import Bodies
from cortex.envs.make import make_vector
from cortex.measure.protocol import Played
from cortex.types import CortexError
from experiments.baselines.features import Features

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from experiments.baselines import adaptor, dqn, ppo, random, recurrent_ppo
from experiments.baselines.adaptor import Adaptor

LEARNERS = {"ppo": ppo, "dqn": dqn, "recurrent_ppo": recurrent_ppo}
SMALL: dict[str, dict[str, str]] = {
    "ppo": {"n_steps": "64", "batch_size": "64", "n_epochs": "4", "width": "16", "learning_rate": "0.02"},
    "dqn": {"learning_starts": "50", "width": "16", "learning_rate": "0.003", "target_updates": "25"},
    "recurrent_ppo": {"n_steps": "64", "batch_size": "64", "n_epochs": "4", "width": "16", "learning_rate": "0.02"},
}


class Clock(gymnasium.Env[Any, Any]):
    """Shows its body, episode and step; episodes of 2, 3, 4, 2... steps, or all of ``length``; every other one is cut.

    Each counts the steps that were really taken in it.
    """

    observation_space = spaces.Dict(
        step=spaces.Box(-np.inf, np.inf, (3,), np.float64), text=spaces.Text(20, charset="begun on")
    )
    action_space = spaces.Discrete(2)

    def __init__(self, body: int = 0, length: int | None = None) -> None:
        self.body, self.length, self.episode, self.taken = body, length, -1, 0

    def see(self) -> dict[str, Any]:
        return {
            "step": np.array([self.body, self.episode, self.step_now], np.float64),
            "text": "on" if self.step_now else "begun",
        }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.episode += 1
        self.step_now = 0
        return self.see(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.step_now += 1
        self.taken += 1
        over = self.step_now == (self.length or 2 + (self.episode + self.body) % 3)
        cut = over and self.episode % 2 == 1
        return self.see(), float(self.step_now), over and not cut, cut, {"success": over and not cut}


class Cue(gymnasium.Env[Any, Any]):
    """Two steps, each won by the action that equals the cue; ``hidden`` shows it in the first observation only, and
    there pays the second step alone."""

    action_space = spaces.Discrete(2)

    def __init__(self, hidden: bool = False, flipped: bool = False) -> None:
        self.observation_space = spaces.Discrete(3)
        self.hidden, self.flipped = hidden, flipped

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.cue, self.clock, self.right = int(self.np_random.integers(2)), 0, 0
        return self.cue, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.clock += 1
        good = int(action == self.cue) != self.flipped
        counted = good and not (self.hidden and self.clock == 1)
        self.right += counted
        won = self.clock == 2 and self.right == (1 if self.hidden else 2)
        seen = 2 if self.hidden else self.cue
        return seen, float(counted), self.clock == 2, False, {"success": won}


def clocks(count: int, mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    return SyncVectorEnv([lambda body=body: Clock(body) for body in range(count)], autoreset_mode=mode)  # type: ignore[misc]


def cues(count: int = 1, **settings: bool) -> Bodies:
    return Bodies([lambda: Cue(**settings) for _ in range(count)])


def made(name: str, bodies: VectorEnv[Any, Any, Any], **settings: str) -> Any:
    given = {**SMALL[name], **settings}
    return LEARNERS[name].make(bodies.single_observation_space, bodies.single_action_space, 0, **given)


def success(played: list[Played]) -> float:
    return float(np.mean([episode.success for episode in played]))


# What they see


def test_features_of_a_novel_game_are_one_hot_but_for_the_clock() -> None:
    space = spaces.Dict(
        grid=spaces.Box(0, 31, (3, 2, 1), np.uint8), body=spaces.MultiDiscrete([6, 101]), text=spaces.Text(40)
    )
    features = Features(space)
    grid = np.array([[[0], [31]], [[5], [1]], [[0], [0]]], np.uint8)[None]
    seen = features({"grid": grid, "body": np.array([[4, 50]]), "text": ("push the kettle",)})
    assert features.size == 7 + 3 * 2 * 32 + 64 and seen.shape == (1, features.size) and seen.dtype == np.float32
    body, cells, words = seen[0, :7], seen[0, 7:-64].reshape(6, 32), seen[0, -64:]
    assert body.tolist() == [0, 0, 0, 0, 1, 0, 0.5]
    assert cells.argmax(1).tolist() == [0, 31, 5, 1, 0, 0] and (cells.sum(1) == 1).all()
    assert words.sum() == 3
    assert set(np.unique(seen[:, features.binary])) == {0, 1} and (~features.binary).sum() == 1


def test_features_of_minigrid_equal_the_planes_of_its_symbols() -> None:
    bodies = make_vector("MiniGrid-DoorKey-5x5-v0", 2, seed=0)
    observation, _ = bodies.reset(seed=0)
    features = Features(bodies.single_observation_space)
    seen = features(observation)
    for body in range(2):
        one = {key: observation[key][body] for key in ("image", "direction")}
        planes, heading = np.split(ppo.one_hot(one), [-4])
        assert (seen[body, :4] == heading).all() and (seen[body, 4 : 4 + len(planes)] == planes).all()
    bodies.close()


def test_words_are_the_same_features_in_any_order_and_always() -> None:
    features = Features(spaces.Text(40))
    one, other, third = features(["go to the Key", "the key: go to", "go to the door"])
    assert (one == other).all() and (one != third).any()
    assert np.flatnonzero(features(["key"])[0]).tolist() == [41]  # crc32, not the salted hash of this process


def test_numbers_stay_small_and_pixels_are_brightness() -> None:
    box = spaces.Box(np.array([-4.0, -np.inf], np.float32), np.array([4.0, np.inf], np.float32))
    seen = Features(box)(np.array([[2.0, 1e9], [-4.0, 0.0]]))
    assert np.allclose(seen, [[0.5, np.arcsinh(1e9)], [-1.0, 0.0]])
    pixels = Features(spaces.Box(0, 255, (40, 40, 3), np.uint8))
    assert np.allclose(pixels(np.full((2, 40, 40, 3), 51, np.uint8)), 0.2) and pixels.size == 4800


def test_features_refuse_what_they_cannot_turn_into_numbers() -> None:
    with pytest.raises(CortexError, match=r"'a' is a Graph; Box, .* would do"):
        Features(spaces.Dict(a=spaces.Graph(spaces.Discrete(2), None)))
    with pytest.raises(CortexError, match=r"shape \(1, 3\); \('B', 2\) would do"):
        Features(spaces.Box(0, 1, (2,)))(np.zeros((1, 3)))


# On the way to them


@pytest.mark.parametrize(
    ("count", "mode"),
    [(1, AutoresetMode.NEXT_STEP), (1, AutoresetMode.SAME_STEP), (3, AutoresetMode.NEXT_STEP)]
    + [(3, AutoresetMode.SAME_STEP)],
)
def test_each_step_reaches_the_learner_once_and_no_other_does(count: int, mode: AutoresetMode) -> None:
    bodies = clocks(count, mode)
    features = Features(bodies.single_observation_space)
    stream = Adaptor(bodies, features, leaves_out=True)
    seen = stream.reset()
    got: list[list[tuple[float, ...]]] = [[] for _ in range(count)]
    ended: list[Played] = []
    for _ in range(40):
        outcome: Any = stream.step(np.zeros(count, np.int64))
        after, reward, done, infos = outcome
        for body in map(int, np.flatnonzero(stream.real)):
            last = infos[body]["terminal_observation"] if done[body] else after[body]
            cut = infos[body].get("TimeLimit.truncated", False)
            got[body].append((*np.sinh(seen[body, :3]), *np.sinh(last[:3]), reward[body], done[body], cut))
            ended += [infos[body]["played"]] if done[body] else []
        # What is no experience pays nothing, and looks like an end: no return runs through it.
        assert done[~stream.real].all() and not reward[~stream.real].any()
        seen = after
    for body in range(count):
        env, wanted = Clock(body), []
        before = env.reset()[0]["step"]
        for _ in got[body]:
            later, pay, over, cut, _ = env.step(0)
            wanted.append((*before, *later["step"], pay, over or cut, cut))
            before = (env.reset()[0] if over or cut else later)["step"]
        assert np.allclose(got[body], wanted, atol=1e-4)
    assert stream.lived == sum(map(len, got)) == sum(env.taken for env in bodies.envs)  # type: ignore[attr-defined]
    assert all(episode.reward == sum(range(episode.length + 1)) for episode in ended)
    assert {episode.success for episode in ended} == {True, False}
    assert [episode.steps for episode in ended] == sorted(episode.steps for episode in ended)


def test_late_resets_reach_only_a_learner_that_leaves_them_out() -> None:
    late, held = clocks(2, AutoresetMode.NEXT_STEP), clocks(1, AutoresetMode.DISABLED)
    features = Features(late.single_observation_space)
    with pytest.raises(CortexError, match="no experience; SAME_STEP, one body, or a learner that leaves"):
        Adaptor(late, features)
    with pytest.raises(CortexError, match="SAME_STEP or NEXT_STEP would do"):
        Adaptor(held, features, leaves_out=True)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_steps_asked_for_are_lived(name: str, count: int) -> None:
    bodies = Bodies([lambda body=body: Clock(body) for body in range(count)])  # type: ignore[misc]
    learner = made(name, bodies)
    ended: list[Played] = []
    lived = learner.live(bodies, 211, 0, ended.append)
    assert 211 <= lived < 211 + count and learner.live(bodies, 1, 1) in range(1, 1 + count)
    assert lived + count == sum(env.taken for env in bodies.envs)  # type: ignore[attr-defined]
    assert ended[-1].steps <= lived and learner.cost().updates > 10


def test_only_experience_is_trained_on() -> None:
    bodies = Bodies([lambda body=body: Clock(body) for body in range(3)])  # type: ignore[misc]
    for name, module in {"ppo": ppo, "recurrent_ppo": recurrent_ppo}.items():
        learner = made(name, bodies)
        shown: list[Any] = []
        original = module.RealRows._get_samples

        def spy(self: Any, *args: Any, original: Any = original, shown: Any = shown) -> Any:
            samples = original(self, *args)
            held = getattr(samples, "mask", np.ones(len(samples.observations))) > 0
            shown.append(np.sinh(np.asarray(samples.observations)[np.asarray(held, bool), :3]).round())
            return samples

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.RealRows, "_get_samples", spy)
            learner.live(bodies, 200, 0)
        body, episode, step = np.concatenate(shown).T
        # In the last observation of an episode no action is ever taken.
        assert len(step) > 200 and (step < 2 + (episode + body) % 3).all()


# That they learn


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("count", [1, 3])
def test_learning_beats_random_and_play_learns_nothing(name: str, count: int, tmp_path: Path) -> None:
    bodies = cues(count)
    learner = made(name, bodies)
    assert success(random.make(spaces.Discrete(3), spaces.Discrete(2), 0).play(bodies, 200, 1)) < 0.4
    learner.live(bodies, 500, 0)
    cost = learner.cost()
    learner.save(tmp_path / "before")
    assert success(learner.play(bodies, 50, 1)) > 0.8
    assert success(learner.play(bodies, 50, 2, habit=True)) > 0.8
    learner.save(tmp_path / "after")
    assert learner.cost() == cost and cost.bytes_weights > 0
    for file in (tmp_path / "before").iterdir():
        assert file.read_bytes() == (tmp_path / "after" / file.name).read_bytes()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_that_was_saved_goes_on_as_if_it_had_not_been(name: str, tmp_path: Path) -> None:
    bodies = cues()
    first = made(name, bodies)
    first.live(bodies, 150, 0)
    first.save(tmp_path)
    second = made(name, bodies)
    second.load(tmp_path)
    lives: list[list[Played]] = [[], []]
    for learner, told in zip((first, second), lives):
        learner.live(bodies, 150, 1, told.append)
        learner.sleep(2)
    assert lives[0] == lives[1] and first.cost() == second.cost()
    assert first.play(bodies, 20, 3) == second.play(bodies, 20, 3)
    assert not any(path.suffix in (".pkl", ".pt", ".zip") for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", LEARNERS)
def test_one_network_lives_through_all_games(name: str) -> None:
    bodies, opposite = cues(), cues(flipped=True)
    learner = made(name, bodies)
    learner.live(bodies, 500, 0)
    learner.live(opposite, 20, 1)
    assert success(learner.play(bodies, 50, 2)) > 0.8 and success(learner.play(opposite, 50, 2)) < 0.2


def test_what_another_game_asks_is_learned_too() -> None:
    bodies, opposite = cues(), cues(flipped=True)
    learner = made("ppo", bodies, ent_coef="0.1", learning_rate="0.01")
    learner.live(bodies, 300, 0)
    learner.live(opposite, 1200, 1)
    assert success(learner.play(opposite, 50, 2)) > 0.8


def test_only_the_recurrent_one_acts_on_a_cue_that_is_gone() -> None:
    bodies = cues(hidden=True)
    for name, low, high in (("ppo", 0.3, 0.75), ("recurrent_ppo", 0.9, 1.0)):
        learner = made(name, bodies)
        learner.live(bodies, 400, 0)
        assert low <= success(learner.play(bodies, 100, 1)) <= high


def test_play_keeps_the_chance_that_each_was_trained_with() -> None:
    bodies = cues()

    def wavering(name: str) -> float:
        """Share of episodes in which the same sight was answered differently; the best action alone never does."""
        learner = made(name, bodies)
        if name == "dqn":
            learner.live(bodies, 400, 0)
        return float(np.mean([episode.reward == 1 for episode in learner.play(bodies, 200, 1)]))

    assert 0.35 < wavering("ppo") < 0.65 and 0.35 < wavering("recurrent_ppo") < 0.65
    assert 0.01 < wavering("dqn") < 0.12


def test_the_memory_of_dqn_lasts_through_games_and_trains_by_night_until_it_is_cleared() -> None:
    bodies = cues()
    learner = made("dqn", bodies, **{"sleep.steps": "40"})
    learner.live(bodies, 100, 0)
    learner.live(bodies, 100, 1)
    held = learner.cost()
    assert len(learner.memory) == 200 and held.bytes_memory > 200
    learner.sleep(2)
    assert learner.cost().updates == held.updates + 40
    learner.clear()
    assert learner.cost().bytes_memory == 0 and learner.cost().bytes_weights == held.bytes_weights
    learner.sleep(3)
    assert learner.cost().updates == held.updates + 40


def test_dqn_without_the_setting_does_nothing_by_night() -> None:
    learner = made("dqn", cues())
    learner.live(cues(), 100, 0)
    before = learner.cost()
    learner.sleep(1)
    assert learner.cost() == before


def test_dqn_remembers_exactly_what_it_saw() -> None:
    bodies = Bodies([lambda body=body: Clock(body) for body in range(3)])  # type: ignore[misc]
    learner = made("dqn", bodies, buffer_size="64", epsilon="1.0")
    lived = learner.live(bodies, 150, 0)
    assert learner.memory.count == lived and len(learner.memory) == 64
    sample = learner.memory.sample(500)
    before, after = np.sinh(sample.observations[:, :3].numpy()), np.sinh(sample.next_observations[:, :3].numpy())
    body, episode, step = before.round().T
    assert np.allclose(after.T, [body, episode, step + 1], atol=1e-4)
    assert np.allclose(sample.rewards[:, 0], step + 1)
    over = (step + 1 == 2 + (episode + body) % 3) & (episode % 2 == 0)
    assert (sample.dones[:, 0].numpy() == over).all() and 0 < over.mean() < 1
    words = Features(bodies.single_observation_space)({"step": np.zeros((2, 3)), "text": ["begun", "on"]})[:, 3:]
    assert (sample.observations[:, 3:].numpy() == words[(step > 0).astype(int)]).all()


# What is asked of all of them


@pytest.mark.parametrize("name", [*LEARNERS, "random"])
def test_every_body_plays_its_share_of_the_episodes(name: str) -> None:
    bodies = Bodies([lambda length=length: Clock(0, length) for length in (1, 2, 30)])  # type: ignore[misc]
    module = importlib.import_module(f"experiments.baselines.{name}")
    learner = module.make(bodies.single_observation_space, bodies.single_action_space, 0)
    played = learner.play(bodies, 7, 0)
    assert [episode.length for episode in played].count(30) == 2 and len(played) == 7
    assert [episode.length for episode in played].count(1) == 3
    assert learner.cost().updates == 0


def test_random_counts_only_its_own_actions() -> None:
    bodies = Bodies([lambda body=body: Clock(body) for body in range(3)])  # type: ignore[misc]
    told: list[Played] = []
    lived = random.make(bodies.single_observation_space, bodies.single_action_space, 0).live(
        bodies, 100, 0, told.append
    )
    assert lived == sum(env.taken for env in bodies.envs) and 100 <= lived < 103  # type: ignore[attr-defined]
    assert all(episode.reward == sum(range(episode.length + 1)) for episode in told)


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_steps_to_a_bar_are_counted_and_censored(name: str) -> None:
    bodies = cues(3)
    steps = adaptor.steps_to(made(name, bodies), bodies, 3000, 0)
    assert steps is not None and 20 <= steps <= 3000
    assert adaptor.steps_to(made(name, bodies), bodies, 30, 0, wins=10) is None


def test_settings_that_do_not_exist_or_fit_are_refused() -> None:
    with pytest.raises(CortexError, match="no setting 'learning_rates'; the nearest of its own is 'learning_rate'"):
        made("ppo", cues(), learning_rates="1")
    with pytest.raises(CortexError, match="width='wide' does not fit"):
        made("dqn", cues(), width="wide")
    with pytest.raises(CortexError, match="a Discrete space would do"):
        dqn.make(spaces.Discrete(3), spaces.Box(0, 1, (2,)), 0)


def test_a_folder_of_another_network_is_refused(tmp_path: Path) -> None:
    made("ppo", cues()).save(tmp_path)
    with pytest.raises(CortexError, match="another network"):
        made("ppo", cues(), width="8").load(tmp_path)
    with pytest.raises(CortexError, match="a folder into which this peer was saved would do"):
        made("ppo", cues()).load(tmp_path / "nowhere")
