"""Energies of Gaussians, ``-log`` of their densities, and the relevance of energies and of their differences."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.terms import Background, JoinedTerms, Terms
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.distances.slopes import slopes
from neon.nn.distances.squared import squared_distance
from neon.nn.layer import Layer, fixed, operation
from neon.nn.linear.layers import preimage
from neon.nn.shapley.quadratic import MetricTerms, SeparableTerms

__all__ = ["GaussianEnergy", "gaussian_energy", "paired"]


@operation
def gaussian_energy(
    x: Tensor,
    means: Tensor,
    factors: Tensor,
    shares: Tensor | None = None,
    constants: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """``E_k = ‖V_k (x - μ_k)‖² + Σ_i a_ki + Σ_c b_ck``; with ``VᵀV`` half a precision matrix, -log of a density.

    Parameters
    ----------
    x : (n_samples, n_features)
    means : (n_components, n_features)
        The ``μ_k``.
    factors : (n_components, rank, n_features) or (n_components, n_features)
        The ``V_k``; with two axes, their diagonals.
    shares : (n_components, n_features), optional
        ``a``: what each feature adds, whatever its value, such as its log standard deviation.
    constants : mapping of str to (n_components,), optional
        ``b``, by the name of the residual that they are.

    Returns
    -------
    Tensor
        (n_samples, n_components)
    """
    if factors.ndim == 2:
        energy = _separable_energy(x, means, factors)
    else:
        # The length of V (x - μ), not the expanded form: exact next to a mean, and no memory for squares.
        parts = zip(means, factors, strict=True)
        energy = torch.stack([torch.linalg.vector_norm((x - u) @ v.T, dim=1) for u, v in parts], 1).square_()
    if shares is not None:
        energy += shares.sum(1)
    for constant in (constants or {}).values():
        energy += constant
    return energy


class GaussianEnergy(Layer):
    """`gaussian_energy` of fixed components."""

    no_relu = "a distance to Gaussians is not piecewise linear"
    means: Tensor
    factors: Tensor
    shares: Tensor | None

    def __init__(
        self,
        means: ArrayLike | Tensor,
        factors: ArrayLike | Tensor,
        shares: ArrayLike | Tensor | None = None,
        **constants: ArrayLike | Tensor,
    ) -> None:
        super().__init__()
        self.register_buffer("means", fixed(means))
        self.register_buffer("factors", fixed(factors))
        self.register_buffer("shares", None if shares is None else fixed(shares))
        self.names = tuple(constants)
        for name, values in constants.items():
            self.register_buffer(name, fixed(values))

    @property
    def constants(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.names}

    def forward(self, x: Tensor) -> Tensor:
        return gaussian_energy(x, self.means, self.factors, self.shares, self.constants)

    def after(self, weight: Tensor, bias: Tensor | None) -> GaussianEnergy:
        """The energies of ``W x + b``, as energies of x.

        A mean's preimage is its least-squares solution in the component's own metric; what the map cannot reach stays
        as the constant ``off_subspace``. Shares of mixed features are nobody's, and join ``log_det``.
        """
        factors = torch.diag_embed(self.factors) if self.factors.ndim == 2 else self.factors
        target = self.means if bias is None else self.means - bias
        wanted = (factors @ target[:, :, None])[:, :, 0]
        merged = factors @ weight
        means = torch.cat([preimage(*one) for one in zip(merged, wanted[:, None], strict=True)])
        unreached = ((merged @ means[:, :, None])[:, :, 0] - wanted).square().sum(1)
        constants = self.constants
        if bool((unreached > 1e-20 * wanted.square().sum(1)).any()):
            constants["off_subspace"] = constants.get("off_subspace", torch.zeros_like(unreached)) + unreached
        if self.shares is not None:
            constants["log_det"] = constants.get("log_det", torch.zeros_like(unreached)) + self.shares.sum(1)
        return GaussianEnergy(means, merged, **constants)

    def extra_repr(self) -> str:
        metric = "diagonal" if self.factors.ndim == 2 else "full"
        return f"{self.means.shape[1]} → {self.means.shape[0]}, {metric} metrics"


def paired(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of energies, in pairs: ``π_kc = s_k⁺ s_c⁻ / M`` is how much of ``E_k - E_c`` the output holds.

    Returns
    -------
    tuple of Tensor
        ``s⁺``, ``s⁻`` (n_samples, n_components) and ``M = max(Σ s⁺, Σ s⁻)`` (n_samples, 1), 1 where there are none.
    """
    plus, minus = s.clamp(min=0), (-s).clamp(min=0)
    most = torch.maximum(plus.sum(1, keepdim=True), minus.sum(1, keepdim=True))
    return plus, minus, most.masked_fill(most == 0, 1.0)


