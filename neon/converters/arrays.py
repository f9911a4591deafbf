"""What fitted models hold, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["dense"]


def dense(matrix: Any) -> np.ndarray:
    """A matrix, sparse or not, as a float64 array."""
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)
