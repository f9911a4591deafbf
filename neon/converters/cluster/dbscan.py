"""DBSCAN: evidence by the nearest core samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.metrics import pairwise_distances

from neon.converters.cluster.centers import distance_to, nearest_layers, refuse_single
from neon.converters.cluster.labels import chunked, members, reproduces
from neon.converters.core import Ask, Conversion, contrast, converter, some_rows
from neon.errors import UnsupportedModelError
from neon.nn import Linear, PooledMinimum

__all__ = ["convert_dbscan"]


@converter("sklearn.cluster.DBSCAN", takes_data=True)
def convert_dbscan(model: Any, ask: Ask) -> Conversion:
    """``f_c = min_{j∉c} d_j - min_{i∈c} d_i`` over core samples, d the squared Euclidean (or the Manhattan) distance.

    As ``output="outlierness"``: ``min_j d_j - eps²`` (Manhattan: eps), above 0 exactly for what DBSCAN calls noise.
    DBSCAN holds its core samples; the rows only serve to measure how many labels the evidence reproduces.
    """
    output = ask.choose("evidence", "outlierness")
    metric = _metric(model)
    labels = np.asarray(model.labels_)[model.core_sample_indices_]
    if not len(labels):
        raise ValueError("this DBSCAN found no core sample: everything is noise")
    order = np.argsort(labels, kind="stable")
    core = model.components_[order]
    points = np.asarray(core.toarray() if sparse.issparse(core) else core, dtype=np.float64)
    if output == "outlierness":
        return _outlierness(model, points, metric)
    classes, sizes = np.unique(labels, return_counts=True)
    refuse_single(model, len(classes), 'output="outlierness" explains what is noise')
    starts = np.cumsum([0, *sizes[:-1]])

    def own(X: np.ndarray) -> np.ndarray:
        return contrast(np.minimum.reduceat(pairwise_distances(X, points, metric=metric), starts, axis=1))

    agreement, share = None, ""
    if ask.data is not None:
        rows, groups, known, _ = members(model, ask.data)
        agreement = float(np.mean(classes[chunked(own, rows, len(points)).argmax(1)] == known[groups]))
        share = f", {reproduces(agreement, model, len(rows))}"
    unit = "Manhattan distance" if metric == "manhattan" else "squared distance"
    return Conversion(
        torch.nn.Sequential(*nearest_layers(points, sizes.tolist(), metric=metric)),
        "evidence for a cluster: how much closer its nearest core sample is than the nearest one of the others, in "
        f"{unit}{share}",
        tuple(f"cluster {label}" for label in classes),
        own,
        classes=classes,
        agreement=agreement,
        background=some_rows(points, "the core samples"),
    )


def _outlierness(model: Any, points: np.ndarray, metric: str) -> Conversion:
    radius = float(model.eps) ** (1 if metric == "manhattan" else 2)
    return Conversion(
        torch.nn.Sequential(distance_to(points, metric), PooledMinimum(1, 1 / radius), Linear([[1.0]], [-radius])),
        "outlierness: distance to the nearest core sample beyond eps" + ("" if metric == "manhattan" else ", squared"),
        ("outlierness",),
        lambda X: pairwise_distances(X, points, metric=metric).min(1, keepdims=True) - radius,
    )


def _metric(model: Any) -> str:
    """The metric whose values are added up over features.

    Raises
    ------
    UnsupportedModelError
        For a metric that has no layers.
    """
    metric = {"minkowski": {None: "l2", 1: "l1", 2: "l2"}.get(model.p)}.get(model.metric, model.metric)
    if metric in ("euclidean", "l2") and not model.metric_params:
        return "sqeuclidean"
    if metric in ("manhattan", "cityblock", "l1") and not model.metric_params:
        return "manhattan"
    raise UnsupportedModelError(
        f"DBSCAN with metric={model.metric!r}; supported are 'euclidean' and 'manhattan' (and 'minkowski' with p = 1 "
        "or 2). Soft distances to the clusters explain any labels: neon.explain_clusters(model.labels_, X)"
    )