class _GaussianEnergy(Treatment):
    """A sum of energies with slopes s: by distance, and by differences where slopes of opposite sign pair up.

    An energy alone is shared as a distance is, ``δ_i (Λ δ)_i`` with ``δ = x - μ`` and ``Λ = VᵀV``. A difference
    ``E_k - E_c`` is a quadratic function q, with the midpoint m of the means for its root: by half of its gradients'
    sum ``(x - m)_i (∇q(x) + ∇q(m))_i / 2``, and its value at m as ``h_i ((Λ_k - Λ_c) h)_i`` with ``h = (μ_c - μ_k)/2``.
    Of equal metrics that is ``w_i (x - m)_i``, linear as q is; of diagonal ones feature by feature
    ``Λ_ki (x - μ_k)_i² - Λ_ci (x - μ_c)_i²``; and a feature that q does not depend on gets nothing.

    All pairs at once, with the weights of `paired`: ``R = Σ_j δ_j ⊙ Λ_j (s_j δ_j + H_j) - H_j ⊙ Λ_j δ_j`` with
    ``H_j = Σ_c π_jc h_jc``. The second part adds up to 0.
    """

    retention = Retention(inputs=True, output=True)

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        every = call.bound(lambda _: x)
        _, means, factors, _, _ = every
        end, at_mean = gaussian_energy(*every), gaussian_energy(*call.bound(lambda _: background.mean))
        if factors.ndim == 2:
            return SeparableTerms(call.output, x, background, means, factors.square(), at_mean, end)
        each = zip(means, factors, at_mean.T, end.T, strict=True)
        units = [MetricTerms(call.output, x, background, u[None], v, b[:, None], e[:, None]) for u, v, b, e in each]
        return units[0] if len(units) == 1 else JoinedTerms(call.output, units)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, means, factors, shares, constants = call.bound()
        if message.slope is not None:
            s = _in_sight(message.slope, message.slope)
        else:
            # What lies outside a metric's range cancels from the energy, the square of a length, only to rounding.
            rounding = ROUNDING * torch.finfo(x.dtype).eps
            lengths = factors.square().flatten(1).sum(1) * squared_distance(x, means)
            s = _in_sight(slopes(call, message, ledger, lambda: rounding * lengths), message.relevance)
        if ledger.enabled:
            for name, constant in (constants or {}).items():
                ledger.absorb(name, s * constant)
        if factors.ndim == 2:
            relevance = _separable(x, s, means, factors, None if message.slope is not None else call.value(call.output))
        else:
            relevance = _mixed(x, s, means, factors)
        return Message.of_relevance(relevance if shares is None else relevance.addmm_(s, shares))


def _in_sight(s: Tensor, parts: Tensor) -> Tensor:
    """Without competitors out of sight: what they would add is less than rounding."""
    parts = parts.abs()
    return s.masked_fill(parts <= torch.finfo(s.dtype).eps ** 2 * parts.amax(1, keepdim=True), 0.0)


def _mixed(x: Tensor, s: Tensor, means: Tensor, factors: Tensor) -> Tensor:
    """One component at a time, for the rows that it has a part in."""
    relevance = torch.zeros_like(x)
    plus, minus, most = paired(s)
    pairs = bool((plus > 0).any() and (minus > 0).any())
    for j, (u, v) in enumerate(zip(means, factors, strict=True)):
        active = s[:, j].nonzero()[:, 0]
        if not len(active):
            continue
        rows = slice(None) if len(active) == len(x) else active
        slope, delta = s[rows, j, None], x[rows] - u
        metric = (delta @ v.T) @ v
        if pairs:
            others = means - u  # h_jc = (μ_c - μ_j) / 2
            weights = torch.where(slope > 0, minus[rows], plus[rows]).mul_(slope / (2 * most[rows]))
            found = (weights @ ((others @ v.T) @ v)).addcmul_(metric, slope).mul_(delta)
            found.addcmul_(weights @ others, metric, value=-1)
        else:
            found = delta.mul_(metric).mul_(slope)
        relevance[rows] += found
    return relevance


def _separable_energy(x: Tensor, means: Tensor, factors: Tensor) -> Tensor:
    """``Σ_i v_ki² (x_i - μ_ki)²`` by matrix products."""
    z, u, squares = _centered(x, means, factors)
    energy = (z.square() @ squares.T).addmm_(z, (u * squares).T, alpha=-2).add_((u.square() * squares).sum(1))
    rows, columns = _near(energy, z, u, squares)
    if len(rows):
        energy[rows, columns] = ((x[rows] - means[columns]) * factors[columns]).square().sum(1)
    return energy


def _separable(x: Tensor, s: Tensor, means: Tensor, factors: Tensor, energy: Tensor | None) -> Tensor:
    """``R_i = Σ_k s_k v_ki² (x_i - μ_ki)²`` by matrix products.

    energy : given where the slopes are ``R / energy``, steep next to a mean; such pairs are computed directly.
    """
    z, u, squares = _centered(x, means, factors)
    close = None
    if energy is not None:
        rows, columns = _near(energy, z, u, squares)
        if len(rows):
            parts = ((x[rows] - means[columns]) * factors[columns]).square_().mul_(s[rows, columns, None])
            close = torch.zeros_like(x).index_add_(0, rows, parts)
            s = s.index_put((rows, columns), s.new_zeros(()))
    relevance = (s @ squares).mul_(z).addmm_(s, squares * u, alpha=-2).mul_(z).addmm_(s, squares * u.square())
    return relevance if close is None else relevance.add_(close)


def _centered(x: Tensor, means: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Differences do not depend on the origin; rounding does. The middle of the means keeps the terms small."""
    origin = means.mean(0)
    return x - origin, means - origin, factors.square()


def _near(energy: Tensor, z: Tensor, u: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of which the expanded square has lost a third of its digits and more."""
    scale = (z.square() @ squares.T).add_((u.square() * squares).sum(1))
    rows, columns = (energy <= torch.finfo(energy.dtype).eps ** (1 / 3) * scale).nonzero(as_tuple=True)
    return rows, columns


treat(gaussian_energy, by=_GaussianEnergy())
