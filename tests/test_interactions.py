"""Interactions: what happens when this meets that, and how far it carries over to what was never tried."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

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
Three = tuple[Token, Token, Token]
Row = tuple[int, Token, Token, bool, Token, Token]


def door(colour: int, state: int = 2) -> Token:
    return 4, colour, state


def key(colour: int) -> Token:
    return 5, colour, 0


def ball(colour: int) -> Token:
    return 6, colour, 0


class World:
    """Interactions told in MiniGrid's triples; behind what is reached is floor unless another thing is named."""

    def __init__(
        self, levels: list[str] = LEVELS, codebook: Codebook | None = None, others: Sequence[World] = ()
    ) -> None:
        self.codebook, self.encoder = codebook or Codebook(), GridEncoder((1, 1, 3))
        self.memory = Interactions(self.codebook, levels, 3.0, *(world.memory.lore for world in others))
        self.clock = itertools.count()

    def code(self, triple: Token) -> int:
        scene = self.encoder(np.array(triple).reshape(1, 1, 1, 3))
        return int(self.codebook.encode(scene.tokens, scene.mask)[0, 0])

    def learn(self, *rows: Row, when: Sequence[int] | None = None) -> None:
        """Steps in the order of learning, or ``when`` is said."""
        for at, (action, front, carried, moved, front_after, carried_after) in enumerate(rows):
            moment = next(self.clock) if when is None else when[at]
            self.see(action, (front, carried, EMPTY), moved, (front_after, carried_after, EMPTY), moment)

    def see(self, action: int, met: Three, moved: bool, after: Three, when: int | None = None) -> None:
        """One step: the things reached, carried and behind, before and after."""
        codes = (np.array([[self.code(triple) for triple in three]]) for three in (met, after))
        before, then = codes
        moment = next(self.clock) if when is None else when
        self.memory.learn(np.array([action]), before, np.array([moved]), then, np.array([[moment, moment]]))

    def predict(self, action: int, front: Token, carried: Token) -> tuple[bool, Token | None, Token | None, float]:
        moved, (front_after, carried_after, beyond), novelty = self.foresee(action, (front, carried, EMPTY))
        assert beyond == EMPTY
        return moved, front_after, carried_after, novelty

    def foresee(self, action: int, met: Three) -> tuple[bool, tuple[Token | None, ...], float]:
        """The same with what is behind."""
        before = np.array([[self.code(triple) for triple in met]])
        moved, after, novelty = self.memory.predict(np.array([action]), before)
        return bool(moved[0]), tuple(self.name(code) for code in after[0]), float(novelty[0])

    def name(self, code: int) -> Token | None:
        """The triple of a code, by comparing tokens."""
        things = (t for c in range(6) for t in (key(c), ball(c), *(door(c, s) for s in range(3))))
        for triple in [EMPTY, WALL, *things]:
            if self.code(triple) == int(code):
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
    assert 0 < novelty < 0.5 and novelty < world.predict(FORWARD, door(BLUE), key(BLUE))[3]


def test_what_was_picked_up_takes_its_own_colour_along() -> None:
    world = World()
    world.learn(
        (PICKUP, key(RED), EMPTY, False, EMPTY, key(RED)), (PICKUP, key(GREEN), EMPTY, False, EMPTY, key(GREEN))
    )
    _, front, carried, novelty = world.predict(PICKUP, key(BLUE), EMPTY)
    assert (front, carried) == (EMPTY, key(BLUE))
    assert 0 < novelty < 0.5 and novelty < World().predict(PICKUP, key(BLUE), EMPTY)[3]


def test_conflict_refines_and_what_was_not_tried_is_novel_again() -> None:
    world = World()
    world.learn(unlocked(RED))
    assert world.predict(TOGGLE, door(BLUE), key(GREEN))[1] == door(BLUE, 0)  # over-general
    world.learn(in_vain(TOGGLE, door(BLUE), key(GREEN)))
    assert world.predict(TOGGLE, door(BLUE), key(GREEN))[1::2] == (door(BLUE), 0.0)
    assert world.predict(TOGGLE, door(RED), key(RED))[1::2] == (door(RED, 0), 0.0)
    assert world.predict(TOGGLE, door(GREEN), key(BLUE))[3] >= 0.1
    assert world.predict(TOGGLE, door(GREEN), key(GREEN))[3] > 0


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
        order = draw.permutation(len(rows)).tolist()
        world.learn(*(rows[i] for i in order), when=order)
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
    met = np.array([[world.code(f), world.code(c), world.code(EMPTY)] for _, f, c in asked])
    moved, after, novelty = world.memory.predict(np.array([a for a, *_ in asked]), met)
    for i, question in enumerate(asked):
        alone = world.predict(*question)
        assert (bool(moved[i]), world.name(after[i, 0]), world.name(after[i, 1]), novelty[i]) == alone


