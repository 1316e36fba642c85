"""What pays and what ends: rewards and ends keyed on what holds after the action.

Which of the features matter is not known beforehand. Every set of up to three of them, with or without the action, is
a hypothesis: it sorts the rows into cells, each with its own Beta-Bernoulli chance. Hypotheses are weighed for each
action by a prior on their size and by how well they told the rows of that action, given all other rows (Bayesian
model averaging, Hoeting et al. 1999). Where an event changed, the time of each cell is cut at the moments of change
as far as that tells its rows better, and only what came after the last cut still holds; what was not met since the
world last changed is as doubtful as such changes are frequent. All of it is a closed form of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numba import njit
from scipy.special import gammaln

from cortex.types import Array, room

from .changes import Latest
from .memo import NONE, Index, Memo, find

FEATURES = ("action", "moved", "under", "front", "carried", "mission", "situation", "held", "twin")
"""What an event is described by: the kind of action; what is under the agent, reached and carried by it afterwards, and
held before; whether what is reached is seen at another place too."""
LARGEST = 3
"""Most features that a hypothesis combines, the action not counted."""
PRIOR = (0.1, 0.6)
"""Beta prior of a chance: rare, and nearly sure where it holds."""
PENALTY = 2.0
"""Log prior odds against each further feature of a hypothesis."""
BORROWED = 3.0
"""Most nats that what other actions say weighs: what pays for one is likely to pay for another, until it is tried."""
NEGLIGIBLE = 1e-9
"""Weight of a hypothesis below which it is not asked."""
CUT = 0.5
"""Log prior odds against a change in a cell at a moment at which some event changed."""
CUTS = 8
"""Latest moments of change that are looked at."""

SETS = [(*a, *s) for n in range(LARGEST + 1) for s in combinations(range(1, len(FEATURES)), n) for a in ((), (0,))]
MEMBERS = np.array([[*s, *(NONE,) * (LARGEST + 1 - len(s))] for s in SETS])  # [sets, LARGEST + 1]
SIZE = np.array([len(s) for s in SETS])
NAMES = np.random.default_rng(7).integers(1, 2**62, len(FEATURES) + 2, dtype=np.int64) | 1
LOG_GAMMA = gammaln(np.arange(1 << 12) + np.array([PRIOR[0], PRIOR[1], PRIOR[0] + PRIOR[1]])[:, None])  # of counts


class Events:
    """Counts of distinct events, and the chances that they foretell; ``change``: prior odds that what comes out
    otherwise has changed; ``others``: the worlds before this one."""

    def __init__(self, change: float, others: Sequence[Events] = ()) -> None:
        self.change, self.others = change, list(others)
        self.clear()

    def clear(self) -> None:
        """Forget what this world taught."""
        # By action, whether it moved, and whether what is faced is seen elsewhere too: distinct attempts, and those
        # that ever paid.
        self.attempts = np.zeros((0, 2, 2, 2))
        self._events, self._attempts = Index(), Index()
        self._paid = np.zeros(0, bool)  # whether a distinct attempt ever paid
        self.features = np.zeros((0, len(FEATURES)), np.int64)
        self.counts = np.zeros((0, 4))  # times, rewarded, ended, sum of reward
        self._cells, self._owner = Index(), np.zeros(0, np.int64)  # the hypothesis that each cell is of
        self._pair = Index()  # a cell and an action
        self._cell, self._action = np.zeros(0, np.int64), np.zeros(0, np.int64)  # of each pair
        self._pairs = np.zeros((0, len(SETS)), np.int64)  # of each event
        self._latest = Latest(self.change)  # rows of events; an outcome is 2 if it paid, and 1 more if it ended
        self._mixed = np.zeros(0, bool)  # events that did not always come out the same
        self._cuts = np.zeros(0, np.int64)  # when events changed
        self._stale = True
        self._memo = Memo(3)  # chance of reward, chance of an end, untried

    def __len__(self) -> int:
        return self._events.size

    def learn(self, features: Array, reward: Array, ended: Array, when: Array) -> Array:
        """Count events: ``features`` [B, 9] as in FEATURES, ``reward`` [B], ``ended`` [B] by the game's rule, and
        ``when`` [B, 2] it was and its episode began; returns which [B] were never tried, or came out otherwise."""
        features = features.astype(np.int64)
        events, fresh = self._events.enter(_events(features))
        attempts, new = self._attempts.enter(_attempts(features))
        self.features, self.counts = room(self.features, len(self)), room(self.counts, len(self))
        self._paid, self._mixed = room(self._paid, self._attempts.size), room(self._mixed, len(self))
        self.attempts = room(self.attempts, 1 + int(features[:, 0].max(initial=0)))
        self.features[events] = features
        if len(fresh):
            self._place(events[fresh], features[fresh])
        news, ended = np.zeros(len(features), bool), np.asarray(ended, bool)
        news[new] = True
        self._latest.enter(events, when, 2 * (reward > 0) + ended)
        rows, held = (features, events, attempts, reward, ended), (self.counts, self._mixed, self._paid)
        refit = _count(rows, *held, self.attempts, news)
        self._stale |= refit or self._cuts.size > 0
        return news

    def _place(self, events: Array, features: Array) -> None:
        """Say in which cells new events [n] are counted."""
        named = _cells(features)
        cells, _ = self._cells.enter(named.ravel())
        self._owner = room(self._owner, self._cells.size)
        self._owner[cells] = np.tile(np.arange(len(SETS)), len(features))
        pairs, _ = self._pair.enter((named + features[:, :1] * NAMES[-2]).ravel())
        self._cell, self._action = room(self._cell, self._pair.size), room(self._action, self._pair.size)
        self._cell[pairs], self._action[pairs] = cells, features[:, 0].repeat(len(SETS))
        self._pairs = room(self._pairs, len(self))
        self._pairs[events] = pairs.reshape(named.shape)

    @property
    def worth(self) -> float:
        """Mean reward of the events that paid; 0 before any did."""
        paid = self.counts[:, 1].sum()
        return float(self.counts[self.counts[:, 1] > 0, 3].sum() / paid) if paid else 0.0

    def predict(self, features: Array) -> tuple[Array, Array, Array]:
        """Chance of reward, chance of an end, and whether it was never tried; ``features`` [M, 9] -> three [M]."""
        if self._stale:
            self._fit()
        told = self._memo(_events(features), lambda rows: self._predict(features[rows]))
        return told[:, 0], told[:, 1], told[:, 2] > 0

    def met(self, features: Array) -> Array:
        """Whether exactly these events, ``features`` [M, 9], were met before [M]."""
        return np.asarray(_known(_events(features), self._events.table))

    def tried(self, action: Array) -> Array:
        """Whether anything was tried in this world with ``action`` [M]."""
        known = np.flatnonzero(self.attempts[..., 0].sum(axis=(1, 2)))
        return np.isin(action, known)

    def hope(self, action: Array) -> Array:
        """Chance [M, 2, 2] that what was not yet tried with ``action`` [M] pays, by whether it moves the agent and by
        whether what is faced then is seen elsewhere too, held against one half before anything was tried: 1 then, less
        with all that was tried in vain, here and in the worlds before."""
        told = np.zeros((int(action.max(initial=0)) + 1, 2, 2, 2))
        for world in (self, *self.others):
            told[: len(world.attempts)] += world.attempts[: len(told)]
        return np.asarray(np.minimum(2 * (told[action, ..., 1] + 1) / (told[action, ..., 0] + 2), 1.0))

    def explanations(self, most: int = 3) -> list[tuple[tuple[str, ...], float]]:
        """The feature sets that best explain reward, and their weights, for the action rewarded most often."""
        if self._stale:
            self._fit()
        paid = np.bincount(self.features[:, 0], self.counts[:, 1]) if len(self) else np.zeros(1)
        weights = self._weights[paid.argmax(), :, 0]
        return [(tuple(FEATURES[f] for f in SETS[s]), float(weights[s])) for s in np.argsort(-weights)[:most]]

    def _fit(self) -> None:
        """Weigh the hypotheses by the rows."""
        self._memo.clear()
        self._stale = False
        mixed = np.flatnonzero(self._mixed[: len(self)])
        self._cuts = self._latest.changes(mixed)[-CUTS:]
        counts = self._counted()
        rows = self._by_time(counts)
        aged = (1 + (self._latest.holds[mixed] > 0).sum()) / (2 + len(self)) if len(self._cuts) else 0.0
        shape = 1 + int(self.features[: len(self), 0].max(initial=0)), len(SETS), 2
        places = self._pairs[: len(self)], self._cell[: self._pair.size], self._action[: self._pair.size]
        self._chances, self._fresh, begun, evidence = _evidence(
            rows, *places, self._owner[: self._cells.size], aged, shape
        )
        evidence += _borrowed(evidence) - (PENALTY * SIZE)[:, None]
        weights = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        self._holding = np.stack([_steady(counts)[:, :2], _steady(counts)[:, ::2]], axis=1)
        if len(self._cuts):
            self._holding = self._since(rows, begun)
        last = self._latest.outcome[np.arange(len(self)), self._latest.size[: len(self)] - 1]
        self._again = (counts[:, 1] > 0) & (last < 2) & (self._latest.holds[: len(self)] > 0)
        both, paid = counts[:, 1:].min(axis=1).sum(), counts[:, 1].sum()
        self._final = np.array([both / paid if paid else 0.0])

    def _counted(self) -> Array:
        """Times, rewarded and ended of each event [n, 3]."""
        return self.counts[: len(self), :3]

    def _since(self, rows: Array, begun: Array) -> Array:
        """Times and hits [n, 2, 2] of each event in rewards and in ends since the last cut in its cell of the likeliest
        hypothesis; ``begun`` [cells, 2]: the part of the time after that."""
        best = self._weights[self.features[: len(rows), 0]].argmax(axis=1)
        cells = self._cell[self._pairs[np.arange(len(rows))[:, None], best]]
        held = np.arange(rows.shape[1]) >= begun[cells, [0, 1]][..., None]
        held &= rows[:, -1:, :1] > 0
        times = (rows[:, None, :, 0] * held).sum(axis=2)
        return np.stack([times, (rows[:, :, 1:].transpose(0, 2, 1) * held).sum(axis=2)], axis=2)

    def _by_time(self, counts: Array) -> Array:
        """Times, rewarded and ended of each event between the moments of change [n, moments + 1, 3]; rows older than
        the latest of an event count with the first of these."""
        if not len(self._cuts):
            return np.ascontiguousarray(_steady(counts)[:, None])
        rows, size = np.zeros((len(counts), 1 + len(self._cuts), 3)), self._latest.size[: len(counts)]
        event, at = np.nonzero(np.arange(self._latest.when.shape[1]) < size[:, None])
        outcome, when = self._latest.outcome[event, at], self._latest.when[event, at]
        part = np.searchsorted(self._cuts, when, side="right")
        np.add.at(rows, (event, part), np.column_stack([np.ones(len(event)), outcome // 2, outcome % 2]))
        rows[np.arange(len(counts)), part[at == 0]] += counts - rows.sum(axis=1)
        return rows

    def _predict(self, features: Array) -> Array:
        events, attempts = _events(features), _attempts(features)
        fit = self._chances, self._fresh, self._weights, self._holding, self._again, self._final
        tables = self._cells.table, self._events.table, self._attempts.table
        # An attempt that is new is a new event too, and whatever is new makes the fit, and so this answer, stale.
        return np.asarray(_foretell(features, events, attempts, tables, fit))


def _borrowed(evidence: Array) -> Array:
    """What the other actions say for and against each hypothesis [actions + 1, sets, 2]: it counts for little beside
    what an action says for itself."""
    others = evidence.sum(axis=0) - evidence
    return np.asarray(np.maximum(others - others.max(axis=1, keepdims=True), -BORROWED))


@njit(cache=True)
def _count(rows: tuple[Array, ...], counts: Array, mixed: Array, paid: Array, attempts: Array, news: Array) -> bool:
    """Count ``rows``: features [n, 9], event and attempt, reward and end, each [n]. Whether the fit is stale by it;
    marks in ``news`` [n], where attempts are new, also what came out otherwise than ever before."""
    (features, events, tries, rewards, ends), stale = rows, False
    before = mixed[events]
    for row in range(len(events)):
        at, pays = counts[events[row]], rewards[row] > 0
        at[0] += 1
        at[1] += pays
        at[2] += ends[row]
        at[3] += rewards[row]
        kind = attempts[features[row, 0], features[row, 1], features[row, 8]]
        kind[0] += news[row]
        kind[1] += pays and not paid[tries[row]]
        paid[tries[row]] |= pays
        times = int(at[0])
        stale |= times & (times - 1) == 0
        if 0 < at[1] < times or 0 < at[2] < times:
            mixed[events[row]] = stale = True
            news[row] |= not before[row]
    return stale


@njit(cache=True)
def _evidence(
    rows: Array, pairs: Array, cell: Array, action: Array, owner: Array, aged: float, shape: tuple[int, int, int]
) -> tuple[Array, Array, Array, Array]:
    """Chances of reward and of an end in each cell [cells, 2], and in one not met before of each hypothesis [sets, 2]:
    that of its cells on average, and no less than the prior; the part of the time that is behind the last cut of each
    cell [cells, 2]; and by how many nats each hypothesis told the rows of each action [actions + 1, sets, 2].

    ``aged``: how likely what has no rows in the last part of the time has changed. ``rows`` [n, parts, 3]: times,
    rewarded, ended in each part of the time; ``pairs`` [n, sets]: where each is counted; ``cell``, ``action`` of pairs.
    """
    parts = rows.shape[1]
    own, whole = np.zeros((len(cell), parts, 3)), np.zeros((len(owner), parts, 3))
    for row in range(len(rows)):
        for s in range(pairs.shape[1]):
            own[pairs[row, s]] += rows[row]
    for pair in range(len(cell)):
        whole[cell[pair]] += own[pair]
    told, now, left = np.zeros((shape[0] + 1, shape[1], shape[2])), np.zeros(3), np.zeros((parts, 3))
    for pair in range(len(cell)):
        at = cell[pair]
        for part in range(parts):
            for column in range(3):
                left[part, column] = whole[at, part, column] - own[pair, part, column]
        for which in (0, 1):
            told[action[pair], owner[at], which] += _cut(whole[at], which, now) - _cut(left, which, now)
    chances, begun = np.empty((len(whole), 2)), np.empty((len(whole), 2), np.int64)
    fresh = np.full((shape[1], 2), PRIOR[0])
    cells = np.full(shape[1], PRIOR[0] + PRIOR[1])
    for at in range(len(whole)):
        cells[owner[at]] += 1
        for which in (0, 1):
            _cut(whole[at], which, now)
            begun[at, which] = now[2]
            chances[at, which] = (now[1] + PRIOR[0]) / (now[0] + PRIOR[0] + PRIOR[1])
            if whole[at, parts - 1, 0] == 0:
                chances[at, which] += aged * (0.5 - chances[at, which])
            fresh[owner[at], which] += now[1] / now[0]
    # Most cells are of actions that never pay: what is new is expected to be no worse than before anything was seen.
    return chances, np.maximum(fresh / cells.reshape(-1, 1), PRIOR[0] / (PRIOR[0] + PRIOR[1])), begun, told


@njit(cache=True)
def _cut(counts: Array, which: int, now: Array) -> float:
    """Log evidence of a cell's ``counts`` [parts, 3], its time cut where that tells them better, and in ``now`` [3] the
    times and hits since the last cut and the part that begins there."""
    now[0], now[1], now[2] = counts[0, 0], counts[0, 1 + which], 0
    told, whole = 0.0, _log_beta(now[1], now[0])
    for part in range(1, len(counts)):
        times, hits = counts[part, 0], counts[part, 1 + which]
        if times == 0:
            continue
        alone, joined = _log_beta(hits, times), _log_beta(now[1] + hits, now[0] + times)
        if now[0] > 0 and whole + alone - _log_beta(0, 0) - CUT > joined:
            told += whole - _log_beta(0, 0) - CUT
            now[0], now[1], now[2], whole = times, hits, part, alone
        else:
            now[0], now[1], whole = now[0] + times, now[1] + hits, joined
    return told + whole


@njit(cache=True)
def _log_beta(hits: float, times: float) -> float:
    """Log of the beta function of counts and their prior."""
    return _log_gamma(hits, 0) + _log_gamma(times - hits, 1) - _log_gamma(times, 2)


@njit(cache=True)
def _log_gamma(count: float, which: int) -> float:
    """Log of the gamma function of a count and a prior: of a hit, of a miss, of both."""
    if count < LOG_GAMMA.shape[1] and count == int(count):
        return float(LOG_GAMMA[which, int(count)])
    return math.lgamma(count + (PRIOR[0], PRIOR[1], PRIOR[0] + PRIOR[1])[which])


@njit(cache=True)
def _foretell(
    features: Array, events: Array, attempts: Array, tables: tuple[tuple[Array, Array], ...], fit: tuple[Array, ...]
) -> Array:
    """Chances of reward and of an end by all hypotheses, and whether it was never tried [M, 3], or no longer pays: one
    who never tries it again would not find out that it does."""
    chances, fresh, weights, counts, again, final = fit
    told, named = np.zeros((len(features), 3)), _cells(features)
    for row in range(len(features)):
        kind = min(features[row, 0], len(weights) - 1)
        for s in range(named.shape[1]):
            if max(weights[kind, s, 0], weights[kind, s, 1]) >= NEGLIGIBLE:
                at = find(tables[0], named[row, s])
                for which in (0, 1):
                    chance = fresh[s, which] if at == NONE else chances[at, which]
                    told[row, which] += chance * weights[kind, s, which]
        event = find(tables[1], events[row])
        if event != NONE:  # a memory that fits overrides, the more often it was so
            for which in (0, 1):
                told[row, which] = (counts[event, which, 1] + told[row, which]) / (counts[event, which, 0] + 1)
        told[row, 1] = max(told[row, 1], told[row, 0] * final[0])  # where pay is the end, what may pay may end it
        told[row, 2] = find(tables[2], attempts[row]) == NONE or (event != NONE and again[event])
    return told


@njit(cache=True)
def _known(events: Array, table: tuple[Array, Array]) -> Array:
    """Which identities [M] are in a table."""
    told = np.empty(len(events), np.bool_)
    for row in range(len(events)):
        told[row] = find(table, events[row]) != NONE
    return told


@njit(cache=True)
def _cells(features: Array) -> Array:
    """The cell [M, sets] into which each hypothesis sorts each event."""
    cells = np.empty((len(features), len(MEMBERS)), np.int64)
    for row in range(len(features)):
        for s in range(len(MEMBERS)):
            cells[row, s] = s * NAMES[-1]
            for f in MEMBERS[s]:
                if f != NONE:
                    cells[row, s] += features[row, f] * NAMES[f]
    return cells


def _events(features: Array) -> Array:
    """Identity [M] of an event."""
    return np.asarray(features @ NAMES[: len(FEATURES)])


def _pure(counts: Array) -> Array:
    """[n] bool: the event always had the same reward and end."""
    return np.asarray(((counts[:, 1:3] == 0) | (counts[:, 1:3] == counts[:, :1])).all(axis=1))


def _steady(counts: Array) -> Array:
    """Counts in which an event that is always the same weighs a power of two: its fit changes when they double."""
    times = np.maximum(counts[:, :1], 1)
    return np.where(_pure(counts)[:, None], counts * 2.0 ** np.floor(np.log2(times)) / times, counts)


def _attempts(features: Array) -> Array:
    """Identity [M] of an attempt: all but the situation, and what is under the agent only where it has just moved
    there."""
    kept = features.copy()
    kept[:, 2] *= kept[:, 1]
    kept[:, 6] = 0
    return np.asarray(kept @ NAMES[: len(FEATURES)])
