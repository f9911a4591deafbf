"""Local outlier factor, fitted for novelty detection."""

from __future__ import annotations

from typing import Any

import torch

from neon.converters.base import Conversion
from neon.converters.neighbors import neighbor_distance, untouched
from neon.converters.registry import choose, no_relu_form, register
from neon.errors import UnsupportedModelError
from neon.nn import LocalOutlierFactor

__all__ = ["convert_local_outlier_factor"]


def convert_local_outlier_factor(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """``LOF(x) - threshold``, above 0 for outliers.

    The factor is the mean density of the k nearest neighbours times the mean distance to them (the reachability, at
    least a neighbour's own distance to its k-th).
    """
    if not model.novelty:
        raise UnsupportedModelError(
            "LocalOutlierFactor(novelty=False) scores its training data only, there is no function of new rows; fit it "
            "with novelty=True"
        )
    choose(output, ("outlierness",), model)
    if form == "relu":
        raise no_relu_form("the order of neighbours is taken as given")
    distances, root = neighbor_distance(model, form)
    k = int(model.n_neighbors_)
    factor = LocalOutlierFactor(model._distances_fit_X_[:, k - 1], model._lrd, k, root, -float(model.offset_))
    return Conversion(
        torch.nn.Sequential(*distances, factor),
        "outlierness: local outlier factor less the threshold, above 0 for outliers; the neighbour set and its density "
        "are taken as given, distances to the neighbours explained",
        ("outlierness",),
        lambda X: -untouched(model).decision_function(X).reshape(-1, 1),
    )


register("sklearn.neighbors.LocalOutlierFactor", by=convert_local_outlier_factor)
