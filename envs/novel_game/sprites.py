"""Looks of a novel game: a small drawing for every noun, and the tiles that one game makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cortex.types import UNSEEN, Array, CortexError

from .nouns import NOUNS

CODES = len(NOUNS)

TILE = 8
"""Pixels along the side of a cell."""

DRAWINGS = """
 anchor   apple    bell     boot     cloud    cup      diamond  donut
 ..####.. ....--.. ...##... .++++... ........ ..+..+.. ...++... ..####..
 ..#..#.. ...-.... ..####.. .####... ...###.. ...+..+. ..++##.. .#+##+#.
 ...##... .###.##. .#+####. .####... ..#+###. ######.. .+++###. ########
 .######. #+###### .#+####. .####... .##+#### #+###### ++++#### #+#..#+#
 ...##... #+###### .#+####. .#####.. ######## #+####.# ####---- ###..###
 #..##..# #######- .######. .####### ######## #+###### .###---. #-####-#
 ##.##.## .#####-. ######## .####### .------. ######.. ..##--.. .##-###.
 .######. ..##-#.. ...--... .---.--- ........ .----... ...--... ..####..

 envelope flag     fork     ghost    guitar   hat      heart    igloo
 ........ +###.... .#.#.#.. ..####.. ......++ ..####.. .##..##. ........
 -######- +######. .#.#.#.. .######. .....++- ..####.. #+###### ..++++..
 #-####-# +####### .#.#.#.. ##-##-## ....-+.. ..#+##.. #+###### .++#+++.
 ##-##-## +######. .#####.. ##-##-## .##-#... ..####.. ######## ########
 ###--### +###.... ..###... ######## ####.##. ..----.. .######. ++#++#++
 ######## +....... ...#.... ######## .##++### ..####.. ..####.. ###--###
 ######## +....... ...#.... ######## ..#++### ######## ...##... ++-..-++
 ........ +....... ...#.... #.#..#.# ...####. ........ ........ ++-..-++

 jar      kettle   key      lamp     magnet   mushroom pyramid  robot
 .######. ..####.. .####... ..####.. .######. ..####.. ...#-... ...++...
 ..+..+.. .#....#. #+..##.. ..#++#.. ######## .#+##+#. ...#-... .######.
 .+....+. .#.++.#. ##..##.. .##++##. ###..### ###++### ..##--.. .#-##-#.
 +......+ #.####.. .####... .######. ##....## #+####+# ..##--.. .######.
 +######+ ######## ..##.... ...--... ##....## ######## .###---. +..##..+
 +######+ .#+####. ..####.. ...--... ##....## ..++++.. .###---. +######+
 +######+ .#+####. ..##.... ...--... ++....++ ..++++.. ####---- ..####..
 .++++++. .######. ..####.. .######. ++....++ ..++++.. ####---- ..+..+..

 rocket   spider   sword    tree     truck    umbrella window
 ...##... .#....#. ......+# ...##... ........ ...++... ########
 ..####.. #..##..# .....+## ..####.. #####... ..####.. #-+##-+#
 ..#++#.. #.####.# ....+##. .######. #####.## .######. #--##--#
 ..#++#.. .#+##+#. -..+##.. ..####.. #####.-- ######## ########
 ..####.. ..####.. --+##... .######. #####.## #.#++#.# #-+##-+#
 .######. .######. .---.... ######## ######## ...++... #--##--#
 ##.##.## #.####.# .+--.... ...--... .++..++. .+.++... ########
 ...++... #..--..# +...-... ...--... .++..++. ..++.... ++++++++
