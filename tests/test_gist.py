"""What outlives the rows: lessons of a world, each once."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import cortex
from cortex import face
from cortex.day import live_day
from cortex.keep import awaken
from cortex.modules.hippocampus import schemas
from cortex.replay import fold, relearn
from cortex.sleep import prune
from cortex.types import Array


def bodies() -> Any:
    kind = {"game_seed": 5, "difficulty": 1, "level": 1}
    return gymnasium.make_vec("cortex/NovelGame-v0", 4, vectorization_mode="vector_entry_point", **kind)


@pytest.fixture(scope="module")
def lived() -> cortex.Agent:
    """One that lived in one novel game."""
    made = cortex.Agent.make(bodies(), "planner.simulations=64", seed=0)
    live_day(made, made.bodies, 800, 1, np.random.default_rng(1))
    made.hippocampus.flush()
    relearn(made)
    return made


def known(agent: cortex.Agent) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """Interactions and events with their counts, and what ripens."""
    world = agent.hippocampus.world(0)
    interactions = {key: dict(counts) for key, counts in world.interactions.outcomes.items()}
    events = {
        tuple(world.events.features[i].tolist()): world.events.counts[i].tolist() for i in range(len(world.events))
    }
    return interactions, events, dict(world.ripening.changes)


def give_up(agent: cortex.Agent, keeping: int = 2) -> list[int]:
    """Let go of all memories but the shortest ones; the numbers of these."""
    memory = agent.hippocampus
    length = {number: len(memory.store.read(number).action) for number in memory.store.episodes()}
    gone = sorted(length, key=lambda number: length[number])[keeping:]
    memory.keep_gists(fold(agent, gone))
    memory.store.delete(gone)
    memory.day += 1
    awaken(agent)
    return memory.store.episodes()


def test_what_the_world_does_is_known_as_before_when_its_rows_are_given_up(lived: cortex.Agent) -> None:
    other = face.lesioned(lived, "hippocampus.gist=4096", apart=True)
    before = known(other)
    assert len(give_up(other)) == 2 and other.hippocampus.store.steps < 100
    assert known(other) == before
    live_day(other, other.bodies or bodies(), 200, 2, np.random.default_rng(2))
    after = known(other)
    assert sum(sum(counts.values()) for counts in after[0].values()) > sum(
        sum(counts.values()) for counts in before[0].values()
    )
    relearn(other)
    assert known(other) == after, "and what is lived later is counted once, whatever is computed anew"
    give_up(other, 1)
    assert known(other) == after, "given up again, nothing is lost and nothing counted twice"


def test_the_body_is_known_as_before_whichever_episode_is_left(lived: cortex.Agent) -> None:
    """A few steps in which something else moved as the agent did are no reason to take that for it."""
    other = face.lesioned(lived, apart=True)
    memory, numbers = other.hippocampus, other.hippocampus.store.episodes()
    schema = memory.worlds[0].motions
    assert schema is not None and schema.resolved
    memory.keep_gists({})
    for number in numbers:
        memory.own_body.recollect([memory.store.read(number)])
        left = memory.worlds[0].motions
        assert left is not None and (left.selves == schema.selves).all() and (left.go == schema.go).all()


def test_without_a_gist_it_is_forgotten_with_the_rows(lived: cortex.Agent) -> None:
    other = face.lesioned(lived, "gist", apart=True)
    before = known(other)
    give_up(other)
    after = known(other)
    assert len(after[0]) < len(before[0]) and len(after[1]) < len(before[1])
    assert not other.hippocampus.store.get("gists") and not other.hippocampus.store.get("bodies")


def test_schemas_of_the_body_take_little_room_however_many_worlds_there_are(lived: cortex.Agent) -> None:
    """Those that were kept as they are, one beside the other, are still understood."""
    schema = lived.hippocampus.worlds[0].motions
    assert schema is not None
    worlds = {number: replace(schema, selves=schema.selves + number) for number in range(40)}
    told = schemas.told(worlds)
    assert len(json.dumps(told)) < 4 * len(json.dumps(schemas.told({0: schema})))
    plain = json.loads(zlib.decompress(base64.b85decode(told["squeezed"])))
    for values in (told, plain):
        heard = schemas.heard(json.loads(json.dumps(values)))
        assert {s: m.selves.tolist() for s, m in heard.items()} == {s: m.selves.tolist() for s, m in worlds.items()}
        assert (heard[5].go == schema.go).all() and heard[5].go.dtype == schema.go.dtype


def test_of_too_many_lessons_those_stay_that_paid(lived: cortex.Agent) -> None:
    other = face.lesioned(lived, "hippocampus.gist=8", apart=True)
    paid = {key for key, counts in known(other)[1].items() if counts[1]}
    assert paid
    give_up(other, 1)
    assert len(other.hippocampus.gists[0].times) == 8
    assert paid <= {key for key, counts in known(other)[1].items() if counts[1]}


def test_a_life_that_is_saved_knows_it_when_it_is_loaded(lived: cortex.Agent, tmp_path: Path) -> None:
    other = face.lesioned(lived, "hippocampus.capacity=60", apart=True)
    told = prune(other, np.random.default_rng(0))
    assert 0 < told["kept"] <= 60
    other.save(tmp_path / "saved")
    again = cortex.Agent.load(tmp_path / "saved")
    awaken(again)
    assert known(again) == known(other)


def test_it_takes_a_small_part_of_the_room_of_its_rows(lived: cortex.Agent) -> None:
    other = face.lesioned(lived, apart=True)
    rows: list[Array] = [other.hippocampus.store.read(n).codes for n in other.hippocampus.store.episodes()]
    give_up(other)
    assert len(str(other.hippocampus.store.get("gists"))) < 0.05 * sum(codes.nbytes for codes in rows)
