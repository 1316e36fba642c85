"""Observation and action spaces as JSON: enough to build the same senses again, and to tell whether another fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space, spaces

from cortex.types import CortexError

LONGEST = 10_000
"""Length of the texts that a space made from JSON admits; the senses take any."""


def encode(space: Space[Any]) -> dict[str, Any]:
    """Describe a space. Spaces of words, environments' own classes among them, are all called text."""
    if isinstance(space, spaces.Dict):
        return {"kind": "dict", "spaces": {str(key): encode(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"kind": "tuple", "spaces": [encode(part) for part in space.spaces]}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "multibinary", "shape": list(space.shape)}
    if isinstance(space, spaces.Discrete):
        return {"kind": "discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "multidiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
    if isinstance(space, spaces.Text) or (space.dtype is not None and np.dtype(space.dtype).kind == "U"):
        return {"kind": "text"}
    if isinstance(space, spaces.Box):
        bounds = {"low": _bound(space.low), "high": _bound(space.high)}
        return {"kind": "box", "shape": list(space.shape), "dtype": str(space.dtype), **bounds}
    raise CortexError(
        f"the space {space} cannot be saved; Box, Discrete, MultiDiscrete, MultiBinary, Text and a Dict or Tuple of "
        "these can"
    )


def decode(told: Any) -> Space[Any]:
    """The space that ``encode`` described. Raises CortexError where the description is damaged."""
    try:
        if told["kind"] == "dict":
            return spaces.Dict({key: decode(part) for key, part in told["spaces"].items()})
        if told["kind"] == "tuple":
            return spaces.Tuple([decode(part) for part in told["spaces"]])
        if told["kind"] == "multibinary":
            return spaces.MultiBinary([int(size) for size in told["shape"]])
        if told["kind"] == "discrete":
            return spaces.Discrete(int(told["n"]), start=int(told["start"]))
        if told["kind"] == "multidiscrete":
            return spaces.MultiDiscrete(np.array(told["nvec"], np.int64), start=np.array(told["start"], np.int64))
        if told["kind"] == "text":
            return spaces.Text(LONGEST)
        if told["kind"] == "box":
            dtype, shape = np.dtype(told["dtype"]), tuple(map(int, told["shape"]))
            low, high = (np.broadcast_to(np.array(told[name], dtype), shape) for name in ("low", "high"))
            return spaces.Box(low, high, shape, dtype.type)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, OverflowError) as error:
        raise CortexError(f"the saved description of a space is damaged ({error}); restore it from a backup") from error
    raise CortexError("the saved description of a space is of an unknown kind; restore it from a backup")


def differs(space: Space[Any], other: Space[Any], where: str = "the observation") -> str | None:
    """Say in which point ``other`` is not the space that is asked for; None where both are the same to the senses."""
    if isinstance(space, spaces.Dict) and isinstance(other, spaces.Dict):
        for key in sorted({*space.spaces, *other.spaces}):
            if key not in other.spaces or key not in space.spaces:
                return f"{where} {'lacks' if key in space.spaces else 'has the unknown'} key {key!r}"
            if wrong := differs(space[key], other[key], f"{where}[{key!r}]"):
                return wrong
        return None
    if isinstance(space, spaces.Tuple) and isinstance(other, spaces.Tuple) and len(space.spaces) == len(other.spaces):
        pairs = enumerate(zip(space.spaces, other.spaces))
        return next((wrong for i, pair in pairs if (wrong := differs(*pair, f"{where}[{i}]"))), None)
    return None if encode(space) == encode(other) else f"{where} is {_named(other)}, not {_named(space)}"


def _named(space: Space[Any]) -> str:
    if isinstance(space, spaces.Dict):
        return f"a Dict of {', '.join(map(str, space.spaces))}"
    if isinstance(space, spaces.Box):
        shape = "x".join(map(str, space.shape))
        return f"a Box of {shape} {space.dtype} from {space.low.min():g} to {space.high.max():g}"
    return (
        str(space)
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
        else type(space).__name__
    )


def _bound(values: Any) -> Any:
    """One number where all are equal, as in images; else all of them."""
    same = values.size > 0 and (values == values.flat[0]).all()
    return values.flat[0].item() if same else values.tolist()
