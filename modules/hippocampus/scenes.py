"""Memories of whole scenes: an index by similarity, and what followed each action in exactly this scene.

An entry is a distinct scene. Its key in the index is the percept's latent (FAISS, inner product of unit vectors);
beside it stand the returns of each action tried there (episodic control: Lengyel & Dayan 2007; Blundell 2016) and the
scenes that followed (an episodic world model for scenes without a map). The index is a cache: it can be rebuilt from
rows.
"""

from __future__ import annotations

from collections import Counter

import faiss
import numpy as np

from cortex.types import Array

KERNEL = 0.05
"""Distance (1 - cosine) at which a memory's weight has fallen to 1/e."""


class Scenes:
    """Scenes of width ``width`` with ``actions`` actions; recalls ``recall`` of them at a time."""

    def __init__(self, width: int, actions: int, recall: int) -> None:
        self.width, self.actions, self.recall = width, actions, recall
        self.index = faiss.IndexFlatIP(max(1, width))
        self.entry: dict[int, int] = {}
        self.row = np.zeros(0, np.int64)
        self.returns = np.zeros((0, actions), np.float32)
        self.tried = np.zeros((0, actions), np.float32)
        self.codes: list[Array] = []
        self.identity: list[int] = []
        self.follows: dict[tuple[int, int], Counter[int]] = {}
        self.ends: dict[tuple[int, int], Array] = {}
        self.steps = 0

    def __len__(self) -> int:
        return len(self.entry)

    def enter(self, code: Array, codes: Array, latent: Array) -> Array:
        """Enter the scenes that are new: ``code`` [n], ``codes`` [n, N], ``latent`` [n, D]; returns the entries [n]."""
        fresh: list[int] = []
        for i, key in enumerate(code.tolist()):
            if key not in self.entry:
                self.entry[key] = len(self.entry)
                self.codes.append(codes[i])
                self.identity.append(key)
                fresh.append(i)
        if fresh:
            if self.recall:
                self.index.add(np.ascontiguousarray(latent[fresh], np.float32))
            if len(self.entry) > len(self.row):
                room = max(256, len(self.entry))
                self.row = np.concatenate([self.row, np.full(room, -1, np.int64)])
                self.returns = np.concatenate([self.returns, np.zeros((room, self.actions), np.float32)])
                self.tried = np.concatenate([self.tried, np.zeros((room, self.actions), np.float32)])
        return np.array([self.entry[key] for key in code.tolist()], np.int64)

    def learn(self, before: Array, action: Array, reward: Array, ended: Array, after: Array) -> None:
        """Count what followed: entries ``before`` and ``after``, ``action``, ``reward`` and whether the game ended
        there; all [n]."""
        self.steps += len(before)
        for i, key in enumerate(zip(before.tolist(), action.tolist(), strict=True)):
            if key not in self.follows:
                self.follows[key], self.ends[key] = Counter(), np.zeros(3)
            self.follows[key][int(after[i])] += 1
            self.ends[key] += (1, reward[i], ended[i])

    @property
    def repeated(self) -> float:
        """Share of the steps that did what had been done before in exactly the same scene."""
        return 1 - len(self.follows) / max(1, self.steps, len(self.follows))

    def credit(self, code: Array, action: Array, returns: Array, row: int) -> None:
        """What an episode's actions led to: ``code``, ``action`` and discounted ``returns`` [T] of memory ``row``."""
        entries = np.array([self.entry[key] for key in code.tolist()], np.int64)
        np.add.at(self.returns, (entries, action), returns)
        np.add.at(self.tried, (entries, action), 1)
        self.row[entries] = row

    def search(self, latent: Array, among: int | None = None) -> tuple[Array, Array, Array]:
        """The nearest memories of ``latent`` [B, D], ``among`` the first so many scenes, else all: rows [B, K], entries
        [B, K] (-1: none), similarity [B, K]."""
        if len(self.entry) == 0 or self.recall == 0:
            none = np.full((len(latent), self.recall), -1, np.int64)
            return none, none, np.zeros(none.shape, np.float32)
        first = None if among is None else faiss.SearchParameters(sel=faiss.IDSelectorRange(0, among))  # type: ignore[call-arg]
        similarity, entries = self.index.search(np.ascontiguousarray(latent, np.float32), self.recall, params=first)
        found = entries >= 0
        return (
            np.where(found, self.row[np.maximum(entries, 0)], -1),
            entries,
            np.where(found, similarity, 0).astype(np.float32),
        )

    def novelty(self, code: Array, latent: Array) -> Array:
        """How unlike all memories the scenes ``code`` [B] of ``latent`` [B, D] are: 0 for one met before, which needs
        no search, 1 with an empty memory."""
        told = np.zeros(len(code), np.float32)
        new = [row for row, key in enumerate(code.tolist()) if key not in self.entry]
        if new:
            told[new] = unlike(self.search(latent[new])[2])
        return told

    def value(self, entries: Array, similarity: Array) -> tuple[Array, Array]:
        """Similarity-weighted mean return of each action, and the evidence behind it; both [B, A]."""
        if len(self.entry) == 0 or entries.shape[1] == 0:
            none = np.zeros((len(entries), self.actions), np.float32)
            return none, none
        weight = np.where(entries >= 0, np.exp((similarity - 1) / KERNEL), 0)[..., None]
        at = np.maximum(entries, 0)
        tried = (weight * self.tried[at]).sum(axis=1)
        mean = (weight * self.returns[at]).sum(axis=1) / np.maximum(tried, 1e-6)
        return np.where(tried > 1e-3, mean, 0).astype(np.float32), tried.astype(np.float32)

    def predict(self, code: int, action: int) -> tuple[int, float, float] | None:
        """The likeliest next entry after ``action`` in exactly this scene, the mean reward and the chance of an end;
        None if untried."""
        entry = self.entry.get(code)
        follows = None if entry is None else self.follows.get((entry, action))
        if follows is None or entry is None:
            return None
        times, reward, ended = self.ends[entry, action]
        return (
            min(follows.items(), key=lambda item: (-item[1], item[0]))[0],
            float(reward / times),
            float(ended / times),
        )


def unlike(similarity: Array) -> Array:
    """Novelty [B] of what has memories of ``similarity`` [B, K]: 1 without any."""
    return np.asarray(np.clip(1 - similarity.max(axis=1, initial=0.0), 0, 1))
