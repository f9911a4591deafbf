"""Quadratic forms of the features: squared distances, in any metric, and energies of Gaussians.

``u_j = (x - μ_j)ᵀ P_j (x - μ_j) + e_j``, P = VᵀV. With each feature present with probability t, absent ones drawn
together from reference rows of mean m and covariance C, and ``a = x - μ``, ``b = m - μ``, ``δ = x - m``:

``∂u/∂t_i = P_ii (a_i² - b_i² - C_ii) + 2 Σ_{k≠i} P_ik [δ_i (b_k + t δ_k) - (1 - t) C_ik]``

whose integral is ``δ_i (P (a + b))_i - (P C)_ii``. A diagonal P gives additive units, straight lines in t.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.paths.terms import Background, StraightTerms, Terms

__all__ = ["MetricTerms", "SeparableTerms"]


class SeparableTerms(StraightTerms):
    """``u_j = Σ_i q_ji (x_i - μ_ji)² + e_j``; squares : q (n_units, n_features), or (1, n_features) for all units.

    at_mean : the units of the reference rows' mean, (1 or n_samples, n_units): with the variances they are those at 0
    """

    joint, moments = True, True

    def __init__(
        self, slot: int, x: Tensor, background: Background, means: Tensor, squares: Tensor, at_mean: Tensor, end: Tensor
    ) -> None:
        origin = means.mean(0)  # nothing depends on it, but rounding
        self.means, self.squares = means - origin, squares
        self.moved = x - background.mean
        # a² - b² - C with a + b = x + m - 2μ: the part that all units share, and the one that is linear in μ
        self.common = self.moved * ((x - origin) + (background.mean - origin)) - background.variance
        super().__init__(slot, at_mean + background.variance @ squares.T, end)

    def integrated(self, slopes: Tensor) -> Tensor:
        if len(self.squares) == 1:
            total = slopes.sum(1, keepdim=True)
            return (self.common * total).addcmul_(self.moved, slopes @ self.means, value=-2).mul_(self.squares)
        weighted = slopes @ self.squares
        return (self.common * weighted).addcmul_(self.moved, slopes @ (self.squares * self.means), value=-2)


class MetricTerms(Terms):
    """``u_j = (x - μ_j)ᵀ P (x - μ_j) + e_j``, one metric for all units: ``P = VᵀV``, factor : V (k, n_features).

    at_mean : the units of the reference rows' mean, (1 or n_samples, n_units)
    least : below which no unit is, but for rounding
    """

    alike, joint, moments = True, True, True

    def __init__(
        self, slot: int, x: Tensor, background: Background, means: Tensor, factor: Tensor, at_mean: Tensor, end: Tensor,
        *, least: float = -torch.inf,
    ) -> None:  # fmt: skip
        origin = means.mean(0)  # nothing depends on it, but rounding
        self.slot, self.end, self.means, self.least = slot, end, means - origin, least
        self.mean, self.moved = background.mean - origin, x - background.mean
        self.metric = factor.T @ factor
        self.diagonal = self.metric.diagonal()
        self.covariance = background.covariance
        mixed = self.metric * self.covariance
        self.start = at_mean + mixed.sum()
        self.own = mixed.diagonal()  # P_ii C_ii
        self.others = mixed.sum(1) - self.own  # Σ_{k≠i} P_ik C_ik
        self.metric_moved = self.moved @ self.metric
        square = self.moved.square() * self.diagonal
        self.curvature = 2 * ((self.moved * self.metric_moved).sum(1) - square.sum(1) + self.others.sum())

    def _parts(self, total: Tensor, weighted: Tensor, t: Tensor) -> Tensor:
        """``Σ_j s_j ∂u_j/∂t_i``; total : ``Σ_j s_j`` (..., 1), weighted : ``Σ_j s_j μ_j`` (..., n_features)."""
        b = self.mean * total - weighted  # Σ_j s_j (m - μ_j)
        own = self.diagonal * (self.moved * (self.moved * total + 2 * b)) - self.own * total
        across = b @ self.metric - self.diagonal * b
        across = across + t * total * (self.metric_moved - self.diagonal * self.moved)
        return own + 2 * (self.moved * across - (1 - t) * total * self.others)

    def units(self, t: Tensor) -> Tensor:
        zero, ones = self.moved.new_zeros(()), self.moved.new_ones(())
        # du/dt at t = 0, the part that all units share and the one that is linear in μ; from there it is linear in t.
        rate = self._parts(ones, torch.zeros_like(self.mean), zero).sum(1, keepdim=True)
        rate = rate - 2 * (self.moved @ self.metric) @ self.means.T
        back = t[:, None, None] - 1  # from the row backwards, and so exact at t = 1
        curve = (t[:, None, None] ** 2 - 1) / 2
        units = (self.end + back * rate + curve * self.curvature[:, None]).clamp_(min=self.least)
        units[t == 0] = self.start  # digit for digit: roots of distances near 0 are steep
        return units

    def shares(self, slopes: Tensor, t: Tensor) -> Tensor:
        total, weighted = slopes.sum(2, keepdim=True), slopes @ self.means
        return self._parts(total, weighted, t[:, None, None]).sum(0)

    def integrated(self, slopes: Tensor) -> Tensor:
        half = torch.tensor(0.5, dtype=slopes.dtype, device=slopes.device)
        return self._parts(slopes.sum(1, keepdim=True), slopes @ self.means, half)

    def pairs(self, slopes: Tensor) -> Tensor:
        moved = self.moved[:, :, None] * self.moved[:, None] + self.covariance
        found = slopes.sum(1)[:, None, None] * (self.metric * moved)
        return found.masked_fill_(torch.eye(len(self.metric), dtype=torch.bool, device=found.device), 0.0)
