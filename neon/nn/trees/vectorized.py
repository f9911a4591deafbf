"""The rules in torch: without numba, and on other devices.

The same numbers as `neon.nn.trees.compiled`, several times slower on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neon.lrp.rules.tree import Path, TreeRule
from neon.nn.trees import tables as embeddings
from neon.nn.trees.forest import Forest
from neon.nn.trees.quadrature import Covers, Index, Literals, Pairs, chunks, quadrature, rules_of
from neon.nn.trees.tables import Tables

__all__ = ["along_path", "encode", "evaluate", "interventional", "look_up", "pairs", "shapley"]

_LANES = 256  # rows, or pairs of rows, of one task


def encode(forest: Forest, x: Tensor) -> Tensor:
    """Codes of rows (n_samples, n_features), int32 (n_used, n_samples)."""
    return forest.codes_on(x.device)(x)


def evaluate(forest: Forest, codes: Tensor) -> Tensor:
    """The sum of the active leaves' values, (n_samples, n_outputs)."""
    trees, n = forest.trees, codes.shape[1]
    out = torch.zeros(n, trees.n_outputs, dtype=torch.float64, device=codes.device)
    for first, last in _tree_ranges(forest, n):
        roots = torch.as_tensor(trees.roots[first:last], device=codes.device)
        node = roots[:, None].expand(-1, n)
        for _, arrived, _ in descend(*_node_tensors(forest, codes.device), roots, codes):
            node = arrived
        values = torch.as_tensor(trees.value, device=codes.device)[node]  # (n_trees, n_samples, n_values)
        if trees.output is None:
            out += values.sum(0)
        else:
            out.t().index_add_(0, torch.as_tensor(trees.output[first:last], device=codes.device), values[:, :, 0])
    return out


def along_path(forest: Forest, rule: TreeRule, codes: Tensor, slope: Tensor) -> Tensor:
    """The path rule or equal shares, (n_used, n_samples)."""
    trees, device, n = forest.trees, codes.device, codes.shape[1]
    phi = slope.new_zeros(codes.shape)
    nodes, table = _node_tensors(forest, device)
    for first, last in _tree_ranges(forest, n):
        roots = torch.as_tensor(trees.roots[first:last], device=device)
        passed = list(descend(nodes, table, roots, codes))
        if not passed:
            continue
        owner = torch.as_tensor(forest.outputs[first:last], device=device)

        def weighted(values: np.ndarray, node: Tensor, owner: Tensor = owner) -> Tensor:
            """``Σ_k slope_k values_k`` at nodes (n_trees, n_samples)."""
            at = torch.as_tensor(values, device=device).to(slope)[node]
            if trees.output is None:
                return torch.einsum("tnk,nk->tn", at, slope)
            return at[:, :, 0] * slope.t()[owner]

        if isinstance(rule, Path):
            for feature, node, moved in passed:
                phi.scatter_add_(0, feature, weighted(forest.steps, node) * moved)
        else:
            shares, is_first = forest.shares
            share = weighted(shares, passed[-1][1])
            for feature, node, moved in passed:
                phi.scatter_add_(0, feature, share * (moved & torch.as_tensor(is_first, device=device)[node]))
    return phi


def look_up(forest: Forest, tables: Tables, codes: Tensor, slope: Tensor) -> Tensor:
    """Either rule from its tables, (n_used, n_samples)."""
    return embeddings.look_up(forest.trees, forest.paths, tables, codes, slope, forest.outputs)


def shapley(forest: Forest, codes: Tensor, slope: Tensor, index: Index) -> Tensor:
    """Values against the covers, (n_used, n_samples)."""
    return _in_lanes(forest, codes, slope, None, None, index)


def interventional(
    forest: Forest,
    codes: Tensor,
    slope: Tensor,
    reference: Tensor,
    weights: Tensor,
    index: Index,
    limits: tuple[int, int],
) -> Tensor:
    """Values against reference rows, (n_used, n_samples), each pair of rows by itself whatever the limits."""
    return _in_lanes(forest, codes, slope, reference, weights, index)


