"""AdaBoost: weighted votes, and for regressors a weighted median; of trees as one ensemble."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, check_several, converter, signed
from neon.converters.core.members import predicted
from neon.converters.meta.mean_of_members import Members, counted_votes
from neon.converters.trees.build import RawScores, convert_trees, join
from neon.converters.trees.decision_trees import node_values, read_tree
from neon.nn import TwoClass
from neon.nn.pooling.weighted_median import WeightedMedian

__all__ = ["convert_classifier", "convert_regressor"]

_VOTES = "decision function: weighted votes for a class"


@converter("sklearn.ensemble.AdaBoostClassifier", "imblearn.ensemble.RUSBoostClassifier")
def convert_classifier(model: Any, ask: Ask) -> Conversion:
    """The decision function: each member's weighted vote for one class, and a share of it against each other.

    ``f_c = Σ_m w_m (1 if m votes c else -1 / (K - 1)) / Σ_m w_m`` for K classes; of two classes ``f_1 - f_0``.
    """
    ask.choose("decision_function")
    check_several(model)
    n = len(model.classes_)
    weights = np.asarray(model.estimator_weights_)[: len(model.estimators_)] / model.estimator_weights_.sum()
    if _of_trees(model):
        return _votes_of_trees(model, weights)
    share = np.eye(n) - (1 - np.eye(n)) / (n - 1)  # of a vote for one class, to each
    return dataclasses.replace(
        counted_votes(_on_arrays(model, ask), weights, share[[1]] - share[[0]] if n == 2 else share),
        explains=_VOTES,
        own=lambda X: signed(model.decision_function(X)),
        pair=TwoClass() if n == 2 else None,
        answers=answers.weighted_votes(n),
        predicts="ask_on_tie" if n == 2 else "largest",
    )


@converter("sklearn.ensemble.AdaBoostRegressor")
def convert_regressor(model: Any, ask: Ask) -> Conversion:
    """The weighted median of the members' predictions: that of one of them, whose explanation it is."""
    ask.choose("predict")
    members = _on_arrays(model, ask)
    together = _tree_each(model) if _of_trees(model) else members.side_by_side(members.parts(predicted))
    return together.then(
        WeightedMedian(np.asarray(model.estimator_weights_)[: len(model.estimators_)]),
        explains="predicted value, that of the member which is the weighted median",
        output_names=("prediction",),
        own=lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1),
        answers=answers.prediction(),
    )


def _on_arrays(model: Any, ask: Ask) -> Members:
    """Members that were fitted on all the caller's columns, as arrays."""
    return Members.numbered(model, ask, [None] * len(model.estimators_))


def _of_trees(model: Any) -> bool:
    return all(hasattr(member, "tree_") for member in model.estimators_)


def _votes_of_trees(model: Any, weights: np.ndarray) -> Conversion:
    trees, classes = [], model.classes_
    for member, weight in zip(model.estimators_, weights, strict=True):
        labels = member.classes_[node_values(member).argmax(axis=1)]
        votes = np.where(labels[:, None] == classes, weight, -weight / (len(classes) - 1))
        trees.append(read_tree(member.tree_, votes[:, 1:] - votes[:, :1] if len(classes) == 2 else votes))
    joined = join(trees, n_features=model.n_features_in_, base=np.zeros(trees[0].value.shape[1]), precision="float32")
    scores = RawScores(_VOTES, answers.weighted_votes(len(classes)), classes, classes)
    return convert_trees(joined, scores, model.decision_function)


def _tree_each(model: Any) -> Conversion:
    """Members that are trees as one ensemble, with an output for each."""
    joined = join(
        [read_tree(member.tree_, node_values(member)) for member in model.estimators_],
        n_features=model.n_features_in_,
        base=np.zeros(len(model.estimators_)),
        output=np.arange(len(model.estimators_)),
        precision="float32",
    )
    return convert_trees(joined, RawScores("", {}, range(len(model.estimators_))), model.predict)
