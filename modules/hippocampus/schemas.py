"""Body schemas as they are kept beside the rows: what rows that were given up had told of the agent's body.

A game's rows may all be given up in which the agent showed one of its guises; what it looks like is known for good, as
semantic memory outlives the episodes that it came of (Winocur & Moscovitch 2011).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from cortex.types import UNSEEN, Array, Motions

SQUEEZED = "squeezed"


def told(schemas: Mapping[int, Motions]) -> dict[str, Any]:
    """The schemas of situations as JSON values, squeezed: those of one agent are much alike."""
    values = {
        str(situation): {field.name: _value(getattr(motions, field.name)) for field in fields(motions)}
        for situation, motions in schemas.items()
    }
    return {SQUEEZED: base64.b85encode(zlib.compress(json.dumps(values).encode(), 9)).decode()}


def heard(values: Mapping[str, Any]) -> dict[int, Motions]:
    """The schemas that were `told`, squeezed or not."""
    if SQUEEZED in values:
        values = json.loads(zlib.decompress(base64.b85decode(values[SQUEEZED])))
    return {int(situation): _motions(schema) for situation, schema in values.items()}


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
