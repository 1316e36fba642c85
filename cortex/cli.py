"""The command line: ``cortex live``, ``cortex report`` and ``cortex watch``.

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

from cortex import __version__

FAILED, MISUSED, STOPPED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``arguments`` defaults to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser().parse_args(given)
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


def _watch(options: argparse.Namespace) -> None:
    """Write the page on which any recorded moment of a life can be looked at, and print its path."""
    from cortex.config import ConfigError

    if not options.run.is_dir():
        raise ConfigError(f"there is no folder '{options.run}'; give the folder= of a life")
    from cortex.report.watch import write

    print(f"watch: {write(options.run, options.out)}")


def _show(run: Path) -> None:
    """Write the report; print its path, a short table, and the same figures as one JSON line."""
    from cortex.report import summary, table, write

    page, facts = write(run), summary(run)
    lines = table(facts)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"report: {page}\n")
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())
    print(f"\n{json.dumps(facts)}")


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

    for command in (live, report, watch):
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
