"""Linear factor models as anomaly detectors: what they cannot reconstruct, and what they find improbable."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.decomposition import FactorAnalysis, FastICA

from neon.converters.bayes.covariance import factor_of
from neon.converters.core import Ask, Conversion, converter, transformer
from neon.nn import GaussianEnergy, Linear

__all__ = ["convert_factor_analysis", "outlierness", "reconstruction_error"]


@converter("sklearn.decomposition.FactorAnalysis")
def convert_factor_analysis(model: Any, ask: Ask) -> Conversion:
    """The expected factors, linear in x; ``output="reconstruction_error"`` or ``"outlierness"`` of a sample."""
    output = ask.choose("transform", "reconstruction_error", "outlierness")
    if output != "transform":
        return reconstruction_error(model) if output == "reconstruction_error" else outlierness(model)
    (weight, _), mean = _maps(model), _mean(model)
    layer, back = Linear(weight, -weight @ mean), np.linalg.pinv(weight)
    return transformer(model, [layer], "factors", len(weight), "factor", inverse=lambda Z: Z @ back.T + mean)


def reconstruction_error(model: Any) -> Conversion:
    """``‖x - x̂‖² = ‖A (x - μ)‖²``: of PCA, IncrementalPCA, TruncatedSVD, FastICA and FactorAnalysis.

    Shared as a distance in the metric ``AᵀA`` is, ``δ_i (AᵀA δ)_i`` with ``δ = x - μ``; for an orthogonal projection
    that is ``δ_i (x - x̂)_i``. A feature that the other features' factors explain too well has negative relevance.
    """
    to_factors, back = _maps(model)
    residual = np.eye(back.shape[0]) - back @ to_factors

    def own(X: np.ndarray) -> np.ndarray:
        factors = np.asarray(model.transform(X))
        fitted = model.inverse_transform(factors) if hasattr(model, "inverse_transform") else factors @ back.T + mean
        return np.asarray(((np.asarray(X) - fitted) ** 2).sum(1, keepdims=True))

    mean = _mean(model)
    return Conversion(
        torch.nn.Sequential(GaussianEnergy(mean[None], residual[None])),
        "reconstruction error: squared distance to the reconstruction from the factors",
        ("reconstruction error",),
        own,
    )


def outlierness(model: Any) -> Conversion:
    """``(x - μ)ᵀ Λ (x - μ) / 2``: the negative log density of PCA or FactorAnalysis up to a constant, ≥ 0."""
    if not hasattr(model, "score_samples"):
        raise ValueError(f'{type(model).__name__} has no density; use output="reconstruction_error"')
    mean, factor = _mean(model), factor_of(model.get_precision())
    constant = np.linalg.slogdet(factor)[1] - 0.5 * len(mean) * np.log(2 * np.pi)
    return Conversion(
        torch.nn.Sequential(GaussianEnergy(mean[None], factor[None] / np.sqrt(2))),
        "outlierness: negative log density up to a constant, half the squared Mahalanobis distance to the mean",
        ("outlierness",),
        lambda X: model.score_samples(X).reshape(-1, 1),
        link=lambda o: constant - o,
    )


def _maps(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """From ``x - μ`` to the factors, (n_factors, n_features), and back."""
    components = np.asarray(model.components_, dtype=np.float64)
    if isinstance(model, FactorAnalysis):
        scaled = components / model.noise_variance_
        return np.linalg.solve(np.eye(len(components)) + scaled @ components.T, scaled), components.T
    if isinstance(model, FastICA):
        return components, np.asarray(model.mixing_, dtype=np.float64)
    return components, components.T  # whitening and its inverse cancel


def _mean(model: Any) -> np.ndarray:
    mean = getattr(model, "mean_", None)
    return np.zeros(model.components_.shape[1]) if mean is None else np.asarray(mean, dtype=np.float64)
