"""Isolation forests: how much sooner than a typical point a row is isolated.

Liu, Ting & Zhou 2008, "Isolation Forest".
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter
from neon.converters.trees.build import RawScores, Tree, convert_trees, join
from neon.converters.trees.decision_trees import read_tree

__all__ = ["convert_isolation", "expected_depth"]


@converter("sklearn.ensemble.IsolationForest")
def convert_isolation(model: Any, ask: Ask) -> Conversion:
    """``o = c(ψ) log2(s / s_0) = -E[h] - c(ψ) log2 s_0``, above 0 exactly for anomalies.

    h is the depth at which a tree of ψ rows isolates x, c(ψ) its expectation for a typical row, s = 2^(-E[h] / c(ψ))
    the score and s_0 the one from which the model calls rows anomalous: 1/2, unless it was told their share; then
    o = c(ψ) - E[h]. A leaf that still holds n rows counts as if it went c(n) deeper, and so does every inner node for
    the path rule, which then adds up to o without a remainder.
    """
    ask.choose("outlierness")
    psi = float(expected_depth(np.array([model._max_samples]))[0])
    columns = np.arange(model.n_features_in_)
    base = -psi * np.log2(-model.offset_)
    trees = join(
        [
            _read(member.tree_, columns[features], len(model.estimators_))
            for member, features in zip(model.estimators_, model.estimators_features_, strict=True)
        ],
        n_features=model.n_features_in_,
        base=base,
        precision="float32",
    )
    words = (
        "outlierness: by how many splits sooner than the decision threshold the row is isolated, above 0 for outliers"
    )
    return convert_trees(
        trees,
        RawScores(words, {}, ["outlierness"]),
        lambda X: psi * np.log2(-model.score_samples(X)) + base,
        missing=True,
    )


def expected_depth(n: np.ndarray) -> np.ndarray:
    """``c(n) = 2 H(n - 1) - 2 (n - 1) / n``: the mean depth of n leaves of a random tree, H by its approximation."""
    n = np.asarray(n, dtype=np.float64)
    large = np.maximum(n, 3)
    depth = 2 * (np.log(large - 1) + np.euler_gamma) - 2 * (large - 1) / large
    return np.where(n > 2, depth, np.where(n > 1, 1.0, 0.0))


def _read(tree: Any, columns: np.ndarray, n_trees: int) -> Tree:
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(tree.children_left >= 0):  # parents stand before their children
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    value = -(depth + expected_depth(tree.n_node_samples))[:, None] / n_trees
    return dataclasses.replace(read_tree(tree, value, columns), path_value=value)
