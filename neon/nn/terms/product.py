"""Products of one factor for each feature: kernels ``exp(-γ Σ_i |x_i - u_ji|^p)``, p = 1 or 2.

An absent feature brings its mean factor: ``v_ji(t) = b_ji + t (a_ji - b_ji)`` with ``a_ji = exp(-γ |x_i - u_ji|^p)``
and b its mean over the reference rows. A sum ``Σ_j α_j Π_i a_ji`` then has the Shapley values
``φ_i = Σ_j α_j (a_ji - b_ji) ∫₀¹ Π_{k≠i} v_jk(t) dt`` of features drawn from their marginals (the games of Mohammadi et
al. 2025, "PKeX-Shapley", who expand them in elementary symmetric polynomials). The integrand is a polynomial of degree
d - 1, so that d/2 nodes of Gauss and Legendre are exact; `n_nodes` says how many are enough.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from neon.lrp.paths.integral import legendre
from neon.lrp.paths.terms import Background, Terms
from neon.nn.terms import vectorized
from neon.nn.trees.blocks import in_threads

__all__ = ["ProductTerms", "SoftTerms", "n_nodes"]

_TOLERANCE = 1e-10  # of a row's largest relevance
_RHO = np.array([1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0])
_WIDTHS = torch.from_numpy((_RHO + 1 / _RHO) / 2)
# What a term of each ellipse is multiplied by in `n_nodes`, and the logarithm of what each node divides by.
_ELLIPSES = (_WIDTHS.numpy(), np.log(2 / _WIDTHS.numpy() * 32 / 15 / (1 - _RHO**-2.0)), np.log(_RHO))
_BLOCK = 1 << 17  # factors at a time: what stays in the processor's cache is not fetched twice


class _Factors(Terms):
    """Units that are functions of ``Π_i v_ji(t)``.

    Parameters
    ----------
    slot : int
    x : Tensor (n_samples, n_features)
    centers : Tensor (n_units, n_features)
    rate : float
        γ.
    power : int
        p: 2 for squared distances, 1 for Manhattan distances.
    end : Tensor (n_samples, n_units)
        The units of x, as the network computes them.
    """

    def __init__(
        self, slot: int, x: Tensor, background: Background, centers: Tensor, rate: float, power: int, end: Tensor
    ) -> None:
        self.slot, self.x, self.centers, self.rate, self.power, self.end = slot, x, centers, rate, power, end
        self.absent = background.memo(("factors", slot, rate, power), lambda: self._mean_factors(background))

    def factors(self, row: Tensor, out: Tensor | None = None) -> Tensor:
        """``a`` of one row, (n_units, n_features); of rows (n_rows, 1, n_features) with an axis of them in front."""
        moved = torch.sub(self.centers, row, out=out)
        moved = moved.square_() if self.power == 2 else moved.abs_()
        return moved.mul_(-self.rate).exp_()

    def _mean_factors(self, background: Background) -> Tensor:
        total, space = torch.zeros_like(self.centers), torch.empty_like(self.centers)
        for row, weight in zip(background.rows, background.weights, strict=True):
            total.add_(self.factors(row, space).mul_(weight))
        return total

    def _each_row(self, compute: Callable[[Tensor, int], Tensor], dim: int) -> Tensor:
        """``compute(factors, i)`` of every row i, stacked along ``dim``; rows in threads."""
        n, workers = len(self.x), torch.get_num_threads()
        found: list[Tensor] = [self.x] * n

        def work(part: range) -> None:
            space = torch.empty_like(self.centers)
            for i in part:
                found[i] = compute(self.factors(self.x[i], space), i)

        in_threads([functools.partial(work, range(k, n, workers)) for k in range(min(workers, n))], workers)
        return torch.stack(found, dim) if n else compute(self.absent, 0).unsqueeze(dim).narrow(dim, 0, 0)

    def _log_units(self, t: Tensor) -> Tensor:
        return self._each_row(lambda a, _: _loops(a).log_units(a, self.absent, t), 1)

    def _log_rates(self, t: Tensor) -> Tensor:
        return self._each_row(lambda a, _: _loops(a).rates(a, self.absent, t), 1)

    def _log_shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._each_row(lambda a, i: _loops(a).shares(a, self.absent, slopes[:, i], t), 0)

    def _ending(self, units: Tensor, t: Tensor) -> Tensor:
        """At t = 1 the units are the network's own, digit for digit."""
        units[t == 1] = self.end
        return units


