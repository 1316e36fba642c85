"""Peers that are no deep reinforcement learning: each learns a small game, and keeps the contract of a life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from scipy import sparse

from cortex.envs.make import make_vector
from cortex.measure.protocol import Played
from cortex.types import Array, CortexError
from experiments.baselines import boosting, episodic, evolution, filtered_bc, monolith, tree
from experiments.baselines.loop import Episode, Now, draw, exam, living, load_episodes, save_episodes, wake

pytest.importorskip("sklearn")

SPACE = spaces.MultiDiscrete([5, 2])
"""A place in the corridor and a sign that tells which of its ends pays."""
ACTIONS = spaces.Discrete(3)
LIMIT = 12


class Corridor(VectorEnv[Any, Any, Any]):
    """Left, right or stay from the middle of five places: reward 1 at the end that the sign names, 0 at the other."""

    def __init__(self, bodies: int) -> None:
        self.num_envs = bodies
        self.single_observation_space, self.single_action_space = SPACE, ACTIONS
        self.observation_space, self.action_space = batch_space(SPACE, bodies), batch_space(ACTIONS, bodies)
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.asked = 0  # actions that moved something

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.rng = np.random.default_rng(seed)
        self.ended = np.ones(self.num_envs, bool)
        self.place, self.sign, self.clock = (np.zeros(self.num_envs, np.int64) for _ in range(3))
        self._begin()
        self.ended[:] = False
        return self._seen(), {"success": np.zeros(self.num_envs, bool)}

    def step(self, actions: Any) -> Any:
        fresh = self.ended.copy()
        self.asked += int((~fresh).sum())
        self.place = np.where(fresh, self.place, np.clip(self.place + np.array([-1, 1, 0])[actions], 0, 4))
        self.clock += 1
        self._begin()
        success = ~fresh & (self.place == 4 * self.sign)
        terminated = ~fresh & np.isin(self.place, (0, 4))
        truncated = ~fresh & ~terminated & (self.clock >= LIMIT)
        self.ended = terminated | truncated
        return self._seen(), success.astype(float), terminated, truncated, {"success": success}

    def _begin(self) -> None:
        self.place[self.ended], self.clock[self.ended] = 2, 0
        self.sign[self.ended] = self.rng.integers(2, size=int(self.ended.sum()))

    def _seen(self) -> Array:
        return np.stack([self.place, self.sign], axis=1)


SETTINGS: dict[str, dict[str, str]] = {
    "episodic": {},
    "filtered_bc": {"every": "200", "keep": "60", "width": "32", "sleep.steps": "100"},
    "monolith": {"sleep.steps": "80", "context": "16", "width": "32", "learning_rate": "0.005"},
    "evolution": {},
    "tree": {},
    "boosting": {"every": "300", "trees": "10", "columns": "32"},
}
FILES: dict[str, Any] = {
    p.__name__.split(".")[-1]: p for p in (episodic, filtered_bc, monolith, evolution, tree, boosting)
}
STEPS = {"evolution": 3000}
"""Actions of the first day; 1000 for the others."""
each = pytest.mark.parametrize("name", SETTINGS)


def make(name: str, seed: int = 0, **more: str) -> Any:
    return FILES[name].make(SPACE, ACTIONS, seed, **SETTINGS[name], **more)


def ignore(played: Played) -> None:
    pass


def won(played: list[Played]) -> float:
    return float(np.mean([one.success for one in played]))


@pytest.fixture(scope="module")
def grown() -> dict[str, Any]:
    """One learner of each kind that lived a day and a night."""
    learners = {name: make(name) for name in SETTINGS}
    for name, learner in learners.items():
        learner.live(Corridor(1), STEPS.get(name, 1000), 1, ignore)
        learner.sleep(2)
    return learners


def saved(learner: Any, folder: Path) -> dict[str, bytes]:
    learner.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@each
def test_it_learns_the_corridor(name: str, grown: dict[str, Any]) -> None:
    """Seed 0 of each; of seeds 0 to 7 all do, but one of evolution's."""
    assert won(make(name).play(Corridor(8), 200, 3)) < 0.6
    assert won(grown[name].play(Corridor(8), 200, 3)) > 0.85


