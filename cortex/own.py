"""Parts of a user's own, in the place of the library's: senses, the planner, the rule by which memories go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cortex.modules.encoders.senses import FrozenEncoder
from cortex.types import Forgetting, Planner


@dataclass(frozen=True)
class Own:
    """What an agent is made with instead of ours; see docs/.

    They are code, and code is not saved with an agent: who loads one gives the same again.
    """

    encoders: Mapping[str, FrozenEncoder] = field(default_factory=dict)  # by observation key; "." where there is none
    planner: Planner | None = None
    forgetting: Forgetting | None = None

    @property
    def names(self) -> list[str]:
        """What was given, in words."""
        parts = {"planner": self.planner, "forgetting": self.forgetting}
        return [f"encoders[{key!r}]" for key in sorted(self.encoders)] + [name for name, part in parts.items() if part]
