"""A fitted tree ensemble as flat arrays: what every library's trees are read into, and all that the engine sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Trees"]


@dataclass(frozen=True, eq=False)
class Trees:
    """Decision trees whose leaf values add up: ``f_k(x) = base_k + Σ_t value[leaf of t that x reaches]``.

    Nodes of all trees stand one after the other, each before its children. A row goes left at node n

    - where the feature is missing (NaN): if ``missing_left[n]``;
    - where n has ``categories``: if the value, its fraction cut off, is one of them;
    - else: if ``x <= threshold`` (``strict``: ``x < threshold``), both sides rounded to ``precision`` before: x to the
      nearest float, the threshold to the next lower one (``strict``: higher), which changes no comparison.

    Attributes
    ----------
    n_features : int
    roots : ndarray of int (n_trees,)
    left, right : ndarray of int (n_nodes,)
        Rows of the children; -1 at leaves.
    feature : ndarray of int (n_nodes,)
        -1 at leaves.
    threshold : ndarray (n_nodes,)
        NaN at leaves and at categorical splits; +inf sends every value that is not missing to the left.
    missing_left : ndarray of bool (n_nodes,)
    cover : ndarray (n_nodes,)
        Training weight that passed through each node. Children need not add up exactly; ratios ``child / parent``
        are taken after each parent's cover is recomputed as the sum of its children's. 0 is allowed.
    value : ndarray (n_nodes, n_values)
        Leaf values, scaled (learning rate, 1 / number of trees). At inner nodes the cover-weighted mean of the
        leaves below, computed by `make`; what libraries store there is not always that.
    output : ndarray of int (n_trees,), optional
        Which output a tree with ``n_values == 1`` adds to; None where each tree has a value for every output.
    base : ndarray (n_outputs,)
    strict : bool
    precision : "float32" or "float64"
    categories : mapping of node to ndarray of int
        The categories, as non-negative integers, that go left.
    path_value : ndarray (n_nodes, n_values), optional
        Other values for the path rule (isolation forests: depth + c(n), the expected depth of a leaf below n).
    """

    n_features: int
    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    cover: np.ndarray
    value: np.ndarray
    base: np.ndarray
    output: np.ndarray | None = None
    strict: bool = False
    precision: Literal["float32", "float64"] = "float64"
    categories: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)
    path_value: np.ndarray | None = None

    @classmethod
    def make(
        cls,
        *,
        n_features: int,
        roots: ArrayLike,
        left: ArrayLike,
        right: ArrayLike,
        feature: ArrayLike,
        threshold: ArrayLike,
        cover: ArrayLike,
        value: ArrayLike,
        base: ArrayLike = 0.0,
        missing_left: ArrayLike = False,
        output: ArrayLike | None = None,
        strict: bool = False,
        precision: Literal["float32", "float64"] = "float64",
        categories: Mapping[int, ArrayLike] | None = None,
        path_value: ArrayLike | None = None,
    ) -> Trees:
        """Check and complete what a library's dump holds.

        Covers of inner nodes become the sum of the leaves' below, values the cover-weighted mean of the children's;
        where both children have cover 0, the plain mean. Thresholds are rounded to the precision compared in. What is
        given at inner nodes for ``cover`` and ``value`` is not read; ``value`` and ``base`` may be flat where there is
        one value, ``missing_left`` a single truth value.

        Raises
        ------
        ValueError
            If the arrays do not describe trees.
        """
        whole = {"roots": roots, "left": left, "right": right, "feature": feature}
        nodes = {name: np.array(array, dtype=np.int64).ravel() for name, array in whole.items()}
        leaf, n_nodes = nodes["left"] < 0, len(nodes["feature"])
        left_sets = {int(n): np.unique(np.asarray(c, dtype=np.int64)) for n, c in (categories or {}).items()}
        thresholds = _rounded(np.array(threshold, dtype=np.float64).ravel(), precision, strict)
        thresholds[leaf] = np.nan
        thresholds[list(left_sets)] = np.nan
        nodes["feature"][leaf] = -1
        trees = cls(
            n_features=n_features,
            **nodes,
            threshold=thresholds,
            missing_left=np.broadcast_to(np.asarray(missing_left, dtype=bool), n_nodes).copy(),
            cover=np.array(cover, dtype=np.float64).ravel(),
            value=np.array(value, dtype=np.float64).reshape(n_nodes, -1),
            base=np.atleast_1d(np.array(base, dtype=np.float64)),
            output=None if output is None else np.array(output, dtype=np.int64).ravel(),
            strict=strict,
            precision=precision,
            categories=left_sets,
            path_value=None if path_value is None else np.array(path_value, dtype=np.float64).reshape(n_nodes, -1),
        )
        trees._check_nodes()
        trees._check_splits()
        trees._check_values()
        trees._complete()
        return trees

    def _check_nodes(self) -> None:
        left, right, leaf = self.left, self.right, self.left < 0
        for name, array in {"left": left, "right": right, "threshold": self.threshold, "cover": self.cover}.items():
            if len(array) != self.n_nodes:
                raise ValueError(f"{name} has {len(array)} entries, feature has {self.n_nodes}")
        children = np.concatenate([left[~leaf], right[~leaf]])
        every = np.sort(np.concatenate([self.roots, children]))
        if (leaf != (right < 0)).any() or not np.array_equal(every, np.arange(self.n_nodes)):
            raise ValueError("every node must be a root or the child of exactly one node with two children")
        if (children <= np.tile(np.flatnonzero(~leaf), 2)).any():
            raise ValueError("nodes must stand before their children")
        if not (self.cover[leaf] >= 0).all() or not np.isfinite(self.cover[leaf]).all():
            raise ValueError("covers of leaves must be finite and >= 0")

    def _check_splits(self) -> None:
        feature, leaf = self.feature, self.left < 0
        if (feature[~leaf] < 0).any() or (feature >= self.n_features).any():
            raise ValueError(f"split features must lie in 0..{self.n_features - 1}")
        categorical = np.zeros(self.n_nodes, dtype=bool)
        categorical[list(self.categories)] = True
        if (categorical & leaf).any() or np.isnan(self.threshold[~leaf & ~categorical]).any():
            raise ValueError("every inner node needs a threshold or categories, and no leaf any")
        both = np.intersect1d(feature[categorical], feature[~leaf & ~categorical])
        if len(both):
            raise ValueError(f"features {both.tolist()} have both categorical and numeric splits")
        if any((c < 0).any() for c in self.categories.values()):
            raise ValueError("categories must be >= 0")

    def _check_values(self) -> None:
        n_values, n_outputs = self.value.shape[1], self.n_outputs
        if self.output is None and n_values != n_outputs:
            raise ValueError(f"value has {n_values} columns for {n_outputs} outputs; give output= or base=")
        if self.output is not None:
            if n_values != 1 or len(self.output) != len(self.roots):
                raise ValueError("with output=, each tree has a single value and one output")
            if ((self.output < 0) | (self.output >= n_outputs)).any():
                raise ValueError(f"output must lie in 0..{n_outputs - 1}")
        if not np.isfinite(self.value[self.left < 0]).all():
            raise ValueError("leaf values must be finite")
        if self.path_value is not None and self.path_value.shape != self.value.shape:
            raise ValueError(f"path_value has shape {self.path_value.shape}, value {self.value.shape}")

    def _complete(self) -> None:
        """Covers and values of inner nodes, from those of their leaves."""
        cover, value = self.cover, self.value
        for level in reversed(self.levels()):
            inner = level[self.left[level] >= 0]
            a, b = self.left[inner], self.right[inner]
            cover[inner] = cover[a] + cover[b]
            share = np.divide(cover[a], cover[inner], out=np.full(len(inner), 0.5), where=cover[inner] > 0)[:, None]
            value[inner] = share * value[a] + (1 - share) * value[b]

    @property
    def n_trees(self) -> int:
        return len(self.roots)

    @property
    def n_nodes(self) -> int:
        return len(self.feature)

    @property
    def n_outputs(self) -> int:
        return len(self.base)

    @property
    def expectation(self) -> np.ndarray:
        """The mean of f under the covers, (n_outputs,)."""
        return self.total(self.value[self.roots])

    def total(self, values: np.ndarray) -> np.ndarray:
        """``base`` plus one value of each tree, (n_trees, n_values) -> (n_outputs,)."""
        if self.output is None:
            return self.base + values.sum(0)
        return self.base + np.bincount(self.output, weights=values[:, 0], minlength=self.n_outputs)

    def levels(self) -> list[np.ndarray]:
        """The nodes of each depth, roots first."""
        levels, level = [], self.roots
        while len(level):
            levels.append(level)
            inner = level[self.left[level] >= 0]
            level = np.concatenate([self.left[inner], self.right[inner]])
        return levels


def _rounded(threshold: np.ndarray, precision: str, strict: bool) -> np.ndarray:
    """``threshold`` as the floats that rows are compared with: the next lower float32 (``strict``: higher)."""
    if precision == "float64":
        return threshold
    if precision != "float32":
        raise ValueError(f'precision must be "float32" or "float64", got {precision!r}')
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    away = near < threshold if strict else near > threshold
    near[away] = np.nextafter(near[away], np.float32(np.inf if strict else -np.inf))
    return near.astype(np.float64)
