"""Nearest neighbours: the mean of their values, and what makes them neighbours."""

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

__all__ = ["NeighborMean", "neighbor_mean", "neighbor_weights"]


def neighbor_mean(
    d: Tensor, values: Tensor, n_neighbors: int | None = None, radius: float | None = None, root: float | None = None
) -> Tensor:
    """The mean value of the nearest points.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances.
    values : (n_points, n_outputs)
    n_neighbors : int, optional
        How many points are neighbours; or else
    radius : float, optional
        The distance up to which points are.
    root : float, optional
        Weigh neighbours by ``d ** -root`` (where some of them are at distance 0, these alone); without it all the same.

    Returns
    -------
    Tensor
        (n_samples, n_outputs); NaN where no point is within the radius.
    """
    if has_torch_function((d,)):
        return handle_torch_function(neighbor_mean, (d,), d, values, n_neighbors, radius, root)
    return neighbor_weights(d, n_neighbors, radius, root) @ values


def neighbor_weights(d: Tensor, n_neighbors: int | None, radius: float | None, root: float | None) -> Tensor:
    """What share each point has in the mean: (n_samples, n_points), rows adding up to 1."""
    if n_neighbors is not None:
        near = torch.zeros_like(d, dtype=torch.bool).scatter_(1, d.topk(n_neighbors, 1, largest=False).indices, True)
    else:
        assert radius is not None
        near = d <= radius
    weights = near.to(d)
    if root is not None:
        hits = near & (d == 0)
        weights.div_(d**root).masked_fill_(~near, 0.0)
        weights = torch.where(hits.any(1, keepdim=True), hits.to(d), weights) if bool(hits.any()) else weights
    return weights.div_(weights.sum(1, keepdim=True))


class NeighborMean(torch.nn.Module):
    """`neighbor_mean` of fixed values."""

    values: Tensor

    def __init__(
        self,
        values: ArrayLike | Tensor,
        *,
        n_neighbors: int | None = None,
        radius: float | None = None,
        root: float | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("values", fixed(values))
        self.n_neighbors, self.radius, self.root = n_neighbors, radius, root

    def forward(self, d: Tensor) -> Tensor:
        return neighbor_mean(d, self.values, self.n_neighbors, self.radius, self.root)

    def extra_repr(self) -> str:
        which = f"{self.n_neighbors} nearest" if self.radius is None else f"within {self.radius:.4g}"
        return f"{which} of {len(self.values)} points"


class _NeighborMean(Treatment):
    """Each neighbour pulls the mean away from that of all points; it is a neighbour for being nearer than the others.

    ``f - ȳ = Σ_j w_j (y_j - ȳ)`` over the neighbours, whose set and weights ``w_j`` are frozen. A pull is shared by
    ``(D - d_j) / (D - d_j)``, D the mean distance of the points that are no neighbours: a slope on D and on d_j that
    never changes sign. What is left is ȳ, the ``training_mean``, and pulls that no distance explains because all
    points are neighbours, ``no_competitor``.
    """

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, values, n_neighbors, radius, root = _bind(*args, **kwargs)
        weights = neighbor_weights(d, n_neighbors, radius, root)
        s, mean = message.slope_over(weights @ values, ledger), values.mean(0)
        pull = weights * (s @ (values - mean).T)
        outside = d > torch.where(weights > 0, d, -torch.inf).amax(1, keepdim=True)
        n_outside = outside.sum(1, keepdim=True)
        gap = divide((d * outside).sum(1, keepdim=True), n_outside.to(d)) - d
        gap = torch.where((weights > 0) & (n_outside > 0), gap, 0.0)
        slope = divide(pull, gap)
        if ledger.enabled:
            ledger.absorb("training_mean", s * mean)
            ledger.absorb("no_competitor", pull * (gap == 0))
        slope = divide(outside * slope.sum(1, keepdim=True), n_outside.to(d)) - slope
        return (Message.of_slope(slope, d),)


def _bind(
    d: Tensor, values: Tensor, n_neighbors: int | None = None, radius: float | None = None, root: float | None = None
) -> tuple[Tensor, Tensor, int | None, float | None, float | None]:
    return d, values, n_neighbors, radius, root


treat(neighbor_mean, by=_NeighborMean())
