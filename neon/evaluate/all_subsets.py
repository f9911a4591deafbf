"""Exact Shapley values of any model with few features, by all subsets, and agreement with them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from neon.evaluate.explained import Explained, background_rows
from neon.evaluate.ranks import rank_correlation
from neon.evaluate.relevance import values_of
from neon.evaluate.scores import Key, Scores

__all__ = ["exact_shapley", "rank_agreement"]

_FEATURES = 10


def exact_shapley(model: Any, X: Any, target: Any = None, background: Any = None) -> np.ndarray:
    """``φ_i = Σ_{S∌i} |S|! (d-|S|-1)! / d! (v(S∪i) - v(S))``, by all 2^d subsets, (n_rows, n_features).

    ``v(S) = mean_r f(x_S, r_rest)`` over the background rows r: the interventional game of KernelSHAP. Their sum is
    ``f(x) - mean_r f(r)``, exactly.

    Raises
    ------
    ValueError
        If there are more than 10 features, or no background.
    """
    f = Explained.of(model)
    rows, absent = f.rows(X, background)
    n_features = rows.shape[1]
    if rows.ndim != 2 or n_features > _FEATURES:
        raise ValueError(f"all subsets of at most {_FEATURES} features can be asked for, got {rows.shape[1:]}")
    absent = background_rows(absent)
    index = np.repeat(f.index(rows, target), len(absent))
    value = {}
    for present in itertools.product([False, True], repeat=n_features):
        mixed = np.where(present, rows[:, None], absent)
        value[present] = f(mixed.reshape(-1, n_features), index).reshape(len(rows), -1).mean(1)
    found = np.zeros(rows.shape)
    for present, v in value.items():
        size = sum(present)
        for i in range(n_features):
            if not present[i]:
                weight = math.factorial(size) * math.factorial(n_features - size - 1) / math.factorial(n_features)
                found[:, i] += weight * (value[(*present[:i], True, *present[i + 1 :])] - v)
    return found


def rank_agreement(
    model: Any,
    X: Any,
    relevance: Any,
    *,
    background: Any = None,
    target: Any = None,
    exact: np.ndarray | None = None,
    method: str = "",
) -> Scores:
    """Spearman's rank correlation, over the features of each row, of relevance with exact Shapley values.

    Parameters
    ----------
    exact : ndarray, optional
        Shapley values that are known. Default: those of `exact_shapley`, of at most 10 features.
    model, X, relevance, background, target, method : see `flipping`
    """
    rows, _ = Explained.of(model).rows(X)
    exact = exact_shapley(model, rows, target, background) if exact is None else exact
    return Scores({Key(method, "rank_agreement"): rank_correlation(values_of(relevance, rows), exact)})