def pairs(forest: Forest, codes: Tensor, slope: Tensor, reference: Tensor | None, weights: Tensor | None) -> Tensor:
    """Interactions against the covers, or reference rows; (n_samples, n_used, n_used)."""
    both = _in_lanes(forest, codes, slope, reference, weights, "shapley", in_pairs=True)
    both = both.unflatten(0, (len(codes), len(codes)))
    return ((both + both.transpose(0, 1)) / 2).permute(2, 0, 1)


def _in_lanes(
    forest: Forest,
    codes: Tensor,
    slope: Tensor,
    reference: Tensor | None,
    weights: Tensor | None,
    index: Index,
    *,
    in_pairs: bool = False,
) -> Tensor:
    """By quadrature, of features (n_used, n_samples) or pairs of them (n_used * n_used, n_samples).

    A lane is a row, or a row and a reference row.
    """
    paths, (points, portions) = forest.paths, _rule_of(forest, slope, index)
    out = slope.new_zeros(len(codes) ** 2 if in_pairs else len(codes), codes.shape[1])
    n_reference, n_others = 1 if reference is None else reference.shape[1], 1
    size = max(1, _LANES // n_reference)
    for i in range(0, codes.shape[1], size):
        own = codes[:, i : i + size]
        for j in range(0, n_reference, _LANES):
            literals: Literals = Covers(points, own)
            if reference is not None:
                others = reference[:, j : j + _LANES]
                n_others = others.shape[1]
                literals = Pairs(points, own.repeat_interleave(n_others, 1), others.repeat(1, own.shape[1]))
            each = slope[i : i + size].t().repeat_interleave(n_others, 1)
            if weights is not None:
                each = each * weights[j : j + _LANES].to(each).repeat(own.shape[1])
            total = each.new_zeros(len(out), each.shape[1])
            for part in chunks(paths, 4 * len(portions) * each.shape[1] * each.element_size()):
                found = quadrature(forest.trees, paths, literals, portions, each, part, total if in_pairs else None)
                if not in_pairs:
                    total += found
            out[:, i : i + size] += total.unflatten(1, (own.shape[1], n_others)).sum(2)
    return out


def _rule_of(forest: Forest, slope: Tensor, index: Index) -> tuple[Tensor, Tensor]:
    """Quadrature points and weights for the longest path, (n_points,)."""
    each, points, weights = rules_of(forest.paths.n_literals, slope.dtype, index)
    q = int(each.max(initial=1))
    return torch.as_tensor(points[q, :q]).to(slope), torch.as_tensor(weights[q, :q]).to(slope)


def _node_tensors(forest: Forest, device: torch.device) -> tuple[Tensor, Tensor]:
    return (
        torch.as_tensor(forest.nodes, device=device).long(),
        torch.as_tensor(forest.paths.table, device=device),
    )


def _tree_ranges(forest: Forest, n_samples: int) -> list[tuple[int, int]]:
    """Trees at a time: their values at every row's nodes, (n_trees, n_samples, n_values), are held."""
    n_trees, n_values = forest.trees.n_trees, forest.trees.value.shape[1]
    size = max(1, (1 << 22) // max(n_samples * n_values, 1))
    return [(i, min(i + size, n_trees)) for i in range(0, n_trees, size)]


def descend(nodes: Tensor, table: Tensor, roots: Tensor, codes: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Send rows down, a level at a time.

    Parameters
    ----------
    nodes : int64 (n_nodes, 6), as `Forest.nodes`
    roots : (n_trees,)
    codes : (n_used, n_samples)

    Yields
    ------
    feature, child, moved : (n_trees, n_samples)
        The used feature asked, the node arrived at, and whether that is a new one.
    """
    feature, low, high, offset, left, right = nodes.unbind(1)
    node = roots[:, None].expand(-1, codes.shape[1])
    while len(codes) and (moved := left[node] != node).any():
        asked = feature[node]
        code = codes.gather(0, asked).long()
        inside = (code >= low[node]) & (code <= high[node])
        if len(table):
            place = offset[node]
            inside = torch.where(place >= 0, table[(place + code).clamp(0, len(table) - 1)].bool(), inside)
        node = torch.where(moved, torch.where(inside, left[node], right[node]), node)
        yield asked, node, moved
