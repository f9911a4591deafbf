"""Estimators made of others: voting, stacking, calibration, one-vs-rest, several outputs."""

from neon.converters.meta import (
    averages,
    boosting,
    calibration,
    dummy,
    machines,
    multiclass,
    multioutput,
    side_by_side,
    stacking,
    voting,
    wrappers,
)

__all__ = [
    "averages",
    "boosting",
    "calibration",
    "dummy",
    "machines",
    "multiclass",
    "multioutput",
    "side_by_side",
    "stacking",
    "voting",
    "wrappers",
]
