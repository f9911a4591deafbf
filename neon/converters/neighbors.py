"""Means over nearest neighbours: regression, votes within a radius; and the projection that is learned for them.

The value is the model's own. Which points are neighbours is taken as given, and explained by how near they are.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from neon.converters.arrays import contrast, dense
from neon.converters.base import Conversion, Response
from neon.converters.registry import choose, no_relu_form, register
from neon.errors import UnsupportedModelError
from neon.nn import (
    Affine,
    DistanceLayers,
    Linear,
    ManhattanDistance,
    NeighborMean,
    PairwiseDifference,
    PooledMinimum,
    SquaredDistance,
    manhattan_layers,
    plain_linear,
)

__all__ = [
    "FROZEN",
    "by_nearness",
    "check_one_target",
    "conversion_of",
    "convert_components",
    "convert_radius_classifier",
    "convert_regressor",
    "neighbor_distance",
    "refuse_relu",
    "share_margin",
    "untouched",
]


def convert_regressor(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """KNeighborsRegressor, RadiusNeighborsRegressor: the predicted value, exact (`neighbor_mean`)."""
    choose(output, ("predict",), model)
    refuse_relu(form)
    distances, root = neighbor_distance(model, form)
    values = np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1)
    mean = NeighborMean(values, root=root if by_nearness(model) else None, **_reach(model, root))
    return conversion_of(
        model,
        [*distances, mean],
        f"predicted value, the mean of the neighbours'; {FROZEN}",
        lambda X: untouched(model).predict(X).reshape(len(X), -1),
        response=Response.PREDICTION,
        names=("prediction",) if values.shape[1] == 1 else tuple(f"target {i}" for i in range(values.shape[1])),
    )


def convert_radius_classifier(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """RadiusNeighborsClassifier: how much larger a class's share of the votes is than that of its closest rival."""
    output = choose(output, ("margin", "probability"), model)
    check_one_target(model)
    refuse_relu(form)
    distances, root = neighbor_distance(model, form)
    classes = model.classes_
    shares = np.eye(len(classes))[np.asarray(model._y).ravel()]
    mean = NeighborMean(shares, root=root if by_nearness(model) else None, **_reach(model, root))
    if output == "probability":
        words = f"share of the votes for a class; {FROZEN}"
        own = lambda X: untouched(model).predict_proba(X)  # noqa: E731
        return conversion_of(model, [*distances, mean], words, own, response=Response.PROBABILITY)
    words = f"how much larger a class's share of the votes is than its closest rival's; {FROZEN}"
    layers = [*distances, mean, *share_margin(len(classes))]
    return conversion_of(model, layers, words, lambda X: contrast(-untouched(model).predict_proba(X)), votes=True)


def share_margin(n_classes: int) -> list[torch.nn.Module]:
    """``P_c - max_{k≠c} P_k``."""
    if n_classes < 2:
        raise ValueError("votes for one class have no competitor: there is no evidence to explain")
    return [Affine(-1.0), PairwiseDifference(n_classes), PooledMinimum(n_classes, np.inf)]


def convert_components(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """NeighborhoodComponentsAnalysis: ``A x``."""
    choose(output, ("transform",), model)
    weight = np.asarray(model.components_, dtype=np.float64)
    inverse = np.linalg.pinv(weight)
    return Conversion(
        torch.nn.Sequential(plain_linear(weight) if form == "relu" else Linear(weight)),
        "projected features",
        tuple(f"component {i}" for i in range(len(weight))),
        model.transform,
        inverse=lambda Z: Z @ inverse.T,
    )


def neighbor_distance(
    model: Any, form: str, order: np.ndarray | slice = slice(None)
) -> tuple[list[torch.nn.Module], float]:
    """Layers from rows to their distances from the fitted points, and the root that takes these to the model's.

    Raises
    ------
    UnsupportedModelError
        For a metric that is no Euclidean and no Manhattan distance.
    """
    metric, points = getattr(model, "effective_metric_", model.metric), dense(model._fit_X)[order]
    if metric == "precomputed":
        raise UnsupportedModelError(
            f"{type(model).__name__} with metric='precomputed' sees distances and no features; fit it on the features "
            "themselves, with metric='euclidean' or 'manhattan'"
        )
    p = (getattr(model, "effective_metric_params_", None) or {}).get("p", 2)
    weighted = (getattr(model, "effective_metric_params_", None) or {}).get("w") is not None
    if metric == "minkowski" and not weighted:
        metric = {1: "manhattan", 2: "euclidean"}.get(p, metric)
    if metric in ("euclidean", "l2"):
        return [DistanceLayers(points) if form == "layers" else SquaredDistance(points)], 0.5
    if metric in ("manhattan", "l1", "cityblock"):
        return manhattan_layers(points) if form == "layers" else [ManhattanDistance(points)], 1.0
    raise UnsupportedModelError(
        f"{type(model).__name__} with metric={metric!r}; supported are 'euclidean' and 'manhattan' (minkowski with p=2 "
        "and p=1)"
    )


FROZEN = "the neighbours are taken as given, each one's pull away from the training mean shared by how near it is"


def untouched(model: Any) -> Any:
    """The model, to be asked without a trace: search trees count their queries."""
    return copy.deepcopy(model)


def conversion_of(
    model: Any,
    layers: list[torch.nn.Module],
    explains: str,
    own: Any,
    *,
    response: Response | None = None,
    names: tuple[str, ...] | None = None,
    votes: bool = False,
    composite: Any = "neon",
) -> Conversion:
    classes = getattr(model, "classes_", None)
    return Conversion(
        torch.nn.Sequential(*layers),
        explains,
        tuple(map(str, classes)) if names is None and classes is not None else names or ("prediction",),
        own,
        response=response,
        classes=classes,
        votes=votes,
        composite=composite,
        infinite=hasattr(model, "radius") and "Radius" in type(model).__name__,
    )


def _reach(model: Any, root: float) -> dict[str, Any]:
    """The keyword of `NeighborMean` that says who is a neighbour."""
    if "Radius" in type(model).__name__:
        return {"radius": float(model.radius) ** (1 / root)}
    return {"n_neighbors": int(model.n_neighbors)}


def by_nearness(model: Any) -> bool:
    """Whether votes are weighted by nearness."""
    if model.weights not in (None, "uniform", "distance"):
        raise UnsupportedModelError(
            f"{type(model).__name__} with weights={model.weights!r}; supported are 'uniform' and 'distance'"
        )
    return bool(model.weights == "distance")


def check_one_target(model: Any) -> None:
    if model.outputs_2d_:
        raise UnsupportedModelError(f"{type(model).__name__} with several targets; fit one model for each")


def refuse_relu(form: str) -> None:
    if form == "relu":
        raise no_relu_form("the order of neighbours is taken as given")


register("sklearn.neighbors.RadiusNeighborsClassifier", by=convert_radius_classifier)
register("sklearn.neighbors.KNeighborsRegressor", "sklearn.neighbors.RadiusNeighborsRegressor", by=convert_regressor)
register("sklearn.neighbors.NeighborhoodComponentsAnalysis", by=convert_components)
