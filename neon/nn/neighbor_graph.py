"""Graphs of nearest neighbours: how far the neighbours are, or who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention
from neon.nn.basic import Linear
from neon.nn.distance import SquaredDistance

__all__ = ["NeighborGraph", "neighbor_graph"]

Finder = Callable[[np.ndarray], Any]


def neighbor_graph(d: Tensor, x: Tensor, finder: Finder, root: float | None) -> Tensor:
    """``d_j ** root`` of the points j that are neighbours, and 0 of the others; without a root, 1 and 0.

    Parameters
    ----------
    d : (n_samples, n_points)
        Distances of x from the points.
    x : (n_samples, n_features)
    finder : callable
        ndarray (n_samples, n_features) -> sparse matrix (n_samples, n_points) that holds an entry for each neighbour.
    root : float, optional

    Returns
    -------
    Tensor
        (n_samples, n_points)
    """
    if has_torch_function((d, x)):
        return handle_torch_function(neighbor_graph, (d, x), d, x, finder, root)
    graph = torch.zeros_like(d)
    if not len(x):
        return graph
    found = finder(x.detach().cpu().double().numpy()).tocoo()
    near = tuple(torch.as_tensor(index, dtype=torch.long, device=d.device) for index in (found.row, found.col))
    return graph.index_put(near, d.new_ones(()) if root is None else d[near] ** root)


class NeighborGraph(torch.nn.Module):
    """`neighbor_graph` of fixed points.

    distance : layers from rows to their distances from the points
    """

    states: tuple[str, ...] = ("the neighbours",)

    def __init__(self, distance: list[torch.nn.Module], finder: Finder, *, root: float | None) -> None:
        super().__init__()
        self.distance = torch.nn.Sequential(*distance)
        self.finder, self.root = finder, root

    def forward(self, x: Tensor) -> Tensor:
        return neighbor_graph(self.distance(x), x, self.finder, self.root)

    def after(self, weight: Tensor, bias: Tensor | None) -> NeighborGraph:
        """The graph of ``W x + b``, as a graph of x."""
        first, *others = self.distance
        if isinstance(first, SquaredDistance) and first.factor is None:
            layers: list[torch.nn.Module] = [first.after(weight, bias)]
        else:
            layers = [Linear(weight, bias), first]
        return NeighborGraph([*layers, *others], _After(self.finder, Linear(weight, bias)), root=self.root)

    def extra_repr(self) -> str:
        return "1 for neighbors" if self.root is None else f"distance^{self.root} of neighbors"


@dataclass(frozen=True, eq=False)
class _After:
    """Neighbours of linearly mapped rows."""

    finder: Finder
    linear: Linear

    def __call__(self, x: np.ndarray) -> Any:
        with torch.no_grad():
            return self.finder(self.linear(torch.as_tensor(x)).numpy())


class _NeighborGraph(Treatment):
    """Who is a neighbour is held fixed: its distance keeps the relevance that it has as a value of the graph.

    Without a root the 1 of a neighbour is shared by ``(D - d_j) / (D - d_j)``, D the mean distance of the points that
    are none: a slope on D and on d_j, as in `neighbor_mean`; ``no_competitor`` keeps a 1 that no distance explains.
    Relative to a reference point with distances r, a neighbour has ``c_j (d_j ** root - r_j ** root)``; ``neighbors``
    keeps how far the neighbours of x, so explained, miss the graph of the reference point.
    """

    retention = Retention(inputs=True, output=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, root = _bind(*args, **kwargs)
        f, f_ref, d_ref = call.value(call.output), call.reference(call.output), call.reference(call.inputs[0])
        if f_ref is None or d_ref is None:
            c = message.slope_over(f, ledger)
            if root is not None:
                return (Message.of_relevance(c * f), None)
            slope, left = _by_nearness(c * f, d, f > 0)
            if ledger.enabled:
                ledger.absorb("no_competitor", left)
            return (Message.of_slope(slope, d), None)
        c = message.slope_over(f - f_ref, ledger)
        if root is None:
            slope, there = _by_nearness(c * f, d, f > 0)
            there = there + slope * d_ref
            below = Message.of_slope(slope, d, d_ref)
        else:
            gated = c * ((f > 0) | (d == 0))
            there = gated * d_ref**root
            below = Message.of_relevance(gated * f - there)
        if ledger.enabled:
            ledger.absorb("neighbors", there - c * f_ref)
        return (below, None)

    def at_reference(self, call: Call, values: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Of the mean row: the distances come as the mean of those of all rows."""
        means = {slot: values[slot].mean(0, keepdim=True) for slot in call.inputs}
        return call.operation.run(means.__getitem__)


def _by_nearness(pull: Tensor, d: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes on the distances that share the pulls of the neighbours, and the pulls that no distance explains."""
    n_others = (~near).sum(1, keepdim=True)
    mean = divide(d.masked_fill(near, 0.0).sum(1, keepdim=True), n_others)
    gap = torch.where(near & (n_others > 0), mean - d, 0.0)
    slopes = divide(pull, gap)
    return torch.where(near, -slopes, divide(slopes.sum(1, keepdim=True), n_others)), pull * (gap == 0)


def _bind(d: Tensor, x: Tensor, finder: Finder, root: float | None) -> tuple[Tensor, float | None]:
    return d, root


treat(neighbor_graph, by=_NeighborGraph())
