"""Interactions of three features: the third order of the same quadrature, leaf by leaf, in torch."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from neon.nn.trees.counted import SHORT, by_patterns, symmetric
from neon.nn.trees.forest import Forest
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import Covers, Literals, Pairs, leaf_values, rules_of

__all__ = ["triples"]

_MEMORY = 1 << 26  # bytes of the factors of some leaves
_LANES = 256  # rows, or pairs of rows, of one step


def triples(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None, weights: Tensor | None) -> Tensor:
    """A sixth of the Shapley interaction index of any three features, of ``Σ_k slope_k f_k``.

    ``1/6 Σ_leaves v (o_i - z_i)(o_j - z_j)(o_k - z_k) ∫₀¹ Π_{l≠i,j,k} (z_l + (o_l - z_l) t) dt``, against reference
    rows with their literals in the place of z (Grabisch and Roubens 1999).

    Parameters
    ----------
    codes : int32 (n_used, n_samples)
    slope : (n_samples, n_outputs)
    reference : int32 (n_used, n_reference), optional
    weights : (n_reference,), optional
        Adding up to 1. Default: all the same.

    Returns
    -------
    Tensor
        (n_samples, n_used, n_used, n_used); 0 where two are the same.
    """
    n_used, n = codes.shape
    if reference is not None and weights is None:
        weights = slope.new_full((reference.shape[1],), 1 / reference.shape[1])
    found = slope.new_zeros(n, n_used**3)
    n_literals = np.bincount(forest.paths.literals[0], minlength=int(forest.paths.leaf.sum()))
    chosen = np.flatnonzero(n_literals >= 3)
    if reference is not None and weights is not None:
        found = by_patterns(forest, codes, slope, reference, weights, 3)
        chosen = np.flatnonzero(n_literals > SHORT)
    n_others = 1 if reference is None else reference.shape[1]
    size = max(1, _LANES // n_others)
    for i in range(0, n, size):
        own = codes[:, i : i + size]
        for j in range(0, n_others, _LANES):
            others = None if reference is None else reference[:, j : j + _LANES]
            portions = None if weights is None else weights[j : j + _LANES].to(slope)
            _add(found[i : i + size], forest, own, slope[i : i + size], others, portions, chosen)
    return symmetric(found, n_used, 3)


def _add(
    found: Tensor,
    forest: Forest,
    codes: Tensor,
    slope: Tensor,
    others: Tensor | None,
    weights: Tensor | None,
    chosen: np.ndarray,
) -> None:
    """Add the interactions of features ``i < j < k`` at some leaves to ``found`` (n_samples, n_used³)."""
    paths, n_used = forest.paths, len(codes)
    (q,), points, portions = rules_of(paths.n_literals.max(initial=1, keepdims=True), slope.dtype, "shapley")
    t, portion = (torch.as_tensor(table[q, :q]).to(slope) for table in (points, portions))
    literals: Literals = Covers(t, codes)
    if others is not None:
        literals = Pairs(t, codes.repeat_interleave(others.shape[1], 1), others.repeat(1, codes.shape[1]))
    leaf, edge = (part[np.isin(paths.literals[0], chosen)] for part in paths.literals)
    leaf = np.searchsorted(chosen, leaf)
    starts, leaves = np.searchsorted(leaf, np.arange(len(chosen) + 1)), np.flatnonzero(paths.leaf)[chosen]
    lanes = codes.shape[1] * (1 if others is None else others.shape[1])
    step = max(1, _MEMORY // (16 * len(t) * lanes * max(int(paths.n_literals.max(initial=1)), 1)))
    for begin in range(0, len(starts) - 1, step):
        end = min(begin + step, len(starts) - 1)
        edges, owner = edge[starts[begin] : starts[end]], leaf[starts[begin] : starts[end]] - begin
        order = np.lexsort((paths.feature[edges], owner))  # features of a leaf in their order
        edges, owner = edges[order], owner[order]
        slot = np.arange(len(edges)) - (starts[begin:end] - starts[begin])[owner]
        z = torch.as_tensor(paths.z[edges])[:, None, None].to(slope)
        factor, share = literals.factor_and_share(_merged(literals, paths, edges)[:, None], z)
        product = portion[None, :, None].expand(end - begin, -1, lanes).contiguous()
        for s in range(int(slot.max(initial=-1)) + 1):
            own = np.flatnonzero(slot == s)
            product[torch.as_tensor(owner[own])] *= factor[torch.as_tensor(own)]
        value = leaf_values(forest.trees, paths, leaves[begin:end], slope.t())
        for trio in itertools.combinations(range(int(slot.max(initial=-1)) + 1), 3):
            some, places = _with(slot, owner, trio)
            amount = product[torch.as_tensor(some)]
            for place in places:
                amount = amount * share[torch.as_tensor(place)]
            total = amount.sum(1)
            if weights is not None:
                total = total.unflatten(1, (codes.shape[1], -1)) @ weights
            key = np.zeros(len(some), dtype=np.int64)
            for place in places:
                key = key * n_used + paths.feature[edges[place]]
            found.t().index_add_(0, torch.as_tensor(key, device=found.device), total * value[torch.as_tensor(some)])


def _with(slot: np.ndarray, owner: np.ndarray, trio: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The leaves that have literals in these slots, and which ones."""
    last = np.flatnonzero(slot == trio[-1])
    return owner[last], [last - (trio[-1] - s) for s in trio]


def _merged(literals: Literals, paths: Paths, edges: np.ndarray) -> Tensor:
    """The states of the merged literals that end in edges, (n_edges, n_lanes)."""
    state = literals.states(paths, edges)
    above = paths.above_edge[edges]
    while (above >= 0).any():
        rows = np.flatnonzero(above >= 0)
        state[torch.as_tensor(rows)] &= literals.states(paths, above[rows])
        above = np.where(above >= 0, paths.above_edge[above], -1)
    return state
