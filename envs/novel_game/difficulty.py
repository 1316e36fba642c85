"""Difficulty 0 to 9: settings of the generator, calibrated by how long the reference learner takes.

The games of class d have a median h, the learner's actions to its first win on level 1, in [6 x 1.5^d, 6 x 1.5^(d+1)):
6 to 9 actions at 0, 46 to 68 at 5, 231 to 346 at 9. `make prove-games` measures it.
"""

from __future__ import annotations

from cortex.envs.novel_game.spec import Setting
from cortex.types import CortexError

HARDEST = 9
PERMUTED = 3
"""The class from which on moves may be permuted."""

CHAIN = ("toggle", "carry", "tool", "push", "patrol", "timed")
"""Mechanics of the chains by which the reference learner is judged: nothing to collect, no chamber, no shield."""

_EASY = ("toggle", "carry", "tool", "hazard", "patrol", "teleport", "timed")
_LIGHT = ("trap", "eater", "switch", "junk", "block", "trap")

SETTINGS = (
    Setting(1, 0, 7, limit=50, mechanics=_EASY, walks=1.0),
    Setting(1, 1, 7, limit=50, mechanics=_EASY, kinds=("trap", "switch", "junk"), walks=1.0),
    Setting(1, 2, 7, limit=50, kinds=("trap",)),
    Setting(1, 5, 7, limit=50, kinds=("trap",)),
    Setting(2, 3, 7, limit=50, kinds=("trap", "trap", "switch")),
    Setting(2, 3, 9, kinds=("trap", "eater")),
    Setting(2, 3, 9, kinds=("trap", "eater", "switch", "junk")),
    Setting(3, 3, 9, kinds=("trap", "eater", "switch")),
    Setting(3, 4, 9, kinds=_LIGHT),
    Setting(4, 4, 11, kinds=_LIGHT),
)
"""The settings of each class."""


def setting(difficulty: int) -> Setting:
    """The settings of a class. Raises CortexError where there is no such class."""
    whole = isinstance(difficulty, int) and not isinstance(difficulty, bool)
    if not whole or not 0 <= difficulty <= HARDEST:
        raise CortexError(f"There is no difficulty {difficulty!r}; a whole number from 0 to {HARDEST} would do.")
    return SETTINGS[difficulty]


def band(difficulty: int) -> tuple[float, float]:
    """Where the median h of a class lies."""
    return 6 * 1.5**difficulty, 6 * 1.5 ** (difficulty + 1)
