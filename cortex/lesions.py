"""Lesions: each part of the mind silenced by one line, because at zero each part is neutral by construction."""

from __future__ import annotations

LESIONS: dict[str, str] = {
    "words": "encoders.words=0",  # no sentence is read
    "sound": "encoders.bands=0",  # nothing is heard
    "hippocampus": "hippocampus.capacity=0",  # every morning is the first
    "change": "hippocampus.change=0",  # what comes out otherwise than before is chance, and nothing is superseded
    "likeness": "hippocampus.levels=[]",  # what was learned of a thing is not expected of its like
    "salience": "hippocampus.reservoir=1",  # what is kept is drawn by lot
    "curiosity": "planner.novelty=0",  # what was never tried is not tried for its own sake
    "planner": "planner.simulations=0",  # the habit acts alone
    "context": "context.length=0",  # only the present scene
    "night": "sleep.steps=0",  # weights never change
    "world_model": "world_model.trust=0",  # search believes memory alone
    "body_image": "body_image.trust=2",  # without memory it does not know which of the things in view it is
    "habit": "habit.trust=2",  # no confidence reaches it: every decision is searched
    "dream": "sleep.dream=0",  # the night sees only states that were lived
    "guard": "sleep.guard=1",  # no night is rolled back
}
"""Name of the lesion -> the override line that makes it; ``lesion=NAME`` applies it last."""
