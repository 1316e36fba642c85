"""The command line: ``cortex live``, ``cortex report``, ``cortex watch`` and ``cortex ablate``.

Exit codes: 0 done, 1 failed, 2 wrong usage or config, 130 stopped by Ctrl-C. Errors are one sentence on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortex import __version__
from cortex.lesions import LESIONS

FAILED, MISUSED, STOPPED = 1, 2, 130

PLAN: dict[str, Any] = {
    "lesions": (),
    "tasks": (),
    "seeds": 10,
    "jobs": os.cpu_count() or 1,
    "days": 1,
    "exam": 40,
    "settings": (),
    "cut": None,
}
"""What ``cortex ablate`` does unless told otherwise; no tasks: all of the battery, no lesions: those foretold there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``arguments`` defaults to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser().parse_args(given)
        sys.path.insert(0, str(Path.cwd()))  # environments and learners of the user's own
        options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\nstopped; to go on: cortex {shlex.join(given)}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from cortex.config import ConfigError
        from cortex.types import CortexError

        if "--debug" in given:
            traceback.print_exc()
        elif isinstance(error, CortexError):
            print(f"error: {error}", file=sys.stderr)
        else:
            words = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
            print(f"error: {words} (--debug shows where)", file=sys.stderr)
        return MISUSED if isinstance(error, ConfigError) else FAILED
    return 0


def _live(options: argparse.Namespace) -> None:
    """Live a life, or go on with the one in its folder; at its end show what `cortex report` shows."""
    from cortex.config import BLOCKS, ConfigError, load

    config = load(*options.settings)
    if not config.life.tasks:
        raise ConfigError("a life needs tasks: name a block such as demo, or set life.tasks=[MiniGrid-Empty-5x5-v0]")
    if not config.folder:
        name = "-".join(word for word in options.settings if word in BLOCKS) or "life"
        config = load(*options.settings, {"folder": f"runs/{name}"})
    from cortex.life import live

    _show(live(config))


def _report(options: argparse.Namespace) -> None:
    """Write the report of a life and show the rest of it."""
    from cortex.config import ConfigError

    if not options.run.is_dir():
        raise ConfigError(f"there is no folder '{options.run}'; give the folder= of a life")
    _show(options.run)
    if options.figures:
        from cortex.report.five import export

        print("figures: " + " ".join(map(str, export(options.run))))


def _watch(options: argparse.Namespace) -> None:
    """Write the page on which any recorded moment of a life can be looked at, and print its path."""
    from cortex.config import ConfigError

    if not options.run.is_dir():
        raise ConfigError(f"there is no folder '{options.run}'; give the folder= of a life")
    from cortex.report.watch import write

    print(f"watch: {write(options.run, options.out)}")


def _ablate(options: argparse.Namespace) -> None:
    """Fill the matrix of lesions and tasks, or go on with the one in its folder; show what each part is for."""
    from cortex.config import ConfigError, load
    from cortex.measure.ablation import lesion
    from cortex.measure.battery import BATTERY, FORETOLD, QUICK, named
    from cortex.types import CortexError
    from cortex.view import View

    plan = {**PLAN, **(QUICK if options.quick else {})}
    plan |= {name: given for name in plan if (given := getattr(options, name, None)) is not None}
    plan["settings"] = [*plan["settings"], *options.set]
    try:
        names = plan.pop("lesions") or FORETOLD
        lesions = dict(map(lesion, LESIONS if list(names) == ["all"] else names))
        tasks = [named(name) for name in plan.pop("tasks") or BATTERY]
    except CortexError as error:
        raise ConfigError(str(error)) from None
    beside = {name: maker for name, _, maker in (word.partition("=") for word in options.beside)}
    for line in lesions.values():
        load(*plan["settings"], line)
    from cortex.report.ablation import PICTURE, run

    folder = options.out or Path("runs/ablate-quick" if options.quick else "runs/ablate")
    lines, facts = run(folder, tasks, lesions, View(), beside, **plan)
    print(f"matrix: {folder / PICTURE}\n")
    _print(lines)
    print(f"\n{json.dumps(facts)}")


def _show(run: Path) -> None:
    """Write the report; print its path, a short table, and the same figures as one JSON line."""
    from cortex.report import summary, table, write

    page, facts = write(run), summary(run)
    print(f"report: {page}\n")
    _print(table(facts))
    print(f"\n{json.dumps(facts)}")


