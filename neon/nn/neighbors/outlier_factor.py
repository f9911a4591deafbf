"""The local outlier factor: how sparse the surroundings of a point are compared with those of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.neighbors.search import Neighborhood, following

__all__ = ["LocalOutlierFactor", "local_outlier_factor"]

_STEEP = 1e-6  # a neighbour this near, beside the farthest point, has too steep a slope for sums over all points
_GUARD = 1e-10  # what scikit-learn adds to the mean reachability, so that duplicates have a density


@operation
def local_outlier_factor(
    d: Tensor, index: Tensor, lengths: Tensor, radii: Tensor, densities: Tensor, threshold: float, root: float = 1.0
) -> Tensor:
    """``mean_j ρ_j · (mean_j max(κ_j, l_j) + 1e-10) - threshold`` over the neighbours.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances, for the relevance and for slopes.
    index, lengths : (n_samples, k)
        The neighbours and how far the model finds them (`neighbors_of`): next to duplicates rounding tells apart what
        is infinitely dense.
    radii : (n_points,)
        ``κ``: each point's distance to its own k-th neighbour.
    densities : (n_points,)
        ``ρ``: each point's local reachability density.
    root : float
        What takes d to lengths: 1 for a distance, 1/2 for a squared one.

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    near = index.long()
    own = d.gather(1, near)
    lengths = following(lengths, own, root * divide(lengths, own.detach()))
    reach = torch.maximum(lengths, radii[near]).mean(1, keepdim=True)
    return densities[near].mean(1, keepdim=True) * (reach + _GUARD) - threshold


class LocalOutlierFactor(Neighborhood, of=local_outlier_factor):
    """`local_outlier_factor` of fixed points; distance, search : see `Neighborhood`."""

    radii: Tensor
    densities: Tensor
    threshold: float
    root: float

    def extra_repr(self) -> str:
        return f"neighbors among {len(self.radii)} points, threshold={self.threshold:.4g}"


class _LocalOutlierFactor(Treatment):
    """Every neighbour's distance owns its part of the mean; neighbours and their densities are frozen.

    Neighbours in whose own surroundings x lies count with their radius instead: ``reachability``.
    """

    retention = Retention(inputs=True)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, index, lengths, radii, densities, threshold, _ = call.bound()
        s = call.slope(message, ledger)
        near, k = index.long(), index.shape[1]
        nearest, radius = d.gather(1, near), radii[near]
        weight = s * densities[near].mean(1, keepdim=True)
        # Training points lie exactly on each other's radius, where rounding must not decide.
        far = lengths > radius * (1 + 1e-7)
        if ledger.enabled:
            ledger.absorb("reachability", weight / k * torch.maximum(lengths, radius).masked_fill(far, 0.0))
            ledger.absorb("reachability", weight * _GUARD)
            ledger.absorb("threshold", -threshold * s)
        parts, found = weight / k * lengths * far, torch.zeros_like(d)
        if bool((far & (nearest < _STEEP * d.amax(1, keepdim=True))).any()):
            return (Message.of_relevance(found.scatter_(1, near, parts)), None, None)
        return (Message.of_slope(found.scatter_(1, near, divide(parts, nearest))), None, None)


treat(local_outlier_factor, by=_LocalOutlierFactor())
