"""Plans in words: what real agents in real worlds say that they are about to do is what they then do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import cortex
from cortex.day import living
from cortex.envs.make import make_env, make_vector
from cortex.modules.context import place_number, signature, tell_sign
from experiments import agents

Told = list[tuple[str, Any, str]]
"""Of each step: what was said before, the world's own state before, the action's name."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def life(task: str, steps: int, look: Any, **settings: Any) -> tuple[Told, list[bool], list[str]]:
    """What a newborn agent says of each step of its first day, which of them won, and what it says without words."""
    bodies = make_vector(lambda: make_env(task, **settings), 1, 0, held_out=0.0)
    agent = agents.make(bodies.single_observation_space, bodies.single_action_space, 0).agent
    world: Any = bodies.envs[0]  # type: ignore[attr-defined]
    told: Told = []
    won: list[bool] = []
    nameless: list[str] = []
    state = look(world.unwrapped)
    for trace, action, outcome, _ in living(agent, bodies, 0, np.random.default_rng(0)):
        size = agent.codebook.size
        said = cortex.say(agent, trace, world=world)
        nameless.append(cortex.say(agent, trace))
        assert said == cortex.say(agent, trace, world=world) and agent.codebook.size == size, "saying changes nothing"
        if outcome.valid[0]:
            told.append((said, state, str(action[0])))
            won.append(bool(outcome.success[0]))
        state = look(world.unwrapped)
        agent.observe(trace, action, outcome)
        if len(told) == steps:
            break
    return told, won, nameless


def test_in_minigrid_it_says_what_it_takes_opens_and_walks_to() -> None:
    told, won, _ = life("MiniGrid-DoorKey-5x5-v0", 150, lambda world: world.carrying is not None)
    said = [sentence for sentence, _, _ in told]
    plan = "pick up the yellow key, walk to the locked yellow door, open it with the yellow key and walk on"
    assert any(plan in sentence for sentence in said)
    takes = [i for i, sentence in enumerate(said[:-1]) if sentence.startswith("It is about to pick up the yellow key")]
    assert takes and all(not told[i][1] and told[i + 1][1] for i in takes), "it has no key before, and has it then"
    ends = [i for i, sentence in enumerate(said) if sentence == "It is about to walk onto the goal, to win."]
    assert ends and any(won), "it knows the goal by then"
    assert all(any(won[i : i + 8]) for i in ends if i + 8 <= len(won))
    assert any("find out what happens when it " in sentence for sentence in said)
    assert any(sentence.endswith(", to see what it has not seen yet.") for sentence in said)


def test_in_a_novel_game_it_speaks_in_the_words_of_the_game_or_of_when_it_saw_a_thing() -> None:
    told, won, nameless = life("cortex/NovelGame-v0", 36, lambda world: None, difficulty=1, game_seed=3)
    said = [sentence for sentence, _, _ in told]
    wins = [i for i, sentence in enumerate(said) if sentence.endswith(", to win.")]
    assert wins and any(won[wins[0] :]), "what it says that wins does"
    assert "pick it up" in said[wins[0]] and "use the sword on the lamp" in said[wins[0]]
    assert "to find out what happens when it walks into the " in " ".join(said)
    assert "(first seen on day 1)" in nameless[wins[0]] and "sword" not in " ".join(nameless)


def test_without_a_map_it_says_the_actions_themselves() -> None:
    told, _, _ = life("CartPole-v1", 5, lambda world: None)
    assert all("do “action " in sentence for sentence, _, _ in told)


def test_a_signature_can_be_read() -> None:
    sign = int(signature.py_func(63, 5, 3, 1_000_000, 77))
    assert tell_sign(sign) == (place_number(63, 5), 3, 1_000_000, 77)
