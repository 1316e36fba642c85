"""Between habit and search: a sure habit acts, unless memory objects."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from cortex.measure import ablation
from cortex.measure.battery import BATTERY


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sure_habit_is_held_back_where_memory_knows_better() -> None:
    """A room in which it always went straight to the goal, and the barrier that was never there."""
    task = replace(BATTERY["Detour"], exam={"part": "exam", "slack": 2})
    lives = [{"task": asdict(task), "seed": seed, "days": 1, "exam": 24, "settings": []} for seed in range(5)]
    agents = [list(ablation._days(task, asked))[-1][1] for asked in lives]  # the next morning

    def wins(*cut: str) -> float:
        exams = [ablation._examine(task, *life, cut) for life in zip(lives, agents, strict=True)]
        return float(np.mean([exam["success"] for exam in exams]))

    assert wins() > 0.9, "memory objects to what the habit would do, and what search finds is carried to its end"
    assert wins("habit.trust=2") > 0.9, "search alone knows the way"
    assert wins("habit.caution=2", "motor.inhibition=0") < 0.2 and wins("planner.simulations=0") < 0.2
