"""Votes of the k nearest neighbours.

The evidence for a class is how much earlier the votes that it needs come than those that would defeat it (Bley et al.
2025, "Fast and Accurate Explanations of Distance-Based Classifiers").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp

from neon.converters.core import Ask, Conversion, answers, contrast, converter, dense
from neon.converters.neighbors.means import (
    FROZEN,
    neighbor_distance,
    neighbor_mean,
    share_margin,
    shares_of_votes,
    traits_of,
)
from neon.converters.neighbors.searches import asking, model_search
from neon.lrp import composites
from neon.lrp.rules import Hybrid
from neon.nn import MajorityEvidence, NeighborMean, VoteOdds
from neon.nn.distances.squared import HybridDistance, SquaredDistance

__all__ = ["convert_classifier"]

_ETA = 0.8  # how much the hybrid rule takes of the midpoint rule for k-nearest neighbours (Bley et al. 2025)


@converter("sklearn.neighbors.KNeighborsClassifier")
def convert_classifier(model: Any, ask: Ask) -> Conversion:
    """KNeighborsClassifier: evidence that a class wins the vote, or as ``output="probability"`` its share of the votes.

    Uniform votes: ``e_c = d_rest^(k - r + 1) - d_c^(r)`` between the r-th nearest points (`majority_evidence`), above 0
    exactly where class c is predicted. Votes by nearness: the log-odds of the class among the k nearest (`vote_odds`).
    Votes weighted by a function: how much larger a class's share is than that of its closest rival. Of several targets
    the shares are explained.
    """
    if model.outputs_2d_:
        ask.choose("probability")
        return shares_of_votes(model)
    if callable(model.weights):
        by, kind = _margin, "margin"
    else:
        by, kind = (_log_odds, "log_odds") if model.weights == "distance" else (_majority, "evidence")
    output = ask.choose(kind, "probability")
    if len(model.classes_) < 2:
        raise ValueError(f"{type(model).__name__} of one class has no competitor: there is no evidence to explain")
    return shares_of_votes(model) if output == "probability" else by(model)


def _margin(model: Any) -> Conversion:
    shares, voted = np.eye(len(model.classes_))[_labels(model)], asking(model, "predict_proba")
    return Conversion(
        torch.nn.Sequential(neighbor_mean(model, shares)),
        "how much larger a class's share of the votes, weighted by a function, is than its closest rival's; weights "
        f"and {FROZEN}",
        tuple(map(str, model.classes_)),
        lambda X: contrast(-voted(X)),
        head=share_margin(len(model.classes_)),
        answers=answers.probability(),
        classes=model.classes_,
        predicts="ask_on_tie",
        stated=NeighborMean.states,
        **traits_of(model),
    )


def _majority(model: Any) -> Conversion:
    distances, root = neighbor_distance(model)
    composite: Any = "neon"
    (first, *_) = distances
    if isinstance(first, SquaredDistance):
        composite = composites.by_name("neon").override(composites.kind("distance"), Hybrid(eta=_ETA))
        distances = [HybridDistance(*first.held())]
    predict, classes = asking(model, "predict"), model.classes_
    evidence = MajorityEvidence(distances, model_search(model), _labels(model), len(classes))
    return Conversion(
        torch.nn.Sequential(evidence),
        f"evidence that a class wins the vote of the {model.n_neighbors} nearest neighbours: the "
        f"{_unit(root)} at which enough votes against it are reached, less the one at which it has enough; above 0 "
        "exactly where it is predicted",
        tuple(map(str, classes)),
        lambda X: (predict(X)[:, None] == classes).astype(float),
        link=lambda e: (e > 0).astype(float),
        classes=classes,
        composite=composite,
        family="votes of neighbours",
        **traits_of(model),
    )


def _log_odds(model: Any) -> Conversion:
    distances, root = neighbor_distance(model)
    labels, n_classes, k = _labels(model), len(model.classes_), int(model.n_neighbors)
    floor = _floor(dense(model._fit_X), root)
    voted, search, n = asking(model, "predict_proba"), asking(model, "kneighbors"), int(model.n_samples_fit_)

    def own(X: np.ndarray) -> np.ndarray:
        """From the model's probabilities; where the vote is unanimous they say no more, and all points stand in.

        Of a training row rounding says whether its distance to itself is 0; what is within the floor counts as 0.
        """
        p = voted(X)
        rest = np.stack([np.delete(p, c, 1).sum(1) for c in range(n_classes)], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(p) - np.log(rest)
        d, index = search(X)
        said = np.isfinite(odds) & (d > floor**root).all(1)[:, None]
        if said.all():
            return np.asarray(odds)
        every, all_index = search(X, n)
        return np.where(said, odds, _odds(d, labels[index], every, labels[all_index], n_classes, floor**root))

    return Conversion(
        torch.nn.Sequential(VoteOdds(distances, model_search(model), labels, n_classes, root, floor)),
        f"log-odds of a class among the {k} nearest neighbours, weighted by nearness (where the vote is unanimous, "
        "the nearest points of the other classes stand against it), explained by how near either side comes",
        tuple(map(str, model.classes_)),
        own,
        classes=model.classes_,
        predicts="ask_on_tie",
        **traits_of(model),
    )


def _labels(model: Any) -> np.ndarray:
    return np.asarray(model._y).ravel()


def _unit(root: float) -> str:
    return {0.5: "squared distance", 1.0: "distance"}.get(root, f"distance to the power of {1 / root:.4g}")


def _floor(points: np.ndarray, root: float) -> float:
    """A distance that counts as none, 1e-7 of the data's spread: scikit-learn's own rounding by brute force."""
    return float(max(1e-7 * np.sqrt(np.nanvar(points, axis=0).sum()), 1e-150) ** (1 / root))


def _odds(
    d: np.ndarray, labels: np.ndarray, d_all: np.ndarray, labels_all: np.ndarray, n_classes: int, floor: float
) -> np.ndarray:
    """Log-odds of a unanimous vote from the model's own k neighbours, and from all points in order as its stand-ins."""
    hit, columns, k = d <= floor, [], d.shape[1]
    votes = np.where(hit[:, :1], hit, True)
    log_votes, log_all = -np.log(np.where(hit, floor, d)), -np.log(np.maximum(d_all, floor))
    for c in range(n_classes):
        sides = []
        for voting, standing in ((labels == c, labels_all == c), (labels != c, labels_all != c)):
            voting, standing = voting & votes, standing & (standing.cumsum(1) <= k)
            own, stand_in = (
                logsumexp(np.where(of, logs, -np.inf), axis=1)
                for of, logs in ((voting, log_votes), (standing, log_all))
            )
            sides.append(np.where(voting.any(1), own, stand_in))
        columns.append(sides[0] - sides[1])
    return np.stack(columns, 1)
