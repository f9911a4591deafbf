"""scikit-learn's trees and forests: DecisionTree*, ExtraTree*, RandomForest*, ExtraTrees*.

Rows are compared in float32, thresholds in float64; missing values go where training sent them, or with the majority.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, converter, targets
from neon.converters.meta.mean_of_members import Members, prediction_variance
from neon.converters.trees.build import RawScores, Tree, convert_trees, join
from neon.nn.trees import Trees

__all__ = ["convert_forest", "convert_means", "convert_tree", "node_values", "read_tree", "takes_missing"]

_KINDS = ("Classifier", "Regressor")


@converter(*(f"sklearn.tree.{name}{kind}" for name in ("DecisionTree", "ExtraTree") for kind in _KINDS))
def convert_tree(model: Any, ask: Ask) -> Conversion:
    """The predicted value, or the probability of each class: what the leaf holds."""
    return _convert([model], model, ask)


@converter(
    *(f"sklearn.ensemble.{name}{kind}" for name in ("RandomForest", "ExtraTrees") for kind in _KINDS),
    "imblearn.ensemble.BalancedRandomForestClassifier",
)
def convert_forest(model: Any, ask: Ask) -> Conversion:
    """The trees' mean, or the variance of what they predict."""
    if ask.output == "variance" and not hasattr(model, "classes_"):
        return prediction_variance(Members.numbered(model, ask, [None] * len(model.estimators_)))
    return _convert(model.estimators_, model, ask)


def read_tree(tree: Any, value: np.ndarray, features: np.ndarray | None = None) -> Tree:
    """A fitted ``sklearn.tree._tree.Tree`` with leaf values (n_nodes, n_values), on these columns of the input."""
    feature = tree.feature if features is None else np.asarray(features)[np.maximum(tree.feature, 0)]
    return Tree(
        tree.children_left,
        tree.children_right,
        feature,
        tree.threshold,
        tree.missing_go_to_left.astype(bool),
        tree.weighted_n_node_samples,
        value,
    )


def node_values(model: Any) -> np.ndarray:
    """What a tree estimator predicts at each node: (n_nodes, n_values), classes of several targets side by side."""
    held = model.tree_.value  # (n_nodes, n_targets, most classes of any target)
    if not hasattr(model, "classes_"):
        return held[:, :, 0]
    return np.concatenate([held[:, i, :n] for i, n in enumerate(np.atleast_1d(model.n_classes_))], axis=1)


def takes_missing(model: Any) -> bool:
    """Whether a tree estimator accepts NaN, whatever it was fitted on; with monotonic constraints, by its version."""
    return bool(model._support_missing_values(np.zeros((1, 1))))


def _convert(members: Any, model: Any, ask: Ask) -> Conversion:
    choices = ("probability",) if hasattr(model, "classes_") else ("predict",)
    ask.choose(*choices, *(("variance",) if choices == ("predict",) and len(members) > 1 else ()))
    values = [node_values(member) / len(members) for member in members]
    trees = join(
        [read_tree(member.tree_, value) for member, value in zip(members, values, strict=True)],
        n_features=model.n_features_in_,
        base=np.zeros(values[0].shape[1]),
        precision="float32",
    )
    return convert_means(model, trees, missing=takes_missing(members[0]))


def convert_means(model: Any, trees: Trees, *, missing: bool) -> Conversion:
    """The predicted values, or the probability of each class, as the sum of what the trees hold."""
    if not hasattr(model, "classes_"):
        scores = RawScores("predicted value", answers.prediction(), targets(trees.n_outputs))
        return convert_trees(trees, scores, model.predict, missing=missing)
    if isinstance(model.classes_, list):
        names = [f"target {i}: {label}" for i, labels in enumerate(model.classes_) for label in labels]
        own = lambda X: np.concatenate(model.predict_proba(X), axis=1)  # noqa: E731
        return convert_trees(trees, RawScores("probability of a class", {}, names), own, missing=missing)
    scores = RawScores("probability of a class", answers.probability(), model.classes_, model.classes_)
    return convert_trees(trees, scores, model.predict_proba, missing=missing)
