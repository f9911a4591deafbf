"""Clusterings without ``predict``: evidence for their labels by a stated function of distances to the training rows.

Kernel k-means evidence: soft distances to the clusters' rows (Kauffmann et al. 2022, "From Clustering to Cluster
Explanations via Neural Networks"). How many training rows get their own label by the other rows is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import logsumexp
from sklearn.metrics import euclidean_distances

from neon.converters.cluster.centers import refuse_single
from neon.converters.core import Ask, Conversion, contrast, converter, some_rows
from neon.converters.core.containers import check_finite, numeric
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Evidence, LogSumExp, SquaredDistance

__all__ = ["Clusters", "chunked", "convert_labels", "members", "reproduces"]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Labels of some rows, from anywhere; negative ones are noise.

    Attributes
    ----------
    labels_ : ndarray (n_rows,)
    n_features_in_ : int
    gamma : float, optional
        Of the soft distances. Default: see `convert_labels`.
    feature_names_in_ : ndarray of str, optional
    classes_ : ndarray (n_clusters,), optional
        What the clusters are called, where `labels_` are places in it.
    """

    labels_: np.ndarray
    n_features_in_: int
    gamma: float | None = None
    feature_names_in_: np.ndarray | None = None
    classes_: np.ndarray | None = None


_NAMES = ("HDBSCAN", "OPTICS", "AgglomerativeClustering", "SpectralClustering", "SpectralBiclustering")


@converter(*(f"sklearn.cluster.{name}" for name in (*_NAMES, "SpectralCoclustering")), Clusters, takes_data=True)
def convert_labels(model: Any, ask: Ask) -> Conversion:
    """``f_c = min_{k≠c} m_k - m_c``, the ``m_k = -(1/γ) log mean_{j∈k} exp(-γ ‖x - u_j‖²)`` soft distances to clusters.

    HDBSCAN, OPTICS, AgglomerativeClustering, SpectralClustering, the rows of SpectralBiclustering and of
    SpectralCoclustering, and `Clusters`. γ is the smallest of ``2^k / mean_ij ‖u_i - u_j‖²``, k = 0...12, that gives as
    many rows their own label, while they are left out themselves, as the best one: but for one standard error, as trees
    are pruned (Breiman et al. 1984). Where γ is large the nearest rows alone count, and say less of the cluster.
    """
    ask.choose("evidence")
    name = type(model).__name__
    if "precomputed" in (getattr(model, "metric", None), getattr(model, "affinity", None)):
        raise UnsupportedModelError(
            f"{name} of precomputed distances or affinities: there are no features to explain. With rows X at hand: "
            "neon.explain_clusters(model.labels_, X)"
        )
    if ask.data is None:
        raise ValueError(
            f"{name} has no predict and holds no rows; give those that it was fitted on: neon.Explainer(model, data=X)"
        )
    points, groups, classes, sizes = members(model, ask.data)
    refuse_single(model, len(classes))
    gamma = None
    if isinstance(model, Clusters):
        gamma = model.gamma
        classes = classes if model.classes_ is None else model.classes_[classes]
    if gamma is not None and not (isinstance(gamma, Real) and gamma > 0):
        raise ValueError(f"gamma must be a number above 0, or None, got {gamma!r}")
    gamma = _gamma(points, groups, sizes) if gamma is None else float(gamma)

    def own(X: np.ndarray) -> np.ndarray:
        return contrast(_soft_distances(euclidean_distances(X, points, squared=True), sizes, gamma))

    agreement, expected = _measured(points, groups, sizes, gamma)
    stiffness = 1 / expected if expected > 0 else 1.0
    layers = [
        SquaredDistance(points),
        Affine(-gamma),
        LogSumExp(np.eye(len(classes)).repeat(sizes, 1) / sizes[:, None]),
        Affine(-1 / gamma),
    ]
    return Conversion(
        torch.nn.Sequential(*layers, Evidence(stiffness)),
        "evidence for a cluster: how much closer its rows are than those of the nearest other, in soft squared "
        f"distance (gamma={gamma:.3g}), {reproduces(agreement, model, len(points), by=', by the other rows')}",
        tuple(f"cluster {label}" for label in classes),
        own,
        classes=classes,
        agreement=agreement,
        background=some_rows(points, "the clusters' rows"),
    )


