"""What the small peers share: the loop over a vector of bodies, episodes as records, how actions are drawn."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from scipy import sparse

from cortex.measure.protocol import Bodies, Played
from cortex.types import Array, CortexError


@dataclass(frozen=True, slots=True)
class Now:
    """What B bodies perceive before they act."""

    seen: Array  # [B, F] float32 features
    first: Array  # [B] bool, an episode begins here
    idle: Array  # [B] bool, the episode is over: the next step begins another and ignores the action
    action: Array  # [B] int64 that led here, -1 where first
    reward: Array  # [B] float32 that it brought, 0 where first


@dataclass(frozen=True, slots=True)
class Episode:
    """T actions and the T + 1 observations around them; features are mostly zeros and kept sparse."""

    seen: Any  # [T + 1, F] float32, scipy csr
    action: Array  # [T] int64
    reward: Array  # [T] float32
    terminated: bool
    success: bool
    body: int
    waking: int  # how many wakings the learner had before this one

    def returns(self, discount: float) -> Array:
        """Discounted return [T] from each step to the end of the episode."""
        found = np.zeros(len(self.reward), np.float32)
        ahead = 0.0
        for t in range(len(self.reward) - 1, -1, -1):
            found[t] = ahead = float(self.reward[t]) + discount * ahead
        return found

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays hold."""
        parts = (self.seen.data, self.seen.indices, self.seen.indptr, self.action, self.reward)
        return sum(part.nbytes for part in parts)


See = Callable[[Any], Array]
"""Batched observation -> features [B, F]."""

Act = Callable[[Now], Array]
"""What is perceived -> actions [B], from 0."""


def living(
    bodies: Bodies, see: See, act: Act, seed: int, waking: int = 0
) -> Iterator[tuple[int, list[tuple[Episode, Played]]]]:
    """Act, step by step and without end; yields the actions so far and the episodes that ended with the last one.

    The step on which gymnasium's NEXT_STEP mode begins a new episode is neither counted nor part of an episode.
    """
    observation, _ = bodies.reset(seed=seed)
    count, start = bodies.num_envs, getattr(bodies.single_action_space, "start", 0)
    now = Now(see(observation), np.ones(count, bool), np.zeros(count, bool), np.full(count, -1), np.zeros(count))
    seen: list[list[Array]] = [[now.seen[b].copy()] for b in range(count)]
    actions: list[list[int]] = [[] for _ in range(count)]
    rewards: list[list[float]] = [[] for _ in range(count)]
    total = 0
    while True:
        action = np.asarray(act(now), np.int64)
        observation, reward, terminated, truncated, info = bodies.step(action + start)
        success = info.get("success", np.zeros(count, bool))
        features = see(observation)
        valid, ended = ~now.idle, (terminated | truncated) & ~now.idle
        total += int(valid.sum())
        finished = []
        for b in range(count):
            if not valid[b]:
                seen[b], actions[b], rewards[b] = [features[b].copy()], [], []
                continue
            seen[b].append(features[b].copy())
            actions[b].append(int(action[b]))
            rewards[b].append(float(reward[b]))
            if ended[b]:
                won = bool(success[b])
                episode = Episode(
                    sparse.csr_array(np.stack(seen[b])),
                    np.array(actions[b], np.int64),
                    np.array(rewards[b], np.float32),
                    bool(terminated[b]),
                    won,
                    b,
                    waking,
                )
                finished.append((episode, Played(total, len(actions[b]), float(sum(rewards[b])), won)))
        yield total, finished
        gained = np.where(valid, reward, 0).astype(np.float32)
        now = Now(features, ~valid, ended, np.where(valid, action, -1), gained)


def wake(
    bodies: Bodies,
    see: See,
    act: Act,
    learn: Callable[[Episode], object],
    steps: int,
    seed: int,
    on_episode: Callable[[Played], object],
    waking: int = 0,
) -> int:
    """Live ``steps`` actions of all bodies, learning from every finished episode; returns the actions lived.

    The episode that the end of the day cuts off is not learned from.
    """
    total = 0
    if steps <= 0:
        return total
    for total, finished in living(bodies, see, act, seed, waking):
        for episode, played in finished:
            learn(episode)
            on_episode(played)
        if total >= steps:
            break
    return total


