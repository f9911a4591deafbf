"""Shortest paths from rows to points over a graph of the points, and their length along each feature."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.distances.slopes import slopes
from neon.nn.layer import Layer, fixed, operation
from neon.nn.neighbors.barycenter import Finder, mapped, parts, shared

__all__ = ["ShortestPaths", "SquaredGeodesic", "squared_geodesic"]


class _LastMean:
    """What was computed of the last reference rows, which come with every chunk of rows; a pickle leaves it behind."""

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[Tensor], Tensor, int, Tensor] | None = None

    def __reduce__(self) -> tuple:
        return _LastMean, ()

    def of(self, rows: Tensor, points: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        """``compute()``, unless it was computed of these very rows and points just before."""
        last, version = self._last, points._version
        # Each recording has a tensor of its own over the layer's memory of the points, whose writes torch counts.
        if last is None or last[0]() is not rows or last[1].data_ptr() != points.data_ptr() or last[2] != version:
            self._last = last = (weakref.ref(rows), points, version, compute())
        return last[3]


class ShortestPaths(NamedTuple):
    """The shortest paths between points.

    Attributes
    ----------
    points : (n_points, n_features)
    lengths : (n_points, n_points)
    edges : (n_edges, 2)
        The pairs of points that paths go through, one step each.
    last : (n_points, n_points)
        ``last[a, b]``: the edge by which the path from a arrives at b; n_edges where a is b.
    power : float
        p of the distance ``(Σ_i |δ_i|^p)^(1/p)``: 2 for the Euclidean, 1 for the Manhattan distance.
    known : the layer's own record of what it computed of reference rows
    factor, shift : (n_features, n_inputs), (n_features,), optional
        V and b of a linear map that comes before.
    """

    points: Tensor
    lengths: Tensor
    edges: Tensor
    last: Tensor
    power: float
    known: _LastMean
    factor: Tensor | None = None
    shift: Tensor | None = None


@operation
def squared_geodesic(x: Tensor, paths: ShortestPaths, finder: Finder) -> Tensor:
    """``g_j² = min_k (‖x - p_k‖ + D_kj)²`` over the neighbours ``p_k`` of x: the shortest way to point j, squared.

    Parameters
    ----------
    x : (n_samples, n_features)
    paths : ShortestPaths
        With the lengths D.
    finder : callable
        ndarray (n_samples, n_features) -> distances, indices (n_samples, n_neighbors) of the neighbours.

    Returns
    -------
    Tensor
        (n_samples, n_points); infinite where a row has no neighbours.
    """
    return _ways(mapped(x, paths.factor, paths.shift), paths, finder).g.square_()


class SquaredGeodesic(Layer):
    """`squared_geodesic` over a fixed graph."""

    no_relu = "which training rows are neighbours is found by search"
    states: tuple[str, ...] = ("the shortest ways",)
    points: Tensor
    lengths: Tensor
    edges: Tensor
    last: Tensor
    factor: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        points: ArrayLike | Tensor,
        lengths: ArrayLike | Tensor,
        edges: np.ndarray | Tensor,
        last: np.ndarray | Tensor,
        finder: Finder,
        *,
        power: float = 2.0,
        factor: ArrayLike | Tensor | None = None,
        shift: ArrayLike | Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("points", fixed(points))
        self.register_buffer("lengths", fixed(lengths))
        self.register_buffer("edges", torch.as_tensor(edges, dtype=torch.int64))
        self.register_buffer("last", torch.as_tensor(last, dtype=torch.int32))
        self.register_buffer("factor", None if factor is None else fixed(factor))
        self.register_buffer("shift", None if shift is None else fixed(shift))
        self.finder, self.power, self.known = finder, power, _LastMean()

    def forward(self, x: Tensor) -> Tensor:
        buffers = self.points, self.lengths, self.edges, self.last
        return squared_geodesic(
            x, ShortestPaths(*buffers, self.power, self.known, self.factor, self.shift), self.finder
        )

    def after(self, weight: Tensor, bias: Tensor | None) -> SquaredGeodesic:
        """The geodesic distances of ``V x + b`` as a function of x."""
        assert self.factor is None
        buffers = self.points, self.lengths, self.edges, self.last
        return SquaredGeodesic(*buffers, self.finder, power=self.power, factor=weight, shift=bias)

    def extra_repr(self) -> str:
        return f"{self.points.shape[1]} → {len(self.points)} points, {len(self.edges)} edges"


class _Ways(NamedTuple):
    """The shortest ways from rows to all points."""

    d: Tensor  # (n_samples, n_neighbors), infinite where a row has fewer
    neighbors: Tensor  # (n_samples, n_neighbors)
    g: Tensor  # (n_samples, n_points)
    first: Tensor  # (n_samples, n_points), the place among the neighbours of the one that the way goes through


def _ways(x: Tensor, paths: ShortestPaths, finder: Finder, *, first: bool = False) -> _Ways:
    distances, indices = finder(x.detach().cpu().double().numpy())
    d, neighbors = torch.as_tensor(distances).to(x), torch.as_tensor(indices).to(x.device)
    g = x.new_full((len(x), len(paths.points)), torch.inf)
    kind = torch.uint8 if d.shape[1] < 256 else torch.int64  # bytes are written faster
    place = torch.zeros(g.shape if first else (0, 0), dtype=kind, device=x.device)
    for rows in parts(len(x), g.shape[1]):
        nearest = g[rows]
        for k in range(d.shape[1]):
            way = paths.lengths[neighbors[rows, k]].add_(d[rows, k, None])
            if first and k:
                place[rows].masked_fill_(way < nearest, k)
            torch.minimum(nearest, way, out=nearest)
    return _Ways(d, neighbors, g, place.long())


class _SquaredGeodesic(Treatment):
    """``R_i = Σ_j s_j g_j ℓ_ij``, where ``ℓ_ij`` is the length along feature i of the shortest way to point j.

    A step δ of length ``(Σ_i |δ_i|^p)^(1/p)`` is ``|δ_i|^p / Σ|δ|^p`` of that long along feature i, and ``Σ_i ℓ_ij =
    g_j``. Where the way is straight and p = 2, ``g_j ℓ_ij = (x_i - p_ji)²``, the shares of squared distances. Relative
    to reference rows b the same at b is subtracted in the mean. Behind a linear map a step is `shared` among what comes
    before.
    """

    kind = "distance"
    retention = Retention(inputs=True, output=True)
    takes_reference = True
    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, paths, finder = call.bound()
        s = slopes(call, message, ledger)
        relevance = _along(x, paths, finder, s)
        if call.references is not None:
            rows = call.references[call.inputs[0]]
            relevance.addmm_(s, paths.known.of(rows, paths.points, lambda: _mean(rows, paths, finder)), alpha=-1)
        return Message.of_relevance(relevance)

    def at_reference(self, call: Call, values: dict[int, Tensor], rule: Rule | None) -> tuple[Tensor, ...]:
        return (super().at_reference(call, values, rule)[0].mean(0, keepdim=True),)


def _along(x: Tensor, paths: ShortestPaths, finder: Finder, s: Tensor) -> Tensor:
    """``Σ_j s_j g_j ℓ_ij``; s : (n_samples, n_points).

    The ways from one row make a tree: what goes along an edge is the sum of ``s_j g_j`` over the points behind it.
    """
    found = torch.empty_like(x)
    x = mapped(x, paths.factor, paths.shift)
    points = torch.arange(len(paths.points), device=x.device)
    for rows in parts(len(x), max(len(paths.edges), len(points))):
        d, neighbors, g, first = _ways(x[rows], paths, finder, first=True)
        last = paths.last[neighbors.gather(1, first), points].long()
        behind = _behind(last, paths.edges, s[rows] * g)
        direct = torch.zeros_like(d).scatter_add_(1, first, behind * (last == len(paths.edges)))
        found[rows] = _over_edges(last, behind, paths)
        for part in parts(len(d), d.shape[1] * found.shape[1]):
            steps = _first_steps(x[rows][part], d[part], neighbors[part], paths)
            found[rows][part] += (direct[part, None] @ steps)[:, 0]
    return found


def _behind(last: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
    """The sum of the weights of each point and all points behind it, in trees whose steps up double every time.

    last, weights : (n_trees, n_points)
    """
    n = last.shape[1]
    both = torch.nn.functional.pad(edges.sum(1), (0, 1), value=2 * n)
    up = last.new_full((len(last), n + 1), n)  # the other end; n beyond the roots
    torch.sub(both[last], torch.arange(n, device=last.device), out=up[:, :-1]).clamp_(max=n)
    total = torch.nn.functional.pad(weights, (0, 1))
    for _ in range(n.bit_length()):
        if int(up.min()) == n:
            break
        total = total.scatter_add(1, up, total)
        up = up.gather(1, up)
    return total[:, :-1]


def _over_edges(last: Tensor, behind: Tensor, paths: ShortestPaths) -> Tensor:
    """The sum over the edges of what goes along each, times its length along each feature: (n_trees, n_features)."""
    edges, points = paths.edges, paths.points
    along = behind.new_zeros(len(last), len(edges) + 1)
    along.scatter_add_(1, last, behind)
    found = behind.new_zeros(len(last), _n_inputs(paths))
    for part in parts(len(edges), found.shape[1]):
        a, b = edges[part].T
        found.addmm_(along[:, :-1][:, part], _along_features(points[a] - points[b], paths.lengths[a, b], paths))
    return found


def _first_steps(x: Tensor, d: Tensor, neighbors: Tensor, paths: ShortestPaths) -> Tensor:
    """The steps to the neighbours, along each feature: (n_samples, n_neighbors, n_features)."""
    delta = x[:, None] - paths.points[neighbors]
    return _along_features(delta, d.masked_fill(d.isinf(), 0.0), paths)


def _along_features(delta: Tensor, length: Tensor, paths: ShortestPaths) -> Tensor:
    """``|δ_i|^p / Σ|δ|^p`` of each length; delta : (..., n_features), length : (...)."""
    slope = delta if paths.power == 2 else delta.sign() * delta.abs().pow_(paths.power - 1)
    shares = shared(slope, delta, paths.factor)
    total = shares.sum(-1)
    # A length without differences is rounding, of the model's own distances, and no feature's more than another's.
    shares = shares.masked_fill_((total == 0)[..., None], 1.0)
    return shares * (length / shares.sum(-1))[..., None]


def _n_inputs(paths: ShortestPaths) -> int:
    return (paths.points if paths.factor is None else paths.factor).shape[1]


def _mean(rows: Tensor, paths: ShortestPaths, finder: Finder) -> Tensor:
    """``mean_b g_j(b) ℓ_ij(b)`` over the rows b, (n_points, n_features).

    The ways to one point make a tree as well, which they enter at each row's neighbour.
    """
    n_points, n_features = len(paths.points), _n_inputs(paths)
    z = mapped(rows, paths.factor, paths.shift)
    d, neighbors, g, first = _ways(z, paths, finder, first=True)
    if bool(g.isinf().any()):
        raise ValueError("a reference row has no neighbour within the radius: no way leads from it to the points")
    g = g / len(rows)
    entries = g.new_zeros(n_points, n_points).index_put_(
        (torch.arange(n_points, device=rows.device).expand_as(first), neighbors.gather(1, first)), g, accumulate=True
    )
    found = g.new_empty(n_points, n_features)
    for part in parts(n_points, max(len(paths.edges), n_points)):
        last = paths.last[part].long()
        found[part] = _over_edges(last, _behind(last, paths.edges, entries[part]), paths)
    for part in parts(len(rows), d.shape[1] * max(n_points, n_features)):
        steps = _first_steps(z[part], d[part], neighbors[part], paths)
        direct = g.new_zeros(len(steps), n_points, d.shape[1]).scatter_(2, first[part, :, None], g[part, :, None])
        found += (direct @ steps).sum(0)
    return found


treat(squared_geodesic, by=_SquaredGeodesic())
