"""All the senses of one environment: a batched observation -> one scene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium import Space, spaces

from cortex.types import APART, MODALITIES, Array, CortexError, Encoder, Layout, Scene, spread

from .form import Form, called, form, take_apart
from .grid import VALUES, GridEncoder
from .hub import HubEncoder
from .image import PACKAGED as PACKAGED_IMAGE
from .image import ImageEncoder
from .sound import SoundEncoder, SpectrumEncoder
from .symbol import ALL, MOST, SymbolEncoder, SymbolsEncoder
from .text import MOST_WORDS, PACKAGED, TextEncoder
from .tiles import TileEncoder
from .vector import VectorEncoder

MOST_CELLS, MOST_CHANNELS = 32, 4
"""A larger integer Box (rows or columns, channels) is taken for pixels."""

NUMBERS = "biuf"
"""Kinds of dtypes of vectors, sounds, and what a user's own encoder reads."""

ALL_OF_THEM = 1 << 31
"""More tokens than any sense has."""

SUPPORTED = (
    f"supported are a Box of one dimension, Discrete up to {MOST}, MultiDiscrete up to {ALL} in all, MultiBinary, Text,"
    " symbolic codes (an integer Box of at most"
    f" {MOST_CELLS} x {MOST_CELLS} cells with 1 to {MOST_CHANNELS} channels, 0 to {VALUES - 1})"
    ", pictures (a Box of H x W x 3 uint8, colours last)"
    " and a Dict or Tuple of these, nested or not; wrap the environment to give one of them"
)


class FrozenEncoder(Encoder, Protocol):
    """What the senses ask of an encoder beyond its protocol."""

    accepts: str  # the values it can encode, in words

    @property
    def position(self) -> Array:
        """[N, P] float32."""
        ...

    def faults(self, values: Any) -> Array:
        """[B] bool: bodies whose value cannot be encoded."""
        ...


@dataclass(frozen=True, slots=True)
class Sense:
    """One key of the observation, a path where it is nested (None: there are no keys), and its frozen encoder."""

    key: str | None
    shape: tuple[int, ...] | None  # of one body's value; None: a string
    encoder: FrozenEncoder
    kinds: str = "iu"  # of numpy dtypes that its values may have

    @property
    def name(self) -> str:
        return called(self.key)

    def read(self, values: Any) -> Any:
        """Check the form of a batch of values -> array [B, *shape], or strings [B]. Raises CortexError."""
        if self.shape is None:
            if not isinstance(values, (list, tuple, np.ndarray)) or np.ndim(values) != 1:
                raise CortexError(f"{self.name}: expected one string for each body, got {values!r}")
            return list(values)
        try:
            array = np.asarray(values)
        except ValueError:
            array = np.asarray(None)
        if array.ndim != 1 + len(self.shape) or array.shape[1:] != self.shape:
            wanted = ", ".join(("B", *map(str, self.shape)))
            raise CortexError(f"{self.name}: expected an array of shape ({wanted}), got {array.shape}")
        if array.dtype.kind not in self.kinds:
            raise CortexError(f"{self.name}: expected {self.encoder.accepts}, got an array of dtype {array.dtype}")
        return array

    def words(self, values: Any) -> Any:
        """Where a string is wanted and UTF-8 bytes are given, uint8 [length] or [B, length], the string or strings."""
        if self.shape is not None or not isinstance(values, np.ndarray) or values.dtype != np.uint8:
            return values
        said = [bytes(row).rstrip(b"\0").decode(errors="replace") for row in values.reshape(-1, values.shape[-1])]
        return said if values.ndim > 1 else said[0]

    def complaint(self, value: Any, body: int) -> str:
        """Say what is wrong with one body's value."""
        return f"{self.name} of body {body}: expected {self.encoder.accepts}, got {_excerpt(value)}"


