"""Nearest centroid: evidence for a class against its nearest competitor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.metrics import pairwise_distances

from neon.converters.core import Ask, Conversion, contrast, converter, counted
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Evidence, ManhattanDistance, Square, SquaredDistance

__all__ = ["convert_nearest_centroid"]


@converter("sklearn.neighbors.NearestCentroid")
def convert_nearest_centroid(model: Any, ask: Ask) -> Conversion:
    """``e_c = min_{k≠c} d_k - d_c``: positive exactly for the predicted class.

    d is the squared Euclidean or the Manhattan distance to the class's (shrunken) centroid. Where classes have unequal
    priors scikit-learn divides features by their standard deviation within classes and compares ``d_k - 2 log π_k``
    (with the square of a Manhattan distance). Its probabilities, ``output="log_odds"``, are by these whatever the
    priors.
    """
    outputs = ("evidence", "log_odds") if hasattr(model, "predict_proba") else ("evidence",)
    odds = ask.choose(*outputs) == "log_odds"
    if model.metric not in ("euclidean", "manhattan"):
        raise UnsupportedModelError(f"NearestCentroid with metric={model.metric!r}; supported: euclidean, manhattan")
    centroids, classes = np.asarray(model.centroids_, dtype=np.float64), model.classes_
    n, priors, manhattan = len(classes), np.asarray(model.class_prior_), model.metric == "manhattan"
    weighted = odds or not np.isclose(priors, 1 / n).all()
    if weighted and not priors.all():
        raise UnsupportedModelError("NearestCentroid with a class of prior 0, which is never predicted; fit without it")
    deviation = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0)
    scale = 1 / deviation if weighted else np.ones(centroids.shape[1])
    shift = -2 * np.log(priors) if weighted else np.zeros(n)
    centers = centroids * scale
    spread = pairwise_distances(centers, metric="manhattan" if manhattan else "sqeuclidean")
    np.fill_diagonal(spread, np.inf)
    stiffness = 1 / max(float(np.average(spread.min(1), weights=priors)), np.finfo(float).tiny)

    def own(X: np.ndarray) -> np.ndarray:
        if weighted:
            d = -model._decision_function(X)
        else:
            d = pairwise_distances(X, model.centroids_, metric=model.metric) ** (1 if manhattan else 2)
        return contrast(d)

    layers: list[torch.nn.Module] = [ManhattanDistance(centers) if manhattan else SquaredDistance(centers)]
    if weighted:
        layers = [Affine(scale), *layers, *([Square()] if manhattan else []), Affine(1.0, shift)]
    if odds:
        soft = (Evidence(soft=True),)
        return Conversion(
            torch.nn.Sequential(*layers),
            "log-odds of a class",
            tuple(map(str, classes)),
            lambda X: np.asarray(model.predict_proba(X)),
            head=soft,
            answers={"log_odds": soft},
            link=expit,
            classes=classes,
            predicts="always_ask",
            family="nearest center",
            background=counted(centroids, priors, "the class centroids, by prior"),
        )
    kind = ("squared Manhattan" if weighted else "Manhattan") if manhattan else "squared"
    return Conversion(
        torch.nn.Sequential(*layers, Evidence(stiffness)),
        f"evidence for a class: how much closer its centroid is than the nearest other, in {kind} distance"
        + (", its log-prior counted in" if weighted else ""),
        tuple(map(str, classes)),
        own,
        answers={"votes": ()},
        classes=classes,
        predicts="ask_on_tie",
        family="nearest center",
        background=counted(centroids, priors, "the class centroids, by prior"),
    )
