"""The rules of a game in English, one sentence a rule, and back from the sentences to what a player believes.

Each form of rule has one sentence, which both writes and reads it, so the words say exactly what the tables say. Ground
is taken as known: floor is walked on, walls stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from cortex.envs.novel_game.codes import (
    BUMP_TABLE,
    CHANGE,
    CODES,
    DEATH,
    DONE,
    DROP,
    FIELDS,
    GRASP,
    IN_NOOK,
    ITEM,
    KNOCK,
    NEXT,
    NOTHING,
    PUSH,
    REWARD,
    SILENCE,
    SOUND,
    STEP,
    USE_TABLE,
    WIN,
)
from cortex.envs.novel_game.nouns import NOUNS
from cortex.types import Array, CortexError

FORMS = {
    "rest": "Nothing else happens.",
    "kill": "Walking against the {thing} kills you.",
    "kill but": "Walking against the {thing} kills you, unless you hold the {other}.",
    "win": "Walk against the {thing} to win.",
    "shield win": "Walk against the {thing} with the {other} in hand to win.",
    "shield win kept": "Walk against the {thing} with the {other} in hand to win; the {other} is kept.",
    "use win": "Use the {other} on the {thing} to win.",
    "use win kept": "Use the {other} on the {thing} to win; the {other} is kept.",
    "push win": "Push the {thing} onto the {other} to win.",
    "change": "Walk against the {thing} to turn it into {made}.",
    "shield change": (
        "Walk against the {thing} with the {other} in hand to turn it into {made}; the {other} is used up."
    ),
    "shield change kept": (
        "Walk against the {thing} with the {other} in hand to turn it into {made}; the {other} is kept."
    ),
    "use change": "Use the {other} on the {thing} to turn the {thing} into {made}; the {other} is used up.",
    "use change kept": "Use the {other} on the {thing} to turn the {thing} into {made}; the {other} is kept.",
    "push change": "Push the {thing} onto the {other} to turn both into {made}.",
    "after": "The {thing} turns into {made} by itself after {steps} steps.",
    "push": "The {thing} can be pushed over the floor.",
    "take": "Walk against the {thing} with an empty hand to take it.",
    "gather first": "Walk against the {thing} with an empty hand to take it; then you hold {made}.",
    "gather": "Walk against the {thing} with the {other} in hand to take it; then you hold {made}.",
    "use lose": "Use the {other} on the {thing} and the {other} is lost.",
    "push lose": "Push the {thing} onto the {other} and the {thing} is lost.",
    "walks": "The {thing} walks about.",
    "looks": "The {thing} looks like the {other}.",
    "drop": "Use what you hold on the floor to put it down.",
    "pads": "A pad leads to the other pad.",
}
"""Form -> its sentence. What holds of many entries stands before what excepts some of them."""

LONGEST = 2500
"""Most characters of all rules of a game, joined by spaces."""

CHARSET = "".join(sorted(set("".join((*FORMS.values(), *NOUNS[1:], "0123456789"))) - set("{}_")))
"""The characters of all sentences."""


def _pattern(sentence: str) -> str:
    """The regular expression of a form; a slot that comes again means the same thing."""
    slots = {"thing": "[a-z]+", "other": "[a-z]+", "made": "[a-z]+", "steps": "[0-9]+"}
    for slot, pattern in slots.items():
        first = f"{'an? ' if slot == 'made' else ''}(?P<{slot}>{pattern})"
        sentence = sentence.replace(f"{{{slot}}}", first, 1).replace(f"{{{slot}}}", f"(?P={slot})")
    return sentence


_PATTERNS = {form: re.compile(_pattern(sentence)) for form, sentence in FORMS.items()}
_CODE = {noun: code for code, noun in enumerate(NOUNS) if code != NOTHING}

_ASIDE = ("kill", "walks", "looks")
"""Forms that say nothing of how one thing comes from another."""

TRIED = 2  # as in players: nothing that is inferred overwrites it


class Rule(NamedTuple):
    """One rule: its form and the codes in it, 0 where the form has none."""

    form: str
    thing: int = 0  # what is walked against, pushed, or used on
    other: int = 0  # what is in the hand, or what is pushed onto
    made: int = 0  # what it makes
    steps: int = 0

    @property
    def wins(self) -> bool:
        """Whether it wins the game."""
        return "win" in self.form


class Page(NamedTuple):
    """Tables to write rules into; the fields are those of a player's mind."""

    act: Array  # [2, CODES, CODES, FIELDS]
    push: Array  # [CODES, CODES, FIELDS]
    after: Array  # [CODES, 2]
    acted: Array  # [2, CODES, CODES]
    pushed: Array  # [CODES, CODES]
    deadly: Array  # [CODES]


