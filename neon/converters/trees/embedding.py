"""Leaves as features: RandomTreesEmbedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter, dense, names_of
from neon.converters.trees.build import RawScores, convert_trees, join
from neon.converters.trees.decision_trees import read_tree

__all__ = ["convert_embedding"]


@converter("sklearn.ensemble.RandomTreesEmbedding")
def convert_embedding(model: Any, ask: Ask) -> Conversion:
    """An output for each leaf of each tree: 1 where the row ends, 0 elsewhere."""
    ask.choose("transform")
    sizes = [member.get_n_leaves() for member in model.estimators_]
    n, trees = sum(sizes), []
    for member, stop in zip(model.estimators_, np.cumsum(sizes), strict=True):
        leaves = np.flatnonzero(member.tree_.children_left < 0)
        value = np.zeros((member.tree_.node_count, n))
        value[leaves, stop - len(leaves) + np.arange(len(leaves))] = 1.0
        trees.append(read_tree(member.tree_, value))
    joined = join(trees, n_features=int(model.n_features_in_), base=np.zeros(n), precision="float32")
    scores = RawScores("whether a leaf is reached", {}, names_of(model, n))
    return convert_trees(joined, scores, lambda X: dense(model.transform(X)))
