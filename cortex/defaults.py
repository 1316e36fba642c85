"""Every setting with its default, its meaning and its range; named blocks of overrides."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from cortex.lesions import LESIONS


def setting(default: Any, meaning: str, least: float = -math.inf, most: float = math.inf) -> Any:
    """A dataclass field that knows what it means and which values, both ends included, it takes."""
    metadata = {"meaning": meaning, "least": least, "most": most}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Encoders:
    """The frozen senses."""

    text: str = setting("minilm", "sentence encoder: minilm (packaged), a hub id or a folder")
    image: str = setting(
        "small", "encoder of pictures without tiles: small (packaged), or a CLIP, SigLIP or DINOv2 by hub id or folder"
    )
    words: int = setting(1000, "words of a sentence that are read; 0 = none", least=0)
    cells: int = setting(
        10_000, "cells of a grid and patches of a picture that are seen, those in the middle first; 0 = blind", least=0
    )
    entries: int = setting(10_000, "entries of vectors and symbols that are felt; 0 = none", least=0)
    sound: list[str] = setting([], "keys of the observation that are heard; . = one without keys")
    tile: int = setting(
        -1, "pixels along a tile of a picture; 0 = made of no tiles, -1 = found by a first look around", least=-1
    )
    bands: int = setting(24, "bands of frequencies told apart in sounds; 0 = deaf", least=0, most=64)


@dataclass(frozen=True)
class Multimodal:
    """What binds the senses."""

    encoder: str = setting(
        "random",
        "what makes one latent of all senses: random (fixed), aligned (packaged, taught on MiniGrid), or a safetensors"
        " file of experiments.pretrain_multimodal",
    )
    width: int = setting(64, "width of the latent; 0 = the senses are not bound to one", least=0)


@dataclass(frozen=True)
class Context:
    """Short-term memory."""

    length: int = setting(1000, "steps that the map and the trace reach back; 0 = only the present scene", least=0)
    decay: float = setting(0.9, "share of the trace that outlasts a step", least=0, most=1)
    size: int = setting(64, "side of the map of surroundings, in cells", least=1)
    surroundings: int = setting(6, "radius of the egocentric window on the map, in cells", least=0)
    tokens: int = setting(64, "most tokens of the surroundings handed on", least=1)


@dataclass(frozen=True)
class Hippocampus:
    """What lasts for days."""

    capacity: int = setting(200_000, "steps kept; 0 = no memory", least=0)
    recall: int = setting(8, "memories recalled for a cue", least=1)
    situations: int = setting(10_000, "situations told apart from the first; 0 = all are one", least=0)
    reservoir: float = setting(0.2, "share of the capacity kept regardless of salience", least=0, most=1)
    fading: float = setting(1.0, "days by which a memory ages in a day; 0 = it does not fade", least=0)
    change: float = setting(3.0, "prior odds that what comes out otherwise has changed; 0 = all is chance", least=0)
    gist: int = setting(256, "different lessons of a situation that outlast its rows; 0 = none", least=0)
    naming: int = setting(
        0, "missions that must have paid before words are taken to name things; 0 = each mission is a symbol", least=0
    )
    levels: list[str] = setting(
        ["front carried", "front.0 front.2 carried.0"],
        "keys by which interactions carry over, beside whole tokens; .i = the i-th attribute of the token",
    )


@dataclass(frozen=True)
class Planner:
    """The slow system: search in imagined scenes."""

    simulations: int = setting(2048, "nodes of a decision; 0 = the habit alone", least=0)
    discount: float = setting(0.97, "worth of a reward one step later", least=0, most=0.9999)
    novelty: float = setting(0.5, "worth of doing what was never tried", least=0)
    event: float = setting(0.1, "worth of a change that memory has seen", least=0)
    frontier: float = setting(0.2, "worth of seeing what was never seen", least=0)
    width: int = setting(256, "most nodes of a layer and body", least=1)
    depth: int = setting(64, "most steps ahead", least=1)


@dataclass(frozen=True)
class WorldModel:
    """What happens next, learned by night."""

    width: int = setting(128, "hidden units of a layer", least=1)
    ensemble: int = setting(3, "networks whose disagreement says what is not known", least=1)
    trust: float = setting(0.1, "largest disagreement at which it is believed; 0 = never", least=0)


@dataclass(frozen=True)
class BodyImageSettings:
    """Which of the things in view am I, as the cortex knows it."""

    width: int = setting(64, "hidden units of a layer", least=1)
    trust: float = setting(0.5, "chance from which a thing is taken for the agent; above 1 = never", least=0)


@dataclass(frozen=True)
class HabitSettings:
    """The fast system: policy prior, value, confidence."""

    width: int = setting(48, "hidden units of a layer", least=1)
    rounds: int = setting(6, "rounds in which neighbours on a map talk; 0 = none", least=0)
    unsure: float = setting(
        0.0,
        "chance of its likeliest action below which, unable to search, it looks at a map from all sides; 0 = never",
        least=0,
    )
    trust: float = setting(0.9, "confidence from which it acts without search; above 1 = never", least=0)
    caution: float = setting(
        0.5, "chance from which a loss foreseen one step ahead keeps it from acting; above 1 = never", least=0
    )


@dataclass(frozen=True)
class Motor:
    """From plan to command."""

    temperature: float = setting(1.0, "1 = draws from the plan; 0 = always the best action", least=0)
    calm: float = setting(
        0.25, "share of the temperature where nothing is learned from what is tried, as in exams", least=0, most=1
    )
    inhibition: float = setting(
        0.5, "share by which a habit is the less followed each time that it was here before", least=0, most=1
    )
    length: int = setting(1000, "actions of a plan done without searching again, after its first; 0 = none", least=0)


@dataclass(frozen=True)
class Sleep:
    """The night."""

    steps: int = setting(2000, "updates a night; 0 = no night", least=0)
    seconds: float = setting(0.0, "most seconds that the habit learns; 0 = as many as its updates take", least=0)
    batch: int = setting(64, "states of an update", least=1)
    learning_rate: float = setting(0.003, "step size of the optimiser", least=0)
    bfloat16: bool = setting(True, "learn what neighbours say in bfloat16 where the processor has units for it (AMX)")
    states: int = setting(24000, "states searched again", least=0)
    balance: float = setting(1.0, "share of them chosen alike from all situations; 0 = by lot", least=0, most=1)
    today: float = setting(10.0, "how many times as many of a situation of today as of an older one", least=0)
    recent: float = setting(10.0, "how many times as often a lesson of today is drawn as an older one", least=0)
    need: float = setting(2.0, "how many times more of a situation that is said to come tomorrow; 0 = none", least=0)
    choice: float = setting(
        1.0,
        "how far lessons are dreamed and drawn by what is still to be learned, and doubted; 0 = by lot",
        least=0,
        most=1,
    )
    stakes: float = setting(1.0, "how far what can be lost in it counts in that; 0 = it is not looked for", least=0)
    mirror: bool = setting(True, "learn of each mapped scene turned and mirrored too, where the body allows it")
    search: float = setting(1.0, "nodes for each, as a share of planner.simulations; 0 = none is searched", least=0)
    distil: float = setting(1.0, "share of the updates made of the habit; 0 = it learns nothing", least=0, most=1)
    dream: float = setting(0.5, "least share of those states that are dreamed up; 0 = no dreams", least=0, most=1)
    sure: float = setting(0.9, "confidence from which the habit teaches itself what it knew; above 1 = never", least=0)
    probe: float = setting(0.1, "share of the states kept aside to judge the night", least=0, most=1)
    guard: float = setting(
        0.05, "largest loss of agreement before the night is rolled back; 1 = never", least=0, most=1
    )
    world_model_steps: int = setting(500, "updates of the world model a night; 0 = none", least=0)
    body_steps: int = setting(500, "updates of the body image a night; 0 = none", least=0)
    prune: float = setting(1.0, "share of what exceeds the capacity that is forgotten; 0 = nothing", least=0, most=1)


@dataclass(frozen=True)
class LifeSettings:
    """Days and nights over environments."""

    tasks: list[str] = setting([], "environment ids")
    days: int = setting(3, "days, each with a night after it", least=1)
    steps: int = setting(3000, "steps of a task and day", least=1)
    bodies: int = setting(8, "copies of the environment lived at once", least=1)
    exam: int = setting(60, "episodes of an exam; 0 = no exams", least=0)
    held_out: float = setting(0.25, "share of layouts kept for exams; 0 = none", least=0, most=1)
    controls: bool = setting(True, "run the controls: constant actions, no night, shuffled targets")
    watch: int = setting(0, "most steps recorded for `cortex watch`, spread over days and tasks; 0 = none", least=0)


@dataclass(frozen=True)
class Config:
    """All settings of a life, resolved."""

    seed: int = setting(0, "what all randomness derives from", least=0)
    folder: str = setting("", "where the life is kept")
    lesion: list[str] = setting([], "parts silenced: " + ", ".join(LESIONS))
    encoders: Encoders = field(default_factory=Encoders)
    multimodal: Multimodal = field(default_factory=Multimodal)
    context: Context = field(default_factory=Context)
    hippocampus: Hippocampus = field(default_factory=Hippocampus)
    planner: Planner = field(default_factory=Planner)
    world_model: WorldModel = field(default_factory=WorldModel)
    body_image: BodyImageSettings = field(default_factory=BodyImageSettings)
    habit: HabitSettings = field(default_factory=HabitSettings)
    motor: Motor = field(default_factory=Motor)
    sleep: Sleep = field(default_factory=Sleep)
    life: LifeSettings = field(default_factory=LifeSettings)


BLOCKS: dict[str, list[str]] = {
    "debug": [
        "life.tasks=[MiniGrid-Empty-5x5-v0]",
        "life.days=1",
        "life.steps=120",
        "life.bodies=2",
        "life.exam=4",
        "life.held_out=0",
        "hippocampus.capacity=2000",
        "planner.simulations=32",
        "habit.width=16",
        "world_model.width=16",
        "world_model.ensemble=2",
        "sleep.steps=20",
        "sleep.batch=32",
        "sleep.states=64",
        "sleep.world_model_steps=10",
        "sleep.body_steps=10",
    ],
    "demo": [
        "life.tasks=[MiniGrid-GoToDoor-5x5-v0,MiniGrid-MultiRoom-N2-S4-v0,MiniGrid-KeyCorridorS3R1-v0]",
        "life.days=3",
        "life.steps=2000",
        "sleep.steps=2000",
        "life.bodies=8",
        "life.watch=1200",
    ],
    "minigrid": ["life.bodies=16"],
}
"""Name of the block -> its overrides."""


def _fields() -> dict[str, Any]:
    """Dotted key -> its dataclass field."""
    found = {}
    for top in fields(Config):
        if is_dataclass(top.default_factory):
            found.update({f"{top.name}.{low.name}": low for low in fields(top.default_factory)})
        else:
            found[top.name] = top
    return found


FIELDS = _fields()
"""Dotted key -> its dataclass field, in the order of the sections."""

SECTIONS = {key.split(".")[0] for key in FIELDS if "." in key}
"""Keys that only hold other keys."""
