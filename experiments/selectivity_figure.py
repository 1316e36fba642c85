"""The table of what each module encodes as a picture: scores, and what they are above a control."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure

from cortex.report.canvas import DAY, INK, MUTED, NIGHT, styled

CELL = (0.56, 0.27)
"""Inches of a cell."""
LEFT, TOP, FOOT, GAP = 1.0, 1.25, 0.75, 0.25
SCORE = LinearSegmentedColormap.from_list("score", ["#ffffff", "#9cc3e3", NIGHT])
GAIN = LinearSegmentedColormap.from_list("gain", [DAY, "#ffffff", NIGHT])


def draw(told: Mapping[str, Mapping[str, Mapping[str, Any]]], out: Path, seeds: int) -> list[str]:
    """Write ``out`` as PNG and SVG: a row for each module, a column for each feature; the score on the left, on the
    right what it is above the control, where the 95 % interval over seeds leaves out 0."""
    modules = list(told)
    features = list(dict.fromkeys(feature for cells in told.values() for feature in cells))
    wide, tall = CELL[0] * len(features), CELL[1] * len(modules)
    width, height = LEFT + 2 * wide + GAP + 0.7, TOP + tall + FOOT
    with styled("selectivity"):
        figure = Figure(figsize=(width, height))
        for side, (key, title) in enumerate((("score", "Read from the module"), ("gain", "Above its control"))):
            at = LEFT + side * (wide + GAP)
            axes = figure.add_axes((at / width, FOOT / height, wide / width, tall / height), frameon=False)
            values = np.array([[told[m].get(f, {}).get(key, np.nan) for f in features] for m in modules])
            norm = {"norm": TwoSlopeNorm(0, -1, 1), "cmap": GAIN} if side else {"vmin": 0, "vmax": 1, "cmap": SCORE}
            axes.imshow(np.ma.masked_invalid(values), aspect="auto", **norm)
            axes.grid(visible=False)
            axes.set_xticks(range(len(features)), features, color=INK)
            axes.tick_params(length=0, labeltop=True, labelbottom=False)
            for label in axes.get_xticklabels():
                label.set(rotation=35, ha="left", va="bottom", rotation_mode="anchor")
            axes.set_yticks(range(len(modules)), modules if not side else [""] * len(modules), color=INK)
            axes.text(0, -TOP / CELL[1] + 0.45, title, color=MUTED, fontsize=9.5)
            for (row, column), value in np.ndenumerate(values):
                low, high = told[modules[row]].get(features[column], {}).get("interval", (np.nan, np.nan))
                sure = not side or seeds == 1 or low > 0 or high < 0
                if np.isfinite(value) and sure:
                    ink = "white" if abs(value) > 0.7 else INK
                    axes.text(column, row, _short(value), ha="center", va="center", fontsize=7.5, color=ink)
        words = (
            "0: a guess, 1: always right. A linear reader, from every other episode to the rest. Control: the module's "
            "own networks before any night, or a random network of its width\nthat looks at the observation. "
            f"{seeds} seed{'s' * (seeds != 1)}; on the right only what is surely other than 0 is named."
        )
        figure.text(0.1 / width, 0.12 / height, words, color=MUTED, fontsize=7.5, va="bottom")
        paths = [out.with_suffix(suffix) for suffix in (".png", ".svg")]
        for path in paths:
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return [str(path) for path in paths]


def _short(value: float) -> str:
    text = f"{value:.2f}"
    return text if abs(value) >= 0.995 else text.replace("0.", ".", 1)
