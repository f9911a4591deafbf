"""The rules of the AND unit as look-up tables: embeddings of the bits that a row's splits give.

A group is a subtree with few bits: one for each merged literal on the path to its root, one for each split inside. Its
table holds the relevance of every feature for every pattern of bits, so explaining a row is one look-up and one
addition for each group, whatever the rule and the number of reference rows. (Exchanging a tree walk for a table by
patterns: WOODELF, Nadel and Wettenstein 2026; for prediction, Hummingbird, Nakandala et al. 2020.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neon.nn.trees.ensemble import Trees
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import Index, rules_of, satisfied, shares_between

__all__ = ["BITS", "Groups", "Tables", "look_up", "merged", "tabulate"]

BITS = 8
_MEMORY = 1 << 26  # bytes of one step of building


@dataclass(frozen=True, eq=False)
class Groups:
    """How an ensemble splits into subtrees of at most `BITS` bits.

    Attributes
    ----------
    tree : int64 (n_groups,)
        Groups stand in the order of their trees.
    n_bits : int64 (n_groups,)
    source : int64 (n_groups, BITS)
        Bit k of the index: ``e`` says whether the merged literal of edge e holds, ``n_edges + e`` whether edge e alone
        is taken, -1 nothing.
    row : int64 (n_groups + 1,)
        Where each group's ``2 ** n_bits`` rows begin in the table.
    leaf : int64 (n_leaves,)
        The edges that end in a leaf.
    group : int64 (n_leaves,)
    mask, wanted : int64 (n_leaves, BITS)
        Literal j of a leaf, in the order of first appearance, holds at pattern p where ``p & mask == wanted``.
    feature : int64 (n_leaves, BITS)
        Of each literal; -1 after the last.
    edge : int64 (n_leaves, BITS)
        The lowest edge of each literal, whose merged state is the literal's; -1 after the last.
    """

    tree: np.ndarray
    n_bits: np.ndarray
    source: np.ndarray
    row: np.ndarray
    leaf: np.ndarray
    group: np.ndarray
    mask: np.ndarray
    wanted: np.ndarray
    feature: np.ndarray
    edge: np.ndarray

    @classmethod
    def of(cls, trees: Trees, paths: Paths) -> Groups:
        """The groups of an ensemble whose paths have at most `BITS` features."""
        n, n_edges, levels = trees.n_nodes, paths.n_edges, trees.levels()
        inner = trees.left >= 0
        edge = np.full(n, -1)
        edge[paths.node] = np.arange(n_edges)
        n_inner = inner.astype(np.int64)
        for level in reversed(levels):
            own = level[inner[level]]
            n_inner[own] += n_inner[trees.left[own]] + n_inner[trees.right[own]]
        n_literals, root, tree = np.zeros(n, dtype=np.int64), np.full(n, -1), np.zeros(n, dtype=np.int64)
        tree[trees.roots] = np.arange(trees.n_trees)
        slot = np.full(n, -1)  # of an edge's feature among the literals on its path
        feature, last = np.full((n, BITS), -1), np.full((n, BITS), -1)
        mask, wanted = np.zeros((n, BITS), dtype=np.int64), np.zeros((n, BITS), dtype=np.int64)
        rank = np.zeros(n, dtype=np.int64)  # of a split within its group, depth first
        own_bit = 1 << np.arange(BITS)
        for d, level in enumerate(levels):
            if d:
                e = edge[level]
                parent = np.where(paths.parent[e] >= 0, paths.node[paths.parent[e]], trees.roots[paths.tree(e)])
                above = paths.above_edge[e]
                new = above < 0
                slot[level] = np.where(new, n_literals[parent], slot[paths.node[above]])
                n_literals[level] = n_literals[parent] + new
                for array in (root, tree, feature, last, mask, wanted):
                    array[level] = array[parent]
                feature[level, slot[level]] = paths.feature[e]
                last[level, slot[level]] = e
                left = paths.side[e] == 1
                rank[level] = rank[parent] + 1 + np.where(left, 0, n_inner[trees.left[parent]])
                inside = level[root[level] >= 0]
                up = parent[root[level] >= 0]
                bit = 1 << (n_literals[root[inside]] + rank[up] - rank[root[inside]])
                mask[inside, slot[inside]] |= bit
                wanted[inside, slot[inside]] |= bit * (paths.side[edge[inside]] == 1)
            begins = level[(root[level] < 0) & (n_literals[level] + n_inner[level] <= BITS)]
            root[begins] = begins
            known = np.arange(BITS) < n_literals[begins, None]
            mask[begins] = wanted[begins] = own_bit * known
        roots = np.flatnonzero(root == np.arange(n))
        roots = roots[np.argsort(tree[roots], kind="stable")]
        roots = roots[n_literals[roots] + n_inner[roots] > 0]  # a tree of a single leaf has nothing to share
        n_bits = n_literals[roots] + n_inner[roots]
        number = np.full(n, -1)
        number[roots] = np.arange(len(roots))
        source = np.full((len(roots), BITS), -1)
        known = np.arange(BITS) < n_literals[roots, None]
        source[known] = last[roots][known]
        splits = np.flatnonzero(inner & (root >= 0))
        at = n_literals[root[splits]] + rank[splits] - rank[root[splits]]
        source[number[root[splits]], at] = n_edges + edge[trees.left[splits]]
        leaves = paths.node[paths.leaf]
        return cls(
            tree=tree[roots],
            n_bits=n_bits,
            source=source,
            row=np.concatenate([[0], np.cumsum(1 << n_bits)]),
            leaf=edge[leaves],
            group=number[root[leaves]],
            mask=mask[leaves],
            wanted=wanted[leaves],
            feature=feature[leaves],
            edge=last[leaves],
        )

    @property
    def n_groups(self) -> int:
        return len(self.tree)

    def asked(self, paths: Paths) -> np.ndarray:
        """What is read of each edge, uint8 (n_edges,): 1 where its merged literal, 2 where the edge alone, 3 both."""
        asked = np.zeros(paths.n_edges, dtype=np.uint8)
        merged = self.source[(self.source >= 0) & (self.source < paths.n_edges)]
        while len(merged):
            asked[merged] = 1
            merged = paths.above_edge[merged]
            merged = merged[merged >= 0]
        asked[self.source[self.source >= paths.n_edges] - paths.n_edges] |= 2
        return asked


@dataclass(frozen=True, eq=False)
class Tables:
    """Relevance by group and pattern.

    Attributes
    ----------
    groups : Groups
    rows : Tensor (n_values, n_rows, width)
        Of the features in their order, padded with zeros to whole vectors.
    """

    groups: Groups
    rows: Tensor

    def to(self, device: torch.device) -> Tables:
        return Tables(self.groups, self.rows.to(device))


def tabulate(
    trees: Trees,
    paths: Paths,
    groups: Groups,
    dtype: torch.dtype,
    reference: Tensor | None,
    weights: Tensor | None,
    index: Index,
    width: int,
) -> Tables:
    """Fill the tables: against the covers, or against reference rows' codes (n_used, n_reference) with weights."""
    n_values = trees.value.shape[1]
    out = torch.zeros(n_values, int(groups.row[-1]), width, dtype=dtype)
    n_literals = (groups.feature >= 0).sum(1)
    for D in range(1, BITS + 1):
        of_size = np.flatnonzero(n_literals == D)
        step = max(1, _MEMORY // (8 * 2**D * max(D, 4) + 8 * D * (1 << BITS)))
        for i in range(0, len(of_size), step):
            own = of_size[i : i + step]
            edges = groups.edge[own, :D]
            if reference is None:
                shares = _against_covers(torch.as_tensor(paths.z[edges]), index)
            else:
                assert weights is not None
                shares = _against_rows(paths, edges, reference, weights, index)
            values = torch.as_tensor(trees.value[paths.node[groups.leaf[own]]])
            _scatter(out, groups, own, D, shares, values)
    return Tables(groups, out)


def _scatter(out: Tensor, groups: Groups, own: np.ndarray, D: int, shares: Tensor, values: Tensor) -> None:
    """Add leaves' shares (n_leaves, 2 ** D, D) at every pattern of their groups."""
    n_bits = groups.n_bits[groups.group[own]]
    flat, width = out.view(len(out), -1), out.shape[2]
    for bits in np.unique(n_bits).tolist():
        some = np.flatnonzero(n_bits == bits)
        leaves = own[some]
        pattern = torch.arange(1 << bits)
        held = torch.zeros(len(leaves), 1 << bits, dtype=torch.long)
        for j in range(D):
            mask, wanted = (torch.as_tensor(a[leaves, j])[:, None] for a in (groups.mask, groups.wanted))
            held |= ((pattern & mask) == wanted).long() << j
        begin = torch.as_tensor(groups.row[groups.group[leaves]])[:, None] + pattern
        found = shares[torch.as_tensor(some)[:, None], held]  # (n_leaves, 2 ** bits, D)
        feature = torch.as_tensor(groups.feature[leaves, :D])
        at = (begin * width)[:, :, None] + feature[:, None]
        for k in range(len(out)):
            amount = found * values[torch.as_tensor(some), k][:, None, None]
            flat[k].index_add_(0, at.flatten(), amount.flatten().to(out.dtype))


def _against_covers(z: Tensor, index: Index) -> Tensor:
    """Shares of D literals with cover probabilities z (n_leaves, D), at every set that holds: (n_leaves, 2 ** D, D)."""
    n, D = z.shape
    (q,), points, weights = rules_of(np.array([D]), torch.float64, index)
    t, weight = torch.as_tensor(points[q, :q]), torch.as_tensor(weights[q, :q])
    holds, fails = z[:, :, None] + (1 - z[:, :, None]) * t, z[:, :, None] * (1 - t)  # (n_leaves, D, n_points)
    product = weight.expand(n, 1, -1)
    for j in range(D):
        product = torch.cat([product * fails[:, j, None], product * holds[:, j, None]], 1)
    on = torch.einsum("lsq,ljq->lsj", product, (1 - z[:, :, None]) / holds)
    off = torch.einsum("lsq,q->ls", product, -1 / (1 - t))[:, :, None]
    return torch.where(_members(D), on, off)


def _against_rows(paths: Paths, edges: np.ndarray, reference: Tensor, weights: Tensor, index: Index) -> Tensor:
    """The same against reference rows, by how many of them satisfy each set of a leaf's literals."""
    n, D = edges.shape
    shares = torch.zeros(n, 2**D, D, dtype=torch.float64)
    between = _between(D, index).flatten(1)  # (2 ** D, 2 ** D * D), the reference row's set first
    step = max(1, _MEMORY // (16 * max(reference.shape[1], 1) * D))
    for i in range(0, n, step):
        held = merged(paths, edges[i : i + step].ravel(), reference).view(-1, D, reference.shape[1])
        pattern = torch.zeros(held.shape[0], held.shape[2], dtype=torch.long)
        for j in range(D):
            pattern |= held[:, j].long() << j
        count = torch.zeros(len(pattern), 2**D, dtype=torch.float64)
        count.scatter_add_(1, pattern, weights.double().expand(pattern.shape))
        shares[i : i + step] = (count @ between).view(-1, 2**D, D)
    return shares


def _between(D: int, index: Index) -> Tensor:
    """``v = 1``: share of literal i where the reference row satisfies T and x satisfies S, (T, S, i)."""
    member = _members(D)
    only_x = member[None] & ~member[:, None]  # (T, S, i)
    only_other = member[:, None] & ~member[None]
    p, q = only_x.sum(2), only_other.sum(2)
    valid = (member[None] | member[:, None]).all(2)
    gain, loss = (torch.as_tensor(part)[q, p, None] for part in shares_between(D, index))
    return (only_x * gain - only_other * loss) * valid[:, :, None]


def _members(D: int) -> Tensor:
    """Which of D literals are in each set, bool (2 ** D, D)."""
    return (torch.arange(2**D)[:, None] >> torch.arange(D)) % 2 == 1


def merged(paths: Paths, edges: np.ndarray, codes: Tensor) -> Tensor:
    """Whether the merged literals that end in edges hold, bool (n_edges, n_samples)."""
    held = satisfied(paths, edges, codes)
    above = paths.above_edge[edges]
    while (above >= 0).any():
        rows = np.flatnonzero(above >= 0)
        at = torch.as_tensor(rows, device=codes.device)
        held[at] &= satisfied(paths, above[rows], codes)
        above = np.where(above >= 0, paths.above_edge[above], -1)
    return held


def _patterns(paths: Paths, groups: Groups, codes: Tensor, first: int, last: int) -> Tensor:
    """The table row of each group of a range for each row, int64 (n_groups, n_samples)."""
    source = groups.source[first:last]
    edges, place = np.unique(source[source >= 0], return_inverse=True)
    single = edges >= paths.n_edges
    held = torch.cat([
        merged(paths, edges[~single], codes), satisfied(paths, edges[single] - paths.n_edges, codes)
    ])  # fmt: skip
    where = np.full(source.shape, -1)
    where[source >= 0] = place
    index = torch.as_tensor(groups.row[first:last], device=codes.device)[:, None].repeat(1, codes.shape[1])
    for k in range(source.shape[1]):
        rows = np.flatnonzero(where[:, k] >= 0)
        bit = held[torch.as_tensor(where[rows, k], device=codes.device)].long() << k
        index.index_add_(0, torch.as_tensor(rows, device=codes.device), bit)
    return index


def look_up(trees: Trees, paths: Paths, tables: Tables, codes: Tensor, slope: Tensor, outputs: np.ndarray) -> Tensor:
    """``Σ_k slope_k φ_k`` as embeddings in torch, (n_used, n_samples)."""
    phi = slope.new_zeros(len(slope), tables.rows.shape[2])
    for first, last in _ranges(tables.groups, codes.shape[1]):
        index = _patterns(paths, tables.groups, codes, first, last).t()
        begin, end = tables.groups.row[first], tables.groups.row[last]
        for k in range(tables.rows.shape[0]):
            if trees.output is None:
                weight = slope[:, k : k + 1].expand(-1, last - first)
            else:
                weight = slope[:, torch.as_tensor(outputs[tables.groups.tree[first:last]], device=slope.device)]
            phi += torch.nn.functional.embedding_bag(
                index - begin, tables.rows[k, begin:end], mode="sum", per_sample_weights=weight.contiguous()
            )
    return phi[:, : len(codes)].t()


def _ranges(groups: Groups, n_samples: int) -> Iterator[tuple[int, int]]:
    size = max(1, (1 << 22) // max(n_samples, 1))
    for first in range(0, groups.n_groups, size):
        yield first, min(first + size, groups.n_groups)
