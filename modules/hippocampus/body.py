"""How the hippocampus finds the agent's own body: from the first rows, in what is seen.

In a view that moves along and turns it is one schema for all situations (registration), in one that never turns each
situation has its own (guises). Which token shows what is held, and which cells show noise, is found from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cortex.types import MODALITIES, UNSEEN, Array, Episode, Layout, Motions, Vocabulary

from .guises import LEAP, STILL, Guises
from .registration import Registration, silent
from .schemas import fuller
from .volatility import Volatility
from .worlds import DUE, World

PAIRS = 4096
"""Steps from which registration is found; it is settled long before."""
HOLDS = 0.9
"""Share of its changes that must come with those of something reached, or with pay, in what shows what is held."""


class Body:
    """What is known of the agent's body in ``worlds``, the list of situations that its memory keeps; of scenes of
    ``layout``, ``actions`` actions, and ``channels`` attributes of each cell of a grid."""

    def __init__(self, worlds: list[World], codebook: Vocabulary, layout: Layout, actions: int, channels: int) -> None:
        self.worlds, self.actions = worlds, actions
        self.grid = np.flatnonzero(layout.modality == MODALITIES["grid"])
        # What is heard passes, and what a picture shows is anywhere in it: neither shows what is held.
        apart = [MODALITIES[sense] for sense in ("grid", "text", "sound", "image")]
        self.rest = np.flatnonzero(~np.isin(layout.modality, apart))
        at = layout.position[self.grid]
        self.registration = Registration(at, actions, self.grid) if len(self.grid) else None
        self.guises = Guises(at, actions) if len(self.grid) else None
        self.volatility = Volatility(self.grid, codebook, channels)
        self.earlier: dict[int, Motions] = {}  # schemas of situations, from rows that were given up
        self.news()
        self._begin()

    def _begin(self) -> None:
        self.rigid: Motions = silent(self.actions)
        self._pairs, self._due = 0, 24
        self._before: list[Array] = []
        self._after: list[Array] = []
        self._action: list[Array] = []

    def news(self) -> None:
        """What tells what is held has changed."""
        self._held: int | None = None

    @property
    def held(self) -> int:
        """The token that shows what is held where the view stays: the one that changes when something reached does, and
        else stays as it is; -1 while none is known."""
        if self._held is None:
            beside, alone = sum((world.shows for world in self.worlds), np.zeros((2, len(self.rest))))
            share = beside / (beside + alone + 0.1)
            best = int(share.argmax()) if len(share) else 0
            self._held = int(self.rest[best]) if len(share) and share[best] >= HOLDS else -1
        return self._held

    @property
    def turning(self) -> bool:
        """Whether the view turns by some action, so that nothing in it can be the agent in one guise for each
        heading."""
        return bool((self.rigid.turn != np.arange(len(self.rigid.turn))[:, None]).any())

    def stirs(self, situation: int) -> Array:
        """How much each action [A] promises to show where the agent is, against the best: what moved it in other worlds
        and was not yet tried in vain in this one."""
        steps = sum(
            (world.steps for world in self.worlds if world.steps is not None), np.zeros((self.actions, LEAP + 1))
        )
        share = (steps.sum(axis=1) - steps[:, STILL] + 1) / (steps.sum(axis=1) + 2)
        rows = self.worlds[situation].rows if situation < len(self.worlds) else []
        done = np.bincount([row[2] for row in rows], minlength=self.actions)
        share /= 1 + done
        return np.asarray(share / share.max())

    def motions(self, situation: int) -> Motions:
        """The body schema: of a view that moves along, else that of the situation."""
        own = self.worlds[situation].motions if situation < len(self.worlds) else None
        return self.rigid if self.rigid.resolved or own is None else own

    def missing(self, cells: Array, situations: int) -> Array:
        """Whether grid cells [B, n] do not show the agent once, as each situation has it [B, situations]."""
        missing = np.zeros((len(cells), situations), bool)
        for number, world in enumerate(self.worlds[:situations]):
            if world.motions is not None and not self.rigid.resolved:
                guises = world.motions.selves[world.motions.selves != UNSEEN]
                missing[:, number] = np.isin(cells, guises).sum(axis=1) != 1
        return missing

    def observe(self, situation: Array, before: Array, after: Array, action: Array) -> list[int]:
        """Take in one step of n bodies: ``situation`` [n], all of which there are, codes ``before`` and ``after``
        [n, N], ``action`` [n]; the situations of which the schema is another than before."""
        if self.registration is None or self.guises is None:
            return []
        views = before[:, self.grid], after[:, self.grid]
        changed = [] if self.rigid.resolved else self._find_self(situation, *views, action)
        if self._pairs >= PAIRS:
            return changed
        self._before.append(views[0])
        self._after.append(views[1])
        self._action.append(action)
        self._pairs += len(views[0])
        if self._pairs < self._due:
            return changed
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        pairs = np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action)
        return list(range(len(self.worlds))) if self.register(*pairs) else changed

    def _find_self(self, situation: Array, before: Array, after: Array, action: Array) -> list[int]:
        """Look for the agent in the first steps of situations; those whose schema is another than before."""
        changed = set(self.hold())
        for number in sorted(set(situation.tolist())):
            world = self.worlds[number]
            rows, known = np.flatnonzero(situation == number), len(world.rows)
            if known >= DUE[-1]:
                continue
            world.rows += zip(before[rows], after[rows], action[rows].tolist())
            if not any(known < due <= len(world.rows) for due in DUE):
                continue
            if self.volatility.notice(self.worlds, [number]):
                return self._find_selves()
            if self._see_self(number):
                changed.add(number)
        return sorted(changed)

    def _find_selves(self) -> list[int]:
        """Find all body schemas anew; the situations that there are."""
        for situation, world in enumerate(self.worlds):
            if world.rows:
                self._see_self(situation)
        if self._pairs:
            self.register(np.concatenate(self._before), np.concatenate(self._after), np.concatenate(self._action))
        return list(range(len(self.worlds)))

    def hold(self) -> list[int]:
        """Look for what is held where the rows now say that it is shown; the situations in which that is news."""
        changed, held = [], self.held
        for number, world in enumerate(self.worlds):
            if world.motions is not None and world.motions.held != held:
                world.motions = replace(world.motions, held=held, version=world.motions.version + held + 1)
                changed.append(number)
        return changed

    def _see_self(self, situation: int) -> bool:
        """Find the schema of one situation from its first rows; True where it is another than before."""
        assert self.guises is not None
        world, held = self.worlds[situation], self.held
        before, after, action = world.first_rows()
        before, after = self.volatility.cells(before), self.volatility.cells(after)
        usual = np.zeros((self.actions, LEAP + 1))
        for other in self.worlds[:situation]:
            usual += 0 if other.steps is None else other.steps
        found = None if self.turning else self.guises.fit(before, after, action, usual, held)
        found = found if self.turning else fuller(found, self.earlier.get(situation), before, DUE[-1])
        known, world.motions = world.motions, found
        world.steps = None if found is None else self.guises.steps(found, before, after, action)
        return (None if known is None else known.version) != (None if found is None else found.version)

    def recollect(self, episodes: Iterable[Episode]) -> None:
        """Find the body schemas anew, from the first rows of ``episodes``, as if they had just been lived."""
        self._begin()
        for world in self.worlds:
            world.motions, world.rows, world.steps, world.readings = None, [], None, 0
        if self.registration is None:
            return
        for episode in episodes:
            codes, action = episode.codes[:, self.grid], episode.action.astype(np.int64)
            world = self.worlds[episode.situation]
            world.rows += list(zip(codes[:-1], codes[1:], action.tolist()))[: DUE[-1] - len(world.rows)]
            if self._pairs < PAIRS:
                self._before.append(codes[:-1])
                self._after.append(codes[1:])
                self._action.append(action)
                self._pairs += len(action)
        while self._due <= self._pairs:
            self._due += max(8, self._due // 3)
        self.volatility.notice(self.worlds, range(len(self.worlds)))
        self._find_selves()

    def register(self, before: Array, after: Array, action: Array) -> bool:
        """Find the motions of the view from rows; True where they are other than before."""
        if self.registration is None:
            return False
        if any(world.motions is not None and world.motions.along for world in self.worlds):
            return False  # a view that never turns, though a room may look like another one turned
        found = self.registration.fit(self.volatility.cells(before), self.volatility.cells(after), action)
        if self.rigid.resolved and not found.resolved:
            return False
        known, turning, self.rigid = self.rigid.version, self.turning, found
        if self.turning and not turning:  # what was taken for the agent is something else
            for world in self.worlds:
                world.motions = world.steps = None
        return known != found.version or self.turning != turning
