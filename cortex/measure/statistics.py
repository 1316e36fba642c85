"""How sure a figure is: intervals, and scores above what acting without looking can do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def score(success: float, constant: float) -> float:
    """Share won of what the best constant actions leave open: 0 is as good as they are; nan where nothing is open."""
    return (success - constant) / (1 - constant) if constant < 1 else math.nan


def wilson(wins: int, episodes: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); the whole of [0, 1] where nothing was tried."""
    if episodes <= 0:
        return 0.0, 1.0
    share = wins / episodes
    centre = (share + z * z / (2 * episodes)) / (1 + z * z / episodes)
    half = z / (1 + z * z / episodes) * math.sqrt(share * (1 - share) / episodes + (z / (2 * episodes)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean over seeds.

    Bias-corrected and accelerated bootstrap (Efron 1987), the percentile one where that fails. A single value, and
    values that are all equal, say nothing of their spread: the interval is then the mean itself. No values, and values
    that are not finite, give (nan, nan).
    """
    from scipy.stats import bootstrap

    given = np.asarray(values, np.float64)
    if len(given) == 0 or not np.isfinite(given).all():
        return math.nan, math.nan
    if np.ptp(given) == 0:
        return float(given[0]), float(given[0])
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = bootstrap(
                (given,), np.mean, n_resamples=RESAMPLES, method=method, rng=np.random.default_rng(seed)
            ).confidence_interval
        if math.isfinite(found.low) and math.isfinite(found.high):
            return float(found.low), float(found.high)
    return float(given.min()), float(given.max())
