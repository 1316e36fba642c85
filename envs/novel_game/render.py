"""A novel game seen: pixels for an agent, a picture for a person, characters for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cortex.types import UNSEEN, Array, CortexError

from .nouns import LETTERS, NOUNS
from .sprites import CODES, FLOOR, TILE, distinct

PIXEL_ROW = np.dtype(("V", TILE * 3))
"""A row of a tile as one item: a gather copies 24 bytes at once and leaves them where the image needs them."""

INK, FAINT, PAPER = (236, 236, 240), (150, 152, 164), (24, 26, 34)
TEXT, MARGIN = 13, 8  # pixels: height of letters, space around the caption


def image(codes: Array, sheet: Array, offset: Any = None) -> Array:
    """Draw grids of codes [..., H, W] -> uint8 [..., H * 8, W * 8, 3].

    ``sheet`` [32, 8, 8, 3] serves all grids; [B, 32, 8, 8, 3] gives each of B grids its own. ``offset`` (row, column)
    of 0 to 7 pixels, one or [..., 2], moves the grid away from the lattice of tiles, within an image that is 8 pixels
    higher and wider; with (0, 0) too, so that the shape depends on whether offsets are used, not on which.
    Raises CortexError for a code that is not in 0..31, a sheet or an offset that does not fit.
    """
    codes = _checked(codes)
    if sheet.shape[-4:] != (CODES, TILE, TILE, 3) or sheet.dtype != np.uint8 or sheet.ndim > 5:
        raise CortexError(
            f"A sheet is uint8 [{CODES}, {TILE}, {TILE}, 3], one or one a grid; this is {sheet.dtype} {sheet.shape}."
        )
    if offset is not None:
        return _shifted(codes, sheet, np.asarray(offset))
    *lead, height, width = codes.shape
    first = codes.astype(np.intp) * TILE  # number of a tile's first pixel row in the sheet
    if sheet.ndim == 5:
        if lead != [len(sheet)]:
            raise CortexError(f"{len(sheet)} sheets serve codes [{len(sheet)}, H, W], not {codes.shape}.")
        first += np.arange(len(sheet))[:, None, None] * (CODES * TILE)
    table = np.ascontiguousarray(sheet).reshape(-1, TILE * 3).view(PIXEL_ROW)[:, 0]
    rows = table.take(first[..., :, None, :] + np.arange(TILE)[:, None])  # [..., H, 8, W]
    pixels: Array = rows.view(np.uint8).reshape(*lead, height * TILE, width * TILE, 3)
    return pixels


def picture(
    codes: Array,
    sheet: Array,
    scale: int = 4,
    *,
    carried: int = UNSEEN,
    clock: int | None = None,
    mission: str = "",
    event: str = "",
    lines: int = 3,
) -> Array:
    """Draw one grid of codes [H, W] for a person, with a caption under it -> uint8 rgb.

    The caption holds what is carried (a code), the clock, the mission in at most ``lines`` lines and the last event.
    The size depends on the grid, ``scale`` (pixels a pixel) and ``lines`` alone, so that frames make a film; at an even
    scale its sides are multiples of 16, as video codecs want. Raises CortexError for what does not fit.
    """
    from PIL import Image, ImageDraw, ImageFont

    if np.ndim(codes) != 2:
        raise CortexError(f"A picture shows one grid [H, W], not {np.shape(codes)}; image() draws many.")
    if scale < 1 or lines < 0:
        raise CortexError(f"A picture has a scale of 1 or more and 0 or more lines, not {scale} and {lines}.")
    grid = _enlarged(codes, sheet, scale)
    icon = image(np.array([[carried]]), sheet).repeat(2, 0).repeat(2, 1)
    (high, wide, _), step, pad = grid.shape, TEXT + 5, len(icon) + 6
    height = high + MARGIN + pad + (lines + 1) * step + MARGIN
    canvas = np.full((-(-height // 16) * 16, max(wide, 160), 3), PAPER, np.uint8)
    canvas[:high, :wide] = grid
    top, left, right = high + MARGIN, MARGIN, canvas.shape[1] - MARGIN
    if carried != UNSEEN:
        canvas[top : top + len(icon), left : left + len(icon)] = icon

    drawn = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(drawn), ImageFont.load_default(TEXT)
    if carried != UNSEEN:
        draw.text((left + pad, top + 3), NOUNS[carried], INK, font, "lt")
    else:
        draw.text((left, top + 3), "carrying nothing", FAINT, font, "lt")
    if clock is not None:
        draw.text((right, top + 3), f"step {clock}", FAINT, font, "rt")
    for number, line in enumerate(_wrapped(mission, lines, right - left, font.getlength)):
        draw.text((left, top + pad + number * step), line, INK, font, "lt")
    for line in _wrapped(event, 1, right - left, font.getlength):
        draw.text((left, top + pad + lines * step), line, FAINT, font, "lt")
    return np.array(drawn)


def ansi(
    codes: Array,
    floor: int,
    wall: int,
    agents: Sequence[int],
    *,
    carried: int = UNSEEN,
    clock: int | None = None,
    mission: str = "",
    event: str = "",
) -> str:
    """Write one grid of codes [H, W] in characters, one a cell, with a legend under it.

    "." is floor, "#" wall, "^>v<" the agent, " " unseen; a letter is an object, and the legend names those in the
    grid. Lines that have nothing to say are left out. Raises CortexError for codes that do not fit.
    """
    codes = _checked(codes)
    if codes.ndim != 2:
        raise CortexError(f"Text shows one grid [H, W], not {codes.shape}.")
    distinct(floor, wall, agents)
    signs = np.array(LETTERS)
    signs[[UNSEEN, floor, wall, *agents]] = list(" .#^>v<")
    things = sorted(set(codes.flat) - {UNSEEN, floor, wall, *agents}, key=lambda code: NOUNS[code])
    legend = {
        "": ", ".join(f"{LETTERS[code]} {NOUNS[code]}" for code in things),
        "carried: ": NOUNS[_checked(np.array([[carried]]))[0, 0]] if carried != UNSEEN else "",
        "step: ": "" if clock is None else str(clock),
        "mission: ": mission,
        "event: ": event,
    }
    rows = ["".join(row) for row in signs[codes]]
    return "\n".join([*rows, *(title + text for title, text in legend.items() if text)])


def _checked(codes: Array) -> Array:
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu" or codes.ndim < 2:
        raise CortexError(f"Codes are whole numbers [..., H, W]; got {codes.dtype} {codes.shape}.")
    if codes.size and not 0 <= codes.min() <= codes.max() < CODES:
        raise CortexError(f"Codes are in 0..{CODES - 1}; these go from {codes.min()} to {codes.max()}.")
    return codes


def _shifted(codes: Array, sheet: Array, offset: Array) -> Array:
    """Codes [..., H, W] -> uint8 [..., (H + 1) * 8, (W + 1) * 8, 3], each grid moved down and right by its offset."""
    *lead, height, width = codes.shape
    if offset.dtype.kind not in "iu" or offset.shape not in ((2,), (*lead, 2)):
        raise CortexError(f"An offset is two whole numbers (row, column), one or one a grid; got {offset!r}.")
    if offset.size and not 0 <= offset.min() <= offset.max() < TILE:
        raise CortexError(f"Offsets are in 0..{TILE - 1} pixels; these go from {offset.min()} to {offset.max()}.")
    framed = image(np.pad(codes, [(0, 0)] * len(lead) + [(1, 1)] * 2, constant_values=UNSEEN), sheet)
    high, wide = (height + 1) * TILE, (width + 1) * TILE
    framed = framed.reshape(-1, *framed.shape[-3:])
    shifted = np.empty((len(framed), high, wide, 3), np.uint8)
    for number, (down, right) in enumerate(TILE - np.broadcast_to(offset, (*lead, 2)).reshape(-1, 2)):
        shifted[number] = framed[number, down : down + high, right : right + wide]
    return shifted.reshape(*lead, high, wide, 3)


def _enlarged(codes: Array, sheet: Array, scale: int) -> Array:
    """One image, each pixel ``scale`` wide, with a fine line between the cells that have been seen."""
    grid = image(codes, sheet).repeat(scale, 0).repeat(scale, 1)
    if scale > 1:
        side = TILE * scale
        seen = (np.asarray(codes) != UNSEEN).repeat(side, 0).repeat(side, 1)
        edge = np.arange(max(seen.shape)) % side == 0
        line = edge[: len(seen), None] | edge[: seen.shape[1]]
        grid[line & seen & (grid == FLOOR).all(-1)] = FLOOR - 12
    return grid


def _wrapped(text: str, most: int, width: int, measure: Callable[[str], float]) -> list[str]:
    """Cut a text where words end into at most ``most`` lines of at most ``width`` pixels; dots for what is left out."""
    lines: list[str] = []
    for word in text.split():
        if lines and measure(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most > 0:
        last = lines[most - 1]
        while " " in last and measure(last + " ...") > width:
            last = last.rpartition(" ")[0]
        lines[most - 1] = last + " ..."
    return lines[:most]