class ProductTerms(_Factors):
    """``p_j = Π_i a_ji``."""

    def units(self, t: Tensor) -> Tensor:
        return self._ending(self._log_units(t).exp_(), t)

    def rates(self, t: Tensor) -> Tensor:
        return self._log_rates(t).mul_(self._log_units(t).exp_())

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._log_shares(slopes * self._log_units(t).exp_(), t)

    def integrated(self, slopes: Tensor) -> Tensor:
        found = torch.empty_like(self.x)

        def work(part: slice) -> None:
            a = self.factors(self.x[part, None])
            found[part] = _shapley(a, self.absent, slopes[part])

        size = max(1, _BLOCK // max(1, self.centers.numel()))
        parts = [slice(i, min(i + size, len(self.x))) for i in range(0, len(self.x), size)]
        in_threads([functools.partial(work, part) for part in parts], torch.get_num_threads())
        return found

    def pairs(self, slopes: Tensor) -> Tensor:
        return self._each_row(lambda a, i: _interactions(a, self.absent, slopes[i]), 0)


class SoftTerms(_Factors):
    """``u_j = -(1/γ) log Π_i v_ji``: distances that an exponential follows, such as those in a log-sum-exp."""

    def units(self, t: Tensor) -> Tensor:
        return self._ending(self._log_units(t).div_(-self.rate), t)

    def rates(self, t: Tensor) -> Tensor:
        return self._log_rates(t).div_(-self.rate)

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        return self._log_shares(slopes / -self.rate, t)

    def integrated(self, slopes: Tensor) -> Tensor:
        t, weights = (torch.as_tensor(part).to(slopes) for part in legendre(16))
        return self.shares(weights[:, None, None] * slopes, t)


def _shapley(a: Tensor, b: Tensor, alpha: Tensor) -> Tensor:
    """``Σ_j α_j (a - b)_ji ∫₀¹ Π_{k≠i} v_jk(t) dt`` of rows, (n_rows, n_features).

    a : (n_rows, n_units, n_features), b : (n_units, n_features), alpha : (n_rows, n_units)
    """
    loops = _loops(a)
    if loops is vectorized:
        each = [_to_the_bound(row, b, slopes, vectorized.integrated) for row, slopes in zip(a, alpha, strict=True)]
        return torch.stack(each)
    return loops.shapley(a, b, alpha, _ELLIPSES, math.log(_TOLERANCE), _rules(a.shape[2], a.dtype))


@functools.cache
def _rules(n_features: int, dtype: torch.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of nodes to choose from, up to those that are exact, with their nodes and weights."""
    most = -(-n_features // 2)
    sizes = [n for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256) if n < most]
    sizes.append(most)
    kind = np.float64 if dtype == torch.float64 else np.float32
    nodes, weights = (np.zeros((len(sizes), most), kind) for _ in range(2))
    for k, n in enumerate(sizes):
        nodes[k, :n], weights[k, :n] = legendre(n)
    return np.array(sizes), nodes, weights


def _interactions(a: Tensor, b: Tensor, alpha: Tensor) -> Tensor:
    """``½ Σ_j α_j (a - b)_ji (a - b)_jk ∫₀¹ Π_{l≠i,k} v_jl(t) dt``, (n_features, n_features), 0 on the diagonal."""
    return _to_the_bound(a, b, alpha, vectorized.interactions)


def _to_the_bound(a: Tensor, b: Tensor, alpha: Tensor, compute: Callable[..., Tensor]) -> Tensor:
    """An integral with as many nodes as the bound asks for."""
    most = -(-a.shape[1] // 2)
    logs = _loops(a).bound_terms(a, b, alpha, _WIDTHS.to(a)).double().log().cpu().numpy()
    n = min(4, most)
    while True:
        found = compute(a, b, alpha, *_rule(n, a.dtype, a.device))
        least = n_nodes(logs, math.log(_TOLERANCE) + math.log(max(float(found.abs().max()), 1e-300)), most)
        if n >= least:
            return found
        n = least


def n_nodes(log_terms: np.ndarray, log_tolerance: float, most: int) -> int:
    """The least number of nodes whose error is below the tolerance, or ``most``.

    For a function that is at most M in the ellipse ρ of Bernstein, n nodes on [0, 1] err by at most
    ``(32/15) M ρ^-2n / (1 - ρ^-2)`` (Trefethen, "Approximation theory and approximation practice", theorem 19.3). With
    ``x = (ρ + 1/ρ) / 2`` and ``r_i = |a - b|_i / (a + b)_i``, a factor is at most ``(a + b)/2 (1 + x r_i)`` there,
    their product at most ``(1 + x R/d)^d`` times their middles', and ``|a - b|_i / ((a + b)/2 (1 + x r_i)) ≤ 2/x``. The
    integrands of interactions have two such quotients and the factor ½, and obey the same bound.

    Parameters
    ----------
    log_terms : ndarray (n_ellipses,)
        The logarithm of ``Σ_j |α_j| Π_i (a + b)_ji/2 (1 + x R_j/d)^d`` for each ellipse.
    """
    with np.errstate(invalid="ignore"):
        needed = (log_terms + _ELLIPSES[1] - log_tolerance) / (2 * _ELLIPSES[2])
    return int(np.clip(np.ceil(np.nanmin(needed)), 1, most)) if np.isfinite(needed).any() else 1


@functools.cache
def _rule(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    t, weights = legendre(n)
    return torch.as_tensor(t, dtype=dtype, device=device), torch.as_tensor(weights, dtype=dtype, device=device)


def _loops(a: Tensor) -> ModuleType:
    """Compiled loops where there is numba, on the CPU."""
    if a.device.type != "cpu" or importlib.util.find_spec("numba") is None:
        return vectorized
    from neon.nn.terms import compiled

    return compiled
