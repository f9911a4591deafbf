"""Nearest neighbours: the mean of their values, and what makes them neighbours."""

from __future__ import annotations

from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention
from neon.nn.basic import fixed

__all__ = ["NeighborMean", "neighbor_mean"]


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
    near = _neighbors(d, n_neighbors, radius, root)
    means = d.new_zeros(len(d), values.shape[1]).index_add_(0, near.rows, near.weights[:, None] * values[near.columns])
    return means if radius is None else means.masked_fill_(near.totals[:, None] == 0, torch.nan)


class _Neighbors(NamedTuple):
    """Who is whose neighbour, one after the other: they are few, and all else is done for them alone."""

    rows: Tensor
    columns: Tensor
    d: Tensor
    weights: Tensor  # adding up to 1 for each row
    totals: Tensor  # (n_samples,), what they were divided by


def _neighbors(d: Tensor, n_neighbors: int | None, radius: float | None, root: float | None) -> _Neighbors:
    if n_neighbors is not None:
        columns = d.topk(n_neighbors, 1, largest=False).indices.flatten()
        rows = torch.arange(len(d), device=d.device).repeat_interleave(n_neighbors)
    else:
        assert radius is not None
        rows, columns = (d <= radius).nonzero(as_tuple=True)
    near = d[rows, columns]
    if root is None:
        weights = torch.ones_like(near)
    else:
        hit = near == 0
        hits = d.new_zeros(len(d)).index_add_(0, rows, hit.to(d))
        weights = torch.where(hits[rows] > 0, hit.to(d), near**-root)
    totals = d.new_zeros(len(d)).index_add_(0, rows, weights)
    return _Neighbors(rows, columns, near, weights / totals[rows], totals)


class NeighborMean(torch.nn.Module):
    """`neighbor_mean` of fixed values."""

    states: tuple[str, ...] = ("the neighbours",)
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
        near = _neighbors(d, n_neighbors, radius, root)
        s, mean = message.slope_over(call.value(call.output), ledger), values.mean(0)
        pull = near.weights * (s[near.rows] * (values - mean)[near.columns]).sum(1)
        farthest = d.new_full((len(d),), -torch.inf).scatter_reduce_(0, near.rows, near.d, "amax")
        slope = torch.gt(d, farthest[:, None], out=torch.empty_like(d))  # 1 for the points outside
        n_outside = slope.sum(1)
        gap = divide(torch.linalg.vecdot(d, slope), n_outside)[near.rows] - near.d
        gap = gap.masked_fill_(n_outside[near.rows] == 0, 0.0)
        slopes = divide(pull, gap)
        if ledger.enabled:
            ledger.absorb("training_mean", s * mean)
            ledger.absorb("no_competitor", torch.zeros_like(n_outside).index_add_(0, near.rows, pull * (gap == 0)))
        slope *= divide(torch.zeros_like(n_outside).index_add_(0, near.rows, slopes), n_outside)[:, None]
        slope[near.rows, near.columns] = -slopes
        return (Message.of_slope(slope, d),)


def _bind(
    d: Tensor, values: Tensor, n_neighbors: int | None = None, radius: float | None = None, root: float | None = None
) -> tuple[Tensor, Tensor, int | None, float | None, float | None]:
    return d, values, n_neighbors, radius, root


treat(neighbor_mean, by=_NeighborMean())
