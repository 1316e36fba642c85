"""Which lesson comes next: what can be learned and is not yet, most of it where least is known.

Within a situation p(1-p) decides, p being the probability that the habit does what search would choose: what it does
anyway teaches nothing, what it never does may be wrong; and so does what there is to lose. Among situations the square
of the share that was not known lately decides, so that one that is being lost comes again before much of it is gone,
and what is needed: tomorrow (gain and need, Mattar & Daw 2018), or since it is new. What the habit did when a lesson
was last drawn is kept, so that to choose costs nothing (prioritised replay, Schaul 2016, section 3.2, with another
priority).

What is quite unlike what the habit does in a situation of which it knows much is believed less: networks learn what
is right before they learn wrong labels by heart (Arpit 2017), so what stays unlikely is probably wrong. The more so the
more of it there is, since few such lessons are what is rare and dear, or what is just being forgotten (as Han 2018
leaves out as many as labels are wrong).
"""

from __future__ import annotations

import numpy as np

from cortex.types import Array

EVEN = 0.3
"""Share of a lesson's chance and of its weight that every lesson has, however well it is known or doubted."""
CALM = 0.15
"""What counts as being at stake where nothing is."""
LEAST = 0.1
"""Least share of a situation that counts as not known."""
LATELY = 0.03
"""How far each draw of a situation changes what is believed to be known of it."""
MANY = 0.2
"""Share of what is unlike the habit in a situation from which all of that is doubted."""
REFRESH = 25
"""Draws after which the chances follow what was learned."""


class Choice:
    """Draws from T lessons. ``mass`` [T]: the habit's probability of what search would choose; ``group`` [T]: their
    situations; ``need`` [T]: how many times as much is learned of each; ``stake`` [T]: what a mistake would lose, in
    [0, 1]; ``share``: how far all this counts, 0 = by lot.
    """

    def __init__(self, mass: Array, group: Array, need: Array, stake: Array, share: float) -> None:
        self.mass, self.stake, self.share, self.drawn = np.array(mass, np.float64), CALM + stake, share, 0
        _, self.group, self.size = np.unique(group, return_inverse=True, return_counts=True)
        self.need = np.bincount(self.group, need) / self.size
        self.rising = np.zeros(0)  # the chances, summed up, as they were when last looked at
        self.learnable = self.stake  # the chance of each within its situation, as it was then
        self.lately = self._of_group(self.stake * self.mass) / self._of_group(self.stake)
        self.strange = self._of_group(self.stake * unlike(self.mass)) / self._of_group(self.stake)

    def draw(self, batch: int, generator: np.random.Generator) -> Array:
        """The next lessons [batch], each by its chance, as often as it comes."""
        if self.drawn % REFRESH == 0:
            self.rising = np.cumsum(self.chances())
        self.drawn += 1
        rows = np.searchsorted(self.rising, generator.random(batch), side="right")
        return np.asarray(np.minimum(rows, len(self.mass) - 1))

    def did(self, rows: Array, mass: Array) -> None:
        """What the habit does in ``rows`` [n] now."""
        self.mass[rows] = mass
        group, weight = self.group[rows], self.stake[rows] / self.learnable[rows]  # as if each came as often
        number = len(self.size)
        total = np.maximum(np.bincount(group, weight, number), 1e-9)
        share = 1 - (1 - LATELY) ** np.bincount(group, minlength=number)
        for mean, now in ((self.lately, mass), (self.strange, unlike(mass))):
            mean += share * (np.bincount(group, weight * now, number) / total - mean)

    def trust(self, rows: Array) -> Array:
        """How far each of ``rows`` [n] is believed, at most 1: who knows a situation doubts what is quite unlike it, if
        there is much of that."""
        group = self.group[rows]
        doubt = self.lately[group] * np.minimum(1, self.strange[group] / MANY)
        return np.maximum(EVEN, 1 - self.share * doubt * unlike(self.mass[rows]))

    def chances(self) -> Array:
        """The chance [T] of each lesson to be drawn next."""
        self.learnable = self.stake * (EVEN + (1 - EVEN) * 4 * self.mass * (1 - self.mass))
        of_group = np.maximum(LEAST**2, self.need * (1 - self.lately) ** 2) / self._of_group(self.learnable)
        chosen = self.learnable * of_group[self.group]
        return self.share * chosen / chosen.sum() + (1 - self.share) / len(chosen)

    def _of_group(self, values: Array) -> Array:
        """The sum of ``values`` [T] over each situation."""
        return np.bincount(self.group, values, len(self.size))


def unlike(mass: Array) -> Array:
    """How unlike what the habit does lessons of such ``mass`` are, in [0, 1]."""
    likely = np.minimum(mass, 0.5)
    return np.asarray(1 - 4 * likely * (1 - likely))
