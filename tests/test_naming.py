"""Missions read: words that were never joined before name the thing that each of them named apart."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from cortex.modules.codebook import Codebook
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.hippocampus.events import Events
from cortex.modules.hippocampus.naming import Naming
from cortex.types import Array
from experiments.word_pairs import THINGS, held_out

COLOURS, KINDS, HELD = range(4), (5, 6, 7), {(0, 5), (1, 6), (2, 7)}
PICKUP, FLOOR, WORDS = 3, (1, 0, 0), 6


class World:
    """Missions "colour thing" in a language whose sentences are sums of words and a little of their own; each pays
    when the thing that it names is taken, and nothing else does."""

    def __init__(self, least: int = 4, deaf: bool = False) -> None:
        self.draw, self.codebook, self.encoder = np.random.default_rng(0), Codebook(), GridEncoder((1, 1, 3), None)
        self.words = self.draw.normal(size=(2, 8, WORDS, 64)).astype(np.float32) * (0 if deaf else 1)
        self.events, self.naming = Events(0.0), Naming(self.codebook, least, 3)
        self.floor, self.said = self.code(FLOOR), dict[int, Array]()
        self.when = 0
        for number, pair in enumerate(product(COLOURS, KINDS)):
            own = self.draw.normal(size=(WORDS, 64)).astype(np.float32)
            self.said[number] = self.words[0, pair[0]] + self.words[1, pair[1]] + 0.5 * own

    def code(self, cell: Any) -> int:
        scene = self.encoder(np.array(cell, np.uint8).reshape(1, 1, 1, 3))
        return int(self.codebook.encode(scene.tokens, scene.mask)[0, 0])

    def features(self, number: int, cell: Any) -> Array:
        taken = self.code((cell[1], cell[0], 0))
        return np.array([[PICKUP, 0, self.floor, self.floor, taken, 1 + number, 0, self.floor, 0]])

    def take(self, number: int, cell: Any, paid: bool) -> None:
        when = np.array([[self.when, self.when]])
        self.when += 1
        self.events.learn(self.features(number, cell), np.array([float(paid)]), np.array([True]), when)
        codes = self.codebook.encode(self.said[number])
        self.naming.hear(np.array([1 + number]), codes[None])

    def live(self) -> None:
        """Every mission but the held-out ones: the thing that it names, and some that it does not."""
        pairs = list(product(COLOURS, KINDS))
        for number, pair in enumerate(pairs):
            if pair not in HELD:
                for other in self.draw.permutation(len(pairs))[:4]:
                    if pairs[other] != pair:
                        self.take(number, pairs[other], False)
                self.take(number, pair, True)

    def chance(self, number: int, cell: Any) -> float:
        """How likely it is that taking a thing pays."""
        read = self.naming.read(np.array([1 + number]), self.said[number][None], self.events)
        features = self.features(number, cell)
        asked = features if read is None else read(features, np.zeros(1, int))
        return float(self.events.predict(asked)[0][0])


def held() -> list[tuple[int, tuple[int, int]]]:
    return [(number, pair) for number, pair in enumerate(product(COLOURS, KINDS)) if pair in HELD]


def test_words_never_joined_before_name_a_thing() -> None:
    world = World()
    world.live()
    for number, pair in held():
        assert world.chance(number, pair) > 0.5, "the thing that it names pays"
        for other in product(COLOURS, KINDS):
            assert other == pair or world.chance(number, other) < 0.5, "no other does"


@pytest.mark.parametrize("settings", [{"least": 0}, {"least": 100}, {"deaf": True}])
def test_without_words_that_tell_each_mission_is_a_symbol(settings: dict[str, Any]) -> None:
    world = World(**settings)
    world.live()
    number, pair = held()[0]
    assert world.naming.read(np.array([1 + number]), world.said[number][None], world.events) is None
    assert world.chance(number, pair) < 0.5


def test_what_was_tried_under_a_mission_itself_is_known() -> None:
    world = World()
    world.live()
    number, pair = held()[0]
    before = world.chance(number, pair)
    world.take(number, pair, False)
    assert world.chance(number, pair) < 0.5 < before, "however plainly the words say it"


def test_each_colour_is_kept_from_one_thing_and_each_thing_from_some() -> None:
    for task, seed in product(THINGS, range(3)):
        pairs = held_out(task, seed)
        assert len(pairs) == len({colour for colour, _ in pairs}) == 6
        assert {thing for _, thing in pairs} == set(THINGS[task])
