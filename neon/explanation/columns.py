"""Columns of data, which may hold strings, dates and gaps beside numbers: as numbers, as codes, on average."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from neon.explanation.dates import date_at, days, is_date, is_duration


def as_numbers(data: np.ndarray) -> np.ndarray:
    """Turn `data` into float64: dates and durations into days, strings and whatever else is no number into NaN."""
    if data.dtype.kind in "biuf":
        return data.astype(np.float64)
    return np.array([_number(value) for value in data.flat], dtype=np.float64).reshape(data.shape)


def _number(value: Any) -> float:
    if isinstance(value, Real | Decimal | np.bool_) and not isinstance(
        value, np.timedelta64
    ):  # a whole number to numpy
        return float(value)
    return days(value)


def coded(data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Put numbers in place of strings: their rank in the column; of dates: the days since 1970.

    Returns
    -------
    tuple
        The numbers; and the data as it was, or None if it is numeric anyway.
    """
    numbers = as_numbers(data)
    if data.dtype != object:
        return numbers, None
    text = _is_text(data)
    for column in np.flatnonzero(text.any(axis=0)):
        rows = text[:, column]
        numbers[rows, column] = np.unique(data[rows, column].astype(str), return_inverse=True)[1]
    return numbers, data.copy()


def column_means(data: np.ndarray) -> np.ndarray:
    """Average the numbers of each column, or dates, as one row; "" for columns with strings or nothing known."""
    numbers = as_numbers(data)
    known = ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):  # inf - inf
        total = np.where(known, numbers, 0.0).sum(axis=0, keepdims=True)
    means = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    if data.dtype != object:
        return means
    means = means.astype(object)
    for column, mean in enumerate(means[0] if data.ndim == 2 else ()):
        if any(map(is_date, data[:, column])):
            means[0, column] = date_at(mean)
        elif any(map(is_duration, data[:, column])):
            means[0, column] = date_at(mean) - date_at(0.0)
    return np.where(_is_text(data).any(axis=0) | ~known.any(axis=0), "", means)


def _is_text(data: np.ndarray) -> np.ndarray:
    return np.array([isinstance(value, str) for value in data.flat], dtype=bool).reshape(data.shape)
