"""The local outlier factor: how sparse the surroundings of a point are compared with those of its neighbours."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.neighbors.search import Neighborhood, following
from neon.nn.shapley.nearest import Stretch, lowest_of, stretches

__all__ = ["LocalOutlierFactor", "local_outlier_factor"]

_STEEP = 1e-6  # a neighbour this near, beside the farthest point, has too steep a slope for sums over all points
_GUARD = 1e-10  # what scikit-learn adds to the mean reachability, so that duplicates have a density


@operation
def local_outlier_factor(
    d: Tensor,
    index: Tensor,
    lengths: Tensor,
    radii: Tensor,
    densities: Tensor,
    threshold: float,
    root: float = 1.0,
    fitted: bool = False,
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
    fitted : bool
        Whether rows are points themselves, none of which is a neighbour of its own.

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
    fitted: bool

    def extra_repr(self) -> str:
        return f"neighbors among {len(self.radii)} points, threshold={self.threshold:.4g}"


class _LocalOutlierFactor(Treatment):
    """Every neighbour's distance owns its part of the mean; neighbours and their densities are frozen.

    Neighbours in whose own surroundings x lies count with their radius instead: ``reachability``.

    Along the way from a reference each distance owns what its reachability changes by while it is a neighbour's; where
    point b takes the place of a, the change of the factor is shared as the ``d_a - d_b`` that crosses 0 there.
    """

    retention = Retention(inputs=True)
    held = False

    def chooses(self, call: Call) -> Literal["", "values", "differences"]:
        if call.operation.args[7]:
            raise UnsupportedOperationError(
                "this outlier factor is defined of the rows that the model was fitted on, and nowhere on the way to "
                "them: fit LocalOutlierFactor(novelty=True), or take composite='neon'"
            )
        return "values"

    def chosen(self, call: Call, x: Tensor) -> Tensor:
        _, _, _, radii, densities, threshold, root, _ = call.bound(lambda _: x)
        low = lowest_of(x, torch.zeros_like(x), call.tape.specs[call.inputs[1]].shape[1])
        reach = torch.maximum(x.gather(1, low).clamp(min=0) ** root, radii[low]).mean(1, keepdim=True)
        return densities[low].mean(1, keepdim=True) * (reach + _GUARD) - threshold

    def along(self, call: Call, slope: Tensor, start: Tensor, end: Tensor) -> Tensor:
        _, _, _, radii, densities, _, root, _ = call.bound(lambda _: end)
        found, k = torch.zeros_like(end), call.tape.specs[call.inputs[1]].shape[1]
        for part in stretches(start, end, k):
            s, radius, density = slope[part.samples], radii[part.low], densities[part.low]
            rise = part.of(end) - part.of(start)
            here, there = ((part.of(start) + t * rise).clamp_(min=0) for t in (part.since, part.until))
            reach_here, reach = (torch.maximum(d**root, radius) for d in (here, there))
            mean = density.mean(1, keepdim=True)
            part.add(found, s / k * mean * _secant(here, there, reach_here, reach, radius, root, part))
            # At the end of the stretch both points are as far: they differ in density and in radius.
            length = there.gather(1, part.leaving) ** root
            denser = (densities[part.entering] - density.gather(1, part.leaving)) / k
            farther = (torch.maximum(length, radii[part.entering]) - reach.gather(1, part.leaving)) / k
            before = reach.mean(1, keepdim=True) + _GUARD
            part.share(found, s * (denser * (before + farther) + mean * farther), start, end)
        return found

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, index, lengths, radii, densities, threshold, *_ = call.bound()
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


def _secant(
    here: Tensor, there: Tensor, reach_here: Tensor, reach: Tensor, radius: Tensor, root: float, part: Stretch
) -> Tensor:
    """The slope of reachabilities in distances, integrated over a stretch of the way."""
    moved, middle = there - here, (here + there) / 2
    still = moved.abs() <= torch.finfo(moved.dtype).eps ** 0.5 * middle
    slope = divide(root * middle**root, middle) * (middle**root > radius)
    return (part.until - part.since) * torch.where(still, slope, divide(reach - reach_here, moved))


treat(local_outlier_factor, by=_LocalOutlierFactor())
