"""An episode that goes on: what one body has lived since it began."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cortex.types import Array, Episode, Layout


@dataclass
class Unfinished:
    """One body's episode so far."""

    codes: list[Array] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    action: list[int] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    salience: list[float] = field(default_factory=list)
    situation: int = -1
    after: Array | None = None  # the codes that followed the last action

    def episode(
        self,
        last: Array,
        terminated: bool,
        truncated: bool,
        success: bool,
        layout: Layout,
        day: int,
        environment: int,
        body: int,
    ) -> Episode:
        """The same as a memory that ends with the codes ``last`` [N]."""
        return Episode(
            codes=np.stack([*self.codes, last]),
            action=np.array(self.action, np.int16),
            reward=np.array(self.reward, np.float32),
            salience=np.array(self.salience, np.float32),
            terminated=terminated,
            truncated=truncated,
            success=success,
            layout=layout,
            situation=self.situation,
            day=day,
            environment=environment,
            body=body,
        )
