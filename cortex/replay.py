"""Replay: stored episodes run through short-term memory again, many at a time, as they were lived."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cortex.modules.hippocampus.gist import Gist
from cortex.modules.hippocampus.moments import STEP
from cortex.modules.hippocampus.worlds import taught_of
from cortex.types import Array, Episode, Sensed, State, take

if TYPE_CHECKING:
    from cortex.agent import Agent

BATCH = 128
"""Episodes replayed side by side."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of several episodes; ``rows`` [n] says which of them."""

    rows: Array  # [n] index of the episode
    situation: Array  # [n] int32, the same for all
    t: int
    before: State
    latent: Array  # [n, D] the percept
    action: Array  # [n]
    reward: Array  # [n]
    terminated: Array  # [n]
    after: State
    latent_after: Array  # [n, D]


def moments(agent: Agent, episodes: Sequence[Episode], around: bool = True) -> Iterator[Moment]:
    """Every step of ``episodes``, those of one situation together, BATCH episodes at a time, in the order of their
    steps. Without ``around`` the scenes of the states are those that were seen, though there be a map."""
    context, multimodal, steady = agent.context, agent.multimodal, agent.hippocampus.own_body.volatility.steady
    situations = np.array([episode.situation for episode in episodes])
    batches = [
        rows[start : start + BATCH]
        for situation in np.unique(situations)
        for rows in [np.flatnonzero(situations == situation)]
        for start in range(0, len(rows), BATCH)
    ]
    for members in batches:
        batch = [episodes[row] for row in members]
        situation = batch[0].situation
        motions = agent.imagination.motions(situation)
        order = np.argsort(
            [-len(e.action) for e in batch], kind="stable"
        )  # longest first: those that go on stay in front
        lengths = np.array([len(batch[i].action) for i in order])
        carry = context.initial(len(batch))
        codes = steady(np.stack([batch[i].codes[0] for i in order]))
        scene = context.scene(codes)
        percept = multimodal(scene)
        carry, before = context(carry, Sensed(scene, percept, codes), np.ones(len(batch), bool), motions, around)
        for t in range(int(lengths.max(initial=0))):
            live = int((lengths > t).sum())
            alive = order[:live]
            action = np.array([batch[i].action[t] for i in alive], np.int64)
            carry = replace(take(carry, slice(live)), action=action)
            codes = steady(np.stack([batch[i].codes[t + 1] for i in alive]))
            latent = percept.latent[:live]
            scene = context.scene(codes)
            percept = multimodal(scene)
            carry, after = context(carry, Sensed(scene, percept, codes), np.zeros(live, bool), motions, around)
            yield Moment(
                rows=members[alive],
                situation=np.full(live, situation, np.int32),
                t=t,
                before=take(before, slice(live)),
                latent=latent,
                action=action,
                reward=np.array([batch[i].reward[t] for i in alive], np.float32),
                terminated=np.array([batch[i].terminated and t == len(batch[i].action) - 1 for i in alive]),
                after=after,
                latent_after=percept.latent,
            )
            before = after


def relearn(agent: Agent) -> None:
    """Compute every statistic of the hippocampus anew, from its rows and from what is not finished yet."""
    memory = agent.hippocampus
    schemas = [(world.motions, world.rows, world.steps, world.readings) for world in memory.worlds]
    memory.clear()
    if memory.capacity == 0:
        return
    for schema in schemas:
        world = memory.enter(len(memory.worlds))
        world.motions, world.rows, world.steps, world.readings = schema
    for situation in sorted(memory.gists):
        memory.enter(situation)
    numbers = memory.store.episodes()
    kept = [memory.store.read(number) for number in numbers]
    for number, episode in zip(numbers, kept, strict=True):
        memory.moments.enter(number, episode)
    unfinished = memory.unfinished_episodes()
    episodes, begun = kept + unfinished, memory.moments.first(numbers, unfinished)
    code = [np.zeros(len(e.action), np.int64) for e in episodes]
    counted = memory.counted(episodes)
    for m in moments(agent, episodes, around=False):
        when = np.column_stack([begun[m.rows] + m.t * STEP, begun[m.rows]])
        step = m.before, m.latent, m.situation, m.action, m.reward, m.terminated, m.after, m.latent_after
        memory.learn(*step, when, counted[m.rows])
        for i, row in enumerate(m.rows):
            code[row][m.t] = m.before.code[i]
            if m.t == 0:
                memory.situations.learn(int(m.situation[i]), m.latent[i], m.before.codes[i, memory.grid])
    for row, episode in enumerate(episodes):
        memory.largest_reward = max(memory.largest_reward, float(np.abs(episode.reward).max(initial=0)))
        if row < len(kept):
            memory.credit(episode, numbers[row], code[row])
        else:
            memory.unfinished[episode.body].code = code[row].tolist()
    if changed := memory.own_body.hold():  # nobody knew it when the rows were read
        relearn_worlds(agent, changed)


def relearn_worlds(agent: Agent, situations: Sequence[int]) -> None:
    """The same for what is known of some situations alone: their body schemas are others than before."""
    memory = agent.hippocampus
    numbers = [number for s in situations for number in memory.enter(s).episodes]
    episodes = [memory.store.read(number) for number in numbers]
    fresh = np.flatnonzero(~memory.counted(episodes))
    numbers, episodes = [numbers[row] for row in fresh], [episodes[row] for row in fresh]
    unfinished = [e for e in memory.unfinished_episodes() if e.situation in situations]
    begun, episodes = memory.moments.first(numbers, unfinished), episodes + unfinished
    for situation in situations:
        memory.renew(situation)
    for m in moments(agent, episodes, around=False):
        when = np.column_stack([begun[m.rows] + m.t * STEP, begun[m.rows]])
        memory.learn_worlds(m.before, m.situation, m.action, m.reward, m.terminated, m.after, when)


def fold(agent: Agent, gone: Collection[int]) -> dict[int, Gist]:
    """The gists of the situations of which the memories ``gone`` will be given up."""
    memory = agent.hippocampus
    folded: dict[int, Gist] = {}
    for situation in sorted({memory.store.read(number).situation for number in gone}) if memory.gist else ():
        numbers = memory.world(situation).episodes
        episodes = [memory.store.read(number) for number in numbers]
        fresh = np.flatnonzero(~memory.counted(episodes))
        begun, motions = memory.moments.first([numbers[row] for row in fresh]), memory.own_body.motions(situation)
        if not motions.resolved:
            continue  # nothing was taught yet
        taught = []
        for m in moments(agent, [episodes[row] for row in fresh], around=False):
            if m.before.place is not None and m.after.place is not None:
                when = np.column_stack([begun[m.rows] + m.t * STEP, begun[m.rows]])
                came = m.action, m.reward, m.terminated, when
                taught.append(taught_of(motions, situation, m.before.place, m.after.place, *came))
        folded[situation] = memory.fold(situation, taught)
    return folded
