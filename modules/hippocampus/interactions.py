"""The episodic world model of local interactions: what happens when this meets that.

An interaction is what the agent's action met (the token that it reached, the token carried, the token behind) and what
became of them. Memory answers by back-off: the exact key, as it came out before or, where that changes, as it did
last; else keys of which parts are left out, where all that was seen agrees; else what the action usually does. How
novel an answer is follows from how often answers of its kind would have been wrong: each memory foretold from the
others. (Episodic transitions: Gershman & Daw 2017; back-off: Katz 1987; cross-validation: Stone 1974.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numba import njit

from cortex.types import Array, CortexError, Vocabulary, room

from .facts import Facts, Key, Outcome
from .lore import DISAGREED, Effect, Lore, either
from .memo import NONE, Index, Memo, find

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
NAMES = np.random.default_rng(17).integers(1, 2**62, 32, dtype=np.int64) | 1
"""Multipliers that make one number of several."""


@dataclass
class Group:
    """The memories under one coarse key."""

    effects: Counter[Effect] = field(default_factory=Counter)  # how many of them each would explain
    members: dict[Key, tuple[Effect, ...]] = field(default_factory=dict)
    vote: Effect | None = None  # the answer that the lore knows of


class Interactions:
    """Counts of the interactions of one world, and what they foretell.

    ``levels``: keys beside those of PARTS, each a string of fields among ``front``, ``carried``, ``beyond`` and
    ``front.i`` and so on, the i-th attribute of the token. ``change``: prior odds that what comes out otherwise has
    changed. ``lore``: what it shares with other worlds of these levels.
    """

    def __init__(self, codebook: Vocabulary, levels: Sequence[str], change: float, lore: Lore | None = None) -> None:
        self.change = change
        self.codebook = codebook
        self.blocks = int(codebook.attributes(np.zeros(1, np.int32)).shape[-1])
        names = list(dict.fromkeys([*PARTS, *levels, ""]))
        self._fields = _fields(names, self.blocks)
        self._prior = np.array([PRIOR.get(name, OTHER) for name in names])
        self.lore = lore or Lore(len(names), 1 + len(TOKENS) * self.blocks)
        self._names = Index()
        self._groups: list[Group] = []
        self._kind, self._trials = np.zeros((0, 2), np.int64), np.zeros((0, 2))
        self.clear()

    def clear(self) -> None:
        """Forget what this world taught."""
        for number, group in enumerate(self._groups):
            verb, level = int(self._kind[number, 0]), int(self._kind[number, 1])
            name = int(self._names.keys[number])
            self.lore.vote(name, verb, level, group.vote, None)
            self.lore.count(name, verb, level, -self._trials[number])
        self._facts = Facts(self.change)
        self._exact, self._usual = Index(), np.zeros((0, 4), np.int64)  # outcome by key
        self._explained: dict[tuple[Key, Outcome], tuple[Effect, ...]] = {}
        self._carried: dict[tuple[Key, Outcome, Key], Outcome] = {}  # effects of keys, carried over to others
        self._followers: set[Key] = set()  # keys that are taken to have changed with those that did
        self._changed = 0  # when one last did
        self._groups = []
        self._names, self._kind = Index(), np.zeros((0, 2), np.int64)  # of each group: verb and level
        self._answers = np.zeros((0, 1 + len(TOKENS) * self.blocks), np.int64)  # -1: its memories do not agree
        self._trials = np.zeros((0, 2))  # wrong answers and all, when each of its memories is foretold from the others
        self._untested: set[int] = set()
        self._stamp = -1
        self._memo = Memo(5)  # moved, front, carried, beyond, novelty

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def outcomes(self) -> dict[Key, Counter[Outcome]]:
        """How often each exact key came to what."""
        return self._facts.outcomes

    def learn(self, verb: Array, met: Array, moved: Array, after: Array, when: Array) -> Array:
        """Count what was seen: ``verb`` and ``moved`` [B], codes reached, carried and behind before and after [B, 3],
        and ``when`` [B, 2] it was and its episode began; returns which [B] came out as never before.

        Where the agent stepped onto a token, that is taken to be unchanged.
        """
        after = after.copy()
        after[:, 0] = np.where((moved > 0) & (after[:, 2] == met[:, 2]), met[:, 0], after[:, 0])
        keys: list[Key] = list(map(tuple, np.column_stack([verb, met]).tolist()))
        outcomes: list[Outcome] = list(map(tuple, np.column_stack([moved, after]).tolist()))
        at, _ = self._exact.enter(_keys(verb.astype(np.int64), met.astype(np.int64)))
        self._usual = room(self._usual, self._exact.size)
        known = set(self.outcomes)
        news = self._facts.enter(keys, at, outcomes, when)
        for key in sorted(set(keys)):
            self._put(key, self._facts.now(key), anew=key not in known)
        if self._facts.changing or self._followers or self._changed:
            self._follow()
        return news

    def _put(self, key: Key, outcome: Outcome, anew: bool = False) -> None:
        """Answer an exact key by ``outcome``."""
        number = self._facts.numbers[key]
        if anew or outcome != tuple(self._usual[number].tolist()):
            self._usual[number] = outcome
            self._enter(key, outcome)

    def _follow(self) -> None:
        """What was always like a key that changed has changed with it, until it is seen again."""
        before, told, facts = self._followers, dict[Key, Outcome](), self._facts
        since = {key: facts.since(key) for key in facts.changing}
        for key in sorted(since, key=lambda key: (since[key], key)):
            verb, met = np.array(key[:1]), np.array([key[1:]])
            for name in _names(verb, met, self.codebook.attributes(met), self._fields)[0, :-1]:
                others = [other for other in self._groups[find(self._names.table, name)].members if other != key]
                if all(self._alike(key, other) for other in others):
                    told |= {other: self._likewise(key, other) for other in others if facts.seen(other) < since[key]}
        self._followers = set(told)
        for key in sorted(before | self._followers):
            self._put(key, told.get(key) or facts.now(key))
        self._changed = max(since.values(), default=0)
        self.lore.version += 1

    def _alike(self, key: Key, other: Key) -> bool:
        """Whether ``other``, when it was last seen, came out as ``key`` did just before or after."""
        came = set(self._effects(other, self._facts.last(other)))
        near = self._facts.around(key, self._facts.seen(other))
        return any(not came.isdisjoint(self._effects(key, outcome)) for outcome in near)

    def _likewise(self, key: Key, other: Key) -> Outcome:
        """What ``other`` comes to if that is what ``key`` comes to."""
        now = self._facts.now(key)
        if (key, now, other) not in self._carried:
            self._carried[key, now, other] = self._carry(key, now, other)
        return self._carried[key, now, other]

    def _carry(self, key: Key, outcome: Outcome, other: Key) -> Outcome:
        effect = min(self._effects(key, outcome), key=_complexity)
        tokens = self.codebook.attributes(np.array([other[1:]]))
        after = tokens.copy()
        for at, operation in enumerate(effect[1:]):
            which, i = divmod(at, self.blocks)
            after[0, which, i] = {SAME: after[0, which, i], **{1 + o: tokens[0, o, i] for o in range(len(TOKENS))}}.get(
                operation, operation - VALUE
            )
        codes = self.codebook.compose(after[0])
        same = [(after[0, i] == tokens[0]).all(axis=1) for i in range(len(TOKENS))]
        told = [other[1 + int(like.argmax())] if like.any() else int(codes[i]) for i, like in enumerate(same)]
        return effect[0], told[0], told[1], told[2]

    def _effects(self, key: Key, outcome: Outcome) -> tuple[Effect, ...]:
        """The effects that would explain that a key came to an outcome: relative ones carry over to other tokens."""
        if (key, outcome) not in self._explained:
            tokens, after = self.codebook.attributes(np.array([key[1:], outcome[1:]])).tolist()
            found: list[Effect] = [(outcome[0],)]
            for which in range(len(TOKENS)):
                options = _options(tokens, which, after[which])
                found = [(*effect, *option) for effect in found for option in options]
            self._explained[key, outcome] = tuple(found)
        return self._explained[key, outcome]

    def predict(self, verb: Array, met: Array) -> tuple[Array, Array, Array]:
        """What would happen: how it moves [M], codes reached, carried and behind after [M, 3], novelty [M]."""
        self._calibrate()
        told = self._memo(_keys(verb, met), lambda rows: self._predict(verb[rows], met[rows]))
        whole = told[:, :4].astype(np.int64)
        return whole[:, 0], whole[:, 1:], told[:, 4]

    def _predict(self, verb: Array, met: Array) -> Array:
        tokens = self.codebook.attributes(met)
        told, after = _recall(
            verb, met, tokens, self._fields, (*self._exact.table, self._usual, self._aged),
            (*self._names.table, self._answers, self._doubt),
            (*self.lore.names.table, self.lore.answers, self.lore.worlds, self._doubt_elsewhere), self._least,
        )  # fmt: skip
        rows, which = np.nonzero(told[:, 1:4] < 0)
        if len(rows):
            told[rows, 1 + which] = self.codebook.compose(after[rows, which])
        return np.asarray(told)

    def _calibrate(self) -> None:
        """How far to trust each answer: from how often answers under its key were wrong, held against those of its
        level and verb, in all worlds."""
        for world in list(self.lore.pending):
            world.test()
        if self.lore.version == self._stamp:
            return
        self._stamp = self.lore.version
        self._memo.clear()
        told = np.tile(self._prior, (1 + len(self.lore.trials), 1, 1))  # the last for all verbs without a row
        told[:-1] += self.lore.trials
        rate = told[..., 0] / told[..., 1]
        rate[:, -1] = np.maximum(rate[:, -1], LEAST)
        size = len(self._groups)
        of_kind, (wrong, asked) = rate[tuple(self._kind[:size].T)], self._trials[:size].T
        coarsest = self._kind[:size, 1] == rate.shape[1] - 1
        self._doubt = np.where(coarsest, of_kind, (STRENGTH * of_kind + wrong) / (STRENGTH + asked))
        untried = np.isin(np.arange(len(rate)), self._kind[:size, 0], invert=True)  # of them only other worlds tell
        self._least = np.where(untried, either(rate[:, -1], self.lore.across(len(rate))[:, -1]), rate[:, -1])
        # Where something changed, what was not seen since may have changed too, as likely as others did.
        latest, every = self._facts.latest, np.arange(self._exact.size)
        seen = latest.when[every, latest.size[every] - 1]
        self._aged = (seen < self._changed) * (1 + len(self._facts.changing)) / (2 + len(self))
        self._doubt_elsewhere = np.maximum(self.lore.doubts(rate), LEAST)

    def test(self) -> None:
        """Foretell each memory from the others of its group, where these changed."""
        for number in self._untested:
            verb, level = int(self._kind[number, 0]), int(self._kind[number, 1])
            before = self._trials[number].copy()
            self._trials[number] = self._foretell(self._groups[number], level)
            self.lore.count(int(self._names.keys[number]), verb, level, self._trials[number] - before)
        self._untested.clear()
        self.lore.pending.pop(self, None)

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
        return effect if level == len(self._fields) - 1 or times >= AGREEMENT * number else None

    def _enter(self, key: Key, outcome: Outcome) -> None:
        """Put what one key comes to now under all coarse keys, in the place of what it came to before."""
        verb, met = np.array(key[:1]), np.array([key[1:]])
        tokens = self.codebook.attributes(met)
        effects = self._effects(key, outcome)
        for level, name in enumerate(_names(verb, met, tokens, self._fields)[0]):
            number = int(self._names.enter(name[None])[0][0])
            if number == len(self._groups):
                self._groups.append(Group())
                self._kind, self._answers = room(self._kind, number + 1), room(self._answers, number + 1)
                self._trials = room(self._trials, number + 1)
                self._kind[number] = key[0], level
            group = self._groups[number]
            group.effects.subtract(group.members.get(key, ()))
            group.effects.update(effects)
            group.effects = +group.effects
            group.members[key] = effects
            agreed = self._agreed(group.effects, len(group.members), level)
            vote = (DISAGREED,) * self._answers.shape[1] if agreed is None else agreed
            self._answers[number] = vote
            if vote != group.vote:
                self.lore.vote(int(name), key[0], level, group.vote, vote)
                group.vote = vote
            self._untested.add(number)
        self.lore.pending[self] = None


@njit(cache=True)
def _keys(verb: Array, met: Array) -> Array:
    """Exact keys [M] as numbers."""
    keys = np.empty(len(verb), np.int64)
    for row in range(len(verb)):
        keys[row] = verb[row] * NAMES[0] + met[row, 0] * NAMES[1] + met[row, 1] * NAMES[2] + met[row, 2] * NAMES[3]
    return keys


@njit(cache=True)
def _names(verb: Array, met: Array, tokens: Array, fields: Array) -> Array:
    """What is left of the keys on each level, as numbers [M, levels]; ``tokens`` [M, 3, blocks] their attributes."""
    names = np.empty((len(verb), len(fields)), np.int64)
    for row in range(len(verb)):
        for level in range(len(fields)):
            name = verb[row] * NAMES[0] + level * NAMES[1]
            for at in range(fields.shape[1]):
                token, attribute = fields[level, at]
                if token < 0:
                    break
                value = met[row, token] if attribute < 0 else tokens[row, token, attribute]
                name += value * NAMES[2 + at]
            names[row, level] = name
    return names


@njit(cache=True)
def _recall(
    verb: Array,
    met: Array,
    tokens: Array,
    fields: Array,
    exact: tuple[Array, Array, Array, Array],
    coarse: tuple[Array, Array, Array, Array],
    common: tuple[Array, Array, Array, Array, Array],
    least: Array,
) -> tuple[Array, Array]:
    """Moved, codes after, novelty [M, 5], a code -1 where it has to be composed of the attributes after [M, 3, blocks].

    ``exact``: the table of exact keys, their outcomes and how novel they are; ``coarse``: that of coarse keys, their
    effects and how doubtful they are; ``common``: the same of all worlds with how many gave an answer, believed where
    this world has none or the same; ``least``: by verb, how novel is what no key foretells.
    """
    known, slots, usual, aged = exact
    named, places, answers, doubt = coarse
    lore, lore_places, lore_answers, worlds, lore_doubt = common
    told, after = np.empty((len(verb), 5)), tokens.copy()
    names, keys, effect = _names(verb, met, tokens, fields), _keys(verb, met), np.zeros(answers.shape[1], np.int64)
    for row in range(len(verb)):
        told[row, 1:4] = met[row]
        at = find((known, slots), keys[row])
        if at != NONE:
            told[row, :4], told[row, 4] = usual[at], aged[at]
            continue
        told[row, 4] = np.inf
        for level in range(len(fields)):
            number = find((named, places), names[row, level])
            if number != NONE and answers[number, 0] >= 0 and doubt[number] < told[row, 4]:
                effect[:], told[row, 4] = answers[number], doubt[number]
        for level in range(len(fields)):
            number = find((lore, lore_places), names[row, level])
            if number == NONE or lore_answers[number, 0] < 0 or lore_doubt[number] >= told[row, 4]:
                continue
            own = find((named, places), names[row, level])
            if own == NONE or (worlds[number] > 1 and (answers[own] == lore_answers[number]).all()):
                effect[:], told[row, 4] = lore_answers[number], lore_doubt[number]
        if np.isinf(told[row, 4]):
            effect[:] = SAME
            effect[0], told[row, 4] = 1, least[min(verb[row], len(least) - 1)]
        told[row, 0] = effect[0]
        blocks = tokens.shape[2]
        for which in range(tokens.shape[1]):
            for i in range(blocks):
                operation = effect[1 + which * blocks + i]
                if operation >= VALUE:
                    after[row, which, i] = operation - VALUE
                elif operation != SAME:
                    after[row, which, i] = tokens[row, operation - 1, i]
            if (after[row, which] != tokens[row, which]).any():
                told[row, 1 + which] = -1
                for other in range(tokens.shape[1]):
                    if (after[row, which] == tokens[row, other]).all():
                        told[row, 1 + which] = met[row, other]
    return told, after


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


@lru_cache(1 << 14)  # asked for all that would explain a group, whenever one more memory is put there
def _complexity(effect: Effect) -> tuple[int, int, Effect]:
    """Of effects that explain as much, the likeliest has fewest operations a token, then fewest values of its own."""
    blocks = (len(effect) - 1) // len(TOKENS)
    kinds = sum(len(set(effect[1 + at : 1 + at + blocks])) for at in range(0, len(effect) - 1, blocks))
    return kinds, sum(operation >= VALUE for operation in effect[1:]), effect


def _order(which: int) -> list[int]:
    """The token itself, then the others."""
    return [which, *(other for other in range(len(TOKENS)) if other != which)]


def _fields(names: Sequence[str], blocks: int) -> Array:
    """Token and attribute (-1: all of it) of each field of each level [levels, most, 2], -1 -1 behind the last."""
    told = [[_field(name) for name in level.split()] for level in names]
    fields = np.full((len(told), max(1, *map(len, told)), 2), -1)
    for level, parts in enumerate(told):
        for at, (token, attribute) in enumerate(parts):
            if attribute >= blocks:
                raise CortexError(
                    f"hippocampus.levels has the field {TOKENS[token]}.{attribute}, but a token has the attributes 0 "
                    f"to {blocks - 1}."
                )
            fields[level, at] = token, attribute
    return fields


def _field(name: str) -> tuple[int, int]:
    token, _, attribute = name.partition(".")
    if token not in TOKENS or not (attribute == "" or attribute.isdigit()):
        raise CortexError(
            f"hippocampus.levels has the field {name!r}; a field is front, carried, beyond, front.0 and so on."
        )
    return TOKENS.index(token), int(attribute) if attribute else -1
