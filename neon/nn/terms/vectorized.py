"""The loops of `neon.nn.terms.compiled` in torch: on any device, without numba, more slowly.

One row at a time: factors a of the row and b of the background (n_units, n_features), nodes t (n_nodes,).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bound_terms", "integrated", "interactions", "log_units", "rates", "shares"]


def log_units(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """``log Π_i v_ji(t)``, (n_nodes, n_units)."""
    return torch.stack([torch.lerp(b, a, node).log_().sum(1) for node in t])


def rates(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """``Σ_i (a - b)_ji / v_ji(t)``, (n_nodes, n_units)."""
    return torch.stack([_ratio(a, b, node).sum(1) for node in t])


def shares(a: Tensor, b: Tensor, slopes: Tensor, t: Tensor) -> Tensor:
    """``Σ_q Σ_j slopes_qj (a - b)_ji / v_ji(t_q)``, (n_features,); slopes (n_nodes, n_units)."""
    return torch.stack([slope @ _ratio(a, b, node) for slope, node in zip(slopes, t, strict=True)]).sum(0)


def integrated(a: Tensor, b: Tensor, alpha: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    """``Σ_j α_j (a - b)_ji Σ_q w_q Π_{k≠i} v_jk(t_q)``, (n_features,)."""
    units = torch.stack([torch.lerp(b, a, node).prod(1) for node in t])
    return shares(a, b, weights[:, None] * alpha * units, t)


def interactions(a: Tensor, b: Tensor, alpha: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    """``½ Σ_j α_j (a - b)_ji (a - b)_jk Σ_q w_q Π_{l≠i,k} v_jl(t_q)``, (n_features, n_features), 0 on the diagonal."""
    found = a.new_zeros(a.shape[1], a.shape[1])
    for node, weight in zip(t, weights, strict=True):
        ratio = _ratio(a, b, node)
        found.addmm_(ratio.T, ratio * (weight / 2 * alpha * torch.lerp(b, a, node).prod(1))[:, None])
    return found.fill_diagonal_(0.0)


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