"""
"""Drawings in strings: "#" in the colour of the code, "+" lighter, "-" darker, "." floor."""

PALETTE = np.array(
    [
        [230, 60, 70],  # red
        [60, 180, 75],  # green
        [255, 225, 25],  # yellow
        [75, 110, 235],  # blue
        [245, 130, 49],  # orange
        [150, 70, 200],  # purple
        [66, 212, 244],  # cyan
        [240, 50, 230],  # magenta
        [191, 239, 69],  # lime
        [250, 165, 190],  # pink
        [70, 153, 144],  # teal
        [200, 180, 255],  # lavender
        [170, 110, 50],  # brown
        [255, 240, 180],  # cream
        [150, 150, 30],  # olive
        [150, 240, 190],  # mint
    ],
    np.uint8,
)
"""Colours of things, [16, 3]; none is near to the colours of floor, wall, agent and darkness."""

DARK = np.array([10, 11, 16], np.uint8)
"""What has not been seen, and what lies around the grid."""

FLOOR = np.array([52, 56, 68], np.uint8)
STONE = np.array([116, 114, 120], np.uint8)
WHITE = np.array([255, 255, 255], np.uint8)


def _bitmap(rows: Sequence[str]) -> Array:
    """Strings -> [8, 8] uint8 of levels: 0 floor, 1 dark, 2 plain, 3 light."""
    return np.array([[".-#+".index(pixel) for pixel in row] for row in rows], np.uint8)


def _sprites() -> Array:
    drawn = {"nothing": np.zeros((TILE, TILE), np.uint8)}
    for band in DRAWINGS.strip().split("\n\n"):
        names, *rows = (line.split() for line in band.splitlines())
        drawn |= {name: _bitmap([row[column] for row in rows]) for column, name in enumerate(names)}
    return np.stack([drawn[noun] for noun in NOUNS])


SPRITES = _sprites()
"""[32, 8, 8] uint8 of levels: 0 floor, 1 dark, 2 plain, 3 light. The first, of nothing, is all floor."""

BRICKS = _bitmap(["#######-", "#######-", "#######-", "--------", "###-####", "###-####", "###-####", "--------"])
ARROW = _bitmap(["...##...", "..####..", ".######.", "########", "..####..", "..####..", "..####..", "..----.."])


def palette(colours: Array | int) -> Array:
    """Numbers of colours, or the seed of a permutation -> the colour of every code, [32, 3] uint8.

    ``colours`` [32] are numbers from 0; number n is colour n modulo 16, so that a permutation of 0..31 gives each
    colour to two codes. Raises CortexError where they are not 32 whole numbers from 0.
    """
    if isinstance(colours, (int, np.integer)) and colours >= 0:
        colours = np.random.default_rng(int(colours)).permutation(CODES)
    numbers = np.asarray(colours)
    if numbers.shape != (CODES,) or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise CortexError(f"Colours are {CODES} whole numbers from 0, one a code, or a seed; got {colours!r}.")
    return PALETTE[numbers % len(PALETTE)]


def sheet(floor: int, wall: int, agents: Sequence[int], colours: Array | int) -> Array:
    """The tile of every code in one game, [32, 8, 8, 3] uint8.

    ``floor``, ``wall`` and the four ``agents`` (facing up, right, down, left) are codes; all other codes but 0 look
    like their nouns, coloured by ``palette(colours)``. Raises CortexError where two of the six codes are equal or one
    is not in 1..31.
    """
    distinct(floor, wall, agents)
    levels = SPRITES.copy()
    shades = _shades(palette(colours))
    levels[floor] = 0
    levels[wall], shades[wall] = BRICKS, _shades(STONE)
    for turns, agent in enumerate(agents):
        levels[agent], shades[agent] = np.rot90(ARROW, -turns), _shades(WHITE)
    shades[UNSEEN] = DARK
    return shades[np.arange(CODES)[:, None, None], levels]


def distinct(floor: int, wall: int, agents: Sequence[int]) -> None:
    """Raise CortexError unless floor, wall and the four agents are six different codes in 1..31."""
    special = [int(floor), int(wall), *(int(agent) for agent in agents)]
    if len(special) != 6 or len(set(special)) != 6 or not all(UNSEEN < code < CODES for code in special):
        raise CortexError(f"Floor, wall and four agents have to be six different codes in 1..{CODES - 1}: {special}.")


def _shades(colours: Array) -> Array:
    """Colours [..., 3] -> [..., 4, 3]: the floor behind, and the colour dark, plain and light."""
    base = colours.astype(float)
    shades = np.stack([np.broadcast_to(FLOOR, base.shape), 0.5 * base, base, 0.4 * base + 0.6 * 255], axis=-2)
    return shades.astype(np.uint8)
