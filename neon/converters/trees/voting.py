"""Ensembles over trees: BaggingClassifier, BaggingRegressor, AdaBoostClassifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, check_several
from neon.converters.core.registry import bare
from neon.converters.trees.build import Scores, Tree, convert_trees, join
from neon.converters.trees.decision_trees import node_values, read_tree
from neon.errors import UnsupportedModelError

__all__ = ["convert_adaboost", "convert_bagging"]


def convert_bagging(model: Any, ask: Ask) -> Conversion:
    """The mean of what trees, or forests, predict from their columns."""
    classifies = hasattr(model, "classes_")
    ask.choose(*(("probability",) if classifies else ("predict",)))
    trees = list(_members(model, np.arange(model.n_features_in_), 1.0, len(model.classes_) if classifies else None))
    n_values = trees[0].value.shape[1]
    joined = join(trees, n_features=model.n_features_in_, base=np.zeros(n_values), precision="float32")
    missing = bool(model.__sklearn_tags__().input_tags.allow_nan)
    if classifies:
        scores = Scores("probability of a class", answers.probability(), model.classes_, model.classes_)
        return convert_trees(joined, scores, model.predict_proba, missing=missing)
    names = ["prediction"] if n_values == 1 else [f"target {i}" for i in range(n_values)]
    scores = Scores("predicted value", answers.prediction(), names)
    return convert_trees(joined, scores, model.predict, missing=missing)


def convert_adaboost(model: Any, ask: Ask) -> Conversion:
    """The decision function: each tree votes for one class with its weight, and against each other with a share of it.

    ``f_c = Σ_t w_t (1 if t votes c else -1 / (K - 1)) / Σ_t w_t`` for K classes; of two classes ``f_1 - f_0``.
    """
    ask.choose("decision_function")
    check_several(model)
    n_classes = len(model.classes_)
    weights = model.estimator_weights_ / model.estimator_weights_.sum()
    trees = []
    for member, weight in zip(model.estimators_, weights, strict=False):
        if not hasattr(member, "tree_"):
            raise _refusal(model, member)
        labels = member.classes_[node_values(member).argmax(axis=1)]
        votes = np.where(labels[:, None] == model.classes_, weight, -weight / (n_classes - 1))
        trees.append(read_tree(member.tree_, votes[:, 1:] - votes[:, :1] if n_classes == 2 else votes))
    joined = join(trees, n_features=model.n_features_in_, base=np.zeros(trees[0].value.shape[1]), precision="float32")
    words = "decision function: weighted votes for a class"
    scores = Scores(words, answers.weighted_votes(n_classes), model.classes_, model.classes_)
    return convert_trees(joined, scores, model.decision_function)


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


def _refusal(model: Any, member: Any) -> UnsupportedModelError:
    return UnsupportedModelError(f"{type(model).__name__} over {type(member).__name__}; the converter takes trees")
