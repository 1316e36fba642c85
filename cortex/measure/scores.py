"""From the events of lives to figures: learned by day, kept by night, at what cost.

R[i, j] is the score of game j on the morning after night i: (J - floor) / (ceiling - floor), where J is the mean over
the exam's episodes of the return (of the wins, for a game that is scored ``by`` success). P is the same score before
or after the night of the game's own day. Headlines take both from the weights alone ("habit"); what the whole agent
scores stands in the rows of ``games``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cortex.measure.statistics import iqm, nested_interval
from cortex.types import Array, CortexError

Event = dict[str, Any]
Row = dict[str, Any]
Figure = dict[str, float | None]
Statistic = Callable[[Array], Array]
"""From R resamples of n games and C columns, [R, n] or [R, n, C], to [R]."""

TRIES = (1, 3, 10, 30)

LAST_TRIES = 5
"""Tries whose mean stands for a try that the budget did not reach."""

LEAST = 0.1
"""Smallest denominator of a ratio of scores; below it noise is divided by noise."""


def games(events: Sequence[Event]) -> list[Row]:
    """One row for each game of one life; None stands for what was not measured.

    ``first_win``: actions of all bodies until the first win, the whole budget where there was none (``won`` tells).
    ``auc``: mean over the budget of the success of the episode that ended last, 0 before the first. ``try_k``: whether
    try k was won; a try that the budget did not reach takes the mean of the last up to 5 that were made, 0 without
    any. ``evening_*`` and ``morning_*``: scores P on the game's own day, ``last_*`` on the last morning, of the whole
    agent and of the habit; ``forgetting``, what of it is chance, ``bwt`` and ``worst`` are those of the habit, see
    ``summary``.
    """
    life = _life(events)
    facts, last = {fact["game"]: fact for fact in life["games"]}, _last_morning(events)
    marks = {
        (event["when"], event["arm"], event["day"], event["game"]): _score(event, facts[event["game"]])
        for event in events
        if event["event"] == "exam"
    }
    decided = {event["game"]: event for event in _decisions(events, last)}
    rows = []
    for game, fact in facts.items():
        episodes = [event for event in events if event["event"] == "episode" and event["game"] == game]
        if not any(event["event"] == "waking" and event["game"] == game for event in events):
            continue  # a life that is not over has games ahead of it
        row: Row = {"seed": life["seed"], **fact, **_waking(episodes, life["steps"])}
        for when, day in (("evening", fact["day"]), ("morning", fact["day"]), ("last", last)):
            for arm in ("whole", "habit"):
                row[f"{when}_{arm}"] = marks.get(("morning" if when == "last" else when, arm, day, game))
        mornings = [marks.get(("morning", "habit", day, game)) for day in range(fact["day"], (last or 0) + 1)]
        row |= _kept([mark for mark in mornings if mark is not None])
        made = decided.get(game, {"decisions": None, "searched": None})
        row |= {"decisions": made["decisions"], "searched": made["searched"]}
        rows.append(row)
    return rows


def summary(lives: Sequence[Sequence[Event]], joint: float | None = None) -> dict[str, Any]:
    """The figures of several lives, each {value, low, high} with a 95 % interval over seeds and games; None: not known.

    * ``first_win_over_h``: geometric mean of first-win actions / h; ``first_win_actions``: median. A game that was
      never won counts with its whole budget, so both are too small where many are not won.
    * ``win_rate_by_try``, ``auc``: means over games, see ``games``.
    * ``adaptation_share``: sum of A - A_random over the sum of A_reference - A_random.
    * ``consolidation_index``: (P_after - P_before) / (P_before_with - P_before), where ``with`` is the whole agent and
      the others are the habit; ``habit_over_search``: P_after / P_before_with. Both are ratios of means over games,
      each game on its own day, and None where the denominator is under 0.1.
    * ``acc``, ``learn``: interquartile means of R[last, j] and R[j, j]; ``acc_over_joint``: acc over that of a learner
      trained on all games at once.
    * ``forgetting``: best R[i, j] of a morning before the last, less R[last, j]; ``bwt``: R[last, j] - R[j, j]; means
      over the games of earlier days (Chaudhry et al. 2018, section 3; Lopez-Paz and Ranzato 2017, section 2).
      ``forgetting_by_chance``: what forgetting would be if any of the mornings might as well have been the last. The
      best of many exams of few episodes is partly luck, so that it is more than 0 for one who forgets nothing.
    * ``min_acc``: mean over the games of earlier days of the worst R[i, j] after the day on which j was learned: de
      Lange et al. 2023, section 4, who look after every update where this looks every morning.
    * ``share_without_search``: of the decisions in the last exam of the whole agent, or of the waking without exams.
    * ``steps``, ``updates``, ``cpu_seconds`` (of waking and nights), ``bytes_memory``, ``bytes_weights`` (at the end):
      means over lives. ``games``: how many were lived, over all ``seeds``.
    """
    if not lives:
        raise CortexError("there are no lives to make figures of; give the events of at least one")
    rows = [games(events) for events in lives]

    def over(statistic: Statistic, *columns: str) -> Figure | None:
        return _figure(rows, columns, statistic)

    acc = over(_middle, "last_habit")
    by_joint = (
        None if acc is None or not joint else {key: value / joint for key, value in acc.items() if value is not None}
    )
    return {
        "first_win_over_h": over(_geometric_ratio, "first_win", "h"),
        "first_win_actions": over(_median, "first_win"),
        "win_rate_by_try": {str(k): over(_mean, f"try_{k}") for k in TRIES},
        "auc": over(_mean, "auc"),
        "adaptation_share": over(_gain_ratio(0.0), "auc", "area_random", "area_reference"),
        "consolidation_index": over(_gain_ratio(LEAST), "morning_habit", "evening_habit", "evening_whole"),
        "acc": acc,
        "learn": over(_middle, "morning_habit"),
        "acc_over_joint": by_joint,
        "forgetting": over(_mean, "forgetting"),
        "forgetting_by_chance": over(_mean, "forgetting_by_chance"),
        "bwt": over(_mean, "bwt"),
        "min_acc": over(_mean, "worst"),
        "habit_over_search": over(_ratio_of_means, "morning_habit", "evening_whole"),
        "share_without_search": over(_unsearched, "searched", "decisions"),
        **_costs(lives),
        "games": sum(map(len, rows)),
        "seeds": len(lives),
    }


def _life(events: Sequence[Event]) -> Event:
    if not events or events[0].get("event") != "life":
        raise CortexError("these are not the events of a life, which begin with what its games are; give all of them")
    return events[0]


def _last_morning(events: Sequence[Event]) -> int | None:
    """The last day whose morning exam by the habit is there."""
    days = [event["day"] for event in events if event["event"] == "exam" and _is(event, "morning", "habit")]
    return max(days, default=None)


def _decisions(events: Sequence[Event], last: int | None) -> list[Event]:
    """Episodes or exams that tell whether the grown agent still searches."""
    if last is not None:
        return [e for e in events if e["event"] == "exam" and e["day"] == last and _is(e, "morning", "whole")]
    lived: dict[int, Event] = {}
    for event in events:
        if event["event"] == "episode":
            told = lived.setdefault(event["game"], {"game": event["game"], "decisions": 0, "searched": 0.0})
            total = told["decisions"] + event["length"]
            told["searched"] += (event["searched"] - told["searched"]) * event["length"] / max(1, total)
            told["decisions"] = total
    return list(lived.values())


def _is(event: Event, when: str, arm: str) -> bool:
    return bool(event["when"] == when and event["arm"] == arm)


def _score(exam: Event, fact: Event) -> float:
    return float((exam[fact["by"]] - fact["floor"]) / (fact["ceiling"] - fact["floor"]))


def _waking(episodes: Sequence[Event], budget: int) -> Row:
    """What one game's episodes say about learning by day."""
    won = [bool(episode["success"]) for episode in episodes]
    ends = [min(int(episode["steps"]), budget) for episode in episodes]
    held = np.diff([*ends, budget]) if ends else np.zeros(0)
    rest = float(np.mean(won[-LAST_TRIES:])) if won else 0.0
    return {
        "tries": len(won),
        "wins": sum(won),
        "won": any(won),
        "first_win": ends[won.index(True)] if any(won) else budget,
        "auc": float(np.dot(won, held) / budget) if won else 0.0,
        **{f"try_{k}": float(won[k - 1]) if k <= len(won) else rest for k in TRIES},
    }


