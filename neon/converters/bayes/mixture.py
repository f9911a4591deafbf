"""Gaussian mixtures: log-odds of a component, and outlierness."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp

from neon.converters.bayes.log_odds import convert_log_odds
from neon.converters.core import Ask, Conversion, converter, gaussians
from neon.converters.core.background import Spread
from neon.nn import GaussianEnergy, LinearEnergy, SoftMin

__all__ = ["convert_mixture"]


@converter("sklearn.mixture.GaussianMixture", "sklearn.mixture.BayesianGaussianMixture")
def convert_mixture(model: Any, ask: Ask) -> Conversion:
    """Log-odds of a component, or ``output="outlierness"``: the negative log density up to a constant, ≥ 0.

    ``log π_k p_k(x) = b_k - D_k`` with half the squared Mahalanobis distance ``D_k = ‖P_kᵀ (x - μ_k)‖² / 2``. The
    outlierness is ``-log Σ_k softmax(b)_k exp(-D_k)``, a soft minimum of the distances to the components. Components of
    one covariance have linear log-odds, relative to the midpoint of their means.
    """
    output = ask.choose("log_odds", "outlierness")
    means = np.asarray(model.means_, dtype=np.float64)
    constant = np.diagonal(_joint(model, means)).copy()  # at its mean, each component's distance is 0
    if output == "outlierness":
        total = logsumexp(constant)
        return Conversion(
            torch.nn.Sequential(GaussianEnergy(means, _factors(model)), SoftMin(constant - total)),
            "outlierness: negative log density up to a constant, a soft Mahalanobis distance to the components",
            ("outlierness",),
            lambda X: model.score_samples(X).reshape(-1, 1),
            link=lambda o: total - o,
            family="mixture",
            background=_spread(model),
        )
    return convert_log_odds(
        _energy(model, means, constant),
        lambda X: _joint(model, np.asarray(X)),
        [f"component {k}" for k in range(len(means))],
        what="component",
        classes=np.arange(len(means)),
        family="mixture",
        background=_spread(model),
    )


def _spread(model: Any) -> Spread | None:
    covariances, (n, d) = np.asarray(model.covariances_), model.means_.shape
    if model.covariance_type == "tied":
        covariances = np.broadcast_to(covariances, (n, d, d))
    elif model.covariance_type == "spherical":
        covariances = np.broadcast_to(covariances[:, None], (n, d))
    return gaussians(model.means_, covariances, model.weights_, "the components")


def _energy(model: Any, means: np.ndarray, constant: np.ndarray) -> GaussianEnergy | LinearEnergy:
    """The components' ``-log π_k p_k(x)``, up to what all have in common."""
    log_prior = model._estimate_log_weights()
    density = constant - log_prior + 0.5 * means.shape[1] * np.log(2 * np.pi)
    factors = _factors(model)
    if model.covariance_type == "tied":
        weight = means @ (2 * factors[0].T @ factors[0])
        return LinearEnergy(weight, constant - 0.5 * (weight * means).sum(1), means=means)
    if model.covariance_type == "full":
        return GaussianEnergy(means, factors, log_prior=-log_prior, log_det=-density)
    log_scale = -np.log(factors * np.sqrt(2))  # a feature's own log standard deviation
    left = -density - log_scale.sum(1)  # a Bayesian mixture's expectation of the log-determinant differs from it
    rest = {} if not np.any(np.abs(left) > 1e-12 * np.abs(density)) else {"log_det": left}
    return GaussianEnergy(means, factors, log_scale, log_prior=-log_prior, **rest)


def _factors(model: Any) -> np.ndarray:
    """``V_k`` with ``D_k = ‖V_k (x - μ_k)‖²``: (n_components, d, d), or diagonals (n_components, d)."""
    chol, shape = np.asarray(model.precisions_cholesky_, dtype=np.float64), model.means_.shape
    if model.covariance_type == "full":
        return np.swapaxes(chol, 1, 2) / np.sqrt(2)
    if model.covariance_type == "tied":
        return np.broadcast_to(chol.T / np.sqrt(2), (shape[0], *chol.shape)).copy()
    return np.broadcast_to(chol.reshape(shape[0], -1) / np.sqrt(2), shape).copy()


def _joint(model: Any, X: np.ndarray) -> np.ndarray:
    """``log π_k p_k(x)``, as the mixture itself computes it: (n_samples, n_components)."""
    return np.asarray(model._estimate_weighted_log_prob(X), dtype=np.float64)
