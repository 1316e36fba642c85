"""The episodic world model of local interactions: what happens when this meets that.

An interaction is what the agent's action met (the token in front, the token carried) and what became of it. Memory
answers by back-off from fine to coarse keys: the exact key, then keys of some attributes only, where all that was
seen agrees; else the action's usual effect, with the novelty that experience teaches to expect. (Episodic
transitions: Gershman & Daw 2017; back-off: Katz 1987.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from cortex.types import Array, CortexError, Vocabulary

from .memo import Memo

Key = tuple[int, int, int]
"""action, code in front, code carried."""
Outcome = tuple[int, int, int]
"""moved, code in front and code carried afterwards."""
Effect = tuple[int, ...]
"""moved, then an operation for each attribute of the token in front, then for each of the token carried."""
SAME, COPY = 0, 1
"""Operations: the attribute stays; it becomes that of the other token. From 2 on: the value operation - 2."""
Entry = TypeVar("Entry", bound=tuple[int, ...])
AGREEMENT = 0.9
"""Share of the memories under a coarse key that one effect must explain."""
GUESS = 0.05
"""Novelty of an untried interaction that a coarse key foretells."""
LEAST = 0.1
"""Least novelty of an untried interaction that no key foretells: what was not tried is never vetoed."""


class Interactions:
    """Counts of interactions, and what they foretell.

    ``levels``: keys from fine to coarse, each a string of fields among ``front``, ``carried``, ``front.i`` and
    ``carried.i``, the i-th attribute of the token.
    """

    def __init__(self, codebook: Vocabulary, levels: Sequence[str]) -> None:
        self.codebook = codebook
        self.levels = [[_field(name) for name in level.split()] for level in levels]
        self.outcomes: dict[Key, Counter[Outcome]] = {}
        for token, attribute in (field for level in self.levels for field in level):
            if attribute >= self._blocks:
                raise CortexError(
                    f"hippocampus.levels has the field {('front', 'carried')[token]}.{attribute}, but a token has the "
                    f"attributes 0 to {self._blocks - 1}."
                )
        self._coarse: list[dict[tuple[int, ...], list[Key]]] = [{} for _ in self.levels]
        self._memo = Memo(4)  # moved, front, carried, novelty
        self._usual: dict[int, tuple[Effect, float]] = {}
        self._known: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self.outcomes)

    def learn(
        self, action: Array, front: Array, carried: Array, moved: Array, front_after: Array, carried_after: Array
    ) -> None:
        """Count what was seen; all [B] integers. Where the agent moved, what was in front is taken to be unchanged."""
        front_after = np.where(moved, front, front_after)
        rows = np.stack([action, front, carried, moved, front_after, carried_after], axis=1).astype(np.int64)
        distinct, times = np.unique(rows, axis=0, return_counts=True)
        for row, n in zip(distinct.tolist(), times.tolist(), strict=True):
            key: Key = (row[0], row[1], row[2])
            outcome: Outcome = (row[3], row[4], row[5])
            counts = self.outcomes.get(key)
            if counts is None:
                counts = self.outcomes[key] = Counter()
                for level, fields in zip(self._coarse, self.levels, strict=True):
                    level.setdefault(self._key(fields, *key), []).append(key)
            if outcome not in counts or len(counts) > 1:
                self._memo.clear()
                self._usual.clear()
            counts[outcome] += n

    def predict(self, action: Array, front: Array, carried: Array) -> tuple[Array, Array, Array, Array]:
        """What would happen: moved, front after, carried after, novelty; all [M]."""
        packed = (action.astype(np.int64) << 48) | (front.astype(np.int64) << 24) | carried.astype(np.int64)

        def ask(rows: Array) -> Array:
            asked = zip(action[rows].tolist(), front[rows].tolist(), carried[rows].tolist())
            return np.array([self._predict(*key) for key in asked], np.float64)

        told = self._memo(packed, ask)
        return told[:, 0] > 0.5, told[:, 1].astype(np.int32), told[:, 2].astype(np.int32), told[:, 3]

    def tried(self, action: int, front: int, carried: int) -> int:
        """How often exactly this was done."""
        counts = self.outcomes.get((action, front, carried))
        return 0 if counts is None else sum(counts.values())

    def _predict(self, action: int, front: int, carried: int) -> tuple[bool, int, int, float]:
        counts = self.outcomes.get((action, front, carried))
        if counts is not None:
            outcome, _ = _most(counts)
            return bool(outcome[0]), outcome[1], outcome[2], 0.0
        for level, fields in zip(self._coarse[1:], self.levels[1:], strict=True):
            alike = level.get(self._key(fields, action, front, carried))
            if alike:
                effect, share = self._effect(alike)
                if share >= AGREEMENT:
                    return *self._apply(effect, front, carried), GUESS
        if not self._usual:
            self._learn_usual()
        effect, varies = self._usual.get(action, ((1,) + (SAME,) * 2 * self._blocks, 1.0))
        novelty = max(LEAST, (varies * self._known.get(front, 0.5)) ** 0.5)
        return *self._apply(effect, front, carried), novelty

    @property
    def _blocks(self) -> int:
        return int(self.codebook.attributes(np.zeros(1, np.int32)).shape[-1])

    def _key(self, fields: list[tuple[int, int]], action: int, front: int, carried: int) -> tuple[int, ...]:
        tokens = (front, carried)
        key = [action]
        for which, attribute in fields:
            code = tokens[which]
            key.append(code if attribute < 0 else int(self.codebook.attributes(np.array([code]))[0, attribute]))
        return tuple(key)

    def _describe(self, key: Key, outcome: Outcome) -> list[Effect]:
        """The effects that would explain an outcome, relative ones first: they carry over to other tokens."""
        tokens = self.codebook.attributes(np.array([*key[1:], *outcome[1:]]))
        front, carried, front_after, carried_after = tokens.tolist()
        of_front, of_carried = _options(front, carried, front_after), _options(carried, front, carried_after)
        return [(outcome[0], *one, *other) for one in of_front for other in of_carried]

    def _apply(self, effect: Effect, front: int, carried: int) -> tuple[bool, int, int]:
        if not any(effect[1:]):
            return bool(effect[0]), front, carried
        after = _changed(np.array([effect]), self.codebook.attributes(np.array([[front, carried]])))
        codes = self.codebook.compose(after[0, 0])
        return bool(effect[0]), int(codes[0]), int(codes[1])

    def _effect(self, keys: list[Key]) -> tuple[Effect, float]:
        """The effect that explains most of the memories under ``keys``, and the share that it explains."""
        outcomes = {key: _most(self.outcomes[key])[0] for key in sorted(keys)}
        candidates = sorted({effect for key, outcome in outcomes.items() for effect in self._describe(key, outcome)})
        met, came = (np.array([pair[1:] for pair in pairs]) for pairs in (list(outcomes), list(outcomes.values())))
        effects = np.array(candidates)
        right = (_changed(effects, self.codebook.attributes(met)) == self.codebook.attributes(came)).all(axis=(2, 3))
        right &= effects[:, :1] == np.array([outcome[0] for outcome in outcomes.values()])
        best = int(np.argmax(right.sum(axis=1)))
        return candidates[best], float(right[best].mean())

    def _learn_usual(self) -> None:
        """Each action's usual effect and how often tokens change it; each token's share of actions that it changes."""
        by_action: dict[int, dict[Key, Effect]] = defaultdict(dict)
        for key, counts in self.outcomes.items():
            by_action[key[0]][key] = self._describe(key, _most(counts)[0])[0]
        tries: Counter[int] = Counter()
        varied: Counter[int] = Counter()
        for action, effects in sorted(by_action.items()):
            usual, times = _most(Counter(effects.values()))
            self._usual[action] = usual, (len(effects) - times + 1) / (len(effects) + 2)
            for (_, front, _), effect in effects.items():
                tries[front] += 1
                varied[front] += effect != usual
        self._known = {front: (varied[front] + 1) / (n + 2) for front, n in tries.items()}


def _changed(effects: Array, tokens: Array) -> Array:
    """Attributes [E, n, 2, C] after ``effects`` [E, 1 + 2 C] of ``tokens`` [n, 2, C], front and carried."""
    operations = effects[:, None, 1:].reshape(len(effects), 1, *tokens.shape[1:])
    after = np.where(operations == SAME, tokens, operations - 2)
    return np.where(operations == COPY, tokens[:, ::-1], after)


def _options(own: list[int], other: list[int], after: list[int]) -> list[Effect]:
    """Operations that make ``after`` of a token: it stays, it is the other token, or a change of some attributes."""
    if after in (own, other):
        return [(op,) * len(own) for op, whole in ((SAME, own), (COPY, other)) if after == whole]
    relative = tuple(SAME if a == o else COPY if a == x else 2 + a for a, o, x in zip(after, own, other))
    absolute = tuple(2 + a for a in after)
    return [relative, absolute]


def _most(counts: Counter[Entry]) -> tuple[Entry, int]:
    """The most frequent entry and its count; ties go to the smallest, so that the order of learning does not matter."""
    return min(counts.items(), key=lambda item: (-item[1], item[0]))


def _field(name: str) -> tuple[int, int]:
    token, _, attribute = name.partition(".")
    if token not in ("front", "carried") or not (attribute == "" or attribute.isdigit()):
        raise CortexError(
            f"hippocampus.levels has the field {name!r}; a field is front, carried, front.0 or carried.0 and so on."
        )
    return ("front", "carried").index(token), int(attribute) if attribute else -1
