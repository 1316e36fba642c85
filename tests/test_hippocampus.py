"""The hippocampus finds what is nearest, forgets by rank, is silent without capacity, and follows from its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex
from cortex import face
from cortex.day import live_day, living
from cortex.envs.make import make_vector
from cortex.keep import awaken
from cortex.modules.hippocampus import body as own
from cortex.modules.hippocampus.events import FEATURES
from cortex.modules.hippocampus.forgetting import forgotten, retention
from cortex.modules.hippocampus.scenes import Scenes
from cortex.modules.hippocampus.situations import Situations
from cortex.replay import fold, moments, relearn, relearn_worlds
from cortex.types import UNSEEN, Array, Percept

TASKS = ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-GoToDoor-5x5-v0"]


def live(agent: cortex.Agent, steps: int, seed: int) -> None:
    live_day(agent, agent.bodies, steps, seed, np.random.default_rng(seed))


@pytest.fixture(scope="module", params=TASKS)
def agent(request: pytest.FixtureRequest) -> cortex.Agent:
    """One that lived until it knows its body, and then a stretch in which every statistic was counted as it came."""
    made = cortex.Agent.make(request.param, "life.bodies=8", "planner.simulations=128", seed=0)
    live(made, 500, 1)
    assert made.hippocampus.own_body.rigid.resolved and made.hippocampus.own_body.motions(0).along
    relearn(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "PAIRS", 0)  # the body schema is settled
        live(made, 300, 2)
    return made


def statistics(agent: cortex.Agent) -> dict[str, Any]:
    """All that the hippocampus knows, under names that do not depend on the order in which it was learned."""
    brain = agent.hippocampus
    scenes, worlds = brain.scenes, brain.worlds
    name = scenes.identity
    rows = {name[entry]: entry for entry in range(len(scenes))}
    return {
        "interactions": {
            (s, *key): dict(counts) for s, w in enumerate(worlds) for key, counts in w.interactions.outcomes.items()
        },
        "events": {
            (s, *w.events.features[at].tolist()): w.events.counts[at]
            for s, w in enumerate(worlds)
            for at in range(len(w.events))
        },
        "walked": {(s, code): times for s, w in enumerate(worlds) for code, times in w.walked.items()},
        "shows": {s: w.shows for s, w in enumerate(worlds)},
        "episodes": {s: sorted(w.episodes) for s, w in enumerate(worlds)},
        "follows": {
            (name[entry], action): {name[after]: times for after, times in counts.items()}
            for (entry, action), counts in scenes.follows.items()
        },
        "ends": {(name[entry], action): sums for (entry, action), sums in scenes.ends.items()},
        "returns": {key: scenes.returns[entry] for key, entry in rows.items()},
        "tried": {key: scenes.tried[entry] for key, entry in rows.items()},
        "row": {key: int(scenes.row[entry]) for key, entry in rows.items()},
        "latent": {key: scenes.index.reconstruct(entry) for key, entry in rows.items()},
        "situations": dict(enumerate(np.column_stack([brain.situations.sums, brain.situations.counts]))),
        "palettes": dict(enumerate(brain.situations.palettes)),
        "reward": {"largest": brain.largest_reward, **{str(s): w.events.worth for s, w in enumerate(worlds)}},
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for part, table in one.items():
        assert table.keys() == other[part].keys(), part
        for key, value in table.items():
            if isinstance(value, dict):
                assert value == other[part][key], (part, key)
            else:
                np.testing.assert_allclose(value, other[part][key], atol=1e-4, err_msg=f"{part} {key}")


def test_what_was_counted_as_it_came_is_what_the_rows_say(agent: cortex.Agent) -> None:
    online = statistics(agent)
    single = {"situations", "palettes", "shows", "episodes", "walked"}
    assert all(len(table) > (part not in single) for part, table in online.items())
    relearn(agent)
    assert_same(online, statistics(agent))


def test_the_body_is_found_again_from_the_rows(agent: cortex.Agent) -> None:
    known = agent.hippocampus.own_body.motions(0)
    agent.hippocampus.recollect()
    again = agent.hippocampus.own_body.motions(0)
    assert again.resolved
    for name in ("go", "turn", "reach", "facing", "own", "held"):
        np.testing.assert_array_equal(getattr(again, name), getattr(known, name))


def test_with_every_index_deleted_and_rebuilt_the_next_actions_are_the_same(agent: cortex.Agent) -> None:
    def actions() -> Array:
        lives = living(agent, agent.bodies, 5, np.random.default_rng(5))
        return np.array([action for _, (_, action, _, _) in zip(range(25), lives)])

    relearn(agent)
    before = actions()
    agent.hippocampus.clear()
    assert len(agent.hippocampus.scenes) == 0
    relearn(agent)
    np.testing.assert_array_equal(actions(), before)


def test_recall_finds_what_is_nearest(agent: cortex.Agent) -> None:
    brain = agent.hippocampus
    numbers = brain.store.episodes()[:20]
    episodes = [brain.store.read(number) for number in numbers]
    vectors = np.stack([brain.scenes.index.reconstruct(i) for i in range(len(brain.scenes))])
    asked = 0
    for moment in moments(agent, episodes):
        found = brain.recall(Percept(moment.latent), moment.situation)
        exact = np.sort(moment.latent @ vectors.T, axis=1)[:, ::-1][:, : brain.k]
        np.testing.assert_allclose(found.similarity[:, : exact.shape[1]], exact, atol=1e-4)
        assert found.similarity[:, 0].min() > 1 - 1e-4 and found.novelty.max() < 1e-4
        for row in found.rows[:, 0].tolist():
            assert row in brain.store.episodes()
        asked += len(moment.rows)
    assert asked > 50


def test_a_step_recalls_what_was_known_before_it_whenever_it_is_asked() -> None:
    made = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "life.bodies=2", "planner.simulations=0", seed=0)
    brain, novel = made.hippocampus, 0
    for _, (trace, action, outcome, _) in zip(range(40), living(made, made.bodies, 0, np.random.default_rng(0))):
        percept = trace.sensed.percept
        known = brain.recall(percept, trace.situation)
        told = brain.scenes.novelty(trace.state.code, percept.latent)
        made.observe(trace, action, outcome)
        np.testing.assert_allclose(trace.recall.similarity, known.similarity, atol=1e-6)
        np.testing.assert_allclose(trace.recall.novelty, known.novelty, atol=1e-6)
        np.testing.assert_allclose(told, known.novelty, atol=1e-6)
        novel += int((known.novelty > 0.01).sum())
    assert novel > 1


def test_what_actions_led_to_is_the_discounted_return_of_the_rows(agent: cortex.Agent) -> None:
    brain, names = agent.hippocampus, agent.context.names[0]
    relearn(agent)
    sums: dict[tuple[int, int], float] = {}
    for number in brain.store.episodes():
        episode = brain.store.read(number)
        code = (episode.codes.astype(np.int64) * names[: episode.codes.shape[1]]).sum(axis=1)
        power = brain.discount ** np.arange(len(episode.action))
        for t, action in enumerate(episode.action.tolist()):
            later = float((episode.reward[t:] * power[: len(power) - t]).sum())
            sums[int(code[t]), action] = sums.get((int(code[t]), action), 0.0) + later
    for (name, action), total in sums.items():
        assert brain.scenes.returns[brain.scenes.entry[name], action] == pytest.approx(total, abs=1e-3)
    assert max(sums.values()) > 0.5


def test_something_never_seen_is_novel(agent: cortex.Agent) -> None:
    strange = np.random.default_rng(0).standard_normal((4, agent.multimodal.width)).astype(np.float32)
    strange /= np.linalg.norm(strange, axis=1, keepdims=True)
    brain, old = agent.hippocampus, np.zeros(4, np.int32)
    assert brain.recall(Percept(strange), old).novelty.min() > 0.3
    codes = np.full((4, len(agent.senses.layout.modality)), agent.codebook.size + 3)
    begun = np.array([True, True, False, True])
    told = brain.recognise(codes, strange, begun, old)
    assert (told[begun] == len(brain.situations)).all() and told[2] == 0  # another game, where an episode begins
    assert not len(brain.world(int(told[0])).interactions) and brain.world(int(told[0])).events.worth == 0


def test_without_capacity_nothing_is_kept_and_nothing_is_known() -> None:
    silent = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "hippocampus.capacity=0", "life.bodies=4", seed=0)
    live(silent, 300, 0)
    brain = silent.hippocampus
    relearn(silent)
    assert not brain.own_body.motions(0).resolved and not brain.store.episodes() and not len(brain.scenes)
    assert not brain.worlds and not len(brain.situations)
    latent = np.zeros((3, silent.multimodal.width), np.float32)
    found = brain.recall(Percept(latent), np.zeros(3, np.int32))
    assert (found.novelty == 1).all() and not found.tried.any() and not found.value.any() and found.rows.shape == (3, 0)
    assert brain.world(0).interactions.predict(np.zeros(1, int), np.ones((1, 3), int))[2][0] >= 0.5
    assert brain.world(0).events.predict(np.ones((1, len(FEATURES)), int))[2].all()


def test_nothing_of_a_faulty_episode_is_kept() -> None:
    made = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "life.bodies=2", "planner.simulations=0", seed=0)
    trace, action, outcome, _ = next(living(made, made.bodies, 0, np.random.default_rng(0)))
    made.observe(trace, action, outcome)
    made.hippocampus.drop([0])
    made.hippocampus.flush()
    kept = [made.hippocampus.store.read(number) for number in made.hippocampus.store.episodes()]
    assert [episode.body for episode in kept] == [1] and kept[0].truncated and not kept[0].terminated


def test_a_step_that_was_no_experience_leaves_no_row() -> None:
    made = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "life.bodies=2", "planner.simulations=0", seed=0)
    trace, action, outcome, _ = next(living(made, made.bodies, 0, np.random.default_rng(0)))
    made.observe(trace, action, replace(outcome, valid=np.array([False, True])))
    made.hippocampus.flush()
    assert made.hippocampus.store.steps == 1


# Scenes and situations


def unit(*rows: list[float]) -> Array:
    vectors = np.array(rows, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_returns_are_remembered_by_likeness() -> None:
    scenes = Scenes(width=2, actions=3, recall=2)
    assert (scenes.search(unit([1, 0]))[0] == -1).all()
    code, latent = np.array([10, 20]), unit([1, 0], [0, 1])
    scenes.enter(code, code[:, None], latent)
    scenes.credit(np.array([10, 10, 20]), np.array([0, 0, 2]), np.array([1.0, 0.5, -1.0]), row=7)
    rows, entries, similarity = scenes.search(unit([1, 0.05], [0, 1]))
    assert rows.tolist() == [[7, 7], [7, 7]] and entries[:, 0].tolist() == [0, 1]
    value, tried = scenes.value(entries, similarity)
    assert value[0, 0] == pytest.approx(0.75) and value[1, 2] == pytest.approx(-1.0)
    assert value[0, 1] == 0 and tried[0, 1] == 0 and tried[0, 0] > 1.9


def test_what_followed_most_often_is_foretold() -> None:
    scenes = Scenes(width=2, actions=2, recall=1)
    code = np.array([1, 2, 3])
    scenes.enter(code, code[:, None], unit([1, 0], [0, 1], [1, 1]))
    scenes.learn(
        np.array([0, 0, 0]),
        np.array([1, 1, 1]),
        np.array([1.0, 0, 0]),
        np.array([True, False, False]),
        np.array([2, 1, 1]),
    )
    after, reward, end = scenes.predict(1, 1) or (0, 0, 0)
    assert after == 1 and reward == pytest.approx(1 / 3) and end == pytest.approx(1 / 3)
    assert scenes.predict(1, 0) is None and scenes.predict(99, 1) is None


def whole(codes: Array) -> Array:
    """Tokens that are made of one attribute."""
    return np.asarray(codes)[:, None]


def test_known_things_in_other_colours_are_no_other_situation_and_other_things_are() -> None:
    kinds = np.array([[0, 0], [1, 1], [2, 1], [3, 1], [3, 2], [3, 3], [4, 2], [4, 3], [5, 4], [6, 5]])  # kind, colour
    situations, latent = Situations(2, lambda codes: kinds[codes]), unit([1, 0])
    wall, floor, red, green, key = [1] * 9, [2] * 6, [3], [4], [7]
    situations.learn(0, latent[0], np.array(wall + floor + red + green + key + [6]))
    assert situations.recognise(latent, np.array([wall + floor + [5, 5, 6, 6]])).tolist() == [0]
    assert situations.recognise(latent, np.array([[8] * 9 + [9] * 6 + [5, 5, 6, 6]])).tolist() == [1]


def test_episodes_that_begin_alike_belong_to_one_situation() -> None:
    situations, none = Situations(2, whole), np.zeros((2, 0), np.int32)  # without a grid
    assert situations.recognise(unit([1, 0], [0, 1]), none).tolist() == [0, 0]
    situations.learn(0, unit([1, 0])[0], none[0])
    assert situations.recognise(unit([1, 0.1], [0, 1]), none).tolist() == [0, 1]
    situations.learn(1, unit([0, 1])[0], none[1])
    assert situations.recognise(unit([1, 0.1], [0.1, 1]), none).tolist() == [0, 1]


def test_what_was_forgotten_altogether_hinders_nothing() -> None:
    situations, latent = Situations(2, whole), unit([1, 0])
    situations.learn(2, latent[0], np.array([1] * 9 + [2] * 6))  # of 0 and 1 no episode is left
    assert situations.recognise(latent, np.array([[1] * 9 + [2] * 6])).tolist() == [2]
    assert situations.recognise(latent, np.array([[3] * 15])).tolist() == [3]
    assert situations.recognise(latent, np.array([[3] * 15]), free=5).tolist() == [5]


def test_a_new_game_does_not_inherit_what_is_left_of_one_whose_rows_were_all_given_up() -> None:
    agent = cortex.Agent.make(novel(5), "planner.simulations=64", seed=0)
    memory = agent.hippocampus
    for game in (5, 8):
        live_day(agent, make_vector(novel(game), 1, 0, held_out=0), 120, game, np.random.default_rng(game))
        memory.flush()
    assert len(memory.worlds) == 2
    rows = {number: memory.store.read(number).situation for number in memory.store.episodes()}
    gone = [number for number, situation in rows.items() if situation == 1]
    memory.keep_gists(fold(agent, gone))
    memory.store.delete(gone)
    awaken(agent)
    assert 1 in memory.gists and memory.familiar(np.array([0, 1])).tolist() == [False, False]
    first = agent.senses.batch(novel(6).reset(seed=9)[0])
    assert agent.recognise(first).tolist() == [2], "its number is its own"


@pytest.mark.parametrize("difficulty", [1, 3])
def test_another_palette_is_another_situation_and_another_layout_is_not(difficulty: int) -> None:
    games = [novel(game, difficulty) for game in range(16)]
    first = [[env.reset(seed=seed)[0]["grid"][..., 0].ravel() for seed in (1, 2, 3, 4)] for env in games]
    assert all(len({view.tobytes() for view in views}) == 4 for views in first), "every episode has its own layout"
    situations, latent = Situations(2, whole), unit([1, 0])
    for episode in range(4):
        for game, views in enumerate(first):
            cells = views[episode].astype(np.int64)
            assert situations.recognise(latent, cells[None]).tolist() == [game], (episode, game)
            situations.learn(game, latent[0], cells)
    assert len(situations) == 16
    both = np.stack([views[0] for views in first]).astype(np.int64)
    assert situations.recognise(np.repeat(latent, 16, axis=0), both).tolist() == list(range(16))


def test_games_of_like_walls_and_floors_are_told_apart_by_their_things() -> None:
    games = [
        novel(game, 1) for game in (6000, 6001, 6003, 6006, 6009, 6012, 6033)
    ]  # the first and the last share wall and floor
    first = [[env.reset(seed=seed)[0]["grid"][..., 0].ravel().astype(np.int64) for seed in range(8)] for env in games]
    situations, latent = Situations(2, whole), unit([1, 0])
    for game, views in enumerate(first):
        for cells in views[:6]:
            assert situations.recognise(latent, cells[None]).tolist() == [game]
            situations.learn(game, latent[0], cells)
    pruned = Situations(2, whole)  # of the first game one episode is left, and the last was never met
    for game, views in enumerate(first[:6]):
        for cells in views[: 6 if game else 1]:
            pruned.learn(game, latent[0], cells)
    for game, views in enumerate(first):
        assert pruned.recognise(latent, views[7][None]).tolist() == [game]


def test_walls_and_floors_that_explain_more_than_all_do_not_outweigh_other_things() -> None:
    situations, latent = Situations(2, whole), unit([1, 0])

    def room(wall: int, floor: int, things: range) -> Array:
        return np.array([9] * floor + [59] * wall + list(things))

    for wall in (17, 18):
        situations.learn(0, latent[0], room(wall, 24, range(160, 168)))
    for game in range(1, 4):  # nothing ever differs in which things are there
        for _ in range(4):
            situations.learn(game, latent[0], np.array([100 * game] * 41 + list(range(100 * game + 1, 100 * game + 9))))
    other = room(24, 22, range(66, 69))
    assert situations.recognise(latent, other[None]).tolist() == [4]
    assert situations.recognise(latent, room(24, 22, range(160, 168))[None]).tolist() == [0]


def test_what_is_unseen_is_no_part_of_a_palette() -> None:
    situations, latent = Situations(2, whole), unit([1, 0])
    cells = np.array([[1] * 12 + [2] * 6 + [3, 4] + [UNSEEN] * 20, [UNSEEN] * 18 + [1] * 14 + [2] * 6 + [3, 4]])
    situations.learn(0, latent[0], cells[0])
    assert situations.recognise(latent, cells[1:]).tolist() == [0]
    other = np.array([[7] * 12 + [8] * 6 + [3, 5] + [UNSEEN] * 20])
    assert situations.recognise(latent, other).tolist() == [1]


# Games in which the view stays


def novel(game: int, difficulty: int = 0) -> Any:
    return gymnasium.make("cortex/NovelGame-v0", game_seed=game, difficulty=difficulty, text="none")


@pytest.fixture(scope="module")
def player() -> cortex.Agent:
    """One that lived in one novel game."""
    made = cortex.Agent.make(lambda: novel(5), "life.bodies=4", "planner.simulations=64", "life.held_out=0", seed=0)
    live(made, 600, 1)
    return made


def test_the_body_is_found_in_a_view_that_stays_and_the_map_is_true(player: cortex.Agent) -> None:
    brain = player.hippocampus
    assert len(brain.situations) == 1 == len(brain.worlds) and len(brain.world(0).episodes) > 3
    motions = brain.own_body.motions(0)
    assert motions.resolved and not motions.along and not brain.own_body.rigid.resolved
    lives, asked = living(player, player.bodies, 2, np.random.default_rng(2)), 0
    for _, (trace, _, _, _) in zip(range(40), lives):
        place = trace.state.place
        assert place is not None
        at = player.codebook.decode(trace.state.codes)
        assert at.shape[0] == 4
        view = trace.state.codes[:, brain.grid]
        mine = np.isin(view, motions.selves[motions.selves != UNSEEN])
        for body in np.flatnonzero(mine.sum(axis=1) == 1):
            cell = player.senses.layout.position[brain.grid][mine[body]][0].astype(int)
            assert place.pose[body, :2].tolist() == cell.tolist()
            asked += 1
    assert asked > 120


def test_statistics_of_a_view_that_stays_follow_from_the_rows_too(player: cortex.Agent) -> None:
    relearn(player)
    before = statistics(player)
    live(player, 200, 3)
    online = statistics(player)
    assert len(online["events"]) >= len(before["events"]) and len(online["interactions"]) > 5
    relearn(player)
    assert_same(online, statistics(player))


def test_relearning_one_situation_leaves_what_is_known_as_it_was(player: cortex.Agent) -> None:
    relearn(player)
    before = statistics(player)
    relearn_worlds(player, [0])
    assert_same(before, statistics(player))


def test_the_schema_of_a_view_that_stays_is_found_again_from_the_rows(player: cortex.Agent) -> None:
    known = player.hippocampus.own_body.motions(0)
    player.hippocampus.recollect()
    relearn(player)
    again = player.hippocampus.own_body.motions(0)
    assert again.resolved and set(again.selves.tolist()) == set(known.selves.tolist())
    np.testing.assert_array_equal(again.go[:, :4][again.selves != UNSEEN], known.go[:, :4][known.selves != UNSEEN])


def test_what_the_agent_looks_like_outlives_the_rows_that_showed_it(player: cortex.Agent) -> None:
    whole = set(player.hippocampus.own_body.motions(0).selves.tolist())

    def pruned(keeping: bool) -> set[int]:
        """The guises that are known when only the shortest episode is left."""
        brain = face.lesioned(player, apart=True).hippocampus
        lengths = {number: len(brain.store.read(number).action) for number in brain.store.episodes()}
        if keeping:
            brain.keep_gists({})
        brain.store.delete(sorted(lengths, key=lambda number: lengths[number])[1:])
        brain.recollect()
        return set(brain.own_body.motions(0).selves.tolist())

    assert pruned(True) == whole != pruned(False)


def test_what_another_game_looks_like_opens_a_world_of_its_own(player: cortex.Agent) -> None:
    brain = player.hippocampus
    views = [novel(game).reset(seed=9)[0] for game in (5, 5, 6, 8)]
    batch: dict[str, Any] = {key: np.stack([view[key] for view in views]) for key in views[0] if key != "text"}
    if "text" in views[0]:
        batch["text"] = [view["text"] for view in views]
    scene = player.senses(batch)
    codes, latent = player.codebook.encode(scene.tokens, scene.mask), player.multimodal(scene).latent
    told = brain.recognise(codes, latent, np.ones(4, bool), np.zeros(4, np.int32))
    assert told.tolist() == [0, 0, 1, 1]  # the next free number, until an episode of it was lived
    assert (
        not brain.own_body.motions(1).resolved
        and not len(brain.world(1).interactions)
        and len(brain.world(0).interactions)
    )


# Forgetting


@pytest.mark.parametrize(
    ("stability", "age", "left"),
    # What FSRS-6 says (the package fsrs 6.3.2, default parameters, get_card_retrievability).
    [(1, 1, 0.9), (1, 10, 0.6928266), (5, 3, 0.9311510), (5, 30, 0.7427175), (10, 365, 0.5735587), (100, 7, 0.9898176)],
)
def test_retention_follows_the_curve_of_fsrs(stability: float, age: float, left: float) -> None:
    assert retention(np.array(age), np.array(stability)) == pytest.approx(left, abs=1e-6)


def test_retention_falls_with_age_and_rises_with_stability() -> None:
    ages = retention(np.arange(100), np.array(3.0))
    assert ages[0] == 1 and (np.diff(ages) < 0).all() and ages[-1] > 0
    assert (np.diff(retention(np.array(10.0), np.arange(1, 50))) > 0).all()


def kept(salience: Array, age: Array, capacity: int, reservoir: float, seed: int = 0, steps: int = 10) -> Array:
    lengths = np.full(len(salience), steps)
    return ~forgotten(salience, age, lengths, 0 * lengths, capacity, reservoir, np.random.default_rng(seed))


def test_under_the_capacity_nothing_is_forgotten_and_never_more_than_it_is_kept() -> None:
    draw = np.random.default_rng(0)
    salience, age = draw.random(200), draw.integers(0, 30, 200).astype(float)
    assert kept(salience, age, 2_000, 0.2).all()
    steps = draw.integers(1, 40, 200)
    for capacity in (0, 50, 700, 1_999):
        stays = ~forgotten(salience, age, steps, steps % 3, capacity, 0.2, draw)
        assert steps[stays].sum() <= capacity
        assert capacity < 100 or steps[stays].sum() > 0.9 * capacity
    assert len(forgotten(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), 100, 0.2, draw)) == 0


def test_no_situation_is_lost_for_what_happened_in_another() -> None:
    """Each keeps its best, though all of one is more salient than all of the others."""
    situation = np.repeat(np.arange(5), 40)
    salience = np.where(situation == 0, 0.9, 0.1) + 0.001 * (np.arange(200) % 40)
    steps = np.full(200, 10)
    stays = ~forgotten(salience, np.zeros(200), steps, situation, 200, 0.0, np.random.default_rng(0))
    assert np.bincount(situation[stays]).tolist() == [4, 4, 4, 4, 4]
    assert (np.flatnonzero(stays) % 40 >= 36).all()


def test_no_situation_is_lost_for_long_memories_of_another() -> None:
    """Ten have a salient memory of 40 steps and a dull one of 10: under 100 steps only the dull ones leave all some."""
    situation, steps = np.repeat(np.arange(10), 2), np.tile([40, 10], 10)
    stays = ~forgotten(np.tile([0.9, 0.1], 10), np.zeros(20), steps, situation, 100, 0.2, np.random.default_rng(0))
    assert sorted(situation[stays].tolist()) == list(range(10))


def test_each_situation_keeps_something_through_many_days() -> None:
    """As games come, shares shrink; long memories that fitted once must not have driven out all short ones."""
    draw = np.random.default_rng(0)
    situation, steps, salience, day = (np.zeros(0, np.int64) for _ in range(4))
    for today in range(10):
        lived = draw.integers(1, 50, 80)
        situation, steps = np.r_[situation, np.repeat(4 * today + np.arange(4), 20)], np.r_[steps, lived]
        salience = np.r_[salience, 0.5 + lived / 100]  # failures are long and full of news
        day = np.r_[day, np.full(80, today)]
        stays = ~forgotten(salience, today - day.astype(float), steps, situation, 500, 0.2, draw)
        situation, steps, salience, day = situation[stays], steps[stays], salience[stays], day[stays]
    of_each = np.bincount(situation, steps, 40)
    assert of_each.min() > 0 and of_each.max() <= 3 * 500 / 40


def test_what_mattered_stays_and_a_share_of_the_rest_by_lot() -> None:
    salience = np.r_[np.full(100, 0.9), np.full(900, 0.05)]
    stays = kept(salience, np.ones(1_000), 2_000, 0.2)  # 200 of 1,000 episodes
    assert stays[:100].all()
    share = np.mean([kept(salience, np.ones(1_000), 2_000, 0.2, seed)[100:] for seed in range(40)], axis=0)
    assert share.mean() == pytest.approx(
        0.1, abs=0.02
    )  # of 200 places 40 by lot, most of them to the 900, then what is left
    assert (share > 0).mean() > 0.9 and share.max() < 0.5


def test_without_a_reservoir_rank_alone_decides() -> None:
    salience, age = np.array([0.9, 0.1, 0.5, 0.5]), np.array([5.0, 0.0, 1.0, 300.0])
    assert kept(salience, age, 20, 0.0).tolist() == [True, False, True, False]


def test_of_two_alike_the_older_goes() -> None:
    for seed in range(10):
        assert kept(np.array([0.5, 0.5]), np.array([9.0, 1.0]), 10, 0.0, seed).tolist() == [False, True]
