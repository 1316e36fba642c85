"""What of an agent lasts, and the way back: weights, words and rows; all else follows from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cortex.agent import Agent
from cortex.config import Config, to_yaml
from cortex.modules.encoders.text import TextEncoder
from cortex.replay import relearn
from cortex.store import Checkpoint, Rows, checkpoint, files, spaces
from cortex.types import CortexError

CONFIG, MEMORY = "config.yaml", "memory.sqlite"


def rows_of(agent: Agent) -> Rows:
    """Where the agent's memories are kept."""
    store = agent.hippocampus.store
    if not isinstance(store, Rows):
        raise CortexError("only an agent whose memory stands in Rows can be kept; build it with rows=Rows(path)")
    return store


def rows_in(folder: Path) -> Rows:
    """The memories kept in ``folder``. Raises CortexError where the weights that came of them stand there alone."""
    path = folder / MEMORY
    if (folder / "checkpoints").is_dir() and not path.exists():
        raise CortexError(f"{path} is missing beside its checkpoints; restore it from a backup")
    return Rows(path)


def awaken(agent: Agent) -> None:
    """Compute everything that is known anew from the rows: what has lasted is all that is left of yesterday."""
    agent.hippocampus.flush()
    agent.hippocampus.recollect()
    relearn(agent)


def save_config(folder: Path, config: Config) -> None:
    """Write the resolved config beside the results."""
    files.make_folder(folder)
    files.replace(folder / CONFIG, to_yaml(config).encode())


def save(agent: Agent, folder: Path, **more: Any) -> None:
    """Save the weights and what must be known to build the agent again; the rows first, since weights came of them."""
    memory, rows, words = agent.hippocampus, rows_of(agent), _words(agent)
    memory.keep_tokens()
    if words != rows.get("words", {}):
        rows.put("words", words)
    rows.commit()
    state = {
        "observation_space": spaces.encode(agent.observation_space),
        "action_space": spaces.encode(agent.space),
        "day": memory.day,
        "environment": memory.environment,
        "own": agent.own.names,
        **more,
    }
    checkpoint.save(folder, agent.weights(), state)


def restore(agent: Agent, found: Checkpoint) -> None:
    """Put weights, words and day back, and compute the rest from the rows. Raises CortexError if they do not fit."""
    import torch

    try:
        agent.restore({name: torch.from_numpy(np.array(value)) for name, value in found.weights.items()})
        agent.hippocampus.day = int(found.state["day"])
        agent.hippocampus.environment = int(found.state["environment"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CortexError(
            f"{found.path} does not fit the agent of its config ({reason}); restore both from a backup"
        ) from error
    hear(agent)
    awaken(agent)


def twin(rows: Rows, situations: int = 2**31) -> Rows:
    """The same memories in RAM, to be changed without changing the original; ``situations`` of them are told apart from
    the first."""
    copy = Rows(None, commit_every=2**62)
    copy.put_tokens(1, rows.tokens()[1:])
    episodes = [rows.read(number) for number in rows.episodes()]
    apart = all(episode.situation <= situations for episode in episodes)
    for known in ("words", "pruned", "relied", "bodies", "gists") if apart else ("words",):
        copy.put(known, rows.get(known, {}))
    for episode in episodes:
        copy.add(replace(episode, situation=min(episode.situation, situations)))
    return copy


def _texts(agent: Agent) -> list[TextEncoder]:
    return [part.encoder for part in agent.senses.parts if isinstance(part.encoder, TextEncoder)]


def _words(agent: Agent) -> dict[str, list[int]]:
    """Every text heard so far, as codes: embedded anew elsewhere, it might differ in its last bits and mean nothing."""
    heard = {text: vector for encoder in _texts(agent) for text, vector in encoder.cache.items()}
    width = agent.codebook.vectors.shape[1]
    padded = {text: np.pad(vector, (0, -len(vector) % width)).reshape(-1, width) for text, vector in heard.items()}
    return {text: agent.codebook.encode(tokens).tolist() for text, tokens in padded.items()}


def hear(agent: Agent) -> None:
    """Know the words again that the rows were lived with."""
    for encoder in _texts(agent):
        for text, codes in rows_of(agent).get("words", {}).items():
            encoder.cache[text] = agent.codebook.decode(np.array(codes)).reshape(-1).copy()