def reproduces(agreement: float, model: Any, n_points: int, *, by: str = "") -> str:
    """What share of the labels a stated function gives, in words; noise, which is in no cluster, stands apart."""
    words = f"a function that gives {agreement:.1%} of the training rows their cluster{by}"
    n_noise = len(_labels(model)) - n_points
    return words + (f" ({n_noise} are noise: explained by the cluster with most evidence)" if n_noise else "")


def members(model: Any, data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rows that are in a cluster, cluster by cluster.

    Returns
    -------
    points : (n_points, n_features)
    groups : ndarray of int (n_points,)
        The number of each one's cluster.
    classes : (n_clusters,)
        Their labels; negative ones, which stand for noise, left out.
    sizes : ndarray of int (n_clusters,)
    """
    labels = _labels(model)
    rows = numeric(data)
    if rows.ndim != 2 or rows.shape != (len(labels), model.n_features_in_):
        raise ValueError(
            f"data must be the rows that the labels were given to, shape {(len(labels), model.n_features_in_)}, "
            f"got {rows.shape}"
        )
    kept = labels >= 0 if labels.dtype.kind in "iuf" else np.ones(len(labels), dtype=bool)
    classes, groups, sizes = np.unique(labels[kept], return_inverse=True, return_counts=True)
    order = np.argsort(groups, kind="stable")
    points = rows[np.flatnonzero(kept)[order]]
    check_finite(points)
    return points.toarray() if sparse.issparse(points) else points, groups[order], classes, sizes


def _labels(model: Any) -> np.ndarray:
    return np.asarray(model.labels_ if hasattr(model, "labels_") else model.row_labels_)


SIZE = 2**22  # distances that are held at a time


def chunked(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, n_points: int) -> np.ndarray:
    """A function that takes distances to ``n_points`` points, of some rows (or their positions) at a time."""
    step = max(1, SIZE // n_points)
    return np.concatenate([function(rows[start : start + step]) for start in range(0, len(rows), step)])


def _soft_distances(d: np.ndarray, sizes: np.ndarray, gamma: float) -> np.ndarray:
    """``-(1/γ) log mean exp(-γ d)`` over each cluster's columns."""
    parts = np.split(d, np.cumsum(sizes)[:-1], axis=1)
    return np.stack([(np.log(part.shape[1]) - logsumexp(-gamma * part, axis=1)) / gamma for part in parts], axis=1)


SOME = 500  # rows that are left out, one at a time, to choose gamma
STEPS = 13


def _measured(points: np.ndarray, groups: np.ndarray, sizes: np.ndarray, gamma: float) -> tuple[float, float]:
    """The share of rows with their own label while they are left out; the mean size of the evidence for it."""

    def ask(rows: np.ndarray) -> np.ndarray:
        d, here = euclidean_distances(points[rows], points, squared=True), np.arange(len(rows))
        evidence = contrast(_soft_distances(d, sizes, gamma))[here, groups[rows]]
        d[here, rows] = np.inf
        return np.stack([_found_by_others(d, groups[rows], sizes, gamma), np.abs(evidence)], axis=1)

    share, size = chunked(ask, np.arange(len(points)), len(points)).mean(0)
    return float(share), float(size)


def _found_by_others(d: np.ndarray, own: np.ndarray, sizes: np.ndarray, gamma: float) -> np.ndarray:
    """Which rows have their own label, while they are left out: their own columns of distances are infinite."""
    others = sizes - (np.arange(len(sizes)) == own[:, None])  # rows of each cluster, without the one left out
    with np.errstate(divide="ignore", invalid="ignore"):
        m = _soft_distances(d, sizes, gamma) + (np.log(others) - np.log(sizes)) / gamma
    return np.nan_to_num(m, nan=np.inf).argmin(1) == own


def _gamma(points: np.ndarray, groups: np.ndarray, sizes: np.ndarray) -> float:
    some = np.unique(np.linspace(0, len(points) - 1, min(SOME, len(points))).astype(int))
    d = euclidean_distances(points[some], points, squared=True)
    mean = d.mean()
    if mean == 0:
        return 1.0
    d[np.arange(len(some)), some] = np.inf
    found = [np.mean(_found_by_others(d, groups[some], sizes, 2.0**k / mean)) for k in range(STEPS)]
    shares, best = np.array(found), max(found)
    error = np.sqrt(best * (1 - best) / len(some))
    return float(2.0 ** int(np.argmax(shares >= best - error)) / mean)
