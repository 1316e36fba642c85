"""The matrix of an ablation as a picture: what each lesion leaves of the whole agent's score on each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cortex.measure.battery import WHEN
from cortex.measure.dissociation import SEEDS, SOLVED, Loss
from cortex.report.canvas import CONTROL, DAY, GRID, INK, MUTED, styled

WIDTH, HEIGHT, LEFT, TOP, GAP, FOOT = 0.78, 0.37, 1.35, 0.98, 0.62, 0.62
"""Inches of a cell, of the names beside and above, between blocks, and below."""
RIGHT, NARROWEST = 0.5, 6.9
"""Inches that the slanted names and the words below need."""
TITLES = {
    "birth": "cut from birth; next morning's exam",
    "evening": "cut in a grown agent, that evening's exam",
    "night": "cut in a grown agent, the evening before its night; next morning's exam",
    "morning": "cut in a grown agent, the morning after its night",
}
LOST = LinearSegmentedColormap.from_list("lost", [DAY, "#e9a765", "#ffffff"])
"""From nothing left to all of it, one hue: safe for the colour-blind."""


def draw(told: Sequence[Loss], tasks: Mapping[str, Mapping[str, str]], lesions: Sequence[str], out: Path) -> list[Path]:
    """Write ``out`` as PNG and SVG: a block for each time of cutting, a row for each lesion, a column for each task.

    ``tasks``: name -> the lesions foretold to fail it, each with its time; these cells are framed. A cell says what is
    left of the whole agent's score (1: all), with its 95 % interval over seeds below.
    """
    cells = {(loss.when, loss.lesion, loss.task): loss for loss in told}
    blocks = [(when, [name for name in lesions if any((when, name, task) in cells for task in tasks)]) for when in WHEN]
    blocks = [(when, names) for when, names in blocks if names]
    width = max(NARROWEST, LEFT + WIDTH * len(tasks) + RIGHT)
    height = TOP + FOOT + sum(HEIGHT * (len(names) + 1) for _, names in blocks) + GAP * max(0, len(blocks) - 1)
    with styled("ablation"):
        figure = Figure(figsize=(width, height))
        top = height - TOP
        for number, (when, names) in enumerate(blocks):
            tall = HEIGHT * (len(names) + 1)
            axes = figure.add_axes(
                (LEFT / width, (top - tall) / height, WIDTH * len(tasks) / width, tall / height), frameon=False
            )
            _block(axes, when, names, cells, tasks, number == 0)
            top -= tall + GAP
        most = max((loss.seeds for loss in told), default=0)
        sure = "95 % interval over seeds below" if most >= SEEDS else f"too few for intervals, which need {SEEDS}"
        figure.text(
            0.12 / width,
            0.12 / height,
            f"Score left, as a share of the whole agent's; {most} seed{'s' * (most != 1)}, {sure}. Framed: foretold to "
            f"fail.\nFirst row: the whole agent's score, 0 chance and 1 the optimum. Grey: below {SOLVED:g}, so that "
            "nothing can be told.",
            color=MUTED,
            fontsize=7.5,
            va="bottom",
        )
        paths = [out.with_suffix(suffix) for suffix in (".png", ".svg")]
        for path in paths:
            figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _block(
    axes: Axes,
    when: str,
    names: Sequence[str],
    cells: Mapping[tuple[str, str, str], Loss],
    tasks: Mapping[str, Mapping[str, str]],
    first: bool,
) -> None:
    axes.set_xlim(0, len(tasks))
    axes.set_ylim(len(names) + 1, 0)
    axes.grid(visible=False)
    axes.set_yticks(np.arange(len(names) + 1) + 0.5, ["whole agent", *names], color=INK)
    axes.set_xticks(np.arange(len(tasks)) + 0.5, list(tasks) if first else [""] * len(tasks), color=INK)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    if first:
        for label in axes.get_xticklabels():
            label.set(rotation=28, ha="left", va="bottom", rotation_mode="anchor")
    axes.text(
        -LEFT / WIDTH + 0.15, -0.28 if not first else -0.06 - 0.72 / HEIGHT, TITLES[when], color=MUTED, fontsize=9.5
    )
    for column, task in enumerate(tasks):
        losses = [cells.get((when, name, task)) for name in names]
        whole = next((loss.whole for loss in losses if loss), float("nan"))
        axes.text(column + 0.5, 0.5, _short(whole), ha="center", va="center", color=MUTED, fontsize=8.5)
        for row, (name, loss) in enumerate(zip(names, losses, strict=True), 1):
            if loss is not None:
                _cell(axes, column, row, loss, tasks[task].get(name) == when)


def _cell(axes: Axes, column: int, row: int, loss: Loss, framed: bool) -> None:
    solved = loss.whole >= SOLVED
    left = loss.left / loss.whole if solved else float("nan")
    face: Any = LOST(float(np.clip(left, 0, 1))) if solved else "#eef0f3"
    axes.add_patch(Rectangle((column + 0.02, row + 0.03), 0.96, 0.94, facecolor=face, edgecolor=GRID, lw=0.6))
    if framed:
        axes.add_patch(Rectangle((column + 0.04, row + 0.06), 0.92, 0.88, fill=False, edgecolor=INK, lw=1.6))
    if not solved:
        axes.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=CONTROL, fontsize=8.5)
        return
    ink = "white" if left < 0.35 else INK
    low, high = (loss.whole - loss.high) / loss.whole, (loss.whole - loss.low) / loss.whole
    spread = loss.seeds >= SEEDS and high - low >= 0.01
    axes.text(
        column + 0.5, row + (0.37 if spread else 0.5), _short(left), ha="center", va="center", color=ink, fontsize=8.5
    )
    if spread:
        axes.text(
            column + 0.5,
            row + 0.76,
            f"{_short(low)} to {_short(high)}",
            ha="center",
            va="center",
            color=ink,
            fontsize=5.6,
        )


def _short(value: float) -> str:
    """Two digits, without the zero before the point."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text.rstrip("0").rstrip(".")
