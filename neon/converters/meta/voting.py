"""Members that vote or are averaged: VotingClassifier, VotingRegressor and bags of any estimators."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, answers, converter
from neon.converters.core.registry import bare
from neon.converters.meta.mean_of_members import (
    Members,
    counted_votes,
    mean_decision,
    mean_prediction,
    mean_probability,
    prediction_variance,
)
from neon.converters.trees import voting as trees

__all__ = ["convert_bagging", "convert_voting_classifier", "convert_voting_regressor"]


@converter("sklearn.ensemble.VotingClassifier")
def convert_voting_classifier(model: Any, ask: Ask) -> Conversion:
    """Soft: the log-odds of the members' mean probability. Hard: the weight of the votes for each class."""
    weights = model._weights_not_none
    weights = np.ones(len(model.estimators_)) if weights is None else np.asarray(weights, dtype=np.float64)
    members = Members.named(model, ask.as_last())
    if model.voting == "soft":
        ask.choose("log_odds", "probability")
        return mean_probability(members, weights)
    ask.choose("votes")

    def own(X: Any) -> np.ndarray:
        cast = np.asarray(model.transform(X))  # (n_samples, n_members), places of the classes
        return np.stack([(cast == c) @ weights for c in range(len(model.classes_))], axis=1)

    return dataclasses.replace(counted_votes(members, weights), own=own)


@converter("sklearn.ensemble.VotingRegressor")
def convert_voting_regressor(model: Any, ask: Ask) -> Conversion:
    """The weighted mean of the members' predictions, or their weighted variance."""
    give = prediction_variance if ask.choose("predict", "variance") == "variance" else mean_prediction
    return give(Members.named(model, ask.as_last()), model._weights_not_none)


@converter(
    "sklearn.ensemble.BaggingClassifier",
    "sklearn.ensemble.BaggingRegressor",
    "imblearn.ensemble.BalancedBaggingClassifier",
    "imblearn.ensemble.EasyEnsembleClassifier",
)
def convert_bagging(model: Any, ask: Ask) -> Conversion:
    """The members' mean, or where they have no probabilities the share of the votes; each reads columns of its own."""
    members = Members.numbered(model, ask, [np.asarray(columns) for columns in model.estimators_features_])
    if ask.output == "variance" and not hasattr(model, "classes_"):
        return prediction_variance(members)
    if all(map(_of_trees, model.estimators_)):
        return trees.convert_bagging(model, ask)
    if not hasattr(model, "classes_"):
        ask.choose("predict", "variance")
        return mean_prediction(members)
    n, first = len(model.estimators_), model.estimators_[0]
    probable = hasattr(first, "predict_proba")
    scored = ("decision_function",) if hasattr(first, "decision_function") else ()
    output = ask.choose("log_odds" if probable else "votes", "probability", *scored)
    if output == "decision_function":
        return mean_decision(members)
    if probable:
        return mean_probability(members, np.ones(n))
    if output == "votes":
        return dataclasses.replace(counted_votes(members, np.ones(n)), own=lambda X: model.predict_proba(X) * n)
    return dataclasses.replace(
        counted_votes(members, np.ones(n) / n),
        explains="probability of a class, its share of the votes",
        own=model.predict_proba,
        answers=answers.probability(),
    )


def _of_trees(member: Any) -> bool:
    """Whether a member is a tree, a forest, or a bag of such, which the trees' own converter takes apart."""
    member = bare(member)
    if hasattr(member, "tree_"):
        return True
    bags = type(member).__name__.removeprefix("Balanced").startswith(("Bagging", "RandomForest", "ExtraTrees"))
    return bags and all(map(_of_trees, getattr(member, "estimators_", [None])))