@dataclass(frozen=True, slots=True)
class Senses:
    """The encoders of an observation space, side by side in sorted order of its keys."""

    parts: tuple[Sense, ...]
    layout: Layout  # of every scene
    form: Form  # of the observation
    open: Array  # [N] bool, the tokens that are perceived

    @classmethod
    def for_space(
        cls,
        space: Space[Any],
        text_model: str = PACKAGED,
        unseen: Sequence[int] | None = (0, 0, 0),
        text_cache: dict[str, Array] | None = None,
        sound: Sequence[str] = (),
        bands: int = 24,
        tile: int = 0,
        image_model: str = PACKAGED_IMAGE,
        words: int = MOST_WORDS,
        cells: int = ALL_OF_THEM,
        entries: int = ALL_OF_THEM,
        own: Mapping[str, FrozenEncoder] | None = None,
    ) -> Senses:
        """Choose an encoder for each key of an observation space.

        ``unseen``, MiniGrid's by default, is the unknown cell of symbolic grids with as many channels; other grids have
        none. All texts share ``text_model`` and ``text_cache``, and the first ``words`` of each are read. ``sound``:
        the keys that are heard in ``bands`` bands, "." for an observation without keys; no space tells samples of a
        sound from other numbers. ``tile``: pixels along the tiles that pictures are made of; those that are made of
        none are read by ``image_model``. Of each grid and picture the middle ``cells`` are seen, of each vector and
        each key of symbols the first ``entries`` are felt. ``own``: encoders by key that are taken instead, whatever
        the space of the key. Raises CortexError for a space that is not supported.
        """
        text = TextEncoder(text_model, text_cache, words=words)
        tree, leaves = form(space)
        keys = [key or "." for key in leaves]
        for kind, named in (("sound", sound), ("key for an encoder", own or ())):
            for key in named:
                if key not in keys:
                    raise CortexError(f"there is no {kind} {key!r}: the keys are {', '.join(keys)}")
        parts = [
            _own(key, leaf, own[key or "."])
            if own and (key or ".") in own
            else _sound(key, leaf, bands)
            if (key or ".") in sound
            else _sense(key, leaf, text, unseen, tile, image_model)
            for key, leaf in leaves.items()
        ]
        free: dict[str, int] = {}  # modality -> first row that no earlier key takes
        position, modality, perceived = [], [], []
        for part in parts:
            places, name = part.encoder.position.copy(), part.encoder.modality
            places[:, 0] += free.get(name, 0)
            free[name] = -(-int(places[:, 0].max(initial=0) + 1) // APART) * APART
            position.append(places)
            modality.append(np.full(len(places), MODALITIES[name], np.int8))
            perceived.append(_perceived(name, part.encoder.position, cells, entries))
        layout = Layout(np.concatenate(position), np.concatenate(modality))
        return cls(tuple(parts), layout, tree, np.concatenate(perceived))

    @property
    def texts(self) -> dict[str, Array] | None:
        """Embeddings of all strings read so far; None where there are no words."""
        return next((part.encoder.cache for part in self.parts if isinstance(part.encoder, TextEncoder)), None)

    @property
    def channels(self) -> int:
        """How many attributes each cell of the grids has; 1 where they differ, or there is none."""
        found = {part.encoder.channels for part in self.parts if isinstance(part.encoder, (GridEncoder, TileEncoder))}
        return found.pop() if len(found) == 1 else 1

    def __call__(self, observation: Any) -> Scene:
        """Encode a batched observation: arrays [B, ...], strings as a sequence of B, in a dict if there are keys.

        Raises CortexError that names the key, and the body where there is one, for anything that does not fit.
        """
        read = self._read(observation)
        for part, values in zip(self.parts, read, strict=True):
            faults = part.encoder.faults(values)
            if faults.any():
                body = int(faults.argmax())
                raise CortexError(part.complaint(values[body], body))
        scenes = [part.encoder(values) for part, values in zip(self.parts, read, strict=True)]
        if len(scenes) > 1:
            tokens, mask = (np.concatenate([getattr(s, name) for s in scenes], axis=1) for name in ("tokens", "mask"))
        else:
            tokens, mask = scenes[0].tokens, scenes[0].mask
        if not self.open.all():
            tokens, mask = tokens * self.open[:, None], mask & self.open
        bodies = len(mask)
        return Scene(tokens, spread(self.layout.position, bodies), spread(self.layout.modality, bodies), mask)

    def check(self, observation: Any) -> list[str | None]:
        """For each body, what is wrong with its values, or None. Raises CortexError where the form itself is wrong."""
        read = self._read(observation)
        found: list[str | None] = [None] * len(read[0])
        for part, values in zip(self.parts, read, strict=True):
            for body in np.flatnonzero(part.encoder.faults(values)):
                found[body] = found[body] or part.complaint(values[body], int(body))
        return found

    def is_batched(self, observation: Any) -> bool:
        """Whether an observation holds several bodies, or is one body's."""
        return np.ndim(self._split(observation)[0]) > len(self.parts[0].shape or ())

    def batch(self, observation: Any) -> Any:
        """Make a batch of one body from an unbatched observation."""
        values = self._split(observation)
        batched = [
            [value.item() if isinstance(value, np.ndarray) else value]
            if part.shape is None
            else np.asarray(value)[None]
            for part, value in zip(self.parts, values, strict=True)
        ]
        if self.form is None:
            return batched[0]
        return {part.key: value for part, value in zip(self.parts, batched, strict=True)}

    def _split(self, observation: Any) -> list[Any]:
        """Take an observation apart, one value for each sense."""
        values = take_apart(self.form, [part.key for part in self.parts], observation)
        return [part.words(value) for part, value in zip(self.parts, values, strict=True)]

    def _read(self, observation: Any) -> list[Any]:
        values = [part.read(value) for part, value in zip(self.parts, self._split(observation), strict=True)]
        for part, value in zip(self.parts, values, strict=True):
            if len(value) != len(values[0]):
                first = f"{self.parts[0].name} has {len(values[0])}"
                raise CortexError(f"{part.name} has {len(value)} bodies where {first}; give all keys the same number")
        return values


def pictures(space: Space[Any]) -> bool:
    """Whether a space holds pictures, [H, W, 3] uint8, rather than symbolic codes."""
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and space.shape[2:] == (3,) and not _codes(space)


def _codes(space: spaces.Box) -> bool:
    """Whether a Box of three dimensions holds a grid of symbolic codes."""
    small = len(space.shape) == 3 and max(space.shape[:2]) <= MOST_CELLS and 1 <= space.shape[2] <= MOST_CHANNELS
    return bool(small and space.dtype.kind in "iu" and space.low.min() >= 0 and space.high.max() < VALUES)


def _sense(
    key: str | None,
    space: Space[Any],
    text: TextEncoder,
    unseen: Sequence[int] | None,
    tile: int,
    image_model: str,
) -> Sense:
    """Choose the encoder of one key; a text space is known by its dtype, since environments define their own."""
    if isinstance(space, spaces.Discrete) and space.n <= MOST:
        return Sense(key, (), SymbolEncoder(int(space.n), int(space.start)))
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.size and space.nvec.sum() <= ALL:
        return Sense(key, space.shape, SymbolsEncoder(space.nvec.ravel(), space.start.ravel()))
    if isinstance(space, spaces.MultiBinary):
        return Sense(key, space.shape, SymbolsEncoder(np.full(math.prod(space.shape), 2)))
    if isinstance(space, spaces.Text) or (space.dtype is not None and np.dtype(space.dtype).kind == "U"):
        return Sense(key, None, text)
    if isinstance(space, spaces.Box):
        shape = space.shape
        if len(shape) <= 1 and space.dtype.kind in "iuf" and space.low.size:
            return Sense(key, shape, VectorEncoder(space.low, space.high), NUMBERS)
        if _codes(space):
            fits = unseen is not None and len(unseen) == shape[2]
            return Sense(key, shape, GridEncoder(shape, unseen if fits else None))
        if pictures(space) and tile > 0:
            return Sense(key, shape, TileEncoder(shape, tile))
        if pictures(space) and image_model == PACKAGED_IMAGE:
            return Sense(key, shape, ImageEncoder())
        if pictures(space):
            return Sense(key, shape, HubEncoder(image_model))
    raise CortexError(f"{called(key)} is {_describe(space)}, which is not supported: {SUPPORTED}")


def _perceived(modality: str, position: Array, cells: int, entries: int) -> Array:
    """Which of the tokens at ``position`` [N, P] are perceived [N]."""
    most = {"grid": cells, "image": cells, "vector": entries, "symbol": entries}.get(modality, len(position))
    apart = position - (position.max(axis=0) / 2 if modality in ("grid", "image") else 0)
    return np.argsort(np.argsort((apart**2).sum(axis=1), kind="stable"), kind="stable") < most


def _own(key: str | None, space: Space[Any], encoder: FrozenEncoder) -> Sense:
    """The encoder that a user gave for a key."""
    lacks = [name for name in ("modality", "accepts", "position", "faults") if not hasattr(encoder, name)]
    if lacks or encoder.modality not in MODALITIES:
        wrong = f"lacks {', '.join(lacks)}" if lacks else f"has the modality {encoder.modality!r}"
        raise CortexError(
            f"the encoder for {called(key)} {wrong}; it needs modality (one of {', '.join(MODALITIES)}), accepts, "
            "position, faults(values) and a call"
        )
    text = isinstance(space, spaces.Text) or (space.dtype is not None and np.dtype(space.dtype).kind == "U")
    return Sense(key, None if text else tuple(space.shape or ()), encoder, NUMBERS)


def _sound(key: str | None, space: Space[Any], bands: int) -> Sense:
    """The encoder of one key that is heard: samples where values can be negative, else the strengths of bands."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not space.shape[0] or not space.is_bounded():
        raise CortexError(
            f"{called(key)} is {_describe(space)}, which cannot be heard; a Box of one dimension with bounds would do"
        )
    if space.low.min() < 0:
        loudest = float(np.abs([space.low, space.high]).max())
        return Sense(key, space.shape, SoundEncoder(space.shape[0], loudest, bands), NUMBERS)
    return Sense(key, space.shape, SpectrumEncoder(space.high, bands > 0), NUMBERS)


def _describe(space: Space[Any]) -> str:
    if isinstance(space, spaces.Box):
        return f"Box({space.low.min():g}, {space.high.max():g}, {space.shape}, {space.dtype})"
    return _excerpt(space)


def _excerpt(value: Any, most: int = 80) -> str:
    """A value on one line, cut where it is long; of an array, the entries that matter most: those not finite first."""
    if isinstance(value, np.ndarray):
        flat = value.ravel()
        strange = flat[~np.isfinite(flat)]
        return f"{strange[0]} among {flat.size} entries" if strange.size else f"{flat.min()} to {flat.max()}"
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."
