"""Mirrored worlds: where nothing tells directions apart, what is best in a scene is best in the scene turned round.

The body schema says which action is to a turned or mirrored scene what another is to the scene as it is. Memory keys
its rules by what an action does and not by where it points to, so that search would say the same of both; to imagine
the other one costs nothing (mental rotation, Shepard & Metzler 1971; symmetries as data, van der Pol 2020).
"""

from __future__ import annotations

import numpy as np

from cortex.types import MODALITIES, SYMMETRIES, Array, Motions, Scene

SAME = -1
"""Stands for each action under a symmetry of which there is none."""


def mirrors(motions: Motions) -> Array:
    """Of which action each one is, under each of `SYMMETRIES`, what that was before [8, A]; -1 for the whole of a
    symmetry that the body does not have. Where the view turns with the agent, only what mirrors it is another scene."""
    actions, reaches = motions.go.shape[1], (motions.reach != 0).any(axis=(0, 2))
    found = np.full((len(SYMMETRIES), actions), SAME, np.int16)
    found[0] = np.arange(actions)
    for number, symmetry in enumerate(SYMMETRIES):
        faces = motions.facing @ symmetry.T
        if not motions.shown and (faces[0] != motions.facing[0]).any():
            continue
        alike = (faces[:, None] == motions.facing[None]).all(axis=-1)  # headings before and after
        if (alike.sum(axis=1) != 1).any():
            continue
        heading = alike.argmax(axis=1)
        same = (motions.verb[:, None] == motions.verb) | ~(reaches[:, None] | reaches)  # actions before and after
        same &= (heading[motions.turn][..., None] == motions.turn[heading][:, None]).all(axis=0)
        for what in (motions.go, motions.reach):
            same &= ((what @ symmetry.T)[:, :, None] == what[heading][:, None]).all(axis=(0, -1))
        same = np.where(np.diag(same)[:, None], np.eye(actions, dtype=bool), same)  # what does nothing stays itself
        if (same.sum(axis=0) == 1).all() and (same.sum(axis=1) == 1).all():
            found[number] = same.argmax(axis=0)
    return found


def of_scenes(scene: Scene, motions: Motions) -> Array:
    """The `mirrors` of each scene [n, 8, A]: none of one with other senses than a map and words, which may tell where
    things lie as well."""
    turns = np.isin(scene.modality, [MODALITIES["grid"], MODALITIES["text"]]) | ~scene.mask
    alike = np.repeat(mirrors(motions)[None], scene.bodies, axis=0)
    alike[~turns.all(axis=1), 1:] = SAME
    return alike


def none(scenes: int, actions: int) -> Array:
    """As of ``scenes`` that are not to be seen otherwise than they are [n, 8, A]."""
    alike = np.full((scenes, len(SYMMETRIES), actions), SAME, np.int16)
    alike[:, 0] = np.arange(actions)
    return alike
