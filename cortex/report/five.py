"""The five figures that tell the story of a life, each with a caption in plain words; for the page, and for a paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from cortex.report.canvas import (
    CONTROL,
    DAY,
    INK,
    MARKS,
    MUTED,
    NIGHT,
    SERIES,
    Panel,
    by_number,
    panel,
    percent,
    styled,
    thin,
    whole_numbers,
)
from cortex.report.events import Day, Episode, Exam, Night
from cortex.report.figures import WINDOW, rolling
from cortex.report.read import Story, interval, read

FOLDER = "figures"
WIDE, LEFT, RIGHT, TOP, BELOW = 5.6, 0.56, 0.12, 0.3, 0.3
"""Inches: the width of a figure, and its margins."""
KEPT = LinearSegmentedColormap.from_list("kept", ["#ffffff", "#9cc3e3", NIGHT])


@dataclass(frozen=True, slots=True)
class Told:
    """A figure, what it shows, and for the page the same as a panel."""

    name: str
    figure: Figure
    panel: Panel
    caption: str


def five(story: Story) -> list[Told]:
    """Learning by day, what the night kept, forgetting, the cost of a decision, what the night did; those that the
    life can tell."""
    drawn = (make(story) for make in (learning, kept, forgetting, cost, slept))
    return [told for told in drawn if told is not None]


def export(run: Path) -> list[Path]:
    """Write each figure of the life in ``run`` as PNG and SVG, and the captions, to its folder FOLDER."""
    folder, told = run / FOLDER, five(read(run))
    folder.mkdir(exist_ok=True)
    paths = []
    for number, one in enumerate(told, 1):
        for suffix in (".png", ".svg"):
            path = folder / f"{number}-{one.name}{suffix}"
            with styled(one.name):
                one.figure.savefig(path, dpi=200, metadata={"Date": None} if suffix == ".svg" else None)
            paths.append(path)
    lines = [f"Figure {number} ({one.name}). {one.caption}" for number, one in enumerate(told, 1)]
    (folder / "captions.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return [*paths, folder / "captions.txt"]


def learning(story: Story) -> Told | None:
    """Games won against the steps spent on each, nights as marks."""
    tries = story.own_steps
    if not tries:
        return None

    def drawing(panels: list[Axes]) -> None:
        for axes, task in zip(panels, story.tasks, strict=True):
            mine = [(episode, own) for episode, own in tries if episode.task == task]
            edge = 0
            for number, day in enumerate(sorted({episode.day for episode, _ in mine})):
                today = [(episode, own) for episode, own in mine if episode.day == day]
                won, where = rolling(np.array([e.success for e, _ in today], float)), np.array([x for _, x in today])
                few = thin(len(today))
                axes.plot(where[few], won[few], color=DAY, lw=1.8)
                if number:
                    axes.axvline(edge, color=NIGHT, lw=1.4)
                edge = int(where[-1])
            if task in story.constants:
                axes.axhline(story.constants[task], color=CONTROL, lw=1.3, ls=(0, (1, 2)))
            percent(axes)
            axes.set_title(story.label(task))
            axes.set_xlim(0, edge or 1)
            whole_numbers(axes.xaxis, 4)

    last = max(episode.day for episode, _ in tries)
    ends = []
    for task in story.tasks:
        won = [float(e.success) for e, _ in tries if (e.task, e.day) == (task, last)]
        if won:
            ends.append(f"{story.label(task)} {np.mean(won[-WINDOW:]):.0%}")
    steady = story.all(Day) and all(event.unchanged for event in story.all(Day))
    caption = (
        f"Learning by day. Share of games won (mean of the last {WINDOW} tries) against the steps spent on it; "
        "upright lines: nights, dotted: by chance. Every morning the mean starts anew. "
        f"At the end of day {last}: {', '.join(ends)}."
        + (" No weight changed by day: what rises within a day comes from memory and search." if steady else "")
    )
    return _told("learning", "Learning by day", caption, drawing, tall=1.9, panels=len(story.tasks))


BARS = (
    ("evening", "whole", DAY, "in the evening, with memory and search"),
    ("morning", "habit", NIGHT, "next morning, by the weights alone"),
    ("morning", "no_night", CONTROL, "without any night"),
    ("morning", "shuffled", "#b9bdc7", "after shuffled targets"),
)
"""When and what was examined, its colour and its words."""


def kept(story: Story) -> Told | None:
    """The habit after the night against its controls."""
    night = story.night
    if night is None:
        return None
    exams = [[_exam(story, night, when, arm, task) for task in story.tasks] for when, arm, *_ in BARS]

    def drawing(panels: list[Axes]) -> None:
        (axes,) = panels
        for order, (row, (_, _, colour, words)) in enumerate(zip(exams, BARS, strict=True)):
            for place, exam in enumerate(row):
                if exam is not None:
                    at = place + 0.2 * (order - 1.5)
                    axes.bar(at, exam.success, 0.18, color=colour)
                    axes.plot([at, at], interval(exam.success, exam.episodes), color=INK, lw=1.1)
            axes.bar(np.nan, np.nan, color=colour, label=words)
        for place, task in enumerate(story.tasks):
            if task in story.constants:
                level = [story.constants[task]] * 2
                label = "by chance" if not place else None
                axes.plot([place - 0.42, place + 0.42], level, color=INK, lw=1.2, ls=(0, (1, 1.5)), label=label)
        percent(axes)
        axes.set_title("Games won in the exam")
        axes.set_xticks(range(len(story.tasks)), [story.label(task) for task in story.tasks], color=INK)
        _key(axes, 2)

    means = {
        arm: np.mean([e.success for e in row if e]) for row, (_, arm, *_) in zip(exams, BARS, strict=True) if any(row)
    }
    said = [f"{means[arm]:.0%} {words}" for _, arm, _, words in BARS if arm in means]
    caption = (
        f"What the night kept. Exams on layouts that no day had, after day {night}; mean over games: {'; '.join(said)}"
        ". Upright lines: 95% interval of the share won."
    )
    return _told("kept", "What the night kept", caption, drawing, below=0.96)


def forgetting(story: Story) -> Told | None:
    """What the weights alone can do in each game after each night."""
    nights = sorted({night for night, when, arm, _ in story.exams if (when, arm) == ("morning", "habit")})
    if not nights:
        return None
    won = np.array(
        [[_success(story.exam(night, "morning", "habit", task)) for night in nights] for task in story.tasks]
    )

    def drawing(panels: list[Axes]) -> None:
        (axes,) = panels
        # Cells as shapes: the page shows no pictures within pictures.
        edges = [np.arange(count + 1) - 0.5 for count in won.T.shape]
        axes.pcolormesh(*edges, np.ma.masked_invalid(won), vmin=0, vmax=1, cmap=KEPT, edgecolors="white", lw=2)
        axes.invert_yaxis()
        for (row, column), share in np.ndenumerate(won):
            if np.isfinite(share):
                ink = "white" if share > 0.68 else INK
                axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=ink)
        axes.grid(visible=False)
        axes.set_yticks(range(len(story.tasks)), [story.label(task) for task in story.tasks], color=INK)
        axes.set_xticks(range(len(nights)), [f"after night {night}" for night in nights], color=INK)
        axes.set_title("Games won by the weights alone")
        for side in axes.spines.values():
            side.set_visible(False)

    best, last = np.nanmax(won, axis=1), won[:, -1]
    lost = float(np.nanmean(best - last))
    caption = (
        "Forgetting. Each row is a game, each column the morning after a night: memory cleared, search off. "
        f"Below its best night a game lies at the end by {100 * lost:.0f} points on average."
    )
    tall = 0.34 * len(story.tasks) + TOP + BELOW
    return _told(
        "forgetting", "Forgetting", caption, drawing, tall, letters=max(len(story.label(t)) for t in story.tasks)
    )


def cost(story: Story) -> Told | None:
    """What a decision costs, day by day."""
    tries = [event for event in story.all(Episode) if event.searched is not None]
    days = sorted({event.day for event in tries})
    if not days:
        return None
    share = {
        (task, day): np.average([e.searched for e in mine], weights=[max(1, e.steps) for e in mine])
        for task in story.tasks
        for day in days
        if (mine := [e for e in tries if (e.task, e.day) == (task, day)])
    }
    speed = {(event.task, event.day): event.speed for event in story.all(Day) if event.speed}

    def drawing(panels: list[Axes]) -> None:
        (axes,) = panels
        for order, task in enumerate(story.tasks):
            aside = 0.06 * (order - (len(story.tasks) - 1) / 2)
            values = [share.get((task, day), np.nan) for day in days]
            mark, colour = list(MARKS)[order % len(MARKS)], SERIES[order % len(SERIES)]
            axes.plot(
                np.arange(len(days)) + aside,
                values,
                mark + "-",
                color=colour,
                mec="white",
                ms=8,
                label=story.label(task),
            )
        for place, day in enumerate(days):
            took = [1000 / speed[task, day] for task in story.tasks if (task, day) in speed]
            if took:
                axes.text(
                    place, 1.11, f"{np.mean(took):.1f} ms a step", ha="center", va="center", color=MUTED, fontsize=8.5
                )
        percent(axes, 1.2)
        axes.set_title("Decisions that search made")
        by_number(axes, "day", days)
        _key(axes)

    ends = [
        f"{np.mean([v for (_, d), v in share.items() if d == day]):.0%} on day {day}" for day in (days[0], days[-1])
    ]
    caption = (
        "The cost of a decision. Share of decisions for which search was needed, now or by a plan that it had made: "
        f"{' and '.join(dict.fromkeys(ends))}. Where the habit is sure it acts at once. Above: wall time of a step, "
        "the environment's own included."
    )
    return _told("cost", "What a decision costs", caption, drawing, below=0.6)


def slept(story: Story) -> Told | None:
    """What each night did to the habit."""
    nights = [night for night in story.all(Night) if night.agreement_after is not None]
    if not nights:
        return None

    def drawing(panels: list[Axes]) -> None:
        (axes,) = panels
        for place, night in enumerate(nights):
            if night.agreement_before is not None:
                axes.bar(place - 0.18, night.agreement_before, 0.32, color="white", edgecolor=NIGHT, linewidth=1.4)
            axes.bar(place + 0.18, night.agreement_after, 0.34, color=NIGHT, alpha=0.3 if night.rolled_back else 1)
            words = [f"{night.seconds:.0f} s"] + ["undone"] * night.rolled_back
            axes.text(place, 1.11, ", ".join(words), ha="center", va="center", color=MUTED, fontsize=8.5)
        axes.bar(np.nan, np.nan, color="white", edgecolor=NIGHT, linewidth=1.4, label="before the night")
        axes.bar(np.nan, np.nan, color=NIGHT, label="after it")
        percent(axes, 1.2)
        axes.set_title("Moments in which the habit picks what search would")
        by_number(axes, "night", [night.day for night in nights])
        _key(axes)

    first = nights[0]
    before = "" if first.agreement_before is None else f"from {first.agreement_before:.0%} "
    caption = (
        "What the night did. In moments that were kept aside, how often the habit's action is one that search holds "
        f"best: in the first night {before}to {first.agreement_after:.0%}, "
        f"after the last {nights[-1].agreement_after:.0%}."
    )
    return _told("night", "What the night did", caption, drawing, below=0.6)


def _told(
    name: str,
    title: str,
    caption: str,
    drawing: Callable[[list[Axes]], None],
    tall: float = 2.9,
    below: float = 0.3,
    letters: int = 0,
    panels: int = 1,
) -> Told:
    """Draw a figure of ``panels`` axes, three in a row, each row ``tall``; ``letters`` of the names beside them."""
    left, columns = max(LEFT, 0.2 + 0.078 * letters), min(panels, 3)
    rows = -(-panels // columns)
    high = tall * rows
    with styled(f"five-{name}"):
        figure = Figure(figsize=(WIDE, high))
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel().tolist()
        edges = left / WIDE, below / high, 1 - RIGHT / WIDE, 1 - TOP / high
        figure.subplots_adjust(*edges, wspace=0.12, hspace=(below + TOP) / (tall - below - TOP))
        for spare in grid[panels:]:
            spare.remove()
        drawing(grid[:panels])
        return Told(name, figure, panel(f"five-{name}", title, caption, figure), caption)


def _key(axes: Axes, columns: int = 3) -> None:
    """The legend, below what it explains."""
    tall = axes.bbox.height / axes.figure.dpi
    at = (0, -0.24 / tall)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=at, ncols=columns, fontsize=8.5, borderaxespad=0)


def _exam(story: Story, night: int, when: str, arm: str, task: int) -> Exam | None:
    """An exam; controls may have been taken in the evening."""
    return story.exam(night, when, arm, task) or (
        story.exam(night, "evening", arm, task) if arm in ("no_night", "shuffled") else None
    )


def _success(exam: Exam | None) -> float:
    return float("nan") if exam is None else exam.success
