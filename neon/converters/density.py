"""Kernel density: outlierness as a soft distance to the training points.

Kauffmann et al. 2020, "The Clever Hans Effect in Anomaly Detection".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.special import gammaln

from neon.converters.base import Conversion
from neon.converters.registry import choose, no_relu_form, register
from neon.errors import UnsupportedModelError
from neon.nn import DistanceLayers, EffectiveDistance, SoftMin, SquaredDistance

__all__ = ["convert_kde"]


def convert_kde(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """``o = -log Σ_j w_j K(‖x - u_j‖ / h)``, weights adding up to 1: the negative log density up to a constant, ≥ 0.

    A soft minimum of effective distances ``-log K``; for the gaussian kernel these are ``‖x - u_j‖² / 2h²``. Kernels
    of compact support give ``o = ∞`` (log p = -∞) where no training point is near: such rows cannot be explained.
    """
    choose(output, ("outlierness",), model)
    if form == "relu":
        raise no_relu_form("a log-sum-exp is not piecewise linear")
    if model.metric != "euclidean":
        raise UnsupportedModelError(f"KernelDensity with metric={model.metric!r}; the converter takes 'euclidean'")
    points = np.asarray(model.tree_.data)
    weights = model.tree_.sample_weight
    weights = np.ones(len(points)) if weights is None else np.asarray(weights)
    points, weights = points[weights > 0], weights[weights > 0]
    dimension, bandwidth = points.shape[1], float(model.bandwidth_)
    constant = _log_integral(model.kernel, dimension) + dimension * math.log(bandwidth)
    return Conversion(
        torch.nn.Sequential(
            DistanceLayers(points) if form == "layers" else SquaredDistance(points),
            EffectiveDistance(model.kernel, bandwidth),
            SoftMin(np.log(weights / weights.sum())),
        ),
        "outlierness: negative log density up to the kernel's constant, a soft distance to the training points",
        ("outlierness",),
        lambda X: model.score_samples(X).reshape(-1, 1),
        link=lambda o: -o - constant,
        infinite=model.kernel not in ("gaussian", "exponential"),
    )


def _log_integral(kernel: str, d: int) -> float:
    """``log ∫ K(‖x‖) dx`` over d dimensions."""
    log_ball = 0.5 * d * math.log(math.pi) - float(gammaln(0.5 * d + 1))
    radial = {  # ∫ K(r) d r^(d-1) dr
        "gaussian": lambda: 0.5 * d * math.log(2 * math.pi) - log_ball,
        "exponential": lambda: math.log(d) + float(gammaln(d)),
        "tophat": lambda: 0.0,
        "epanechnikov": lambda: math.log(2 / (d + 2)),
        "linear": lambda: -math.log(d + 1),
        "cosine": lambda: math.log(d * _cosine_moment(d)),
    }
    return log_ball + radial[kernel]()


def _cosine_moment(d: int) -> float:
    """``∫_0^1 cos(π r / 2) r^(d-1) dr`` by repeated integration by parts.

    The alternating sum loses digits with growing d, to 3e-8 at d = 13; scikit-learn normalizes by the same sum.
    """
    total, term = 0.0, 2 / math.pi
    for k in range(1, d + 1, 2):
        total += term
        term *= -(d - k) * (d - k - 1) * (2 / math.pi) ** 2
    return total


register("sklearn.neighbors.KernelDensity", by=convert_kde)
