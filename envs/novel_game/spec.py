"""The rules of a game as a chain of stages and decoys, without codes, colours or layouts: what makes a game new.

A game is generated backwards from its goal. The last stage wins; each stage before it makes the thing that the next one
acts on. Level 1 begins with the last ``length`` stages, and each further level one stage earlier, by the same rules.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from cortex.envs.novel_game.codes import LEVELS
from cortex.types import CortexError

MECHANICS = ("toggle", "carry", "tool", "push", "collect", "hazard", "patrol", "teleport", "timed")
"""Ways in which one thing becomes the next:

toggle    walk against it
carry     carry it to another thing and use it there
tool      use a tool on it
push      push it onto another thing
collect   gather some of a kind, then use them on it
hazard    walk against it with a shield in hand; without one it kills
patrol    it moves; walk against it
teleport  use a tool on it that lies in a chamber which only a pad leads into
timed     walk against it, and wait until it has changed by itself
"""

DECOYS = ("eater", "junk", "switch", "block", "trap")
"""Things that do not lead to the goal: one that consumes what another thing needs, one to carry, one that changes, one
to push, one that kills."""

HELD_PAIRS = (("push", "tool"), ("carry", "collect"), ("toggle", "push"), ("tool", "patrol"), ("collect", "carry"))
"""Ordered pairs of stages that no game of the training split has; each game of T2 ends in one."""

HELD_MECHANIC = "hazard"
"""The mechanic that no game of the training split has; each game of T3 has it."""

SPLITS = ("train", "T0", "T1", "T2", "T3", "T4")
BUCKETS, HELD_BUCKETS = 4, 1
"""A game's hash falls in one of four buckets, the last of which belongs to the splits T2, T3 and T4 alone."""

ONCE = ("toggle", "collect", "patrol", "teleport", "timed", "hazard")
"""Mechanics of which a chain has one: repeated toggles are trivial, and there is one clock, one walker, one chamber."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One link of the chain."""

    mechanic: str
    count: int = 0  # collect: how many; timed: after how many steps it changes
    keeps: bool = False  # tool, hazard, teleport: what was used stays in the hand


@dataclass(frozen=True, slots=True)
class Decoy:
    """A thing that does not lead to the goal."""

    kind: str
    stage: int = 0  # eater: the stage whose carried or pushed thing it consumes


