"""The habit: silent before its first night, quick to learn what search found, honest about how sure it is."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cortex.modules.habit import Choice, HabitPolicy, distil, fit, part
from cortex.types import MODALITIES, SYMMETRIES, Array, CortexError, Scene

VIEW = 7
EMPTY, WALL, GOAL, DECOY, WORD = range(5)
LEFT, RIGHT, FORWARD = range(3)
AHEAD = ((-1, 0), (0, 1), (1, 0), (0, -1))


def steps_to(walls: Array, goal: tuple[int, int]) -> dict[tuple[int, int, int], int]:
    """Fewest turns and steps to the goal from each pose (row, column, heading), by breadth-first search backwards."""
    found = {(*goal, heading): 0 for heading in range(4)}
    queue = deque(found)
    while queue:
        row, column, heading = pose = queue.popleft()
        back = (row - AHEAD[heading][0], column - AHEAD[heading][1])
        before = [(row, column, (heading + 1) % 4), (row, column, (heading - 1) % 4)]
        if min(back) >= 0 and max(back) < VIEW and not walls[back]:
            before.append((*back, heading))
        for pose_before in before:
            if pose_before not in found:
                found[pose_before] = found[pose] + 1
                queue.append(pose_before)
    return found


def rooms(count: int, seed: int) -> tuple[Scene, Array, Array]:
    """Egocentric rooms with walls and two goals; a word names the one that pays -> scenes, best [T, 3], value [T]."""
    generator = np.random.default_rng(seed)
    codes = np.random.default_rng(99).normal(size=(6, 64)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    own = VIEW // 2
    tokens: list[Array] = []
    best: list[list[bool]] = []
    value: list[float] = []
    while len(tokens) < count:
        walls = generator.random((VIEW, VIEW)) < 0.2
        walls[own, own] = False
        free = [cell for cell in np.argwhere(~walls).tolist() if cell != [own, own]]
        goal, decoy = (tuple(free[i]) for i in generator.choice(len(free), 2, replace=False))
        found = steps_to(walls, goal)
        distance = found.get((own, own, 0))
        if distance is None:
            continue
        after = [(own, own, 3), (own, own, 1), (own - 1, own, 0)]
        best.append([found.get(pose, 99) == distance - 1 for pose in after])
        value.append(0.97**distance)
        swap = int(generator.integers(2))
        grid = np.where(walls, WALL, EMPTY)
        grid[goal], grid[decoy] = (GOAL, DECOY) if swap else (DECOY, GOAL)
        tokens.append(np.concatenate([codes[grid.reshape(-1)], codes[[WORD + swap]]]))
    cells = np.stack(np.meshgrid(*[np.arange(VIEW) - own] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    position = np.tile(np.concatenate([cells, [[0, 0]]]).astype(np.float32), (count, 1, 1))
    modality = np.full((count, VIEW**2 + 1), MODALITIES["grid"], np.int8)
    modality[:, -1] = MODALITIES["text"]
    scene = Scene(np.stack(tokens), position, modality, np.ones((count, VIEW**2 + 1), bool))
    return scene, np.array(best), np.array(value, np.float32)


def as_they_are(scenes: int) -> Array:
    """Scenes that may not be seen turned or mirrored."""
    alike = np.full((scenes, len(SYMMETRIES), 3), -1)
    alike[:, 0] = np.arange(3)
    return alike


def learn(policy: HabitPolicy, scene: Scene, best: Array, value: Array, steps: int, **changes: Any) -> dict[str, float]:
    torch.set_num_threads(1)
    targets = (best / best.sum(axis=1, keepdims=True)).astype(np.float32)
    settings = {"batch": 128, "learning_rate": 3e-3, "generator": np.random.default_rng(5), **changes}
    given = {"alike": as_they_are(len(value)), "choice": by_lot(len(value)), **settings}
    return fit(policy, scene, targets, value, steps=steps, **given)


def by_lot(scenes: int) -> Choice:
    return Choice(np.zeros(scenes), np.zeros(scenes), np.ones(scenes), np.zeros(scenes), 0.0)


@pytest.fixture(scope="module")
def learned() -> HabitPolicy:
    policy = HabitPolicy(3, width=32)
    learn(policy, *rooms(3_000, seed=0), steps=400)
    policy.calibrate(*rooms(400, seed=1)[:2])
    return policy


def test_who_is_not_asked_says_what_nobody_knows_and_the_others_as_ever(learned: HabitPolicy) -> None:
    policy, (scene, _, _) = learned, rooms(6, seed=2)
    asked = np.array([True, False, True, True, False, True])
    all_of_them, some = policy(scene), policy(scene, asked)
    np.testing.assert_allclose(some.prior[asked], all_of_them.prior[asked], atol=1e-5)
    np.testing.assert_allclose(some.value[asked], all_of_them.value[asked], atol=1e-5)
    np.testing.assert_allclose(some.confidence[asked], all_of_them.confidence[asked], atol=1e-5)
    assert (some.prior[~asked] == np.float32(1 / 3)).all()
    assert not some.value[~asked].any() and not some.confidence[~asked].any() and all_of_them.confidence.all()


def test_before_any_night_the_habit_is_silent() -> None:
    scene, best, value = rooms(4, seed=0)
    policy = HabitPolicy(3)
    assert learn(policy, scene, best, value, steps=0) == {}
    habit = policy(scene)
    assert (habit.prior == np.float32(1 / 3)).all() and not habit.value.any() and not habit.confidence.any()


def test_a_night_teaches_what_search_found_in_rooms_never_seen(learned: HabitPolicy) -> None:
    scene, best, value = rooms(1_000, seed=2)
    habit = learned(scene)
    right = best[np.arange(1_000), habit.prior.argmax(axis=1)].mean()
    constant = best.mean(axis=0).max()
    assert right > 0.8 > constant + 0.2, f"{right:.2f} of the choices are best; the best constant has {constant:.2f}"
    assert np.corrcoef(habit.value, value)[0, 1] > 0.6
    np.testing.assert_allclose(habit.prior.sum(axis=1), 1, atol=1e-5)
    assert (habit.value >= 0).all() and (habit.value <= 1).all()


def test_as_much_is_learned_in_bfloat16(learned: HabitPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distil, "QUICK", torch.bfloat16)
    rough, (scene, best, _) = HabitPolicy(3, width=32), rooms(1_000, seed=2)
    learn(rough, *rooms(3_000, seed=0), steps=400, bfloat16=True)
    right = [best[np.arange(1_000), policy(scene).prior.argmax(axis=1)].mean() for policy in (rough, learned)]
    assert right[0] != right[1] and abs(right[0] - right[1]) < 0.04
    assert all(weight.dtype == torch.float32 for weight in rough.parameters())


def test_it_heeds_the_word_that_names_the_goal(learned: HabitPolicy) -> None:
    scene, best, _ = rooms(1_000, seed=2)
    tokens = scene.tokens.copy()
    tokens[:, -1] = tokens[::-1, -1]
    misled = learned(Scene(tokens, scene.position, scene.modality, scene.mask))
    told = learned(scene)
    rows = np.arange(1_000)
    assert best[rows, told.prior.argmax(1)].mean() > best[rows, misled.prior.argmax(1)].mean() + 0.1


def test_confidence_is_the_chance_to_be_right(learned: HabitPolicy) -> None:
    scene, best, _ = rooms(2_000, seed=3)
    habit = learned(scene)
    right = best[np.arange(2_000), habit.prior.argmax(axis=1)]
    for half in np.array_split(np.argsort(habit.confidence), 2):
        error = 3 * np.sqrt(0.25 / 400) + 0.02  # three standard errors of the 400 states calibrated on, and of these
        assert abs(habit.confidence[half].mean() - right[half].mean()) < error
    assert right[habit.confidence > 0.95].mean() > max(0.95, right.mean())


def test_equally_good_actions_leave_it_undecided_but_sure() -> None:
    scene, best, value = rooms(512, seed=4)
    best[:] = [True, True, False]
    policy = HabitPolicy(3, width=8)
    learn(policy, scene, best, value, steps=60)
    assert not policy(scene).confidence.any(), "uncalibrated confidence must be silent"
    policy.calibrate(scene, best)
    habit = policy(scene)
    assert habit.prior.max() < 0.7 and habit.confidence.min() > 0.95


def test_order_and_unknown_tokens_do_not_matter(learned: HabitPolicy) -> None:
    scene, _, _ = rooms(6, seed=6)
    order = np.random.default_rng(0).permutation(scene.tokens.shape[1])
    shuffled = Scene(*(getattr(scene, name)[:, order] for name in ("tokens", "position", "modality", "mask")))
    unknown = Scene(scene.tokens * 9 + 7, scene.position + 1, scene.modality, np.zeros_like(scene.mask))
    padded = Scene.concatenate([unknown, shuffled])
    padded.mask[0] = True  # one body knows more than the others
    np.testing.assert_allclose(learned(padded).prior[1:], learned(scene).prior[1:], atol=1e-4)
    nothing = learned(part(unknown, np.arange(2)))
    assert np.isfinite(nothing.prior).all() and np.isfinite(nothing.value).all()


def test_nights_repeat_and_weights_travel_as_plain_tensors(learned: HabitPolicy) -> None:
    scene, best, value = rooms(256, seed=7)
    torch.manual_seed(1)
    untouched = torch.get_rng_state()
    first, second = HabitPolicy(3, width=8, seed=2), HabitPolicy(3, width=8, seed=2)
    seen: list[int] = []
    learn(first, scene, best, value, steps=5, progress=lambda step, losses: seen.append(step))
    learn(second, scene, best, value, steps=5)
    assert save(first.state_dict()) == save(second.state_dict()) and seen == [0, 1, 2, 3, 4]
    assert torch.equal(untouched, torch.get_rng_state())
    assert save(HabitPolicy(3, width=8, seed=3).state_dict()) != save(HabitPolicy(3, width=8, seed=2).state_dict())
    copy = HabitPolicy(3, width=32, seed=9)
    copy.load_state_dict(load(save(learned.state_dict())))
    for name in ("prior", "value", "confidence"):
        np.testing.assert_array_equal(getattr(copy(scene), name), getattr(learned(scene), name))


def test_a_night_is_over_when_its_seconds_are_and_its_last_steps_are_small_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, best, value = rooms(64, seed=4)
    clock = (0.25 * tick for tick in range(10**6))
    monkeypatch.setattr(distil, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    seen: list[int] = []
    rates: list[float] = []
    policy, steps_of = HabitPolicy(3, width=8), torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *_: (rates.append(self.param_groups[0]["lr"]), steps_of(self))[1]
    )
    learn(policy, scene, best, value, steps=10**6, seconds=10.0, progress=lambda step, _: seen.append(step))
    assert len(seen) == len(rates) == 40 and seen == sorted(seen) and seen[20] == 500_000
    assert max(rates) > 20 * rates[-1] > 0
    again: list[int] = []
    learn(policy, scene, best, value, steps=5, seconds=1e6, progress=lambda step, _: again.append(step))
    assert again == [0, 1, 2, 3, 4], "time enough for all"


def test_what_cannot_be_learned_is_refused() -> None:
    scene, best, value = rooms(4, seed=0)
    with pytest.raises(CortexError, match=r"values in \[0, 1\]"):
        learn(HabitPolicy(3), scene, best, value + 1, steps=1)
    with pytest.raises(CortexError, match="sum to 1"):
        fit(HabitPolicy(3), scene, best * 2.0, value, as_they_are(4), by_lot(4), 1, 4, 1e-3, np.random.default_rng(0))


def test_what_is_learned_of_scenes_is_known_of_their_mirror_images_where_these_may_be_seen() -> None:
    """Rooms in which it is never best to turn left teach when it is: turning left there is turning right here."""
    scene, best, value = rooms(3000, seed=0)
    taught, asked = np.flatnonzero(~best[:, LEFT]), np.flatnonzero(best[:, LEFT] & ~best[:, RIGHT] & ~best[:, FORWARD])

    def known(mirror: bool) -> float:
        policy, alike = HabitPolicy(3, width=32, seed=0), as_they_are(len(taught))
        if mirror:
            alike[:, 4] = RIGHT, LEFT, FORWARD
        learn(policy, part(scene, taught), best[taught], value[taught], steps=400, alike=alike)
        does = policy(part(scene, asked)).prior.argmax(axis=1)
        return float(best[asked, does].mean())

    assert known(True) > 0.6 and known(False) < 0.1


def test_lessons_are_drawn_that_can_be_learned_and_most_where_least_is_known() -> None:
    mass = np.repeat([0.99, 0.5, 0.01, 0.9], 100)  # known, half learned, beyond it; another game that is better known
    game, need, stake = np.repeat([0, 0, 0, 1], 100), np.ones(400), np.zeros(400)
    chosen = Choice(mass, game, need, stake, 1.0)
    known, half, beyond, other = chosen.chances().reshape(4, 100).sum(axis=1)
    assert half > 2 * known and half > 2 * beyond and known + half + beyond > 3 * other > 0
    rows = chosen.draw(4000, np.random.default_rng(0))
    assert np.bincount(rows // 100, minlength=4)[1] / 4000 == pytest.approx(half, abs=0.05)
    chosen.did(np.arange(100, 200), np.full(100, 0.99))
    assert chosen.chances()[100:200].sum() < 0.6 * half, "what was learned gives way"
    wanted = Choice(mass, game, np.where(game == 1, 3.0, 1.0), stake, 1.0).chances()[300:].sum()
    assert wanted / (1 - wanted) == pytest.approx(3 * other / (1 - other))
    np.testing.assert_allclose(Choice(mass, game, need, stake, 0.0).chances(), 1 / 400)


def test_a_situation_that_is_being_lost_comes_again_long_before_all_of_it_was_drawn() -> None:
    game = np.repeat([0, 1], 2000)
    chosen = Choice(np.full(4000, 0.95), game, np.ones(4000), np.zeros(4000), 1.0)
    assert chosen.chances()[:2000].sum() == pytest.approx(0.5)
    rows = chosen.draw(150, np.random.default_rng(0))
    chosen.did(rows, np.where(game[rows] == 0, 0.2, 0.95))  # the habit does in few of one what it did in all of it
    assert chosen.chances()[:2000].sum() > 0.9


def test_where_there_is_much_to_lose_lessons_are_drawn_more_and_what_is_known_there_counts_more() -> None:
    stake, game = np.tile([0.7, 0.0, 0.0, 0.0], 100), np.repeat([0, 1], 200)
    mass = np.where((stake > 0) == (game == 0), 0.5, 0.9)  # in game 0 what is dear is not known, in game 1 all else
    dear, cheap = (Choice(np.full(400, 0.5), 0 * game, np.ones(400), s, 1.0).chances()[0] for s in (stake, 0 * stake))
    assert dear > 2 * cheap
    of_first = [Choice(mass, game, np.ones(400), s, 1.0).chances()[:200].sum() for s in (stake, 0 * stake)]
    assert of_first[0] > 0.6 > 0.4 > of_first[1]


def test_what_it_would_hardly_do_is_believed_the_less_the_more_it_knows_and_the_more_of_it_there_is() -> None:
    wrong, game = np.arange(300) % 100 < np.repeat([25, 2, 25], 100), np.repeat([0, 1, 2], 100)
    mass = np.where(wrong, 0.01, np.where(game == 2, 0.3, 0.95))
    known = Choice(mass, game, np.ones(300), np.zeros(300), 1.0)
    many, few, beginner = known.trust(np.array([0, 100, 200]))
    assert many < 0.4 and few > 0.85, "of equals in a game that it knows, and one of which nearly nothing is unlike it"
    assert beginner > 1.5 * many, "in a game of which it knows little"
    assert (known.trust(np.flatnonzero(~wrong & (game < 2))) > 0.99).all()
    by_lot = Choice(mass, game, np.ones(300), np.zeros(300), 0.0)
    by_lot.chances()
    assert (by_lot.trust(np.arange(300)) == 1).all()
    learning = Choice(np.full(1000, 0.02), np.zeros(1000), np.ones(1000), np.zeros(1000), 1.0)
    before = learning.trust(np.zeros(1, np.int64))
    learning.did(np.arange(1, 101), np.where(np.arange(100) % 4, 0.95, 0.02))
    assert (learning.trust(np.zeros(1, np.int64)) < before - 0.3).all(), "it knew most of what was drawn of late"


@pytest.mark.slow
def test_wrong_lessons_harm_less_where_they_are_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    (scene, best, value), (others, right, _) = rooms(2_000, seed=0), rooms(400, seed=1)
    draw = np.random.default_rng(5)
    order = np.where(draw.random(2_000) < 0.25, draw.permutation(2_000), np.arange(2_000))

    def does_right() -> float:
        shares, every = [], np.ones(2_000)
        for seed in range(2):
            policy, chosen = HabitPolicy(3, width=32, seed=seed), Choice(every / 3, 0 * every, every, 0 * every, 1.0)
            learn(policy, scene, best[order], value[order], steps=300, choice=chosen)
            shares.append((policy(others).prior * right).sum(axis=1).mean())
        return float(np.mean(shares))

    doubting = does_right()
    monkeypatch.setattr(Choice, "trust", lambda self, rows: np.ones(len(rows)))
    assert doubting > does_right() + 0.02


def test_what_is_new_is_not_outnumbered_by_all_that_is_known() -> None:
    game = np.repeat(np.arange(44), 100)
    mass = np.where(game < 40, 0.95, 0.35)
    of_new = Choice(mass, game, np.ones(4400), np.zeros(4400), 1.0).chances()[4000:].sum()
    assert of_new > 0.6, "four new games among forty that are known get most of the draws while they are new"
    known = np.where(game < 40, 0.95, 0.85)
    later = Choice(known, game, np.ones(4400), np.zeros(4400), 1.0).chances()[:4000].sum()
    assert later > 0.75, "and what is known is not left alone when they are known too"
    needed = np.where(game < 40, 1.0, 10.0)
    learned = Choice(np.full(4400, 0.99), game, needed, np.zeros(4400), 1.0).chances()[4000:].sum()
    assert learned == pytest.approx(4 / 44), "what was needed and is known now needs no more than all else"
