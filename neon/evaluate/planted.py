"""Planted truth: rows of which one knows what is relevant, and whether an explanation finds it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from neon.evaluate.explained import as_rows
from neon.evaluate.refills import deviations_of
from neon.evaluate.relevance import values_of
from neon.evaluate.scores import Key, Scores

__all__ = ["Planted", "auroc", "hit_at_k", "plant_clusters", "plant_outliers"]


class Planted(NamedTuple):
    """Rows with what is known of them.

    X : (n_rows, n_features); truth : bool, shaped like X, which features matter; labels : (n_rows,), the cluster, or 0.
    """

    X: np.ndarray
    truth: np.ndarray
    labels: np.ndarray


def plant_outliers(
    X: Any, n_rows: int = 100, n_columns: int = 2, size: tuple[float, float] = (2.0, 4.0), seed: int = 0
) -> Planted:
    """Rows of X of which ``n_columns`` random columns are shifted, up or down, by so many standard deviations.

    A model of the data, fitted without these rows, should say of each that it is an outlier for these columns.
    """
    rows = as_rows(X)
    n_features = rows.shape[1]
    if not 1 <= n_columns < n_features:
        raise ValueError(f"n_columns must be from 1 to {n_features - 1}, got {n_columns}")
    rng = np.random.default_rng(seed)
    chosen = rows[rng.integers(len(rows), size=n_rows)]
    truth = rng.random((n_rows, n_features)).argsort(1) < n_columns
    shift = rng.uniform(*size, truth.shape) * rng.choice([-1, 1], truth.shape)
    return Planted(chosen + truth * shift * deviations_of(rows), truth, np.zeros(n_rows, dtype=int))


def plant_clusters(
    n_rows: int = 300,
    n_clusters: int = 4,
    n_features: int = 12,
    n_relevant: int = 3,
    distance: float = 6.0,
    seed: int = 0,
) -> Planted:
    """Clusters that each live in a subspace of their own: standard normal rows, moved along ``n_relevant`` features.

    The features are different ones for each cluster: which ones they are is the truth of a row's cluster evidence.

    Parameters
    ----------
    distance : float
        Of a cluster's center from the origin, in standard deviations, spread evenly over its features.
    """
    if n_clusters * n_relevant > n_features:
        raise ValueError(f"{n_clusters} clusters of {n_relevant} features need {n_clusters * n_relevant} features")
    rng = np.random.default_rng(seed)
    owners = rng.permutation(n_features)[: n_clusters * n_relevant].reshape(n_clusters, n_relevant)
    mask = np.zeros((n_clusters, n_features), dtype=bool)
    np.put_along_axis(mask, owners, True, axis=1)
    labels = np.arange(n_rows) % n_clusters
    centers = mask * rng.choice([-1.0, 1.0], mask.shape) * distance / np.sqrt(n_relevant)
    return Planted(rng.normal(size=(n_rows, n_features)) + centers[labels], mask[labels], labels)


def hit_at_k(X: Any, relevance: Any, truth: np.ndarray, *, k: int | None = None, method: str = "") -> Scores:
    """The share of the k most relevant features that are planted; k : by default as many as were planted in the row.

    Ties count by their chance: of features that are equally relevant, each is as likely among the first as another.
    """
    values, marks = _flat(X, relevance, truth)
    found = np.empty(len(values))
    for row, (v, t) in enumerate(zip(values, marks, strict=True)):
        wanted = int(t.sum()) if k is None else k
        last = np.sort(v)[::-1][wanted - 1]
        above, level = v > last, v == last
        left = wanted - above.sum()
        found[row] = (t[above].sum() + left * t[level].mean()) / wanted
    return Scores({Key(method, "hit_at_k"): found})


def auroc(X: Any, relevance: Any, truth: np.ndarray, *, method: str = "") -> Scores:
    """The probability that a planted feature of the row is more relevant than another one; ties count half.

    The area under the ROC curve, ``(Σ ranks of the planted - k (k+1) / 2) / (k (d - k))`` (Mann and Whitney).
    """
    values, marks = _flat(X, relevance, truth)
    ranks = rankdata(values, axis=1)
    k = marks.sum(1)
    pairs = k * (marks.shape[1] - k)
    above = (ranks * marks).sum(1) - k * (k + 1) / 2
    return Scores({Key(method, "auroc"): np.divide(above, pairs, out=np.full(len(k), np.nan), where=pairs > 0)})


def _flat(X: Any, relevance: Any, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and truth as tables."""
    rows = as_rows(X)
    values = values_of(relevance, rows).reshape(len(rows), -1)
    truth = np.asarray(truth, dtype=bool)
    if truth.shape != rows.shape:
        raise ValueError(f"truth must mark the planted features of each row, {rows.shape}, got {truth.shape}")
    if not truth.any(axis=tuple(range(1, truth.ndim))).all():
        raise ValueError("every row must have a planted feature")
    return values, truth.reshape(len(rows), -1)