def _print(lines: Sequence[Sequence[str]]) -> None:
    """A table, its columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


class _Settings(argparse.Action):
    """Print what ``cortex live`` can be told, and stop; loads the config only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from cortex.config import BLOCKS, settings

        print(parser.format_help())
        print("blocks:\n  " + "\n  ".join(f"{name:10} {' '.join(lines)}" for name, lines in BLOCKS.items()))
        print("\nkeys, with their defaults:")
        for key, default, meaning in settings():
            print(f"  {f'{key}={default}':40} {meaning}")
        sys.stdout.flush()
        parser.exit()


def _count(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number of 1 or more, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cortex", description="Agents that learn by day and sleep by night.")
    parser.add_argument("--version", action="version", version=f"cortex {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    live = commands.add_parser(
        "live",
        add_help=False,
        help="live days and nights; the same command goes on where a life stopped",
        description="Live days and nights over environments. The same command goes on where a life stopped.",
        epilog="example: cortex live demo seed=1 folder=runs/first",
    )
    live.add_argument("settings", nargs="*", metavar="BLOCK|KEY=VALUE", help="read from left to right")
    live.add_argument("-h", "--help", action=_Settings, nargs=0, help="show this, all blocks and all keys")
    live.set_defaults(command=_live)

    report = commands.add_parser("report", help="write the report of a life", description="Write the report of a life.")
    report.add_argument("run", metavar="RUN", type=Path, help="the folder= of the life")
    report.add_argument(
        "--figures", action="store_true", help="write its figures as PNG and SVG too, with captions, to RUN/figures"
    )
    report.set_defaults(command=_report)

    watch = commands.add_parser(
        "watch",
        help="write the page that shows a life moment by moment",
        description="Write the page that shows a life moment by moment: what the agent saw, did, weighed and recalled, "
        "and what its nights did with it. The life must have been lived with life.watch above 0.",
        epilog="example: cortex watch runs/demo",
    )
    watch.add_argument("run", metavar="RUN", type=Path, help="the folder= of the life")
    watch.add_argument("--out", metavar="FILE", type=Path, help="where the page goes (default: RUN/watch.html)")
    watch.set_defaults(command=_watch)

    ablate = commands.add_parser(
        "ablate",
        help="cut each part of the mind, and see what is lost",
        description="Cut each part of the mind, from birth and in grown agents, and measure what is lost on each task. "
        "The same command goes on where it stopped.",
        epilog="example: cortex ablate --tasks Foraging Tone my_module:Mine-v0 --lesions planner blind=planner.depth=1",
    )
    ablate.add_argument(
        "--lesions",
        nargs="+",
        metavar="all|NAME|NAME=KEY=VALUE",
        help="all: those of cortex.LESIONS; default: those that a task was named for",
    )
    ablate.add_argument(
        "--tasks", nargs="+", metavar="TASK|ID", help="names of the battery, or what gymnasium.make takes; default: all"
    )
    ablate.add_argument("--seeds", type=_count, help="lives of each kind (default: 10)")
    ablate.add_argument("--jobs", type=_count, help="processes (default: as many as processors)")
    ablate.add_argument("--days", type=_count, help="days of a life, each with a night (default: 1)")
    ablate.add_argument("--exam", type=_count, help="episodes of an exam (default: 40)")
    ablate.add_argument(
        "--cut",
        nargs="+",
        choices=("birth", "evening", "night", "morning"),
        help="when: from birth; in a grown agent, with an exam that evening; the same, with an exam after the night; "
        "after that night (default: evening and morning; from birth, stages of the night and what is foretold to cost)",
    )
    ablate.add_argument("--set", nargs="+", metavar="KEY=VALUE", default=[], help="settings of all agents")
    ablate.add_argument(
        "--beside", nargs="+", metavar="NAME=MODULE:MAKER", default=[], help="other learners that live the same days"
    )
    ablate.add_argument("--quick", action="store_true", help="a small matrix that shows that everything works, no more")
    ablate.add_argument("--out", metavar="FOLDER", type=Path, help="where it is kept (default: runs/ablate)")
    ablate.set_defaults(command=_ablate)

    for command in (live, report, watch, ablate):
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
