"""Kernel density: outlierness as a soft distance to the training points, and the density itself.

Kauffmann et al. 2020, "The Clever Hans Effect in Anomaly Detection".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import gammaln

from neon.converters.core import Ask, Conversion, converter, some_rows
from neon.converters.neighbors.metrics import metric_layers
from neon.converters.neighbors.searches import padded, untouched
from neon.errors import UnsupportedModelError
from neon.nn import Affine, EffectiveDistance, Elementwise, Linear, SoftMin
from neon.nn.distances.effective import Within

__all__ = ["convert_kde"]

_LARGEST = 700.0  # logarithm of a number that float64 holds
_ALIKE = " (without reference rows, relative to the training points, which count alike whatever their weights)"


@converter("sklearn.neighbors.KernelDensity")
def convert_kde(model: Any, ask: Ask) -> Conversion:
    """``o = -log Σ_j w_j K(‖x - u_j‖ / h)``, weights adding up to 1: the negative log density up to a constant, ≥ 0.

    A soft minimum of effective distances ``-log K``; for the gaussian kernel these are ``‖x - u_j‖² / 2h²``. Kernels
    of compact support give ``o = ∞`` (log p = -∞) where no training point is near: such rows cannot be explained.

    "density": ``p = Σ_j w_j K(‖x - u_j‖ / h) / ∫K``, of the gaussian and the exponential kernel.
    """
    output = ask.choose("outlierness", "density")
    if output == "density" and model.kernel not in ("gaussian", "exponential"):
        raise UnsupportedModelError(
            f"output='density' of a {model.kernel} kernel, which has steps or kinks where its support ends; supported "
            "are 'gaussian' and 'exponential'. Leave output=None to explain outlierness"
        )
    points = np.asarray(model.tree_.data)
    distance, root = metric_layers(type(model).__name__, model.metric, model.metric_params, points)
    asked, bandwidth, dimension = untouched(model), float(model.bandwidth_), points.shape[1]
    weights = model.tree_.sample_weight
    weights = np.ones(len(points)) if weights is None else np.asarray(weights)
    if model.kernel == "tophat":
        layers: list[torch.nn.Module] = [Within(distance, _Ball(asked.tree_, bandwidth))]
    else:
        layers = [*distance, EffectiveDistance(model.kernel, bandwidth, root)]
    constant = _log_integral(model.kernel, dimension) + dimension * math.log(bandwidth)
    words = "outlierness: negative log density up to the kernel's constant, a soft distance to the training points"
    if model.atol > 0 or model.rtol > 0:
        words += f" (exact; the model itself is content with atol={model.atol:g} and rtol={model.rtol:g})"
        asked.atol = asked.rtol = 0
    elif model.kernel != "tophat" and len(points) > model.leaf_size:
        words += " (exact; the model's tree adds up bounds, which costs digits, and far from the points all of them)"
    if model.kernel != "tophat" and len(points) > model.leaf_size:  # a tree of one leaf has no bounds to add up
        whole = {"leaf_size": len(points), "sample_weight": model.tree_.sample_weight}
        asked.tree_ = type(model.tree_)(points, metric=model.metric, **whole, **(model.metric_params or {}))
    background = some_rows(points, "the training points", weights)
    if output == "density":
        if abs(constant) > _LARGEST:
            raise UnsupportedModelError(
                f"output='density' of bandwidth {bandwidth:g} in {dimension} columns: at a training point it is about "
                f"exp({-constant:.0f}), which no number holds. Leave output=None to explain outlierness"
            )
        counted, alike = weights > 0, "" if len(np.unique(weights[weights > 0])) == 1 else _ALIKE
        return Conversion(
            torch.nn.Sequential(
                *_exponentials(model.kernel, bandwidth, distance, root),
                Linear((weights / weights.sum() * math.exp(-constant))[None]),
            ),
            f"density{alike}",
            ("density",),
            lambda X: np.exp(asked.score_samples(X)).reshape(-1, 1),
            reference=points[counted],
            reference_words="the training points",
            takes_reference=True,
            family="kernel expansion",
            background=background,
        )
    with np.errstate(divide="ignore"):
        shares = np.log(weights / weights.sum())
    return Conversion(
        torch.nn.Sequential(*layers, SoftMin(shares)),
        words,
        ("outlierness",),
        lambda X: asked.score_samples(X).reshape(-1, 1),
        link=lambda o: -o - constant,
        thresholds=model.kernel == "tophat",  # who is near is a matter of rounding
        infinite=model.kernel not in ("gaussian", "exponential"),
        family="kernel density" if model.kernel in ("gaussian", "exponential") else "",
        background=background,
    )


def _exponentials(kernel: str, bandwidth: float, distance: list[torch.nn.Module], root: float) -> list[torch.nn.Module]:
    """From rows to the values of the kernel: where its exponent adds up over the features, products over these."""
    if kernel == "gaussian" and root == 0.5:
        return [*distance, Affine(-0.5 / bandwidth**2), Elementwise(torch.exp)]
    if kernel == "exponential" and root == 1.0:
        return [*distance, Affine(-1 / bandwidth), Elementwise(torch.exp)]
    return [*distance, EffectiveDistance(kernel, bandwidth, root), Affine(-1.0), Elementwise(torch.exp)]


@dataclass(frozen=True, eq=False)
class _Ball:
    """The points nearer than the bandwidth, as the model's own tree measures."""

    tree: Any
    bandwidth: float

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index, d = self.tree.query_radius(X, self.bandwidth, return_distance=True)
        inside = [of[far < self.bandwidth] for of, far in zip(index, d, strict=True)]
        return padded(inside, -1), padded([np.ones(len(of)) for of in inside], 0.0)


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
