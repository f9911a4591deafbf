"""Interactions against reference rows, of leaves with few features: how much weight of the rows satisfies each set."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import torch
from scipy.special import beta
from torch import Tensor

from neon.nn.trees.forest import Forest
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import leaf_values
from neon.nn.trees.tables import merged

__all__ = ["SHORT", "by_patterns", "symmetric"]

SHORT = 6  # literals of a leaf, up to which sets of them are counted
_MEMORY = 1 << 26  # bytes of one step


def by_patterns(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor, weights: Tensor, order: int) -> Tensor:
    """The Shapley interaction index of features ``i < j (< k)``, (n_samples, n_used ** order); other entries are 0.

    Of the leaves with at most `SHORT` literals, and of ``Σ_k slope_k f_k``. Arguments as for `relevance`.
    """
    paths, n_used = forest.paths, len(codes)
    leaf, edge = paths.literals
    every = np.flatnonzero(paths.leaf)
    n_literals = np.bincount(leaf, minlength=len(every))
    found = slope.new_zeros(len(slope), n_used**order)
    for D in range(order, SHORT + 1):
        chosen = np.flatnonzero(n_literals == D)
        between, sets = torch.as_tensor(_between(D, order)).to(slope), list(itertools.combinations(range(D), order))
        edges = edge[np.isin(leaf, chosen)].reshape(-1, D)
        edges = np.take_along_axis(edges, paths.feature[edges].argsort(1), 1)  # features of a leaf in their order
        step = max(1, _MEMORY // (8 * max(len(slope) * len(sets), reference.shape[1] * D, len(sets) << D)))
        for begin in range(0, len(chosen), step):
            own = edges[begin : begin + step]
            theirs = _pattern(paths, own, reference)
            counts = slope.new_zeros(len(own), 1 << D).scatter_add_(1, theirs, weights.to(slope).expand(theirs.shape))
            shares = (counts @ between.flatten(1)).view(len(own), 1 << D, len(sets))
            value = leaf_values(forest.trees, paths, every[chosen[begin : begin + step]], slope.t())
            rows = torch.arange(len(own), device=slope.device)[:, None]
            amount = shares[rows, _pattern(paths, own, codes)] * value[:, :, None]
            for k, places in enumerate(sets):
                key = np.zeros(len(own), dtype=np.int64)
                for place in places:
                    key = key * n_used + paths.feature[own[:, place]]
                found.t().index_add_(0, torch.as_tensor(key, device=slope.device), amount[:, :, k])
    return found


def symmetric(found: Tensor, n_used: int, order: int) -> Tensor:
    """Entries of ``i < j (< k)`` shared by all orders of their features, (n_samples, n_used, n_used[, n_used])."""
    full = found.view(len(found), *[n_used] * order)
    orders = list(itertools.permutations(range(1, order + 1)))
    return torch.stack([full.permute(0, *axes) for axes in orders]).sum(0) / len(orders)


def _pattern(paths: Paths, edges: np.ndarray, codes: Tensor) -> Tensor:
    """Which of a leaf's literals rows satisfy, as bits: edges (n_leaves, D) -> (n_leaves, n_samples)."""
    held = merged(paths, edges.ravel(), codes).view(*edges.shape, -1)
    bits = 1 << torch.arange(edges.shape[1], device=codes.device)
    return (held * bits[:, None]).sum(1)


@functools.cache
def _between(D: int, order: int) -> np.ndarray:
    """The index of m literals where the reference row satisfies T and x satisfies S, ``v = 1``: (T, S, set of m).

    ``(-1)^b (p-a)! (q-b)! / (p+q-m+1)!``, a of them being satisfied by x alone and b by the reference row alone.
    """
    member = (np.arange(1 << D)[:, None] >> np.arange(D)) % 2 == 1
    only_x, only_other = member[None] & ~member[:, None], member[:, None] & ~member[None]
    p, q = only_x.sum(2), only_other.sum(2)
    reached = (member[None] | member[:, None]).all(2)
    found = []
    for places in itertools.combinations(range(D), order):
        a, b = only_x[:, :, list(places)].sum(2), only_other[:, :, list(places)].sum(2)
        inside = reached & (a + b == order)
        found.append(np.where(inside, (-1.0) ** b * beta((p - a).clip(0) + 1, (q - b).clip(0) + 1), 0.0))
    return np.stack(found, 2)
