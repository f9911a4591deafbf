"""The local outlier factor: how sparse the surroundings of a point are compared with those of its neighbours."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention
from neon.nn.basic import fixed

__all__ = ["LocalOutlierFactor", "local_outlier_factor"]

_STEEP = 1e-6  # a neighbour this near, beside the farthest point, has too steep a slope for sums over all points
_GUARD = 1e-10  # what scikit-learn adds to the mean reachability, so that duplicates have a density


def local_outlier_factor(
    d: Tensor, radii: Tensor, densities: Tensor, n_neighbors: int, root: float, threshold: float
) -> Tensor:
    """``mean_j ρ_j · (mean_j max(κ_j, d_j^root) + 1e-10) - threshold`` over the k nearest points.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances.
    radii : (n_points,)
        ``κ``: each point's distance to its own k-th neighbour.
    densities : (n_points,)
        ``ρ``: each point's local reachability density.
    root : float
        1 for a distance, 1/2 for a squared one.

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    if has_torch_function((d,)):
        return handle_torch_function(local_outlier_factor, (d,), d, radii, densities, n_neighbors, root, threshold)
    nearest, index = d.topk(n_neighbors, 1, largest=False)
    reach = torch.maximum(nearest**root, radii[index]).mean(1, keepdim=True)
    return densities[index].mean(1, keepdim=True) * (reach + _GUARD) - threshold


class LocalOutlierFactor(torch.nn.Module):
    """`local_outlier_factor` of fixed points."""

    radii: Tensor
    densities: Tensor

    def __init__(
        self, radii: ArrayLike | Tensor, densities: ArrayLike | Tensor, n_neighbors: int, root: float, threshold: float
    ) -> None:
        super().__init__()
        self.register_buffer("radii", fixed(radii))
        self.register_buffer("densities", fixed(densities))
        self.n_neighbors, self.root, self.threshold = n_neighbors, root, threshold

    def forward(self, d: Tensor) -> Tensor:
        return local_outlier_factor(d, self.radii, self.densities, self.n_neighbors, self.root, self.threshold)

    def extra_repr(self) -> str:
        return f"{self.n_neighbors} nearest of {len(self.radii)} points, threshold={self.threshold:.4g}"


class _LocalOutlierFactor(Treatment):
    """Every neighbour's distance owns its part of the mean; neighbours and their densities are frozen.

    Neighbours in whose own surroundings x lies count with their radius instead: ``reachability``.
    """

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, radii, densities, k, root, threshold = _bind(*args, **kwargs)
        s = message.slope_over(call.value(call.output), ledger)
        nearest, index = d.topk(k, 1, largest=False)
        distance, radius = nearest**root, radii[index]
        weight = s * densities[index].mean(1, keepdim=True)
        # Training points lie exactly on each other's radius, where rounding must not decide.
        far = distance > radius * (1 + 1e-7)
        if ledger.enabled:
            ledger.absorb("reachability", weight / k * torch.maximum(distance, radius).masked_fill(far, 0.0))
            ledger.absorb("reachability", weight * _GUARD)
            ledger.absorb("threshold", -threshold * s)
        parts, found = weight / k * distance * far, torch.zeros_like(d)
        if bool((far & (nearest < _STEEP * d.amax(1, keepdim=True))).any()):
            return (Message.of_relevance(found.scatter_(1, index, parts)),)
        return (Message.of_slope(found.scatter_(1, index, divide(parts, nearest)), d),)


def _bind(
    d: Tensor, radii: Tensor, densities: Tensor, n_neighbors: int, root: float, threshold: float
) -> tuple[Tensor, Tensor, Tensor, int, float, float]:
    return d, radii, densities, n_neighbors, root, threshold


treat(local_outlier_factor, by=_LocalOutlierFactor())