def _kept(mornings: list[float]) -> Row:
    """What became of a game's score from its own morning to the last one; None for a game of the last day."""
    if len(mornings) < 2:
        return {"forgetting": None, "forgetting_by_chance": None, "bwt": None, "worst": None}
    last, lost = mornings[-1], [max(mornings[:i] + mornings[i + 1 :]) - mark for i, mark in enumerate(mornings)]
    told = {"forgetting": lost[-1], "forgetting_by_chance": float(np.mean(lost))}
    return {**told, "bwt": last - mornings[0], "worst": min(mornings[1:])}


def _figure(rows: Sequence[Sequence[Row]], columns: Sequence[str], statistic: Statistic) -> Figure | None:
    """Value and interval of a statistic of columns [n, C] over the games that have them all."""
    groups = [
        np.array([[row[c] for c in columns] for row in life if all(row[c] is not None for c in columns)], np.float64)
        for life in rows
    ]
    groups = [group[:, 0] if len(columns) == 1 else group for group in groups if len(group)]
    if not groups:
        return None
    value = float(statistic(np.concatenate(groups)[None])[0])
    if not math.isfinite(value):
        return None
    low, high = nested_interval(groups, statistic)
    known = math.isfinite(low)
    return {"value": value, "low": low if known else None, "high": high if known else None}


