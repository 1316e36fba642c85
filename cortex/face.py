"""The public face of an agent: make, learn, predict, sleep, save, load, lesion; `cortex.Agent` has them as methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from cortex import keep
from cortex.agent import Agent, Carry
from cortex.build import build
from cortex.config import Config, from_yaml, load, settings_of
from cortex.day import Bodies, Ended, live_day
from cortex.envs.make import Environment, make_vector
from cortex.looks import look
from cortex.own import Own
from cortex.store import checkpoint, files, spaces
from cortex.types import Array, CortexError
from cortex.view import View

RECENT = 50
"""Episodes behind the score that the progress bar shows."""


def make(env: Environment, *overrides: str, seed: int = 0, own: Own | None = None) -> Agent:
    """A newborn agent for ``env``, with its memory in RAM. Its bodies begin in all layouts: no exam needs some kept."""
    config = load(*overrides, {"seed": seed})
    bodies = _bodies(env, config)
    config = look(config, bodies)
    agent = build(config, bodies.single_observation_space, bodies.single_action_space, own=own)
    agent.hippocampus.day = 1
    return replace(embody(agent, bodies), generator=np.random.default_rng(seed))


def embody(agent: Agent, bodies: Bodies) -> Agent:
    """The same agent with bodies to learn in. Raises CortexError if their spaces are not the agent's."""
    wrong = spaces.differs(agent.observation_space, bodies.single_observation_space) or spaces.differs(
        agent.space, bodies.single_action_space, "the action"
    )
    if wrong:
        raise CortexError(f"the environment does not fit the agent: {wrong}; give one like that it was made with")
    return replace(agent, bodies=bodies)


def learn(
    agent: Agent,
    total_timesteps: int,
    progress_bar: bool = False,
    on_episode: Callable[[dict[str, Any]], object] | None = None,
) -> Agent:
    """Live days of ``life.steps`` steps, each with a night after it; one that is not full goes on at the next call."""
    if agent.bodies is None:
        raise CortexError("the agent has no environment to learn in; Agent.load(folder, env=...) would give it one")
    memory, day_steps, lived = agent.hippocampus, agent.config.life.steps, 0
    won: list[bool] = []

    with View(shown=progress_bar) as view:
        while lived < total_timesteps:
            today, before = keep.rows_of(agent).count(memory.day, memory.environment), lived
            view.begin(f"day {memory.day}", total_timesteps, lived)

            def see(total: int, finished: list[Ended], before: int = before) -> None:
                for episode in finished:
                    if episode.fault is None:
                        won.append(episode.success)
                    if on_episode is not None:
                        facts = {"steps": before + episode.total, "length": episode.steps, "return": episode.reward}
                        on_episode({**facts, "success": episode.success, "fault": episode.fault})
                view.move(before + total, f"{np.mean(won[-RECENT:]):.0%} won" if won else "")

            seeds = np.random.SeedSequence([agent.config.seed, memory.day, today])
            steps = max(1, min(day_steps - today, total_timesteps - lived))
            seed = int(seeds.generate_state(1)[0])
            try:
                done = live_day(agent, agent.bodies, steps, seed, np.random.default_rng(seeds), see)
            except BaseException:
                memory.flush()  # the next call begins new episodes: none may go on in the rows of one that was cut off
                raise
            lived += done
            if today + done >= day_steps:
                sleep(agent)
    return agent


def sleep(
    agent: Agent,
    progress: Callable[[str, int, int, dict[str, float]], None] | None = None,
    shuffled: bool = False,
    tomorrow: Any = None,
) -> dict[str, Any]:
    """One night, and the next day begins. Returns what the night did; ``sleep.steps`` 0 is no night: weights stay, and
    what exceeds the capacity is forgotten all the same. ``shuffled``: a
    night that must teach nothing, see `cortex.sleep.night`. ``tomorrow``: observations of what is to come, or None."""
    from cortex.sleep import night, prune

    memory = agent.hippocampus
    told: dict[str, Any] = {}
    seeds = np.random.SeedSequence([agent.config.seed, memory.day, 2**31])
    if agent.config.sleep.steps > 0:
        before = {name: value.clone() for name, value in agent.weights().items()}
        try:
            come = () if tomorrow is None else agent.recognise(tomorrow).tolist()
            told = dict(night(agent, np.random.default_rng(seeds), progress, shuffled, tomorrow=come))
        except BaseException:
            agent.restore(before)  # a night that was cut off is slept again, and not from half of itself
            raise
    if memory.capacity > 0:
        told |= prune(agent, np.random.default_rng(seeds.spawn(1)[0]))
    memory.day += 1
    return told