@each
def test_habit_is_what_the_weights_know(name: str, grown: dict[str, Any]) -> None:
    """Tables are memory and go; all others hold what they learned in weights."""
    score = won(grown[name].play(Corridor(8), 200, 3, habit=True))
    assert score < 0.6 if name == "episodic" else score > 0.85


@each
def test_playing_teaches_nothing(name: str, grown: dict[str, Any], tmp_path: Path) -> None:
    learner = grown[name]
    before = saved(learner, tmp_path / "before")
    for habit in (False, True):
        learner.play(Corridor(4), 20, 4, habit)
    assert saved(learner, tmp_path / "after") == before


@each
def test_a_loaded_learner_lives_on_as_the_saved_one(name: str, grown: dict[str, Any], tmp_path: Path) -> None:
    lives = []
    grown[name].save(tmp_path)
    for _ in range(2):
        learner = make(name)
        learner.load(tmp_path)
        assert learner.cost() == grown[name].cost()
        day: list[Played] = []
        exam = learner.play(Corridor(3), 10, 5)
        learner.live(Corridor(2), 150, 6, day.append)
        learner.sleep(7)
        lives.append((exam, day, learner.play(Corridor(3), 10, 8), learner.cost()))
    assert lives[0] == lives[1]
    assert lives[0][0] == grown[name].play(Corridor(3), 10, 5)


@each
def test_clearing_empties_the_memory_alone(name: str, grown: dict[str, Any], tmp_path: Path) -> None:
    grown[name].save(tmp_path / "whole")
    learner = make(name)
    learner.load(tmp_path / "whole")
    cost = learner.cost()
    learner.clear()
    assert cost.bytes_memory > 0 and learner.cost().bytes_memory == 0
    assert learner.cost().bytes_weights == cost.bytes_weights > 0
    learner.save(tmp_path / "cleared")
    again = make(name)
    again.load(tmp_path / "cleared")
    scores = [won(one.play(Corridor(8), 100, 9)) for one in (learner, again)]
    assert scores[0] == scores[1]
    assert scores[0] < 0.6 if name == "episodic" else scores[0] > 0.85


@each
@pytest.mark.parametrize("bodies", [1, 3])
def test_every_action_counts_once(name: str, bodies: int) -> None:
    corridor = Corridor(bodies)
    day: list[Played] = []
    lived = make(name).live(corridor, 100, 1, day.append)
    assert corridor.asked == lived and 100 <= lived < 100 + bodies
    assert [one.steps for one in day] == sorted(one.steps for one in day) and day[-1].steps <= lived
    assert lived - bodies * LIMIT <= sum(one.length for one in day) <= lived
    assert all(one.reward == one.success for one in day)


@each
def test_minigrid_is_lived_too(name: str, tmp_path: Path) -> None:
    pytest.importorskip("minigrid")
    bodies = make_vector("MiniGrid-Empty-5x5-v0", 2, 0, held_out=0)
    spaces_of = bodies.single_observation_space, bodies.single_action_space
    learner = FILES[name].make(*spaces_of, 0, **SETTINGS[name])
    assert 200 <= learner.live(bodies, 200, 1, ignore) < 202
    learner.sleep(2)
    assert len(learner.play(bodies, 3, 3)) == 3
    learner.save(tmp_path)
    bodies.close()


def test_the_monolith_learns_by_night_alone(tmp_path: Path) -> None:
    learner = make("monolith")
    weights = saved(learner, tmp_path / "born")["network.safetensors"]
    learner.live(Corridor(1), 200, 1, ignore)
    assert saved(learner, tmp_path / "evening")["network.safetensors"] == weights and learner.cost().updates == 0
    learner.sleep(2)
    assert saved(learner, tmp_path / "morning")["network.safetensors"] != weights and learner.cost().updates == 80


