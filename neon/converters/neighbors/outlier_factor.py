"""Local outlier factors: of new rows, or of the rows that a model was fitted on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, some_rows
from neon.converters.neighbors.means import neighbor_distance
from neon.converters.neighbors.searches import KNearest, asking, model_search, nameless
from neon.nn import LocalOutlierFactor
from neon.nn.neighbors.search import Search

__all__ = ["convert_local_outlier_factor"]

_TAKEN = "the neighbour set and its density are taken as given, distances to the neighbours explained"


@converter("sklearn.neighbors.LocalOutlierFactor")
def convert_local_outlier_factor(model: Any, ask: Ask) -> Conversion:
    """``LOF(x) - threshold``, above 0 for outliers.

    The factor is the mean density of the k nearest neighbours times the mean distance to them (the reachability, at
    least a neighbour's own distance to its k-th). With ``novelty=False`` of the rows that the model was fitted on: a
    row is then none of its own neighbours.
    """
    ask.choose("outlierness")
    distances, root = neighbor_distance(model)
    k, offset = int(model.n_neighbors_), float(model.offset_)
    search: Search
    decide: Callable[[np.ndarray], np.ndarray]
    if model.novelty:
        search, decide = model_search(model), asking(model, "decision_function")
    else:
        search = fitted = _Fitted(model)
        decide = fitted.decide
    radii, densities = model._distances_fit_X_[:, k - 1], model._lrd
    factor = LocalOutlierFactor(distances, search, radii, densities, -offset, root, fitted=not model.novelty)

    words = "local outlier factor" if model.novelty else "local outlier factor of a row that the model was fitted on"
    return Conversion(
        torch.nn.Sequential(factor),
        f"outlierness: {words}, less the threshold, above 0 for outliers; {_TAKEN}",
        ("outlierness",),
        lambda X: -decide(X).reshape(-1, 1),
        thresholds=True,
        missing=model.effective_metric_ == "nan_euclidean",
        family="outlier factor",
        background=some_rows(model._fit_X, "the training rows"),
        stated=LocalOutlierFactor.states,
    )


class _Fitted:
    """The neighbours that the model's training rows have among each other."""

    def __init__(self, model: Any) -> None:
        self.nearest = KNearest(nameless(model), 1)
        self.d, self.index = self.nearest.model.kneighbors(n_neighbors=int(model.n_neighbors_))
        self.decisions = model.negative_outlier_factor_ - model.offset_

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = self.place(X)
        return self.index[place], np.where(place[:, None] < 0, np.nan, self.d[place])

    def decide(self, X: Any) -> np.ndarray:
        """The model's own factors; NaN of other rows."""
        place = self.place(np.asarray(X))
        return np.where(place < 0, np.nan, self.decisions[place])

    def place(self, X: np.ndarray) -> np.ndarray:
        """Which training row each row is; -1 of a row that is none."""
        index, d = self.nearest(X)
        return np.where(d[:, 0] <= 1e-7 * np.median(self.d[:, -1]), index[:, 0], -1)
