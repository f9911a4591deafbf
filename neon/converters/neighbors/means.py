"""Means over nearest neighbours: regression, votes within a radius; and the projection that is learned for them.

The value is the model's own. Which points are neighbours is taken as given, and explained by how near they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, answers, contrast, converter, dense, some_rows, targets, transformer
from neon.converters.core.answers import Layers
from neon.converters.neighbors.metrics import metric_layers
from neon.converters.neighbors.searches import asking, model_search
from neon.nn import Affine, Linear, NeighborMean, PairwiseDifference, PooledMinimum
from neon.nn.distances.manhattan import ManhattanDistance
from neon.nn.distances.squared import SquaredDistance

__all__ = [
    "FROZEN",
    "convert_components",
    "convert_radius_classifier",
    "convert_regressor",
    "neighbor_distance",
    "neighbor_mean",
    "share_margin",
    "shares_of_votes",
    "traits_of",
]

FROZEN = "the neighbours are taken as given, each one's pull away from the training mean shared by how near it is"


@converter("sklearn.neighbors.KNeighborsRegressor", "sklearn.neighbors.RadiusNeighborsRegressor")
def convert_regressor(model: Any, ask: Ask) -> Conversion:
    """KNeighborsRegressor, RadiusNeighborsRegressor: the predicted value, exact (`neighbor_mean`)."""
    ask.choose("predict")
    values = np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1)
    mean = neighbor_mean(model, values)
    predict, n = asking(model, "predict"), values.shape[1]
    return Conversion(
        torch.nn.Sequential(mean),
        f"predicted value, the mean of the neighbours'; {FROZEN}",
        targets(n),
        lambda X: np.asarray(predict(X), dtype=np.float64).reshape(-1, n),
        answers=answers.prediction(),
        stated=NeighborMean.states,
        family="" if "Radius" in type(model).__name__ or not _along_lines(mean) else "nearest neighbours",
        **traits_of(model),
    )


@converter("sklearn.neighbors.RadiusNeighborsClassifier")
def convert_radius_classifier(model: Any, ask: Ask) -> Conversion:
    """RadiusNeighborsClassifier: how much larger a class's share of the votes is than that of its closest rival.

    Rows without neighbours are given ``outlier_label``, where the model has one: as a class of its own, if it is none.
    """
    output = ask.choose(*(("probability",) if model.outputs_2d_ else ("margin", "probability")))
    if output == "probability":
        return shares_of_votes(model)
    classes, (outlier, *_) = model.classes_, model.outlier_label_ or [None]
    shares, alone = _shares(model)
    apart = alone is not None and outlier not in classes
    if apart and alone is not None:
        classes = np.append(classes, outlier)
        shares, alone = np.pad(shares, ((0, 0), (0, 1))), np.append(alone, 1.0)
    mean, own = neighbor_mean(model, shares, alone), _probabilities(model)

    def rivalry(X: np.ndarray) -> np.ndarray:
        p = own(X)
        return contrast(-np.column_stack([p, 1 - p.sum(1).round()]) if apart else -p)

    words = f"how much larger a class's share of the votes is than its closest rival's; {FROZEN}"
    return Conversion(
        torch.nn.Sequential(mean),
        words,
        tuple(map(str, classes)),
        rivalry,
        head=share_margin(len(classes)),
        answers={} if apart else answers.probability(),
        predicts="ask_on_tie",
        classes=classes,
        stated=NeighborMean.states,
        **traits_of(model),
    )


def shares_of_votes(model: Any) -> Conversion:
    """The share of the neighbours' votes for a class, of each target."""
    shares, alone = _shares(model)
    mean = neighbor_mean(model, shares, alone)
    several = bool(model.outputs_2d_)
    names = [f"target {i}: {c}" for i, of in enumerate(model.classes_) for c in of] if several else model.classes_
    return Conversion(
        torch.nn.Sequential(mean),
        f"share of the votes for a class; {FROZEN}",
        tuple(map(str, names)),
        _probabilities(model),
        answers={} if several else answers.probability(),
        classes=None if several else model.classes_,
        stated=NeighborMean.states,
        **traits_of(model),
    )


