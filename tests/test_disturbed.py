"""Disturbed senses: the game stays, what is seen of it does not; and each variant of a life that an agent can live."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from cortex.types import CortexError
from experiments import life
from experiments.agents import make
from experiments.disturbed import flicker, renamed
from experiments.novel_day import VARIANTS


def games(**kind: Any) -> Any:
    return gymnasium.make_vec("cortex/NovelGame-v0", 2, vectorization_mode="vector_entry_point", level=1, **kind)


def options(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr("sys.argv", ["life", "--days", "0", *words])
    return life._read()


def test_beside_the_game_two_cells_of_five_flicker() -> None:
    plain, bodies = games(), flicker(games())
    seen = [one.reset(seed=3)[0] for one in (plain, bodies)]
    steps = [[one.step(np.array([5, 0])) for _ in range(4)] for one in (plain, bodies)]
    side = seen[0]["grid"].shape[1]
    for before, after in zip([seen[0], *(s[0] for s in steps[0])], [seen[1], *(s[0] for s in steps[1])]):
        assert np.array_equal(after["grid"][:, :, :side], before["grid"])
        assert bodies.observation_space.contains(after)
    beside = np.stack([s[0]["grid"][:, :, side:] for s in steps[1]])
    assert beside.shape[3] == round(side * 2 / 3)
    assert np.mean(beside[1:] != beside[:-1]) > 0.9 and len(np.unique(beside)) == 32
    assert [s[1].tolist() for s in steps[0]] == [s[1].tolist() for s in steps[1]]


def test_renamed_senses_tell_the_same_in_another_order() -> None:
    plain, bodies = games(), renamed(games())
    before, after = plain.reset(seed=3)[0], bodies.reset(seed=3)[0]
    assert list(bodies.single_observation_space) == ["sense_0", "sense_1", "sense_2"]
    for key, name in {"text": "sense_0", "grid": "sense_1", "body": "sense_2"}.items():
        assert np.array_equal(before[key], after[name])


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_agent_is_born_to_each_variant(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = options(monkeypatch, *VARIANTS[variant])
    bodies = life._wrap(told)(
        games(**{key: v for key, v in life._kind(told, told.difficulty[0]).items() if key != "level"})
    )
    make(bodies.single_observation_space, bodies.single_action_space, 0, **dict(told.set))


def test_settings_of_a_class_and_keywords_of_a_game_are_told_by_one_option(monkeypatch: pytest.MonkeyPatch) -> None:
    told = options(monkeypatch, "--difficulty", "2", "--noise", "10", "--game", "noise_in=body", "decoys=6")
    kind = life._kind(told, told.difficulty[0])
    assert (kind["noise_in"], kind["difficulty"].decoys, kind["difficulty"].size) == ("body", 6, 7)
    assert life._source(told)["game"] == [("noise_in", "body"), ("decoys", 6)]
    assert "game" not in life._source(options(monkeypatch)), "a life that was begun without it goes on"


def test_what_is_no_setting_and_no_wrapper_is_answered_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CortexError, match="no setting 'noise_im'; the nearest is 'noise_in'"):
        life._kind(options(monkeypatch, "--game", "noise_im=body"), 1)
    for name in ("experiments.disturbed:flickr", "experiments.disturbd:flicker", "flicker"):
        with pytest.raises(CortexError, match=f"--wrap {name} is no module:function"):
            life._wrap(options(monkeypatch, "--wrap", name))
    with pytest.raises(CortexError, match="a Dict of senses would do"):
        renamed(gymnasium.make_vec("CartPole-v1", 1))
