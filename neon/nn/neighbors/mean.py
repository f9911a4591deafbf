"""Nearest neighbours: the mean of their values, and what makes them neighbours."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.neighbors.search import Neighborhood
from neon.nn.shapley.nearest import lowest_of, stretches

__all__ = ["NeighborMean", "neighbor_mean"]


@operation
def neighbor_mean(
    d: Tensor,
    index: Tensor,
    weights: Tensor,
    values: Tensor,
    alone: Tensor | None = None,
    fall: float | None = None,
) -> Tensor:
    """The weighted mean value of the neighbours.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances; the mean does not depend on them, its relevance does.
    index, weights : (n_samples, most)
        See `neighbors_of`.
    values : (n_points, n_outputs)
    alone : (n_outputs,), optional
        What a row without neighbours has. Default: NaN.
    fall : float, optional
        Where the neighbours are the nearest points, however far, and their weights ``∝ d^-fall``, with 0 for equal
        ones: the relevance that composites integrate finds them anew along the way. Default: another number of
        neighbours, or other weights.

    Returns
    -------
    Tensor
        (n_samples, n_outputs)
    """
    near = _flat(index, weights)
    means = d.new_zeros(len(d), values.shape[1]).index_add_(0, near.rows, near.weights[:, None] * values[near.columns])
    return torch.where(near.counts[:, None] > 0, means, torch.nan if alone is None else alone)


class _Flat(NamedTuple):
    """Who is whose neighbour, one after the other: they are few, and all else is done for them alone."""

    rows: Tensor
    columns: Tensor
    weights: Tensor  # adding up to 1 for each row
    counts: Tensor  # (n_samples,), of neighbours


def _flat(index: Tensor, weights: Tensor) -> _Flat:
    rows, slots = (index >= 0).nonzero(as_tuple=True)
    found = weights[rows, slots]
    totals = found.new_zeros(len(index)).index_add_(0, rows, found)
    counts = torch.bincount(rows, minlength=len(index))
    return _Flat(rows, index[rows, slots].long(), found / totals[rows], counts)


class NeighborMean(Neighborhood, of=neighbor_mean):
    """`neighbor_mean` of fixed values; distance, search : see `Neighborhood`."""

    option_names = ("alone", "fall")
    values: Tensor
    alone: Tensor | None
    fall: float | None

    def extra_repr(self) -> str:
        return f"mean over neighbors among {len(self.values)} points"


class _NeighborMean(Treatment):
    """Each neighbour pulls the mean away from that of all points; it is a neighbour for being nearer than the others.

    ``f - ȳ = Σ_j w_j (y_j - ȳ)`` over the neighbours, whose set and weights ``w_j`` are frozen. A pull is shared by
    ``(D - d_j) / (D - d_j)``, D the mean distance of the points that are no neighbours: a slope on D and on d_j that
    never changes sign. What is left is ȳ, the ``training_mean``, and pulls that no distance explains because all
    points are neighbours, or all as far, ``no_competitor``. What a row has that is alone is ``no_neighbor``.

    Along the way from a reference the neighbours change, and the mean with them: where point b takes the place of a, by
    ``J = p_a (y_b - y_a)``, which the distances share as they share the ``d_a - d_b`` that crosses 0 there.
    """

    retention = Retention(inputs=True)
    held = False

    def chooses(self, call: Call) -> Literal["", "values", "differences"]:
        fall = call.operation.args[5]
        return "" if fall is None else "values" if fall else "differences"

    def chosen(self, call: Call, x: Tensor) -> Tensor:
        _, _, _, values, _, fall = call.bound(lambda _: x)
        low = lowest_of(x, torch.zeros_like(x), _number(call))
        return (_portions(_without_rounding(x, x).gather(1, low), fall)[:, :, None] * values[low]).sum(1)

    def along(self, call: Call, slope: Tensor, start: Tensor, end: Tensor) -> Tensor:
        _, _, _, values, _, fall = call.bound(lambda _: end)
        start, end = _without_rounding(start, end), _without_rounding(end, start)
        pulls, found = slope @ values.T, torch.zeros_like(end)
        for part in stretches(start, end, _number(call)):
            own = part.of(pulls)
            if fall:
                for t, portion in part.nodes():
                    d = part.of(start) + t * (part.of(end) - part.of(start))
                    p = _portions(d, fall)
                    part.add(found, fall * portion * divide(p * ((p * own).sum(1, keepdim=True) - own), d))
            until = part.of(start) + part.until * (part.of(end) - part.of(start))
            jump = pulls[part.samples].gather(1, part.entering) - own.gather(1, part.leaving)
            part.share(found, _portions(until, fall).gather(1, part.leaving) * jump, start, end)
        return found

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, index, weights, values, alone, _ = call.bound()
        near = _flat(index, weights)
        s, mean = call.slope(message, ledger), values.mean(0)
        s, lonely = torch.where(near.counts[:, None] > 0, s, 0.0), torch.where(near.counts[:, None] > 0, 0.0, s)
        pull = near.weights * (s[near.rows] * (values - mean)[near.columns]).sum(1)
        slope = torch.ones_like(d).index_put_((near.rows, near.columns), d.new_zeros(()))  # 1 for the points outside
        n_outside = slope.sum(1)
        between, own = divide(torch.linalg.vecdot(d, slope), n_outside)[near.rows], d[near.rows, near.columns]
        gap = between - own
        # As far as the others, but for rounding: no distance tells them apart.
        none = (n_outside[near.rows] == 0) | (gap.abs() <= ROUNDING * torch.finfo(d.dtype).eps * (between + own))
        slopes = divide(pull, gap.masked_fill_(none, 0.0))
        if ledger.enabled:
            ledger.absorb("training_mean", s * mean)
            ledger.absorb("no_competitor", torch.zeros_like(n_outside).index_add_(0, near.rows, pull * none))
            if alone is not None:
                ledger.absorb("no_neighbor", lonely * alone)
        slope *= divide(torch.zeros_like(n_outside).index_add_(0, near.rows, slopes), n_outside)[:, None]
        slope[near.rows, near.columns] = -slopes
        return (Message.of_slope(slope), None, None)


def _number(call: Call) -> int:
    """How many neighbours a row has."""
    return call.tape.specs[call.inputs[1]].shape[1]


def _without_rounding(d: Tensor, other: Tensor) -> Tensor:
    """0 for what is a point but for rounding: its weight is then infinite."""
    rounding = 512 * torch.finfo(d.dtype).eps * torch.maximum(d, other).amax(1, keepdim=True)
    return d.masked_fill(d <= rounding, 0.0)


def _portions(d: Tensor, fall: float) -> Tensor:
    """``∝ d^-fall``, adding up to 1 for each row."""
    return d.clamp(min=torch.finfo(d.dtype).tiny).log().mul(-fall).softmax(1)


treat(neighbor_mean, by=_NeighborMean())
