"""Estimators made of others: voting, stacking, calibration, one-vs-rest, several outputs."""

from neon.converters.meta import calibration, dummy, multiclass, multioutput, side_by_side, stacking, voting, wrappers

__all__ = ["calibration", "dummy", "multiclass", "multioutput", "side_by_side", "stacking", "voting", "wrappers"]
