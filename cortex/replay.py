"""Replay: stored episodes run through short-term memory again, many at a time, as they were lived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cortex.modules.context import Context
from cortex.modules.hippocampus.memory import Hippocampus
from cortex.modules.multimodal import Multimodal
from cortex.types import Array, Episode, Motions, State, take

BATCH = 128
"""Episodes replayed side by side."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of several episodes; ``rows`` [n] says which of them."""

    rows: Array  # [n] index of the episode
    t: int
    before: State
    latent: Array  # [n, D] the percept
    action: Array  # [n]
    reward: Array  # [n]
    terminated: Array  # [n]
    after: State
    latent_after: Array  # [n, D]


def moments(
    episodes: Sequence[Episode], context: Context, multimodal: Multimodal, motions: Motions
) -> Iterator[Moment]:
    """Every step of ``episodes``, BATCH episodes at a time, in the order of their steps."""
    for start in range(0, len(episodes), BATCH):
        batch = episodes[start : start + BATCH]
        order = np.argsort(
            [-len(e.action) for e in batch], kind="stable"
        )  # longest first: those that go on stay in front
        lengths = np.array([len(batch[i].action) for i in order])
        carry = context.initial(len(batch))
        codes = np.stack([batch[i].codes[0] for i in order])
        percept = multimodal(context.scene(codes))
        carry, before = context.step(carry, codes, percept, np.ones(len(batch), bool), motions)
        for t in range(int(lengths.max(initial=0))):
            live = int((lengths > t).sum())
            alive = order[:live]
            action = np.array([batch[i].action[t] for i in alive], np.int64)
            carry = replace(take(carry, slice(live)), action=action)
            codes = np.stack([batch[i].codes[t + 1] for i in alive])
            latent = percept.latent[:live]
            percept = multimodal(context.scene(codes))
            carry, after = context.step(carry, codes, percept, np.zeros(live, bool), motions)
            yield Moment(
                rows=start + alive,
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


def relearn(hippocampus: Hippocampus, context: Context, multimodal: Multimodal, motions: Motions) -> None:
    """Compute every statistic of the hippocampus anew, from its rows and from what is not finished yet."""
    hippocampus.clear()
    if hippocampus.capacity == 0:
        return
    numbers = hippocampus.store.episodes()
    kept = [hippocampus.store.read(number) for number in numbers]
    episodes = kept + hippocampus.unfinished_episodes()
    code = [np.zeros(len(e.action), np.int64) for e in episodes]
    situation = np.array([e.situation for e in episodes], np.int64)
    for m in moments(episodes, context, multimodal, motions):
        hippocampus.learn(
            m.before, m.latent, situation[m.rows], m.action, m.reward, m.terminated, m.after, m.latent_after
        )
        for i, row in enumerate(m.rows):
            code[row][m.t] = m.before.code[i]
            if m.t == 0:
                hippocampus.situations.learn(int(situation[row]), m.latent[i])
    for row, episode in enumerate(episodes):
        hippocampus.largest_reward = max(hippocampus.largest_reward, float(np.abs(episode.reward).max(initial=0)))
        if row < len(kept):
            hippocampus.credit(episode, numbers[row], code[row])
