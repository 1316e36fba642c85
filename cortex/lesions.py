"""Lesions: each part of the mind silenced by one line, because at zero each part is neutral by construction."""

from __future__ import annotations

LESIONS: dict[str, str] = {
    "sight": "encoders.cells=0",  # grids and pictures are not seen
    "words": "encoders.words=0",  # no sentence is read
    "sound": "encoders.bands=0",  # nothing is heard
    "numbers": "encoders.entries=0",  # vectors and symbols are not felt
    "binding": "multimodal.width=0",  # scenes have nothing in common but what is equal in them
    "hippocampus": "hippocampus.capacity=0",  # every morning is the first
    "change": "hippocampus.change=0",  # what comes out otherwise than before is chance, and nothing is superseded
    "gist": "hippocampus.gist=0",  # what rows had taught is forgotten with them
    "likeness": "hippocampus.levels=[]",  # what was learned of a thing is not expected of its like
    "situation": "hippocampus.situations=0",  # all games are one
    "salience": "hippocampus.reservoir=1",  # what is kept is drawn by lot
    "forgetting": "hippocampus.fading=0",  # what is old is as strong as what is new
    "curiosity": "planner.novelty=0",  # what was never tried is not tried for its own sake
    "planner": "planner.simulations=0",  # the habit acts alone
    "context": "context.length=0",  # only the present scene
    "night": "sleep.steps=0",  # weights never change
    "world_model": "world_model.trust=0",  # search believes memory alone
    "body_image": "body_image.trust=2",  # without memory it does not know which of the things in view it is
    "habit": "habit.trust=2",  # no confidence reaches it: every decision is searched
    "caution": "habit.caution=2",  # what a sure habit does is not looked at before it is done
    "lateral": "habit.rounds=0",  # what stands on a map does not talk to its neighbours
    "motor": "motor.length=0",  # no plan is kept: every action is decided anew
    "inhibition": "motor.inhibition=0",  # what a habit did here before it does again, though that led back here
    "learn_world": "sleep.world_model_steps=0",  # the night does not learn what happens next
    "learn_body": "sleep.body_steps=0",  # nor what the agent looks like
    "choose": "sleep.balance=0",  # what is replayed is drawn by lot
    "need": "sleep.need=0",  # what is said to come tomorrow is not replayed more
    "weighing": "sleep.choice=0",  # what the habit knows is repeated as much as what it can still learn
    "recency": "sleep.recent=1",  # what is new is repeated no more than what is old
    "stakes": "sleep.stakes=0",  # where there is much to lose is repeated as much as where there is nothing
    "mirror": "sleep.mirror=false",  # of a scene no more is learned than as it is
    "search_again": "sleep.search=0",  # the night finds nothing to teach the habit
    "distil": "sleep.distil=0",  # what it finds is not taught
    "dream": "sleep.dream=0",  # the night sees only states that were lived
    "rehearsal": "sleep.sure=2",  # what was not met today is taught by what memory has left of it
    "prune": "sleep.prune=0",  # nothing is forgotten, whatever the capacity
    "guard": "sleep.guard=1",  # no night is rolled back
}
"""Name of the lesion -> the override line that makes it; ``lesion=NAME`` applies it last."""
