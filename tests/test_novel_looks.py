"""Looks of novel games: words, sprites, and the ways to see a grid of codes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cortex.envs.novel_game import render, sprites
from cortex.envs.novel_game.nouns import LETTERS, NOUNS
from cortex.types import UNSEEN, Array, CortexError

FLOOR, WALL, AGENTS = 5, 8, (16, 23, 15, 31)
SPECIAL = [UNSEEN, FLOOR, WALL, *AGENTS]
OBJECTS = [code for code in range(32) if code not in SPECIAL]
SHEET = sprites.sheet(FLOOR, WALL, AGENTS, 7)


def grids(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 32, shape).astype(np.uint8)


def distance(one: Array, other: Array) -> Array:
    """A cheap measure of perceived difference, 0 to 765 (Riemersma, "Colour metric", compuphase.com)."""
    one, other = one.astype(float), other.astype(float)
    red = (one[..., 0] + other[..., 0]) / 2
    weights = np.stack([2 + red / 256, np.full_like(red, 4), 2 + (255 - red) / 256], -1)
    return np.sqrt((weights * (one - other) ** 2).sum(-1))


def test_every_code_has_a_word_of_its_own() -> None:
    assert len(NOUNS) == 32 and len(set(NOUNS)) == 32 and NOUNS[UNSEEN] == "nothing"
    assert all(re.fullmatch("[a-z]+", noun) for noun in NOUNS)
    assert not set(NOUNS) & {"push", "carry", "use", "touch", "collect", "wait"}


def test_every_letter_means_one_noun() -> None:
    assert len(set(LETTERS)) == 32 and not set(LETTERS) & set(" .#^>v<")
    assert all(letter.lower() == noun[0] for letter, noun in zip(LETTERS[1:], NOUNS[1:]))


def test_shapes_tell_nouns_apart_without_colour() -> None:
    shapes = sprites.SPRITES > 0
    apart = (shapes[:, None] != shapes[None]).sum((2, 3))
    assert apart[np.triu_indices(32, 1)].min() >= 8


def test_colours_are_well_apart() -> None:
    colours = np.concatenate([sprites.PALETTE, [sprites.FLOOR, sprites.STONE, sprites.DARK, sprites.WHITE]])
    apart = distance(colours[:, None], colours[None])
    assert len(sprites.PALETTE) >= 12 and apart[np.triu_indices(len(colours), 1)].min() > 80


def test_a_permutation_gives_each_colour_to_two_codes() -> None:
    colours, often = np.unique(sprites.palette(3), axis=0, return_counts=True)
    assert len(colours) == 16 and set(often) == {2}
    assert np.array_equal(sprites.palette(3), sprites.palette(3))
    assert not np.array_equal(sprites.palette(3), sprites.palette(4))


@pytest.mark.parametrize("seed", range(5))
def test_no_two_codes_of_a_game_look_alike(seed: int) -> None:
    floor, wall, *agents = (int(code) for code in 1 + np.random.default_rng(seed).permutation(31)[:6])
    tiles = sprites.sheet(floor, wall, agents, seed)
    assert tiles.shape == (32, 8, 8, 3) and tiles.dtype == np.uint8
    assert len(np.unique(tiles.reshape(32, -1), axis=0)) == 32


def test_floor_is_plain_and_the_unseen_is_dark() -> None:
    assert (SHEET[FLOOR] == sprites.FLOOR).all() and (SHEET[UNSEEN] == sprites.DARK).all()
    assert len(np.unique(SHEET[WALL].reshape(-1, 3), axis=0)) > 1
    assert SHEET[UNSEEN].mean() < SHEET[1:].mean((1, 2, 3)).min() / 2


def test_arrows_point_where_the_agent_faces() -> None:
    up, right, down, left = ((SHEET[agent] == sprites.WHITE).all(-1) for agent in AGENTS)
    assert up[0].sum() < up[3].sum() > up[6].sum()  # a tip above, a shaft below
    assert np.array_equal(right[:, ::-1].T, up) and np.array_equal(down[::-1], up) and np.array_equal(left.T, up)


def test_colours_of_a_game_change_objects_alone() -> None:
    other = sprites.sheet(FLOOR, WALL, AGENTS, (np.arange(32) + 1) % 32)
    same = sprites.sheet(FLOOR, WALL, AGENTS, np.arange(32)) == other
    assert same[SPECIAL].all()
    assert not same.all((1, 2, 3))[OBJECTS].any()


@pytest.mark.parametrize("shape", [(7, 7), (3, 9, 13), (2, 3, 8, 7)])
def test_an_image_is_the_tile_of_every_cell(shape: tuple[int, ...]) -> None:
    codes = grids(*shape)
    seen = render.image(codes, SHEET)
    assert seen.shape == (*shape[:-2], shape[-2] * 8, shape[-1] * 8, 3) and seen.dtype == np.uint8
    for *lead, row, column in np.ndindex(*shape):
        tile = seen[(*lead, slice(row * 8, row * 8 + 8), slice(column * 8, column * 8 + 8))]
        assert np.array_equal(tile, SHEET[codes[(*lead, row, column)]])


@pytest.mark.parametrize("offset", [None, (2, 5)])
def test_every_grid_can_have_its_own_sheet(offset: tuple[int, int] | None) -> None:
    codes, sheets = grids(3, 7, 9), np.stack([sprites.sheet(FLOOR, WALL, AGENTS, seed) for seed in range(3)])
    apart = [render.image(one, sheet, offset) for one, sheet in zip(codes, sheets)]
    assert np.array_equal(render.image(codes, sheets, offset), apart)


@pytest.mark.parametrize("offset", [(0, 0), (7, 7), (3, 0), (1, 6)])
def test_an_offset_moves_the_grid_and_not_the_shape(offset: tuple[int, int]) -> None:
    codes = grids(2, 7, 9)
    plain, moved = render.image(codes, SHEET), render.image(codes, SHEET, offset)
    assert moved.shape == (2, 64, 80, 3)
    down, right = offset
    inside = (slice(None), slice(down, down + 56), slice(right, right + 72))
    assert np.array_equal(moved[inside], plain)
    outside = np.ones(moved.shape[:3], bool)
    outside[inside] = False
    assert (moved[outside] == sprites.DARK).all()


def test_every_grid_can_have_its_own_offset() -> None:
    codes, offsets = grids(3, 7, 7), np.array([[0, 0], [7, 1], [2, 5]])
    apart = [render.image(one, SHEET, offset) for one, offset in zip(codes, offsets)]
    assert np.array_equal(render.image(codes, SHEET, offsets), apart)


def test_frames_of_a_picture_have_one_size() -> None:
    codes = grids(7, 7)
    bare = render.picture(codes, SHEET)
    told = render.picture(codes, SHEET, carried=19, clock=12, mission="push the key " * 40, event="bump " * 40)
    assert bare.shape == told.shape and bare.dtype == told.dtype == np.uint8
    assert bare.shape[0] % 16 == 0 == bare.shape[1] % 16
    assert np.array_equal(bare[:224], told[:224]) and not np.array_equal(bare[224:], told[224:])


def test_each_word_of_the_caption_is_drawn() -> None:
    told: list[dict[str, Any]] = [{}, {"carried": 19}, {"carried": 20}, {"clock": 1}, {"mission": "a"}, {"event": "a"}]
    drawn = [render.picture(grids(7, 7), SHEET, **words).tobytes() for words in told]
    assert len(set(drawn)) == len(told)


def test_a_picture_names_what_is_carried() -> None:
    key, lamp = (render.picture(grids(7, 7), SHEET, carried=code)[232:248, 30:] for code in (19, 20))
    assert not np.array_equal(key, lamp)  # beside the icon


def test_a_long_mission_leaves_the_event_its_line() -> None:
    short, long = (render.picture(grids(7, 7), SHEET, mission=words, event="bump") for words in ("a", "aim " * 99))
    assert np.array_equal(short[-28:], long[-28:]) and not np.array_equal(short, long)


def test_a_picture_shows_the_tiles_enlarged() -> None:
    codes = np.full((7, 7), FLOOR)
    codes[2, 3] = code = OBJECTS[0]
    cell = render.picture(codes, SHEET, 5)[80:120, 120:160]
    thing = (SHEET[code] != sprites.FLOOR).any(-1).repeat(5, 0).repeat(5, 1)
    assert np.array_equal(cell[thing], SHEET[code].repeat(5, 0).repeat(5, 1)[thing])


def test_text_shows_each_cell_as_one_character() -> None:
    kettle, key, lamp = (NOUNS.index(noun) for noun in ("kettle", "key", "lamp"))
    codes = np.array([[WALL, FLOOR, UNSEEN, kettle], [*AGENTS], [FLOOR, key, lamp, WALL]])
    shown = render.ansi(codes, FLOOR, WALL, AGENTS, carried=lamp, clock=3, mission="Use the key.", event="bump")
    assert shown.splitlines() == [
        "#. K",
        "^>v<",
        ".kL#",
        "K kettle, k key, L lamp",
        "carried: lamp",
        "step: 3",
        "mission: Use the key.",
        "event: bump",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_legend_names_the_objects_present_and_no_other(seed: int) -> None:
    codes = np.random.default_rng(seed).choice([*SPECIAL, *OBJECTS[seed::3]], (7, 7))
    *rows, legend = render.ansi(codes, FLOOR, WALL, AGENTS).splitlines()
    present = set(codes.flat) & set(OBJECTS)
    assert set(legend.split(", ")) == {f"{LETTERS[code]} {NOUNS[code]}" for code in present}
    assert len(legend.split(", ")) == len(present)
    assert set("".join(rows)) - set(" .#^>v<") == {LETTERS[code] for code in present}


def test_an_empty_room_needs_no_legend() -> None:
    assert render.ansi(np.full((2, 3), FLOOR), FLOOR, WALL, AGENTS) == "...\n..."


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: render.image(np.full((7, 7), 32), SHEET), r"0\.\.31.*32"),
        (lambda: render.image(np.full((7, 7), -1), SHEET), r"0\.\.31.*-1"),
        (lambda: render.image(np.zeros((7, 7)), SHEET), "whole numbers.*float64"),
        (lambda: render.image(grids(7, 7), SHEET[:31]), r"sheet.*\(31, 8, 8, 3\)"),
        (lambda: render.image(grids(3, 7, 7), np.stack([SHEET] * 2)), "2 sheets"),
        (lambda: render.image(grids(7, 7), SHEET, (0, 8)), r"0\.\.7.*8"),
        (lambda: render.image(grids(3, 7, 7), SHEET, np.zeros((2, 2), int)), "offset"),
        (lambda: render.picture(grids(2, 7, 7), SHEET), r"one grid.*\(2, 7, 7\)"),
        (lambda: render.picture(grids(7, 7), SHEET, 0), "scale"),
        (lambda: render.picture(grids(7, 7), SHEET, carried=40), "40"),
        (lambda: render.ansi(grids(2, 7, 7), FLOOR, WALL, AGENTS), r"one grid.*\(2, 7, 7\)"),
        (lambda: render.ansi(grids(7, 7), FLOOR, FLOOR, AGENTS), "six different codes"),
        (lambda: render.ansi(grids(7, 7), FLOOR, WALL, AGENTS, carried=-3), "-3"),
        (lambda: sprites.sheet(UNSEEN, WALL, AGENTS, 1), "six different codes"),
        (lambda: sprites.sheet(FLOOR, WALL, AGENTS[:3], 1), "six different codes"),
        (lambda: sprites.palette(np.arange(31)), "32 whole numbers"),
        (lambda: sprites.palette(-1), "32 whole numbers"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(call: Any, words: str) -> None:
    with pytest.raises(CortexError, match=words):
        call()
