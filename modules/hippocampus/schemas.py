"""Body schemas as they are kept beside the rows: what rows that were given up had told of the agent's body.

A game's rows may all be given up in which the agent showed one of its guises; what it looks like is known for good, as
semantic memory outlives the episodes that it came of (Winocur & Moscovitch 2011).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from cortex.types import UNSEEN, Array, Motions


def told(schemas: Mapping[int, Motions]) -> dict[str, Any]:
    """The schemas of situations as JSON values; one that an earlier situation has as well is that one's number."""
    values: dict[str, Any] = {}
    for situation, motions in schemas.items():
        schema = {field.name: _value(getattr(motions, field.name)) for field in fields(motions)}
        same = next((int(other) for other, known in values.items() if known == schema), None)
        values[str(situation)] = schema if same is None else same
    return values


def heard(values: Mapping[str, Any]) -> dict[int, Motions]:
    """The schemas that were `told`."""
    return {
        int(s): _motions(values[str(schema)] if isinstance(schema, int) else schema) for s, schema in values.items()
    }


def _value(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _motions(values: dict[str, Any]) -> Motions:
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
