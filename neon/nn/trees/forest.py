"""A tree ensemble made ready to run: its edges, its codes, and what else is derived from it once."""

from __future__ import annotations

import functools
import threading
from collections import namedtuple
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.nn.trees.ensemble import Trees
from neon.nn.trees.paths import Paths
from neon.nn.trees.quadrature import rules_of
from neon.nn.trees.routing import Codes
from neon.nn.trees.tables import Groups, Tables

__all__ = ["Forest"]

LANES = 4  # numbers of one vector instruction
_OF_PATHS = [
    "start", "depth", "above", "above_edge", "slot", "length", "feature", "low", "high", "offset", "side", "table",
    "ratio", "z_above", "z", "leaf", "skip", "max_depth",
]  # fmt: skip
# What the compiled loops read of edges: fields of `Paths`, the most edges of a tree, the value at each edge's lower
# end, and each tree's output.
Edges = namedtuple("Edges", [*_OF_PATHS, "longest", "values", "output"])  # type: ignore[misc]


class Forest:
    """What is derived from `Trees` once. Pickles and copies as the trees alone."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.lock = threading.Lock()
        self.tables: dict[Any, Tables] = {}  # those that were built, see `neon.nn.trees.engine`
        self._codes: dict[torch.device, Codes] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"trees": self.trees}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["trees"])  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> Forest:
        return Forest(self.trees)

    @functools.cached_property
    def paths(self) -> Paths:
        return Paths.of(self.trees)

    def placed(self, part: Tensor, n_features: int) -> Tensor:
        """What used features have, in the places of all features: on every axis but the first, that of samples."""
        used = torch.as_tensor(self.paths.codes.used, device=part.device)
        for axis in range(1, part.ndim):
            shape = list(part.shape)
            shape[axis] = n_features
            part = part.new_zeros(shape).index_copy_(axis, used, part)
        return part

    @functools.cached_property
    def outputs(self) -> np.ndarray:
        """The output of each tree with a single value, int64 (n_trees,)."""
        trees = self.trees
        return np.zeros(trees.n_trees, dtype=np.int64) if trees.output is None else trees.output

    @functools.cached_property
    def nodes(self) -> np.ndarray:
        """What a walk reads at a node: used feature, low, high, offset, left, right; int32 (n_nodes, 6).

        Leaves are their own children.
        """
        trees, codes = self.trees, self.paths.codes
        low, high, offset, _ = codes.left_sets(trees)
        feature = np.searchsorted(codes.used, np.maximum(trees.feature, 0)).clip(max=max(len(codes.used) - 1, 0))
        own = np.arange(trees.n_nodes)
        children = (np.where(child < 0, own, child) for child in (trees.left, trees.right))
        return np.stack([feature, low, high, offset, *children], axis=1).astype(np.int32)

    @functools.cached_property
    def heights(self) -> np.ndarray:
        """The depth of each tree's deepest leaf, (n_trees,)."""
        heights = np.zeros(self.trees.n_trees, dtype=np.int64)
        np.maximum.at(heights, self.paths.tree(np.arange(self.paths.n_edges)), self.paths.depth)
        return heights

    @property
    def walked(self) -> tuple[np.ndarray, ...]:
        """What the compiled loops read on the way down: nodes, table, roots, heights, outputs."""
        return self.nodes, self.paths.table, self.trees.roots, self.heights, self.outputs

    @functools.cached_property
    def edges(self) -> Edges:
        paths, values = self.paths, np.ascontiguousarray(self.trees.value[self.paths.node])
        longest = int(np.diff(paths.start).max(initial=0))
        return Edges._make([*(getattr(paths, name) for name in _OF_PATHS), longest, values, self.outputs])

    @functools.cached_property
    def longest_below(self) -> np.ndarray:
        """The most features on the path of any leaf that an edge leads to, (n_edges,)."""
        paths = self.paths
        longest = np.where(paths.leaf, paths.length, 0)
        for d in range(paths.max_depth, 1, -1):
            level = np.flatnonzero(paths.depth == d)
            np.maximum.at(longest, paths.parent[level], longest[level])
        return longest

    @functools.cached_property
    def rules(self) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Quadrature rules of trees by how many points these take at most, a whole number of vectors.

        That number, the trees, how many points each tree takes, and the points and weights of every number of them,
        (most + 1, width): those that fill a vector up lie in the middle and have weight 0.
        """
        each, points, weights = rules_of(self.paths.n_literals, torch.float64, "shapley")
        found = []
        for width in np.unique(-(-each // LANES) * LANES).tolist():
            spare = ((0, 0), (0, max(width - points.shape[1], 0)))
            t, w = (np.pad(part, spare)[:, :width].copy() for part in (points, weights))
            t[w == 0] = 0.5
            trees = np.flatnonzero((each > width - LANES) & (each <= width))
            found.append((width, trees, each, t, w))
        return found

    @functools.cached_property
    def by_length(self) -> tuple[np.ndarray, np.ndarray]:
        """How many leaves have a path of each number of features, and how many edges lead to leaves with more."""
        paths, n = self.paths, int(self.paths.length.max(initial=0)) + 1
        leaves = np.bincount(paths.length[paths.leaf], minlength=n)
        return leaves, paths.n_edges - np.bincount(self.longest_below, minlength=n).cumsum()

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """What the value of each node adds to its parent's, by the values of the path rule, (n_nodes, n_values)."""
        trees = self.trees
        values = trees.value if trees.path_value is None else trees.path_value
        steps = np.zeros_like(values)
        inner = np.flatnonzero(trees.left >= 0)
        for children in (trees.left[inner], trees.right[inner]):
            steps[children] = values[children] - values[inner]
        return steps

    @functools.cached_property
    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """For the equal rule: each leaf's share (n_nodes, n_values), and which nodes start a literal (n_nodes,)."""
        trees, paths = self.trees, self.paths
        is_first = np.zeros(trees.n_nodes, dtype=bool)
        is_first[paths.node] = paths.above == 0
        n_literals, root = np.zeros(trees.n_nodes), np.arange(trees.n_nodes)
        for level in trees.levels():
            inner = level[trees.left[level] >= 0]
            for children in (trees.left[inner], trees.right[inner]):
                n_literals[children] = n_literals[inner] + is_first[children]
                root[children] = root[inner]
        return (trees.value - trees.value[root]) / np.maximum(n_literals, 1)[:, None], is_first

    @functools.cached_property
    def groups(self) -> Groups:
        return Groups.of(self.trees, self.paths)

    @functools.cached_property
    def asked(self) -> np.ndarray:
        return self.groups.asked(self.paths)

    def codes_on(self, device: torch.device) -> Codes:
        """What makes codes of rows on a device."""
        if device not in self._codes:
            self._codes[device] = self.paths.codes.to(device)
        return self._codes[device]
