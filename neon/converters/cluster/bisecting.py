"""Bisecting k-means: a tree of decisions between two centers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.metrics import euclidean_distances

from neon.converters.cluster.centers import distances, refuse_single
from neon.converters.core import Ask, Conversion, converter, counted
from neon.nn import Linear, SquaredDistance
from neon.nn.pooling.groups import group_minimum

__all__ = ["convert_bisecting"]


@converter("sklearn.cluster.BisectingKMeans", transforms=True)
def convert_bisecting(model: Any, ask: Ask) -> Conversion:
    """``f_l = min_t ‖x - μ_t'‖² - ‖x - μ_t‖²`` over the nodes t on the way to leaf l, with t' the sibling of t.

    ``predict`` goes down the tree, to the nearer of two centers each time: f_l is above 0 exactly for the leaf where
    it ends. (The nearest leaf center is often another.)
    """
    leaves = np.asarray(model.cluster_centers_, dtype=np.float64)
    if ask.choose("evidence", "transform") == "transform":
        return distances(model, leaves)
    refuse_single(model, len(leaves))
    centers, paths = _paths(model)
    steps = [step for path in paths for step in path]
    sizes = [len(path) for path in paths]
    versus = np.zeros((len(steps), len(centers)))
    versus[np.arange(len(steps)), [sibling for _, sibling in steps]] = 1.0
    versus[np.arange(len(steps)), [node for node, _ in steps]] = -1.0

    def own(X: np.ndarray) -> np.ndarray:
        d = euclidean_distances(X, centers, squared=True)
        return np.stack([np.min([d[:, b] - d[:, a] for a, b in path], axis=0) for path in paths], axis=1)

    counts = np.bincount(model.labels_, minlength=len(leaves))
    expected = float(np.average(np.diag(own(leaves)), weights=counts))
    pooled = group_minimum(sizes, 1 / expected if expected > 0 else 1.0)
    return Conversion(
        torch.nn.Sequential(SquaredDistance(centers), Linear(versus), *pooled),
        "evidence for a cluster: by how much, in squared distance, the closest decision on the way down to it is won",
        tuple(f"cluster {c}" for c in range(len(leaves))),
        own,
        classes=np.arange(len(leaves)),
        family="nearest center",
        background=counted(leaves, counts, "the cluster centers, by size"),
    )


def _paths(model: Any) -> tuple[np.ndarray, list[list[tuple[int, int]]]]:
    """The centers of all nodes below the root, and each leaf's way down as (node, sibling) indices of them."""
    centers: list[np.ndarray] = []
    paths: list[list[tuple[int, int]]] = [[] for _ in model.cluster_centers_]
    stack: list[tuple[Any, list[tuple[int, int]]]] = [(model._bisecting_tree, [])]
    while stack:
        node, path = stack.pop()
        if node.left is None:
            paths[node.label] = path
            continue
        left = len(centers)
        centers += [node.left.center, node.right.center]
        stack += [(node.left, [*path, (left, left + 1)]), (node.right, [*path, (left + 1, left)])]
    return np.stack(centers).astype(np.float64) + getattr(model, "_X_mean", 0.0), paths
