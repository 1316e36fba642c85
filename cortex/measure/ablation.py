"""Ablation: agents that grow up whole, agents that grow up without a part, and grown ones that lose it.

``ablate`` fills a matrix of lesions, tasks and seeds with the success of each in the same exams; what follows from it
is in `cortex.measure.dissociation`.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cortex.lesions import LESIONS
from cortex.measure.battery import CUT, WHEN, AblationTask
from cortex.measure.cells import fill
from cortex.measure.constant import best_constant
from cortex.types import CortexError

if TYPE_CHECKING:
    from cortex.agent import Agent

WHOLE = "whole"
"""Name of the agent that lacks nothing."""

FLOOR = "floor"
"""Name of the best constant actions."""

NAME = re.compile(r"[\w.-]+")
"""What files can be called."""

NIGHTLY = "sleep."
"""Lesions of the night begin so; they are made before one."""

BODIES = 8
"""Bodies, by day and in the exam."""

FIRST_GAME = 1000
"""The game of seed 0, where a task has many."""


@dataclass(frozen=True, slots=True)
class Row:
    """One exam of the matrix."""

    task: str
    lesion: str  # WHOLE, a lesion, or another learner beside
    when: str  # one of WHEN; of the whole agent, when the exam was
    seed: int
    episodes: int
    success: float  # share of episodes won
    searched: float  # mean share of steps that search decided
    steps: float  # mean length of an episode
    chance: float  # success that is score 0
    optimum: float  # success that is score 1
    score: float


def lesion(text: str) -> tuple[str, str]:
    """A name of LESIONS, or ``name=section.key=value`` -> its name and its override line. Raises CortexError."""
    name, _, line = text.partition("=")
    if text in LESIONS:
        return text, LESIONS[text]
    if "=" not in line or not name or name == WHOLE:
        raise CortexError(f"no lesion {text!r}; lesions are {', '.join(LESIONS)}, and your own: name=section.key=value")
    return name, line


def ablate(
    folder: Path,
    tasks: Sequence[AblationTask],
    lesions: Mapping[str, str],
    seeds: int = 10,
    *,
    jobs: int = 1,
    days: int = 1,
    exam: int = 40,
    floor: int = 400,
    settings: Sequence[str] = (),
    cut: Sequence[str] | None = None,
    beside: Mapping[str, str] | None = None,
    tell: Callable[[int, int], object] | None = None,
) -> list[Row]:
    """Fill the matrix of ``lesions`` (name -> override line) and ``tasks`` for ``seeds`` seeds, from 0.

    Each seed and task has one life of the whole agent, ``days`` days with a night after each: it is examined in the
    last evening and the morning after, ``exam`` episodes each, and so are copies of it from which each part was just
    cut, in the evening, in the morning, or in the evening with a night of their own before the exam. Each lesion can
    have a life of its own too, lesioned from birth. ``cut`` says which of WHEN are asked for; by default CUT, and from
    birth what a task foretells to cost then, and what is part of the night. ``settings``: overrides of all
    agents. ``beside``: name -> ``module:maker`` of other learners, see `cortex.measure.Learner`; they live the same
    days. The floor of tasks that state none comes from ``floor`` episodes of constant actions.

    Lives are kept in ``folder``, and a call that was cut off goes on there, to the same rows; ``tell`` gets how many
    are done, and of how many. Raises CortexError for names that are no file's, settings that cannot be used, and what
    `cells.fill` raises.
    """
    others = dict(beside or {})
    arms = [WHOLE, *lesions, *others]
    for kind, names in (("task", [task.name for task in tasks]), ("lesion or learner", [*arms, FLOOR])):
        if wrong := [name for name in names if not NAME.fullmatch(name) or names.count(name) > 1]:
            raise CortexError(f"the {kind} {wrong[0]!r} needs a name of its own, of letters, digits, '.', '_' and '-'")
    waking = {name: line for name, line in lesions.items() if not line.startswith(NIGHTLY)}
    later = {when: lesions if when == "night" else waking for when in WHEN[1:] if when in (CUT if cut is None else cut)}
    foretold = {name for task in tasks for name, when in task.asks.items() if when == WHEN[0]}
    born = foretold | (lesions.keys() - waking.keys()) if cut is None else set(lesions if WHEN[0] in cut else ())
    lives: dict[str, dict[str, Any]] = {}
    for seed in range(seeds):
        for task in tasks:
            shared = {"task": asdict(task), "seed": seed, "days": days, "exam": exam, "settings": list(settings)}
            own: dict[str, dict[str, Any]] = {WHOLE: {"later": later}}
            own |= {name: {"born": [name, line]} for name, line in lesions.items() if name in born}
            own |= {name: {"learner": [name, maker]} for name, maker in others.items()}
            lives |= {f"{task.name}-{seed}-{name}": {**shared, **more} for name, more in own.items()}
            if task.chance is None:
                game = _game(task, seed)
                lives[f"{task.name}-{game}-{FLOOR}"] = {"task": asdict(task), "seed": game, "floor": floor}
    return _rows(fill(lives, live, folder / "lives", jobs, tell), tasks, seeds, arms)


def _rows(told: Mapping[str, Any], tasks: Sequence[AblationTask], seeds: int, arms: Sequence[str]) -> list[Row]:
    """The exams of all lives with their scores, by task, lesion, time of cutting and seed."""
    rows = []
    for task in tasks:
        found = []
        for seed in range(seeds):
            chance = told[f"{task.name}-{_game(task, seed)}-{FLOOR}"]["chance"] if task.chance is None else task.chance
            span = task.optimum - chance
            for name in arms:
                for exam in told.get(f"{task.name}-{seed}-{name}", {"rows": []})["rows"]:
                    score = (exam["success"] - chance) / span if span > 0 else float("nan")
                    found.append(
                        Row(task=task.name, seed=seed, chance=chance, optimum=task.optimum, score=score, **exam)
                    )
        rows += sorted(found, key=lambda row: (arms.index(row.lesion), WHEN.index(row.when), row.seed))
    return rows


def write_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV, numbers to four digits."""
    out = io.StringIO()
    table = csv.DictWriter(out, [column.name for column in fields(Row)], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()})
    return out.getvalue()


