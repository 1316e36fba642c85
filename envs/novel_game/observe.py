"""Observations of novel games: which keys there are, their spaces, and the arrays of each step."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from cortex.envs.novel_game import noise, see, sprites, words
from cortex.envs.novel_game.codes import ACTIONS, CODES, EYE, MOST_SIZE, TONES
from cortex.envs.novel_game.deck import Deck
from cortex.envs.novel_game.generate import Game
from cortex.envs.novel_game.sprites import TILE
from cortex.types import Array

MODALITIES = ("grid", "image", "text", "body", "sound")
VIEWS = ("full", "ego")
TEXTS = ("none", "goal", "one rule", "all rules")

BODY = 6
"""Entries of the body: last action (ACTIONS: none yet), bump, code carried, own row, own column, clock."""


class Observer:
    """Makes the observations of B bodies, whose games are in ``deck`` and whose states are in ``worlds`` WORLD [B]."""

    def __init__(
        self,
        deck: Deck,
        worlds: Array,
        modalities: tuple[str, ...],
        noise_bytes: int,
        noise_kind: str,
        noise_in: str,
        view: str,
        text: str,
        image_offset: bool,
    ) -> None:
        self.deck, self.worlds, self.text = deck, worlds, text
        self.keys = (*modalities, "noise") if noise_bytes and noise_in == "key" else modalities
        self.side = deck.side if view == "full" else 2 * EYE + 1
        self._see = {"full": see.see_all, "ego": see.see_near}[view]
        self._bytes, self._fresh, self._in = noise_bytes, noise_kind == "fresh", noise_in if noise_bytes else ""
        self._planes = -(-noise_bytes // self.side**2) if self._in == "grid" else 0
        self._entries = BODY + (noise_bytes if self._in == "body" else 0)
        self._pixels = (self.side + image_offset) * TILE
        self._words = noise.room(len(worlds), noise_bytes)
        self._grains, self._paces = self._words.view(np.uint8), noise.paces(noise_kind, noise_bytes)
        self._offset, self._shifts = image_offset, np.zeros((len(worlds), 2), np.int64)
        self._sheets = np.zeros((0, CODES, TILE, TILE, 3), np.uint8)
        self._said: list[str] = []
        self._told: tuple[int, tuple[str, ...]] = (-1, ())

    def space(self, limit: int) -> spaces.Dict:
        """The observation space of one body whose episodes have at most ``limit`` steps."""
        high = np.full((self.side, self.side, 1 + self._planes), 255, np.uint8)
        high[..., 0] = CODES - 1
        body = [ACTIONS + 1, 2, CODES, MOST_SIZE, MOST_SIZE, limit + 1, *[256] * (self._entries - BODY)]
        of = {
            "grid": spaces.Box(np.zeros_like(high), high, dtype=np.uint8),
            "image": spaces.Box(0, 255, (self._pixels, self._pixels, 3), np.uint8),
            "text": spaces.Text(words.LONGEST, min_length=0, charset=words.CHARSET),
            "body": spaces.MultiDiscrete(body),
            "sound": spaces.Box(0, 1, (TONES,), np.float32),
            "noise": spaces.Box(0, 255, (self._bytes,), np.uint8),
        }
        return spaces.Dict({key: of[key] for key in sorted(self.keys)})

    def __call__(self, bodies: Array, into: dict[str, Any] | None = None) -> dict[str, Any]:
        """What ``bodies`` [n] observe, in their rows of fresh arrays [B, ...] or of those of an earlier observation.

        Call it once a step and body: the noise moves on.
        """
        worlds, which, count = self.worlds, self.deck.which, len(self.worlds)
        views = self.deck.games, worlds, which, self.deck.size, bodies
        seen: dict[str, Any] = {} if into is None else into
        if self._bytes:
            noise.stir(worlds, self._words, self._grains, self._paces, self._fresh, bodies)
        if "grid" in self.keys or "image" in self.keys:
            codes = _array(seen.get("grid"), (count, self.side, self.side, 1 + self._planes), np.uint8)
            self._see(*views, codes)
            if self._planes:
                see.grain(self._grains, self._bytes, bodies, codes)
            if "grid" in self.keys:
                seen["grid"] = codes
            if "image" in self.keys:
                seen["image"] = _array(seen.get("image"), (count, self._pixels, self._pixels, 3), np.uint8)
                self._paint(codes, bodies, seen["image"])
        if "text" in self.keys:
            seen["text"] = self._tell()
        if "body" in self.keys:
            seen["body"] = _array(seen.get("body"), (count, self._entries), np.int64)
            see.feel(*views, seen["body"])
            if self._in == "body":
                seen["body"][bodies, BODY:] = self._grains[bodies, : self._bytes]
        if "sound" in self.keys:
            seen["sound"] = _array(seen.get("sound"), (count, TONES), np.float32)
            see.hear(worlds, bodies, seen["sound"])
        if "noise" in self.keys:
            seen["noise"] = _array(seen.get("noise"), (count, self._bytes), np.uint8)
            seen["noise"][bodies] = self._grains[bodies, : self._bytes]
        return seen

    def _paint(self, codes: Array, bodies: Array, image: Array) -> None:
        """Draw the codes of some bodies into their rows of ``image`` [B, H, W, 3]."""
        count, height = len(image), self.side * TILE
        tiles = self.sheets().reshape(-1, CODES, TILE, 3 * TILE).view(np.uint64)
        plain = np.empty((count, height, height * 3), np.uint8) if self._offset else image
        see.paint(codes, tiles, self.deck.which, bodies, plain.reshape(count, height, -1).view(np.uint64))
        if self._offset:
            see.shift(self.worlds, bodies, self._shifts)
            around = np.tile(sprites.DARK, self._pixels)
            see.move(plain, self._shifts, around, bodies, image.reshape(count, self._pixels, -1))

    def sheets(self) -> Array:
        """The tiles of every game dealt so far, [G, CODES, TILE, TILE, 3] uint8."""
        fresh = self.deck.dealt[len(self._sheets) :]
        if fresh:
            self._sheets = np.concatenate([self._sheets, np.stack([_sheet(game) for game in fresh])])
        return self._sheets

    def _tell(self) -> tuple[str, ...]:
        """Each body's words; they change only with its game."""
        if self._told[0] != self.deck.version:
            self._said += [_words(game, self.text) for game in self.deck.dealt[len(self._said) :]]
            self._told = self.deck.version, tuple(self._said[g] for g in self.deck.which)
        return self._told[1]


def _sheet(game: Game) -> Array:
    ground = game.tables["ground"].tolist()
    return sprites.sheet(ground[0], ground[1], ground[3:], game.seed)


def _words(game: Game, text: str) -> str:
    """What is told of a game."""
    if text == "none":
        return ""
    if text == "all rules":
        return " ".join(words.tell(game.tables))
    return words.goal(game.tables) if text == "goal" else words.one(game.tables, game.seed)


def _array(given: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    return np.empty(shape, dtype) if given is None else given
