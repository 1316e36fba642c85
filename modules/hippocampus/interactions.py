"""The episodic world model of local interactions: what happens when this meets that.

An interaction is what the agent's action met (the token in front, the token carried) and what became of it. Memory answers by
back-off from fine to coarse keys: the exact key, then keys of some attributes only, where all that was seen agrees; else the action's
usual effect, with the novelty that experience teaches to expect. (Episodic transitions: Gershman & Daw 2017; back-off: Katz 1987.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from cortex.types import Array, CortexError, Vocabulary

Effect = tuple[int, ...]
"""moved, then an operation for each attribute of the token in front, then for each of the token carried."""
SAME, COPY = 0, 1
"""Operations: the attribute stays; it becomes that of the other token. From 2 on: it becomes the value operation - 2."""
AGREEMENT = 0.9
"""Share of the memories under a coarse key that one effect must explain."""
GUESS = 0.05
"""Novelty of an untried interaction that a coarse key foretells."""
LEAST = 0.1
"""Least novelty of an untried interaction that no key foretells: what was not tried is never vetoed."""


class Interactions:
    """Counts of interactions, and what they foretell.

    ``levels``: keys from fine to coarse, each a string of fields among ``front``, ``carried``, ``front.i`` and ``carried.i``, the i-th
    attribute of the token.
    """

    def __init__(self, codebook: Vocabulary, levels: Sequence[str]) -> None:
        self.codebook = codebook
        self.levels = [[_field(name) for name in level.split()] for level in levels]
        self.outcomes: dict[tuple[int, int, int], Counter[tuple[int, int, int]]] = {}
        self._coarse: list[dict[tuple[int, ...], list[tuple[int, int, int]]]] = [{} for _ in self.levels]
        self._memo: dict[int, tuple[bool, int, int, float]] = {}
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
            key, outcome = tuple(row[:3]), tuple(row[3:])
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
        distinct, inverse = np.unique(packed, return_inverse=True)
        answers = []
        for key in distinct.tolist():
            answer = self._memo.get(key)
            if answer is None:
                answer = self._memo[key] = self._predict(key >> 48, (key >> 24) & 0xFFFFFF, key & 0xFFFFFF)
            answers.append(answer)
        table = np.array(answers, np.float64).reshape(-1, 4)[inverse]
        return table[:, 0] > 0.5, table[:, 1].astype(np.int32), table[:, 2].astype(np.int32), table[:, 3]

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

    def _describe(self, key: tuple[int, int, int], outcome: tuple[int, int, int]) -> Effect:
        """The effect in relative terms, so that it carries over to other tokens."""
        front, carried, front_after, carried_after = self.codebook.attributes(
            np.array([*key[1:], *outcome[1:]])
        ).tolist()
        effect = [outcome[0]]
        for own, other, after in ((front, carried, front_after), (carried, front, carried_after)):
            stays, copied = after == own, after == other
            effect += [SAME if stays else COPY if copied else 2 + value for value in after]
        return tuple(effect)

    def _apply(self, effect: Effect, front: int, carried: int) -> tuple[bool, int, int]:
        if not any(effect[1:]):
            return bool(effect[0]), front, carried
        blocks = self.codebook.attributes(np.array([front, carried]))
        after = []
        for own, other, part in ((0, 1, effect[1 : 1 + self._blocks]), (1, 0, effect[1 + self._blocks :])):
            after.append(
                [
                    blocks[own][i] if op == SAME else blocks[other][i] if op == COPY else op - 2
                    for i, op in enumerate(part)
                ]
            )
        codes = self.codebook.compose(np.array(after))
        return bool(effect[0]), int(codes[0]), int(codes[1])

    def _effect(self, keys: list[tuple[int, int, int]]) -> tuple[Effect, float]:
        """The effect that explains most of the memories under ``keys``, and the share that it explains."""
        outcomes = {key: _most(self.outcomes[key])[0] for key in sorted(keys)}
        candidates = sorted({self._describe(key, outcome) for key, outcome in outcomes.items()})
        explained = [
            sum(self._apply(effect, key[1], key[2]) == (bool(o[0]), o[1], o[2]) for key, o in outcomes.items())
            for effect in candidates
        ]
        best = int(np.argmax(explained))
        return candidates[best], explained[best] / len(outcomes)

    def _learn_usual(self) -> None:
        """Each action's usual effect and how often tokens make it differ; each token's share of actions on which it does."""
        by_action: dict[int, dict[tuple[int, int, int], Effect]] = defaultdict(dict)
        for key, counts in self.outcomes.items():
            by_action[key[0]][key] = self._describe(key, _most(counts)[0])
        tries: Counter[int] = Counter()
        varied: Counter[int] = Counter()
        for action, effects in sorted(by_action.items()):
            usual, times = _most(Counter(effects.values()))
            self._usual[action] = usual, (len(effects) - times + 1) / (len(effects) + 2)
            for (_, front, _), effect in effects.items():
                tries[front] += 1
                varied[front] += effect != usual
        self._known = {front: (varied[front] + 1) / (n + 2) for front, n in tries.items()}


def _most(counts: Counter[Effect]) -> tuple[Effect, int]:
    """The most frequent entry and its count; ties go to the smallest, so that the order of learning does not matter."""
    return min(counts.items(), key=lambda item: (-item[1], item[0]))


def _field(name: str) -> tuple[int, int]:
    token, _, attribute = name.partition(".")
    if token not in ("front", "carried") or not (attribute == "" or attribute.isdigit()):
        raise CortexError(
            f"hippocampus.levels has the field {name!r}; a field is front, carried, front.0 or carried.0 and so on."
        )
    return ("front", "carried").index(token), int(attribute) if attribute else -1
