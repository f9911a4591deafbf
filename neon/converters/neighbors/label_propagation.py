"""Label propagation and label spreading: labels that spread over a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.metrics.pairwise import euclidean_distances

from neon.converters.bayes.log_odds import log_odds
from neon.converters.core import Ask, Conversion, Layers, answers, contrast, converter, dense, some_rows
from neon.converters.neighbors.means import share_margin
from neon.converters.neighbors.searches import as_fitted, nameless, untouched
from neon.errors import UnsupportedModelError
from neon.nn import Affine, LogSumExp, NeighborMean, SquaredDistance
from neon.nn.pooling.normalized import Normalized

__all__ = ["convert_label_propagation"]


@converter("sklearn.semi_supervised.LabelPropagation", "sklearn.semi_supervised.LabelSpreading")
def convert_label_propagation(model: Any, ask: Ask) -> Conversion:
    """The log-odds ``log P_c / (1 - P_c)`` of ``P_c ∝ Σ_j F_jc exp(-γ ‖x - u_j‖²)``, F the labels after spreading.

    With ``kernel="knn"`` P is the mean label of the nearest points: the margin over the closest rival is explained,
    the neighbours taken as given.
    """
    knn = model.kernel == "knn"
    output = ask.choose(*(("margin", "probability") if knn else ("log_odds",)))
    if model.kernel not in ("rbf", "knn"):
        raise UnsupportedModelError(f"{type(model).__name__} with a callable kernel; supported are 'rbf' and 'knn'")
    points, classes = dense(model.X_), model.classes_
    labels = np.asarray(model.label_distributions_, dtype=np.float64)
    if len(classes) < 2:
        raise ValueError(f"{type(model).__name__} of one class has no competitor: there is no evidence to explain")
    distance = SquaredDistance(points)
    head: Layers = ()
    given = answers.probability()
    if knn:
        layers: list[torch.nn.Module] = [NeighborMean([distance], _Nearest(nameless(model)), labels, fall=0.0)]
        if not np.allclose(labels.sum(1), 1.0):  # rows that no label has reached
            layers.append(Normalized(none=torch.nan))
        words = "a class's share of the labels of the nearest points"
        if output == "margin":
            head = share_margin(len(classes))
            words = f"how much larger {words} is than its closest rival's"
        words = f"{words}; the neighbours are taken as given"

        asked = untouched(model)

        def own(X: np.ndarray) -> np.ndarray:
            shares = np.asarray(asked.predict_proba(as_fitted(X, model.X_)))
            return contrast(-shares) if output == "margin" else shares
    else:
        gamma, words = float(model.gamma), "log-odds of a class"
        layers = [distance, Affine(-gamma), LogSumExp(labels.T)]
        given = answers.logits()
        head = given["log_odds"]

        def own(X: np.ndarray) -> np.ndarray:
            h = -gamma * euclidean_distances(X, model.X_, squared=True)
            z = np.stack([logsumexp(h, b=column, axis=1) for column in labels.T], axis=1)
            return log_odds(z)

    return Conversion(
        torch.nn.Sequential(*layers),
        words,
        tuple(map(str, classes)),
        own,
        head=head,
        answers=given,
        classes=classes,
        predicts="ask_on_tie" if output == "margin" else "largest",
        stated=NeighborMean.states if knn else (),
        thresholds=knn,  # distances tie, and rounding decides who is a neighbour
        background=some_rows(points, "the training rows"),
    )


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The model's own search, all neighbours alike."""

    model: Any

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = self.model._get_kernel(self.model.X_, as_fitted(X, self.model.X_))
        return index, np.ones(index.shape)
