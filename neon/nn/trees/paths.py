"""The edges of an ensemble in depth-first order: one literal each, merged per feature along the path.

An edge from a split on feature f is satisfied by the codes of f that take it. All literals on f along a path merge into
one: satisfied where all of them are, with probability z under the covers, the product of their cover ratios. An edge
therefore knows the nearest edge above on the same feature, and z before and after.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from neon.nn.trees.ensemble import Trees
from neon.nn.trees.routing import Codes

__all__ = ["Paths"]


@dataclass(frozen=True, eq=False)
class Paths:
    """Edges of all trees, depth first; every array but the last few has one entry for each edge.

    Attributes
    ----------
    node : int
        The lower end, as a row of the `Trees`.
    depth : int
        Depth of the lower end: 1 below a root.
    parent : int
        The edge above, -1 below a root.
    above : int
        Depth of the nearest edge above on the same feature, 0 where there is none.
    above_edge : int
        That edge, -1 where there is none.
    slot, length : int
        Which of the merged literals on the path the edge belongs to, in the order of first appearance; how many there
        are down to the edge.
    feature : int
        Position among the used features.
    low, high, offset, side
        The edge is taken where ``(low <= code <= high) == side``, or where ``table[offset + code] == side``.
    ratio, z_above, z : float
        Cover of the lower end over that of the upper; product of the ratios of this feature's edges on the path,
        without and with this one.
    leaf : bool
    skip : int
        The first edge after those below this one.
    start : (n_trees + 1,)
        Where each tree's edges begin.
    n_literals : (n_trees,)
        The largest number of features on a path.
    max_depth : int
    table : uint8
    codes : Codes
    """

    node: np.ndarray
    depth: np.ndarray
    parent: np.ndarray
    above: np.ndarray
    above_edge: np.ndarray
    slot: np.ndarray
    length: np.ndarray
    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray
    offset: np.ndarray
    side: np.ndarray
    ratio: np.ndarray
    z_above: np.ndarray
    z: np.ndarray
    leaf: np.ndarray
    skip: np.ndarray
    start: np.ndarray
    n_literals: np.ndarray
    max_depth: int
    table: np.ndarray
    codes: Codes

    @classmethod
    def of(cls, trees: Trees) -> Paths:
        """The edges of an ensemble."""
        codes = Codes.of(trees)
        n = trees.n_nodes
        levels = trees.levels()
        parent = np.full(n, -1)
        size = np.ones(n, dtype=np.int64)
        inner = np.flatnonzero(trees.left >= 0)
        for children in (trees.left, trees.right):
            parent[children[inner]] = inner
        for level in reversed(levels[1:]):
            np.add.at(size, parent[level], size[level])
        below = parent >= 0
        cover = trees.cover
        upper = cover[parent] * below
        ratio = np.divide(cover, upper, out=np.full(n, 0.5), where=upper > 0)
        feature = np.where(below, np.searchsorted(codes.used, trees.feature[parent]), -1)

        position = np.zeros(n, dtype=np.int64)
        position[trees.roots] = np.cumsum(size[trees.roots]) - size[trees.roots]
        tree = np.zeros(n, dtype=np.int64)
        tree[trees.roots] = np.arange(trees.n_trees)
        depth, above = np.zeros(n, dtype=np.int32), _same_feature(parent, feature)
        z_above, z = np.ones(n), np.ones(n)
        literals, slot = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        is_left = np.zeros(n, dtype=bool)
        is_left[trees.left[inner]] = True
        for d, level in enumerate(levels[1:], 1):
            p, a = parent[level], above[level]
            position[level] = position[p] + 1 + np.where(is_left[level], 0, size[trees.left[p]])
            tree[level] = tree[p]
            depth[level] = d
            z_above[level] = np.where(a >= 0, z[a], 1.0)
            z[level] = z_above[level] * ratio[level]
            literals[level] = literals[p] + (a < 0)
            slot[level] = np.where(a < 0, literals[p], slot[a])

        low, high, offset, table = codes.left_sets(trees)
        n_literals = np.zeros(trees.n_trees, dtype=np.int64)
        np.maximum.at(n_literals, tree, literals)
        order = np.argsort(position)
        order = order[below[order]]
        p, a = parent[order], above[order]
        edge = np.where(below, position - tree - 1, -1)
        start = np.concatenate([[0], np.cumsum(size[trees.roots] - 1)])
        return cls(
            node=order,
            depth=depth[order],
            parent=edge[p],
            above=np.where(a >= 0, depth[a], 0).astype(np.int32),
            above_edge=np.where(a >= 0, edge[a], -1),
            slot=slot[order],
            length=literals[order],
            feature=feature[order].astype(np.int32),
            low=low[p],
            high=high[p],
            offset=offset[p],
            side=is_left[order].astype(np.uint8),
            ratio=ratio[order],
            z_above=z_above[order],
            z=z[order],
            leaf=trees.left[order] < 0,
            skip=edge[order] + size[order],
            start=start,
            n_literals=n_literals,
            max_depth=len(levels) - 1,
            table=table,
            codes=codes,
        )

    @property
    def n_edges(self) -> int:
        return len(self.node)

    @functools.cached_property
    def literals(self) -> tuple[np.ndarray, np.ndarray]:
        """Every leaf's literals, leaf by leaf: its number, and the lowest edge of a feature on its path."""
        leaves = np.flatnonzero(self.leaf)
        further_up = np.zeros((len(leaves), self.max_depth + 1), dtype=bool)  # a lower edge is on the same feature
        number, at = np.arange(len(leaves)), leaves
        found = [(number[:0], at[:0])]
        while len(at):
            lowest = ~further_up[number, self.depth[at]]
            found.append((number[lowest], at[lowest]))
            further_up[number, self.above[at]] = True
            at = self.parent[at]
            number, at = number[at >= 0], at[at >= 0]
        leaf, edge = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(leaf, kind="stable")
        return leaf[order], edge[order]

    def tree(self, edges: np.ndarray) -> np.ndarray:
        """The tree that each edge belongs to."""
        return np.searchsorted(self.start, edges, side="right") - 1


def _same_feature(parent: np.ndarray, feature: np.ndarray) -> np.ndarray:
    """The nearest node above whose edge is on the same feature, -1 where there is none."""
    found = np.full(len(parent), -1)
    searching = np.flatnonzero(parent >= 0)
    at = parent[searching]
    while len(searching):
        hit = feature[at] == feature[searching]
        found[searching[hit]] = at[hit]
        go_on = ~hit & (parent[at] >= 0)
        searching, at = searching[go_on], parent[at[go_on]]
    return found
