"""Metrics of neighbours as layers: each is a function of distances that add up over the features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from neon.converters.bayes.covariance import factor_of
from neon.errors import UnsupportedModelError
from neon.nn import ManhattanDistance, SquaredDistance
from neon.nn.distances.additive import (
    AdditiveDistance,
    Canberra,
    Chebyshev,
    Cosine,
    Hamming,
    Haversine,
    Minkowski,
    NanEuclidean,
)

__all__ = ["metric_layers"]

_ADDITIVE: dict[str, tuple[Callable[[Any, Any], Any], float]] = {
    "canberra": (Canberra(), 1.0),
    "chebyshev": (Chebyshev(), 1.0),
    "cosine": (Cosine(), 1.0),
    "hamming": (Hamming(), 1.0),
    "haversine": (Haversine(), 0.5),
    "nan_euclidean": (NanEuclidean(), 0.5),
}
_SAME = {"l2": "euclidean", "l1": "manhattan", "cityblock": "manhattan", "infinity": "chebyshev", "p": "minkowski"}
_SUPPORTED = sorted({*_ADDITIVE, "euclidean", "manhattan", "mahalanobis", "minkowski", "seuclidean", "sqeuclidean"})


def metric_layers(
    name: str, metric: Any, params: Mapping[str, Any] | None, points: np.ndarray
) -> tuple[list[torch.nn.Module], float]:
    """Layers from rows to values that add up over the features, and the root that takes these to the distances.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    metric : str or DistanceMetric
    params : mapping, optional
        The metric's own parameters: p, w, V, VI.

    Raises
    ------
    UnsupportedModelError
        For a metric that is no such function.
    """
    if not isinstance(metric, str) and type(metric).__module__ == "sklearn.metrics._dist_metrics":
        metric, params = _of_object(metric)
    params = {key: value for key, value in (params or {}).items() if value is not None}
    if metric == "precomputed":
        raise UnsupportedModelError(
            f"{name} with metric='precomputed' sees distances and no features; fit it on the features themselves, with "
            "metric='euclidean' or 'manhattan'"
        )
    metric = _SAME.get(metric, metric) if isinstance(metric, str) else metric
    if metric == "minkowski":
        p, weights = float(params.get("p", 2)), params.get("w")
        if np.isinf(p) and weights is None:
            metric = "chebyshev"
        elif p == 1 and weights is None:
            metric = "manhattan"
        elif p == 2:
            factor = None if weights is None else np.diag(np.sqrt(np.asarray(weights, float)))
            return [SquaredDistance(points, factor)], 0.5
        elif np.isfinite(p):
            scales = () if weights is None else tuple(map(float, weights))
            return [AdditiveDistance(points, Minkowski(p, scales))], 1 / p
    if metric in ("euclidean", "sqeuclidean"):
        return [SquaredDistance(points)], 1.0 if metric == "sqeuclidean" else 0.5
    if metric == "manhattan":
        return [ManhattanDistance(points)], 1.0
    if metric == "seuclidean" and "V" in params:
        return [SquaredDistance(points, np.diag(1 / np.sqrt(np.asarray(params["V"], dtype=np.float64))))], 0.5
    if metric == "mahalanobis" and params:
        inverse = np.linalg.inv(params["V"]) if "VI" not in params else np.asarray(params["VI"], dtype=np.float64)
        return [SquaredDistance(points, factor_of(inverse))], 0.5
    if metric in _ADDITIVE and (metric != "hamming" or not params):
        parts, root = _ADDITIVE[metric]
        return [AdditiveDistance(points, parts)], root
    raise UnsupportedModelError(f"{name} with metric={metric!r}{_why(metric)}; supported are {', '.join(_SUPPORTED)}")


def _of_object(metric: Any) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of a `sklearn.metrics.DistanceMetric`."""
    name = type(metric).__name__.removesuffix("64").removesuffix("32").removesuffix("Distance").lower()
    p, vector, matrix = metric.__getstate__()[:3]
    found: dict[str, Any] = {}
    if name == "minkowski":
        found = {"p": p, "w": vector if len(vector) else None}
    elif name == "seuclidean":
        found = {"V": vector}
    elif name == "mahalanobis":
        found = {"VI": matrix}
    return name, found


def _why(metric: Any) -> str:
    if callable(metric):
        return ", a function: how its value is made of the features is not known"
    if metric in ("seuclidean", "mahalanobis"):
        return ", which is not defined for new rows without its V in metric_params"
    return ", which is no sum over the features"
