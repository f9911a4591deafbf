"""Votes of the k nearest neighbours.

The evidence for a class is how much earlier the votes that it needs come than those that would defeat it (Bley et al.
2025, "Fast and Accurate Explanations of Distance-Based Classifiers").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp

from neon.converters.arrays import dense
from neon.converters.base import Conversion, Response
from neon.converters.neighbors import (
    FROZEN,
    by_nearness,
    check_one_target,
    conversion_of,
    neighbor_distance,
    refuse_relu,
    untouched,
)
from neon.converters.registry import choose, register
from neon.lrp import composites
from neon.lrp.rules import Hybrid
from neon.nn import MajorityEvidence, NeighborMean, SquaredDistance, VoteOdds

__all__ = ["convert_classifier"]

_ETA = 0.8  # how much the hybrid rule takes of the midpoint rule for k-nearest neighbours (Bley et al. 2025)


def convert_classifier(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """KNeighborsClassifier: evidence that a class wins the vote, or as ``output="probability"`` its share of the votes.

    Uniform votes: ``e_c = d_rest^(k - r + 1) - d_c^(r)`` between the r-th nearest points (`majority_evidence`), above 0
    exactly where class c is predicted. Votes by nearness: the log-odds of the class among the k nearest (`vote_odds`).
    """
    nearness = by_nearness(model)
    evidence = "log_odds" if nearness else "evidence"
    output = choose(output, (evidence, "probability"), model)
    check_one_target(model)
    refuse_relu(form)
    labels, k, classes = np.asarray(model._y).ravel(), int(model.n_neighbors), model.classes_
    order = np.argsort(labels, kind="stable")  # the points, class by class
    distances, root = neighbor_distance(model, form, order)
    sizes = np.bincount(labels, minlength=len(classes)).tolist()
    if len(classes) < 2:
        raise ValueError(f"{type(model).__name__} of one class has no competitor: there is no evidence to explain")
    if output == "probability":
        shares = NeighborMean(np.eye(len(classes))[labels[order]], n_neighbors=k, root=root if nearness else None)
        words = f"share of the votes for a class; {FROZEN}"
        shares_of = lambda X: untouched(model).predict_proba(X)  # noqa: E731
        return conversion_of(model, [*distances, shares], words, shares_of, response=Response.PROBABILITY)
    n = int(model.n_samples_fit_)
    head: torch.nn.Module
    if nearness:
        floor = _floor(dense(model._fit_X), root)
        head = VoteOdds(sizes, k, root, floor)
        words = (
            f"log-odds of a class among the {k} nearest neighbours, weighted by nearness (where the vote is unanimous, "
            "the nearest points of the other classes stand against it), explained by how near either side comes"
        )

        def own(X: np.ndarray) -> np.ndarray:
            d, index = untouched(model).kneighbors(X, n_neighbors=n)
            return _odds(np.maximum(d, floor**root), labels[index], len(classes), k)

        return conversion_of(model, [*distances, head], words, own, votes=True)
    head = MajorityEvidence(sizes, k)
    kind = "squared distance" if root == 0.5 else "distance"
    words = (
        f"evidence that a class wins the vote of the {k} nearest neighbours: the {kind} at which enough votes against "
        "it are reached, less the one at which it has enough; above 0 exactly where it is predicted"
    )

    def ranks(X: np.ndarray) -> np.ndarray:
        d, index = untouched(model).kneighbors(X, n_neighbors=n)
        return _evidence(d ** (1 / root), labels[index], len(classes), k)

    squared = isinstance(distances[0], SquaredDistance)
    composite = (
        composites.by_name("neon").override(composites.kind("distance"), Hybrid(eta=_ETA)) if squared else "neon"
    )
    if squared:  # the hybrid rule reads a distance as one layer
        distances = neighbor_distance(model, "fused", order)[0]
    return conversion_of(model, [*distances, head], words, ranks, votes=True, composite=composite)


def _floor(points: np.ndarray, root: float) -> float:
    """A distance that counts as none, 1e-7 of the data's spread: scikit-learn's own rounding by brute force."""
    return max(1e-7 * float(np.sqrt(points.var(0).sum())), 1e-150) ** (1 / root)


def _odds(d: np.ndarray, labels: np.ndarray, n_classes: int, k: int) -> np.ndarray:
    """`vote_odds` from the model's own neighbours, all of them in order: (n_samples, n_points)."""
    log_votes, columns = -np.log(d), []
    for c in range(n_classes):
        sides = []
        for side in (labels == c, labels != c):
            none = ~side[:, :k].any(1)
            voting = np.where(none[:, None], side & (side.cumsum(1) <= k), side & (np.arange(d.shape[1]) < k))
            sides.append(logsumexp(np.where(voting, log_votes, -np.inf), axis=1))
        columns.append(sides[0] - sides[1])
    return np.stack(columns, 1)


def _evidence(d: np.ndarray, labels: np.ndarray, n_classes: int, k: int) -> np.ndarray:
    """`majority_evidence` from the model's own neighbours, all of them in order."""
    e = np.zeros((len(d), n_classes))
    for row, (near, of) in enumerate(zip(d, labels, strict=True)):
        votes = np.bincount(of[:k], minlength=n_classes)
        for c in range(n_classes):
            if n_classes == 2:
                needed = k // 2 + 1 if c else (k + 1) // 2
            else:
                needed = min(k, max(1, *(v + (rival < c) for rival, v in enumerate(votes) if rival != c)))
            own, rest = near[of == c], near[of != c]
            at = [
                side[rank - 1] if rank <= len(side) else max(side[-1], near[k - 1])
                for side, rank in ((own, needed), (rest, k - needed + 1))
            ]
            e[row, c] = at[1] - at[0]
    return e


register("sklearn.neighbors.KNeighborsClassifier", by=convert_classifier)
