"""Graphs of nearest neighbours as features: the distance to each fitted row that is near, or 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters.arrays import dense
from neon.converters.base import Conversion
from neon.converters.neighbors import neighbor_distance, refuse_relu, untouched
from neon.converters.registry import choose, register
from neon.nn import NeighborGraph

__all__ = ["convert_neighbor_graph"]

_WORDS = {
    "distance": "distance to a training row that is a neighbour, zero to any other; the neighbours are taken as given",
    "connectivity": "whether a training row is a neighbour; the neighbours are taken as given, each one explained by "
    "how much nearer it is than the mean of the others",
}


def convert_neighbor_graph(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """KNeighborsTransformer, RadiusNeighborsTransformer: a column for each row that the model was fitted on."""
    choose(output, ("transform",), model)
    refuse_relu(form)
    distance, root = neighbor_distance(model, form)
    finder = _Neighbors(untouched(model))
    graph = NeighborGraph(distance, finder, root=root if model.mode == "distance" else None)
    return Conversion(
        torch.nn.Sequential(graph),
        _WORDS[model.mode],
        tuple(f"training row {j}" for j in range(int(model.n_samples_fit_))),
        _Graph(model, euclidean=root == 0.5),
        thresholds=True,  # distances tie, and rounding decides who is a neighbour
    )


@dataclass(frozen=True, eq=False)
class _Neighbors:
    """The model's own search."""

    model: Any

    def __call__(self, X: np.ndarray) -> Any:
        if "Radius" in type(self.model).__name__:
            return self.model.radius_neighbors_graph(X, mode="connectivity")
        n_neighbors = self.model.n_neighbors + (self.model.mode == "distance")
        return self.model.kneighbors_graph(X, n_neighbors, mode="connectivity")


@dataclass(frozen=True, eq=False)
class _Graph:
    """The model's ``transform``; distances that brute force has squared out and lost to rounding are computed again."""

    model: Any
    euclidean: bool

    def __call__(self, X: np.ndarray) -> np.ndarray:
        found = untouched(self.model).transform(X).tocoo()
        if self.model.mode == "distance" and self.euclidean and self.model._fit_method == "brute":
            rows, points = dense(X)[found.row], dense(self.model._fit_X)[found.col]
            near = found.data**2 <= 1e-6 * ((rows**2).sum(1) + (points**2).sum(1))
            found.data[near] = np.linalg.norm(rows[near] - points[near], axis=1)
        return dense(found)


_NAMES = ("KNeighborsTransformer", "RadiusNeighborsTransformer")
register(*(f"sklearn.neighbors.{name}" for name in _NAMES), by=convert_neighbor_graph)
