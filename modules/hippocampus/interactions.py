"""The episodic world model of local interactions: what happens when this meets that.

An interaction is what the agent's action met (the token that it reached, the token carried, the token behind) and what
became of them. Memory answers by back-off: the exact key; else keys of which parts are left out, where all that was
seen agrees; else what the action usually does. How novel an answer is follows from how often answers of its kind would
have been wrong: each memory foretold from the others. (Episodic transitions: Gershman & Daw 2017; back-off: Katz 1987;
cross-validation: Stone 1974.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np

from cortex.types import Array, CortexError, Vocabulary

from .memo import Memo

Key = tuple[int, int, int, int]
"""verb, code reached, code carried, code behind."""
Outcome = tuple[int, int, int, int]
"""how the agent moved (0 not, 1 by a step, 2 to another place like the one reached), code reached, code carried and
code behind afterwards."""
Effect = tuple[int, ...]
"""moved, then an operation for each attribute of the token reached, of the token carried, of the token behind."""
Entry = TypeVar("Entry", bound=tuple[int, ...])

TOKENS = ("front", "carried", "beyond")
SAME = 0
"""Operation: the attribute stays. From 1 to 3: it becomes that of the token of this number. From 4 on: the value
operation - 4."""
VALUE = 1 + len(TOKENS)
AGREEMENT = 0.9
"""Share of the memories under a coarse key that one effect must explain."""
LEAST = 0.02
"""Least novelty of an untried interaction that only the usual effect foretells: what was not tried is never vetoed."""
PRIOR: dict[str, tuple[float, float]] = {"": (1.4, 2.0)}
"""Wrong answers and answers that are counted before the first, by kind of key; OTHER for those not named."""
OTHER = (0.1, 2.0)
STRENGTH = 2.0
"""How many answers under a key of its own the rate of its kind weighs."""
PARTS = ("front carried", "front beyond", "front", "carried")
"""Keys that leave out one part or two, tried where the exact key is not known."""


@dataclass
class Group:
    """The memories under one coarse key."""

    effects: Counter[Effect] = field(default_factory=Counter)  # how many of them each would explain
    members: dict[Key, tuple[Effect, ...]] = field(default_factory=dict)
    answer: Effect | None = None  # what they foretell together; None where they do not agree
    wrong: int = 0  # answers, when each is foretold from the others
    asked: int = 0


@dataclass
class Kind:
    """The groups of one verb and one level, and their wrong answers together."""

    groups: dict[tuple[int, ...], Group] = field(default_factory=dict)
    untested: set[tuple[int, ...]] = field(default_factory=set)  # those that changed since answers were counted
    wrong: int = 0
    asked: int = 0


class Interactions:
    """Counts of the interactions of one world, and what they foretell.

    ``levels``: keys beside those of PARTS, each a string of fields among ``front``, ``carried``, ``beyond`` and
    ``front.i`` and so on, the i-th attribute of the token. ``others``: worlds that taught before how far to trust.
    """

    def __init__(self, codebook: Vocabulary, levels: Sequence[str], others: Sequence[Interactions] = ()) -> None:
        self.codebook, self.others = codebook, list(others)
        self.names = list(dict.fromkeys([*PARTS, *levels, ""]))
        self.levels = [[_field(name) for name in level.split()] for level in self.names]
        self.outcomes: dict[Key, Counter[Outcome]] = {}
        for token, attribute in (part for level in self.levels for part in level):
            if attribute >= self._blocks:
                raise CortexError(
                    f"hippocampus.levels has the field {TOKENS[token]}.{attribute}, but a token has the attributes 0 "
                    f"to {self._blocks - 1}."
                )
        self._kinds: list[defaultdict[int, Kind]] = [defaultdict(Kind) for _ in self.levels]  # of each level, by verb
        self._memo = Memo(5)  # moved, front, carried, beyond, novelty

    def __len__(self) -> int:
        return len(self.outcomes)

    def learn(self, verb: Array, met: Array, moved: Array, after: Array) -> None:
        """Count what was seen: ``verb`` and ``moved`` [B], codes reached, carried and behind before and after [B, 3].

        Where the agent stepped onto a token, that is taken to be unchanged.
        """
        after = after.copy()
        after[:, 0] = np.where((moved > 0) & (after[:, 2] == met[:, 2]), met[:, 0], after[:, 0])
        rows = np.column_stack([verb, met, moved, after]).astype(np.int64)
        for row, n in sorted(Counter(map(tuple, rows.tolist())).items()):
            key: Key = (row[0], row[1], row[2], row[3])
            outcome: Outcome = (row[4], row[5], row[6], row[7])
            counts = self.outcomes.get(key)
            if counts is None:
                self.outcomes[key] = Counter({outcome: n})
                self._enter(key, outcome)
                continue
            usual = _most(counts)[0]
            counts[outcome] += n
            if _most(counts)[0] != usual:
                self._enter(key, _most(counts)[0])

    def predict(self, verb: Array, met: Array) -> tuple[Array, Array, Array]:
        """What would happen: how it moves [M], codes reached, carried and behind after [M, 3], novelty [M]."""
        packed = (verb.astype(np.int64) << 54) | (met[:, 0].astype(np.int64) << 36) | (met[:, 1].astype(np.int64) << 18)
        packed |= met[:, 2].astype(np.int64)

        def ask(rows: Array) -> Array:
            keys, tokens = np.column_stack([verb, met])[rows].tolist(), self.codebook.attributes(met[rows]).tolist()
            rate = cache(self._rate)  # nothing is learned meanwhile
            return np.array([self._predict(tuple(key), told, rate) for key, told in zip(keys, tokens, strict=True)])

        told = self._memo(packed, ask)
        whole = told[:, :4].astype(np.int64)
        return whole[:, 0], whole[:, 1:], told[:, 4]

    def tried(self, verb: int, front: int, carried: int, beyond: int) -> int:
        """How often exactly this was done."""
        counts = self.outcomes.get((verb, front, carried, beyond))
        return 0 if counts is None else sum(counts.values())

    def _predict(
        self, key: Key, tokens: list[list[int]], rate: Callable[[int, int], tuple[float, list[Kind]]]
    ) -> tuple[float, ...]:
        counts = self.outcomes.get(key)
        if counts is not None:
            return *_most(counts)[0], 0.0
        best: tuple[Effect, float] | None = None
        for level, name in enumerate(self._names(key, tokens)):
            group = self._kinds[level][key[0]].groups.get(name)
            if group is None or group.answer is None:
                continue
            novelty = _novelty(*rate(key[0], level), name)
            if best is None or novelty < best[1]:
                best = group.answer, novelty
        if best is None:
            best = (1,) + (SAME,) * 3 * self._blocks, rate(key[0], len(self.levels) - 1)[0]
        return *self._apply(best[0], key, tokens), best[1]

    def _rate(self, verb: int, level: int) -> tuple[float, list[Kind]]:
        """How often answers of this level and verb were wrong, in this world and those before it; and these answers."""
        wrong, asked = PRIOR.get(self.names[level], OTHER)
        kinds = [world._tested(verb, level) for world in (self, *self.others)]
        for kind in kinds:
            wrong, asked = wrong + kind.wrong, asked + kind.asked
        return max(wrong / asked, LEAST if level == len(self.levels) - 1 else 0), kinds

    def _tested(self, verb: int, level: int) -> Kind:
        """The groups of a verb and a level, each of their memories foretold from the others."""
        kind = self._kinds[level][verb]
        for name in kind.untested:
            group = kind.groups[name]
            before = group.wrong, group.asked
            group.wrong, group.asked = self._foretell(group, level)
            kind.wrong, kind.asked = kind.wrong + group.wrong - before[0], kind.asked + group.asked - before[1]
        kind.untested.clear()
        return kind

    def _foretell(self, group: Group, level: int) -> tuple[int, int]:
        wrong = asked = 0
        alike = Counter(group.members.values()) if len(group.members) > 1 else {}
        for effects, times in alike.items():
            rest = group.effects - Counter(effects)
            effect = self._agreed(rest, len(group.members) - 1, level)
            asked += times * (effect is not None)
            wrong += times * (effect is not None and effect not in effects)
        return wrong, asked

    def _agreed(self, effects: Counter[Effect], number: int, level: int) -> Effect | None:
        if not effects:
            return None
        times = max(effects.values())
        effect = min((effect for effect, n in effects.items() if n == times), key=_complexity)
        return effect if level == len(self.levels) - 1 or times >= AGREEMENT * number else None

    def _enter(self, key: Key, outcome: Outcome) -> None:
        """Put what one key comes to under all coarse keys, in the place of what it came to before."""
        tokens = self._tokens(key)
        effects = self._describe(outcome, tokens)
        for level, name in enumerate(self._names(key, tokens)):
            kind = self._kinds[level][key[0]]
            group = kind.groups.setdefault(name, Group())
            group.effects.subtract(group.members.get(key, ()))
            group.effects.update(effects)
            group.effects = +group.effects
            group.members[key] = effects
            group.answer = self._agreed(group.effects, len(group.members), level)
            kind.untested.add(name)
        self._memo.clear()

    @property
    def _blocks(self) -> int:
        return int(self.codebook.attributes(np.zeros(1, np.int32)).shape[-1])

    def _tokens(self, key: Key) -> list[list[int]]:
        """The attributes of the tokens of a key."""
        told: list[list[int]] = self.codebook.attributes(np.array(key[1:])).tolist()
        return told

    def _names(self, key: Key, tokens: list[list[int]]) -> list[tuple[int, ...]]:
        """What is left of a key on each level."""
        return [
            (key[0], *(key[1 + token] if attribute < 0 else tokens[token][attribute] for token, attribute in level))
            for level in self.levels
        ]

    def _describe(self, outcome: Outcome, tokens: list[list[int]]) -> tuple[Effect, ...]:
        """The effects that would explain an outcome: relative ones carry over to other tokens."""
        after = self.codebook.attributes(np.array(outcome[1:])).tolist()
        found: list[Effect] = [(outcome[0],)]
        for which in range(len(TOKENS)):
            options = _options(tokens, which, after[which])
            found = [(*effect, *option) for effect in found for option in options]
        return tuple(found)

    def _apply(self, effect: Effect, key: Key, tokens: list[list[int]]) -> tuple[int, int, int, int]:
        if not any(effect[1:]):
            return effect[0], key[1], key[2], key[3]
        blocks = self._blocks
        after = [
            [_becomes(effect[1 + which * blocks + i], tokens, which, i) for i in range(blocks)]
            for which in range(len(TOKENS))
        ]
        codes = self.codebook.compose(np.array(after))
        same = [key[1 + which] if after[which] == tokens[which] else int(codes[which]) for which in range(len(TOKENS))]
        return effect[0], same[0], same[1], same[2]


def _novelty(rate: float, kinds: list[Kind], name: tuple[int, ...]) -> float:
    """Chance that an answer is wrong: from how often answers under the same key were, held against the ``rate`` of all
    of its kind."""
    if len(name) == 1:
        return rate
    wrong, asked = STRENGTH * rate, STRENGTH
    for kind in kinds:
        group = kind.groups.get(name)
        if group is not None:
            wrong, asked = wrong + group.wrong, asked + group.asked
    return wrong / asked


def _becomes(operation: int, tokens: list[list[int]], which: int, attribute: int) -> int:
    if operation == SAME:
        return tokens[which][attribute]
    return tokens[operation - 1][attribute] if operation < VALUE else operation - VALUE


def _options(tokens: list[list[int]], which: int, after: list[int]) -> list[Effect]:
    """Operations that make ``after`` of a token: it stays, it is another token, or a change of some attributes."""
    relative = tuple(
        next((SAME if o == which else 1 + o for o in _order(which) if tokens[o][i] == value), VALUE + value)
        for i, value in enumerate(after)
    )
    found = [(SAME if o == which else 1 + o,) * len(after) for o in _order(which) if tokens[o] == after]
    if tokens[which] != after:  # what stays the same does so because nothing is done to it
        found += [relative, tuple(VALUE + value for value in after)]
    return list(dict.fromkeys(found))


def _complexity(effect: Effect) -> tuple[int, int, Effect]:
    """Of effects that explain as much, the likeliest has fewest operations a token, then fewest values of its own."""
    blocks = (len(effect) - 1) // len(TOKENS)
    kinds = sum(len(set(effect[1 + at : 1 + at + blocks])) for at in range(0, len(effect) - 1, blocks))
    return kinds, sum(operation >= VALUE for operation in effect[1:]), effect


def _order(which: int) -> list[int]:
    """The token itself, then the others."""
    return [which, *(other for other in range(len(TOKENS)) if other != which)]


def _most(counts: Counter[Entry]) -> tuple[Entry, int]:
    """The most frequent entry and its count; ties go to the smallest, so that the order of learning does not matter."""
    return min(counts.items(), key=lambda item: (-item[1], item[0]))


def _field(name: str) -> tuple[int, int]:
    token, _, attribute = name.partition(".")
    if token not in TOKENS or not (attribute == "" or attribute.isdigit()):
        raise CortexError(
            f"hippocampus.levels has the field {name!r}; a field is front, carried, beyond, front.0 and so on."
        )
    return TOKENS.index(token), int(attribute) if attribute else -1
