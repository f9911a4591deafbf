"""Bags of trees, of forests and of such bags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion
from neon.converters.core.registry import bare
from neon.converters.trees.build import Tree, join
from neon.converters.trees.decision_trees import convert_means, node_values, read_tree
from neon.errors import UnsupportedModelError

__all__ = ["convert_bagging"]


def convert_bagging(model: Any, ask: Ask) -> Conversion:
    """The mean of what trees, or forests, predict from their columns."""
    classifies = hasattr(model, "classes_")
    ask.choose(*(("probability",) if classifies else ("predict", "variance")))
    trees = list(_members(model, np.arange(model.n_features_in_), 1.0, len(model.classes_) if classifies else None))
    n_values = trees[0].value.shape[1]
    joined = join(trees, n_features=model.n_features_in_, base=np.zeros(n_values), precision="float32")
    return convert_means(model, joined, missing=bool(model.__sklearn_tags__().input_tags.allow_nan))


def _members(model: Any, columns: np.ndarray, scale: float, n_classes: int | None) -> Iterator[Tree]:
    """The trees of trees, forests and bags, on columns of the input, their values times ``scale``."""
    model = bare(model)
    if hasattr(model, "tree_"):
        value = scale * node_values(model)
        if n_classes is not None:  # a bag's member may know only some classes, by their place among all
            held, value = value, np.zeros((len(value), n_classes))
            value[:, np.asarray(model.classes_, dtype=np.int64)] = held
        yield read_tree(model.tree_, value, columns)
        return
    name = type(model).__name__
    if not name.removeprefix("Balanced").startswith(("Bagging", "RandomForest", "ExtraTrees")):
        raise UnsupportedModelError(f"a bag of {name}; the converter takes bags of trees, of forests and of such bags")
    chosen = getattr(model, "estimators_features_", [slice(None)] * len(model.estimators_))
    for member, features in zip(model.estimators_, chosen, strict=True):
        yield from _members(member, columns[features], scale / len(model.estimators_), n_classes)
