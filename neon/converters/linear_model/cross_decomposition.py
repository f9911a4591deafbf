"""Partial least squares and canonical correlation: linear predictions and linear scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, regression, transformer
from neon.nn import Affine, Linear

__all__ = ["convert_pls", "convert_pls_svd"]


@converter(
    *(f"sklearn.cross_decomposition.{name}" for name in ("CCA", "PLSCanonical", "PLSRegression")), transforms=True
)
def convert_pls(model: Any, ask: Ask) -> Conversion:
    """PLSRegression, PLSCanonical, CCA: the predicted targets; ``output="transform"`` explains the scores of x."""
    if ask.choose("predict", "transform") == "transform":
        return _scores(model, model.x_rotations_)
    weight = np.asarray(model.coef_, dtype=np.float64)
    layers = _around(model._x_mean, weight, model.intercept_)
    mean = {"reference": model._x_mean[None], "reference_words": "the mean of the training rows"}
    return regression(model, layers, len(weight), takes_reference=True, **mean)


@converter("sklearn.cross_decomposition.PLSSVD")
def convert_pls_svd(model: Any, ask: Ask) -> Conversion:
    """PLSSVD: the scores of x."""
    ask.choose("transform")
    return _scores(model, model.x_weights_)


def _scores(model: Any, rotations: np.ndarray) -> Conversion:
    """``Wᵀ (x - μ) / σ``."""
    weight = (rotations / model._x_std[:, None]).T
    mean, back = model._x_mean, np.linalg.pinv(weight).T
    layers = _around(mean, weight, np.zeros(len(weight)))
    return transformer(model, layers, "scores", len(weight), "component", inverse=lambda Z: Z @ back + mean)


def _around(mean: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> list[torch.nn.Module]:
    """``W (x - μ) + b``: relevance is relative to the mean."""
    return [Affine(1.0, -mean), Linear(weight, bias)]
