"""Lateral connections: how far what stands on a map is heard, and that no body hears another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cortex.modules.habit.lateral import Lateral

WIDTH = 6


def corridor(length: int, thing: int, gap: int | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A corridor of ``length`` cells to the right of the agent with a thing in cell ``thing``; nothing is known of cell
    ``gap``."""
    tokens = torch.zeros(1, length, WIDTH)
    tokens[..., 0] = 1.0
    tokens[0, thing, 1] = 3.0
    known = torch.ones(1, length, dtype=torch.bool)
    if gap is not None:
        known[0, gap] = False
    return tokens, torch.zeros(1, length, dtype=torch.int64), torch.arange(length)[None], known


def heard(rounds: int, thing: int, gap: int | None = None) -> bool:
    """Whether the agent at the corridor's left end is told something else where the thing is there."""
    lateral = Lateral(WIDTH, 16, rounds, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        with_it, without = (lateral(*corridor(9, at, gap)) for at in (thing, 8))
    return not torch.equal(with_it, without)


@pytest.mark.parametrize("distance", [1, 3, 5])
def test_each_round_carries_a_thing_by_a_cell(distance: int) -> None:
    assert heard(distance - 1, distance)
    assert distance == 1 or not heard(distance - 2, distance)


def test_what_lies_too_far_is_not_heard() -> None:
    assert heard(20, 5) and not heard(20, 6)


def test_what_is_not_known_hands_nothing_on() -> None:
    assert heard(7, 5) and not heard(7, 5, gap=3)


def test_what_stands_in_the_corner_of_the_map_is_heard_whatever_else_is_not_known() -> None:
    lateral = Lateral(WIDTH, 16, 4, torch.Generator().manual_seed(0))
    at = torch.tensor([[-1, 0, 3]])  # the corner, the agent, and something that is not known
    told = []
    with torch.inference_mode():
        for thing in (1.0, 3.0):
            tokens = torch.ones(1, 3, WIDTH)
            tokens[0, 0] = torch.linspace(-thing, thing, WIDTH)
            told.append(lateral(tokens, at, at, torch.tensor([[True, True, False]])))
    assert not torch.equal(*told)


def test_what_is_said_in_bfloat16_is_nearly_what_is_said_in_float32() -> None:
    lateral = Lateral(WIDTH, 16, 6, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact, rough = (lateral(*corridor(9, 4, gap=2), precision) for precision in (torch.float32, torch.bfloat16))
    assert exact.dtype == rough.dtype == torch.float32
    assert 0 < float((rough - exact).norm() / exact.norm()) < 0.01


def test_no_body_hears_another_however_large_its_map_is() -> None:
    generator = torch.Generator().manual_seed(1)
    lateral = Lateral(WIDTH, 16, 4, generator)
    tokens = torch.randn(3, 7, WIDTH, generator=generator)
    row = torch.tensor([[0, 1, 2, -3, 0, 9, -2], [4, 4, 5, 6, 7, 8, 9], [-9, -8, -9, -8, -7, -9, -7]])
    column = torch.tensor([[0, 0, 1, -2, 3, 9, 5], [1, 2, 3, 4, 5, 6, 7], [-1, -1, -2, -3, -3, -4, -4]])
    known = torch.ones(3, 7, dtype=torch.bool)
    known[0, 5] = False
    with torch.inference_mode():
        together = lateral(tokens, row, column, known)
        for body in range(3):
            alone = lateral(*(part[body : body + 1] for part in (tokens, row, column, known)))
            torch.testing.assert_close(together[body : body + 1], alone, atol=1e-5, rtol=0)
