"""Kernel machines: SVC, NuSVC, SVR, NuSVR, OneClassSVM.

Distance kernels are explained by the log-mean rule, relative to the support vectors' distribution unless a reference
is given; scalar-product kernels relative to the origin (or the reference) through the secant of the kernel function,
which for ``coef0 = 0`` is gradient × input over the degree. The log-ratio of a classifier takes no reference.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist, pdist
from scipy.special import logsumexp

from neon.converters.core import Ask, Conversion, Layers, answers, converter, dense, some_rows
from neon.converters.core.one_vs_one import closest_rival, margins, rivals_beaten, votes_and_scores
from neon.converters.kernels.algebra import expansion, pairwise
from neon.errors import UnsupportedModelError
from neon.lrp import composites
from neon.lrp.rules import Hybrid
from neon.nn import LogRatio, SoftMin, SquaredDistance, TwoClass
from neon.nn.distances.squared import HybridDistance

__all__ = ["convert_one_class", "convert_svc", "convert_svr"]


@converter("sklearn.svm.SVR", "sklearn.svm.NuSVR")
def convert_svr(model: Any, ask: Ask) -> Conversion:
    """``f = Σ_j α_j k(x, u_j) + b``: the predicted value."""
    ask.choose("predict")
    layers = _expansion(model, dense(model.dual_coef_), model.intercept_)
    whole = _finish(model, layers, "predicted value", ("prediction",), model.predict)
    return replace(whole, answers=answers.prediction())


@converter("sklearn.svm.SVC", "sklearn.svm.NuSVC")
def convert_svc(model: Any, ask: Ask) -> Conversion:
    """The decision function f or, as ``output="log_ratio"`` for rbf, the log-ratio of the evidence, which has its sign.

    Two classes: ``±f``. More: the margin ``min_{k≠c} f_ck`` of a class over the pairwise machines. The largest margin
    is at the predicted class wherever one class wins all its pairs.
    """
    if ask.choose("decision_function", "log_ratio") == "log_ratio":
        return _log_ratio(model)
    classes = model.classes_
    n, scores = len(classes), _scores(model)
    layers = _expansion(model, *_machines(model))

    def own(X: np.ndarray) -> np.ndarray:
        return margins(scores(X), n)

    if n == 2:
        whole = _finish(model, layers, "decision function in favour of a class", tuple(map(str, classes)), own)
        return replace(whole, pair=TwoClass(), answers=answers.decision(), classes=classes)
    against, smallest = closest_rival(n)
    words = "margin of a class over its closest rival"
    given: dict[str, Layers] = {"votes": rivals_beaten(n)}
    if model.decision_function_shape == "ovr":  # or else decision_function gives the pairs
        given["decision_function"] = votes_and_scores(n)
        if model.break_ties:
            given["votes"] = given["decision_function"]
    whole = _finish(model, [*layers, *against], words, tuple(map(str, classes)), own)
    return replace(whole, family="kernel margin", head=smallest, answers=given, classes=classes, predicts="ask_on_tie")


def _log_ratio(model: Any) -> Conversion:
    """``g = log A - log B`` of every machine ``f = A - B``, explained by the hybrid rule (Bley et al. 2025)."""
    if model.kernel != "rbf":
        raise ValueError(
            'output="log_ratio" needs kernel="rbf": kernel values that are positive, to take logarithms, and functions '
            f'of squared distances, to share among features. For kernel={model.kernel!r} use output="decision_function"'
        )
    vectors, gamma, classes = dense(model.support_vectors_), float(model._gamma), model.classes_
    weight, bias = _machines(model)
    terms = np.column_stack([weight, bias])
    one_sided = ~((terms > 0).any(1) & (terms < 0).any(1))
    if one_sided.any():
        i, j = list(itertools.combinations(classes, 2))[int(np.argmax(one_sided))]
        raise ValueError(
            f"the machine of classes {str(i)!r} and {str(j)!r} has no support vector (and no intercept) on one side: "
            'its log-ratio is infinite everywhere; use output="decision_function"'
        )
    scores = _scores(model)

    def own(X: np.ndarray) -> np.ndarray:
        """``log A - log B``: the smaller of the two from its definition, the larger as that plus the model's |f|."""
        ratios = scores(X)
        exponents = np.column_stack([-gamma * cdist(X, vectors, "sqeuclidean"), np.zeros(len(X))])
        for alpha, f in zip(terms, ratios.T, strict=True):
            sides = [logsumexp(exponents[:, s * alpha > 0], b=s * alpha[s * alpha > 0], axis=1) for s in (1, -1)]
            with np.errstate(divide="ignore"):
                f[:] = np.sign(f) * np.logaddexp(0.0, np.log(np.abs(f)) - np.minimum(*sides))
        return margins(ratios, len(classes))

    composite = composites.by_name("neon").override(composites.kind("distance"), Hybrid(eta=_eta(vectors, gamma)))
    explains = "for and against a class" if len(classes) == 2 else "for a class and for its closest rival"
    against, smallest = closest_rival(len(classes))
    return Conversion(
        torch.nn.Sequential(HybridDistance(vectors), LogRatio(weight, bias, gamma), *against),
        f"log-ratio of the evidence {explains}",
        tuple(map(str, classes)),
        own,
        head=smallest,
        composite=composite,
        family="log-ratio",
        classes=classes,
        predicts="ask_on_tie" if len(classes) > 2 else "largest",
        background=some_rows(vectors, "the support vectors"),
    )