def tell(game: Array) -> list[str]:
    """All rules of a game, a `GAME` record: first what wins, then what leads there, then the rest.

    Raises CortexError where the tables hold what no sentence says, or where the sentences exceed `LONGEST`.
    """
    sentences = [_sentence(rule) for rule in _ordered(_rules(game))]
    length = len(" ".join(sentences))
    if length > LONGEST:
        raise CortexError(
            f"The rules of this game take {length} characters, of which a text holds {LONGEST}; fewer stages or decoys "
            "would do."
        )
    return sentences


def goal(game: Array) -> str:
    """How a game, a `GAME` record, is won."""
    return " ".join(_sentence(rule) for rule in _rules(game) if rule.wins)


def one(game: Array, number: int) -> str:
    """How a game, a `GAME` record, is won, and one further rule on the way there; equal numbers draw the same rule.

    Every level uses that rule. A game that is won by one rule alone has no further one.
    """
    rules = _rules(game)
    near, there = _nearness(rules), _reached(game, rules)
    further = [
        rule
        for rule in rules
        if not rule.wins
        and rule.form not in _ASIDE
        and _result(rule) in near
        and there >= {code for code in (rule.thing, rule.other) if code}
    ]
    told = [_sentence(further[number % len(further)])] if further else []
    return " ".join([_sentence(rule) for rule in rules if rule.wins] + told)


def read(sentences: Iterable[str], mind: Array) -> None:
    """Write what sentences say into a `MIND` record that knows its ground, as `players.forget` leaves it.

    What they do not say stays as the mind believed it, except where "Nothing else happens." is among them. A string may
    hold several sentences. Raises CortexError for a sentence that no game says, and for a mind without ground.
    """
    if mind["floor"] == NOTHING:
        raise CortexError(
            "This mind does not know floor and walls yet; let `players.forget` prepare it before it reads."
        )
    ground = {int(mind[name]) for name in ("floor", "wall", "pad")}
    rules = [_rule(part, ground) for text in sentences for part in re.findall(r"\S[^.]*\.?", text)]
    _write(Page(*(mind[name] for name in Page._fields)), rules, int(mind["floor"]))
    mind["goal"] = mind["goal"] or any(rule.wins for rule in rules)


def _rule(sentence: str, ground: set[int]) -> Rule:
    """The rule that a sentence says of other things than ground; raises CortexError."""
    for form, pattern in _PATTERNS.items():
        found = pattern.fullmatch(sentence)
        if found:
            slots = found.groupdict()
            steps = int(slots.pop("steps", 0))
            if steps < 256 and set(slots.values()) <= set(_CODE):
                rule = Rule(form, steps=steps, **{slot: _CODE[noun] for slot, noun in slots.items()})
                if _sentence(rule) == sentence and not ground & {rule.thing, rule.other, rule.made}:
                    return rule
    raise CortexError(
        f"The sentence {sentence!r} says no rule of this game; it has to be one of those that `words.tell` writes."
    )


def _sentence(rule: Rule) -> str:
    made = NOUNS[rule.made]
    article = "an" if made[0] in "aeiou" else "a"
    return FORMS[rule.form].format(
        thing=NOUNS[rule.thing], other=NOUNS[rule.other], made=f"{article} {made}", steps=rule.steps
    )


def _rules(game: Array) -> list[Rule]:
    """The rules of a game, by code; they say all of its tables, or CortexError is raised."""
    rules = [rule for thing in range(1, CODES) for rule in _of(game, thing)]
    if any(rule.form in ("take", "gather", "gather first") for rule in rules):
        rules.append(Rule("drop"))
    if (game["things"][..., 1] == IN_NOOK).any():
        rules.append(Rule("pads"))
    rules.append(Rule("rest"))
    page = _blank()
    floor, known = int(game["ground"][0]), game["ground"][:3]
    page.act[BUMP_TABLE, known], page.acted[BUMP_TABLE, known] = game["act"][BUMP_TABLE, known], TRIED
    _write(page, rules, floor)
    if not all((written == game[name]).all() for name, written in zip(("act", "push", "after"), page)):
        raise CortexError("This game has rules that no sentence says; games of `generate` have none.")
    return rules


