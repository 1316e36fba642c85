"""Novel games as a gymnasium vector environment: B bodies, each with the rules of its own game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numba import njit

from cortex.envs.novel_game import noise as noises
from cortex.envs.novel_game import render, words
from cortex.envs.novel_game.codes import ACTIONS, LEVELS
from cortex.envs.novel_game.deck import Deck
from cortex.envs.novel_game.dynamics import WORLD, Terms, advance, begin
from cortex.envs.novel_game.layout import ALL, DAY, EXAM
from cortex.envs.novel_game.nouns import NOUNS
from cortex.envs.novel_game.observe import MODALITIES, TEXTS, VIEWS, Observer
from cortex.types import Array, CortexError

PARTS = {"all": ALL, "day": DAY, "exam": EXAM}
OWN_PART = {"train": "day", "T0": "exam"}
"""The layouts of a split where none are asked for; those of the others are not parted."""

AUTORESETS = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, "NextStep", "SameStep")

ATTEMPTS = 8
"""Episodes of a level that are passed over without a layout, before its things are said to find no room."""

EVENTS = ("", "a knock", "taken", "something changed", "put down", "", "something changed by itself", "won", "died")
"""Tone -> what a person reads."""


class NovelGames(VectorEnv[dict[str, Any], Any, Array]):
    """B bodies in novel games, one step of all of them at a time.

    ``game_seed``: of all bodies, or [B]. ``split``: train, T0 to T4. ``difficulty``: 0 to 9, "adaptive" (harder after
    wins, easier after losses, each body on its own) or a `Setting`. ``modalities``: the keys of the observation, of
    `MODALITIES`. ``noise``: that many bytes a step, of ``noise_kind``, in ``noise_in``. ``view``: full or ego.
    ``text``: none, goal, one rule or all rules. ``level``: 1 to 4; None begins at 1 and rises by one with each win.
    ``layouts``: all, day or exam; None: those of the split. ``image_offset``: draw images off the lattice of tiles.

    The observation, reward [B] float64, terminated and truncated [B] bool and info are fresh at each call;
    ``info["success"]`` [B] bool is all there is to know beside. ``reset(seed=s)`` gives body b the seed s + b.
    Raises CortexError for what does not fit.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 8,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        game_seed: Any = 0,
        split: str = "train",
        difficulty: Any = 3,
        modalities: Sequence[str] = ("grid", "text", "body"),
        noise: int = 0,
        noise_kind: str = "fresh",
        noise_in: str = "key",
        view: str = "full",
        text: str = "goal",
        level: int | None = None,
        layouts: str | None = None,
        image_offset: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        if isinstance(num_envs, bool) or not isinstance(num_envs, (int, np.integer)) or num_envs < 1:
            raise CortexError(f"{num_envs!r} bodies were asked for (num_envs); a whole number from 1 would do.")
        modalities = _modalities(modalities)
        _one_of("noise", noise, noises.AMOUNTS)
        _one_of("noise_kind", noise_kind, noises.KINDS)
        _one_of("noise_in", noise_in, noises.PLACES)
        if noise and noise_in != "key" and noise_in not in modalities:
            raise CortexError(f"noise_in={noise_in!r} needs {noise_in!r} among the modalities {modalities}.")
        self.view, self.level = _one_of("view", view, VIEWS), _one_of("level", level, (None, *range(1, LEVELS + 1)))
        self.render_mode = _one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self.autoreset_mode = AutoresetMode(_one_of("autoreset_mode", autoreset_mode, AUTORESETS))
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = int(num_envs)
        self.deck = Deck(self.num_envs, game_seed, split, difficulty, "sound" in modalities)
        self.keep_to(OWN_PART.get(split, "all") if layouts is None else layouts)
        self.worlds = np.zeros(self.num_envs, WORLD)
        self._observe = Observer(
            self.deck,
            self.worlds,
            modalities,
            int(noise),
            noise_kind,
            noise_in,
            view,
            _one_of("text", text, TEXTS),
            bool(image_offset),
        )
        self.single_observation_space = self._observe.space(self.deck.longest * (self.level or LEVELS))
        self.single_action_space = spaces.Discrete(ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._everybody = np.arange(self.num_envs)
        self._running = False

    def keep_to(self, layouts: str) -> None:
        """From the next episode on, begin in layouts of one part: all, day or exam; those of the two are disjoint."""
        self.layouts = _one_of("layouts", layouts, tuple(PARTS))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode in every body.

        With a seed, or one for each body, they begin anew: episode 1, level 1, the easiest class. Without one they
        go on to their next episode.
        """
        self._open()
        if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
            super().reset(seed=int(seed))
        if seed is None and not self._running:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self._sow(seed)
        else:
            self._follow(np.flatnonzero(self.worlds["over"]))
        self._begin(self._everybody)
        self._running = True
        return self._observe(self._everybody), self._info(np.zeros(self.num_envs, bool))

    def step(self, actions: Any) -> tuple[dict[str, Any], Array, Array, Array, dict[str, Any]]:
        """Take ``actions`` [B]. In NEXT_STEP mode a body whose episode is over ignores its own and begins the next."""
        self._open()
        if not self._running:
            raise CortexError("The first step comes before the first reset; call reset() first.")
        chosen = self._actions(actions)
        worlds, deck = self.worlds, self.deck
        if deck.adaptive:
            self._follow(np.flatnonzero(worlds["over"]))
        laid = step_all(deck.games, worlds, deck.which, deck.size, deck.limit, self._level, self._part, chosen)
        self._check(laid)
        seen = self._observe(self._everybody)
        reward, success = worlds["reward"].copy(), worlds["success"].copy()
        terminated, truncated = worlds["terminated"].copy(), worlds["truncated"].copy()
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            return seen, reward, terminated, truncated, self._info(success)
        return seen, reward, terminated, truncated, self._next(seen, success, worlds["over"].copy())

    def render(self) -> tuple[Any, ...] | None:
        """A picture, or lines of characters, of each body's whole grid; None without a render mode."""
        self._open()
        if self.render_mode is None:
            return None
        if not self._running:
            raise CortexError("There is nothing to render before the first reset; call reset() first.")
        return tuple(self._frame(b) for b in range(self.num_envs))

    def anchors(self) -> list[dict[str, float]]:
        """How well others play the game of each body; see `cortex.envs.novel_game.anchors`."""
        from cortex.envs.novel_game.anchors import anchors

        return [anchors(self.deck.dealt[g], level=self.level, view=self.view) for g in self.deck.which]

    def looks(self) -> list[tuple[list[str], Array]]:
        """For the game of each body a name for every code, and the tiles [32, 8, 8, 3] uint8."""
        found = []
        for g in self.deck.which:
            floor, wall, _, *agents = self.deck.dealt[g].tables["ground"].tolist()
            names = {floor: "floor", wall: "wall"} | dict.fromkeys(agents, "agent")
            found.append(([names.get(code, noun) for code, noun in enumerate(NOUNS)], self._observe.sheets()[g]))
        return found

    def _sow(self, seed: Any) -> None:
        """Give each body its seed and let it begin anew."""
        single = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
        each = [seed + b for b in range(self.num_envs)] if single else list(seed)
        if len(each) != self.num_envs:
            raise CortexError(f"{len(each)} seeds were given for {self.num_envs} bodies; one each would do.")
        drawn = [int(self.np_random.integers(2**31)) if own is None else int(own) for own in each]
        if min(drawn) < 0:
            raise CortexError(f"The seed {min(drawn)} is negative; whole numbers from 0 would do.")
        self.deck.again()
        self.worlds[:] = np.zeros((), WORLD)
        self.worlds["seed"] = [own % 2**64 for own in drawn]

    def _follow(self, ended: Array) -> None:
        """Let the difficulty follow the bodies whose episodes ended."""
        self.worlds["wins"][self.deck.follow(ended, self.worlds["success"][ended])] = 0

    def _begin(self, bodies: Array) -> None:
        deck = self.deck
        laid = begin_some(deck.games, self.worlds, deck.which, deck.size, deck.limit, self._level, self._part, bodies)
        self._check(laid)

    def _next(self, seen: dict[str, Any], success: Array, over: Array) -> dict[str, Any]:
        """Begin the next episode of the bodies whose episode is over, and write what they see into ``seen``."""
        ended = np.flatnonzero(over)
        if not len(ended):
            return self._info(success)
        final = np.full(self.num_envs, None, object)
        for b in ended:
            final[b] = {
                key: value[b].copy() if isinstance(value, np.ndarray) else value[b] for key, value in seen.items()
            }
        self._follow(ended)
        self._begin(ended)
        self._observe(ended, seen)
        told = {"final_obs": final, "final_info": {"success": success & over, "_success": over.copy()}}
        return {**told, "_final_obs": over.copy(), "_final_info": over.copy(), **self._info(success & ~over)}

    def _frame(self, b: int) -> Any:
        world, g = self.worlds[b], int(self.deck.which[b])
        game = self.deck.dealt[g]
        size, look, ground = int(self.deck.size[b]), game.tables["look"], game.tables["ground"]
        codes = look[world["grid"][: size * size]].reshape(size, size)
        codes[divmod(int(world["pos"]), size)] = ground[3 + world["face"]]
        caption: dict[str, Any] = {
            "carried": int(look[world["hand"]]),
            "clock": int(world["clock"]),
            "mission": words.goal(game.tables),
            "event": EVENTS[world["sound"]],
        }
        if self.render_mode == "ansi":
            return render.ansi(codes, int(ground[0]), int(ground[1]), [int(code) for code in ground[3:]], **caption)
        return render.picture(codes, self._observe.sheets()[g], **caption)

    @property
    def _level(self) -> int:
        return self.level or 0

    @property
    def _part(self) -> int:
        return PARTS[self.layouts]

    def _actions(self, actions: Any) -> Array:
        """[B] int64, checked."""
        try:
            chosen = np.asarray(actions)
        except ValueError:
            chosen = np.asarray(None)
        if chosen.shape != (self.num_envs,) or chosen.dtype.kind not in "iu":
            raise CortexError(
                f"The actions are {chosen.dtype} of shape {chosen.shape}; {self.num_envs} whole numbers from 0 to "
                f"{ACTIONS - 1} would do."
            )
        if chosen.min() < 0 or chosen.max() >= ACTIONS:
            wrong = chosen[(chosen < 0) | (chosen >= ACTIONS)][0]
            raise CortexError(f"There is no action {wrong}; 0 to {ACTIONS - 1} would do.")
        return chosen.astype(np.int64, copy=False)

    def _info(self, success: Array) -> dict[str, Any]:
        return {"success": success, "_success": np.ones(self.num_envs, bool)}

    def _open(self) -> None:
        if self.closed:
            raise CortexError("The environment is closed; make another one.")

    def _check(self, laid: bool) -> None:
        if not laid:
            raise CortexError(
                "No layout was found for a game: its grid is too small for its things; a larger grid or fewer decoys "
                "would do."
            )


@njit(cache=True)
def begin_one(game, world, terms):  # type: ignore[no-untyped-def]
    """Begin the next episode that has a layout; False where there is none.

    Where levels follow wins, a level whose things find no room gives way to the one before it.
    """
    highest = terms.level if terms.level > 0 else min(1 + world.wins, LEVELS)
    lowest = highest if terms.level > 0 else 1
    for level in range(highest, lowest - 1, -1):
        for _ in range(ATTEMPTS):
            if begin(game, world, Terms(terms.size, terms.limit, level, terms.part)):
                return True
    return False


@njit(cache=True)
def begin_some(games, worlds, which, sizes, limits, level, part, bodies):  # type: ignore[no-untyped-def]
    """Begin an episode in some bodies; False where no layout was found."""
    laid = True
    for b in bodies:
        laid = begin_one(games[which[b]], worlds[b], Terms(sizes[b], limits[b], level, part)) and laid
    return laid


@njit(cache=True)
def step_all(games, worlds, which, sizes, limits, level, part, actions):  # type: ignore[no-untyped-def]
    """One action of every body; one whose episode is over begins the next instead. False where no layout was found."""
    laid = True
    for b in range(len(which)):
        terms = Terms(sizes[b], limits[b], level, part)
        if worlds[b].over:
            laid = begin_one(games[which[b]], worlds[b], terms) and laid
        else:
            advance(games[which[b]], worlds[b], terms, actions[b])
    return laid


def _modalities(modalities: Any) -> tuple[str, ...]:
    named = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    for name in named:
        _one_of("modality", name, MODALITIES)
    if not named:
        raise CortexError(f"An observation needs at least one modality; some of {', '.join(MODALITIES)} would do.")
    if len(set(named)) < len(named):
        raise CortexError(f"The modalities {named} name one twice; each once would do.")
    return named


def _one_of(name: str, value: Any, known: Sequence[Any]) -> Any:
    """The option of ``known`` that a value is. Raises CortexError for others."""
    value = value.item() if isinstance(value, np.integer) else value
    for option in known:
        if isinstance(value, type(option)) and value == option:
            return option
    raise CortexError(f"There is no {name} {value!r}; {', '.join(map(repr, known))} would do.")
