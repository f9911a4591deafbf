"""Graphs of nearest neighbours: how far the neighbours are, or who they are."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.neighbors.search import Neighborhood

__all__ = ["NeighborGraph", "neighbor_graph"]


@operation
def neighbor_graph(d: Tensor, index: Tensor, weights: Tensor, root: float | None) -> Tensor:
    """``d_j ** root`` of the points j that are neighbours, and 0 of the others; without a root, 1 and 0.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances.
    index, weights : (n_samples, most)
        See `neighbors_of`; weights do not count.
    root : float, optional

    Returns
    -------
    Tensor
        (n_samples, n_points)
    """
    rows, slots = (index >= 0).nonzero(as_tuple=True)
    near = (rows, index[rows, slots].long())
    return torch.zeros_like(d).index_put(near, d.new_ones(()) if root is None else d[near] ** root)


class NeighborGraph(Neighborhood, of=neighbor_graph):
    """`neighbor_graph` of fixed points; distance, search : see `Neighborhood`."""

    option_names = ("root",)
    root: float | None

    def extra_repr(self) -> str:
        return "1 for neighbors" if self.root is None else f"distance^{self.root} of neighbors"


class _NeighborGraph(Treatment):
    """Who is a neighbour is held fixed: its distance keeps the relevance that it has as a value of the graph.

    Without a root the 1 of a neighbour is shared by ``(D - d_j) / (D - d_j)``, D the mean distance of the points that
    are none: a slope on D and on d_j, as in `neighbor_mean`; ``no_competitor`` keeps a 1 that no distance explains.
    Relative to a reference point with distances r, a neighbour has ``c_j (d_j ** root - r_j ** root)``; ``neighbors``
    keeps how far the neighbours of x, so explained, miss the graph of the reference point.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True
    mean_first = True  # the distances come as the mean of those of all rows, the neighbours as those of the mean row

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        d, _, _, root = call.bound()
        f, f_ref, d_ref = call.value(call.output), call.reference(call.output), call.reference(call.inputs[0])
        c = call.slope(message, ledger)
        if f_ref is None or d_ref is None:
            if root is not None:
                return (Message.of_relevance(c * f), None, None)
            slope, left = _by_nearness(c * f, d, f > 0)
            if ledger.enabled:
                ledger.absorb("no_competitor", left)
            return (Message.of_slope(slope), None, None)
        if root is None:
            slope, there = _by_nearness(c * f, d, f > 0)
            there = there + slope * d_ref
            below = Message.of_slope(slope)
        else:
            gated = c * ((f > 0) | (d == 0))
            there = gated * d_ref**root
            below = Message.of_relevance(gated * f - there)
        if ledger.enabled:
            ledger.absorb("neighbors", there - c * f_ref)
        return (below, None, None)


def _by_nearness(pull: Tensor, d: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes on the distances that share the pulls of the neighbours, and the pulls that no distance explains."""
    n_others = (~near).sum(1, keepdim=True)
    mean = divide(d.masked_fill(near, 0.0).sum(1, keepdim=True), n_others)
    # As far as the others, but for rounding: no distance tells them apart.
    apart = near & (n_others > 0) & ((mean - d).abs() > ROUNDING * torch.finfo(d.dtype).eps * (mean + d))
    gap = torch.where(apart, mean - d, 0.0)
    slopes = divide(pull, gap)
    return torch.where(near, -slopes, divide(slopes.sum(1, keepdim=True), n_others)), pull * (gap == 0)


treat(neighbor_graph, by=_NeighborGraph())