def _blank() -> Page:
    square = (CODES, CODES)
    shapes = ((2, *square, FIELDS), (*square, FIELDS), (CODES, 2), (2, *square), square, (CODES,))
    act, push, after, acted, pushed, deadly = (np.zeros(shape, np.uint8) for shape in shapes)
    return Page(act, push, after, acted, pushed, deadly)


def _of(game: Array, thing: int) -> Iterator[Rule]:
    """The rules that a thing has part in as what is acted on."""
    yield from _walked(game["act"][BUMP_TABLE, thing].tolist(), thing)
    for other, entry in enumerate(game["act"][USE_TABLE, thing].tolist()):
        kept = " kept" * (entry[ITEM] == other)
        if entry[SOUND] == WIN:
            yield Rule("use win" + kept, thing, other)
        elif entry[SOUND] == CHANGE and entry[NEXT] == thing:
            yield Rule("use lose", thing, other)
        elif entry[SOUND] == CHANGE:
            yield Rule("use change" + kept, thing, other, entry[NEXT])
    for other, entry in enumerate(game["push"][thing].tolist()):
        if entry[SOUND] == WIN:
            yield Rule("push win", thing, other)
        elif entry[SOUND] == CHANGE and entry[NEXT] == other:
            yield Rule("push lose", thing, other)
        elif entry[SOUND] == CHANGE:
            yield Rule("push change", thing, other, entry[NEXT])
    made, steps = game["after"][thing].tolist()
    if steps:
        yield Rule("after", thing, made=made, steps=steps)
    if game["patrols"][thing]:
        yield Rule("walks", thing)
    if game["look"][thing] != thing:
        yield Rule("looks", thing, int(game["look"][thing]))


def _walked(row: list[list[int]], thing: int) -> Iterator[Rule]:
    """The rules of walking against a thing, from its entries [CODES][FIELDS]."""
    sounds = [entry[SOUND] for entry in row]
    if row[NOTHING][PUSH]:
        yield Rule("push", thing)
    elif sounds == [WIN] * CODES:
        yield Rule("win", thing)
    elif sounds == [CHANGE] * CODES:
        yield Rule("change", thing, made=row[NOTHING][NEXT])
    else:
        if DEATH in sounds:
            safe = [item for item in range(CODES) if sounds[item] != DEATH]
            yield Rule("kill but", thing, safe[0]) if safe else Rule("kill", thing)
        for other, entry in enumerate(row):
            kept = " kept" * (entry[ITEM] == other)
            if entry[SOUND] == WIN:
                yield Rule("shield win" + kept, thing, other)
            elif entry[SOUND] == CHANGE:
                yield Rule("shield change" + kept, thing, other, entry[NEXT])
            elif entry[SOUND] == GRASP and entry[ITEM] == thing:
                yield Rule("take", thing)
            elif entry[SOUND] == GRASP:
                yield Rule("gather" if other else "gather first", thing, other, entry[ITEM])


def _ordered(rules: list[Rule]) -> list[Rule]:
    """Those that win first, then backwards what leads there; what leads nowhere, and what is said of all, last."""
    near = _nearness(rules)
    far = len(rules)

    def place(rule: Rule) -> tuple[bool, bool, int]:
        return not rule.wins, not rule.thing, near.get(_result(rule), far)

    head = sorted((rule for rule in rules if rule.form != "rest"), key=place)
    return head + [rule for rule in rules if rule.form == "rest"]


def _result(rule: Rule) -> int:
    """The code that a rule makes, or is about."""
    return rule.made or (0 if "lose" in rule.form else rule.thing)


def _nearness(rules: list[Rule]) -> dict[int, int]:
    """Code -> rules between it and the goal, of those that can come to serve the goal."""
    near: dict[int, int] = {}
    ring = [rule for rule in rules if rule.wins]
    while ring:
        depth = max(near.values(), default=0) + 1
        fresh = {code for rule in ring for code in (rule.thing, rule.other) if code and code not in near}
        near.update(dict.fromkeys(fresh, depth))
        ring = [rule for rule in rules if rule.made in fresh]
    return near


def _reached(game: Array, rules: list[Rule]) -> set[int]:
    """The codes that can come about on level 1."""
    there = set(game["things"][0, :, 0].tolist()) - {NOTHING}
    size = 0
    while size != len(there):
        size = len(there)
        there |= {rule.made for rule in rules if rule.made and there >= {rule.thing, rule.other} - {NOTHING}}
    return there


