"""The pictures of the days; each takes the story and returns a panel, or None where there is nothing to draw."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cortex.report.canvas import (
    BAND,
    CONTROL,
    DAY,
    MARKS,
    MUTED,
    NIGHT,
    SERIES,
    Panel,
    by_number,
    canvas,
    logarithmic,
    panel,
    percent,
    stack,
    styled,
    thin,
    whole_numbers,
)
from cortex.report.events import Episode, Exam, Memory
from cortex.report.read import Story, interval
from cortex.types import Array

WINDOW = 20
"""Tries in the moving average."""


def learning(story: Story, task: int) -> Panel | None:
    """Share of wins and steps per try against the steps spent on one task, days shaded, nights between them."""
    tries = [(episode, own) for episode, own in story.own_steps if episode.task == task]
    if not tries:
        return None
    days = sorted({episode.day for episode, _ in tries})
    name = f"learning{task}"
    with styled(name):
        figure, (wins, length) = canvas(2, 3.6, 0.44)
        edge = 0
        for order, day in enumerate(days):
            own = [(episode, x) for episode, x in tries if episode.day == day]
            x = np.array([x for _, x in own])
            won = np.array([episode.success for episode, _ in own], dtype=float)
            steps = np.array([max(1, episode.steps) for episode, _ in own], dtype=float)
            _shade(wins, length, order, edge, x[-1], f"day {day}" if len(days) < 8 else str(day))
            edge = x[-1]
            few = thin(len(x))
            wins.plot(x[few], rolling(won)[few], color=DAY)
            length.plot(x[few], steps[few], "o", ms=2.2, mew=0, alpha=0.35, color=MUTED)
            length.plot(x[few], rolling(steps)[few], color=DAY)
        if task in story.constants:
            wins.axhline(story.constants[task], color=CONTROL, lw=1.4, ls=(0, (1, 2)))
        percent(wins, 1.2)
        wins.set_title(f"Games won, last {WINDOW} tries")
        wins.tick_params(bottom=False)
        length.set_title("Steps per try")
        logarithmic(length)
        length.set_xlabel("steps spent on this game", loc="left")
        length.set_xlim(0, edge or 1)
        whole_numbers(length.xaxis)
        final = rolling(np.array([float(e.success) for e, _ in tries if e.day == days[-1]]))[-1]
        text = (
            f"{story.title(task)}: share of games won and steps per try against {edge} environment steps in "
            f"{len(days)} days; the last {WINDOW} tries won {final:.0%}."
        )
        return panel(name, story.label(task), text, figure)


def _shade(wins: Axes, length: Axes, order: int, start: float, stop: float, text: str) -> None:
    for axes in (wins, length):
        if order % 2 == 0:
            axes.axvspan(start, stop, color=BAND, lw=0, zorder=0)
        if order:
            axes.axvline(start, color=NIGHT, lw=1.6)
    wins.text((start + stop) / 2, 1.1, text, ha="center", va="center", color=MUTED, fontsize=9)


def rolling(values: Array) -> Array:
    """Mean of the last WINDOW values at each of T places [T]; of fewer at the start."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(0, stop - WINDOW)
    mean: Array = (total[stop] - total[start]) / (stop - start)
    return mean


def overnight(story: Story, task: int) -> Panel | None:
    """What the weights alone can do before and after each night, beside what the whole mind did that evening."""
    nights = sorted({night for night, *_, other in story.exams if other == task})
    rows = [
        [story.exam(night, *arm, task) for arm in (("evening", "whole"), ("evening", "habit"), ("morning", "habit"))]
        for night in nights
    ]
    drawn = [(night, row) for night, row in zip(nights, rows, strict=True) if any(row)]
    if not drawn:
        return None
    name = f"overnight{task}"
    with styled(name):
        figure, (axes,) = canvas()
        for place, (_, (whole, before, after)) in enumerate(drawn):
            if whole:
                axes.plot([place - 0.33, place + 0.33], [whole.success] * 2, color=DAY, lw=3)
            if before and after:
                axes.annotate(
                    "",
                    (place + 0.17, after.success),
                    (place - 0.17, before.success),
                    arrowprops={"arrowstyle": "-|>", "color": NIGHT, "lw": 1.6, "shrinkA": 5, "shrinkB": 6},
                )
            if before:
                axes.plot(place - 0.17, before.success, "o", ms=8, mfc="white", mec=NIGHT, mew=1.8)
            if after:
                axes.plot([place + 0.17] * 2, interval(after.success, after.episodes), color=NIGHT, lw=1.4)
                axes.plot(place + 0.17, after.success, "o", ms=8, color=NIGHT)
        if task in story.constants:
            axes.axhline(story.constants[task], color=CONTROL, lw=1.4, ls=(0, (1, 2)))
        percent(axes)
        axes.set_title("Games won in the exam")
        by_number(axes, "night", [night for night, _ in drawn])
        told = [
            f"night {night}: {_share(row[1])} before, {_share(row[2])} after, whole mind {_share(row[0])}"
            for night, row in drawn
        ]
        text = f"{story.title(task)}, games won by the weights alone. " + "; ".join(told) + "."
        return panel(name, story.label(task), text, figure)


