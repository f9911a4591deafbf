"""How many nodes of Gauss and Legendre are enough for an integral of products of factors.

For a function that is at most M in the ellipse ρ of Bernstein, n nodes on [0, 1] err by at most
``(32/15) M ρ^-2n / (1 - ρ^-2)`` (Trefethen, "Approximation theory and approximation practice", theorem 19.3). With
``x = (ρ + 1/ρ) / 2`` and ``r_i = |a - b|_i / (a + b)_i``, a factor is at most ``(a + b)/2 (1 + x r_i)`` there,
their product at most ``(1 + x R/d)^d`` times their middles', and ``|a - b|_i / ((a + b)/2 (1 + x r_i)) ≤ 2/x``. The
integrands of interactions have two such quotients and the factor ½, and obey the same bound.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from neon.lrp.paths.mean_slopes import legendre

__all__ = ["ELLIPSES", "LOG_TOLERANCE", "WIDTHS", "n_nodes", "rule", "rules"]

LOG_TOLERANCE = float(np.log(1e-10))  # of a row's largest relevance
_RHO = np.array([1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0])
_X = (_RHO + 1 / _RHO) / 2
WIDTHS = torch.from_numpy(_X)
# For each ellipse x, the logarithm of what its term is multiplied by, and of what each node divides the error by.
ELLIPSES = (_X, np.log(2 / _X * 32 / 15 / (1 - _RHO**-2.0)), 2 * np.log(_RHO))


def n_nodes(log_terms: np.ndarray, log_tolerance: float, most: int) -> int:
    """The least number of nodes whose error is below the tolerance, or ``most``.

    Parameters
    ----------
    log_terms : ndarray (n_ellipses,)
        The logarithm of ``Σ_j |α_j| Π_i (a + b)_ji/2 (1 + x R_j/d)^d`` for each ellipse.
    """
    with np.errstate(invalid="ignore"):
        needed = (log_terms + ELLIPSES[1] - log_tolerance) / ELLIPSES[2]
    return int(np.clip(np.ceil(np.nanmin(needed)), 1, most)) if np.isfinite(needed).any() else 1


@functools.cache
def rule(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """N nodes on [0, 1] and their weights."""
    t, weights = legendre(n)
    return torch.as_tensor(t, dtype=dtype, device=device), torch.as_tensor(weights, dtype=dtype, device=device)


@functools.cache
def rules(n_features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of nodes to choose from, up to those that are exact, with their nodes and weights."""
    most = -(-n_features // 2)
    sizes = [n for n in (1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256) if n < most]
    sizes.append(most)
    nodes, weights = (np.zeros((len(sizes), most)) for _ in range(2))
    for k, n in enumerate(sizes):
        nodes[k, :n], weights[k, :n] = legendre(n)
    return np.array(sizes), nodes, weights
