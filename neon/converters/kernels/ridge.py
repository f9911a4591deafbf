"""Kernel ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter, dense, regression, some_rows
from neon.converters.kernels.algebra import has_distance, kernel_layers, pairwise
from neon.nn import Linear

__all__ = ["convert_kernel_ridge"]


@converter("sklearn.kernel_ridge.KernelRidge")
def convert_kernel_ridge(model: Any, ask: Ask) -> Conversion:
    """``f = Σ_j α_j k(x, u_j)``: the predicted value, of every target.

    Distance kernels are explained relative to the training points, scalar-product kernels relative to the origin.
    """
    ask.choose("predict")
    points = dense(model.X_fit_)
    weight = np.asarray(model.dual_coef_, dtype=np.float64).reshape(len(points), -1).T
    gamma = 1 / points.shape[1] if model.gamma is None else model.gamma
    expression = pairwise(model.kernel, gamma, degree=model.degree, coef0=model.coef0)
    linear = model.kernel == "linear"
    layers = [Linear(weight @ points)] if linear else [*kernel_layers(expression, points), Linear(weight)]
    return regression(
        model,
        layers,
        len(weight),
        reference=points if has_distance(expression) else None,
        reference_words="the training rows" if has_distance(expression) else "",
        takes_reference=True,
        family="kernel expansion",
        background=some_rows(points, "the training rows"),
    )
