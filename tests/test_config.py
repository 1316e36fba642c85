"""Settings: what is read, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
from hypothesis import example, given, strategies

from cortex.config import BLOCKS, ConfigError, from_yaml, load, settings, to_yaml
from cortex.lesions import LESIONS
from cortex.types import CortexError


def test_arguments_are_read_from_left_to_right() -> None:
    assert load("debug", "life.steps=7").life.steps == 7
    assert load("life.steps=7", "debug").life.steps == load("debug").life.steps
    assert load({"life": {"steps": 5}}, {"life.steps": 6}).life.steps == 6
    assert load("planner={simulations: 9, depth: 3}").planner.depth == 3


def test_values_take_the_type_of_their_setting() -> None:
    config = load("seed=3", "sleep.learning_rate=1e-3", "life.controls=false", "folder=007", "life.tasks=[a,b]")
    assert (config.seed, config.sleep.learning_rate, config.life.controls) == (3, 0.001, False)
    assert config.folder == "007", "a folder is what was typed, not a number"
    assert config.life.tasks == ["a", "b"] == load("life.tasks=a, b").life.tasks


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_loads_and_survives_yaml(block: str, tmp_path: Path) -> None:
    config = load(block, "lesion=planner,night", "folder=2024-01-01")
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(config))
    assert from_yaml(file) == config == from_yaml(to_yaml(config))


@example("", 0, ["", "null", "1e3", "- a", "yes", "a,b"])
@example("???", 0, [])
@example("${oc.env:HOME}", 0, [])
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@given(strategies.text(max_size=20), strategies.integers(0, 2**62), strategies.lists(strategies.text(max_size=8)))
def test_any_words_survive_yaml_or_are_refused(folder: str, seed: int, tasks: list[str]) -> None:
    try:
        config = load({"folder": folder, "seed": seed, "life.tasks": tasks})
    except ConfigError:
        assert "${" in folder + str(tasks) or "???" in [folder, *tasks]
        return
    assert (config.folder, config.seed, config.life.tasks) == (folder, seed, tasks)
    assert from_yaml(to_yaml(config)) == config


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("planner.simulation=3", ["'planner.simulation'", "'planner.simulations'"]),
        ("simulations=3", ["'simulations'", "'planner.simulations'"]),
        ({"sleep": {"step": 3}}, ["'sleep.step'", "'sleep.steps'"]),
        ("planner=3", ["'planner' is a section", "planner.simulations"]),
        ("demmo", ["unknown block 'demmo'", "'demo'", "debug", "minigrid"]),
        ("lesion=hippocampu", ["unknown lesion 'hippocampu'", "'hippocampus'", "night"]),
        ("lesion=[1]", ["unknown lesion '1'"]),
        ("planner.simulations=many", ["'planner.simulations'", "whole number", "'many'"]),
        ("planner.simulations=1.5", ["'planner.simulations'", "whole number", "1.5"]),
        ("planner.simulations=true", ["'planner.simulations'", "whole number", "True"]),
        ("planner.simulations=-1", ["'planner.simulations'", "0 or more", "-1"]),
        ("hippocampus.capacity=-5", ["'hippocampus.capacity'", "0 or more", "-5"]),
        ("sleep.dream=1.5", ["'sleep.dream'", "from 0 to 1", "1.5"]),
        ("sleep.dream=nan", ["'sleep.dream'", "from 0 to 1", "nan"]),
        ("sleep.learning_rate=inf", ["'sleep.learning_rate'", "0 or more"]),
        ("seed=", ["'seed'", "whole number"]),
        ("seed=null", ["'seed'", "whole number"]),
        ("seed=[", ["'seed=['"]),
        ("life.controls=2", ["'life.controls'", "true or false", "2"]),
        ("life.tasks=[[a]]", ["'life.tasks'", "list of words"]),
        ("folder=${oc.env:HOME}", ["'folder'", "plain values"]),
        ({"seed": None}, ["'seed'", "None"]),
        (3, ["got 3"]),
    ],
)
def test_mistakes_are_named_in_one_sentence(argument: str, words: list[str]) -> None:
    with pytest.raises(CortexError) as caught:
        load(argument)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "text", ["- 1", "", "seed: [", "folder: !!python/object/apply:os.getcwd []", "seed: 1\nsed: 2"]
)
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    for source in (text, file, tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ConfigError):
            from_yaml(source)


@pytest.mark.parametrize("name", LESIONS)
def test_a_lesion_is_its_override_line_and_comes_last(name: str) -> None:
    line = LESIONS[name]
    section, key = line.split("=")[0].split(".")
    lesioned = load(f"lesion={name}", f"{section}.{key}={getattr(getattr(load(), section), key)}")
    assert lesioned != load(f"lesion={name}".replace(name, "")), "the lesion changes nothing"
    assert getattr(lesioned, section) == getattr(load(line), section)


def test_every_key_has_a_default_and_a_meaning() -> None:
    listed = {key: default for key, default, meaning in settings() if meaning}
    assert load(listed) == load()
    assert len(listed) == len(list(settings()))
