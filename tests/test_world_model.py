"""The learned world model: silent before its first night, then right where it learned and in doubt where it did not."""

from __future__ import annotations

from dataclasses import fields

import gymnasium
import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cortex.modules.world_model import Prediction, WorldModel, fit
from cortex.types import TOKEN_WIDTH, Array, CortexError, Motions

LIMIT = np.array([4.8, np.inf, 0.41887903, np.inf])


def entries(observations: Array) -> Array:
    """CartPole observations [T, 4] as tokens [T, 4, E]: a token an entry, its value first."""
    tokens = np.zeros((len(observations), 4, TOKEN_WIDTH), np.float32)
    tokens[..., 0] = np.where(np.isfinite(LIMIT), observations / LIMIT, np.arcsinh(observations))
    return tokens


def falls(steps: int, seed: int) -> list[tuple[Array, Array, Array]]:
    """Episodes of random CartPole: tokens [T + 1, 4, E], actions [T], ends [T]."""
    generator = np.random.default_rng(seed)
    episodes, lived = [], 0
    with gymnasium.make("CartPole-v1") as env:
        while lived < steps:
            observations, actions, ended = [env.reset(seed=int(generator.integers(2**31)))[0]], [], False
            while not ended:
                actions.append(int(generator.integers(2)))
                observation, _, ended, _, _ = env.step(actions[-1])
                observations.append(observation)
            lived += len(actions)
            episodes.append((entries(np.array(observations)), np.array(actions), np.eye(len(actions))[-1]))
    return episodes


