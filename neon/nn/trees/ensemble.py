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
        integers = {name: np.array(array, dtype=np.int64).ravel() for name, array in whole.items()}
        roots, left, right, feature = integers.values()
        n_nodes = len(feature)
        leaf = left < 0
        values = np.array(value, dtype=np.float64).reshape(n_nodes, -1)
        bases = np.atleast_1d(np.array(base, dtype=np.float64))
        covers = np.array(cover, dtype=np.float64).ravel()
        missing = np.broadcast_to(np.asarray(missing_left, dtype=bool), n_nodes).copy()
        outputs = None if output is None else np.array(output, dtype=np.int64).ravel()
        left_sets = {int(n): np.unique(np.asarray(c, dtype=np.int64)) for n, c in (categories or {}).items()}
        thresholds = _rounded(np.array(threshold, dtype=np.float64).ravel(), precision, strict)
        thresholds[leaf] = np.nan
        thresholds[list(left_sets)] = np.nan
        feature[leaf] = -1
        paths = None if path_value is None else np.array(path_value, dtype=np.float64).reshape(n_nodes, -1)

        for name, array in {"left": left, "right": right, "threshold": thresholds, "cover": covers}.items():
            if len(array) != n_nodes:
                raise ValueError(f"{name} has {len(array)} entries, feature has {n_nodes}")
        children = np.concatenate([left[~leaf], right[~leaf]])
        parents = np.tile(np.flatnonzero(~leaf), 2)
        every = np.sort(np.concatenate([roots, children]))
        if (leaf != (right < 0)).any() or not np.array_equal(every, np.arange(n_nodes)):
            raise ValueError("every node must be a root or the child of exactly one node with two children")
        if (children <= parents).any():
            raise ValueError("nodes must stand before their children")
        if (feature[~leaf] < 0).any() or (feature >= n_features).any():
            raise ValueError(f"split features must lie in 0..{n_features - 1}")
        if not (covers[leaf] >= 0).all() or not np.isfinite(covers[leaf]).all():
            raise ValueError("covers of leaves must be finite and >= 0")
        categorical = np.zeros(n_nodes, dtype=bool)
        categorical[list(left_sets)] = True
        if (categorical & leaf).any() or np.isnan(thresholds[~leaf & ~categorical]).any():
            raise ValueError("every inner node needs a threshold or categories, and no leaf any")
        both = np.intersect1d(feature[categorical], feature[~leaf & ~categorical])
        if len(both):
            raise ValueError(f"features {both.tolist()} have both categorical and numeric splits")
        if any((c < 0).any() for c in left_sets.values()):
            raise ValueError("categories must be >= 0")
        if outputs is None and values.shape[1] != len(bases):
            raise ValueError(f"value has {values.shape[1]} columns for {len(bases)} outputs; give output= or base=")
        if outputs is not None:
            if values.shape[1] != 1 or len(outputs) != len(roots):
                raise ValueError("with output=, each tree has a single value and one output")
            if ((outputs < 0) | (outputs >= len(bases))).any():
                raise ValueError(f"output must lie in 0..{len(bases) - 1}")
        if not np.isfinite(values[leaf]).all():
            raise ValueError("leaf values must be finite")
        if paths is not None and paths.shape != values.shape:
            raise ValueError(f"path_value has shape {paths.shape}, value {values.shape}")

        for level in reversed(_levels(roots, left, right)):
            inner = level[~leaf[level]]
            a, b = left[inner], right[inner]
            covers[inner] = covers[a] + covers[b]
            share = np.divide(covers[a], covers[inner], out=np.full(len(inner), 0.5), where=covers[inner] > 0)[:, None]
            values[inner] = share * values[a] + (1 - share) * values[b]
        return cls(
            n_features=n_features,
            roots=roots,
            left=left,
            right=right,
            feature=feature,
            threshold=thresholds,
            missing_left=missing,
            cover=covers,
            value=values,
            base=bases,
            output=outputs,
            strict=strict,
            precision=precision,
            categories=left_sets,
            path_value=paths,
        )

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
        return _levels(self.roots, self.left, self.right)


def _levels(roots: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    levels, level = [], roots
    while len(level):
        levels.append(level)
        inner = level[left[level] >= 0]
        level = np.concatenate([left[inner], right[inner]])
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
