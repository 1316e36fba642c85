"""The report: one page that needs neither network nor script, and beside it the same figures as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cortex.report import figures, nights
from cortex.report.canvas import CONTROL, DAY, NIGHT, Panel
from cortex.report.events import Day, Fault, Memory, Night, NightUpdate
from cortex.report.five import five
from cortex.report.read import ROWS, Story, read, summarise
from cortex.report.read import figures as exam_figures
from cortex.types import CortexError

ARMS = {
    ("evening", "whole"): "Evening: memory and search",
    ("evening", "cleared"): "Evening: memory cleared, search on",
    ("evening", "habit"): "Evening: memory cleared, search off",
    ("morning", "whole"): "Morning: memory and search",
    ("morning", "cleared"): "Morning: memory cleared, search on",
    ("morning", "habit"): "Morning: memory cleared, search off",
    ("any", "no_night"): "The weights from before the first night",
    ("any", "shuffled"): "The weights after a night on shuffled targets",
}


def write(run: Path) -> Path:
    """Write ``report.html`` and ``report.json`` into a run folder and return the path of the page.

    Raises CortexError if the folder holds no life or cannot be written to.
    """
    run = Path(run)
    story = read(run)
    facts = summarise(story)
    try:
        _replace(run / "report.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        _replace(run / "report.html", render(story, facts))
    except OSError as error:
        raise CortexError(
            f"The report cannot be written into {run} ({error.strerror}); free space or make it writable."
        ) from error
    return run / "report.html"


def _replace(path: Path, text: str) -> None:
    # Whoever looks while a life runs sees the old page or the new one, never half of one.
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def render(story: Story, facts: dict[str, Any]) -> str:
    """The page of a story; every string that comes from the run is escaped."""
    environment = Environment(
        loader=PackageLoader("cortex.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number, "minutes": minutes}
    parts = list(dict.fromkeys(event.part for event in story.all(NightUpdate)))
    memory = story.all(Memory)
    return environment.get_template("template.html").render(
        story=story,
        facts=facts,
        colours={"day": DAY, "night": NIGHT, "control": CONTROL},
        rows=ROWS,
        labels=[story.label(task) for task in story.tasks],
        headline=headline(facts),
        lead=lead(story, facts),
        five=five(story),
        learning=_panels(figures.learning(story, task) for task in story.tasks),
        overnight=_panels(figures.overnight(story, task) for task in story.tasks),
        losses=_panels(nights.losses(story, part) for part in parts),
        night=_panels([nights.agreement(story), nights.stages(story)]),
        memories=_panels([figures.memories(story), figures.strength(story)]),
        searched=_panels([figures.searched(story)]),
        lesions=lesions(story, facts["day"]),
        nights=[asdict(event) for event in story.all(Night)],
        days=[{**asdict(event), "label": story.label(event.task), "ok": event.unchanged} for event in story.all(Day)],
        memory=asdict(memory[-1]) if memory else None,
        faults=story.all(Fault),
    )


def _panels(drawn: Any) -> list[Panel]:
    return [panel for panel in drawn if panel is not None]


def headline(facts: dict[str, Any]) -> str:
    """What the life showed, in one sentence that claims no more than was measured."""
    kept, evening, night = facts["kept"], facts["evening_success"], facts["day"]
    if night is None:
        return "This life has not been examined yet."
    if facts["morning_habit_success"] is None:
        if evening is None:
            return f"The exams of day {night} are not complete yet."
        return f"On the evening of day {night} it wins {evening:.0%} of its games; its morning has not been examined."
    if kept is None:
        return "By day it learned too little to ask what the night has kept."
    share = "all" if kept >= 0.995 else "nothing" if kept < 0.005 else f"{kept:.0%}"
    return f"Memory cleared, search switched off: {share} of what it could do in the evening is still there."


def lead(story: Story, facts: dict[str, Any]) -> str:
    """The figures behind the headline, with the controls that it must be held against."""
    said = []
    if facts["evening_success"] is not None and facts["morning_habit_success"] is not None:
        said.append(
            f"Over all games it won {facts['evening_success']:.0%} on the evening of day {facts['day']} with memory "
            f"and search, and {facts['morning_habit_success']:.0%} the next morning from its weights alone."
        )
    controls = [
        (facts["no_night_success"], "without any night the same weights win {:.0%}"),
        (facts["shuffled_success"], "after a night on shuffled targets {:.0%}"),
        (facts["constant_success"], "the best fixed mix of actions {:.0%}"),
    ]
    held = ", ".join(text.format(share) for share, text in controls if share is not None)
    if held and facts["evening_success"] is not None:
        said.append(f"For comparison: {held}.")
    if story.life.days and facts["nights"] < story.life.days:
        said.append(f"The life is not over: {facts['nights']} of {story.life.days} nights have been slept.")
    return " ".join(said)


def lesions(story: Story, night: int | None) -> list[dict[str, Any]]:
    """Rows of the lesion table: for each arm that was examined, the figures of every task and a shade of the score."""
    found = []
    for (when, arm), text in ARMS.items():
        exams = [
            story.exam(night, "morning" if when == "any" else when, arm, task)
            or (story.exam(night, "evening", arm, task) if when == "any" else None)
            for task in story.tasks
        ]
        if any(exams):
            cells = [
                exam_figures(exam, story.constants.get(task)) if exam else None
                for task, exam in zip(story.tasks, exams, strict=True)
            ]
            found.append({"text": text, "cells": [cell and {**cell, **shade(cell["score"])} for cell in cells]})
    return found


def shade(score: float | None) -> dict[str, str]:
    """Background and ink of a cell: from paper at chance to deep blue at a perfect score."""
    share = min(max(score or 0.0, 0.0), 1.0)
    paper, deep = (244, 246, 249), (8, 78, 138)
    colour = "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(paper, deep, strict=True))
    return {"colour": colour, "ink": "#ffffff" if share > 0.68 else "#1f2430"}


def percent(share: float | None) -> str:
    """.983 -> 98%."""
    return "–" if share is None else f"{share:.0%}"


def number(value: float | None) -> str:
    """27000 -> 27,000."""
    return "–" if value is None else f"{value:,.0f}"


def minutes(seconds: float) -> str:
    """Seconds -> the two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