def test_the_monolith_reads_no_future() -> None:
    """Tokens that come later change no answer before them."""
    torch = pytest.importorskip("torch")
    network = make("monolith").network
    torch.nn.init.normal_(network.answer.weight)
    tokens = torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(0))
    other = tokens.clone()
    other[:, 5:] *= -1
    with torch.inference_mode():
        (one, _), (two, _) = network(tokens), network(other)
    assert torch.allclose(one[:, :5], two[:, :5], atol=1e-5) and not torch.allclose(one[:, 5:], two[:, 5:], atol=1e-5)


def test_the_monolith_keeps_the_day_in_its_context(grown: dict[str, Any], tmp_path: Path) -> None:
    """Until the night; saved and loaded it is the same, and nothing of it is left where memory is cleared."""
    grown["monolith"].save(tmp_path / "morning")
    learner, loaded = make("monolith"), make("monolith")
    learner.load(tmp_path / "morning")
    learner.live(Corridor(1), 40, 1, ignore)
    learner.save(tmp_path / "evening")
    loaded.load(tmp_path / "evening")
    assert len(loaded.recent) == 16 and loaded.recent.abs().sum() > 0

    def plays(one: Any, habit: bool) -> list[Played]:
        return one.play(Corridor(2), 40, 2, habit)

    whole, habit = plays(learner, False), plays(learner, True)
    assert whole == plays(loaded, False) != habit == plays(loaded, True)
    learner.clear()
    assert plays(learner, False) == habit
    loaded.sleep(3)
    assert plays(loaded, False) == plays(loaded, True)


def test_the_elite_is_what_plays(grown: dict[str, Any], tmp_path: Path) -> None:
    grown["evolution"].save(tmp_path)
    learner = make("evolution")
    learner.load(tmp_path)
    learner.genomes[1:] = 0
    assert won(learner.play(Corridor(8), 200, 3)) > 0.85


def test_a_full_table_forgets_what_was_used_longest_ago() -> None:
    learner = episodic.make(SPACE, ACTIONS, 0, capacity="2")
    for place, reward in [(0, 1.0), (1, 2.0), (0, 1.0), (2, 3.0)]:
        learner._learn(episode([reward], place=place))
    assert sorted(learner.value[0]) == [1.0, 3.0] and list(learner.count) == [2, 0, 0]
    looked_at = learner.see(np.array([[0, 0]])) @ learner.projection
    learner.neighbours = 1
    learner._values(looked_at, touch=True)
    learner._learn(episode([4.0], place=3))
    assert sorted(learner.value[0]) == [1.0, 4.0]


def test_an_exact_memory_overrides_its_neighbours() -> None:
    """Staying at the start was never followed by a win as quick as the best action's; the table knows both exactly."""
    learner = episodic.make(SPACE, ACTIONS, 0, epsilon="1.0")
    learner.live(Corridor(1), 800, 1, ignore)
    start = learner.see(np.array([[2, 0], [2, 1]])) @ learner.projection
    values = learner._values(start, touch=False)
    assert np.allclose(values[0], [0.97, 0.97**3, 0.97**2]) and np.allclose(values[1], [0.97**3, 0.97, 0.97**2])


def episode(reward: list[float], success: bool = False, place: int = 0) -> Episode:
    """One that stays in one place and does action 0."""
    steps = len(reward)
    seen = sparse.csr_array(
        np.tile(np.eye(7, dtype=np.float32)[place] + np.eye(7, dtype=np.float32)[5], (steps + 1, 1))
    )
    return Episode(seen, np.zeros(steps, np.int64), np.array(reward, np.float32), True, success, 0, 0)


def test_cloning_keeps_wins_before_rewards_and_quick_wins_before_slow_ones() -> None:
    rich, slow, quick = episode([5.0]), episode([0.0, 0.0, 1.0], True), episode([0.0, 1.0], True)
    assert filtered_bc.best([rich, slow, quick], 2, 0.97) == [quick, slow]
    assert filtered_bc.best([episode([0.0]), rich], 1, 0.97) == [rich]


