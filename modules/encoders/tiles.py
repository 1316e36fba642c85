"""Pictures made of tiles, such as sprites on a lattice: a token per tile, by what it looks like.

The tiles of such a picture are few and repeat, wherever the lattice lies; a lattice that is off by a pixel cuts them
into many. So size and place of the lattice are what explains the frames by the fewest distinct tiles (minimum
description length, Rissanen 1978), and a tile that looks the same is the same code, made of form, hue and strength
as a cell of symbols is of its attributes: what is known of grids of symbols holds for pictures unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit

from cortex.types import TOKEN_WIDTH, Array, CortexError, Scene

from .frozen import pixel_faults, scene, unit_vectors

SMALLEST, LARGEST, MOST_TILES = 4, 64, 32
"""Pixels along the smallest and the largest tile that is looked for; most tiles along a side of a picture."""

FAMILIAR = 0.8
"""Share of the tiles seen to change that must show what earlier frames showed, in a picture that is made of tiles, and
of the frames in which the lattice must lie where it lay before: an object on a plain ground is none."""

CUT = 1.5
"""How many times as many distinct tiles a lattice half a tile off must show: where it shows as few, there is none."""

SHARES, LIGHT, HUES = 4, 64, 6
"""Steps in which the share of the strongest colour in another is told, brightness of a step of its light, and steps of
each of red, green and blue in a hue."""


class TileEncoder:
    """Pictures [B, H, W, 3] uint8 of tiles ``tile`` pixels wide -> a token per tile, row-major, at (row, column).

    A token is three blocks, frozen random unit vectors for its form, its hue and its strength (`attributes`), so that
    what is known of a red door may be expected of a blue one. The lattice is found in each picture by itself: it begins
    at the edge, or where the colour around it ends, whichever shows the fewest distinct tiles. Where it is not at the
    edge one row or column less may be in the picture, and those tokens are masked.
    """

    modality = "grid"
    accepts = "pixels from 0 to 255"
    channels = 3

    def __init__(self, shape: Sequence[int], tile: int, width: int = TOKEN_WIDTH) -> None:
        rows, columns = (int(size) // tile for size in shape[:2])
        if tile < 1 or not 1 <= min(rows, columns) <= max(rows, columns) <= MOST_TILES:
            raise CortexError(
                f"a picture of {shape[0]} x {shape[1]} pixels is not made of 1 to {MOST_TILES} tiles of {tile} pixels "
                "along each side; another encoders.tile would do"
            )
        self.rows, self.columns, self.tile, self.width = rows, columns, int(tile), width
        self.position = np.indices((rows, columns)).reshape(2, -1).T.astype(np.float32)
        self._looks = np.zeros(0, np.int64)  # of the tiles met so far, sorted
        self._vectors = np.zeros((0, width), np.float32)

    def faults(self, values: Array) -> Array:
        """[B] bool: bodies with a value that is no pixel."""
        return pixel_faults(values)

    def __call__(self, values: Array) -> Scene:
        """Encode pictures [B, H, W, 3] -> scene of a token per tile."""
        bodies = len(values)
        looks, mask = np.zeros((bodies, len(self.position)), np.int64), np.zeros((bodies, len(self.position)), bool)
        for body, picture in enumerate(colours(values)):
            shown = looks[body].reshape(self.rows, -1), mask[body].reshape(self.rows, -1)
            _, down, right = _look(picture, self.tile, *shown)
            self._learn(values[body][down:, right:], looks[body], mask[body])
        tokens = np.zeros((bodies, len(self.position), self.width), np.float32)
        tokens[mask] = self._vectors[np.searchsorted(self._looks, looks[mask])]
        return scene(tokens, mask, self.position, self.modality)

    def _learn(self, picture: Array, looks: Array, mask: Array) -> None:
        """Draw the vectors of those ``looks`` [N] that are new, from the pixels of their tiles in ``picture``."""
        fresh, first = np.unique(looks[mask], return_index=True)
        new = ~np.isin(fresh, self._looks)
        if not new.any():
            return
        drawn = []
        for row, column in self.position[mask][first[new]].astype(int) * self.tile:
            parts = attributes(picture[row : row + self.tile, column : column + self.tile])
            drawn.append(np.concatenate([unit_vectors(part, 1, self.width // 3)[0] for part in parts]))
        vectors = np.zeros((len(drawn), self.width), np.float32)
        vectors[:, : 3 * (self.width // 3)] = drawn
        every = np.concatenate([self._looks, fresh[new]])
        order = np.argsort(every)
        self._looks, self._vectors = every[order], np.concatenate([self._vectors, vectors])[order]


def find_tile(frames: Array) -> int:
    """Pixels along the tiles of which ``frames`` [n, H, W, 3] uint8, in the order in which they were seen, are made;
    0 where they are not made of tiles.

    Of all sizes the one that describes the frames in the fewest bits: each distinct tile once, pixel by pixel, and
    which of them stands where. Pictures are made of tiles where most of what changes shows what was seen before, on a
    lattice that mostly stays.
    """
    pictures = colours(frames)
    height, width = pictures.shape[1:]
    shortest, best = np.inf, 0
    for tile in range(SMALLEST, min(LARGEST, min(height, width) // 3) + 1):
        rows, columns = height // tile, width // tile
        if max(rows, columns) > MOST_TILES:
            continue
        looks = np.zeros((len(pictures), rows, columns), np.int64)
        shown = np.zeros(looks.shape, bool)
        lattices = [_look(pic, tile, look, mask) for pic, look, mask in zip(pictures, looks, shown)]
        distinct = len(np.unique(looks[shown]))
        bits = 24.0 * distinct * tile * tile + float(shown.sum()) * np.log2(distinct + 1)
        # What no tile shows has one colour where the lattice fits, and has to be told pixel by pixel where it does not.
        bits += 24.0 * sum(left_out for left_out, _, _ in lattices)
        stays = np.mean([before[1:] == after[1:] for before, after in pairwise(lattices)])
        if bits < shortest and min(stays, _familiar(looks, shown)) >= FAMILIAR:
            cut = [
                _names(pic, tile, down + tile // 2, right + tile // 2)
                for pic, (_, down, right) in zip(pictures, lattices)
            ]
            if len(np.unique(np.concatenate([names.ravel() for names in cut]))) >= CUT * distinct:
                shortest, best = bits, tile
    return best


def _familiar(looks: Array, shown: Array) -> float:
    """Of the tiles ``looks`` [n, R, C] that changed from one frame to the next, the share that showed what an earlier
    frame did; 0 where nothing changed."""
    known, same, changed = set(looks[0][shown[0]].tolist()), 0, 0
    for before, after, mask in zip(looks, looks[1:], shown[1:]):
        new = after[mask & (before != after)].tolist()
        same, changed = same + sum(look in known for look in new), changed + len(new)
        known.update(new)
    return same / changed if changed else 0.0


def attributes(tile: Array) -> tuple[int, int, int]:
    """Numbers for the form, the hue and the strength of ``tile`` [t, t, 3].

    The form is which of its pixels look the same, and how much of the strongest colour and how much light is in each,
    in steps that are wide enough to be the same for any two strong colours. The hue is that of the strongest colour,
    the strength what is left of that.
    """
    pixels = np.asarray(tile, np.int64).reshape(-1, 3)
    _, first, which = np.unique(colours(pixels), return_index=True, return_inverse=True)
    palette = pixels[np.sort(first)]  # in the order in which they are met
    strength, light = np.ptp(palette, axis=1), palette.min(axis=1)
    top = np.lexsort((palette.sum(axis=1), strength))[-1]
    share = strength / max(1, strength[top])
    shades = np.rint([share * SHARES, (light - share * light[top]) / LIGHT])
    hue = np.rint((palette[top] - light[top]) / max(1, strength[top]) * HUES)
    form = np.argsort(np.argsort(first))[which], shades.ravel()
    return _digest(*form), _digest(hue), _digest([strength[top], light[top]])


def _digest(*numbers: npt.ArrayLike) -> int:
    """A number of 64 bits for whole numbers, the same on every machine."""
    told = np.concatenate([np.asarray(some, "<i8") for some in numbers])
    return int.from_bytes(hashlib.blake2b(told.tobytes(), digest_size=8).digest(), "little")


def colours(pictures: Array) -> Array:
    """Pictures [B, H, W, 3] -> a number for the colour of each pixel [B, H, W] int64."""
    return np.asarray(pictures).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])


@njit(cache=True)
def _look(picture, tile, looks, mask):  # type: ignore[no-untyped-def]
    """Write what the tiles of a ``picture`` [H, W] look like into ``looks`` [R, C], and which are there into ``mask``.

    A lattice begins at the edge, or where the colour of the corner ends. Returns how many pixels the best of these
    leaves out, 0 where they have one colour, and where it begins.
    """
    height, width = picture.shape
    top, left, corner = height, width, picture[0, 0]
    for i in range(height):
        for j in range(width):
            if picture[i, j] != corner:
                top, left = min(top, i), min(left, j)
    fewest, best, bare = height * width, (0, 0), False
    for down in (0, top % tile):
        for right in (0, left % tile):
            if _bare(picture, tile, down, right):
                distinct = len(np.unique(_names(picture, tile, down, right)))
                if distinct < fewest:
                    fewest, best, bare = distinct, (down, right), True
    names = _names(picture, tile, best[0], best[1])
    looks[: names.shape[0], : names.shape[1]] = names
    mask[: names.shape[0], : names.shape[1]] = True
    return 0 if bare else height * width - names.size * tile * tile, best[0], best[1]


@njit(cache=True)
def _bare(picture, tile, down, right):  # type: ignore[no-untyped-def]
    """Whether all that a lattice leaves out of the picture has one colour."""
    height, width = picture.shape
    bottom, edge = height - (height - down) % tile, width - (width - right) % tile
    colour = picture[0, 0] if down or right else picture[height - 1, width - 1]
    for i in range(height):
        for j in range(width):
            if (i < down or i >= bottom or j < right or j >= edge) and picture[i, j] != colour:
                return False
    return True


@njit(cache=True)
def _names(picture, tile, down, right):  # type: ignore[no-untyped-def]
    """A number [R, C] for the pixels of each tile of a lattice: equal tiles, equal numbers."""
    rows, columns = (picture.shape[0] - down) // tile, (picture.shape[1] - right) // tile
    names = np.zeros((rows, columns), np.int64)
    for row in range(rows):
        for column in range(columns):
            name = np.int64(tile)
            for i in range(tile):
                for j in range(tile):
                    name ^= picture[down + row * tile + i, right + column * tile + j]
                    name *= np.int64(0x100000001B3)
                    name ^= name >> 29
            names[row, column] = name
    return names
