"""Gaussian processes: mean, variance and standard deviation of a regressor, the latent function of a classifier.

``f = Σ_j α_j k(x, u_j) + b`` over the training points, for any kernel that scikit-learn's kernel algebra makes;
relative to the training points' distribution unless a reference is given (the log-mean rule).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, Layers, converter, regression, some_rows
from neon.converters.core.one_vs_one import closest_rival, margins
from neon.converters.kernels.algebra import has_distance, kernel_layers, parse
from neon.converters.kernels.variance import root, variance_layers
from neon.nn import Elementwise, Linear, TwoClass
from neon.nn.linear.side_by_side import InParallel

__all__ = ["convert_classifier", "convert_regressor"]


@converter("sklearn.gaussian_process.GaussianProcessRegressor")
def convert_regressor(model: Any, ask: Ask) -> Conversion:
    """GaussianProcessRegressor: the predicted mean, of every target; its variance and standard deviation ("std")."""
    output = ask.choose("predict", "variance", "std")
    expression, points = parse(model.kernel_), np.asarray(model.X_train_, dtype=np.float64)
    scale, shift = np.atleast_1d(model._y_train_std), np.atleast_1d(model._y_train_mean)
    alpha = np.asarray(model.alpha_, dtype=np.float64).reshape(len(points), -1).T  # (n_targets, n_points)
    weight, n = scale[:, None] * alpha, len(alpha)
    last = Linear(weight, np.broadcast_to(np.asarray(shift, dtype=np.float64), n))
    terms = np.abs(weight).sum(1).max() * np.max(model.kernel_.diag(points))  # which may cancel
    mean = regression(
        model,
        [*kernel_layers(expression, points), last],
        n,
        "predicted value: the mean of the Gaussian process",
        reference=points if has_distance(expression) else None,
        reference_words="the training rows" if has_distance(expression) else "",
        takes_reference=True,
        family="kernel expansion",
        background=some_rows(points, "the training rows"),
        rounding=float(np.finfo(np.float64).eps * terms),
        n_features=points.shape[1],  # which scikit-learn does not keep where the kernel needs no vectors
    )
    if output == "predict":
        return mean
    layers, rounding = variance_layers(model)
    variance = replace(
        mean,
        body=torch.nn.Sequential(*layers),
        answers={},
        explains="predicted variance of the Gaussian process",
        own=lambda X: np.square(_deviation(model, X)).reshape(-1, n),
        rounding=rounding,
    )
    if output == "variance":
        return variance
    return variance.then(
        Elementwise(root, "√x"),
        explains="predicted standard deviation of the Gaussian process",
        own=lambda X: _deviation(model, X).reshape(-1, n),
        rounding=rounding**0.5,
    )


def _deviation(model: Any, X: np.ndarray) -> np.ndarray:
    """The model's own standard deviation, without its warning of a variance that rounding leaves below 0."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Predicted variances smaller than 0")
        return np.asarray(model.predict(X, return_std=True)[1])


@converter("sklearn.gaussian_process.GaussianProcessClassifier")
def convert_classifier(model: Any, ask: Ask) -> Conversion:
    """GaussianProcessClassifier: the mean of the latent function.

    Two classes: ``±f``, its sign the prediction. More, one against the rest: the latent function of each class's own
    classifier. One against one: the smallest of a class over its rivals.
    """
    ask.choose("latent")
    classes, base = model.classes_, model.base_estimator_
    rest = model.multi_class == "one_vs_rest"  # whose prediction is by probabilities, averaged over the variance
    machines = [base] if len(classes) == 2 else list(base.estimators_)
    head: Layers = ()
    if len(classes) == 2:
        explains = "latent function in favour of a class"
    elif rest:
        explains = "latent function of a class against the rest"
    else:
        head = sum(closest_rival(len(classes)), ())
        explains = "latent function of a class against its closest rival"
    layers, reference = _latent_layers(machines)

    def own(X: np.ndarray) -> np.ndarray:
        # latent_mean_and_variance(X)[0], which scikit-learn 1.6 does not have
        f = np.stack([m.kernel_(m.X_train_, X).T @ (m.y_train_ - m.pi_) for m in machines], axis=1)
        if len(classes) == 2:
            return f * [-1.0, 1.0]
        if rest:
            return f
        return margins(f, len(classes))

    return Conversion(
        torch.nn.Sequential(*layers),
        explains,
        tuple(map(str, classes)),
        own,
        head=head,
        pair=TwoClass() if len(classes) == 2 else None,
        reference=reference,
        reference_words="" if reference is None else "the training rows",
        takes_reference=True,
        family="kernel expansion",
        background=None if reference is None else some_rows(reference, "the training rows"),
        classes=classes,
        predicts="always_ask" if rest else "ask_on_tie" if len(classes) > 2 else "largest",
        n_features=int(np.shape(machines[0].X_train_)[1]),
    )


def _latent_layers(machines: list[Any]) -> tuple[list[torch.nn.Module], np.ndarray | None]:
    """The latent functions of binary machines side by side, and the rows that they are relative to."""
    branches, points = [], []
    for machine in machines:
        expression, rows = parse(machine.kernel_), np.asarray(machine.X_train_, dtype=np.float64)
        weight = np.asarray(machine.y_train_ - machine.pi_, dtype=np.float64)
        branches.append([*kernel_layers(expression, rows), Linear(weight[None])])
        if has_distance(expression):
            points.append(rows)
    reference = np.unique(np.concatenate(points), axis=0) if points else None
    if len(branches) == 1:
        return branches[0], points[0] if points else None
    return [InParallel([torch.nn.Sequential(*branch) for branch in branches])], reference
