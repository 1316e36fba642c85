"""The map of what is remembered: stored scenes, their latents laid out in the plane in which they differ most."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from cortex.binding import bind
from cortex.modules.encoders.grid import GridEncoder
from cortex.modules.hippocampus.forgetting import retention
from cortex.modules.multimodal import Multimodal
from cortex.store import database
from cortex.types import UNSEEN, Array, CortexError, Scene, spread

POINTS = 1500
"""Most scenes on the map."""
CHUNK = 512
"""Scenes pooled at once."""


def memories(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Points of distinct remembered scenes: x, y, day, situation, salience, memory, step, cells of the view, task.

    The plane is that of the first two principal components of the latents by which memories are recalled; ``share`` is
    their part of the variance. Raises CortexError where the memories cannot be read.
    """
    with database.answering(path, "read", "the page shows no map of the memories without it"):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            held = database.read(connection, path)
        finally:
            connection.close()
    found: dict[bytes, list[Any]] = {}
    for number, episode in held.episodes.items():
        for t, salience in enumerate(episode.salience.tolist()):
            key = episode.codes[t].tobytes()
            known = found.get(key)
            if known is None:
                place = episode.day, episode.situation, salience, episode.codes[t], episode.layout
                found[key] = [number, t, *place, episode.environment]
            else:
                known[4] = max(known[4], salience)
    kept = list(found.values())
    kept = [kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, min(len(kept), POINTS)).astype(int))]
    if len(kept) < 3:
        raise CortexError(f"{path} holds too few memories for a map")
    pool = bind(facts["encoder"], int(facts["width"]), facts["taught"])
    latents = _latents(kept, held.tokens, pool)
    centred = latents - latents.mean(axis=0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes[:2].T
    plane /= max(1e-9, float(np.abs(plane).max()))
    begin, end = facts["span"]
    views = [row[5][begin:end] for row in kept]
    points = [
        [
            round(float(x), 3),
            round(float(y), 3),
            row[2],
            row[3],
            round(row[4], 2),
            row[0],
            row[1],
            view.tolist(),
            row[7],
        ]
        for (x, y), row, view in zip(plane, kept, views, strict=True)
    ]
    share = float((size[:2] ** 2).sum() / max(1e-12, float((size**2).sum())))
    cells = _cells(np.unique(np.concatenate(views)) if views else np.zeros(0, int), held.tokens, facts)
    days = max(row[2] for row in kept)
    salience, age = np.linspace(0, 1, 11)[:, None], np.arange(days)
    fading = np.round(retention(age, 1 + 9 * salience), 3).tolist()
    counts = {"distinct": len(found), "days": days, "share": round(share, 3)}
    return {"points": points, **counts, "retention": fading, "cells": cells}


def _latents(kept: list[list[Any]], tokens: Array, pool: Multimodal) -> Array:
    """The percepts [n, D] of the scenes."""
    found = []
    for at in range(0, len(kept), CHUNK):
        part = kept[at : at + CHUNK]
        codes, layout = np.stack([row[5] for row in part]), part[0][6]
        position, modality = spread(layout.position, len(part)), spread(layout.modality, len(part))
        found.append(pool(Scene(tokens[codes], position, modality, codes != UNSEEN)).latent)
    return np.concatenate(found).astype(np.float64)


def _cells(codes: Array, tokens: Array, facts: dict[str, Any]) -> dict[int, list[int]]:
    """What the codes of cells show, by channel."""
    if facts["shape"] is None:
        return {}
    codes = codes[codes != UNSEEN]
    if facts["drawn"] == "looks":
        return {int(code): [int(code)] for code in codes}
    shown = GridEncoder((*facts["shape"], facts["channels"]), None).value(tokens[codes])
    return {int(code): [int(value) for value in row] for code, row in zip(codes, shown, strict=True)}
