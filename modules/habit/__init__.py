"""The fast system: what to do at a glance."""

from .choice import Choice
from .distil import fit
from .policy import LISTS, HabitPolicy, part, places

__all__ = ["LISTS", "Choice", "HabitPolicy", "fit", "part", "places"]
