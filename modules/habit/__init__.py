"""The fast system: what to do at a glance."""

from .distil import fit
from .policy import LISTS, HabitPolicy, part, places, tensors

__all__ = ["LISTS", "HabitPolicy", "fit", "part", "places", "tensors"]