def test_cloning_imitates_nobody_where_all_did_equally_badly() -> None:
    """Cloning chance would only make it narrower."""

    class Barren(Corridor):
        def step(self, actions: Any) -> Any:
            observation, _, *ends, _ = super().step(actions)
            return observation, np.zeros(1), *ends, {"success": np.zeros(1, bool)}

    learner = filtered_bc.make(SPACE, ACTIONS, 0, every="100")
    learner.live(Barren(1), 300, 1, ignore)
    learner.sleep(2)
    assert learner.cost().updates == 0 and learner.cost().bytes_memory == 0


def test_returns_are_discounted_from_the_end() -> None:
    assert np.allclose(episode([1.0, 0.0, 2.0]).returns(0.5), [1.5, 1.0, 2.0])


def test_an_episode_begins_at_its_beginning() -> None:
    """Neither the view that ends an episode nor the step that begins the next one gets into its neighbour."""
    rng = np.random.default_rng(0)

    def act(now: Now) -> Array:
        assert not (now.first & now.idle).any() and (now.action[now.first] == -1).all()
        assert not now.reward[now.first].any()
        return draw(np.full((3, 3), 1 / 3), rng)

    def see(values: Array) -> Array:
        return values.astype(np.float32)

    found = []
    for total, finished in living(Corridor(3), see, act, 0):
        found += [one for one, _ in finished]
        if total > 300:
            break
    assert len(found) > 30
    for one in found:
        places = one.seen.toarray()[:, 0]
        assert places[0] == 2 and len(places) == len(one.action) + 1 == len(one.reward) + 1
        assert (places[1:] == np.clip(places[:-1] + np.array([-1, 1, 0])[one.action], 0, 4)).all()
        assert one.success == (one.reward[-1] == 1) and not one.reward[:-1].any()


def test_episodes_come_back_as_they_were_saved(tmp_path: Path) -> None:
    kept = [episode([0.0, 1.0], True, place=1), episode([2.0], place=2), episode([0.0] * 3, place=3)]
    save_episodes(tmp_path / "kept.npz", kept)
    save_episodes(tmp_path / "none.npz", [])
    found = load_episodes(tmp_path / "kept.npz")
    assert load_episodes(tmp_path / "none.npz") == [] and len(found) == 3
    for one, two in zip(kept, found):
        assert (one.seen.toarray() == two.seen.toarray()).all() and (one.reward == two.reward).all()
        assert (one.success, one.terminated, one.nbytes) == (two.success, two.terminated, two.nbytes)


def test_an_exam_asks_every_body_the_same() -> None:
    """The first to end are the short ones: without quotas, bodies that take long would hardly be counted."""

    def act(now: Now) -> Array:
        return np.array([2, 1, 1, 1])  # one body stays until the clock ends it

    played = exam(Corridor(4), np.asarray, act, 10, 0)
    assert sorted(one.length for one in played) == [2] * 7 + [LIMIT] * 3
    assert exam(Corridor(4), np.asarray, act, 0, 0) == []


def test_no_steps_are_no_day() -> None:
    assert wake(Corridor(2), np.asarray, lambda now: np.zeros(2), print, 0, 0, ignore) == 0


@each
def test_mistakes_are_told_in_a_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(CortexError, match="no setting 'capacitty'"):
        make(name, capacitty="3")
    with pytest.raises(CortexError, match="Discrete"):
        FILES[name].make(SPACE, SPACE, 0)
    with pytest.raises(CortexError, match=str(tmp_path)):
        make(name).load(tmp_path)


def test_a_setting_is_a_number() -> None:
    with pytest.raises(CortexError, match=r"'many'.*whole number"):
        episodic.make(SPACE, ACTIONS, 0, capacity="many")
    with pytest.raises(CortexError, match=r"'-1'.*a number"):
        episodic.make(SPACE, ACTIONS, 0, epsilon="-1")
