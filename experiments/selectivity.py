"""What does each module encode? A linear reader is asked for many features of the state, and not only the one expected.

An agent lives a day in two tasks and sleeps; then it is watched, half of its actions being random, and from what each
module puts out a ridge classifier reads each feature. It learns from every other episode and is asked about the rest.
A score of 0 is a guess, 1 is always right (balanced over the values of a feature; numbers are cut into quarters).
Each module is held against a control on the same moments: its own networks before any night, or, where it learned
nothing, a random network of its width that looks at the observation; and against labels that were shuffled. "The module
for X" is only what tells X better than its control, and X better than other things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cortex.agent import Agent, Trace
from cortex.day import live_day
from cortex.envs.make import make_vector
from cortex.mapped import focus_tokens
from cortex.measure.statistics import interval
from cortex.modules.habit import HabitPolicy
from cortex.modules.threads import one_thread
from cortex.modules.world_model import WorldModel
from cortex.types import MODALITIES, Array
from experiments import common
from experiments.selectivity_figure import draw

TASKS = ("BabyAI-GoToLocal-v0", "MiniGrid-DoorKey-6x6-v0")
BODIES = 4
SETTINGS = ("planner.simulations=256", "sleep.steps=600", "sleep.states=1500", "sleep.world_model_steps=300")
QUICK = ("planner.simulations=32", "sleep.steps=40", "sleep.states=100", "sleep.world_model_steps=20")
RADIUS = 4
"""Cells around the agent on its map that the reader is given."""
COMPONENTS, RIDGE, LEAST = 96, 10.0, 10
"""Principal components that are read, the ridge, and the times that a value must be in either half to be asked for."""
NUMBERS = ("row", "column", "time", "distance to goal", "things in view")
"""Features that are numbers, told in quarters."""
LEARNED = ("world model", "habit")
"""Modules that nights change: their control is what they were before any."""
COLUMNS = ("module", "feature", "seed", "kinds", "score", "control", "shuffled")


def main() -> None:
    """Run the experiment."""
    line = common.parser(__doc__, out="selectivity.csv", seeds=5)
    line.add_argument("--steps", type=int, default=1200, help="of a task by day, and watched afterwards")
    options = common.read(line)
    if options.quick:
        options.steps, options.seeds = 200, 1
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        with one_thread():
            rows += one_seed(seed, options.steps, QUICK if options.quick else SETTINGS)
        common.progress(f"seed {seed}: {len(rows)} rows")
        common.write_csv(options.out, rows, COLUMNS)
    told = summary(rows)
    figures = draw(told, options.out.with_suffix(".png"), options.seeds)
    facts = {module: best(cells) for module, cells in told.items()}
    common.last_line({"experiment": "selectivity", "quick": options.quick, "best": facts, "figures": figures})


def one_seed(seed: int, steps: int, settings: tuple[str, ...]) -> list[dict[str, Any]]:
    """The scores of every module and feature for one agent."""
    agent = Agent.make(TASKS[0], *settings, f"life.bodies={BODIES}", seed=seed)
    newborn = Agent.make(TASKS[0], *settings, f"life.bodies={BODIES}", seed=seed)
    for number, task in enumerate(TASKS):
        agent.hippocampus.environment = number
        bodies = make_vector(task, BODIES, seed, held_out=0.25)
        live_day(agent, bodies, steps, seed, np.random.default_rng([seed, number]))
    agent.sleep()
    untaught = newborn.habit, newborn.imagination.world_model
    for network in untaught:
        network.nights.fill_(1)  # so that it answers
    seen, controls, labels, episode = watch(agent, untaught, seed, steps // BODIES)
    raw = controls.pop("observation")
    rows, draw_ = [], np.random.default_rng(seed)
    halves = episode % 2 == 0, episode % 2 == 1
    for module, values in seen.items():
        width = min(256, values.shape[1])
        weights = draw_.standard_normal((raw.shape[1], width)).astype(np.float32) / raw.shape[1] ** 0.5
        control = controls.get(module, np.maximum(raw @ weights, 0))
        read, check = (reader(given, halves) for given in (values, control))
        for feature, told in labels.items():
            kinds = common_kinds(told, halves)
            if len(kinds) < 2:
                continue
            scores = [read(told, kinds), check(told, kinds), read(told, kinds, draw_)]
            rows.append(dict(zip(COLUMNS, (module, feature, seed, len(kinds), *scores), strict=True)))
    return rows


def watch(
    agent: Agent, untaught: tuple[HabitPolicy, WorldModel], seed: int, steps: int
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array], Array]:
    """What each module puts out [n, d], what controls do, the features [n], and the episode [n] of each moment."""
    seen: dict[str, list[Array]] = {}
    controls: dict[str, list[Array]] = {}
    told: list[dict[str, Any]] = []
    episodes: list[Array] = []
    draw_, began = np.random.default_rng([seed, 9]), 0
    for number, task in enumerate(TASKS):
        bodies = make_vector(task, BODIES, seed + 100, part="exam", held_out=0.25)
        observation, _ = bodies.reset(seed=seed + 100)
        carry, first, ended = agent.initial(BODIES), np.ones(BODIES, bool), np.zeros(BODIES, bool)
        last, episode = np.full(BODIES, -1), began + np.arange(BODIES)
        for _ in range(steps):
            action, carry, trace = agent.calm().act(carry, agent.perceive(observation), first, draw_)
            for part in trace.parts:
                if part.state.place is None:
                    continue
                live = np.flatnonzero(~ended[part.bodies])
                for name, values in outputs(agent, part, agent.habit, agent.imagination.world_model).items():
                    seen.setdefault(name, []).append(values[live])
                for name, values in outputs(agent, part, *untaught, LEARNED).items():
                    controls.setdefault(name, []).append(values[live])
                live = part.bodies[live]
                controls.setdefault("observation", []).append(flat(observation)[live])
                told += [{"game": number, "last action": last[b], **state(bodies.envs[b].unwrapped)} for b in live]
                episodes.append(episode[live])
            random = draw_.integers(0, agent.motor.actions, BODIES)
            action = np.where(draw_.random(BODIES) < 0.5, random, action)
            carry = replace(carry, context=replace(carry.context, action=action))
            observation, _, terminated, truncated, _ = bodies.step(agent.command(action))
            first, ended = ended, (terminated | truncated) & ~ended
            last = np.where(first, -1, action)
            episode = np.where(first, episode.max() + 1 + np.arange(BODIES), episode)
        began = int(episode.max()) + 1
        bodies.close()
    labels = {name: coded([row[name] for row in told], name in NUMBERS) for name in told[0]}
    stacked = ({name: np.concatenate(parts) for name, parts in found.items()} for found in (seen, controls))
    return *stacked, labels, np.concatenate(episodes)


def outputs(
    agent: Agent, trace: Trace, habit: HabitPolicy, model: WorldModel, only: tuple[str, ...] = ()
) -> dict[str, Array]:
    """What each module of ``agent`` puts out [B, d] at a moment, or ``only`` some; its networks are given."""
    scene, place, bodies = trace.sensed.scene, trace.state.place, len(trace.situation)
    assert place is not None
    grid = scene.modality[0]

    def sense(name: str) -> Array:
        return scene.tokens[:, grid == MODALITIES[name]].reshape(bodies, -1)

    def around() -> Array:
        span, size = np.arange(-RADIUS, RADIUS + 1), place.cells.shape[1]
        rows, columns = (place.pose[:, axis, None] + span for axis in (0, 1))
        cells = place.cells[np.arange(bodies)[:, None, None], rows[:, :, None] % size, columns[:, None] % size]
        return agent.codebook.decode(cells).reshape(bodies, -1)

    def foretold() -> Array:
        actions = agent.motor.actions
        row, column = place.ahead.T
        front = place.cells[np.arange(bodies), row, column]
        under = place.cells[np.arange(bodies), *(place.pose[:, :2] % place.cells.shape[1]).T]
        words = trace.state.scene.tokens[:, trace.state.scene.modality[0] == MODALITIES["text"]]
        focus = focus_tokens(agent.codebook, np.column_stack([front, place.carried, under]), words)
        guess = model(np.repeat(focus, actions, axis=0), np.tile(np.arange(actions), bodies))
        rest = np.column_stack([guess.moved, guess.reward, guess.end, guess.uncertainty])
        return np.concatenate([guess.focus[:, :3].reshape(bodies, -1), rest.reshape(bodies, -1)], axis=1)

    def habits() -> Array:
        with torch.inference_mode():
            # The words as the grown habit hears them, so that only what is made of them differs.
            return np.asarray(habit.features(*agent.habit.inputs(agent.around(trace.state))))

    def recalled() -> Array:
        told = trace.recall
        return np.column_stack([trace.situation == 0, told.value, told.tried, told.similarity, told.novelty])

    plan = trace.plan
    modules: dict[str, Callable[[], Array]] = {
        "sight": lambda: sense("grid"),
        "words": lambda: sense("text"),
        "numbers": lambda: sense("symbol"),
        "binding": lambda: trace.sensed.percept.latent,
        "context": lambda: trace.state.latent,
        "place": lambda: np.column_stack([place.pose[:, :2], np.eye(4)[place.pose[:, 2]], place.carried > 0]),
        "map": around,
        "hippocampus": recalled,
        "world model": foretold,
        "habit": habits,
        "planner": lambda: np.column_stack([plan.weights, plan.best, plan.value, plan.steps, plan.known]),
    }
    return {name: np.asarray(make(), np.float32) for name, make in modules.items() if not only or name in only}


def state(world: Any) -> dict[str, Any]:
    """What is so in a MiniGrid world, whoever knows it."""
    colour, kind = world.mission.split()[-2:]
    things = [(x, y, world.grid.get(x, y)) for x in range(world.width) for y in range(world.height)]
    goals = [
        abs(x - world.agent_pos[0]) + abs(y - world.agent_pos[1])
        for x, y, thing in things
        if thing is not None and thing.type == kind and thing.color in (colour, "green" if kind == "goal" else colour)
    ]
    front, held = world.grid.get(*world.front_pos), world.carrying
    shown = world.gen_obs()["image"][..., 0]
    return {
        "mission's thing": kind,
        "mission's colour": colour,
        "thing in front": front.type if front else "nothing",
        "colour in front": front.color if front else "nothing",
        "carried": held.type if held else "nothing",
        "heading": int(world.agent_dir),
        "row": int(world.agent_pos[1]),
        "column": int(world.agent_pos[0]),
        "time": int(world.step_count),
        "distance to goal": min(goals, default=0),
        "things in view": int((shown > 3).sum()),  # beyond unseen, empty, wall and floor
    }


def flat(observation: dict[str, Any]) -> Array:
    """What a random network looks at [B, d]: the numbers of the observation, and the words of its mission."""
    said = np.zeros((len(observation["mission"]), 64), np.float32)
    for body, mission in enumerate(observation["mission"]):
        for word in str(mission).split():
            said[body, sum(map(ord, word)) % said.shape[1]] = 1
    seen = np.asarray(observation["image"], np.float32).reshape(len(said), -1) / 5
    return np.concatenate([seen, np.eye(4, dtype=np.float32)[np.asarray(observation["direction"])], said], axis=1)


def coded(values: list[Any], number: bool) -> Array:
    """Values [n] as numbers from 0; of numbers the quarter that they are in."""
    if number:
        return np.searchsorted(np.unique(np.quantile(values, (0.25, 0.5, 0.75))), values)
    return np.unique(np.array(list(map(str, values))), return_inverse=True)[1]


def common_kinds(told: Array, halves: tuple[Array, Array]) -> Array:
    """The values of a feature that are often enough in both halves."""
    counts = [np.bincount(told[half], minlength=told.max() + 1) for half in halves]
    return np.flatnonzero((counts[0] >= LEAST) & (counts[1] >= LEAST))


def reader(values: Array, halves: tuple[Array, Array]) -> Callable[..., float]:
    """A function that tells how well features are read from ``values`` [n, d]: 0 a guess, 1 always right."""
    fit, ask = halves
    moving = values[:, values[fit].std(axis=0) > 1e-6]
    if not moving.shape[1]:
        return lambda *_: 0.0
    size = min(COMPONENTS, *moving[fit].shape)
    lens = make_pipeline(StandardScaler(), PCA(size, svd_solver="randomized", random_state=0)).fit(moving[fit])
    first, second = lens.transform(moving[fit]), lens.transform(moving[ask])

    def read(told: Array, kinds: Array, shuffle: np.random.Generator | None = None) -> float:
        mine, asked = np.isin(told[fit], kinds), np.isin(told[ask], kinds)
        labels = told[fit][mine] if shuffle is None else shuffle.permutation(told[fit][mine])
        found = RidgeClassifier(RIDGE, class_weight="balanced").fit(first[mine], labels).predict(second[asked])
        return (balanced_accuracy_score(told[ask][asked], found) - 1 / len(kinds)) / (1 - 1 / len(kinds))

    return read


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Module -> feature -> mean score, what it is above its control and above shuffled labels, with 95 % intervals."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for module, feature in dict.fromkeys((row["module"], row["feature"]) for row in rows):
        mine = [row for row in rows if (row["module"], row["feature"]) == (module, feature)]
        gain = [row["score"] - row["control"] for row in mine]
        found.setdefault(module, {})[feature] = {
            "score": float(np.mean([row["score"] for row in mine])),
            "shuffled": float(np.mean([row["shuffled"] for row in mine])),
            "gain": float(np.mean(gain)),
            "interval": list(interval(gain)),
        }
    return found


def best(cells: dict[str, dict[str, Any]], most: int = 3) -> list[str]:
    """The features that a module tells best, with their scores."""
    ranked = sorted(cells.items(), key=lambda cell: -cell[1]["score"])
    return [f"{feature} {cell['score']:.2f}" for feature, cell in ranked[:most]]


if __name__ == "__main__":
    main()