def exam(bodies: Bodies, see: See, act: Act, episodes: int, seed: int) -> list[Played]:
    """Play ``episodes`` episodes; every body has the same number, or one less: the first to end are the short ones."""
    quota = np.full(bodies.num_envs, episodes // bodies.num_envs)
    quota[: episodes % bodies.num_envs] += 1
    counted: list[Played] = []
    if episodes <= 0:
        return counted
    for _, finished in living(bodies, see, act, seed):
        for episode, played in finished:
            if quota[episode.body]:
                quota[episode.body] -= 1
                counted.append(played)
        if not quota.any():
            break
    return counted


def draw(chances: Array, rng: np.random.Generator) -> Array:
    """One action [B] from each row of ``chances`` [B, A], which sum to 1."""
    edges = np.cumsum(chances, axis=1)
    return (rng.random((len(chances), 1)) * edges[:, -1:] >= edges).sum(axis=1)


def greedy(values: Array, epsilon: float, rng: np.random.Generator) -> Array:
    """The best action [B] of ``values`` [B, A], ties broken by lot, or with chance ``epsilon`` any."""
    lot = rng.random(values.shape)
    best = np.where(values >= values.max(axis=1, keepdims=True), lot, -1).argmax(axis=1)
    return np.where(rng.random(len(values)) < epsilon, lot.argmax(axis=1), best)


def softmax(logits: Array) -> Array:
    """Chances [B, A] of logits [B, A]."""
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def actions_of(space: Any) -> int:
    """How many actions a space of one body has; CortexError where they cannot be counted."""
    if not isinstance(space, spaces.Discrete):
        raise CortexError(f"this peer chooses among Discrete actions and was given {space}; wrap the environment")
    return int(space.n)


def settings(given: Mapping[str, str], **known: float) -> dict[str, Any]:
    """Read ``key=value`` words over the defaults, by their types; a dot in a key stands for an underscore.

    Raises CortexError for unknown keys and for what is no number from 0 on.
    """
    values: dict[str, Any] = dict(known)
    for key, word in given.items():
        name = key.replace(".", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise CortexError(f"there is no setting {key!r}; the nearest one is {near[0]!r}")
        kind = type(known[name])
        try:
            values[name] = kind(word)
        except ValueError:
            values[name] = -1
        if not 0 <= values[name] < float("inf"):
            what = "a whole number" if kind is int else "a number"
            raise CortexError(f"the setting {key} is {word!r} and should be {what} from 0 on")
    return values


def save_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    """Write episodes as one npz file."""
    if not episodes:
        save_arrays(path, length=np.zeros(0, np.int64))
        return
    seen = sparse.csr_array(sparse.vstack([e.seen for e in episodes]))
    facts = np.array([(e.terminated, e.success, e.body, e.waking) for e in episodes], np.int64)
    save_arrays(
        path,
        length=np.array([len(e.action) for e in episodes]),
        facts=facts,
        action=np.concatenate([e.action for e in episodes]),
        reward=np.concatenate([e.reward for e in episodes]),
        data=seen.data,
        indices=seen.indices,
        indptr=seen.indptr,
        width=seen.shape[1],
    )


def load_episodes(path: Path) -> list[Episode]:
    """Read what ``save_episodes`` wrote; CortexError where it did not."""
    held = load_arrays(path)
    if not len(held["length"]):
        return []
    rows = len(held["indptr"]) - 1
    seen = sparse.csr_array((held["data"], held["indices"], held["indptr"]), shape=(rows, int(held["width"])))
    episodes, row, step = [], 0, 0
    for length, (terminated, success, body, waking) in zip(held["length"], held["facts"]):
        action, reward = (held[name][step : step + length] for name in ("action", "reward"))
        part = seen[row : row + length + 1]
        episodes.append(Episode(part, action, reward, bool(terminated), bool(success), int(body), int(waking)))
        row, step = row + length + 1, step + length
    return episodes


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays and numbers as one npz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def load_arrays(path: Path) -> dict[str, Array]:
    """Every array of an npz file; CortexError where there is none to read."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return dict(held)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CortexError(f"{path} holds no saved arrays ({error}); load a folder that the same peer saved") from error
