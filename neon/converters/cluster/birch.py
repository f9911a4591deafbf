"""Birch: clusters of many centers each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.cluster.centers import distances, nearest_layers, refuse_single
from neon.converters.core import Ask, Conversion, contrast, converter, counted

__all__ = ["convert_birch"]


@converter("sklearn.cluster.Birch", transforms=True)
def convert_birch(model: Any, ask: Ask) -> Conversion:
    """``f_c = min_{j∉c} ‖x - u_j‖² - min_{i∈c} ‖x - u_i‖²`` over the subclusters' centers u.

    Above 0 exactly for the cluster whose subcluster is nearest, which is the one that ``predict`` gives.
    """
    centers = np.asarray(model.subcluster_centers_, dtype=np.float64)
    if ask.choose("evidence", "transform") == "transform":
        return distances(model, centers)
    labels = np.asarray(model.subcluster_labels_)
    classes, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    refuse_single(model, len(classes))
    order = np.argsort(groups, kind="stable")

    def own(X: np.ndarray) -> np.ndarray:
        d = np.asarray(model.transform(X), dtype=np.float64) ** 2
        return contrast(np.stack([d[:, groups == c].min(1) for c in range(len(classes))], axis=1))

    return Conversion(
        torch.nn.Sequential(*nearest_layers(centers[order], sizes.tolist())),
        "evidence for a cluster: how much closer its nearest subcluster is than the nearest one of the others, in "
        "squared distance",
        tuple(f"cluster {c}" for c in classes),
        own,
        classes=classes,
        family="subclusters",
        background=counted(centers, _sizes(model), "the subcluster centers, by size"),
    )


def _sizes(model: Any) -> list[int]:
    """How many rows each subcluster has, in the order of ``subcluster_centers_``: leaf by leaf."""
    leaf, sizes = model.dummy_leaf_.next_leaf_, []
    while leaf is not None:
        sizes += [subcluster.n_samples_ for subcluster in leaf.subclusters_]
        leaf = leaf.next_leaf_
    return sizes