def test_a_key_of_unknown_fields_is_refused() -> None:
    with pytest.raises(CortexError, match=r"hippocampus\.levels has the field 'behind'"):
        World(["front carried", "behind"])


# What is behind, how sure, and what other worlds taught


def pushed(thing: Token, carried: Token = EMPTY) -> tuple[int, Three, bool, Three]:
    """It goes to the floor behind, and the agent after it."""
    return FORWARD, (thing, carried, EMPTY), True, (EMPTY, carried, thing)


def stuck(thing: Token, behind: Token, carried: Token = EMPTY) -> tuple[int, Three, bool, Three]:
    return FORWARD, (thing, carried, behind), False, (thing, carried, behind)


def test_a_block_goes_where_there_is_room_behind_it_and_not_into_a_wall() -> None:
    world = World()
    for carried in (EMPTY, key(RED)):
        for row in (pushed(ball(RED), carried), stuck(ball(RED), WALL, carried)):
            world.see(*row)
    for carried in (EMPTY, key(RED), key(GREEN)):  # what is carried does not matter here
        moved, after, novelty = world.foresee(FORWARD, (ball(RED), carried, EMPTY))
        assert moved and after == (EMPTY, carried, ball(RED)) and novelty < 0.5
        moved, after, novelty = world.foresee(FORWARD, (ball(RED), carried, WALL))
        assert not moved and after == (ball(RED), carried, WALL) and novelty < 0.5
        assert (novelty > 0) == (carried == key(GREEN))
    assert world.foresee(FORWARD, (ball(RED), EMPTY, door(RED)))[2] > 0, "what another thing behind it does is open"


def test_a_block_of_another_colour_goes_where_the_first_one_went() -> None:
    world = World([*LEVELS, "front.0 front.2 beyond"])
    for colour in (RED, GREEN):
        for row in (pushed(ball(colour)), stuck(ball(colour), WALL), stuck(ball(colour), door(RED))):
            world.see(*row)
    moved, after, novelty = world.foresee(FORWARD, (ball(BLUE), EMPTY, EMPTY))
    assert moved and after == (EMPTY, EMPTY, ball(BLUE)) and 0 < novelty < 0.5
    moved, after, novelty = world.foresee(FORWARD, (ball(BLUE), EMPTY, WALL))
    assert not moved and after == (ball(BLUE), EMPTY, WALL) and 0 < novelty < 0.5


def test_where_what_is_behind_makes_no_difference_it_is_not_asked_for() -> None:
    world = World()
    for behind in (EMPTY, WALL, key(RED), door(GREEN)):
        world.see(TOGGLE, (door(RED), key(RED), behind), False, (door(RED, 0), key(RED), behind))
    _, after, novelty = world.foresee(TOGGLE, (door(RED), key(RED), ball(GREY)))
    assert after == (door(RED, 0), key(RED), ball(GREY)) and 0 < novelty < 0.2


def test_what_was_walked_onto_is_left_as_it_was_and_what_was_pushed_is_not() -> None:
    world = World()
    world.see(FORWARD, (EMPTY, EMPTY, WALL), True, (ball(RED), EMPTY, WALL))  # the agent hides what it stands on
    assert world.foresee(FORWARD, (EMPTY, EMPTY, WALL)) == (True, (EMPTY, EMPTY, WALL), 0.0)
    world.see(*pushed(ball(RED)))
    assert world.foresee(FORWARD, (ball(RED), EMPTY, EMPTY)) == (True, (EMPTY, EMPTY, ball(RED)), 0.0)


def test_novelty_falls_with_every_agreement_and_rises_with_a_disagreement() -> None:
    world, doubts = World(), []
    question = TOGGLE, door(GREY), key(GREY)
    for colour in (RED, GREEN, BLUE, 3):
        world.learn(unlocked(colour))
        answer = world.predict(*question)
        assert answer[1] == door(GREY, 0)
        doubts.append(answer[3])
    assert all(later <= sooner for sooner, later in itertools.pairwise(doubts)) and 0 < doubts[-1] < doubts[0] < 0.5
    world.learn(in_vain(TOGGLE, door(4), key(4)))
    assert world.predict(*question)[3] > doubts[-1]


def test_what_is_known_exactly_is_never_novel_and_what_is_not_always_is() -> None:
    world = World()
    for colour in range(5):
        world.learn(unlocked(colour), (PICKUP, key(colour), EMPTY, False, EMPTY, key(colour)))
    for colour in range(6):
        for question in ((TOGGLE, door(colour), key(colour)), (PICKUP, key(colour), EMPTY)):
            assert (world.predict(*question)[3] == 0) == (colour < 5)


def keys_by_colour(codebook: Codebook) -> World:
    """A world in which every key opens the door of its colour."""
    world = World(codebook=codebook)
    world.learn(*(unlocked(colour) for colour in range(6)))
    return world


