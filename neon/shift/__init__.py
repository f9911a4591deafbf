"""Why two sets of rows differ: the Wasserstein distance between them, feature by feature and row by row."""

from neon.shift.explained import Shift, explain_shift

__all__ = ["Shift", "explain_shift"]
