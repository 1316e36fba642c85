"""From the rules of a game to its tables, with codes of its own.

``act[verb, thing in front, item carried]`` and ``push[thing pushed, thing it is pushed onto]`` say all that an action
does; see `cortex.envs.novel_game.codes` for their fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cortex.envs.novel_game.codes import (
    ANYWHERE,
    BUMP_TABLE,
    CHANGE,
    CODES,
    DEATH,
    DONE,
    DROP,
    ENTER,
    FIELDS,
    GRASP,
    IN_LINE,
    IN_NOOK,
    ITEM,
    KNOCK,
    LEVELS,
    MOST_THINGS,
    NEXT,
    NOTHING,
    PUSH,
    REWARD,
    SOUND,
    STEP,
    USE_TABLE,
    WIN,
)
from cortex.envs.novel_game.spec import Decoy, Spec, Stage
from cortex.types import Array

GAME = np.dtype(
    [
        ("act", np.uint8, (2, CODES, CODES, FIELDS)),
        ("push", np.uint8, (CODES, CODES, FIELDS)),
        ("after", np.uint8, (CODES, 2)),  # what a thing becomes by itself, after how many steps (0: never)
        ("patrols", np.uint8, CODES),  # 1: the thing moves
        ("look", np.uint8, CODES),  # how a thing looks; some look alike until they are heard
        ("moves", np.uint8, 4),  # direction of each move
        ("ground", np.uint8, 7),  # floor, wall, pad, and the agent facing up, right, down, left
        ("pillars", np.uint8),  # walls that stand about
        ("things", np.int16, (LEVELS, MOST_THINGS, 3)),  # code (0: no more), where it may lie, what it is in line with
    ],
    align=True,
)
"""The tables of one game."""


class TooManyCodes(Exception):
    """The rules need more things than there are codes."""


class Link(NamedTuple):
    """The codes of one stage."""

    thing: int  # what it acts on
    helper: int  # what it needs beside: another thing, a tool, what is collected; NOTHING where it needs none
    product: int  # what it makes; NOTHING where it wins


def tables(spec: Spec, codes: Array, moves: Array, pillars: int, silent: bool = False) -> Array:
    """The tables of one game, a `GAME` record.

    ``codes`` [CODES - 1] are the codes 1 to 31 in the order in which they are given away, ``moves`` [4] the direction
    of each move. ``silent``: what changes by itself can only be heard. Raises TooManyCodes.
    """
    free = iter(int(code) for code in codes)
    game = np.zeros((), GAME)
    game["look"], game["moves"], game["pillars"] = np.arange(CODES), moves, pillars
    game["ground"] = [next(free) for _ in range(7)]
    _ground(game)
    try:
        links = _chain(game, spec, free, silent)
        decoys = [_decoy(game, decoy, links, free) for decoy in spec.decoys]
    except StopIteration:
        raise TooManyCodes from None
    for level in range(1, LEVELS + 1):
        placed = _things(spec, links, decoys, level)
        if len(placed) > MOST_THINGS:
            raise TooManyCodes
        game["things"][level - 1, : len(placed)] = placed
    return game


def _ground(game: Array) -> None:
    """Nothing happens, except that floor and pad are stepped on."""
    codes = np.arange(CODES)
    act, push = game["act"], game["push"]
    act[..., NEXT], act[..., ITEM] = codes[:, None], codes
    act[BUMP_TABLE, ..., SOUND] = KNOCK
    push[..., NEXT], push[..., SOUND] = codes, KNOCK
    for code in game["ground"][[0, 2]]:
        act[BUMP_TABLE, code, :, ENTER] = 1
        act[BUMP_TABLE, code, :, SOUND] = STEP


def _chain(game: Array, spec: Spec, free: Iterator[int], silent: bool) -> list[Link]:
    """Write the stages, each on what the one before it made."""
    links, thing = [], next(free)
    for i, stage in enumerate(spec.stages):
        wins = i == len(spec.stages) - 1
        helper = NOTHING if stage.mechanic in ("toggle", "patrol", "timed") else next(free)
        product = NOTHING if wins else next(free)
        link = Link(thing, helper, product)
        _write(game, stage, link, free, silent)
        links.append(link)
        thing = product
    return links


def _write(game: Array, stage: Stage, link: Link, free: Iterator[int], silent: bool) -> None:
    """Write what one stage does."""
    act, floor = game["act"], int(game["ground"][0])
    thing, helper, product = link
    if stage.mechanic in ("toggle", "patrol"):
        game["patrols"][thing] = stage.mechanic == "patrol"
        _made(act[BUMP_TABLE, thing], product, floor)
    elif stage.mechanic == "timed":
        waiting = next(free)
        _made(act[BUMP_TABLE, thing], waiting, floor)
        game["after"][waiting] = product, stage.count
        if silent:
            game["look"][product] = waiting
    elif stage.mechanic == "carry":
        _portable(act, thing, floor)
        _spent(act[USE_TABLE, helper, thing], helper, product, False)
    elif stage.mechanic in ("tool", "teleport"):
        _portable(act, helper, floor)
        _spent(act[USE_TABLE, thing, helper], thing, product, stage.keeps)
    elif stage.mechanic == "hazard":
        _portable(act, helper, floor)
        _kills(act[BUMP_TABLE, thing])
        _spent(act[BUMP_TABLE, thing, helper], thing, product, stage.keeps)
    elif stage.mechanic == "push":
        _pushable(game, thing, floor)
        entry = game["push"][thing, helper]
        entry[PUSH] = 1
        _change(entry, helper, product)
    elif stage.mechanic == "collect":
        full = _collected(act, helper, stage.count, floor, free)
        _spent(act[USE_TABLE, thing, full], thing, product, False)


def _decoy(game: Array, decoy: Decoy, links: list[Link], free: Iterator[int]) -> int:
    """Write a decoy; returns its code."""
    act, floor, code = game["act"], int(game["ground"][0]), next(free)
    if decoy.kind == "eater":
        link = links[decoy.stage]
        if game["push"][link.thing, link.helper, PUSH]:
            entry = game["push"][link.thing, code]
            entry[PUSH], entry[NEXT], entry[SOUND] = 1, code, CHANGE
        else:
            carried = link.thing if act[USE_TABLE, link.helper, link.thing, SOUND] else link.helper
            entry = act[USE_TABLE, code, carried]
            entry[ITEM], entry[SOUND] = NOTHING, CHANGE
    elif decoy.kind == "junk":
        _portable(act, code, floor)
    elif decoy.kind == "switch":
        _made(act[BUMP_TABLE, code], next(free), floor)
    elif decoy.kind == "block":
        _pushable(game, code, floor)
    else:
        _kills(act[BUMP_TABLE, code])
    return code


def _things(spec: Spec, links: list[Link], decoys: list[int], level: int) -> list[tuple[int, int, int]]:
    """What lies in a layout of a level, and where it may."""
    first = spec.first(level)
    placed = [(links[first].thing, ANYWHERE, 0)]
    site = 0  # the thing in whose cell the stage finds what it acts on
    for stage, link in zip(spec.stages[first:], links[first:]):
        if stage.mechanic == "collect":
            placed += [(link.helper, ANYWHERE, 0)] * stage.count
        elif stage.mechanic == "push":
            placed.append((link.helper, IN_LINE, site))
        elif link.helper:
            placed.append((link.helper, IN_NOOK if stage.mechanic == "teleport" else ANYWHERE, 0))
        if stage.mechanic in ("carry", "push"):
            site = len(placed) - 1
    return placed + [(code, ANYWHERE, 0) for code in decoys]


def _made(entries: Array, product: int, floor: int) -> None:
    """Whatever is carried: the thing becomes its product, or the game is won."""
    for entry in entries:
        _change(entry, floor, product)


def _spent(entry: Array, left: int, product: int, keeps: bool) -> None:
    """With one item: the thing becomes its product, or the game is won; the item is used up, or kept."""
    entry[DONE] = 0
    if not keeps:
        entry[ITEM] = NOTHING
    _change(entry, left, product)


def _change(entry: Array, left: int, product: int) -> None:
    won = product == NOTHING
    entry[NEXT] = left if won else product
    entry[REWARD] = entry[DONE] = won
    entry[SOUND] = WIN if won else CHANGE


def _portable(act: Array, code: int, floor: int) -> None:
    """An empty hand takes it, and what is carried can be put down on the floor."""
    entry = act[BUMP_TABLE, code, NOTHING]
    entry[NEXT], entry[ITEM], entry[SOUND] = floor, code, GRASP
    entry = act[USE_TABLE, floor, code]
    entry[NEXT], entry[ITEM], entry[SOUND] = code, NOTHING, DROP


def _collected(act: Array, code: int, count: int, floor: int, free: Iterator[int]) -> int:
    """One more in the hand at each grasp; returns the code of the full hand."""
    hand = NOTHING
    for _ in range(count):
        entry, hand = act[BUMP_TABLE, code, hand], next(free)
        entry[NEXT], entry[ITEM], entry[SOUND] = floor, hand, GRASP
        # What is collected can be put down, and taken up again by an empty hand.
        _portable(act, hand, floor)
    return hand


def _pushable(game: Array, code: int, floor: int) -> None:
    for entry in game["act"][BUMP_TABLE, code]:
        entry[PUSH], entry[SOUND] = 1, KNOCK
    entry = game["push"][code, floor]
    entry[PUSH], entry[NEXT], entry[SOUND] = 1, code, STEP


def _kills(entries: Array) -> None:
    for entry in entries:
        entry[DONE], entry[SOUND] = 1, DEATH
