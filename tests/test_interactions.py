"""Interactions: what happens when this meets that, and how far it carries over to what was never tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cortex.modules.codebook import Codebook
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.hippocampus.interactions import Interactions
from cortex.types import CortexError

LEVELS = ["front carried", "front.0 front.2 carried.0"]
FORWARD, PICKUP, TOGGLE = 2, 3, 5
RED, GREEN, BLUE, GREY = 0, 1, 2, 5
EMPTY, WALL = (1, 0, 0), (2, 5, 0)

Token = tuple[int, int, int]
Row = tuple[int, Token, Token, bool, Token, Token]


def door(colour: int, state: int = 2) -> Token:
    return 4, colour, state


def key(colour: int) -> Token:
    return 5, colour, 0


class World:
    """Interactions told in MiniGrid's triples."""

    def __init__(self, levels: list[str] = LEVELS, codebook: Codebook | None = None) -> None:
        self.codebook, self.encoder = codebook or Codebook(), GridEncoder((1, 1, 3))
        self.memory = Interactions(self.codebook, levels)

    def code(self, triple: Token) -> int:
        scene = self.encoder(np.array(triple).reshape(1, 1, 1, 3))
        return int(self.codebook.encode(scene.tokens, scene.mask)[0, 0])

    def learn(self, *rows: Row) -> None:
        for action, front, carried, moved, front_after, carried_after in rows:
            told = (action, *map(self.code, (front, carried)), moved, *map(self.code, (front_after, carried_after)))
            self.memory.learn(*(np.array([value]) for value in told))

    def predict(self, action: int, front: Token, carried: Token) -> tuple[bool, Token | None, Token | None, float]:
        moved, *codes, novelty = self.memory.predict(
            *(np.array([value]) for value in (action, self.code(front), self.code(carried)))
        )
        return bool(moved[0]), self.name(codes[0]), self.name(codes[1]), float(novelty[0])

    def name(self, code: Any) -> Token | None:
        """The triple of a code, by comparing tokens."""
        for triple in [EMPTY, WALL, *(t for c in range(6) for t in (key(c), *(door(c, s) for s in range(3))))]:
            if self.code(triple) == int(code[0]):
                return triple
        return None


def unlocked(colour: int) -> Row:
    return TOGGLE, door(colour), key(colour), False, door(colour, 0), key(colour)


def in_vain(action: int, front: Token, carried: Token) -> Row:
    return action, front, carried, False, front, carried


def test_what_was_done_is_foretold_as_it_happened() -> None:
    world = World()
    world.learn(unlocked(RED), (FORWARD, EMPTY, EMPTY, True, WALL, EMPTY), in_vain(FORWARD, WALL, EMPTY))
    assert world.predict(TOGGLE, door(RED), key(RED)) == (False, door(RED, 0), key(RED), 0.0)
    assert world.predict(FORWARD, WALL, EMPTY) == (False, WALL, EMPTY, 0.0)
    moved, front, _, novelty = world.predict(FORWARD, EMPTY, EMPTY)
    assert moved and front == EMPTY and novelty == 0  # the cell walked into was left as it was


def test_a_blue_key_is_foretold_to_open_a_blue_door_as_the_red_one_did_the_red() -> None:
    world = World()
    world.learn(unlocked(RED), in_vain(TOGGLE, WALL, EMPTY))
    moved, front, carried, novelty = world.predict(TOGGLE, door(BLUE), key(BLUE))
    assert (moved, front, carried) == (False, door(BLUE, 0), key(BLUE))
    assert 0 < novelty < 0.1


def test_what_was_picked_up_takes_its_own_colour_along() -> None:
    world = World()
    world.learn(
        (PICKUP, key(RED), EMPTY, False, EMPTY, key(RED)), (PICKUP, key(GREEN), EMPTY, False, EMPTY, key(GREEN))
    )
    _, front, carried, novelty = world.predict(PICKUP, key(BLUE), EMPTY)
    assert (front, carried) == (EMPTY, key(BLUE)) and 0 < novelty < 0.1


