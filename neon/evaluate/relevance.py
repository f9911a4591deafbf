"""What methods return: an array shaped like the rows, or an `Explanation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neon.explanation import Explanation

__all__ = ["Method", "Relevance", "values_of"]

Relevance = np.ndarray | Explanation
Method = Callable[[Any, np.ndarray, Any, np.ndarray | None], Relevance]
"""``(model, X, target, background) -> relevance``."""


def values_of(relevance: Any, X: np.ndarray) -> np.ndarray:
    """Relevance as an array shaped like X.

    Raises
    ------
    ValueError
        If it has another shape, or is no number somewhere.
    """
    values = np.asarray(getattr(relevance, "values", relevance), dtype=np.float64)
    if values.shape != X.shape:
        raise ValueError(
            f"expected one relevance for each feature of each row, {X.shape}, got {values.shape}; of an explanation of "
            "all outputs select one: explanation.select(output)"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} relevances are NaN or infinite")
    return values
