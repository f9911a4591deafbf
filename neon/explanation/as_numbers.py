"""Data, which may hold strings, dates and gaps beside numbers: as numbers, as codes, on average; dates in words."""

from __future__ import annotations

import datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

_DAY = datetime.timedelta(days=1)
_START = datetime.datetime(1970, 1, 1)
_PLAIN = {bool, int, float, np.bool_, np.float64, np.int64, type(None)}  # numpy turns them into floats by itself


def as_numbers(data: np.ndarray) -> np.ndarray:
    """Turn `data` into float64: dates and durations into days, strings and whatever else is no number into NaN."""
    if data.dtype.kind in "biuf" or set(map(type, data.flat)) <= _PLAIN:
        return data.astype(np.float64)
    return np.array([_number(value) for value in data.flat], dtype=np.float64).reshape(data.shape)


def _number(value: Any) -> float:
    is_number = isinstance(value, Real | Decimal | np.bool_)
    return float(value) if is_number and not isinstance(value, np.timedelta64) else days(value)  # an int to numpy


def coded(data: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """As numbers, strings being their rank in the column, dates days since 1970; and as it was, unless numeric."""
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


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA, which answers no comparison."""
    return value is None or type(value).__name__ == "NAType" or bool(np.ndim(value) == 0 and value != value)


def is_date(value: Any) -> bool:
    """Whether it is a point in time: of Python, numpy or pandas (a period counts from its start); not NaT."""
    value = _start_of(value)
    return isinstance(value, datetime.date | np.datetime64) and bool(value == value)


def is_duration(value: Any) -> bool:
    """Whether it is a length of time, or a time of the day; not NaT."""
    return isinstance(value, datetime.timedelta | np.timedelta64 | datetime.time) and bool(value == value)


def days(value: Any) -> float:
    """Days since 1970-01-01 (UTC, where a zone is known), or the days that a duration has; NaN for all else."""
    value = _start_of(value)
    if not (is_date(value) or is_duration(value)):
        return np.nan
    if isinstance(value, np.datetime64):
        return float((value - np.datetime64(0, "D")) / np.timedelta64(1, "D"))
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "D"))
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(_START, value.replace(tzinfo=None)) - _START
    elif isinstance(value, datetime.datetime):
        value = value - _START.replace(tzinfo=None if value.tzinfo is None else datetime.timezone.utc)
    elif isinstance(value, datetime.date):
        value = value - _START.date()
    return float(value / _DAY)


def date_at(number: float) -> np.datetime64:
    """The date that `days` gives this number for, to the second; NaT for NaN."""
    return np.datetime64("NaT") if np.isnan(number) else np.datetime64(round(number * 86400), "s")


def in_words(value: Any) -> str:
    """A date without the time where it is midnight, and without seconds where there are none; durations in full."""
    if not is_date(value) or _start_of(value) is not value:  # a period says itself how long it is
        return str(value)
    if isinstance(value, datetime.datetime):  # in its own zone
        value = value.replace(tzinfo=None)
    date, _, time = str(np.datetime64(value, "s")).partition("T")
    return date if time in ("", "00:00:00") else f"{date} {time.removesuffix(':00')}"


def _start_of(value: Any) -> Any:
    """A period's first moment; anything else itself."""
    return value.to_timestamp() if hasattr(value, "to_timestamp") else value
