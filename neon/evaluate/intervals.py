"""95 % intervals: of a mean over rows by Student's t, of a ratio of two means by the bootstrap."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

__all__ = ["mean_interval", "ratio_interval"]

_LEVEL = 0.95


def mean_interval(values: np.ndarray, level: float = _LEVEL) -> tuple[float, float, float]:
    """The mean over rows and its interval ``m ± t s / √n``, t of Student's distribution with n - 1 degrees.

    It holds for rows that are drawn independently from what one wants to speak of. NaN, of rows for which a score is
    not defined, is left out; a single row has no interval (NaN).

    Returns
    -------
    mean, low, high : float
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    mean = float(values.mean())
    if len(values) == 1:
        return mean, np.nan, np.nan
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def ratio_interval(
    pairs: list[tuple[np.ndarray, np.ndarray]], n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean over data sets of ``mean(a) / mean(b)`` and its 95 % interval by the percentile bootstrap.

    Parameters
    ----------
    pairs : list of (a, b)
        For each data set the scores (n_rows,) of two methods on the same rows, which are drawn again together, with
        replacement, within the data set.

    Returns
    -------
    ratio, low, high : float
    """
    rng = np.random.default_rng(seed)
    resampled = np.zeros(n_resamples)
    ratio = 0.0
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        for a, b in pairs:
            drawn = rng.integers(len(a), size=(n_resamples, len(a)))
            resampled += a[drawn].mean(1) / b[drawn].mean(1) / len(pairs)
            ratio += float(np.mean(a) / np.mean(b)) / len(pairs)
        low, high = np.nanpercentile(resampled, [100 * (1 - _LEVEL) / 2, 100 * (1 + _LEVEL) / 2])
    return ratio, float(low), float(high)