def _mean(values: Array) -> Array:
    return np.asarray(values.mean(axis=1))


def _median(values: Array) -> Array:
    return np.asarray(np.median(values, axis=1))


def _middle(values: Array) -> Array:
    return np.asarray(iqm(values, axis=1))


def _geometric_ratio(columns: Array) -> Array:
    from scipy.stats import gmean

    return np.asarray(gmean(columns[..., 0] / columns[..., 1], axis=1))


def _gain_ratio(least: float) -> Statistic:
    """(first - second) / (third - second) of the columns' means; nan where the denominator is 0 or under ``least``."""

    def ratio(columns: Array) -> Array:
        gained, base, possible = columns.mean(axis=1).T
        return _quotient(gained - base, possible - base, max(least, 1e-9))

    return ratio


def _ratio_of_means(columns: Array) -> Array:
    kept, before = columns.mean(axis=1).T
    return _quotient(kept, before, LEAST)


def _unsearched(columns: Array) -> Array:
    share, decisions = columns[..., 0], columns[..., 1]
    return 1 - _quotient((share * decisions).sum(axis=1), decisions.sum(axis=1), 1)


def _quotient(above: Array, below: Array, least: float) -> Array:
    defined = below >= least
    return np.asarray(np.where(defined, above / np.where(defined, below, 1), math.nan))


def _costs(lives: Sequence[Sequence[Event]]) -> dict[str, Any]:
    told: dict[str, list[float]] = {
        name: [] for name in ("steps", "updates", "cpu_seconds", "bytes_memory", "bytes_weights")
    }
    for events in lives:
        spent = [event for event in events if event["event"] in ("waking", "night")]
        told["steps"].append(sum(event.get("lived", 0) for event in spent))
        told["cpu_seconds"].append(sum(event["cpu_seconds"] for event in spent))
        for name in ("updates", "bytes_memory", "bytes_weights"):
            told[name].append(spent[-1][name] if spent else 0)
    return {name: float(np.mean(values)) for name, values in told.items()}
