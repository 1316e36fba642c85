"""Colours, axes and ink that all figures share, and the way from a matplotlib figure to SVG inside a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from cortex.types import Array

INK, MUTED, GRID, BAND = "#1f2430", "#5b6270", "#e3e5ea", "#fbf3e4"
DAY, NIGHT, CONTROL = "#c25e00", "#0b62a8", "#8b909c"
"""One meaning each, on the whole page: memory and search; the weights alone; controls."""
SERIES = ("#44AA99", "#882255", "#999933", "#332288", "#AA4499", "#DDCC77", "#5b6270")
"""Colours for everything else, which stay apart for colour-blind eyes (Tol, 2021, "muted")."""
POINTS = 400
"""Marks drawn of one series at most: more only make the page heavy."""
MARKS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "X": "✖"}
"""Marks of matplotlib, and the letters that look like them in a legend."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#b9bdc7",
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": "#b9bdc7",
    "ytick.color": "#b9bdc7",
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of tasks are words, whatever signs they hold
}


Legend = Sequence[tuple[str, str, str]]
"""Sign, colour and words of each entry; the page sets it, so that it wraps on a phone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One small picture: a heading in words, SVG that carries its own description, a legend."""

    title: str
    svg: Markup
    legend: Legend = ()


@contextmanager
def styled(name: str) -> Iterator[None]:
    """The page's style around drawing and saving; ``name`` keeps the ids of one picture apart from another's."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        yield


def canvas(rows: int = 1, height: float = 2.5, below: float = 0.26) -> tuple[Figure, list[Axes]]:
    """A figure of a phone's width and ``rows`` axes that share their x axis, the first the tallest; all in inches."""
    width = 4.2
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [3, 2, 2][:rows]})
    figure.subplots_adjust(0.5 / width, below / height, 1 - 0.12 / width, 1 - 0.26 / height, hspace=0.24)
    return figure, list(grid[:, 0])


def panel(name: str, title: str, description: str, figure: Figure, legend: Legend = ()) -> Panel:
    """The figure as inline SVG: no header, no metadata, ids of its own, text that stays text, a description."""
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', lambda match: f"{match[0]}{name}-", svg)
    # Width and height come from the page, so that the picture fits a phone.
    opening, rest = svg.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    return Panel(title, Markup(f'{opening} role="img" aria-label="{escape(description)}">{rest.strip()}'), legend)


def percent(axes: Axes, top: float = 1.05) -> None:
    """A y axis of shares, from 0 to 100%."""
    axes.set_ylim(-0.04, top)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100%"])


def thousands(number: float, _: object = None) -> str:
    """1500 -> 1.5k."""
    if abs(number) >= 1e6:
        return f"{number / 1e6:g}M"
    return f"{number / 1e3:g}k" if abs(number) >= 1e3 else f"{number:g}"


def whole_numbers(axis: Axis, most: int = 6) -> None:
    """Ticks at whole numbers only, a handful at most, in thousands where large."""
    axis.set_major_locator(MaxNLocator(nbins=most, integer=True))
    axis.set_major_formatter(FuncFormatter(thousands))


def by_number(axes: Axes, word: str, numbers: Sequence[int]) -> None:
    """An x axis with one place for each day or night, named where there is room."""
    every = -(-len(numbers) // 8)
    axes.set_xticks(range(0, len(numbers), every), [f"{word} {number}" for number in numbers[::every]])
    axes.set_xlim(-0.6, len(numbers) - 0.4)


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with a label at each power of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())


def stack(axes: Axes, layers: dict[str, Array]) -> Legend:
    """Stacked bars, one layer of counts [T] a name, from the bottom up; the legend reads as the stack, from above."""
    bottom: Array = np.zeros(1)
    legend = []
    for order, (name, counts) in enumerate(layers.items()):
        colour = SERIES[order % len(SERIES)]
        axes.bar(range(len(counts)), counts, 0.6, bottom, color=colour, edgecolor="white", lw=0.8)
        bottom = bottom + counts
        legend.append(("■", colour, name))
    return legend[::-1]


def thin(length: int) -> Array:
    """At most POINTS places of a series, first and last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, POINTS)).astype(int))