def transitions(episodes: list[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array, Array]:
    """Tokens, actions, next tokens and ends of all steps."""
    parts = [(tokens[:-1], action, tokens[1:], end) for tokens, action, end in episodes]
    focus, action, after, end = (np.concatenate([p[i] for p in parts]) for i in range(4))
    return focus, action, after, end


@pytest.fixture(scope="module")
def learned() -> WorldModel:
    torch.set_num_threads(1)
    focus, action, after, end = transitions(falls(3_000, seed=0))
    model = WorldModel(2, 4, width=64)
    ones = np.ones(len(action))
    fit(model, focus, action, after, action == 1, ones, end, 500, 128, 3e-3, np.random.default_rng(0))
    return model


def test_before_any_night_nothing_is_known() -> None:
    model = WorldModel(2, 4)
    focus = entries(np.ones((3, 4)))
    none = np.zeros(0)
    assert fit(model, focus[:0], none, focus[:0], none, none, none, 9, 4, 1e-3, np.random.default_rng(0)) == {}
    told = model(focus, np.zeros(3, int))
    np.testing.assert_array_equal(told.focus, focus)
    np.testing.assert_array_equal(told.uncertainty, 1)
    assert not (told.moved.any() or told.reward.any() or told.end.any())


def test_ten_imagined_steps_stay_close_to_ten_real_ones(learned: WorldModel) -> None:
    starts, actions, arrivals = [], [], []
    for tokens, action, _ in falls(1_000, seed=1):
        for t in range(len(action) - 10):
            starts.append(tokens[t])
            actions.append(action[t : t + 10])
            arrivals.append(tokens[t + 10])
    focus, arrival = np.stack(starts), np.stack(arrivals)[..., 0]
    for action in np.stack(actions, axis=1):
        focus = learned(focus, action).focus
    error = np.sqrt(((focus[..., 0] - arrival) ** 2).mean(axis=0)) / arrival.std(axis=0)
    assert (error < 0.12).all(), error
    assert not focus[..., 1:].any(), "numbers that never change are left alone"


def test_it_foretells_the_end_the_reward_and_the_move(learned: WorldModel) -> None:
    focus, action, _, end = transitions(falls(1_500, seed=2))
    told = learned(focus, action)
    fell, stood = told.end[end == 1], told.end[end == 0]
    assert (fell[:, None] > stood).mean() > 0.95  # area under the ROC curve
    assert np.abs(told.reward - 1).mean() < 0.05
    assert ((told.moved > 0.5) == (action == 1)).mean() > 0.99


def test_it_doubts_what_it_never_saw(learned: WorldModel) -> None:
    focus, action, _, _ = transitions(falls(1_000, seed=3))
    known = learned(focus, action).uncertainty
    odd = np.random.default_rng(0).uniform(-1, 1, (len(focus), 4)) * [4.8, 40, 0.4, 40]
    strange = learned(entries(odd), action).uncertainty
    assert np.quantile(known, 0.95) < 0.12 and np.quantile(strange, 0.05) > 0.3, (
        np.median(known),
        np.quantile(strange, 0.05),
    )
    assert (strange <= 1).all() and (known >= 0).all()


def test_it_doubts_tokens_and_pairs_that_it_never_met() -> None:
    generator = np.random.default_rng(0)
    codes = generator.normal(size=(12, TOKEN_WIDTH)).astype(np.float32) / 8
    front, action = generator.integers(0, 10, 2_000), generator.integers(0, 3, 2_000)
    held_out = (front == 7) & (action == 2)
    front, action = front[~held_out], action[~held_out]
    opened = np.where(
        (front >= 5) & (action == 1), front - 5, front
    )  # action 1 turns one half of the things into the other
    none = np.zeros(len(front))
    model = WorldModel(3, 1, width=64)
    focus, after = codes[front][:, None], codes[opened][:, None]
    fit(model, focus, action, after, action == 0, none, none, 400, 128, 3e-3, np.random.default_rng(0))
    told = model(focus, action)
    assert np.linalg.norm(told.focus - after, axis=-1).max() < 0.3
    known = np.quantile(told.uncertainty, 0.95)
    pair = model(codes[[7]][:, None], np.array([2])).uncertainty
    token = model(codes[[10, 11]][:, None].repeat(3, axis=0).reshape(-1, 1, TOKEN_WIDTH), np.tile(np.arange(3), 2))
    assert known < 0.1 and min(pair.min(), token.uncertainty.min()) > 0.28, (known, pair, token.uncertainty)


def test_a_second_night_keeps_the_units_of_the_first(learned: WorldModel) -> None:
    model = WorldModel(2, 4, width=64)
    model.load_state_dict(learned.state_dict())
    focus, action, after, end = transitions(falls(300, seed=4))
    ones = np.ones(len(action))
    fit(model, focus, action, (focus + after) / 2, ones, ones, end, 1, 32, 0.0, np.random.default_rng(0))
    assert int(model.nights) == 2
    for field in fields(Prediction):
        np.testing.assert_array_equal(
            getattr(model(focus, action), field.name), getattr(learned(focus, action), field.name)
        )


def test_nights_repeat_and_weights_travel_as_plain_tensors(learned: WorldModel) -> None:
    focus, action, after, end = transitions(falls(200, seed=5))
    untouched = torch.get_rng_state()
    models = [WorldModel(2, 4, width=16, seed=3) for _ in range(2)]
    for model in models:
        fit(model, focus, action, after, end, end, end, 5, 32, 1e-3, np.random.default_rng(1))
    assert save(models[0].state_dict()) == save(models[1].state_dict())
    assert torch.equal(untouched, torch.get_rng_state())
    copy = WorldModel(2, 4, width=64, seed=8)
    copy.load_state_dict(load(save(learned.state_dict())))
    np.testing.assert_array_equal(copy(focus, action).focus, learned(focus, action).focus)
    np.testing.assert_array_equal(copy(focus, action).uncertainty, learned(focus, action).uncertainty)


def test_the_body_schema_is_kept_among_the_weights() -> None:
    schema = Motions(
        go=np.arange(16).reshape(4, 2, 2) - 8, turn=np.array([[3, 1], [0, 2], [1, 3], [2, 0]]),
        reach=np.arange(16).reshape(4, 2, 2)[::-1].copy(), facing=np.array([[-1, 0], [0, 1], [1, 0], [0, -1]]),
        verb=np.array([0, 0]), own=np.array([6, 3]), selves=np.array([12, 0, 4, 9]),
        blocked=np.array([0.5, 0.0, 1.0]), held=50, resolved=True, version=7,
    )  # fmt: skip
    model = WorldModel(2, 4)
    assert model.motions is None
    model.set_motions(schema)
    copy = WorldModel(2, 4)
    copy.load_state_dict(load(save(model.state_dict())))
    for kept in (model.motions, copy.motions):
        assert kept is not None
        for field in fields(Motions):
            np.testing.assert_array_equal(getattr(kept, field.name), getattr(schema, field.name))
    model.set_motions(None)
    assert model.motions is None and not model.blocked.any()
    with pytest.raises(CortexError, match="2 actions does not fit a model of 3"):
        WorldModel(3, 4).set_motions(schema)


def test_tokens_of_another_environment_are_refused(learned: WorldModel) -> None:
    with pytest.raises(CortexError, match="built for 4 tokens"):
        learned(np.zeros((1, 5, TOKEN_WIDTH), np.float32), np.zeros(1, int))
