"""From block names and overrides to a checked Config; to YAML and back.

Only what wires the parts reads a Config: modules, environments and the store take plain keyword arguments.
"""

from __future__ import annotations

import difflib
import math
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cortex.defaults import BLOCKS, FIELDS, SECTIONS, Config
from cortex.lesions import LESIONS
from cortex.types import CortexError

__all__ = ["BLOCKS", "Config", "ConfigError", "differing", "from_yaml", "load", "settings", "settings_of", "to_yaml"]

KINDS: dict[str, tuple[str, Any]] = {
    "int": ("a whole number", (int, str)),
    "float": ("a number", (int, float, str)),
    "bool": ("true or false", (bool, str)),
    "str": ("a word", (int, str)),
    "list[str]": ("a list of words", str),
}
"""Type of a setting -> what it is called, and the plain values that may be read as one."""


class ConfigError(CortexError):
    """A setting, block or file of settings that cannot be used; names what was wrong and what would do."""


def load(*args: str | Mapping[str, Any]) -> Config:
    """Defaults, then block names, ``section.key=value`` lines and dicts from left to right, then the lesions.

    Raises ConfigError for an unknown block or key, a value of the wrong type and a value out of range.
    """
    values: dict[str, Any] = {}
    for arg in args:
        values.update(_read(arg))
    for name in map(str, _names(values.get("lesion", []))):
        if name not in LESIONS:
            raise ConfigError(f"unknown lesion '{name}'{_nearest(name, LESIONS)}; lesions are {', '.join(LESIONS)}")
        values.update(_line(LESIONS[name]))

    config = OmegaConf.structured(Config)
    for node in (config, *(config[section] for section in SECTIONS)):
        OmegaConf.set_readonly(node, False)
    for key, value in values.items():
        _set(config, key, value)
    return typing.cast(Config, OmegaConf.to_object(config))


def to_yaml(config: Config) -> str:
    """The whole config as plain YAML; ``from_yaml`` gives an equal one back."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def from_yaml(source: str | Path) -> Config:
    """Read the text of ``to_yaml``, or the file at a Path. Runs no code: plain YAML, no tags, no interpolation."""
    where = str(source) if isinstance(source, Path) else "the text"
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        values = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"cannot read the config {where}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where} is not plain YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} holds no settings; a config is a mapping such as 'seed: 0'")
    return load(values)


def settings_of(config: Config) -> dict[str, Any]:
    """The config as nested dicts, which ``load`` takes."""
    return typing.cast(dict[str, Any], OmegaConf.to_container(OmegaConf.structured(config)))


def differing(one: Config, other: Config) -> str | None:
    """The first key in which two configs differ, wherever their folders are; None where they are the same."""
    a, b = OmegaConf.structured(one), OmegaConf.structured(other)
    keys = (key for key in FIELDS if key != "folder")
    return next((key for key in keys if OmegaConf.select(a, key) != OmegaConf.select(b, key)), None)


def settings() -> Iterator[tuple[str, Any, str]]:
    """Every key with its default and its meaning, in the order of the sections."""
    defaults = OmegaConf.structured(Config)
    for key, info in FIELDS.items():
        yield key, OmegaConf.select(defaults, key), info.metadata["meaning"]


def _read(arg: str | Mapping[str, Any]) -> dict[str, Any]:
    """One argument of ``load`` as dotted keys with plain values."""
    if isinstance(arg, Mapping):
        return dict(_flat(arg))
    if not isinstance(arg, str):
        raise ConfigError(f"settings are block names, 'section.key=value' lines and dicts, got {arg!r}")
    if "=" in arg:
        return _line(arg)
    if arg not in BLOCKS:
        raise ConfigError(
            f"unknown block '{arg}'{_nearest(arg, BLOCKS)}; blocks are {', '.join(BLOCKS)}, overrides look like seed=1"
        )
    return {key: value for line in BLOCKS[arg] for key, value in _line(line).items()}


def _line(line: str) -> dict[str, Any]:
    """One ``section.key=value`` line."""
    key, text = (part.strip() for part in line.split("=", 1))
    if text == "" or (key in FIELDS and FIELDS[key].type == "str"):
        return dict(_flat({key: text}))
    try:
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[call-overload,index]
    except (yaml.YAMLError, OmegaConfBaseException):
        raise ConfigError(f"cannot read the value of '{line}'; write numbers, words or lists such as [a,b]") from None
    return dict(_flat({key: value}))


def _flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as dotted keys, each checked to exist."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key in SECTIONS and isinstance(value, Mapping):
            yield from _flat(value, f"{key}.")
        elif key in SECTIONS:
            inside = ", ".join(known for known in FIELDS if known.startswith(f"{key}."))
            raise ConfigError(f"'{key}' is a section and takes no value; set one of {inside}")
        elif key not in FIELDS:
            raise ConfigError(f"unknown key '{key}'{_nearest(key, FIELDS)}; all keys: cortex live --help")
        else:
            yield key, value


def _names(value: Any) -> list[Any]:
    """A list setting's value: a list, or words with commas between them."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return list(value) if isinstance(value, Iterable) else [value]


def _set(config: DictConfig, key: str, value: Any) -> None:
    """Change one key of the config; its type and range are checked."""
    info = FIELDS[key]
    kind = str(info.type)
    called, plain = KINDS[kind]
    wrong = ConfigError(f"'{key}' takes {called}, got {value!r}")
    if kind == "list[str]":
        value = _names(value)
    words = value if isinstance(value, list) else [value]
    if any("${" in str(word) or word == "???" for word in words):
        raise ConfigError(f"'{key}' takes plain values, without '${{' or '???', got {value!r}")
    if not all(isinstance(word, plain) for word in words):
        raise wrong
    try:
        OmegaConf.update(config, key, value)
    except OmegaConfBaseException:
        raise wrong from None
    number, least, most = OmegaConf.select(config, key), info.metadata["least"], info.metadata["most"]
    if kind in ("int", "float") and not (math.isfinite(number) and least <= number <= most):
        span = f"from {least:g} to {most:g}" if most < math.inf else f"of {least:g} or more"
        raise ConfigError(f"'{key}' takes {called} {span}, got {value!r}")


def _nearest(name: str, known: Iterable[str]) -> str:
    """', nearest is ...' where something known looks alike, by the whole key or by its last part."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:
        last = {key.rpartition(".")[2]: key for key in reversed(known)}
        near = [last[match] for match in difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.6)]
    return f", nearest is '{near[0]}'" if near else ""
