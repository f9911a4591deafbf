"""Discriminant analysis: Gaussian classes, of one covariance (linear) or of their own (quadratic)."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.bayes.log_odds import convert_log_odds, finite_log
from neon.converters.core import Ask, Conversion, converter, counted, gaussians, transformer
from neon.errors import UnsupportedModelError
from neon.nn import GaussianEnergy, Linear, LinearEnergy

__all__ = ["convert_linear_discriminant", "convert_quadratic_discriminant"]


@converter("sklearn.discriminant_analysis.LinearDiscriminantAnalysis", transforms=True)
def convert_linear_discriminant(model: Any, ask: Ask) -> Conversion:
    """Log-odds of a class, or ``output="transform"``: the discriminant features.

    The difference of two scores is ``w · (x - m) + log π_c / π_k`` with the midpoint m of the two means: of its bias
    only the log-prior is left.
    """
    if ask.choose("log_odds", "transform") == "transform":
        return _projection(model)
    finite_log(model.priors_, model)
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weight) == 1:
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return convert_log_odds(
        LinearEnergy(weight, bias, means=model.means_),
        model.decision_function,
        model.classes_,
        classes=model.classes_,
        family="logits",
        background=counted(model.means_, model.priors_, "the class means, by prior"),
    )


def _projection(model: Any) -> Conversion:
    if model.solver == "lsqr":
        raise UnsupportedModelError(
            'LinearDiscriminantAnalysis(solver="lsqr") does not transform; use "svd" or "eigen"'
        )
    weight = np.asarray(model.scalings_)[:, : model._max_components].T
    bias = -weight @ model.xbar_ if model.solver == "svd" else np.zeros(len(weight))
    back = np.linalg.pinv(weight)
    center = np.asarray(model.priors_ @ model.means_)
    inverse = lambda Z: center + (Z - bias - weight @ center) @ back.T  # noqa: E731
    layer = Linear(weight, bias)
    return transformer(model, [layer], "discriminant features", len(weight), "discriminant", inverse=inverse)


@converter("sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis")
def convert_quadratic_discriminant(model: Any, ask: Ask) -> Conversion:
    """Log-odds of a class: differences of Mahalanobis distances; log-priors and log-determinants stand apart."""
    ask.choose("log_odds")
    parts = list(zip(model.rotations_, model.scalings_, strict=True))
    covariances = [(rotation * scaling) @ rotation.T for rotation, scaling in parts]
    factors = np.stack([(rotation * scaling**-0.5).T for rotation, scaling in parts]) / np.float64(2) ** 0.5
    log_det = np.array([0.5 * np.log(scaling).sum() for scaling in model.scalings_])
    return convert_log_odds(
        GaussianEnergy(model.means_, factors, log_prior=-finite_log(model.priors_, model), log_det=log_det),
        model.decision_function,
        model.classes_,
        classes=model.classes_,
        family="discriminant",
        background=gaussians(model.means_, covariances, model.priors_, "the classes"),
    )
