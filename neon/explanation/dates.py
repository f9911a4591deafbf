"""Dates and durations among the data: as days, so that they have a place on an axis; and in words."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

__all__ = ["date_at", "days", "in_words", "is_date", "is_duration"]

_DAY = datetime.timedelta(days=1)
_START = datetime.datetime(1970, 1, 1)


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
    start = _start_of(value)
    if not is_date(start):
        return str(value)
    if start is not value:  # a period says itself how long it is
        return str(value)
    if isinstance(value, datetime.datetime):  # in its own zone
        value = value.replace(tzinfo=None)
    date, _, time = str(np.datetime64(value, "s")).partition("T")
    return date if time in ("", "00:00:00") else f"{date} {time.removesuffix(':00')}"


def _start_of(value: Any) -> Any:
    """A period's first moment; anything else itself."""
    return value.to_timestamp() if hasattr(value, "to_timestamp") else value
