"""Imagined scenes that have no identity: where a scene hardly ever comes back, no table tells that two lines meet.

There the learned world model is searched in its own tokens by Gumbel search, and the habit says what is likely to be
done in an imagined scene and what it is worth. Where memory holds exactly this scene and action it still overrides.
"""

from __future__ import annotations

import numpy as np

from cortex.imagination import WholeModel
from cortex.modules import gumbel
from cortex.modules.habit import HabitPolicy
from cortex.types import Array, Plan, Scene

ENOUGH = 16
"""Most simulations of a decision, since each round of them waits for the networks; CartPole-v1 needs no more."""
COME_BACK = 0.05
"""Share of steps that repeat an action in the same scene, from which scenes count as coming back."""
LEAST = 1e-6
"""Least prior of an action."""


def fits(model: WholeModel) -> bool:
    """Whether search in latents serves: the cortex learned to foretell these scenes, hardly any comes back, and
    something pays."""
    memory = model.parts.hippocampus
    return model.foretells and memory.scenes.repeated < COME_BACK and memory.largest_reward > 0


def search(model: WholeModel, habit: HabitPolicy, simulations: int, discount: float) -> Plan:
    """Search from the present of all bodies of ``model``, by the habit's prior and value."""
    latents = LatentModel(model, habit, discount)
    roots = latents.roots()
    logits, value = latents.judge(roots["tokens"])
    return gumbel.search(latents, roots, logits, value, min(simulations, ENOUGH))


class LatentModel:
    """Latents are records: the scene's ``code`` and its ``tokens`` [N, E]."""

    def __init__(self, whole: WholeModel, habit: HabitPolicy, discount: float) -> None:
        self.whole, self.habit, self.discount = whole, habit, discount

    def roots(self) -> Array:
        """One latent a body: the present."""
        state = self.whole.state
        return self._records(state.code, state.scene.tokens)

    def judge(self, tokens: Array) -> tuple[Array, Array]:
        """The habit's logits [M, A] and value [M], in units of reward, for tokens [M, N, E]."""
        scene, count = self.whole.state.scene, len(tokens)
        beside = (np.broadcast_to(a[:1], (count, *a.shape[1:])) for a in (scene.position, scene.modality, scene.mask))
        habit = self.habit(Scene(tokens, *beside))
        return np.log(np.maximum(habit.prior, LEAST)), habit.value * self.whole.unit

    def step(self, latent: Array, action: Array) -> gumbel.Step:
        """What actions [M] lead to: a line ends where it is not known what happens, and that may be worth finding
        out."""
        told = self.whole.imagine(latent["code"], latent["tokens"], action)
        logits, value = self.judge(told.tokens)
        sure = 1 - told.novelty
        return gumbel.Step(
            self._records(told.code, told.tokens),
            sure * told.reward + told.bonus,
            self.discount * sure * (1 - told.ended),
            logits,
            value,
        )

    def _records(self, code: Array, tokens: Array) -> Array:
        records = np.empty(len(code), [("code", np.int64), ("tokens", np.float32, tokens.shape[1:])])
        records["code"], records["tokens"] = code, tokens
        return records
