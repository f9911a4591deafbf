"""Columns of data, which may hold strings and gaps beside numbers: as numbers, as codes, on average."""

from __future__ import annotations

from numbers import Real

import numpy as np


def as_numbers(data: np.ndarray) -> np.ndarray:
    """Turn `data` into float64, with NaN in place of strings and whatever else is no number."""
    if data.dtype.kind in "biuf":
        return data.astype(np.float64)
    numbers = [float(value) if isinstance(value, Real | np.bool_) else np.nan for value in data.flat]
    return np.array(numbers, dtype=np.float64).reshape(data.shape)


def coded(data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Put numbers in place of strings: their rank in the column.

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
    """Average the numbers of each column, as one row; "" for columns with strings or nothing known."""
    numbers = as_numbers(data)
    known = ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):  # inf - inf
        total = np.where(known, numbers, 0.0).sum(axis=0, keepdims=True)
    means = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    if data.dtype != object:
        return means
    return np.where(_is_text(data).any(axis=0) | ~known.any(axis=0), "", means.astype(object))


def _is_text(data: np.ndarray) -> np.ndarray:
    return np.array([isinstance(value, str) for value in data.flat], dtype=bool).reshape(data.shape)
