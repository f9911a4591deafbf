"""Distances to the nearest fitted rows: their mean, and graphs of neighbours as features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, dense
from neon.converters.neighbors.means import neighbor_distance
from neon.converters.neighbors.searches import KNearest, asking, model_search
from neon.nn import Linear, NeighborGraph

__all__ = ["convert_nearest_neighbors", "convert_neighbor_graph"]

_WORDS = {
    "distance": "distance to a training row that is a neighbour, zero to any other; the neighbours are taken as given",
    "connectivity": "whether a training row is a neighbour; the neighbours are taken as given, each one explained by "
    "how much nearer it is than the mean of the others",
}


_NAMES = ("KNeighborsTransformer", "RadiusNeighborsTransformer")


@converter(*(f"sklearn.neighbors.{name}" for name in _NAMES))
def convert_neighbor_graph(model: Any, ask: Ask) -> Conversion:
    """KNeighborsTransformer, RadiusNeighborsTransformer: a column for each row that the model was fitted on."""
    ask.choose("transform")
    distance, root = neighbor_distance(model)
    search = model_search(model)
    if isinstance(search, KNearest) and model.mode == "distance":
        search = KNearest(search.model, search.n_neighbors + 1)
    graph = NeighborGraph(distance, search, root=root if model.mode == "distance" else None)
    return Conversion(
        torch.nn.Sequential(graph),
        _WORDS[model.mode],
        tuple(f"training row {j}" for j in range(int(model.n_samples_fit_))),
        _Graph(model, euclidean=model.effective_metric_ == "euclidean"),
        thresholds=True,  # distances tie, and rounding decides who is a neighbour
        missing=model.effective_metric_ == "nan_euclidean",
        stated=NeighborGraph.states,
    )


@converter("sklearn.neighbors.NearestNeighbors")
def convert_nearest_neighbors(model: Any, ask: Ask) -> Conversion:
    """NearestNeighbors: the mean distance to the k nearest training rows, how far out a row lies."""
    ask.choose("distance")
    distance, root = neighbor_distance(model)
    k, n, search = int(model.n_neighbors), int(model.n_samples_fit_), asking(model, "kneighbors")
    return Conversion(
        torch.nn.Sequential(NeighborGraph(distance, model_search(model), root=root), Linear(np.full((1, n), 1 / k))),
        f"mean distance to the {k} nearest training rows; the neighbours are taken as given",
        ("distance",),
        lambda X: search(X)[0].mean(1, keepdims=True),
        thresholds=True,
        missing=model.effective_metric_ == "nan_euclidean",
        stated=NeighborGraph.states,
    )


@dataclass(frozen=True, eq=False)
class _Graph:
    """The model's ``transform``; distances that brute force has squared out and lost to rounding are computed again."""

    model: Any
    euclidean: bool

    def __call__(self, X: np.ndarray) -> np.ndarray:
        found = asking(self.model, "transform")(X).tocoo()
        if self.model.mode == "distance" and self.euclidean and self.model._fit_method == "brute":
            rows, points = dense(X)[found.row], dense(self.model._fit_X)[found.col]
            near = found.data**2 <= 1e-6 * ((rows**2).sum(1) + (points**2).sum(1))
            found.data[near] = np.linalg.norm(rows[near] - points[near], axis=1)
        return dense(found)
