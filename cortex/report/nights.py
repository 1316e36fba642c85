"""The pictures of the nights; each takes the story and returns a panel, or None where there is nothing to draw."""

from __future__ import annotations

import numpy as np

from cortex.report.canvas import (
    INK,
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
from cortex.report.events import Night, NightUpdate
from cortex.report.read import Story


def losses(story: Story, part: str) -> Panel | None:
    """The losses of one part of the cortex over all nights, on a logarithmic scale."""
    updates = [event for event in story.all(NightUpdate) if event.part == part and event.losses]
    if not updates:
        return None
    name = f"losses{[event.part for event in story.all(NightUpdate)].index(part)}"
    with styled(name):
        figure, (axes,) = canvas(below=0.44)
        kinds = sorted({loss for event in updates for loss in event.losses})
        start = 0
        for order, day in enumerate(sorted({event.day for event in updates})):
            night = [event for event in updates if event.day == day]
            if order:
                axes.axvline(start, color=NIGHT, lw=1.0, alpha=0.5)
            for kind, colour in zip(kinds, SERIES * len(kinds), strict=False):
                x = np.array([start + event.update for event in night])
                y = np.array([event.losses.get(kind, np.nan) for event in night])
                y[~(y > 0)] = np.nan  # neither nan nor zero has a place on a logarithmic axis
                few = thin(len(x))
                axes.plot(x[few], y[few], color=colour, lw=1.8)
            start += max(event.update for event in night)
        logarithmic(axes)
        axes.set_title("Loss, smaller is better")
        axes.set_xlabel("updates, all nights in a row", loc="left")
        axes.set_xlim(0, start or 1)
        whole_numbers(axes.xaxis)
        legend = [("━", colour, kind) for kind, colour in zip(kinds, SERIES * len(kinds), strict=False)]
        last = ", ".join(f"{kind} {value:.3g}" for kind, value in updates[-1].losses.items())
        return panel(
            name,
            f"Losses of the {part.replace('_', ' ')}",
            f"Losses of the {part} over {start} updates; last: {last}.",
            figure,
            legend,
        )


def agreement(story: Story) -> Panel | None:
    """How often the habit picks an action that the search holds best, before and after each night."""
    nights = [night for night in story.all(Night) if night.agreement_after is not None]
    if not nights:
        return None
    with styled("agreement"):
        figure, (axes,) = canvas()
        for place, night in enumerate(nights):
            if night.agreement_before is not None:
                axes.bar(place - 0.18, night.agreement_before, 0.32, color="white", edgecolor=NIGHT, linewidth=1.4)
            axes.bar(place + 0.18, night.agreement_after, 0.34, color=NIGHT, alpha=0.3 if night.rolled_back else 1)
            if night.rolled_back:
                axes.text(
                    place + 0.18, night.agreement_after / 2, "undone", ha="center", va="center", rotation=90, color=INK
                )
        percent(axes)
        axes.set_title("Same action as the search")
        by_number(axes, "night", [night.day for night in nights])
        legend = [("□", NIGHT, "before the night"), ("■", NIGHT, "after it")]
        told = [
            f"night {night.day}: "
            + ("" if night.agreement_before is None else f"from {night.agreement_before:.0%} ")
            + f"to {night.agreement_after:.0%}"
            for night in nights
        ]
        return panel(
            "agreement", "Habit and search", "Agreement of habit and search. " + "; ".join(told), figure, legend
        )


def stages(story: Story) -> Panel | None:
    """Seconds of each night by stage, stacked."""
    nights = [night for night in story.all(Night) if night.stages]
    if not nights:
        return None
    names = list(dict.fromkeys(stage for night in nights for stage in night.stages))
    with styled("stages"):
        figure, (axes,) = canvas()
        layers = {stage: np.array([night.stages.get(stage, 0.0) for night in nights]) for stage in names}
        legend = stack(axes, layers)
        axes.set_title("Seconds")
        by_number(axes, "night", [night.day for night in nights])
        told = ", ".join(f"{stage} {sum(night.stages.get(stage, 0.0) for night in nights):.1f} s" for stage in names)
        return panel(
            "stages", "Where the time goes", f"Seconds of all nights together by stage: {told}.", figure, legend
        )
