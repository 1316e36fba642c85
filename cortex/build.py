"""From a config and the spaces of an environment to an agent: the only place where settings become parts."""

from __future__ import annotations

from typing import Any

from cortex.agent import Agent
from cortex.binding import bind, taught
from cortex.config import Config
from cortex.imagination import Imagination
from cortex.modules.body_image import BodyImage
from cortex.modules.codebook import Codebook
from cortex.modules.context import Context
from cortex.modules.encoders import Senses
from cortex.modules.habit import LISTS, HabitPolicy
from cortex.modules.hippocampus.memory import Hippocampus
from cortex.modules.motor import Codec, Motor
from cortex.modules.world_model import WorldModel
from cortex.own import Own
from cortex.store.rows import Rows
from cortex.types import MODALITIES


def build(
    config: Config,
    observation_space: Any,
    action_space: Any,
    rows: Rows | None = None,
    like: Agent | None = None,
    own: Own | None = None,
) -> Agent:
    """Make the agent for the spaces of one body. ``rows``: where its memories are kept; in memory alone without.

    ``like``: an agent for the same spaces whose senses, codebook and networks the new one shares, and its hippocampus
    too where it is set alike and no ``rows`` are given; and what it has of its user's ``own``, if none is given.
    """
    own = own or (like.own if like else Own())
    codec = Codec(action_space)
    actions = codec.actions
    e = config.encoders
    senses = (
        like.senses
        if like and like.config.encoders == e
        else Senses.for_space(
            observation_space,
            text_model=e.text,
            image_model=e.image,
            text_cache=like.senses.texts if like else None,
            sound=e.sound,
            bands=e.bands,
            tile=e.tile,
            words=e.words,
            cells=e.cells,
            entries=e.entries,
            own=own.encoders,
        )
    )
    memories = Rows(None) if rows is None else rows
    codebook = like.codebook if like else Codebook()
    if like is None and len(memories.tokens()) > 1:
        codebook.load(memories.tokens())
    multimodal = bind(config.multimodal.encoder, config.multimodal.width, taught(senses))
    c = config.context
    context = Context(
        senses.layout, codebook, config.multimodal.width, c.length, c.decay, c.size, c.surroundings, c.tokens
    )
    h = config.hippocampus
    hippocampus = Hippocampus(
        memories,
        codebook,
        senses.layout,
        actions,
        width=config.multimodal.width,
        capacity=h.capacity,
        recall=h.recall,
        levels=h.levels,
        discount=config.planner.discount,
        change=h.change,
        channels=senses.channels,
        naming=h.naming,
        gist=h.gist,
        situations=h.situations,
    )
    if like and rows is None and (like.config.hippocampus, like.config.multimodal) == (h, config.multimodal):
        hippocampus = like.hippocampus
    grid = bool((senses.layout.modality == MODALITIES["grid"]).any())
    words = int((senses.layout.modality == MODALITIES["text"]).sum())
    focus = 3 + words if grid else len(senses.layout.modality)
    w = config.world_model
    lists = max(LISTS, int(senses.layout.modality.max()))
    habits = config.habit
    habit = like.habit if like else HabitPolicy(actions, habits.width, config.seed, lists, habits.rounds)
    cells, b = len(context.grid), config.body_image
    body_image = like.body_image if like else BodyImage(cells, width=b.width, seed=config.seed)
    world_model = (
        like.imagination.world_model
        if like
        else WorldModel(actions, focus, width=w.width, ensemble=w.ensemble, seed=config.seed)
    )
    p = config.planner
    imagination = Imagination(
        hippocampus,
        world_model,
        codebook,
        actions,
        novelty=p.novelty,
        event=p.event,
        frontier=p.frontier,
        trust=w.trust,
    )
    motor = Motor(codec, config.motor.temperature, min(p.depth, 1 + config.motor.length), config.motor.inhibition)
    return Agent(
        config,
        senses,
        multimodal,
        codebook,
        context,
        hippocampus,
        habit,
        body_image,
        imagination,
        motor,
        action_space,
        observation_space,
        own,
    )