def _share(exam: Exam | None) -> str:
    return f"{exam.success:.0%}" if exam else "not measured"


def memories(story: Story) -> Panel | None:
    """Memories in the hippocampus at the end of each day, by situation."""
    days = {event.day: event for event in story.all(Memory) if event.by_situation}
    if not days:
        return None
    names = sorted({name for event in days.values() for name in event.by_situation}, key=lambda name: (len(name), name))
    # Beyond a handful of situations colours cannot be told apart: the smaller ones share the last.
    largest = sorted(names, key=lambda name: -sum(event.by_situation.get(name, 0) for event in days.values()))[:6]
    with styled("memories"):
        figure, (axes,) = canvas()
        layers = {
            f"situation {name}": np.array([event.by_situation.get(name, 0.0) for event in days.values()])
            for name in names
            if name in largest
        }
        total = np.array([sum(event.by_situation.values()) for event in days.values()])
        if len(names) > len(largest):
            layers["all others"] = total - sum(layers.values())
        legend = stack(axes, layers)
        axes.set_title("Memories")
        whole_numbers(axes.yaxis, 5)
        by_number(axes, "day", list(days))
        told = ", ".join(f"day {day}: {count:.0f}" for day, count in zip(days, total, strict=True))
        lost = sum(event.forgotten or 0 for event in days.values())
        return panel("memories", "By day and situation", f"Memories by day, {told}; {lost} forgotten.", figure, legend)


def strength(story: Story) -> Panel | None:
    """Histogram of the strength of the memories on the last day that tells it."""
    told = [event for event in story.all(Memory) if event.strength]
    if not told:
        return None
    last = told[-1]
    with styled("strength"):
        figure, (axes,) = canvas()
        axes.bar(range(len(last.strength)), last.strength, 0.86, color=MUTED)
        axes.set_title("Memories")
        axes.set_xticks([0, len(last.strength) - 1], ["fading", "strong"])
        whole_numbers(axes.yaxis, 5)
        text = f"Memories by strength at the end of day {last.day}, from fading to strong: "
        text += ", ".join(f"{count:g}" for count in last.strength)
        return panel("strength", f"By strength, day {last.day}", text + ".", figure)


def searched(story: Story) -> Panel | None:
    """Share of decisions for which the search was used, by day and task."""
    tries = [event for event in story.all(Episode) if event.searched is not None]
    if not tries:
        return None
    days = sorted({event.day for event in tries})
    tasks = sorted({event.task for event in tries})
    with styled("searched"):
        figure, (axes,) = canvas()
        told, legend = [], []
        for order, task in enumerate(tasks):
            share = []
            for day in days:
                mine = [event for event in tries if (event.task, event.day) == (task, day)]
                weight = [max(1, event.steps) for event in mine]
                share.append(float(np.average([event.searched for event in mine], weights=weight)) if mine else np.nan)
            colour, mark = SERIES[order % len(SERIES)], list(MARKS)[order % len(MARKS)]
            aside = 0.07 * (order - (len(tasks) - 1) / 2)  # equal shares would hide one another
            axes.plot(np.arange(len(days)) + aside, share, mark + "-", color=colour, ms=7, mec="white")
            legend.append((MARKS[mark], colour, story.label(task)))
            told.append(f"{story.title(task)} " + ", ".join("none" if s != s else f"{s:.0%}" for s in share))
        percent(axes)
        axes.set_title("Decisions that used search")
        by_number(axes, "day", days)
        return panel(
            "searched", "By day", "Share of decisions that used search, by day: " + "; ".join(told), figure, legend
        )
