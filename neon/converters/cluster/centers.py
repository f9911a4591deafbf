"""Clusters around centers: evidence for a cluster against its nearest competitor.

Kauffmann et al. 2022, "From Clustering to Cluster Explanations via Neural Networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import euclidean_distances, pairwise_distances

from neon.converters.core import Ask, Conversion, contrast, converter, counted, dense, transformer
from neon.errors import UnsupportedModelError
from neon.nn import Elementwise, Evidence, ManhattanDistance, SquaredDistance
from neon.nn.pooling.groups import group_minimum

__all__ = ["convert_centers", "distance_to", "distances", "nearest_layers", "refuse_single"]


@converter(
    *(f"sklearn.cluster.{name}" for name in ("AffinityPropagation", "KMeans", "MeanShift", "MiniBatchKMeans")),
    transforms=True,
)
def convert_centers(model: Any, ask: Ask) -> Conversion:
    """``f_c = min_{k≠c} ‖x - μ_k‖² - ‖x - μ_c‖²``: positive exactly for the assigned cluster.

    KMeans, MiniBatchKMeans, MeanShift, AffinityPropagation. The pooling weights of the backward pass have stiffness
    ``β = 1 / E[f_c]``. The fitted models do not hold their training data; the mean is taken over the centers, weighted
    by cluster size: for x in cluster c with mean μ_c, ``E[‖x - μ_k‖² - ‖x - μ_c‖²] = ‖μ_k - μ_c‖²``.
    """
    if not hasattr(model, "cluster_centers_"):
        raise UnsupportedModelError(
            f"{type(model).__name__} with affinity={model.affinity!r} has no centers; supported is 'euclidean'"
        )
    centers = dense(model.cluster_centers_)  # sparse where the model was fitted on sparse rows
    if ask.choose(*(("evidence", "transform") if hasattr(model, "transform") else ("evidence",))) != "evidence":
        return distances(model, centers)
    if not len(centers):
        raise ValueError(f"this {type(model).__name__} did not converge: it has no cluster to explain")
    refuse_single(model, len(centers))
    labels = np.asarray(model.labels_)
    sizes = np.bincount(labels[labels >= 0], minlength=len(centers))
    return Conversion(
        torch.nn.Sequential(*nearest_layers(centers, [1] * len(centers), sizes)),
        "evidence for a cluster: how much closer it is than the nearest other, in squared distance",
        tuple(f"cluster {c}" for c in range(len(centers))),
        lambda X: contrast(_squared_distances(model, X)),
        classes=np.arange(len(centers)),
        family="nearest center",
        background=counted(centers, sizes, "the cluster centers, by size"),
    )


def distances(model: Any, centers: np.ndarray) -> Conversion:
    """What ``transform`` gives: the distance to every center."""
    layers = [distance_to(centers), Elementwise(torch.sqrt)]
    return transformer(model, layers, "distances to the centers", len(centers), "distance to center")


def nearest_layers(
    points: np.ndarray,
    sizes: Sequence[int],
    weights: np.ndarray | None = None,
    *,
    metric: str = "sqeuclidean",
) -> list[torch.nn.Module]:
    """``f_c = min_{j∉c} ‖x - u_j‖² - min_{i∈c} ‖x - u_i‖²`` for clusters of points.

    Parameters
    ----------
    points : (n_points, n_features)
        The ``u_j``, cluster by cluster.
    sizes : sequence of int
        How many points each cluster has.
    weights : (n_points,), optional
        How many data stand behind a point, for the mean ``E[f_c]``.
    metric : str
        "sqeuclidean", or "manhattan" for ``|x - u_j|₁`` instead.
    """
    n = len(sizes)
    stiffness = 1 / _expected_evidence(points, np.repeat(np.arange(n), sizes), weights, metric)
    return [distance_to(points, metric), *group_minimum(sizes, stiffness, gated=True), Evidence(stiffness)]


def refuse_single(model: Any, n_clusters: int, instead: str = "") -> None:
    """One cluster is everything: there is nothing to tell it from."""
    if n_clusters < 2:
        raise ValueError(
            f"{type(model).__name__} with {n_clusters or 'no'} cluster{'' if n_clusters else 's'} has no competitor: "
            f"there is no evidence to explain{instead and '; '}{instead}"
        )


def distance_to(points: np.ndarray, metric: str = "sqeuclidean") -> torch.nn.Module:
    """From rows to their distances to points."""
    return ManhattanDistance(points) if metric == "manhattan" else SquaredDistance(points)


def _squared_distances(model: Any, X: np.ndarray) -> np.ndarray:
    if hasattr(model, "transform"):
        return np.asarray(model.transform(X), dtype=np.float64) ** 2
    return np.asarray(euclidean_distances(X, model.cluster_centers_, squared=True), dtype=np.float64)


SOME = 1000  # points, from which a mean over all of them is estimated


def _expected_evidence(points: np.ndarray, groups: np.ndarray, weights: np.ndarray | None, metric: str) -> float:
    """``E[f_c]``, estimated at the points themselves: there it is the distance to the next cluster's nearest point."""
    some = slice(None, None, max(1, len(points) // SOME))
    d = pairwise_distances(points[some], points, metric=metric)
    d[groups[some, None] == groups] = np.inf
    expected = float(np.average(d.min(1), weights=None if weights is None or not weights.any() else weights[some]))
    return expected if expected > 0 else 1.0
