"""What fitted models hold and score, as arrays."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["contrast", "dense", "margins", "rivals", "unchanged", "versus"]


def dense(matrix: Any) -> np.ndarray:
    """A matrix, sparse or not, as a float64 array."""
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float64)


def unchanged(rows: Any) -> Any:
    """Rows as they are; a function of the module, so that what holds it can be pickled."""
    return rows


def contrast(d: np.ndarray) -> np.ndarray:
    """``min_{k≠c} d_k - d_c``; d : (n_samples, n_alternatives), dissimilarities or negative scores."""
    return np.stack([np.delete(d, c, axis=1).min(1) - d[:, c] for c in range(d.shape[1])], axis=1)


def rivals(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """For each class and each of its rivals, which machine decides and its sign; `versus` without the zeros."""
    index = {pair: number for number, pair in enumerate(itertools.combinations(range(n_classes), 2))}
    pairs = list(itertools.permutations(range(n_classes), 2))
    columns = np.array([index[min(c, k), max(c, k)] for c, k in pairs], dtype=np.int64)
    return columns, np.array([-1.0 if c < k else 1.0 for c, k in pairs])


def versus(n_classes: int) -> np.ndarray:
    """Signs (n_classes (n_classes - 1), n_pairs): the machine of (i, j), i < j, is positive where j wins."""
    columns, signs = rivals(n_classes)
    matrix = np.zeros((len(columns), n_classes * (n_classes - 1) // 2))
    matrix[np.arange(len(columns)), columns] = signs
    return matrix


def margins(scores: np.ndarray, n_classes: int) -> np.ndarray:
    """The smallest score of each class over its rivals; scores : (n_samples, n_pairs), their signs as in `versus`."""
    columns, signs = rivals(n_classes)
    return np.asarray((scores[:, columns] * signs).reshape(len(scores), n_classes, n_classes - 1).min(2))