def test_conflict_refines_and_what_was_not_tried_is_novel_again() -> None:
    world = World()
    world.learn(unlocked(RED))
    assert world.predict(TOGGLE, door(BLUE), key(GREEN))[1] == door(BLUE, 0)  # over-general
    world.learn(in_vain(TOGGLE, door(BLUE), key(GREEN)))
    assert world.predict(TOGGLE, door(BLUE), key(GREEN))[1::2] == (door(BLUE), 0.0)
    assert world.predict(TOGGLE, door(RED), key(RED))[1::2] == (door(RED, 0), 0.0)
    assert world.predict(TOGGLE, door(GREEN), key(BLUE))[3] >= 0.1


def test_what_was_not_tried_is_never_vetoed() -> None:
    world = World()
    colours = range(6)
    world.learn(*(in_vain(TOGGLE, front, EMPTY) for front in [WALL, EMPTY, *map(key, colours)]))
    world.learn(*(in_vain(TOGGLE, door(c), EMPTY) for c in colours))
    for front, carried in ((door(RED), key(RED)), (WALL, key(BLUE)), (key(RED), key(BLUE))):
        assert world.predict(TOGGLE, front, carried)[3] > 0


def test_before_anything_was_seen_all_is_novel() -> None:
    _, front, carried, novelty = World().predict(FORWARD, EMPTY, EMPTY)
    assert (front, carried) == (EMPTY, EMPTY) and novelty >= 0.5


def test_the_order_of_learning_does_not_matter() -> None:
    draw = np.random.default_rng(0)
    tokens = [EMPTY, WALL, *map(key, range(4)), *(door(c, s) for c in range(4) for s in range(3))]
    rows: list[Row] = []
    for _ in range(300):
        front, after, carried = (tokens[i] for i in draw.integers(0, len(tokens), 3))
        rows.append((int(draw.integers(0, 3)), front, carried, bool(draw.random() < 0.3), after, carried))
    asked = [(int(a), tokens[f], tokens[c]) for a, f, c in draw.integers(0, (4, len(tokens), len(tokens)), (60, 3))]
    answers, codebook = [], Codebook()
    for _ in range(4):
        world = World(codebook=codebook)
        world.learn(*(rows[i] for i in draw.permutation(len(rows))))
        answers.append([world.predict(*question) for question in asked])
    assert all(answer == answers[0] for answer in answers[1:])
    assert len({answer[3] for answer in answers[0]}) > 3


def test_learning_between_questions_answers_as_if_all_had_been_learned_at_once() -> None:
    asking, silent = World(), World()
    rows = [
        unlocked(RED),
        in_vain(TOGGLE, door(BLUE), key(GREEN)),
        *(unlocked(c) for c in (GREEN, BLUE, GREY) for _ in "ab"),
    ]
    for row in rows:
        for colour in range(6):
            asking.predict(TOGGLE, door(colour), key(colour))
        asking.learn(row)
    silent.learn(*rows)
    for colour in range(6):
        question = TOGGLE, door(colour), key(colour)
        assert asking.predict(*question) == silent.predict(*question)


def test_of_outcomes_that_differ_the_most_frequent_is_foretold() -> None:
    world = World()
    row = (TOGGLE, door(RED), EMPTY, False, door(RED, 1), EMPTY)
    world.learn(in_vain(TOGGLE, door(RED), EMPTY), row, row)
    assert world.predict(TOGGLE, door(RED), EMPTY)[1] == door(RED, 1)
    world.learn(*[in_vain(TOGGLE, door(RED), EMPTY)] * 2)
    assert world.predict(TOGGLE, door(RED), EMPTY)[1] == door(RED)


def test_many_questions_at_once_are_answered_as_one_by_one() -> None:
    world = World()
    world.learn(unlocked(RED), in_vain(FORWARD, WALL, EMPTY), (FORWARD, EMPTY, EMPTY, True, EMPTY, EMPTY))
    asked = [
        (a, f, c) for a in (FORWARD, TOGGLE) for f in (EMPTY, WALL, door(RED), door(BLUE)) for c in (EMPTY, key(BLUE))
    ]
    columns = [np.array(column) for column in zip(*((a, world.code(f), world.code(c)) for a, f, c in asked))]
    moved, front, carried, novelty = world.memory.predict(*columns)
    for i, question in enumerate(asked):
        alone = world.predict(*question)
        assert (bool(moved[i]), world.name(front[i : i + 1]), world.name(carried[i : i + 1]), novelty[i]) == alone


def test_a_key_of_unknown_fields_is_refused() -> None:
    with pytest.raises(CortexError, match=r"hippocampus\.levels has the field 'behind'"):
        World(["front carried", "behind"])
