"""What things and actions are called: in the environment's own words where it has some, else by when they were seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cortex.agent import Agent
from cortex.frames import Frames, names_of_actions, plain_names


class Names:
    """Names for what ``agent`` knows; ``world`` is the environment that it lives in, None for one without words."""

    def __init__(self, agent: Agent, world: Any = None) -> None:
        self.agent, self.frames = agent, Frames(agent.senses, agent.codebook)
        inner = getattr(world, "unwrapped", None)
        self.actions = names_of_actions(inner, plain_names(agent.motor.codec))
        self._told = _words_of(inner)
        self._known: dict[int, str] = {}

    def thing(self, code: int) -> str:
        """What a cell with this ``code`` shows: "the red key", or "thing 7 (first seen on day 2)"."""
        if code not in self._known:
            values = self.frames.cells([code]).get(code, []) if self.frames.symbolic else []
            self._known[code] = self._word(values) or self._thing(code)
        return self._known[code]

    def held(self, code: int, token: int) -> str:
        """What the agent holds where the ``token`` of the scene that shows it has this ``code``."""
        begin, end = self.frames.span
        if begin <= token < end:
            return self.thing(code)
        return self._word(self.frames.entry(code, token)) or self._thing(code)

    def _word(self, values: Sequence[int]) -> str:
        return self._told(values) if len(values) else ""

    def _thing(self, code: int) -> str:
        store = self.agent.hippocampus.store
        days = (episode.day for episode in map(store.read, store.episodes()) if (episode.codes == code).any())
        day = next(days, self.agent.hippocampus.day)
        return f"thing {code} (first seen on day {day})"


def _words_of(inner: Any) -> Callable[[Sequence[int]], str]:
    """From what a cell shows, by channel, to its name in the words of an environment; "" where it has none."""
    if type(inner).__module__.startswith("minigrid."):
        from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT, STATE_TO_IDX

        states = {number: state for state, number in STATE_TO_IDX.items()}

        def name(values: Sequence[int]) -> str:
            kind, colour, state = IDX_TO_OBJECT.get(values[0], ""), IDX_TO_COLOR.get(values[1], ""), states[values[2]]
            if kind in ("empty", "floor", "wall", "goal", "lava"):
                return f"the {kind}" if kind != "empty" else "the floor"
            return f"the {state + ' ' if kind == 'door' else ''}{colour} {kind}" if kind else ""

        return lambda values: name(values) if len(values) == 3 and values[2] in states else ""
    if hasattr(inner, "looks"):
        nouns = inner.looks()[0]
        return lambda values: f"the {nouns[values[0]]}" if 0 <= values[0] < len(nouns) else ""
    return lambda values: ""
