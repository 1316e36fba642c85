"""What a life keeps: the demo's life for several seeds, and the controls that must fail.

Score = (success - that of the best constant action distribution) / (1 - same), on layouts that no day had. The
evening's agent has memory and search; the morning's has its hippocampus cleared and its search off: what it still
does is in its weights. Controls: no night, and a night on shuffled targets. A life that was stopped goes on where it
was.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments import common

ARMS = ("evening", "morning_habit", "no_night", "shuffled")
LOOKS = {
    "evening": ("evening, memory and search", "#0f766e"),
    "morning_habit": ("morning, neither: the weights alone", "#b45309"),
    "no_night": ("the same without a night", "#94a3b8"),
    "shuffled": ("after a night on shuffled targets", "#cbd5e1"),
}
COLUMNS = ("seed", "task", *ARMS, *(f"{arm}_success" for arm in ARMS), "constant_success", "kept", "weights_unchanged")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="kept.csv")
    line.add_argument("--first", type=int, default=0, help="first seed")
    line.add_argument("--runs", type=Path, default=Path("runs/kept"), help="folder that keeps the lives")
    line.add_argument("--set", nargs="*", default=[], metavar="key=value", help="overrides")
    options = common.read(line)
    from cortex.config import load
    from cortex.life import live
    from cortex.report import summary

    block = "debug" if options.quick else "demo"
    seeds = range(options.first, options.first + (1 if options.quick else options.seeds))
    lives = []
    for seed in seeds:
        folder = options.runs / f"{block}-{seed}"
        common.progress(f"seed {seed}: {folder}")
        lives.append(summary(live(load(block, *options.set, f"seed={seed}", f"folder={folder}"))))
    table = [row for told in lives for row in rows(told)]
    common.write_csv(options.out, table, COLUMNS)
    told = headline(table, lives)
    draw(options.out, told, dict.fromkeys(row["task"] for row in table))
    common.last_line({"experiment": "kept", "quick": options.quick, "out": str(options.out), **told})


def rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each task of a life."""
    found = []
    for task in told["tasks"]:
        row: dict[str, Any] = {"seed": told["seed"], "task": task["id"]}
        for arm in (*ARMS, "constant"):
            figure = task[arm] or {}
            row[arm], row[f"{arm}_success"] = figure.get("score"), figure.get("success")
        row["kept"] = ratio(row["morning_habit"], row["evening"])
        row["weights_unchanged"] = told["weights_unchanged"]
        found.append({column: row.get(column) for column in COLUMNS})
    return found


def ratio(habit: float | None, evening: float | None) -> float | None:
    """What the habit keeps of the evening's score; None where there was too little to keep."""
    return None if habit is None or evening is None or evening < 0.05 else habit / evening


def headline(table: list[dict[str, Any]], lives: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and 95 % interval over seeds, of each task and of all tasks together."""
    told: dict[str, Any] = {"seeds": len(lives), "weights_unchanged": all(life["weights_unchanged"] for life in lives)}
    for name in ("all", *dict.fromkeys(row["task"] for row in table)):
        told[name] = {}
        for column in (*ARMS, "kept"):
            by_seed: dict[int, list[float]] = {}
            for row in table:
                if name in ("all", row["task"]) and row[column] is not None:
                    by_seed.setdefault(row["seed"], []).append(row[column])
            told[name][column] = figure([sum(values) / len(values) for values in by_seed.values()])
    return told


def draw(out: Path, told: dict[str, Any], tasks: Iterable[str]) -> None:
    """Draw the arms side by side for each task, with their intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8.4, 3.6))
    names = list(tasks)
    for i, (arm, (label, colour)) in enumerate(LOOKS.items()):
        for j, task in enumerate(names):
            found = told[task][arm]
            if found is not None:
                at, height = j + (i - 1.5) * 0.2, found["value"]
                axes.bar(at, height, 0.18, color=colour, label=label if j == 0 else None)
                axes.plot([at, at], [found["low"], found["high"]], color="#0f172a", lw=1)
    axes.axhline(0, color="#64748b", lw=0.8)
    axes.set_xticks(range(len(names)), [name.removeprefix("MiniGrid-").removesuffix("-v0") for name in names])
    axes.set_ylabel("score (0 = best constant actions)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(min(-0.2, axes.get_ylim()[0]), 1.1)
    axes.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    figure.tight_layout()
    for suffix in (".png", ".svg"):
        figure.savefig(out.with_suffix(suffix), dpi=150)
    pyplot.close(figure)


def figure(values: list[float]) -> dict[str, float] | None:
    """A mean with its interval."""
    from cortex.measure import interval

    if not values:
        return None
    low, high = interval(values)
    return {"value": round(sum(values) / len(values), 3), "low": round(low, 3), "high": round(high, 3)}


if __name__ == "__main__":
    main()
