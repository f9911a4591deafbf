"""Where the values of a column stand beside what is usual, on an axis that all columns share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neon.explanation.as_numbers import as_numbers
from neon.explanation.typical import Typical

__all__ = ["positions"]


def positions(
    typical: Typical, values: np.ndarray, most: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Of the rows that say what is usual (at most so many, drawn at random), and of some values; NaN: missing.

    Numbers and dates: ``(x - median) / half the width of the middle 68 %``, of a normal distribution standard scores.
    Categories: 0, 1, 2, ... from the most common to the rarest.
    """
    usual = typical.values if len(typical.values) <= most else random.choice(typical.values, most, replace=False)
    if typical.kind in ("number", "date"):
        low, median, high = typical.middle()
        numbers = as_numbers(typical.values)
        spread = (high - low) / 2 or float(np.nanstd(numbers[np.isfinite(numbers)])) or 1.0
        return (as_numbers(usual) - median) / spread, (as_numbers(values) - median) / spread
    shares = typical.shares(slice(None))
    order = sorted(shares, key=lambda value: -shares[value])
    place = {value: float(i) for i, value in enumerate(order)}
    return _placed(usual, place), _placed(values, place)


def _placed(values: Any, place: dict[Any, float]) -> np.ndarray:
    return np.array([np.nan if pd.isna(value) else place.get(value, float(len(place))) for value in values])