@dataclass(frozen=True, slots=True)
class Spec:
    """The rules of one game, canonical: equal rules are equal specs, whatever their codes."""

    stages: tuple[Stage, ...]  # earliest first; the last one wins
    decoys: tuple[Decoy, ...]
    length: int  # stages of level 1

    @property
    def signature(self) -> tuple[str, ...]:
        """The mechanics of the chain."""
        return tuple(stage.mechanic for stage in self.stages)

    @property
    def digest(self) -> str:
        """Canonical hash of the rules, sha256 in hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def held_out(self) -> bool:
        """Whether the hash falls in the buckets of T2, T3 and T4."""
        return int(self.digest[:8], 16) % BUCKETS >= BUCKETS - HELD_BUCKETS

    def first(self, level: int) -> int:
        """Index of the stage with which a level begins."""
        return LEVELS - level


@dataclass(frozen=True, slots=True)
class Setting:
    """What a generator is told: how long the chains are and how much else there is."""

    length: int  # stages of level 1
    decoys: int
    size: int  # cells of a side, walls included
    pillars: int = 0  # walls that stand about
    limit: int = 100  # steps of an episode of level 1; level 2 has twice as many, and so on
    mechanics: tuple[str, ...] = MECHANICS
    kinds: tuple[str, ...] = DECOYS  # of decoys
    optimal: tuple[int, int] = (2, 60)  # the solver's steps on level 1, shortest and longest, mean over layouts
    walks: float = 0.1  # most that a random walk to things may win; 1: whatever it wins


def sample(rng: np.random.Generator, setting: Setting, split: str) -> Spec | None:
    """Draw the rules of a game of a split; None where this draw fell into another split."""
    length = setting.length + 2 * (split == "T4")
    chain = _chain(rng, setting, length, split)
    if chain is None:
        return None
    stages = tuple(_stage(rng, mechanic) for mechanic in chain)
    spec = Spec(stages, tuple(_decoys(rng, stages, setting, length)), length)
    return spec if belongs(spec, split) else None


def belongs(spec: Spec, split: str) -> bool:
    """Whether the rules may stand in a split; T0 and T1 have the rules of the training games."""
    if split not in SPLITS:
        raise CortexError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    held = split in ("T2", "T3", "T4")
    chain = spec.signature
    pairs = set(pairwise(chain))
    mechanic = HELD_MECHANIC in chain
    return spec.held_out == held and {
        "T2": not mechanic and chain[-2:] in HELD_PAIRS,
        "T3": HELD_MECHANIC in chain[-spec.length :],
        "T4": not mechanic and not pairs & set(HELD_PAIRS),
    }.get(split, not mechanic and not pairs & set(HELD_PAIRS))


def _chain(rng: np.random.Generator, setting: Setting, length: int, split: str) -> tuple[str, ...] | None:
    """Draw mechanics from the goal backwards; every signature that is allowed is about equally likely."""
    allowed = [m for m in setting.mechanics if m != HELD_MECHANIC or split == "T3"]
    total = length + LEVELS - 1
    chain: list[str] = []
    if split == "T2":
        pairs = [pair for pair in HELD_PAIRS if set(pair) <= set(allowed)]
        if not pairs:
            raise CortexError("No held-out pair of mechanics is left among those of the setting; T2 is empty.")
        chain = list(pairs[rng.integers(len(pairs))])
    elif split == "T3":
        at = int(rng.integers(length))
        chain = [""] * at
        chain.insert(0, HELD_MECHANIC)
    while len(chain) < total:
        chain.insert(0, "")
    for i in reversed(range(total)):
        if chain[i]:
            continue
        free = [m for m in allowed if _may(chain, i, m)]
        if not free:
            return None
        chain[i] = free[rng.integers(len(free))]
    return tuple(chain) if all(_may(chain, i, m) for i, m in enumerate(chain)) else None


def _may(chain: list[str], i: int, mechanic: str) -> bool:
    """Whether a mechanic may stand at place ``i`` among those that are already drawn."""
    rest = chain[:i] + [""] + chain[i + 1 :]
    if mechanic in ONCE and mechanic in rest:
        return False
    after = chain[i + 1] if i + 1 < len(chain) else "goal"
    if mechanic == "timed" and after == "goal":
        return False  # what changes by itself would win by itself
    if mechanic == "patrol":
        # Where a walker is caught nobody knows beforehand: it can not be pushed from there.
        for later in chain[i + 1 :]:
            if later in ("push", ""):
                return later != "push"
            if later == "carry":
                break
    if mechanic == "push" and (rest.count("push") >= 2 or after == "push"):
        return False
    return not (mechanic in ("carry", "tool") and after == mechanic and rest.count(mechanic) >= 2)


def _stage(rng: np.random.Generator, mechanic: str) -> Stage:
    count = {"collect": int(rng.integers(2, 4)), "timed": int(rng.integers(4, 10))}.get(mechanic, 0)
    keeps = bool(rng.integers(2)) and mechanic in ("tool", "hazard", "teleport")
    return Stage(mechanic, count, keeps)


def _decoys(rng: np.random.Generator, stages: tuple[Stage, ...], setting: Setting, length: int) -> list[Decoy]:
    """Draw decoys; the first, and every third after it, consumes what level 1 needs, where that is possible."""
    last = range(len(stages) - length, len(stages))
    edible = [i for i in last if stages[i].mechanic in ("carry", "tool", "push", "hazard", "teleport")]
    plain = [kind for kind in setting.kinds if kind != "eater"] or ["junk"]
    found = []
    for n in range(setting.decoys):
        if n % 3 == 0 and edible and "eater" in setting.kinds:
            found.append(Decoy("eater", edible[rng.integers(len(edible))]))
        else:
            found.append(Decoy(plain[rng.integers(len(plain))]))
    return sorted(found, key=lambda decoy: (decoy.kind, decoy.stage))
