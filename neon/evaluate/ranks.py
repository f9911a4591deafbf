"""Rank correlations, row by row."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["rank_correlation"]


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's ρ of each row, (n_rows,); ties share their mean rank, and a row of one value has NaN."""
    first, second = (rankdata(x, axis=1) for x in (a, b))
    first, second = (x - x.mean(1, keepdims=True) for x in (first, second))
    norms = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), norms, out=np.full(len(a), np.nan), where=norms > 0)
