"""Nested observations: a tree of Dicts and Tuples as a row of leaves, each with its path as name."""

from __future__ import annotations

from typing import Any

from gymnasium import Space, spaces

from cortex.types import CortexError

Form = dict[str, Any] | tuple[Any, ...] | None
"""Of a Dict the forms of its parts by sorted key, of a Tuple in order; None of a leaf."""


def form(space: Space[Any], path: str | None = None) -> tuple[Form, dict[str | None, Space[Any]]]:
    """The form of an observation space, and its leaves by name in the order of the form.

    The name of a leaf is its keys with dots between them, ``"hand.touch"``, or None where the observation is a single
    leaf. Raises CortexError for a Dict or Tuple that is empty, and for two leaves of one name.
    """
    if isinstance(space, spaces.Dict):
        inner: dict[Any, Space[Any]] = dict(sorted(space.spaces.items()))
    elif isinstance(space, spaces.Tuple):
        inner = dict(enumerate(space.spaces))
    else:
        return None, {path: space}
    if not inner:
        raise CortexError(f"{called(path)} is an empty {type(space).__name__}, which tells nothing; leave it out")
    forms: dict[Any, Form] = {}
    found: dict[str | None, Space[Any]] = {}
    for key, part in inner.items():
        forms[key], leaves = form(part, _under(path, key))
        for name in leaves.keys() & found.keys():
            raise CortexError(f"two parts of the observation are called {name!r}; rename a key that has a dot in it")
        found |= leaves
    return (forms if isinstance(space, spaces.Dict) else tuple(forms.values())), found


def take_apart(form: Form, names: list[str | None], observation: Any) -> list[Any]:
    """An observation's leaves in the order of its form; a dict with the ``names`` of nested leaves as keys will do.

    Raises CortexError that names what is missing, unknown, or of another form.
    """
    flat = isinstance(observation, dict) and form is not None and observation.keys() == set(names)
    return [observation[name] for name in names] if flat else _leaves(form, observation, None)


def _leaves(form: Form, observation: Any, path: str | None) -> list[Any]:
    where = "an observation" if path is None else f"for {called(path)} something"
    if form is None:
        if isinstance(observation, dict):
            raise CortexError(f"expected {where} without keys, got a dict of {sorted(map(str, observation))}")
        return [observation]
    if isinstance(form, tuple):
        if not isinstance(observation, (tuple, list)) or len(observation) != len(form):
            size = f" of {len(observation)}" if isinstance(observation, (tuple, list)) else ""
            raise CortexError(f"expected {where} of {len(form)} parts, got {type(observation).__name__}{size}")
        parts = {str(place): (inner, observation[place]) for place, inner in enumerate(form)}
    else:
        wanted = list(form)
        if not isinstance(observation, dict):
            raise CortexError(f"expected {where} with the keys {wanted}, got {type(observation).__name__}")
        for key in wanted:
            if key not in observation:
                raise CortexError(f"{called(_under(path, key))} is missing: expected {wanted}, got {list(observation)}")
        for key in observation:
            if key not in form:
                raise CortexError(
                    f"{called(_under(path, key))} is not known: expected {wanted}, got {list(observation)}"
                )
        parts = {key: (inner, observation[key]) for key, inner in form.items()}
    return [leaf for key, (inner, value) in parts.items() for leaf in _leaves(inner, value, _under(path, key))]


def called(path: str | None) -> str:
    """What a part of the observation is called in a sentence."""
    return "the observation" if path is None else f"observation key {path!r}"


def _under(path: str | None, key: Any) -> str:
    return str(key) if path is None else f"{path}.{key}"