def _eta(vectors: np.ndarray, gamma: float) -> float:
    """How much the hybrid rule takes of the midpoint rule: more, the narrower the kernel (Bley et al. 2025).

    The published heuristic, a function of ``γ median ‖x - x'‖²`` over pairs of data points. The fitted model holds no
    data: the median is estimated from its support vectors (where there are many, from one to two thousand of them).
    """
    distances = pdist(vectors[:: max(1, len(vectors) // 1000)], "sqeuclidean")
    width = gamma * float(np.median(distances)) if len(distances) else 0.0
    decades = math.log10(width) if width > 0 else -math.inf
    if decades < -0.5:
        return 0.0
    return 1.0 if decades > 1.5 else 0.4 * decades + 0.4


@converter("sklearn.svm.OneClassSVM")
def convert_one_class(model: Any, ask: Ask) -> Conversion:
    """Outlierness. For the rbf kernel ``o = -(1/γ) log(Σ_j α_j exp(-γ ‖x - u_j‖²) / ρ)``, a soft squared distance.

    o > 0 exactly where the model says outlier (Kauffmann et al. 2020, "Towards Explaining Anomalies"): its relevance
    is shared among the features in full. For inliers, o < 0, features own the distances to the support vectors, and
    what makes up for them are the residuals ``entropy`` and ``log_weight``: relevance jumps at o = 0. For the other
    kernels, and as ``output="decision_function"`` for rbf: the negative, respectively the plain decision function.
    """
    output = ask.choose("outlierness", "decision_function")
    if model.kernel == "rbf" and output == "outlierness":
        gamma, rho = float(model._gamma), float(model.offset_[0])
        alpha = dense(model.dual_coef_)[0]
        if rho > 0:
            centers = dense(model.support_vectors_)
            return Conversion(
                torch.nn.Sequential(SquaredDistance(centers), SoftMin(np.log(alpha / rho), gamma)),
                "outlierness: soft squared distance to the support vectors, above 0 for outliers",
                ("outlierness",),
                lambda X: model.decision_function(X).reshape(-1, 1),
                link=lambda o: rho * np.expm1(-gamma * o),
                family="one-class machine",
                background=some_rows(centers, "the support vectors"),
            )
    sign = -1.0 if output == "outlierness" else 1.0
    layers = _expansion(model, sign * dense(model.dual_coef_), sign * model.intercept_)
    words = "outlierness: the negative decision function" if sign < 0 else "decision function, below 0 for outliers"
    return _finish(model, layers, words, (output,), lambda X: sign * model.decision_function(X))


def _expansion(model: Any, weight: np.ndarray, bias: np.ndarray) -> list[torch.nn.Module]:
    """Layers to ``Σ_j α_j k(x, u_j) + b`` over the support vectors."""
    kernel = model.kernel
    if kernel not in ("linear", "rbf", "poly", "sigmoid"):
        raise UnsupportedModelError(
            f"{type(model).__name__} with kernel={kernel!r}; supported are linear, rbf, poly and sigmoid"
        )
    expression = pairwise(kernel, float(model._gamma), degree=model.degree, coef0=float(model.coef0))
    return expansion(expression, dense(model.support_vectors_), weight, bias)


def _finish(
    model: Any,
    layers: list[torch.nn.Module],
    explains: str,
    names: tuple[str, ...],
    own: Any,
) -> Conversion:
    return Conversion(
        torch.nn.Sequential(*layers),
        explains,
        names,
        lambda X: np.asarray(own(X), dtype=np.float64).reshape(-1, len(names)),
        reference=dense(model.support_vectors_) if model.kernel == "rbf" and model.support_vectors_.shape[0] else None,
        reference_words="the support vectors" if model.kernel == "rbf" else "",
        takes_reference=True,
        rounding=float(np.finfo(np.float64).eps * _terms(model)),
        family="kernel expansion",
        background=some_rows(model.support_vectors_, "the support vectors"),
    )


def _terms(model: Any) -> float:
    """How large the terms of the expansion are, which may cancel."""
    squares = np.square(dense(model.support_vectors_)).sum(1)
    kernel = {"linear": squares, "poly": np.abs(float(model._gamma) * squares + model.coef0) ** model.degree}
    largest = kernel.get(model.kernel, np.ones(1)).max(initial=0.0)
    return float(np.abs(dense(model.dual_coef_)).sum() * largest)


def _machines(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n_pairs, n_support) and intercepts of the one-vs-one machines, pairs (i, j) with i < j in order.

    libsvm keeps, for a support vector of class i, its coefficient against class j in row ``j - 1`` (j > i) or ``j``.
    Its machines are positive where i wins, a lone one, of two classes, where j does; here all are where j does.
    """
    dual, counts = dense(model.dual_coef_), model.n_support_
    if len(counts) == 2:
        return dual, np.asarray(model.intercept_)
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows = []
    for i, j in itertools.combinations(range(len(counts)), 2):
        row = np.zeros(dual.shape[1])
        row[starts[i] : starts[i + 1]] = dual[j - 1, starts[i] : starts[i + 1]]
        row[starts[j] : starts[j + 1]] = dual[i, starts[j] : starts[j + 1]]
        rows.append(-row)
    return np.stack(rows), -np.asarray(model.intercept_)


def _scores(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The model's own scores of the machines, (n_samples, n_pairs), signed as `_machines`."""
    sign = 1.0 if len(model.classes_) == 2 else -1.0

    def scores(X: np.ndarray) -> np.ndarray:
        view = copy.copy(model)  # taken now: the model may have been fitted anew
        view.decision_function_shape = "ovo"
        found: np.ndarray = sign * view.decision_function(X).reshape(X.shape[0], -1)
        return found

    return scores
