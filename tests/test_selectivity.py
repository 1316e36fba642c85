"""The probe of what modules encode: it reads what is there, finds nothing where nothing is, and says so."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import minigrid  # noqa: F401  registers its environments
import numpy as np

from experiments import selectivity
from experiments.selectivity import coded, common_kinds, reader, state, summary
from experiments.selectivity_figure import draw

DRAW = np.random.default_rng(0)
TOLD = DRAW.integers(0, 3, 400)
HALVES = np.arange(400) < 200, np.arange(400) >= 200


def test_a_reader_reads_what_is_there_and_no_more() -> None:
    looks = DRAW.standard_normal((3, 20))
    values = looks[TOLD] + 0.1 * DRAW.standard_normal((400, 20))
    read, kinds = reader(values, HALVES), np.arange(3)
    other = DRAW.integers(0, 3, 400)
    assert read(TOLD, kinds) > 0.95
    assert abs(read(other, kinds)) < 0.2, "what has nothing to do with the values is guessed"
    shuffled = [read(TOLD, kinds, np.random.default_rng(seed)) for seed in range(20)]
    assert abs(np.mean(shuffled)) < 0.15, "from shuffled labels nothing is learned"
    assert reader(np.ones((400, 5)), HALVES)(TOLD, kinds) == 0, "what never changes tells nothing"


def test_seldom_values_are_not_asked_for_and_guessing_the_usual_one_is_no_skill() -> None:
    told = np.where(np.arange(400) % 10 == 0, 1, 0)
    told[5] = 2
    assert common_kinds(told, HALVES).tolist() == [0, 1]
    assert abs(reader(DRAW.standard_normal((400, 5)), HALVES)(told, np.arange(2))) < 0.25


def test_numbers_are_told_in_quarters_and_words_as_they_are() -> None:
    quarters = coded(list(range(100)), number=True)
    assert np.bincount(quarters).tolist() == [25, 25, 25, 25] or np.ptp(np.bincount(quarters)) <= 2
    assert coded(["b", "a", "b"], number=False).tolist() == [1, 0, 1]


def test_the_state_is_that_of_the_world() -> None:
    world = gymnasium.make("MiniGrid-DoorKey-6x6-v0").unwrapped
    world.reset(seed=3)  # type: ignore[attr-defined]
    told = state(world)
    x, y = world.agent_pos  # type: ignore[attr-defined]
    assert (told["column"], told["row"], told["mission's thing"], told["carried"]) == (x, y, "goal", "nothing")
    assert told["distance to goal"] == (4 - x) + (4 - y) and told["time"] == 0
    world.step(0)  # type: ignore[attr-defined]
    assert state(world)["heading"] == (told["heading"] - 1) % 4 and state(world)["time"] == 1


def test_the_table_says_what_is_above_the_control(tmp_path: Path) -> None:
    rows = [
        dict(zip(selectivity.COLUMNS, ("habit", feature, seed, 3, score, control, 0.01 * seed), strict=True))
        for seed in range(4)
        for feature, score, control in (("goal", 0.9 + 0.01 * seed, 0.3), ("colour", 0.5, 0.5 + 0.1 * (-1) ** seed))
    ]
    told = summary(rows)["habit"]
    assert told["goal"]["gain"] > 0.6 and told["goal"]["interval"][0] > 0.5
    low, high = told["colour"]["interval"]
    assert low < 0 < high and selectivity.best(told)[0].startswith("goal")
    paths = [Path(path) for path in draw(summary(rows), tmp_path / "table.png", 4)]
    text = paths[1].read_text()
    assert all(path.stat().st_size > 2000 for path in paths) and ">habit<" in text and ">goal<" in text
    assert text.count(">.50<") == 1, "a gain that is not sure is not named"
