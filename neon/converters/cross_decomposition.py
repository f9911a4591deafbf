"""Partial least squares and canonical correlation: linear predictions and linear scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.registry import choose, register
from neon.nn import Linear, plain_linear

__all__ = ["convert_pls", "convert_pls_svd"]


def convert_pls(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """PLSRegression, PLSCanonical, CCA: the predicted targets; ``output="transform"`` explains the scores of x."""
    if choose(output, ("predict", "transform"), model) == "transform":
        return _scores(model, model.x_rotations_, form)
    weight = np.asarray(model.coef_, dtype=np.float64)
    bias = model.intercept_ - weight @ model._x_mean
    n = len(weight)
    return Conversion(
        torch.nn.Sequential(_linear(weight, bias, form)),
        "predicted value",
        ("prediction",) if n == 1 else tuple(f"target {i}" for i in range(n)),
        lambda X: model.predict(X).reshape(len(X), n),
        takes_reference=True,
    )


def convert_pls_svd(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """PLSSVD: the scores of x."""
    choose(output, ("transform",), model)
    return _scores(model, model.x_weights_, form)


def _scores(model: Any, rotations: np.ndarray, form: str) -> Conversion:
    """``Wᵀ (x - μ) / σ``."""
    weight = (rotations / model._x_std[:, None]).T
    mean, back = model._x_mean, np.linalg.pinv(weight).T
    return Conversion(
        torch.nn.Sequential(_linear(weight, -weight @ mean, form)),
        "scores",
        tuple(f"component {i}" for i in range(len(weight))),
        model.transform,
        inverse=lambda Z: Z @ back + mean,
    )


def _linear(weight: np.ndarray, bias: np.ndarray, form: str) -> torch.nn.Module:
    return plain_linear(weight, bias) if form == "relu" else Linear(weight, bias)


convert_pls.transforms = True  # type: ignore[attr-defined]
register(*(f"sklearn.cross_decomposition.{name}" for name in ("CCA", "PLSCanonical", "PLSRegression")), by=convert_pls)
register("sklearn.cross_decomposition.PLSSVD", by=convert_pls_svd)
