"""Grid points of a feature, and rows with columns put in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats.mstats import mquantiles

__all__ = ["check_grid", "column", "grid_of", "put"]


def check_grid(resolution: int, percentiles: tuple[float, float]) -> None:
    """Raise where there is no such grid."""
    if not isinstance(resolution, int | np.integer) or resolution < 2:
        raise ValueError(f"grid_resolution must be a whole number of points, at least 2, got {resolution!r}")
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 1:
        raise ValueError(f"percentiles must be two shares, 0 ≤ low < high ≤ 1, got {percentiles!r}")


def grid_of(values: np.ndarray, resolution: int, percentiles: tuple[float, float]) -> np.ndarray:
    """The values themselves where they are few or no numbers, else equal steps between two percentiles.

    As scikit-learn's `partial_dependence` takes them; missing values are left out.
    """
    known = values[~pd.isna(values)]
    points = np.unique(known)
    if known.dtype.kind not in "iuf" or len(points) < resolution:
        return points
    low, high = mquantiles(known.astype(np.float64), prob=percentiles)
    if np.isclose(low, high):
        raise ValueError(
            f"the percentiles {percentiles} are both {low:.6g}: give wider percentiles=, or points as custom_values="
        )
    return np.linspace(low, high, resolution)


def column(rows: Any, place: int) -> np.ndarray:
    """One column of an array or frame; numbers where it holds numbers alone."""
    values = rows.iloc[:, place].to_numpy() if hasattr(rows, "iloc") else rows[:, place]
    return np.asarray(pd.Series(values).infer_objects())


def put(rows: Any, places: Sequence[int], values: Sequence[Any]) -> Any:
    """A copy of the rows with these columns, each of as many values as there are rows."""
    if not hasattr(rows, "iloc"):
        made = rows.astype(np.float64) if rows.dtype.kind in "iub" else rows.copy()
        for place, value in zip(places, values, strict=True):
            made[:, place] = value
        return made
    made = rows.copy()
    for place, value in zip(places, values, strict=True):
        series, dtype = pd.Series(value, index=made.index), made.dtypes.iloc[place]
        made.isetitem(place, series.astype(dtype) if isinstance(dtype, pd.CategoricalDtype) else series)
    return made
