"""AdaBoost over any estimators: weighted votes, and for regressors a weighted median.

Of trees, `neon.converters.trees.voting` makes one ensemble.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, check_several, converter
from neon.converters.core.members import predicted
from neon.converters.meta.averages import Members, counted_votes
from neon.converters.trees import voting as trees
from neon.converters.trees.build import Scores, convert_trees, join
from neon.converters.trees.decision_trees import node_values, read_tree
from neon.nn import TwoClass
from neon.nn.pooling.weighted_median import WeightedMedian

__all__ = ["convert_classifier", "convert_regressor"]


@converter("sklearn.ensemble.AdaBoostClassifier", "imblearn.ensemble.RUSBoostClassifier")
def convert_classifier(model: Any, ask: Ask) -> Conversion:
    """The decision function: each member's weighted vote for one class, and a share of it against each other.

    ``f_c = Σ_m w_m (1 if m votes c else -1 / (K - 1)) / Σ_m w_m`` for K classes; of two classes ``f_1 - f_0``.
    """
    if all(hasattr(member, "tree_") for member in model.estimators_):
        return trees.convert_adaboost(model, ask)
    ask.choose("decision_function")
    check_several(model)
    n = len(model.classes_)
    weights = np.asarray(model.estimator_weights_)[: len(model.estimators_)] / model.estimator_weights_.sum()
    share = np.eye(n) - (1 - np.eye(n)) / (n - 1)  # of a vote for one class, to each

    def own(X: Any) -> np.ndarray:
        f = np.asarray(model.decision_function(X), dtype=np.float64)
        return np.stack([-f, f], axis=1) if n == 2 else f

    return dataclasses.replace(
        counted_votes(_on_arrays(model, ask), weights, share[[1]] - share[[0]] if n == 2 else share),
        explains="decision function: weighted votes for a class",
        own=own,
        pair=TwoClass() if n == 2 else None,
        answers=answers.weighted_votes(n),
        predicts="ask_on_tie" if n == 2 else "largest",
    )


@converter("sklearn.ensemble.AdaBoostRegressor")
def convert_regressor(model: Any, ask: Ask) -> Conversion:
    """The weighted median of the members' predictions: that of one of them, whose explanation it is."""
    ask.choose("predict")
    together = _tree_each(model, ask) if all(hasattr(member, "tree_") for member in model.estimators_) else None
    if together is None:
        members = _on_arrays(model, ask)
        together = members.side_by_side(members.parts(predicted))
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


def _tree_each(model: Any, ask: Ask) -> Conversion:
    """Members that are trees as one ensemble, with an output for each."""
    joined = join(
        [read_tree(member.tree_, node_values(member)) for member in model.estimators_],
        n_features=model.n_features_in_,
        base=np.zeros(len(model.estimators_)),
        output=np.arange(len(model.estimators_)),
        precision="float32",
    )
    return convert_trees(joined, Scores("", {}, range(len(model.estimators_))), model.predict)
