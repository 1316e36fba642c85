"""The command line: exit codes, one sentence for each mistake, no traceback."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex import __version__
from cortex.cli import main
from cortex.config import BLOCKS, Config, settings
from cortex.types import CortexError

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a life and a report of the test's own where the commands look for theirs."""

    def put(live: Callable[[Config], Any] = vars, **report: Callable[[Any], Any]) -> None:
        for name, parts in (("cortex.life", {"live": live}), ("cortex.report", report)):
            module = types.ModuleType(name)
            module.__dict__.update(parts)
            monkeypatch.setitem(sys.modules, name, module)

    return put


def failing(error: BaseException) -> Callable[[Any], Any]:
    def fail(_: Any) -> Any:
        raise error

    return fail


def test_live_lives_the_config_that_was_typed(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    lived: list[Config] = []

    def live(config: Config) -> Path:
        lived.append(config)
        return Path(config.folder)

    install(live, write=lambda run: run / "report.html", summary=lambda run: {"run": str(run)}, table=lambda _: [()])
    assert main(["live", "debug", "seed=4", "folder=here"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"run": "here"}
    assert main(["live", "debug"]) == 0
    assert [(config.seed, config.folder, config.life.days) for config in lived] == [
        (4, "here", 1),
        (0, "runs/debug", 1),
    ]


OWN = """
import gymnasium

class Still(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Box(0, 1, (2,)), gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        return self.observation_space.low, {}

    def step(self, action):
        return self.observation_space.low, float(action), True, False, {}

gymnasium.register("Still-v0", Still)
"""


def test_live_finds_an_environment_of_a_module_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_still.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    few = ("life.steps=20", "life.exam=2", "life.controls=false", "sleep.steps=2", "folder=life")
    assert main(["live", "debug", "life.tasks=[own_still:Still-v0]", *few]) == 0
    assert (tmp_path / "life" / "report.html").is_file()


def test_report_says_where_it_lies_then_a_table_then_json(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(
        write=lambda run: run / "report.html",
        summary=lambda run: {"run": str(run)},
        table=lambda facts: [("Games won", "DoorKey"), ("in the evening", "97%")],
    )
    assert main(["report", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"report: {tmp_path / 'report.html'}"
    assert lines[2:4] == ["Games won       DoorKey", "in the evening  97%"]
    assert json.loads(lines[-1]) == {"run": str(tmp_path)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["live", "demmo"], "'demo'"),
        (["live", "debug", "planner.simulation=1"], "'planner.simulations'"),
        (["live", "seed=1"], "life.tasks"),
        (["report", "nowhere"], "'nowhere'"),
    ],
)
def test_misuse_is_one_line_and_code_2(
    arguments: list[str], words: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and words in captured.err


@pytest.mark.parametrize("arguments", [[], ["lives"], ["report"], ["live", "--nonsense"]])
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CortexError("the folder is full; free some space"), "error: the folder is full; free some space\n"),
        (ValueError("two\nlines"), "error: ValueError: two lines (--debug shows where)\n"),
        (MemoryError(), "error: MemoryError (--debug shows where)\n"),
    ],
)
def test_failures_are_one_line_and_code_1(
    error: Exception, line: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(live=failing(error))
    assert main(["live", "debug"]) == 1
    assert capsys.readouterr().err == line


def test_debug_shows_the_traceback(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(live=failing(ValueError("deep")))
    assert main(["live", "debug", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(live=failing(KeyboardInterrupt()))
    assert main(["live", "debug", "folder=my runs"]) == 130
    assert "cortex live debug 'folder=my runs'" in capsys.readouterr().err


def test_help_lists_every_block_and_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["live", "--help"])
    assert caught.value.code == 0
    page = capsys.readouterr().out
    for word in [*BLOCKS, *(f"{key}={default}" for key, default, _ in settings())]:
        assert word in page
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"cortex {__version__}\n"