def live(asked: Mapping[str, Any]) -> dict[str, Any]:
    """One life of the matrix, and its exams: what `ablate` asks of each process."""
    from cortex.modules.threads import one_thread

    task = AblationTask(**asked["task"])
    with one_thread():
        if "learner" in asked:
            return {"rows": _beside(task, asked)}
        if "born" in asked:
            return {"rows": _born(task, asked)}
        if "floor" in asked:
            rng = np.random.default_rng(asked["seed"])
            return {"chance": best_constant(_maker(task, asked["seed"], task.exam), asked["floor"], rng)[1]}
        return {"rows": _grown(task, asked)}


def _grown(task: AblationTask, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The whole agent in the evening and in the morning, and what is left of it without each part."""
    rows = []
    for when, agent in _days(task, asked):
        for name, line in {WHOLE: "", **asked["later"].get(when, {})}.items():
            rows.append({"lesion": name, "when": when, **_examine(task, asked, agent, [line] if line else [])})
        for name, line in asked["later"].get("night", {}).items() if when == "evening" else ():
            with _slept(agent, line) as cut:
                rows.append({"lesion": name, "when": "night", **_examine(task, asked, cut, [line])})
    return rows


@contextmanager
def _slept(agent: Agent, line: str) -> Iterator[Agent]:
    """What a night makes of the agent from which a part was cut; the agent itself has not slept."""
    from cortex import face

    before = {name: value.clone() for name, value in agent.weights().items()}
    other = face.lesioned(agent, line, apart=True)
    face.sleep(other)
    yield other
    agent.restore(before)


def _born(task: AblationTask, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An agent that never had the part, in the morning."""
    name, line = asked["born"]
    _, agent = list(_days(task, asked, line))[-1]
    return [{"lesion": name, "when": "birth", **_examine(task, asked, agent, [line])}]


def _days(task: AblationTask, asked: Mapping[str, Any], *born: str) -> Iterator[tuple[str, Agent]]:
    """Live; yields ("evening", agent) before the last night and ("morning", agent) after it."""
    from cortex import face
    from cortex.day import live_day
    from cortex.envs.make import make_vector

    seed, days = asked["seed"], asked["days"]
    bodies = make_vector(_maker(task, seed), BODIES, seed, held_out=task.held_out)
    agent = face.make(bodies, *task.settings, *asked["settings"], *born, seed=seed)
    for day in range(days):
        stream = np.random.SeedSequence([seed, day])
        first = int(stream.generate_state(1)[0])
        live_day(agent, bodies, task.steps, first, np.random.default_rng(stream))
        if day == days - 1:
            yield "evening", agent
        face.sleep(agent)
    yield "morning", agent


def _examine(task: AblationTask, asked: Mapping[str, Any], agent: Agent, lines: Sequence[str]) -> dict[str, Any]:
    from cortex.envs.make import make_vector
    from cortex.measure.exam import examine

    bodies = make_vector(_maker(task, asked["seed"], task.exam), BODIES, part="exam", held_out=task.held_out)
    seed = int(np.random.SeedSequence([asked["seed"], 1 << 20]).generate_state(1)[0])
    found = examine(agent.lesioned(*task.exam_settings, *lines), bodies, asked["exam"], seed)
    bodies.close()
    return {"episodes": found.episodes, "success": found.success, "searched": found.searched, "steps": found.steps}


def _beside(task: AblationTask, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Another learner that lived the same days, in the morning."""
    from cortex.envs.make import make_vector

    name, maker = asked["learner"]
    seed, make = asked["seed"], _named(maker)
    day = make_vector(_maker(task, seed), BODIES, seed, held_out=task.held_out)
    learner = make(day.single_observation_space, day.single_action_space, seed)
    for number in range(asked["days"]):
        learner.live(day, task.steps, seed + number, lambda _: True)
        learner.sleep(seed + number)
    bodies = make_vector(_maker(task, seed, task.exam), BODIES, part="exam", held_out=task.held_out)
    played = learner.play(bodies, asked["exam"], seed, habit=task.weights_alone)
    told = {
        "episodes": len(played),
        "success": float(np.mean([p.success for p in played])),
        "searched": float(np.mean([p.searched for p in played])),
        "steps": float(np.mean([p.length for p in played])),
    }
    return [{"lesion": name, "when": "birth", **told}]


def _game(task: AblationTask, seed: int) -> int:
    """Which of a task's games the life of ``seed`` is lived in, where it has many."""
    return seed if task.games else 0


def _maker(task: AblationTask, seed: int, changed: Mapping[str, Any] | None = None) -> Callable[[], Any]:
    """What makes one environment of a task; the life of ``seed`` has its own rules where the task has many."""
    from cortex.envs.make import make_env

    game = {"game_seed": FIRST_GAME + seed} if task.games else {}
    return partial(make_env, task.env, **{**task.day, **(changed or {}), **game})


def _named(maker: str) -> Callable[..., Any]:
    module, _, name = maker.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CortexError(f"no learner {maker!r} ({error}); module:function would do") from error
    return found
