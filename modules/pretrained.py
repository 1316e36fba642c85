"""Weights that were taught before any life, and are frozen: arrays of known names and shapes in a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cortex.types import Array, CortexError


def read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]], maker: str) -> dict[str, Array]:
    """The arrays of a safetensors file by name. Raises CortexError where it is missing (``maker`` is the module that
    makes it), damaged, or of other ``shapes``."""
    try:
        found = load_file(path)
    except FileNotFoundError:
        raise CortexError(f"there are no weights {path}; python -m {maker} makes them") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CortexError(f"the weights {path} are damaged ({error}); restore or make them anew") from error
    told = {name: value.shape for name, value in found.items()}
    if told != shapes or not all(np.isfinite(value).all() for value in found.values()):
        raise CortexError(f"the weights {path} are of another network, {told}; {shapes} would do")
    return found
