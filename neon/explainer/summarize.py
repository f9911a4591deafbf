"""A few rows in place of many: reference rows that cost less."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.metrics import euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from neon.converters.core.containers import check_finite, column_names, numeric, take
from neon.explainer.placement import as_array

__all__ = ["summarize"]

_SEEN = 5000  # rows that stand for all of them in the mean similarity
_BLOCK = 1000
_TIE = 1e-9  # of similarities: of rows that are as good the first, whatever rounding says


def summarize(X: Any, k: int = 50) -> tuple[Any, np.ndarray]:
    """Choose k rows whose distribution is close to that of all rows: for ``reference=``.

    Kernel herding (Chen, Welling and Smola 2010): each next row is the one that brings the mean of their similarities
    ``exp(-γ ‖x - x'‖²)`` to all rows nearest to the rows' own; columns standardized, 1/γ the median squared distance.
    The rows are X's own, so that codes, whole numbers and texts stay what they are; nothing is drawn at random.

    Parameters
    ----------
    X : array-like (n_rows, n_features), DataFrame or sparse matrix
        Columns of a DataFrame that are no numbers count as equal or not; missing numbers as the column's median.
        Documents have no columns to compare: choose some yourself.
    k : int
        Fewer cost less: "expected" starts from each of them.

    Returns
    -------
    rows
        (k, n_features), as X has them, names included; all of X's where it has no more.
    weights : ndarray (k,)
        All 1/k.

    Raises
    ------
    ValueError
        If X has no rows or columns, is neither numbers nor a DataFrame, or holds infinity; if k is no number of rows.

    Examples
    --------
    >>> neon.Explainer(model, composite="expected", reference=neon.summarize(X_train, 30))
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k must be a whole number of rows, at least 1, got {k!r}")
    if sparse.issparse(X):
        X = X.tocsr()
    elif column_names(X) is None:
        X = as_array(numeric(X))
    if len(X.shape) != 2 or X.shape[1] == 0:
        raise ValueError(f"X must be rows and columns (n_rows, n_features), got shape {tuple(X.shape)}")
    if X.shape[0] == 0:
        raise ValueError("X has no rows to choose from")
    chosen = np.arange(X.shape[0]) if k >= X.shape[0] else _herd(_standardized(X), int(k))
    return take(X, chosen), np.full(len(chosen), 1 / len(chosen))


def _standardized(X: Any) -> Any:
    """Columns of variance 1, dense or sparse."""
    if sparse.issparse(X):
        X = numeric(X)
        check_finite(X)
        return StandardScaler(with_mean=False).fit_transform(X)
    names = column_names(X)
    if names is None:
        return _scaled(X)
    frame = (X if hasattr(X, "iloc") else X.to_pandas()).set_axis(range(len(names)), axis=1)
    numbers = frame.select_dtypes(["number", "bool"], exclude="timedelta")
    others = frame.drop(columns=numbers.columns)
    parts = [_scaled(numeric(numbers))] if numbers.shape[1] else []
    if others.shape[1]:
        codes = np.stack([others[i].factorize()[0] for i in others], axis=1)  # of what is missing -1
        parts.append(make_pipeline(OneHotEncoder(sparse_output=False), StandardScaler()).fit_transform(codes))
    return np.hstack(parts)


def _scaled(numbers: np.ndarray) -> np.ndarray:
    """Columns of variance 1, their medians in place of what is missing."""
    check_finite(numbers, missing=True)
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    return np.asarray(make_pipeline(median, StandardScaler()).fit_transform(numbers))


def fewer(rows: np.ndarray, weights: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """At most k of weighted rows of numbers, chosen by `summarize`'s way, and their weights."""
    counted = weights > 0
    rows, weights = rows[counted], weights[counted]
    if len(rows) <= k:
        return rows, weights
    return rows[_herd(_scaled(rows), k, weights)], np.full(k, 1 / k)


def _herd(Z: Any, k: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Places of k rows of Z, which all weigh the same unless told otherwise."""
    n = Z.shape[0]
    seen = Z[:: -(-n // _SEEN)]
    weights = None if weights is None else weights[:: -(-n // _SEEN)]
    some = euclidean_distances(seen[:: -(-seen.shape[0] // _BLOCK)], squared=True)
    rate = 1 / max(float(np.median(some[some > 0])) if (some > 0).any() else 1.0, np.finfo(float).tiny)
    mean = np.concatenate(
        [
            np.average(np.exp(-rate * euclidean_distances(Z[i : i + _BLOCK], seen, squared=True)), 1, weights)
            for i in range(0, n, _BLOCK)
        ]
    )
    chosen, near = np.empty(k, dtype=np.int64), np.zeros(n)
    free = np.ones(n, dtype=bool)
    for step in range(k):
        gain = np.where(free, mean - near / (step + 1), -np.inf)
        chosen[step] = (gain >= gain.max() - _TIE).argmax()
        free[chosen[step]] = False
        near += np.exp(-rate * euclidean_distances(Z, Z[chosen[[step]]], squared=True)[:, 0])
    return chosen
