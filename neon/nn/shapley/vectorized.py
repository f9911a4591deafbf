"""The loops of `neon.nn.shapley.compiled` in torch: on any device, without numba, more slowly; one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neon.nn.shapley.nodes import LOG_TOLERANCE, WIDTHS, n_nodes, rule

__all__ = ["Kernel", "interactions", "log_units", "mean_factors", "shapley", "shares"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """Units ``Π_i exp(-γ |x_i - u_ji|^p)`` with centers u (n_units, n_columns), rate γ and power p = 1 or 2.

    players : the feature of each column (n_columns,), if some have several: the factor of a feature is the product of
    its columns'.
    """

    centers: Tensor
    rate: float
    power: int
    players: Tensor | None = None

    @property
    def n_features(self) -> int:
        return self.centers.shape[1] if self.players is None else int(self.players.max()) + 1

    def factors(self, row: Tensor) -> Tensor:
        """``a_ji`` of one row, (n_units, n_features)."""
        moved = self.centers - row
        moved = moved.square_() if self.power == 2 else moved.abs_()
        if self.players is not None:
            moved = moved.new_zeros(len(moved), self.n_features).index_add_(1, self.players, moved)
        return moved.mul_(-self.rate).exp_()


def mean_factors(kernel: Kernel, rows: Tensor, weights: Tensor) -> Tensor:
    """``b_ji``: the mean of the factors over weighted rows, (n_units, n_features)."""
    total = kernel.centers.new_zeros(len(kernel.centers), kernel.n_features)
    for row, weight in zip(rows, weights, strict=True):
        total.add_(kernel.factors(row).mul_(weight))
    return total


def log_units(kernel: Kernel, b: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """``log Π_i v_ji(t)``, (n_nodes, n_rows, n_units), for rows x (n_rows, n_features) and nodes t (n_nodes,)."""
    found = x.new_empty(len(t), len(x), len(b))
    for i, row in enumerate(x):
        a = kernel.factors(row)
        for q, node in enumerate(t):
            found[q, i] = torch.lerp(b, a, node).log_().sum(1)
    return found


def shares(kernel: Kernel, b: Tensor, x: Tensor, slopes: Tensor, t: Tensor) -> Tensor:
    """``Σ_q Σ_j slopes_qj (a - b)_ji / v_ji(t_q)``, (n_rows, n_features); slopes (n_nodes, n_rows, n_units)."""
    found = x.new_zeros(len(x), b.shape[1])
    for i, row in enumerate(x):
        a = kernel.factors(row)
        for slope, node in zip(slopes[:, i], t, strict=True):
            found[i] += slope @ _ratio(a, b, node)
    return found


def shapley(kernel: Kernel, b: Tensor, x: Tensor, alpha: Tensor) -> Tensor:
    """``Σ_j α_j (a - b)_ji ∫₀¹ Π_{k≠i} v_jk(t) dt``, (n_rows, n_features); alpha (n_rows, n_units)."""
    found = x.new_empty(len(x), b.shape[1])
    for i, row in enumerate(x):
        found[i] = _to_the_bound(kernel.factors(row), b, alpha[i], integrated)
    return found


def interactions(kernel: Kernel, b: Tensor, x: Tensor, alpha: Tensor) -> Tensor:
    """``½ Σ_j α_j (a - b)_ji (a - b)_jk ∫₀¹ Π_{l≠i,k} v_jl(t) dt``, 0 on the diagonal; one more axis than `shapley`."""
    found = x.new_empty(len(x), b.shape[1], b.shape[1])
    for i, row in enumerate(x):
        found[i] = _to_the_bound(kernel.factors(row), b, alpha[i], _interactions)
    return found


def integrated(a: Tensor, b: Tensor, alpha: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    """``Σ_j α_j (a - b)_ji Σ_q w_q Π_{k≠i} v_jk(t_q)`` of one row, (n_features,)."""
    found = torch.zeros_like(a[0])
    for node, weight in zip(t, weights, strict=True):
        found += (weight * alpha * torch.lerp(b, a, node).prod(1)) @ _ratio(a, b, node)
    return found


def _interactions(a: Tensor, b: Tensor, alpha: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    found = a.new_zeros(a.shape[1], a.shape[1])
    for node, weight in zip(t, weights, strict=True):
        ratio = _ratio(a, b, node)
        found.addmm_(ratio.T, ratio * (weight / 2 * alpha * torch.lerp(b, a, node).prod(1))[:, None])
    return found.fill_diagonal_(0.0)


def _to_the_bound(a: Tensor, b: Tensor, alpha: Tensor, compute: Callable[..., Tensor]) -> Tensor:
    """An integral with as many nodes as the bound asks for."""
    most = -(-a.shape[1] // 2)
    logs = bound_terms(a, b, alpha, WIDTHS.to(a)).double().log().cpu().numpy()
    n = min(4, most)
    while True:
        found = compute(a, b, alpha, *rule(n, a.dtype, a.device))
        size = found.abs().max().clamp(min=1e-300 if a.dtype == torch.float64 else 1e-37)
        least = n_nodes(logs, LOG_TOLERANCE + float(size.log()), most)
        if n >= least:
            return found
        n = least


def bound_terms(a: Tensor, b: Tensor, alpha: Tensor, widths: Tensor) -> Tensor:
    """``Σ_j |α_j| Π_i (a + b)_ji/2 (1 + x R_j / d)^d``, ``R_j = Σ_i |a - b| / (a + b)``, for each x; (n_widths,)."""
    total, d = a + b, a.shape[1]
    spread = ((a - b).abs() / total).nan_to_num_(0.0).sum(1)
    middle = (total / 2).log_().sum(1)
    logs = middle + d * torch.log1p(widths[:, None] * spread / d)
    return (alpha.abs() * logs.exp_()).sum(1)


def _ratio(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    v = torch.lerp(b, a, t)
    return (a - b).div_(v).masked_fill_(v == 0, 0.0)