def neighbor_mean(model: Any, values: np.ndarray, alone: np.ndarray | None = None) -> NeighborMean:
    """The mean of the training rows' values by the model's own search and weights."""
    distance, root = neighbor_distance(model)
    fall = None if "Radius" in type(model).__name__ else Weighing(model.weights).fall(root)
    return NeighborMean(distance, model_search(model, Weighing(model.weights)), values, alone=alone, fall=fall)


def _along_lines(mean: NeighborMean) -> bool:
    """Whether the distance has terms of single features with known slopes: squared and absolute differences."""
    return all(isinstance(layer, SquaredDistance | ManhattanDistance) for layer in mean.distance)


def _shares(model: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """What a training row votes for, (n_points, n_classes of all targets); and what rows without neighbours get."""
    classes = model.classes_ if model.outputs_2d_ else [model.classes_]
    labels = np.asarray(model._y).reshape(len(model._y), -1)
    shares = np.hstack([np.eye(len(of))[labels[:, i]] for i, of in enumerate(classes)])
    outlier = getattr(model, "outlier_label_", None)
    if outlier is None:
        return shares, None
    return shares, np.hstack([(of == outlier[i]).astype(float) for i, of in enumerate(classes)])


def _probabilities(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The model's ``predict_proba``, of several targets side by side."""
    shares = asking(model, "predict_proba")

    def own(X: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Outlier label")  # which is no class: all shares are 0
            return np.hstack(shares(X)) if model.outputs_2d_ else np.asarray(shares(X))

    return own


def share_margin(n_classes: int) -> Layers:
    """``P_c - max_{k≠c} P_k``."""
    if n_classes < 2:
        raise ValueError("votes for one class have no competitor: there is no evidence to explain")
    return (Affine(-1.0), PairwiseDifference(n_classes), PooledMinimum(n_classes, np.inf))


@converter("sklearn.neighbors.NeighborhoodComponentsAnalysis")
def convert_components(model: Any, ask: Ask) -> Conversion:
    """NeighborhoodComponentsAnalysis: ``A x``."""
    ask.choose("transform")
    weight = np.asarray(model.components_, dtype=np.float64)
    inverse = np.linalg.pinv(weight)
    back = lambda Z: Z @ inverse.T  # noqa: E731
    return transformer(model, [Linear(weight)], "projected features", len(weight), "component", inverse=back)


def neighbor_distance(model: Any) -> tuple[list[torch.nn.Module], float]:
    """Layers from rows to values that add up over the features, and the root that takes these to the distances.

    Raises
    ------
    UnsupportedModelError
        For a metric that is no function of such values (`metric_layers`).
    """
    metric = getattr(model, "effective_metric_", model.metric)
    params = getattr(model, "effective_metric_params_", model.metric_params)
    return metric_layers(type(model).__name__, metric, params, dense(model._fit_X))


@dataclass(frozen=True, eq=False)
class Weighing:
    """From distances, one array or an array of arrays, to the weights of votes, as the model has them.

    kind : "uniform", "distance" or a function of distances
    """

    kind: Any

    def fall(self, root: float) -> float | None:
        """The p of weights ``∝ d^-p``, where ``d ** root`` are distances; None for those of a function."""
        return None if callable(self.kind) else root if self.kind == "distance" else 0.0

    def __call__(self, d: Any) -> Any:
        if callable(self.kind):
            return self.kind(d)
        each = _nearness if self.kind == "distance" else np.ones_like
        return [each(row) for row in d] if d.dtype == object else each(d)


def _nearness(d: np.ndarray) -> np.ndarray:
    """``1 / d``; where some neighbours of a row are at distance 0, these alone count."""
    hit = d == 0
    with np.errstate(divide="ignore"):
        return np.where(hit.any(-1, keepdims=True), hit, 1 / d)


def traits_of(model: Any) -> dict[str, Any]:
    """What every conversion of a model has that goes by its neighbours."""
    return {
        "thresholds": True,  # distances tie, and rounding decides who is a neighbour
        "missing": getattr(model, "effective_metric_", model.metric) == "nan_euclidean",
        "infinite": "Radius" in type(model).__name__,
        "background": some_rows(model._fit_X, "the training rows"),
    }
