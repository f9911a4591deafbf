"""Distances spelled out: a layer of differences to every center, a layer of squares or magnitudes, and their sum.

Ordinary layers with a value for every sample, center and feature, (n_samples, n_centers, n_features): the same
outputs, relevance and residuals as `neon.nn.distances.squared` and `neon.nn.distances.manhattan`, without their
closed forms.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.linear_maps import LinearMap, Uniform
from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.operations.linear import LinearTreatment
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.distances.slopes import is_hit, slopes
from neon.nn.layer import Layer, operation

__all__ = [
    "Abs",
    "Difference",
    "Square",
    "SquaredLength",
    "Total",
    "distance_layers",
    "manhattan_layers",
    "squared_length",
    "total",
]


def difference(x: Tensor, centers: Tensor, centered: bool = False) -> Tensor:
    """``x - u_j`` for every center j: (n, n_features) -> (n, n_centers, n_features).

    centered : compute it as ``(x - ū) - (u_j - ū)`` with the mean ``ū`` of the centers.
    """
    if not centered:
        return x[:, None] - centers
    origin = centers.mean(0)
    return (x - origin)[:, None] - (centers - origin)


class Difference(Layer, of=difference):
    """`difference` to fixed centers."""

    option_names = ("centered",)
    centers: Tensor

    def extra_repr(self) -> str:
        return f"to {len(self.centers)} centers"


class Square(Layer):
    """``x²``, elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.square(x)


class Abs(Layer):
    """``|x|``, elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.abs(x)


@operation
def total(parts: Tensor, offset: Tensor | None = None) -> Tensor:
    """``d_j = Σ_i parts_ji + e_j``: (n, n_centers, n_features) -> (n, n_centers); offset ``e`` : (n_centers,)."""
    d = parts.sum(-1)
    return d if offset is None else d + offset


class Total(Layer, of=total):
    """`total` with a fixed offset: the parts of a distance added up."""

    offset: Tensor | None

    def extra_repr(self) -> str:
        return f"offset={self.offset is not None}"


class _Total(LinearTreatment):
    """A sum under its rule, with a distance's names for what no part can own.

    ``exact_hit``: relevance of a distance 0. ``off_subspace``: the share of the offset.
    """

    _NAMES: ClassVar = {"stabilizer": "exact_hit", "bias": "off_subspace"}

    def __init__(self) -> None:
        super().__init__(_sum_over_features, "pooling")

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message | tuple[Message, ...]:
        own = Ledger(enabled=ledger.enabled)
        if message.slope is None and call.references is None:
            hit = is_hit(call.value(call.output))
            if ledger.enabled:
                ledger.absorb("exact_hit", message.relevance * hit)
            message = Message.of_relevance(message.relevance.masked_fill(hit, 0.0))
        below = super().back(call, message, rule, own)
        names = self._NAMES if call.references is None else {}
        for name, amount in own.absorbed.items():
            ledger.absorb(names.get(name, name), amount)
        return below


def _sum_over_features(call: Call, parts: Tensor, offset: Tensor | None = None) -> LinearMap:
    one = parts.new_ones(())
    return Uniform(one, offset, lambda x: x.sum(-1), one, parts)


@operation
def squared_length(difference: Tensor, factor: Tensor, offset: Tensor | None = None) -> Tensor:
    """``‖V δ_j‖² + e_j``: (n, n_centers, n_features) -> (n, n_centers); factor ``V`` : (k, n_features)."""
    d = (difference @ factor.T).square().sum(-1)
    return d if offset is None else d + offset


class SquaredLength(Layer, of=squared_length):
    """`squared_length` in a fixed metric."""

    factor: Tensor
    offset: Tensor | None

    def extra_repr(self) -> str:
        return f"in the metric of a {tuple(self.factor.shape)} map"


class _SquaredLength(Treatment):
    """``R_ji = s_j δ_ji (Λ δ_j)_i`` with ``Λ = VᵀV``: LRP-0 through V, the square and the sum.

    Relative to reference rows the same there is subtracted in the mean. (The three layers one by one would share the
    difference from the reference otherwise: by ``δ_i (Λ δ^ref)_i - δ^ref_i (Λ δ)_i``, which adds up to 0.)
    """

    retention = Retention(inputs=True)
    takes_reference = True
    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        delta, factor, offset = call.bound()
        parts = delta * (delta @ factor.T @ factor)
        s = slopes(call, message, ledger)
        if call.references is not None:
            rows = call.references[call.inputs[0]]
            parts -= (rows * (rows @ factor.T @ factor)).mean(0)
        elif ledger.enabled and offset is not None:
            ledger.absorb("off_subspace", s * offset)
        shares = s[..., None] * parts
        if message.slope is not None and call.references is None:
            shares = shares + _between_centers(s, delta, factor)
        return Message.of_relevance(shares)


def _between_centers(s: Tensor, delta: Tensor, factor: Tensor) -> Tensor:
    """The midpoint rule for differences of distances, one pair of centers at a time; see `neon.nn.squared_distance`."""
    up, down = s.clamp(min=0), (-s).clamp(min=0)
    p, q = up.sum(1, keepdim=True), down.sum(1, keepdim=True)
    up_share, down_share = divide(up, p), divide(down, q)
    metric = delta @ factor.T @ factor
    # Σ_ab p_a q_b (δ_b Λδ_a - δ_a Λδ_b): what a positive center a owes to all negative ones b, and the other way round.
    other = (down_share[..., None] * delta).sum(1, keepdim=True), (down_share[..., None] * metric).sum(1, keepdim=True)
    return (torch.minimum(p, q) * up_share)[..., None] * (other[0] * metric - delta * other[1])


def distance_layers(
    centers: ArrayLike | Tensor,
    factor: ArrayLike | Tensor | None = None,
    offset: ArrayLike | Tensor | None = None,
) -> list[torch.nn.Module]:
    """`neon.nn.squared_distance` in layers: differences, squares, their sum."""
    # Centered as the fused form is: of a sample next to a center only rounding is left, and both share the same.
    difference = Difference(centers, centered=True)
    if factor is None:
        return [difference, Square(), Total(offset)]
    return [difference, SquaredLength(factor, offset)]


def manhattan_layers(centers: ArrayLike | Tensor) -> list[torch.nn.Module]:
    """`neon.nn.manhattan_distance` in layers: differences, magnitudes, their sum."""
    return [Difference(centers), Abs(), Total()]


treat(total, by=_Total())
treat(squared_length, by=_SquaredLength())
