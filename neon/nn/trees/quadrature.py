"""The quadrature over literals' factors along paths; in torch, a level of edges at a time."""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from scipy.special import comb
from torch import Tensor

from neon.lrp.paths.mean_slopes import legendre
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.paths import Paths

__all__ = [
    "Covers",
    "Index",
    "Literals",
    "Pairs",
    "chunks",
    "leaf_values",
    "n_points",
    "quadrature",
    "rules_of",
    "satisfied",
    "shares_between",
]

# Of a game's multilinear extension on its diagonal, whose slope is taken: its mean over [0, 1], or that in the middle.
Index = Literal["shapley", "banzhaf"]

_MEMORY = 1 << 27  # bytes of G and of the states at a time
# So many points on paths of up to so many features leave 1e-11 and 1e-6, with a millionth of the cover at the leaf.
_POINTS = {torch.float64: {20: 8, 40: 10, np.inf: 12}, torch.float32: {12: 5, 24: 6, np.inf: 7}}


@functools.cache
def _gauss_legendre(most: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on [0, 1]; row q holds the rule of q points, (most + 1, most)."""
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for q in range(1, most + 1):
        points[q, :q], weights[q, :q] = legendre(q)
    return points, weights


def n_points(n_literals: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Enough quadrature points for paths of so many features: ``ceil(D / 2)`` are exact, and fewer suffice."""
    lengths, points = (list(part) for part in zip(*_POINTS[dtype].items(), strict=True))
    return np.clip((n_literals + 1) // 2, 1, np.array(points)[np.searchsorted(lengths, n_literals)])


def rules_of(
    n_literals: np.ndarray, dtype: torch.dtype, index: Index, *, exact: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many points each tree takes (n_trees,); points and weights of every number of them, (most + 1, most)."""
    if index == "banzhaf":
        return np.ones_like(n_literals), np.array([[0.0], [0.5]]), np.array([[0.0], [1.0]])
    each = np.maximum((n_literals + 1) // 2, 1) if exact else n_points(n_literals, dtype)
    return each, *_gauss_legendre(int(each.max(initial=1)))


def shares_between(most: int, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """What a leaf of value 1 gives to a literal that only x satisfies, and takes from one that only the reference does.

    (most + 1, most + 1), by how many q only the reference row satisfies and how many p only x does, of at most ``most``
    literals: ``(p-1)! q! / (p+q)!`` and ``p! (q-1)! / (p+q)!``; in the middle of the diagonal both ``2^(1-p-q)``.
    """
    p, q = np.arange(most + 1)[None], np.arange(most + 1)[:, None]
    if index == "banzhaf":
        half = 0.5 ** (p + q - 1)
        return half * (p > 0), half * (q > 0)
    whole = comb(p + q, p)
    plus = np.divide(1.0, p * whole, out=np.zeros_like(whole), where=p > 0)
    return plus, np.divide(1.0, q * whole, out=np.zeros_like(whole), where=q > 0)


def satisfied(paths: Paths, edges: np.ndarray, codes: Tensor) -> Tensor:
    """Whether rows take edges, bool (n_edges, n_samples)."""
    code = codes[_column(paths.feature[edges], codes)[:, 0].long()]
    inside = (code >= _column(paths.low[edges], codes)) & (code <= _column(paths.high[edges], codes))
    categorical = np.flatnonzero(paths.offset[edges] >= 0)
    if len(categorical):
        place = _column(paths.offset[edges[categorical]], codes) + code[categorical]
        inside[categorical] = torch.as_tensor(paths.table, device=codes.device)[place].bool()
    return inside == _column(paths.side[edges], codes).bool()


class Literals(abc.ABC):
    """The factor of a merged literal in the product over a path, and its share, at the quadrature points.

    A literal's state is a set of bits; merging literals is "and", and ``full`` is the state of an empty merge.
    """

    full: int

    def __init__(self, points: Tensor) -> None:
        self.t = points[:, None]  # (n_points, 1)

    @abc.abstractmethod
    def states(self, paths: Paths, edges: np.ndarray) -> Tensor:
        """The states of single edges, uint8 (n_edges, n_lanes)."""

    @abc.abstractmethod
    def factor_and_share(self, state: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Of states (n_edges, 1, n_lanes) with cover probability z (n_edges, 1, 1), at each point."""


class Covers(Literals):
    """Input against covers: the factor is ``z + (o - z) t``, the share ``(o - z) / factor``."""

    full = 1

    def __init__(self, points: Tensor, codes: Tensor) -> None:
        super().__init__(points)
        self.codes = codes

    def states(self, paths: Paths, edges: np.ndarray) -> Tensor:
        return satisfied(paths, edges, self.codes).byte()

    def factor_and_share(self, state: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        t, holds = self.t, state == 1
        factor = z + (1 - z) * t
        return torch.where(holds, factor, z * (1 - t)), torch.where(holds, (1 - z) / factor, -1 / (1 - t))


class Pairs(Literals):
    """Input against reference rows, one pair a lane: factor 1 where both hold, t or ``1 - t`` where one does, or 0."""

    full = 3

    def __init__(self, points: Tensor, codes: Tensor, reference: Tensor) -> None:
        super().__init__(points)
        self.codes, self.reference = codes, reference

    def states(self, paths: Paths, edges: np.ndarray) -> Tensor:
        own, other = satisfied(paths, edges, self.codes).byte(), satisfied(paths, edges, self.reference).byte()
        return 2 * own + other

    def factor_and_share(self, state: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        t, zero = self.t, torch.zeros_like(self.t)
        factor = torch.stack([zero, 1 - t, t, zero + 1])[state.long()[:, 0], :, 0].transpose(1, 2)
        share = torch.stack([zero, -1 / (1 - t), 1 / t, zero])[state.long()[:, 0], :, 0].transpose(1, 2)
        return factor, share


def quadrature(
    trees: Trees,
    paths: Paths,
    literals: Literals,
    weights: Tensor,
    slope: Tensor,
    selected: tuple[int, int],
    pairs: Tensor | None = None,
) -> Tensor:
    """``Σ_k slope_k φ_k`` of a range of trees.

    Parameters
    ----------
    weights : (n_points,)
    slope : (n_outputs, n_lanes)
    selected : the first tree and the one after the last
    pairs : (n_used * n_used, n_lanes), optional
        Interactions of features i and j are added at i, j or at j, i.

    Returns
    -------
    Tensor
        (n_used, n_lanes)
    """
    phi = slope.new_zeros(len(paths.codes.used), slope.shape[1])
    first, last = paths.start[selected[0]], paths.start[selected[1]]
    if first == last:
        return phi
    edges = np.arange(first, last)
    depth = paths.depth[first:last]
    place = np.zeros(len(edges), dtype=np.int64)  # of each edge within its level
    levels = [edges[depth == d] for d in range(1, depth.max() + 1)]
    for level in levels:
        place[level - first] = np.arange(len(level))
    states = torch.full((len(edges) + 1, slope.shape[1]), literals.full, dtype=torch.uint8, device=slope.device)
    product = weights[None, :, None].to(slope)
    products: list[Tensor] = []
    shares: list[Tensor] = []
    for level in levels:
        # The last row of ``states`` stands for "no edge above".
        above = np.where(paths.above_edge[level] >= 0, paths.above_edge[level] - first, len(edges))
        before = states[above]
        after = before & literals.states(paths, level)
        states[level - first] = after
        z_above, z = (_column(array[level], slope)[:, None].to(slope) for array in (paths.z_above, paths.z))
        old, old_share = literals.factor_and_share(before[:, None], z_above)
        new, new_share = literals.factor_and_share(after[:, None], z)
        ratio = torch.where(old != 0, new / old, 0.0)
        upper = product[place[paths.parent[level] - first]] if products else product
        product = upper * ratio
        products.append(product)
        shares.append(new_share - old_share)
    below: Tensor | None = None
    for d in reversed(range(len(levels))):
        level = levels[d]
        total = torch.zeros_like(products[d])
        leaves = np.flatnonzero(paths.leaf[level])
        total[leaves] = products[d][leaves] * leaf_values(trees, paths, level[leaves], slope)[:, None]
        if below is not None:
            parents = place[paths.parent[levels[d + 1]] - first]
            total.index_add_(0, torch.as_tensor(parents, device=slope.device), below)
        feature = _column(paths.feature[level], slope)[:, 0].long()
        shared = total * shares[d]
        phi.index_add_(0, feature, shared.sum(1))
        if pairs is not None:
            upper_edges = paths.parent[level]
            for e in reversed(range(d)):
                other = _column(paths.feature[upper_edges], slope)[:, 0].long()
                both = (shared * shares[e][place[upper_edges - first]]).sum(1)
                pairs.index_add_(0, feature * len(phi) + other, both * (feature != other)[:, None])
                upper_edges = paths.parent[upper_edges]
        below = total
        del products[d], shares[d]
    return phi


def leaf_values(trees: Trees, paths: Paths, edges: np.ndarray, slope: Tensor) -> Tensor:
    """``Σ_k slope_k value_k`` at the lower end of edges, (n_edges, n_lanes)."""
    values = torch.as_tensor(trees.value[paths.node[edges]], device=slope.device).to(slope)
    if trees.output is None:
        return values @ slope
    return values * slope[torch.as_tensor(trees.output[paths.tree(edges)], device=slope.device)]


def chunks(paths: Paths, bytes_per_edge: int) -> Iterator[tuple[int, int]]:
    """Ranges of trees whose values take a bounded memory together."""
    first, n_trees = 0, len(paths.start) - 1
    most = max(1, _MEMORY // bytes_per_edge)
    while first < n_trees:
        last = int(np.searchsorted(paths.start, paths.start[first] + most, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _column(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(array, device=like.device)[:, None]