def keys_at_random(codebook: Codebook) -> World:
    """A world in which what one colour does tells nothing of the others."""
    world = World(codebook=codebook)
    world.learn(
        *(unlocked(colour) if colour % 3 else in_vain(TOGGLE, door(colour), key(colour)) for colour in range(3))
    )
    for colour in range(3, 6):
        after = door(colour, 1), key((colour + 1) % 6)
        world.learn((TOGGLE, door(colour), key(colour), False, *after))
    return world


def test_a_new_world_trusts_its_answers_by_how_such_answers_did_in_others() -> None:
    codebook = Codebook()
    doubts = []
    for others in ([keys_by_colour(codebook)], [], [keys_at_random(codebook)]):
        world = World(codebook=codebook, others=others)
        world.learn(unlocked(RED), in_vain(FORWARD, WALL, EMPTY))
        told = world.predict(TOGGLE, door(BLUE), key(BLUE))
        assert told[:3] == (False, door(BLUE, 0), key(BLUE))
        doubts.append(told[3])
    assert 0 < doubts[0] < doubts[1], doubts


def test_rules_that_failed_in_other_worlds_are_trusted_less() -> None:
    """In the old world a thing did the same whatever was behind it; or it did not."""
    codebook, levels = Codebook(), ["front carried"]
    steady, fickle = World(levels, codebook), World(levels, codebook)
    for colour in range(6):
        for behind in (EMPTY, WALL):
            steady.see(*stuck(ball(colour), behind))
        for row in (pushed(ball(colour)), stuck(ball(colour), WALL)):
            fickle.see(*row)
    doubts = []
    for others in ([steady], [], [fickle]):
        world = World(levels, codebook, others)
        world.see(FORWARD, (EMPTY, EMPTY, EMPTY), True, (EMPTY, EMPTY, EMPTY))
        for behind in (WALL, door(RED)):
            world.see(*stuck(key(RED), behind))
        doubts.append(world.foresee(FORWARD, (key(RED), EMPTY, key(BLUE)))[2])
    assert 0 < doubts[0] < doubts[1] < doubts[2], doubts


def test_what_other_worlds_held_is_not_taken_for_a_fact_of_this_one() -> None:
    codebook = Codebook()
    old = keys_by_colour(codebook)
    new = World(codebook=codebook, others=[old])
    assert not len(new.memory) and len(old.memory) == 6
    assert new.predict(TOGGLE, door(RED), key(RED))[3] > 0.1
    new.learn(in_vain(TOGGLE, door(RED), key(RED)))
    assert new.predict(TOGGLE, door(RED), key(RED))[1::2] == (door(RED), 0.0)
    assert old.predict(TOGGLE, door(RED), key(RED))[1::2] == (door(RED, 0), 0.0)


def idle_hands(codebook: Codebook, others: Sequence[World] = (), colours: Sequence[int] = range(3)) -> World:
    """A world in which toggling does nothing without a key."""
    world = World(codebook=codebook, others=others)
    world.learn(*(in_vain(TOGGLE, door(colour), EMPTY) for colour in colours), in_vain(TOGGLE, WALL, EMPTY))
    return world


def test_what_never_did_anything_elsewhere_promises_little_in_a_new_world() -> None:
    codebook = Codebook()
    alone, first = World(codebook=codebook), idle_hands(codebook)
    others = [first, *(idle_hands(codebook, [first]) for _ in range(3))]
    new = World(codebook=codebook, others=others[:1])
    question = TOGGLE, ball(BLUE), EMPTY
    assert new.predict(*question)[:3] == (False, ball(BLUE), EMPTY)
    assert 0 < new.predict(*question)[3] < 0.25 and alone.predict(*question)[3] >= 0.5
    assert new.predict(PICKUP, ball(BLUE), EMPTY)[3] >= 0.5, "of another action nothing is known"


def test_worlds_that_disagree_tell_a_new_one_nothing() -> None:
    codebook = Codebook()
    first = idle_hands(codebook)
    second = World(codebook=codebook, others=[first])
    second.learn(*((TOGGLE, door(c), EMPTY, False, door(c, 1), EMPTY) for c in range(3)))
    new = World(codebook=codebook, others=[first])
    assert new.predict(TOGGLE, ball(BLUE), EMPTY)[3] >= 0.4


def test_what_a_world_forgets_it_no_longer_tells_others() -> None:
    codebook = Codebook()
    alone, first = World(codebook=codebook), idle_hands(codebook)
    new = World(codebook=codebook, others=[first])
    question = TOGGLE, ball(BLUE), EMPTY
    assert new.predict(*question) != alone.predict(*question)
    first.memory.clear()
    assert new.predict(*question) == alone.predict(*question)
