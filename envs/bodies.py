"""Many bodies in one process: a vector environment in which one bad body ends its own episode and harms no other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from cortex.envs.guard import fault, misfit
from cortex.types import Array, CortexError

ATTEMPTS = 3
"""Fresh environments tried before a body that can not begin an episode stops the run."""

Maker = Callable[[], gymnasium.Env[Any, Any]]


class Bodies(VectorEnv[Any, Any, Any]):
    """B environments stepped one after the other, in gymnasium's NEXT_STEP mode.

    After the end of its episode a body's next step ignores the action and returns the first observation of a new
    episode with reward 0. Every call returns fresh arrays. ``info["success"]`` [B] bool is always there.

    A step that raises, or answers with a reward that is no finite number or with an observation of the wrong shape,
    is answered as a truncation: the body's last good observation, reward 0, and ``info["fault"]`` [B], an array of
    sentences (None for bodies without one). Where it raised, the body goes on in a fresh environment. Environments
    that hang can not be helped in one process.

    Raises CortexError when a body can not begin an episode in ``ATTEMPTS`` fresh environments.
    """

    def __init__(self, makers: Sequence[Maker], seed: int | None = None) -> None:
        self.makers = list(makers)
        self.envs = [make() for make in self.makers]
        self.num_envs = len(self.envs)
        first = self.envs[0]
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        for env in self.envs[1:]:
            if env.action_space != first.action_space or env.observation_space != first.observation_space:
                raise CortexError("Bodies of one vector have to share their observation and action spaces.")
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.spec = first.spec
        self.render_mode = first.render_mode
        self.metadata = {**first.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self._seeds = np.random.SeedSequence(seed)
        self._observations: list[Any] = [None] * self.num_envs
        self._ended = np.zeros(self.num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every body, each with a seed of its own derived from ``seed``.

        Without a seed the bodies' seeds derive from the constructor's, differently at each call.
        """
        if isinstance(seed, (int, np.integer)):
            self._seeds = np.random.SeedSequence(int(seed))
        each = [None] * self.num_envs if seed is None or isinstance(seed, (int, np.integer)) else list(seed)
        if len(each) != self.num_envs:
            raise CortexError(f"{len(each)} seeds were given for {self.num_envs} bodies; one each would do.")
        info: dict[str, Any] = {"success": np.zeros(self.num_envs, dtype=bool)}
        for body, own in enumerate(each):
            self._begin(body, info, self._fresh_seed() if own is None else own, options)
        self._ended[:] = False
        return self._batch(), info

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Take ``actions`` [B]; observation, reward [B] float64, terminated and truncated [B] bool, info."""
        reward = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        success = np.zeros(self.num_envs, dtype=bool)
        info: dict[str, Any] = {"success": success}
        for body, action in enumerate(iterate(self.action_space, actions)):
            if self._ended[body]:
                self._begin(body, info)
                continue
            raised = False
            try:
                seen, pay, over, cut, said = self.envs[body].step(action)
                wrong = fault(self.single_observation_space, seen, pay, over, cut, said)
            except Exception as error:
                raised, wrong = True, f"step raised {type(error).__name__}: {error}"
            if wrong:
                info.setdefault("fault", np.full(self.num_envs, None, dtype=object))[body] = f"Body {body}: {wrong}."
                truncated[body] = True
                if raised:
                    self._replace(body)
                continue
            self._observations[body] = seen
            reward[body], terminated[body], truncated[body] = pay, over, cut
            self._note(body, said, info)
        self._ended = terminated | truncated
        return self._batch(), reward, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """Close every body's environment; one that can not be closed is left."""
        for env in self.envs:
            with contextlib.suppress(Exception):
                env.close()

    def _begin(
        self, body: int, info: dict[str, Any], seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Reset one body, in a fresh environment where its own can not."""
        for _ in range(ATTEMPTS):
            try:
                seen, said = self.envs[body].reset(seed=seed, options=options)
                wrong = misfit(self.single_observation_space, seen)
            except CortexError:
                raise
            except Exception as error:
                wrong = f"reset raised {type(error).__name__}: {error}"
            if not wrong:
                self._observations[body] = seen
                if isinstance(said, dict):
                    self._note(body, {**said, "success": False}, info)
                return
            self._replace(body)
            seed = self._fresh_seed()
        raise CortexError(f"Body {body} can not begin an episode in {ATTEMPTS} fresh environments: {wrong}.")

    def _replace(self, body: int) -> None:
        """Give a body a fresh environment, seeded apart from all before; its own where no other can be made."""
        with contextlib.suppress(CortexError):
            fresh = self.makers[body]()
            with contextlib.suppress(Exception):
                self.envs[body].close()
            self.envs[body] = fresh
        with contextlib.suppress(Exception):
            self.envs[body].reset(seed=self._fresh_seed())

    def _fresh_seed(self) -> int:
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def _note(self, body: int, said: dict[str, Any], info: dict[str, Any]) -> None:
        """Add one body's info to the batch's, as gymnasium does; an entry that fits no other body's is left out."""
        for key, value in said.items():
            if key == "success":
                info["success"][body] = value is True or (isinstance(value, np.bool_) and bool(value))
            elif key != "fault":
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    self._add_info(info, {key: value}, body)

    def _batch(self) -> Any:
        space = self.single_observation_space
        fresh: Any = create_empty_array(space, n=self.num_envs, fn=np.empty)
        return concatenate(space, self._observations, fresh)
