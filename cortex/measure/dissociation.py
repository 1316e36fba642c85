"""What follows from an ablation: the cost of each lesion on each task, and which modules are told apart by it.

A module is dissociated by a task of its own that fails without it and by others that do not care (Teuber 1955; Shallice
1988, chapter 10, on single and double dissociations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from cortex.measure.ablation import WHOLE, Row
from cortex.measure.battery import WHEN, AblationTask
from cortex.measure.statistics import interval

FAILS, SPARED = 0.3, 0.1
"""A lesion fails a task that it costs at least the one, and spares one that it costs at most the other."""
OTHERS = 2
"""Tasks besides its own that a lesion has to spare."""
SOLVED = 0.5
"""Score of the whole agent from which a task can tell what a lesion costs."""
SEEDS = 3
"""Seeds from which an interval is believed."""
HEADING: tuple[str, ...] = ("lesion", "cut at", "own task", "whole", "left", "cost (95 %)", "spares", "verdict")


@dataclass(frozen=True, slots=True)
class Loss:
    """What a lesion costs on a task, in scores of the whole agent's exam; interval of 95 % over seeds, paired."""

    task: str
    lesion: str
    when: str
    seeds: int
    whole: float  # mean score of the whole agent in the same exam
    left: float  # mean score with the lesion
    cost: float  # mean difference of the two
    low: float
    high: float
    searched: float  # by how much the share of decisions that search made is less with the lesion

    @property
    def told(self) -> bool:
        """Whether there was something to lose, and seeds enough to say how much."""
        return self.whole >= SOLVED and self.seeds >= SEEDS

    @property
    def fails(self) -> bool:
        """Whether the task surely fails."""
        return self.told and self.low >= FAILS

    @property
    def spared(self) -> bool:
        """Whether the task is surely spared."""
        return self.told and self.high <= SPARED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the matrix says of one lesion."""

    lesion: str
    when: str  # one of WHEN
    own: Loss | None  # on the task foretold, else on the one that it costs most; None where no task was solved
    foretold: bool  # the task was named before
    spares: tuple[str, ...]  # tasks that it surely spares

    @property
    def dissociated(self) -> bool:
        """Its own task fails without it, and others do not care."""
        return self.own is not None and self.own.fails and len(self.spares) >= OTHERS


def losses(rows: Sequence[Row]) -> list[Loss]:
    """The cost of each lesion at each time on each task, over the seeds that have both exams."""
    found: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in rows:
        found.setdefault((row.task, row.lesion, row.when), {})[row.seed] = row
    told = []
    for (task, lesion, when), lesioned in found.items():
        whole = found.get((task, WHOLE, "evening" if when == "evening" else "morning"), {})
        seeds = sorted(lesioned.keys() & whole.keys())
        if lesion == WHOLE or not seeds:
            continue
        before, after = np.array([[arm[s].score for s in seeds] for arm in (whole, lesioned)])
        searched = [whole[s].searched - lesioned[s].searched for s in seeds]
        low, high = interval((before - after).tolist())
        means = float(before.mean()), float(after.mean()), float((before - after).mean())
        told.append(Loss(task, lesion, when, len(seeds), *means, low, high, float(np.mean(searched))))
    return told


def verdicts(told: Sequence[Loss], tasks: Sequence[AblationTask], lesions: Sequence[str]) -> list[Verdict]:
    """One for each lesion: on the task that was named for it before, at the time named. A lesion for which none was
    named is judged on the task and at the time at which it costs most: found, and not foretold."""
    named = {lesion: (task.name, when) for task in reversed(tasks) for lesion, when in task.asks.items()}
    found = []
    for lesion in lesions:
        mine = [loss for loss in told if loss.lesion == lesion]
        judged = [loss for loss in mine if loss.whole >= SOLVED]
        foretold = lesion in named
        if foretold:
            task, when = named[lesion]
            own = next((loss for loss in mine if (loss.task, loss.when) == (task, when)), None)
        else:
            own = max(judged, key=lambda loss: loss.cost, default=None)
            when = own.when if own else WHEN[0]
        spares = [loss.task for loss in mine if loss.when == when and loss.spared and own and loss.task != own.task]
        found.append(Verdict(lesion, when, own, foretold, tuple(spares)))
    return found


def double(found: Sequence[Verdict]) -> list[tuple[str, str]]:
    """Pairs of lesions each of which fails its own task and spares the other's: no common cause explains both."""
    sure = [one for one in found if one.own is not None and one.own.fails]
    return [
        (a.lesion, b.lesion)
        for a, b in combinations(sure, 2)
        if a.own and b.own and b.own.task in a.spares and a.own.task in b.spares
    ]


def table(found: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """The verdicts as words, a heading first; * where the task was not named before."""
    lines = [HEADING]
    for one in found:
        if (own := one.own) is None:
            lines.append((one.lesion, one.when, "-", "", "", "", "", "no task tells"))
        else:
            task, cost = own.task + "*" * (not one.foretold), f"{own.cost:.2f} ({own.low:.2f} to {own.high:.2f})"
            figures = f"{own.whole:.2f}", f"{own.left:.2f}", cost, str(len(one.spares))
            lines.append((one.lesion, one.when, task, *figures, _word(own, one.dissociated)))
    return lines


def _word(own: Loss, dissociated: bool) -> str:
    if own.whole < SOLVED:
        return "the whole agent fails it"
    if own.seeds < SEEDS:
        return f"too few seeds ({own.seeds})"
    if dissociated:
        return "dissociated"
    if own.fails:
        return "fails, and so do others"
    return "costs nothing" if own.spared else "costs too little, or not surely"


def facts(found: Sequence[Verdict], tasks: Sequence[AblationTask]) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "tasks": [task.name for task in tasks],
        "lesions": [one.lesion for one in found],
        "dissociated": [one.lesion for one in found if one.dissociated],
        "double": [list(pair) for pair in double(found)],
        "verdicts": {one.lesion: _facts(one, one.own) for one in found if one.own is not None},
    }


def _facts(one: Verdict, own: Loss) -> dict[str, Any]:
    figures = {name: round(getattr(own, name), 3) for name in ("whole", "left", "cost", "low", "high", "searched")}
    place = {"task": own.task, "when": one.when, "foretold": one.foretold, "seeds": own.seeds}
    return {**place, **figures, "spares": list(one.spares)}
