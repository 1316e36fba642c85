"""What an agent saw, as few plain numbers that a page can draw: cells by code, and what its other senses said."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from cortex.envs.make import make_env
from cortex.modules.codebook import Codebook
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.encoders.senses import Senses
from cortex.modules.encoders.text import TextEncoder
from cortex.modules.motor import Codec
from cortex.types import UNSEEN, Array, Place


class Frames:
    """Reads scenes of ``senses`` back from their codes; nothing is entered into the codebook."""

    def __init__(self, senses: Senses, codebook: Codebook) -> None:
        self.senses, self.codebook = senses, codebook
        self.spans: list[tuple[int, int]] = []
        for part in senses.parts:
            start = self.spans[-1][1] if self.spans else 0
            self.spans.append((start, start + len(part.encoder.position)))
        self.grids = [i for i, part in enumerate(senses.parts) if part.encoder.modality == "grid"][:1]
        self._heard: dict[bytes, str] = {}

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns of the grid that is seen; None without one."""
        for i in self.grids:
            rows, columns = self.senses.parts[i].encoder.position.max(axis=0) + 1
            return int(rows), int(columns)
        return None

    @property
    def span(self) -> tuple[int, int]:
        """From where to where in a scene the grid stands."""
        return next((self.spans[i] for i in self.grids), (0, 0))

    def view(self, codes: Array) -> list[int]:
        """The cells of the grid in a scene's ``codes`` [N], row by row."""
        return [int(code) for i in self.grids for code in codes[slice(*self.spans[i])]]

    def beside(self, codes: Array) -> dict[str, Any]:
        """What the other senses said, by name: numbers and texts."""
        said: dict[str, Any] = {}
        for i, part in enumerate(self.senses.parts):
            own = codes[slice(*self.spans[i])]
            if i in self.grids or (own == UNSEEN).all():
                continue
            name = part.key or "observation"
            if isinstance(part.encoder, TextEncoder):
                said[name] = self._text(part.encoder, own)
            elif hasattr(part.encoder, "value"):
                values = part.encoder.value(self.codebook.decode(own)[None])
                said[name] = [round(float(value), 3) for value in np.ravel(values)[:16]]
        return said

    def entry(self, code: int, token: int) -> list[int]:
        """What a token of a list of symbols says where it has this ``code``; [] where it is none of such a list."""
        for (begin, end), part in zip(self.spans, self.senses.parts, strict=True):
            if begin <= token < end and part.encoder.modality == "symbol" and hasattr(part.encoder, "value"):
                tokens = np.zeros((1, end - begin, self.codebook.width), np.float32)
                tokens[0, token - begin] = self.codebook.decode(np.array(code))
                return [int(part.encoder.value(tokens)[0, token - begin])]
        return []

    def cells(self, codes: list[int]) -> dict[int, list[int]]:
        """What each code [n] of a cell shows, by channel."""
        for i in self.grids:
            encoder = self.senses.parts[i].encoder
            if codes and isinstance(encoder, GridEncoder):
                shown = encoder.value(self.codebook.decode(np.array(codes, np.int64)))
                return {code: [int(value) for value in row] for code, row in zip(codes, shown, strict=True)}
            return {code: [code] for code in codes}
        return {}

    @property
    def symbolic(self) -> bool:
        """Whether the cells of the grid show codes of the environment, and not what a picture shows there."""
        return any(isinstance(self.senses.parts[i].encoder, GridEncoder) for i in self.grids)

    def _text(self, encoder: TextEncoder, codes: Array) -> str:
        key = self.codebook.decode(codes).tobytes()
        if key not in self._heard:
            width = self.codebook.width
            for text, vector in encoder.cache.items():
                self._heard[np.pad(vector, (0, -len(vector) % width)).astype(np.float32).tobytes()] = text
        return self._heard.get(key, "")


def drawing(tasks: Sequence[str], senses: Senses, codebook: Codebook, codec: Codec) -> dict[str, Any]:
    """How frames of the tasks are drawn: names of the actions, rows and columns of the grid, whose cells they are, and
    the tiles of the games that have some, with a name for each."""
    names = plain_names(codec)
    frames = Frames(senses, codebook)
    cells, tiles = "codes" if frames.symbolic else "looks", {}
    for task, source in enumerate(tasks):
        env = make_env(source)
        inner: Any = env.unwrapped
        names = names_of_actions(inner, names)
        if frames.symbolic and type(inner).__module__.startswith("minigrid."):
            cells = "minigrid"
        if frames.symbolic and hasattr(inner, "looks"):
            words, sheet = inner.looks()
            tiles[task] = {"names": words, "tiles": [tile.tobytes().hex() for tile in sheet]}
        env.close()
    shapes = {"shape": frames.shape, "span": frames.span, "channels": senses.channels}
    return {"actions": names, "drawn": cells, "looks": tiles, **shapes}


def plain_names(codec: Codec) -> list[str]:
    """ "action 3" for every action, with a number for each of its parts."""
    told = [np.ravel(part).tolist() for part in codec(np.arange(codec.actions))]
    return [f"action {' '.join(map(str, parts))}" for parts in told]


def names_of_actions(inner: Any, names: list[str]) -> list[str]:
    """What an environment itself calls its actions; ``names`` where it has no name for each."""
    given = getattr(inner, "actions", None)
    if isinstance(given, type) and issubclass(given, Enum):
        given = [action.name for action in given]
    if isinstance(given, Sequence) and len(given) == len(names):
        return [str(name) for name in given]
    return names


def chart(place: Place, body: int) -> dict[str, Any]:
    """The known part of a map: cells row by row from ``at`` (row, column) on, ``wide`` columns, and the pose."""
    cells = place.cells[body]
    known = cells != UNSEEN
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    pose = [int(part) for part in place.pose[body]]
    pose[:2] = [part % len(cells) for part in pose[:2]]
    rows, columns = np.append(rows, pose[0]), np.append(columns, pose[1])
    top, left, low, right = (int(edge) for edge in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    shown = cells[top:low, left:right]
    return {"at": [top, left], "wide": right - left, "cells": shown.ravel().tolist(), "pose": pose}