def predict(
    agent: Agent,
    observation: Any,
    state: Carry | None = None,
    episode_start: Any = None,
    deterministic: bool = True,
) -> tuple[Array, Carry]:
    """Action and short-term memory for an observation, batched or not. Neither rows nor weights change."""
    batched = agent.senses.is_batched(observation)
    if not batched:
        observation = agent.senses.batch(observation)
    first = np.asarray(episode_start if episode_start is not None else [state is None], bool).reshape(-1)
    bodies = len(agent.senses.check(observation))
    known = bodies if state is None else len(state.situation)
    if known != bodies or len(first) not in (1, bodies):
        raise CortexError(
            f"the observation is of {bodies} bodies, the state of {known} and episode_start of {len(first)}; "
            "give all of the same number, or state=None where bodies are new"
        )
    state = agent.initial(bodies) if state is None else state
    first = np.broadcast_to(first, bodies) if len(first) == 1 else first
    sensed, heat = agent.perceive(observation), 0.0 if deterministic else agent.config.motor.temperature
    action, carry, _ = agent.calm().act(state, sensed, first, agent.generator, heat)
    command = agent.command(action)
    return (command if batched else command[0]), carry


def save(agent: Agent, folder: str | Path) -> None:
    """Write config, rows and weights to a folder, which may hold an earlier save, but not a life."""
    folder = Path(folder)
    if (folder / "metrics.jsonl").exists():
        raise CortexError(f"{folder} holds a life, which saves itself; save elsewhere")
    files.make_folder(folder)
    keep.save_config(folder, agent.config)
    agent.hippocampus.flush()
    keep.save(agent, folder)
    keep.rows_of(agent).snapshot(folder / keep.MEMORY)


def load_agent(folder: str | Path, env: Environment | None = None, own: Own | None = None) -> Agent:
    """The agent of a folder that ``save`` or a life wrote, with its memory in RAM; ``env`` gives it bodies."""
    folder = Path(folder)
    if not (folder / keep.CONFIG).is_file():
        raise CortexError(f"{folder} holds no {keep.CONFIG}; give a folder that Agent.save or `cortex live` wrote")
    config, found = from_yaml(folder / keep.CONFIG), checkpoint.load(folder)
    given, had = Own().names if own is None else own.names, list(found.state.get("own", []))
    if given != had:
        raise CortexError(
            f"{folder} holds an agent with own={had}, and own={given} was given; give what it was made with"
        )
    kept = keep.rows_in(folder)
    rows = keep.twin(kept)
    kept.close()
    seen, done = (spaces.decode(found.state.get(f"{name}_space")) for name in ("observation", "action"))
    agent = build(config, seen, done, rows=rows, own=own)
    keep.restore(agent, found)
    if env is None:
        return agent
    return embody(agent, _bodies(env, config))


def lesioned(agent: Agent, *names: str, apart: bool = False) -> Agent:
    """Another agent that shares senses, codebook, weights and, unless that is what is cut, memory; a name with ``=`` in
    it is an override line. ``apart``: it has a copy of the memory to live on with."""
    lines, known = [name for name in names if "=" in name], [name for name in names if "=" not in name]
    config = load(settings_of(agent.config), *lines, {"lesion": [*agent.config.lesion, *known]})
    memory, h = agent.hippocampus, config.hippocampus
    # Statistics are kept as the settings say: under others they are counted again, from a copy of the rows.
    alike = (h, config.multimodal) == (agent.config.hippocampus, agent.config.multimodal)
    anew = h.capacity > 0 and (apart or not alike)
    rows = keep.twin(keep.rows_of(agent), h.situations) if anew else None
    other = build(config, agent.observation_space, agent.space, rows=rows, like=agent)
    other.hippocampus.day, other.hippocampus.environment = memory.day, memory.environment
    if anew:
        keep.awaken(other)
    return replace(other, bodies=agent.bodies)


def _bodies(env: Environment, config: Config) -> Bodies:
    # An environment behind wrappers of its owner's may not be made a second time: it is one body.
    count = 1 if isinstance(env, gymnasium.Env) else config.life.bodies
    return make_vector(env, count, config.seed, held_out=0.0)
