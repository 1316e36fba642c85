"""Patience: what a long search did not find, the next one will not find either.

One that spent all its nodes and knows of nothing that pays leaves half as many to the next, and so on; until something
pays, more may be left to find than then, or another episode begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortex.types import Array, Plan

HALVINGS = 4
"""How often the nodes are halved at most."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What came of the last searches of B bodies."""

    failed: Array  # [B] int64, long searches in a row that found nothing that pays
    left: Array  # [B] what the last of them could have found at most

    @classmethod
    def fresh(cls, bodies: int) -> Patience:
        """Of those who have not searched yet."""
        return cls(np.zeros(bodies, np.int64), np.zeros(bodies))

    def begun(self, first: Array) -> Patience:
        """The same where those of whom ``first`` [B] says so begin an episode."""
        return Patience(np.where(first, 0, self.failed), self.left)

    def nodes(self, rows: Array, left: Array, simulations: int) -> Array:
        """What the bodies ``rows`` [n] may spend, if they can find so much at most as ``left`` [n] says."""
        return np.asarray(simulations >> np.where(left > self.left[rows], 0, self.failed[rows]))

    def after(self, rows: Array, found: Plan, most: Array, left: Array) -> Patience:
        """When the bodies ``rows`` [n] have searched, with up to ``most`` [n] nodes, for what is ``left`` [n] to find,
        infinity where nobody asked."""
        failed, best = self.failed.copy(), self.left.copy()
        long = ~found.known & (found.nodes >= most) & np.isfinite(left)
        again = np.where(left > best[rows], 1, np.minimum(failed[rows] + 1, HALVINGS))
        failed[rows] = np.where(found.known, 0, np.where(long, again, failed[rows]))
        best[rows] = np.where(long, left, best[rows])
        return Patience(failed, best)
