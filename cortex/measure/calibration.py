"""Whether a confidence means what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cortex.types import CortexError


def calibration_error(
    confidence: Sequence[float] | npt.NDArray[np.floating],
    right: Sequence[bool] | npt.NDArray[np.bool_],
    bins: int = 10,
) -> float:
    """Expected calibration error: |share right - mean confidence| of each bin, weighted by its share of the answers.

    ``confidence`` [n] in [0, 1], ``right`` [n] bool; bins of equal width, the last of which includes 1. 0 is
    calibrated; nan without answers. With few answers a bin it is above 0 by chance alone. Raises CortexError for
    confidences outside of [0, 1] and for shapes that differ. Naeini et al. 2015; Guo et al. 2017, section 2.
    """
    given, truth = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if given.shape != truth.shape or given.ndim != 1:
        raise CortexError(
            f"confidences of shape {given.shape} and answers of shape {truth.shape} do not pair; give [n] of both"
        )
    if not ((given >= 0) & (given <= 1)).all():
        raise CortexError("a confidence lies outside of [0, 1]; give probabilities")
    if len(given) == 0:
        return math.nan
    place = np.minimum((given * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, truth - given, minlength=bins)
    return float(np.abs(gap).sum() / len(given))
