"""Loading of models from a folder or a hub: quietly, and without the network where it can be done without."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

UNREACHABLE = {"ConnectionError", "TransportError"}
"""Names of errors of the network; the second is that of the hub's client, whose package changes its name."""


def fetch(model: str, load: Callable[[bool], Any]) -> Any:
    """What ``load(local)`` makes of a folder or hub id: first of what is on this machine alone (``local`` True); only a
    hub id that is not cached yet touches the network. Raises whatever the loader raises."""
    from huggingface_hub import HfApi

    try:
        return load(True)
    except Exception:
        if Path(model).is_dir():
            raise
    HfApi().model_info(model, timeout=10)  # fails at once where the download would retry for a minute
    return load(False)


def why(error: Exception) -> str:
    """Why a model could not be loaded, in words."""
    from huggingface_hub import errors
    from safetensors import SafetensorError

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, errors.RepositoryNotFoundError):
            return "the hub knows no such model, or keeps it from you"
        if UNREACHABLE & {kind.__name__ for kind in type(found).__mro__}:
            return "it is not on this machine, and the hub cannot be reached"
        if isinstance(found, errors.HFValidationError):
            return "there is no such folder, and no hub id looks like that"
        if isinstance(found, SafetensorError):
            return f"its weights are damaged: {found}"
        found = found.__cause__ or found.__context__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the loaders' bars and warnings, then leave their settings as they were."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as chatter

    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "transformers", "huggingface_hub")]
    levels, bars, hub = [log.level for log in loggers], chatter.is_progress_bar_enabled(), are_progress_bars_disabled()
    for log in loggers:
        log.setLevel(logging.ERROR)
    chatter.disable_progress_bar()
    disable_progress_bars()
    try:
        yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
        if bars:
            chatter.enable_progress_bar()
        if not hub:
            enable_progress_bars()