def _write(page: Page, rules: Iterable[Rule], floor: int) -> None:
    """Write rules into tables, those with exceptions before these."""
    ranks = {form: rank for rank, form in enumerate(FORMS)}
    for rule in sorted(rules, key=lambda rule: ranks[rule.form]):
        _write_one(page, rule, floor)


def _write_one(page: Page, rule: Rule, floor: int) -> None:
    form, thing, other, made, _ = rule
    kept = other if form.endswith("kept") else NOTHING
    match form:
        case "rest":
            _write_nothing(page)
        case "kill" | "kill but":
            items = [item for item in range(CODES) if form == "kill" or item != other]
            _act(page, BUMP_TABLE, thing, items, DEATH, thing)
            page.deadly[thing] = 1
        case "win":
            _act(page, BUMP_TABLE, thing, range(CODES), WIN, floor)
        case "change":
            _act(page, BUMP_TABLE, thing, range(CODES), CHANGE, made)
        case "shield win" | "shield win kept":
            _act(page, BUMP_TABLE, thing, [other], WIN, thing, kept)
        case "shield change" | "shield change kept":
            _act(page, BUMP_TABLE, thing, [other], CHANGE, made, kept)
        case "use win" | "use win kept":
            _act(page, USE_TABLE, thing, [other], WIN, thing, kept)
        case "use change" | "use change kept":
            _act(page, USE_TABLE, thing, [other], CHANGE, made, kept)
        case "use lose":
            _act(page, USE_TABLE, thing, [other], CHANGE, thing, NOTHING)
        case "take":
            _take(page, thing, NOTHING, thing, floor)
        case "gather" | "gather first":
            _take(page, thing, other, made, floor)
        case "push":
            _push(page, thing, floor, STEP, thing)
        case "push win":
            _push(page, thing, other, WIN, other)
        case "push change":
            _push(page, thing, other, CHANGE, made)
        case "push lose":
            _push(page, thing, other, CHANGE, other)
        case "after":
            page.after[thing] = made, rule.steps


def _write_nothing(page: Page) -> None:
    """Nothing happens, whatever is done to what; what is known of the ground stays."""
    codes = np.arange(CODES)
    ground = page.acted[BUMP_TABLE, :, NOTHING] == TRIED
    for table, sound in ((BUMP_TABLE, KNOCK), (USE_TABLE, SILENCE)):
        silent = np.zeros((CODES, CODES, FIELDS), np.uint8)
        silent[..., NEXT], silent[..., ITEM], silent[..., SOUND] = codes[:, None], codes, sound
        known = ground & (table == BUMP_TABLE)
        page.act[table, ~known], page.acted[table, ~known] = silent[~known], TRIED
    page.push[:], page.after[:], page.pushed[:] = 0, 0, TRIED
    page.push[..., NEXT], page.push[..., SOUND] = codes, KNOCK


def _act(
    page: Page, table: int, thing: int, items: Iterable[int], sound: int, left: int, hand: int | None = None
) -> None:
    """What an action on a thing does with each of some items: what is left in the cell, and in the hand."""
    for item in items:
        entry = page.act[table, thing, item]
        entry[:] = 0
        entry[NEXT], entry[ITEM], entry[SOUND] = left, item if hand is None else hand, sound
        entry[REWARD], entry[DONE] = sound == WIN, sound in (WIN, DEATH)
        page.acted[table, thing, item] = TRIED


def _take(page: Page, thing: int, item: int, hand: int, floor: int) -> None:
    """Take up a thing; what is held can be put down."""
    _act(page, BUMP_TABLE, thing, [item], GRASP, floor, hand)
    _act(page, USE_TABLE, floor, [hand], DROP, hand, NOTHING)


def _push(page: Page, thing: int, onto: int, sound: int, left: int) -> None:
    """Push a thing onto another; what is pushed onto anything is pushed whatever is held."""
    _act(page, BUMP_TABLE, thing, range(CODES), KNOCK, thing)
    page.act[BUMP_TABLE, thing, :, PUSH] = 1
    entry = page.push[thing, onto]
    entry[:] = 0
    entry[NEXT], entry[SOUND], entry[PUSH] = left, sound, 1
    entry[REWARD] = entry[DONE] = sound == WIN
    page.pushed[thing, onto] = TRIED
