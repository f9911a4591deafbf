"""What fitted models hold and score, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["contrast", "dense", "signed", "unchanged"]


def dense(matrix: Any) -> np.ndarray:
    """A matrix, sparse or not, as a float64 array."""
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)


def unchanged(rows: Any) -> Any:
    """Rows as they are; a function of the module, so that what holds it can be pickled."""
    return rows


def signed(scores: Any) -> np.ndarray:
    """Scores (n_samples,) of the second of two classes as ``[-f, f]``; those of more classes as they are."""
    scores = np.asarray(scores, dtype=np.float64)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def contrast(d: np.ndarray) -> np.ndarray:
    """``min_{k≠c} d_k - d_c``; d : (n_samples, n_alternatives), dissimilarities or negative scores."""
    return np.stack([np.delete(d, c, axis=1).min(1) - d[:, c] for c in range(d.shape[1])], axis=1)
