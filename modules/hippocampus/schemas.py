"""Body schemas as they are kept beside the rows: what rows that were given up had told of the agent's body.

A game's rows may all be given up in which the agent showed one of its guises; what it looks like is known for good, as
semantic memory outlives the episodes that it came of (Winocur & Moscovitch 2011).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from cortex.types import UNSEEN, Array, Motions


def told(motions: Motions) -> dict[str, Any]:
    """A schema as JSON values."""
    values = {field.name: getattr(motions, field.name) for field in fields(motions)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def heard(values: dict[str, Any]) -> Motions:
    """The schema that was `told`."""
    kinds = {"selves": np.int32, "blocked": np.float32}
    arrays = {n: np.array(v, kinds.get(n, np.int64)) for n, v in values.items() if isinstance(v, list)}
    return Motions(**{**values, **arrays})


def fuller(found: Motions | None, earlier: Motions | None, views: Array, enough: int) -> Motions | None:
    """The ``earlier`` schema, which came of more rows, unless the one that was ``found`` in ``views`` [T, n] of cells
    knows other guises. Fewer than ``enough`` views are believed in that only where the earlier one does not see itself
    once in each: of a few rows anything that moved may be taken for the agent."""
    if found is None or earlier is None:
        return found or earlier
    guises = earlier.selves[earlier.selves != UNSEEN]
    sees_itself = len(views) < enough and (np.isin(views, guises).sum(axis=1) == 1).all()
    return earlier if sees_itself or np.isin(found.selves, [*guises.tolist(), UNSEEN]).all() else found
