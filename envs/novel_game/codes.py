"""What the numbers in a game stand for: codes of cells, directions, actions, fields of the tables, events."""

from __future__ import annotations

import numpy as np

CODES = 32
"""Codes of a game. Code 0 is never a thing: it is what has not been seen, and the empty hand."""

NOTHING = 0
ACTIONS = 6
"""Four moves, whose directions a game may permute, then `USE` and `WAIT`."""

USE, WAIT = 4, 5
UP, RIGHT, DOWN, LEFT = 0, 1, 2, 3
DIRECTIONS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])
"""Row and column of each direction."""

BUMP_TABLE, USE_TABLE = 0, 1
"""First axis of ``act``: to walk against the thing in front, or to use what is carried on it."""

NEXT, ITEM, ENTER, REWARD, DONE, PUSH, SOUND = 0, 1, 2, 3, 4, 5, 6
FIELDS = 8
"""Last axis of ``act`` and ``push``: code that stays in the cell, item then carried, whether the agent steps in,
reward, end of the episode, whether the thing is pushed (in ``push``: whether it may be), tone of the event. The eighth
is unused: eight bytes are one load."""

SILENCE, KNOCK, GRASP, CHANGE, DROP, STEP, RIPEN, WIN, DEATH = range(9)
TONES = 9
"""Tones of events; `KNOCK` is a move against what did not yield."""

LEVELS = 4
EYE = 3
"""Radius of the egocentric view, in cells."""

ANYWHERE, IN_LINE, IN_NOOK = 0, 1, 2
"""Where a layout may put a thing: anywhere, in one line with another so that that can be pushed onto it, in a chamber
that only a pad leads into."""

MOST_THINGS = 28
"""Most things of a layout."""

MOST_SIZE = 13
MOST_CELLS = MOST_SIZE * MOST_SIZE
