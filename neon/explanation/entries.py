"""Single entries of data, whatever kind they are of, as JSON and back: without pickle, and to the last digit."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

__all__ = ["as_text", "of_text"]


def as_text(value: Any) -> str:
    """JSON of one entry: numbers, strings, booleans and None as such, others as an object of their kind and parts.

    Raises
    ------
    TypeError
        If it is of a kind that has no such form.
    """
    return json.dumps(_plain(value))


def of_text(text: str) -> Any:
    """The entry that `as_text` gave this for.

    Raises
    ------
    ValueError
        If it gave no such text.
    """
    return _entry(json.loads(text))


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value  # of numpy's, some are Python's as well
    if value is pd.NaT or value is pd.NA:
        return {str(value): []}
    if isinstance(value, pd.Timestamp):
        moment = value.tz_convert("UTC").tz_localize(None) if value.tzinfo is not None else value
        return {"Timestamp": [*_counted(moment.asm8), None if value.tzinfo is None else str(value.tzinfo)]}
    if isinstance(value, pd.Timedelta):
        return {"Timedelta": _counted(value.asm8)}
    if isinstance(value, pd.Period):
        return {"Period": [value.ordinal, value.freqstr]}
    if isinstance(value, np.datetime64 | np.timedelta64):
        return {type(value).__name__: _counted(value)}
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return {type(value).__name__: [value.isoformat()]}
    if isinstance(value, datetime.timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, Decimal):
        return {"Decimal": [str(value)]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(part) for part in value]}
    raise TypeError(
        f"an entry of type {type(value).__name__} cannot be saved: numbers, strings, booleans, dates, durations, None "
        "and tuples of these can; turn it into one of them"
    )


def _counted(value: Any) -> list[Any]:
    """Of a numpy date or duration: how many of which unit."""
    unit, step = np.datetime_data(value.dtype)
    return [int(value.astype(np.int64)), unit if step == 1 else f"{step}{unit}"]


def _entry(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"no entry of data: {value!r}")
    ((kind, parts),) = value.items()
    if kind not in _MAKERS:
        raise ValueError(f"no entry of data is of kind {kind!r}")
    return _MAKERS[kind](*parts)


def _timestamp(count: int, unit: str, zone: str | None) -> Any:
    import pandas as pd

    moment = pd.Timestamp(_numpy("datetime64")(count, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _numpy(name: str) -> Callable[..., Any]:
    return lambda count, unit: getattr(np, name)(count, unit)


def _pandas(name: str) -> Callable[..., Any]:
    def make(*parts: Any) -> Any:
        import pandas as pd

        if name == "Timedelta":
            return pd.Timedelta(np.timedelta64(*parts))
        return pd.Period(ordinal=parts[0], freq=parts[1]) if name == "Period" else getattr(pd, name)

    return make


_MAKERS: dict[str, Callable[..., Any]] = {
    "NaT": _pandas("NaT"),
    "<NA>": _pandas("NA"),
    "Timestamp": _timestamp,
    "Timedelta": _pandas("Timedelta"),
    "Period": _pandas("Period"),
    "datetime64": _numpy("datetime64"),
    "timedelta64": _numpy("timedelta64"),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": datetime.timedelta,
    "Decimal": Decimal,
    "tuple": lambda *parts: tuple(_entry(part) for part in parts),
}
