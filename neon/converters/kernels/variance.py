"""The variance of a Gaussian process as layers: ``v(x) = k(x, x) - kᵀ M k``, ``k_j = k(x, u_j)``, ``M = (K + α)⁻¹``.

A product of two rbf units is an rbf unit at the middle of their centers,

``exp(-γ ‖x - u‖²) exp(-γ ‖x - v‖²) = exp(-γ/2 ‖u - v‖²) exp(-2γ ‖x - (u + v)/2‖²)``,

so that the variance is a constant minus a sum over pairs of training points, whose Shapley values are exact. For other
kernels, and where the sum over pairs would lose digits, it is ``k(x, x) - ‖L⁻¹ k‖²`` with ``L Lᵀ = K + α``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import cho_solve, solve_triangular

from neon.converters.kernels.algebra import Atom, Constant, Expression, KernelSum, itself, kernel_layers, parse
from neon.nn import Elementwise, Linear
from neon.nn.kernels.functions import Exponential

__all__ = ["root", "variance_layers"]

_ROWS = 1000  # training rows whose pairs are summed over: half a million units
_DIGITS = 1e-9  # of the largest k(x, x), which rounding may take from the sum over pairs


def variance_layers(model: Any) -> tuple[list[torch.nn.Module], float]:
    """From rows to the variances of all targets, (n_samples, n_targets), and what rounding may move them by."""
    points, lower = np.asarray(model.X_train_, dtype=np.float64), np.asarray(model.L_, dtype=np.float64)
    scale = np.square(np.atleast_1d(np.asarray(model._y_train_std, dtype=np.float64)))[:, None]  # (n_targets, 1)
    # scikit-learn without normalize_y keeps one scale for all targets
    scale = np.broadcast_to(scale, (model.alpha_.reshape(len(points), -1).shape[1], 1))
    expression, own = parse(model.kernel_), itself(model.kernel_)
    if _is_rbf(expression) and isinstance(own, Constant) and len(points) <= _ROWS:
        unit, middles, weight = _pairs(expression, points, lower)
        rounding = np.finfo(np.float64).eps * np.abs(weight).sum()
        if rounding <= _DIGITS * own.value:
            last = Linear(-scale * weight, scale[:, 0] * own.value)
            return [*kernel_layers(unit, middles), last], float(rounding * scale.max())
    rooted = solve_triangular(lower, np.eye(len(points)), lower=True)
    spread = [*kernel_layers(expression, points), Linear(rooted), Elementwise(torch.square)]
    minus = -np.ones((1, len(points)))
    largest = float(np.max(model.kernel_.diag(points)))
    rounding = float(np.finfo(np.float64).eps * largest * (1 + np.abs(rooted).sum(1).max()) * scale.max())
    if isinstance(own, Constant):
        return [*spread, Linear(scale * minus, scale[:, 0] * own.value)], rounding
    origin = np.zeros((1, points.shape[1]))
    branches = [kernel_layers(own, origin), [*spread, Linear(minus)]]
    return [KernelSum([torch.nn.Sequential(*branch) for branch in branches]), Linear(scale)], rounding


def root(variance: torch.Tensor) -> torch.Tensor:
    """The standard deviation; rounding may leave a variance below 0, which is 0 then."""
    return variance.clamp(min=0).sqrt()


def _is_rbf(expression: Expression) -> bool:
    return (
        isinstance(expression, Atom) and expression.kind == "squared" and isinstance(expression.function, Exponential)
    )


def _pairs(expression: Any, points: np.ndarray, lower: np.ndarray) -> tuple[Atom, np.ndarray, np.ndarray]:
    """The kernel of pairs, their middles (n_pairs, n_features) and weights (1, n_pairs): ``kᵀ M k = Σ weight unit``."""
    function = expression.function
    first, second = np.triu_indices(len(points))
    moved = (points[first] - points[second]) * (expression.scale or 1.0)
    inverse = cho_solve((lower, True), np.eye(len(points)))
    weight = np.where(first == second, 1.0, 2.0) * inverse[first, second] * function.factor**2
    weight = weight * np.exp(-function.rate / 2 * np.square(moved).sum(1))
    unit = Atom("squared", Exponential(2 * function.rate), expression.scale)
    return unit, (points[first] + points[second]) / 2, weight[None]
