"""How sure a figure is: intervals, and scores above what acting without looking can do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cortex.types import Array

RESAMPLES = 10_000

NESTED = 2_000
"""Resamples of an interval over seeds and games; a table has many of them."""


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


def iqm(values: Sequence[float] | Array, axis: int = -1) -> Any:
    """Interquartile mean along an axis: the mean of the middle half; a quarter of the values is left out on each side.

    Agarwal et al. 2021, section 4.3: less moved by a single run than the mean, and surer than the median.
    """
    from scipy.stats import trim_mean

    return trim_mean(np.asarray(values, np.float64), 0.25, axis=axis)


def nested_interval(
    groups: Sequence[Array], statistic: Callable[[Array], Array], seed: int = 0, resamples: int = NESTED
) -> tuple[float, float]:
    """95 % interval of ``statistic`` over seeds and games: percentiles of a bootstrap on two levels.

    ``groups`` holds for each seed an array of its games, [n] or [n, C]. Each resample draws seeds with replacement and,
    within each drawn seed, games (Davison and Hinkley 1997, section 3.8); ``statistic`` maps R resamples of all their
    games, [R, n] or [R, n, C], to [R]. With one seed only its games are drawn, and nothing is said of other seeds.
    Resamples in which the statistic is not defined (nan) are left out; (nan, nan) where they are more than one in
    twenty, and without games.

    In simulations with normal scores, 20 games a seed and 5 or 10 seeds it held the true mean in .98 of the cases where
    games differ and seeds hardly do (standard deviations .5 and .05), and in .85 to .89 where seeds differ more (.5 and
    1): few seeds say little about seeds.
    """
    held = [np.asarray(group, np.float64) for group in groups if len(group)]
    if not held:
        return math.nan, math.nan
    rng, games = np.random.default_rng(seed), np.concatenate(held)
    counts = np.array([len(group) for group in held])
    drawn = rng.integers(len(held), size=(resamples, len(held)))
    size, begin = counts[drawn][..., None], (counts.cumsum() - counts)[drawn][..., None]
    rows = begin + (rng.random((*drawn.shape, counts.max())) * size).astype(np.int64)
    within, lengths = np.arange(counts.max()) < size, size.sum(axis=(1, 2))
    found = np.empty(resamples)
    for length in np.unique(lengths):  # seeds may have different numbers of games
        part = lengths == length
        found[part] = statistic(games[rows[part][within[part]].reshape(-1, length)])
    defined = found[np.isfinite(found)]
    if len(defined) < 0.95 * resamples:
        return math.nan, math.nan
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
