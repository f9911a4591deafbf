"""K-means: evidence for a cluster against its nearest competitor.

Kauffmann et al. 2022, "From Clustering to Cluster Explanations via Neural Networks".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.registry import choose, register
from neon.nn import (
    DistanceLayers,
    Evidence,
    PairwiseDifference,
    PooledMinimum,
    SquaredDistance,
    plain_linear,
    relu_minimum,
)

__all__ = ["convert_kmeans"]


def convert_kmeans(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """``f_c = min_{k≠c} ‖x - μ_k‖² - ‖x - μ_c‖²``: positive exactly for the assigned cluster.

    The pooling weights of the backward pass have stiffness ``β = 1 / E[f_c]``. A fitted k-means does not hold its
    training data; the mean is taken over points that stand for it (see `_expected_evidence`).
    """
    choose(output, ("evidence",), model)
    centers = np.asarray(model.cluster_centers_, dtype=np.float64)
    n_clusters = len(centers)
    if n_clusters < 2:
        raise ValueError("k-means with one cluster has no competitor: there is no evidence to explain")
    stiffness = 1 / _expected_evidence(model, centers)

    def own(X: np.ndarray) -> np.ndarray:
        d = np.asarray(model.transform(X), dtype=np.float64) ** 2
        return np.stack([np.delete(d, c, axis=1).min(1) - d[:, c] for c in range(n_clusters)], axis=1)

    layers: list[torch.nn.Module]
    if form == "fused":
        layers = [SquaredDistance(centers), Evidence(stiffness)]
    elif form == "layers":
        layers = [
            DistanceLayers(centers),
            PairwiseDifference(n_clusters),
            PooledMinimum(n_clusters, stiffness),
        ]
    else:
        layers = _relu_layers(centers)
    return Conversion(
        torch.nn.Sequential(*layers),
        "evidence for a cluster: how much closer it is than the nearest other, in squared distance",
        tuple(f"cluster {c}" for c in range(n_clusters)),
        own,
        classes=np.arange(n_clusters),
    )


def _expected_evidence(model: Any, centers: np.ndarray) -> float:
    """``E[f_c]`` over the training data, estimated from what the model holds.

    For x in cluster c with mean μ_c, ``E[‖x - μ_k‖² - ‖x - μ_c‖²] = ‖μ_k - μ_c‖²``: the expected evidence against the
    nearest competitor is at most the squared distance of the two centers. Weighted by cluster size.
    """
    d = ((centers[:, None] - centers[None]) ** 2).sum(-1)
    np.fill_diagonal(d, np.inf)
    sizes = np.bincount(model.labels_, minlength=len(centers)) if hasattr(model, "labels_") else None
    expected = float(np.average(d.min(1), weights=sizes))
    return expected if expected > 0 else 1.0


def _relu_layers(centers: np.ndarray) -> list[torch.nn.Module]:
    """``h_k = 2 (μ_c - μ_k) x + ‖μ_k‖² - ‖μ_c‖²`` for every pair, then minima as ``min(a, b) = a - ReLU(a - b)``."""
    n = len(centers)
    pairs = [(c, k) for c in range(n) for k in range(n) if k != c]
    weight = np.stack([2 * (centers[c] - centers[k]) for c, k in pairs])
    squares = (centers**2).sum(1)
    bias = np.array([squares[k] - squares[c] for c, k in pairs])
    return [plain_linear(weight, bias), *relu_minimum(n, n - 1)]


register("sklearn.cluster.KMeans", "sklearn.cluster.MiniBatchKMeans", by=convert_kmeans)
