"""Lives of games, for our agent and for every peer: learned by day, kept by night, at what cost.

Each day brings new games; its night has no environment; the next morning all earlier games are played on fresh layouts,
once with everything and once by the weights alone. Writes one row for each life and game, and prints the figures over
all lives. A life that was stopped goes on behind the last game, night or exam that it finished.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import inspect
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments import common

BASELINES = Path(__file__).parent / "baselines"

CONSTANT_EPISODES = 400
"""Episodes from which the floor of an environment is found that constants.csv does not hold."""

QUICK: dict[str, int] = {"days": 2, "games_per_day": 2, "steps_per_game": 150, "exam": 4, "seeds": 2}
"""Largest values of a quick run."""

QUICK_SETTINGS = {
    "cortex": {
        "planner.simulations": "32",
        "habit.width": "16",
        "world_model.width": "16",
        "world_model.ensemble": "2",
        "sleep.steps": "100",
        "sleep.states": "300",
        "sleep.world_model_steps": "20",
    }
}
"""Agent -> its settings in a quick run, where the command line gives no others."""

COLUMNS = (
    *("agent", "seed", "day", "game", "name", "floor", "ceiling", "h", "tries", "wins", "won", "first_win", "auc"),
    *("area_random", "area_reference", "try_1", "try_3", "try_10", "try_30", "evening_whole", "evening_habit"),
    *("morning_whole", "morning_habit", "last_whole", "last_habit", "forgetting"),
    *("forgetting_by_chance", "bwt", "worst"),
    *("decisions", "searched"),
)


def main() -> None:
    """Run the experiment."""
    options = _read()
    from cortex.types import CortexError

    try:
        with tempfile.TemporaryDirectory() as passing:
            runs = options.runs or (Path(passing) if options.quick else Path("runs/life"))
            common.last_line(lives(options, runs))
    except CortexError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        common.progress("stopped; the same command goes on")
        sys.exit(130)


def lives(options: argparse.Namespace, runs: Path) -> dict[str, Any]:
    """Live all lives, write their rows to ``options.out``; the figures over them."""
    from cortex.measure import games, run, summary

    make = agent(options.agent)
    settings = {**(QUICK_SETTINGS.get(options.agent, {}) if options.quick else {}), **dict(options.set)}
    told, table = [], []
    for seed in range(options.seeds):
        days = _days(options, env_tasks(options) if options.envs else novel_tasks(options, seed))
        with closing(days[0][0].make(1, "day")) as body:
            learner = make(body.single_observation_space, body.single_action_space, seed, **settings)
        told.append(
            run(
                learner,
                days,
                options.steps_per_game,
                options.exam if options.days else 0,
                seed,
                runs / f"{options.agent}-{seed}",
                clear_between_games=options.clear_between_games,
                nights=options.days > 0,
                bodies=options.bodies,
                about={"agent": options.agent, "settings": settings, "source": _source(options)},
                on_event=partial(_tell, seed),
            )
        )
        table += [{"agent": options.agent, **row} for row in games(told[-1])]
        common.write_csv(options.out, ({c: row[c] for c in COLUMNS} for row in table), COLUMNS)
    return summary(told, options.joint)


def agent(name: str) -> Callable[..., Any]:
    """What makes the learner of a name: ours, or a file of ``experiments/baselines``. Raises CortexError for others."""
    from cortex.types import CortexError

    peers = sorted(path.stem for path in BASELINES.glob("*.py") if "\ndef make(" in path.read_text(encoding="utf-8"))
    if name not in ("cortex", *peers):
        raise CortexError(f"there is no agent {name!r}; agents are cortex, {', '.join(peers)}")
    module = "experiments.agents" if name == "cortex" else f"experiments.baselines.{name}"
    found: Callable[..., Any] = importlib.import_module(module).make
    return found


def novel_tasks(options: argparse.Namespace, seed: int) -> list[Any]:
    """The games of life ``seed``: every life has its own. Raises CortexError where the range holds too few."""
    import gymnasium

    from cortex.measure import Task
    from cortex.types import CortexError

    first, end = options.game_seeds
    count = max(1, options.days) * options.games_per_day
    seeds = range(first + seed * count, first + (seed + 1) * count)
    if seeds.stop > end:
        raise CortexError(
            f"{options.seeds} lives of {count} games need the game seeds {first}:{first + options.seeds * count}, "
            f"which {first}:{end} does not hold; widen --game-seeds"
        )
    wrap = _wrap(options)

    def task(game: int) -> Task:
        kind = _kind(options, options.difficulty[(game - seeds.start) % len(options.difficulty)])

        def make(bodies: int, part: str) -> Any:
            return wrap(
                gymnasium.make_vec(
                    "cortex/NovelGame-v0",
                    bodies,
                    vectorization_mode="vector_entry_point",
                    game_seed=game,
                    layouts=part,
                    **kind,
                )
            )

        with closing(gymnasium.make("cortex/NovelGame-v0", game_seed=game, **kind)) as env:
            known: Any = env.unwrapped
            anchors = known.anchors()
            areas = partial(known.areas)
        return Task(f"novel-{game}", make, anchors["constant"], anchors["solver"], anchors["h"], areas)

    return [task(game) for game in seeds]


def _kind(options: argparse.Namespace, difficulty: int) -> dict[str, Any]:
    """Keywords of the novel games of a life that are of one class. Raises CortexError where ``--game`` names none."""
    from cortex.envs.novel_game.difficulty import setting
    from cortex.envs.novel_game.spec import Setting
    from cortex.envs.novel_game.vector import NovelGames
    from cortex.types import CortexError

    kind = {name: getattr(options, name) for name in ("split", "noise", "view", "level")}
    kind |= {"difficulty": difficulty, "modalities": tuple(options.modalities)}
    of_class, given = {field.name for field in fields(Setting)}, dict(options.game)
    keywords = {*inspect.signature(NovelGames).parameters} - {"num_envs", "game_seed", "layouts", "autoreset_mode"}
    for name in given.keys() - keywords - of_class:
        near = difflib.get_close_matches(name, [*keywords, *of_class], n=1, cutoff=0.0)[0]
        raise CortexError(f"a novel game has no setting {name!r}; the nearest is {near!r}")
    kind |= {name: value for name, value in given.items() if name in keywords}
    terms = {name: value for name, value in given.items() if name in of_class}
    return {**kind, "difficulty": replace(setting(difficulty), **terms)} if terms else kind


def _wrap(options: argparse.Namespace) -> Callable[[Any], Any]:
    """The function of ``--wrap``, from bodies to bodies. Raises CortexError where there is none."""
    from cortex.types import CortexError

    if not options.wrap:
        return lambda bodies: bodies
    module, _, name = options.wrap.partition(":")
    try:
        found: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CortexError(f"--wrap {options.wrap} is no module:function ({error})") from error
    return found


def env_tasks(options: argparse.Namespace) -> list[Any]:
    """The environments of ``--envs`` in their order, scored by wins between the best constant actions and 1."""
    from cortex.envs.make import make_env, make_vector
    from cortex.measure import Task, best_constant
    from cortex.store.spaces import differs
    from cortex.types import CortexError

    known = {row["task"]: float(row["success"]) for row in common.read_csv(common.RESULTS / "constants.csv")}
    tasks, first = [], None
    for name in options.envs:
        with closing(make_env(name)) as env:
            first = first or (env.observation_space, env.action_space)
            wrong = differs(first[0], env.observation_space) or differs(first[1], env.action_space, "the action")
        if wrong:
            raise CortexError(f"the games of a life share their spaces, but in {name} {wrong}, as in {options.envs[0]}")
        if name not in known:
            common.progress(f"{name}: looking for the best constant actions")
            episodes = 60 if options.quick else CONSTANT_EPISODES
            known[name] = best_constant(partial(make_env, name), episodes, np.random.default_rng(0))[1]
        make = partial(_vector, make_vector, _wrap(options), name, options.held_out)
        tasks.append(Task(name, make, known[name], 1.0, by="success"))
    return tasks


def _vector(
    make_vector: Callable[..., Any], wrap: Callable[[Any], Any], name: str, held_out: float, bodies: int, part: str
) -> Any:
    return wrap(make_vector(name, bodies, part=part, held_out=held_out))


def _days(options: argparse.Namespace, tasks: Sequence[Any]) -> list[list[Any]]:
    """Deal the tasks to the days; the waking part alone is one day."""
    from cortex.types import CortexError

    size = options.games_per_day
    if options.days == 0:
        return [list(tasks) if options.envs else list(tasks[:size])]
    if len(tasks) > options.days * size:
        raise CortexError(
            f"{options.days} days of {size} games have no room for {len(tasks)} environments; give --days or "
            "--games-per-day more"
        )
    return [list(tasks[start : start + size]) for start in range(0, len(tasks), size)]


def _source(options: argparse.Namespace) -> dict[str, Any]:
    names = ("envs", "held_out") if options.envs else ("split", "difficulty", "noise", "view", "modalities", "level")
    more = {name: getattr(options, name) for name in ("game", "wrap") if getattr(options, name)}
    told = {name: getattr(options, name) for name in names} | more
    if len(told.get("difficulty", ())) == 1:
        told["difficulty"] = told["difficulty"][0]
    return told


def _tell(seed: int, event: dict[str, Any]) -> None:
    """One line for each part of a life that is done."""
    place = f"life {seed} day {event.get('day')}"
    if event["event"] == "waking":
        common.progress(f"{place} game {event['game']}: {event['lived']} steps, {event['cpu_seconds']:.1f} s")
    elif event["event"] == "night":
        common.progress(f"{place} night: {event['updates']} updates so far, {event['cpu_seconds']:.1f} s")
    elif event["event"] == "exam":
        common.progress(f"{place} {event['when']} game {event['game']} ({event['arm']}): {event['success']:.0%} won")


def _read() -> argparse.Namespace:
    line = common.parser(__doc__, out="life.csv")
    line.add_argument("--agent", default="cortex", help="cortex, or the name of a file in experiments/baselines")
    line.add_argument("--set", nargs="*", default=[], type=_pair, metavar="key=value", help="settings of the agent")
    line.add_argument("--days", type=int, default=5, help="days, each with a night and exams; 0: the waking part alone")
    line.add_argument("--games-per-day", type=int, default=4, metavar="K", help="new games of a day")
    line.add_argument("--steps-per-game", type=int, default=2000, metavar="S", help="actions of a game's waking")
    line.add_argument("--exam", type=int, default=32, metavar="N", help="episodes of each game's exam")
    line.add_argument("--bodies", type=int, default=1, help="bodies by day")
    line.add_argument("--clear-between-games", action="store_true", help="empty the memory before each game")
    line.add_argument(
        "--wrap", metavar="module:function", help="what makes other bodies of the bodies, as in disturbed"
    )
    line.add_argument("--runs", type=Path, help="folder that keeps the lives; runs/life, or none if quick")
    line.add_argument("--joint", type=float, help="acc of a learner trained on all games at once, to compare with")
    games = line.add_argument_group("novel games")
    games.add_argument("--game-seeds", type=_range, default=(0, 1_000_000), metavar="A:B", help="seeds of the rules")
    games.add_argument("--split", default="train", help="which rules: train, or T0 to T4")
    games.add_argument("--difficulty", nargs="+", type=int, default=[3], help="0 to 9; several: in turn")
    games.add_argument("--noise", type=int, default=0, help="bytes of noise for each byte of use: 0, 1, 10, 100, 1000")
    games.add_argument("--view", default="full", help="full or ego")
    games.add_argument("--modalities", nargs="+", default=["grid", "text", "body"], help="senses of a body")
    games.add_argument("--level", type=int, default=1, help="length of the chain, 1 to 4")
    games.add_argument(
        "--game", nargs="*", default=[], type=_value, metavar="key=value", help="their further settings, as in docs"
    )
    envs = line.add_argument_group("other environments")
    envs.add_argument("--envs", nargs="+", default=[], metavar="ID", help="environments instead of novel games")
    envs.add_argument("--held-out", type=float, default=0.25, help="share of their layouts kept for exams; 0: none")
    options = common.read(line)
    for name in QUICK if options.quick else ():
        setattr(options, name, min(getattr(options, name), QUICK[name]))
    for name, least in {"games_per_day": 1, "steps_per_game": 1, "seeds": 1, "bodies": 1, "days": 0, "exam": 1}.items():
        if getattr(options, name) < least:
            line.error(f"--{name.replace('_', '-')} is {getattr(options, name)}; at least {least} would do")
    return options


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no key=value")
    return key, value


def _value(text: str) -> tuple[str, Any]:
    key, value = _pair(text)
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def _range(text: str) -> tuple[int, int]:
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range such as 0:100")
    return int(first), int(end)


if __name__ == "__main__":
    main()
