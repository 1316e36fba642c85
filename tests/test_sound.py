"""Hearing: what a sound is made of, and what only a sound tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import cortex
from cortex.modules.encoders import Senses, SoundEncoder, SpectrumEncoder
from cortex.types import MODALITIES, CortexError
from tests.contracts import EncoderContract

QUICK = ("planner.simulations=24", "life.bodies=4", "sleep.steps=0")
EAR = "encoders.sound=[sound]"


def tone(pitch: float, phase: float = 0.0, samples: int = 1024, loud: float = 0.5) -> Any:
    return (loud * np.sin(2 * np.pi * (pitch * np.arange(samples) + phase))).astype(np.float32)


class TestSound(EncoderContract):
    def make(self) -> Any:
        return SoundEncoder(1000)

    def values(self) -> Any:
        return np.stack([tone(pitch, 0.3, 1000) for pitch in (0.02, 0.05, 0.11, 0.3)])


class TestShortSound(EncoderContract):
    def make(self) -> Any:
        return SoundEncoder(100, 32_768, 40)

    def values(self) -> Any:
        return (20_000 * np.stack([tone(pitch, 0.3, 100) for pitch in (0.02, 0.07, 0.3)])).astype(np.int16)


class TestSpectrum(EncoderContract):
    def make(self) -> Any:
        return SpectrumEncoder([1.0] * 9)

    def values(self) -> Any:
        return np.eye(9, dtype=np.float32)


def test_a_tone_is_itself_at_every_phase_and_with_a_little_noise() -> None:
    encoder, random = SoundEncoder(1024), np.random.default_rng(0)
    same = []
    for pitch in random.uniform(0.01, 0.4, 30):
        sounds = np.stack([tone(pitch, phase) for phase in random.random(40)])
        tokens = encoder(sounds + 0.01 * random.standard_normal(sounds.shape)).tokens.reshape(40, -1)
        same.append(np.unique(tokens, axis=0, return_counts=True)[1].max() / 40)
    assert np.mean(same) > 0.95 and np.median(same) == 1
    assert not (encoder(tone(0.05)[None]).tokens == encoder(tone(0.06)[None]).tokens).all()


def test_tokens_are_moments_and_silence_is_heard_as_nothing() -> None:
    encoder = SoundEncoder(2048)
    sound = np.concatenate([tone(0.05, 0, 1024), np.zeros(1024, np.float32)])[None]
    scene = encoder(sound)
    assert scene.tokens.shape[1] == 8 and scene.mask.all()
    assert scene.tokens[0, :3].any(axis=1).all() and not scene.tokens[0, 5:].any()
    assert (scene.tokens[0, 0] == scene.tokens[0, 1]).all()
    assert SoundEncoder(10**6).position.shape == (16, 2)


def test_louder_and_higher_are_told_apart_in_order() -> None:
    encoder = SoundEncoder(1024)
    loud = [float(encoder(tone(0.05, loud=volume)[None]).tokens.max()) for volume in (0.01, 0.1, 1.0)]
    assert 0 < loud[0] < loud[1] < loud[2]
    band = [int(encoder(tone(pitch)[None]).tokens[0, 0].argmax()) for pitch in (0.01, 0.03, 0.1, 0.3)]
    assert band == sorted(set(band))


def test_the_deaf_hear_nothing_and_all_else_stays() -> None:
    space = spaces.Dict(sound=spaces.Box(-1, 1, (512,)), light=spaces.Discrete(2))
    seen = {"sound": np.stack([tone(0.1, 0, 512)] * 2), "light": np.arange(2)}
    hearing, deaf = (Senses.for_space(space, sound=["sound"], bands=bands) for bands in (24, 0))
    assert (hearing.layout.position == deaf.layout.position).all()
    here, there = hearing(seen), deaf(seen)
    heard = here.modality[0] == MODALITIES["sound"]
    assert here.mask.all() and not there.mask[:, heard].any() and not there.tokens[:, heard].any()
    np.testing.assert_array_equal(here.tokens[:, ~heard], there.tokens[:, ~heard])


def test_what_a_key_is_called_changes_nothing() -> None:
    samples = tone(0.1, 0, 512)[None]
    here, there = (
        Senses.for_space(spaces.Dict({key: spaces.Box(-1, 1, (512,))}), sound=[key])({key: samples})
        for key in ("sound", "a.b")
    )
    alone = Senses.for_space(spaces.Box(-1, 1, (512,)), sound=["."])(samples)
    np.testing.assert_array_equal(here.tokens, there.tokens)
    np.testing.assert_array_equal(here.tokens, alone.tokens)
    unheard = Senses.for_space(spaces.Dict(sound=spaces.Box(-1, 1, (512,))))
    assert (unheard.layout.modality == MODALITIES["vector"]).all()


@pytest.mark.parametrize(
    ("space", "sound", "words"),
    [
        (spaces.Box(-1, 1, (512,)), ["ear"], r"there is no sound 'ear': the keys are \."),
        (spaces.Dict(a=spaces.Discrete(2)), ["a"], r"'a' is Discrete\(2\), which cannot be heard; a Box of one"),
        (spaces.Dict(a=spaces.Box(-np.inf, 1, (9,))), ["a"], "cannot be heard"),
        (spaces.Dict(a=spaces.Box(-1, 1, (9, 2))), ["a"], "cannot be heard"),
        (spaces.Dict(a=spaces.Box(0, 1, (99,))), ["a"], "a spectrum has 1 to 64 strengths, not 99"),
    ],
)
def test_what_cannot_be_heard_is_refused_in_one_sentence(space: Any, sound: list[str], words: str) -> None:
    with pytest.raises(CortexError, match=words):
        Senses.for_space(space, sound=sound)


def test_a_sample_that_is_no_number_names_key_and_body() -> None:
    senses = Senses.for_space(spaces.Dict(ear=spaces.Box(-1, 1, (300,))), sound=["ear"])
    sounds = np.zeros((3, 300), np.float32)
    sounds[1, 7] = np.nan
    with pytest.raises(CortexError, match="'ear' of body 1: expected finite samples, got nan"):
        senses({"ear": sounds})


def wins(agent: cortex.Agent, env: Any, episodes: int = 40) -> float:
    """Share of episodes won by what the agent predicts."""
    won = 0
    for seed in range(episodes):
        observation, over, info, state = env.reset(seed=seed)[0], False, {"success": False}, None
        while not over:
            action, state = agent.predict(observation, state)
            observation, _, ended, cut, info = env.step(action)
            over = ended or cut
        won += bool(info["success"])
    return won / episodes


def test_what_only_a_tone_tells_is_learned_kept_and_lost_with_the_ear(tmp_path: Path) -> None:
    env = gymnasium.make("cortex/Tone-v0", disable_env_checker=True)
    agent = cortex.Agent.make("cortex/Tone-v0", EAR, *QUICK).learn(300)
    assert wins(agent, env) > 0.85
    agent.save(tmp_path)
    assert wins(cortex.Agent.load(tmp_path), env) > 0.85
    assert wins(agent.lesioned("sound"), env) < 0.75
    deaf = cortex.Agent.make("cortex/Tone-v0", EAR, *QUICK, "lesion=sound").learn(120)
    assert wins(deaf, env) < 0.75


def test_by_night_the_tone_becomes_a_habit() -> None:
    night = ("sleep.steps=300", "sleep.states=200", "sleep.world_model_steps=0")
    agent = cortex.Agent.make("cortex/Tone-v0", EAR, *QUICK, *night, "life.steps=150").learn(150)
    habit = agent.lesioned("hippocampus", "planner")
    env = gymnasium.make("cortex/Tone-v0", disable_env_checker=True)
    assert wins(habit, env) > 0.95 > 0.75 > wins(habit.lesioned("sound"), env)


class Doors(gymnasium.Env[Any, Any]):
    """A corridor with a door at either end, and a tone as the episode begins: it alone tells which door pays."""

    WIDTH, FLOOR, WALL, DOOR, SELF = 9, 1, 2, 3, 4

    def __init__(self) -> None:
        grid = spaces.Box(0, 4, (3, self.WIDTH, 1), np.uint8)
        self.observation_space = spaces.Dict(grid=grid, sound=spaces.Box(-1, 1, (512,), np.float32))
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.high, self.clock = int(self.np_random.integers(3, 6)), bool(self.np_random.integers(2)), 0
        return self._look(), {"success": False}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at, self.clock = self.at + (1 if action else -1), self.clock + 1
        over = self.at in (1, self.WIDTH - 2)
        won = over and (self.at > 1) == self.high
        return self._look(), float(won), over, self.clock == 40, {"success": won}

    def _look(self) -> Any:
        grid = np.full((3, self.WIDTH, 1), self.WALL, np.uint8)
        grid[1, 1:-1] = self.FLOOR
        grid[1, [1, -2]] = self.DOOR
        grid[1, self.at] = self.SELF
        heard = tone(0.13 if self.high else 0.05, self.np_random.random(), 512) if self.clock == 0 else np.zeros(512)
        return {"grid": grid, "sound": heard.astype(np.float32)}


def test_a_tone_is_kept_in_mind_on_the_way_through_a_map() -> None:
    """It is gone when the agent moves; what was heard as the episode began tells of events like a mission does."""
    agent = cortex.Agent.make(Doors, EAR, *QUICK).learn(300)
    assert agent.imagination.motions(0).resolved and wins(agent, Doors()) > 0.95
    deaf = cortex.Agent.make(Doors, EAR, *QUICK, "lesion=sound").learn(300)
    assert deaf.imagination.motions(0).resolved and wins(deaf, Doors()) < 0.8


def test_a_novel_game_is_won_with_its_event_tones_heard() -> None:
    name, settings = "cortex/NovelGame-v0", {"game_seed": 3, "difficulty": 1, "modalities": ("grid", "body", "sound")}
    won: list[bool] = []
    agent = cortex.Agent.make(gymnasium.make(name, **settings), EAR, *QUICK)
    agent.learn(500, on_episode=lambda episode: won.append(episode["success"]))
    sound = agent.senses.layout.modality == MODALITIES["sound"]
    assert sound.sum() == 1 and not np.isin(np.flatnonzero(sound), agent.hippocampus.own_body.rest).any()
    assert np.mean(won) > 0.6
