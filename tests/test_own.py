"""The pages on a user's own work: their code runs as it stands, and does what the page says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import cortex
from cortex.modules.planner import nothing
from cortex.types import CortexError, Plan

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("own-*.md"))


def steps(told: str) -> list[float]:
    return [float(mean) for mean in re.findall(r": ([\d.]+) steps", told)]


TOLD: dict[str, Callable[[str], bool]] = {
    "own-environment": lambda told: int(told.split(":")[1]) >= 9,
    "own-encoder": lambda told: int(told.split()[0]) < 60,
    "own-memory": lambda told: told.count("memories are of wins") == 2,
    "own-planner": lambda told: all(int(n) > 0 for n in re.findall(r": (\d+) of", told)) and told.count("won") == 2,
    "own-lesion": lambda told: (
        steps(told)[0] < 10 and 2 * steps(told)[0] < steps(told)[4] and steps(told)[-1] > 20 and len(steps(told)) == 10
    ),
    "own-experiment": lambda told: '"experiment": "mine"' in told.splitlines()[-1],
}
"""Page -> whether what its code printed is what it promises."""


@pytest.mark.parametrize("page", PAGES)
def test_its_code_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mine", "--quick"])
    (code,) = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(code, page, "exec"), {"__name__": "__main__"})
    assert TOLD[page](capsys.readouterr().out)


def test_each_page_is_told_of_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert PAGES and all(f"](docs/{page}.md)" in text for page in PAGES) and TOLD.keys() == set(PAGES)


class Even:
    """A planner that leaves everything to the habit."""

    asked = 0

    def __call__(self, model: object, prior: np.ndarray, simulations: int) -> Plan:
        self.asked += len(prior)
        return nothing(*prior.shape, prior)


def test_parts_of_ones_own_stay_with_the_agent_and_are_asked_for_again(tmp_path: Path) -> None:
    own = cortex.Own(planner=Even())
    agent = cortex.Agent.make("MiniGrid-Empty-5x5-v0", "debug", own=own)
    agent.learn(20)
    planner = own.planner
    assert isinstance(planner, Even) and planner.asked >= 20 and agent.lesioned("context").own is own
    agent.save(tmp_path)
    with pytest.raises(CortexError, match=r"own=\['planner'\], and own=\[\] was given; give what it was made with"):
        cortex.Agent.load(tmp_path)
    assert cortex.Agent.load(tmp_path, own=own).own is own


@pytest.mark.parametrize(
    ("encoders", "words"),
    [
        ({"eye": object()}, "there is no key for an encoder 'eye': the keys are ."),
        ({".": object()}, "lacks modality, accepts, position, faults"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_refused(encoders: dict[str, object], words: str) -> None:
    with pytest.raises(CortexError, match=words):
        cortex.Agent.make(gymnasium.make("CartPole-v1"), own=cortex.Own(encoders=encoders))  # type: ignore[arg-type]
