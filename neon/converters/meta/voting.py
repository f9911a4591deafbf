"""Members that vote or are averaged: VotingClassifier, BaggingClassifier, AdaBoostClassifier and their regressors.

Of trees, `neon.converters.trees.voting` makes one ensemble; here members are of any kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from neon.converters.core.ask import Ask
from neon.converters.core.conversion import Conversion, Response
from neon.converters.core.registry import bare, check_several, converter, no_relu_form
from neon.converters.core.responses import NEVER, certain, decision, extended, predicted, probability, vote
from neon.converters.meta.side_by_side import beside, column_names, on_arrays
from neon.converters.trees import voting as trees
from neon.converters.trees.build import Scores, convert_trees, join
from neon.converters.trees.decision_trees import node_values, read_tree
from neon.nn import Linear, TwoClass, plain_linear
from neon.nn.pooling.mean_log_odds import MeanLogOdds
from neon.nn.pooling.weighted_median import WeightedMedian

__all__ = [
    "convert_adaboost",
    "convert_adaboost_regressor",
    "convert_bagging",
    "convert_voting_classifier",
    "convert_voting_regressor",
    "mean_probability",
]

Read = Callable[[Conversion, int], Conversion]


@converter("sklearn.ensemble.VotingClassifier")
def convert_voting_classifier(model: Any, ask: Ask) -> Conversion:
    """Soft: the log-odds of the members' mean probability. Hard: the weight of the votes for each class."""
    weights = model._weights_not_none
    weights = np.ones(len(model.estimators_)) if weights is None else np.asarray(weights, dtype=np.float64)
    members = _named(model, ask)
    given = column_names(model)
    if model.voting == "soft":
        ask.choose("log_odds", "probability")
        return mean_probability(model, ask, members, weights)
    ask.choose("votes")

    def own(X: Any) -> np.ndarray:
        cast = np.asarray(model.transform(X))  # (n_samples, n_members), places of the classes
        return np.stack([(cast == c) @ weights for c in range(len(model.classes_))], axis=1)

    return _votes(members, weights, model.classes_, own, ask.form, given)


@converter("sklearn.ensemble.VotingRegressor")
def convert_voting_regressor(model: Any, ask: Ask) -> Conversion:
    """The weighted mean of the members' predictions."""
    ask.choose("predict")
    weights = model._weights_not_none
    parts = [predicted(member, asked) for asked, member in _named(model, ask)]
    own = lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1)  # noqa: E731
    return _mean(parts, weights, own, ask.form, column_names(model))


@converter(
    "sklearn.ensemble.BaggingClassifier",
    "sklearn.ensemble.BaggingRegressor",
    "imblearn.ensemble.BalancedBaggingClassifier",
    "imblearn.ensemble.EasyEnsembleClassifier",
)
def convert_bagging(model: Any, ask: Ask) -> Conversion:
    """The members' mean, or where they have no probabilities the share of the votes; each reads columns of its own."""
    if all(map(_of_trees, model.estimators_)):
        return trees.convert_bagging(model, ask)
    given = column_names(model)
    members = _numbered(model, ask)

    def read(part: Conversion, i: int) -> Conversion:
        return on_arrays(part, given, np.asarray(model.estimators_features_[i]))

    if not hasattr(model, "classes_"):
        ask.choose("predict")
        parts = [read(predicted(member, asked), i) for i, (asked, member) in enumerate(members)]
        n = len(parts[0].output_names)
        own = lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, n)  # noqa: E731
        return _mean(parts, None, own, ask.form, given)
    weights = np.ones(len(members))
    probable = hasattr(model.estimators_[0], "predict_proba")
    choices: tuple[str, ...] = ("log_odds", "probability") if probable else ("votes", "probability")
    if hasattr(model.estimators_[0], "decision_function"):
        choices = (*choices, "decision_function")
    output = ask.choose(*choices)
    if output == "decision_function":
        parts = [read(decision(member, asked), i) for i, (asked, member) in enumerate(members)]
        return _mean_decision(model, parts, ask.form, given)
    if probable:
        return mean_probability(model, ask, members, weights, read)
    if output == "probability":
        shares = _votes(members, weights / len(members), model.classes_, model.predict_proba, ask.form, given, read)
        words = "probability of a class, its share of the votes"
        return dataclasses.replace(shares, explains=words, response=Response.PROBABILITY)
    own = lambda X: model.predict_proba(X) * len(members)  # noqa: E731
    return _votes(members, weights, model.classes_, own, ask.form, given, read)


@converter("sklearn.ensemble.AdaBoostClassifier", "imblearn.ensemble.RUSBoostClassifier")
def convert_adaboost(model: Any, ask: Ask) -> Conversion:
    """The decision function: each member's weighted vote for one class, and a share of it against each other.

    ``f_c = Σ_m w_m (1 if m votes c else -1 / (K - 1)) / Σ_m w_m`` for K classes; of two classes ``f_1 - f_0``.
    """
    if all(hasattr(member, "tree_") for member in model.estimators_):
        return trees.convert_adaboost(model, ask)
    ask.choose("decision_function")
    check_several(model)
    n, given = len(model.classes_), column_names(model)
    weights = np.asarray(model.estimator_weights_)[: len(model.estimators_)]
    weights = weights / model.estimator_weights_.sum()
    members = _numbered(model, ask)
    read = lambda part, i: on_arrays(part, given)  # noqa: E731
    own = lambda X: np.asarray(model.decision_function(X), dtype=np.float64)  # noqa: E731
    votes = _votes(members, weights, model.classes_, own, ask.form, given, read)
    count = votes.layers[-1]
    assert isinstance(count, Linear)
    share = np.eye(n) - (1 - np.eye(n)) / (n - 1)  # of a vote for one class, to each
    if n == 2:
        share = share[[1]] - share[[0]]
    layers: list[torch.nn.Module] = [*list(votes.layers)[:-1], Linear(share @ count.weight.numpy())]
    if n == 2:
        layers.append(TwoClass())
    return dataclasses.replace(
        votes,
        layers=torch.nn.Sequential(*layers),
        explains="decision function: weighted votes for a class",
        response=Response.WEIGHTED_VOTES,
        own=(lambda X: own(X)[:, None] * np.array([-1.0, 1.0])) if n == 2 else own,
        votes=n == 2,
    )


@converter("sklearn.ensemble.AdaBoostRegressor")
def convert_adaboost_regressor(model: Any, ask: Ask) -> Conversion:
    """The weighted median of the members' predictions: that of one of them, whose explanation it is."""
    ask.choose("predict")
    if ask.form == "relu":
        raise no_relu_form("a weighted median is not made of Linear and ReLU alone")
    given, members = column_names(model), model.estimators_
    if all(hasattr(member, "tree_") for member in members):  # one ensemble with an output for each tree
        held = [read_tree(member.tree_, node_values(member)) for member in members]
        joined = join(
            held,
            n_features=model.n_features_in_,
            base=np.zeros(len(members)),
            output=np.arange(len(members)),
            precision="float32",
        )
        together = convert_trees(joined, Scores("", None, range(len(members))), model.predict, form=ask.form)
    else:
        parts = [on_arrays(predicted(member, asked), given) for asked, member in _numbered(model, ask)]
        together = beside(parts, form=ask.form, given=given)
    weights = np.asarray(model.estimator_weights_)[: len(members)]
    own = lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1)  # noqa: E731
    words = "predicted value, that of the member which is the weighted median"
    return extended(
        together,
        WeightedMedian(weights),
        explains=words,
        response=Response.PREDICTION,
        output_names=("prediction",),
        own=own,
    )


def mean_probability(
    model: Any,
    ask: Ask,
    members: list[tuple[Ask, Any]],
    weights: np.ndarray,
    read: Read = lambda part, _: part,
) -> Conversion:
    """The log-odds of the mean probability, or where a member has none (a tree may be certain) the mean itself."""
    classes = model.classes_
    kept = [member for member, w in zip(members, weights, strict=True) if w != 0]
    places = [i for i, w in enumerate(weights) if w != 0]
    weights = weights[weights != 0] / weights.sum()
    odds = ask.output != "probability"
    found = [probability(member, asked, odds=odds) for asked, member in kept]
    odds = odds and bool((weights > 0).all()) and all(is_odds for _, is_odds in found)
    if not odds and ask.output == "log_odds":
        raise certain(model)
    if not odds:
        found = [probability(member, asked, odds=False) for asked, member in kept]
    parts = [
        read(_on_classes(part, member, classes, odds), i)
        for i, (part, _), (_, member) in zip(places, found, kept, strict=True)
    ]
    together = beside(parts, form=ask.form, given=column_names(model))
    options: dict[str, Any] = {
        "output_names": tuple(map(str, classes)),
        "own": lambda X: np.asarray(model.predict_proba(X), dtype=np.float64),
        "classes": classes,
    }
    if odds:
        options |= {"response": Response.LOG_ODDS, "link": expit}
    if odds and len(parts) == 1:
        return extended(together, explains="log-odds of a class", **options)
    if odds:
        if ask.form == "relu":
            raise no_relu_form("the log-odds of a mean probability is not made of Linear and ReLU alone")
        words = "log-odds of a class, of the members' mean probability"
        return extended(together, MeanLogOdds(weights), explains=words, **options)
    head = Linear(np.kron(weights, np.eye(len(classes))))
    options |= {"response": Response.PROBABILITY, "link": None}
    return extended(together, head, explains="probability of a class, the members' mean", **options)


def _on_classes(part: Conversion, member: Any, classes: np.ndarray, odds: bool) -> Conversion:
    """A member's classes, numbered by their places among all, in the columns of all."""
    n, held = len(classes), np.asarray(member.classes_)
    if len(held) == n:
        return part
    places = held.astype(np.int64)
    weight, bias = np.zeros((n, len(held))), np.full(n, -NEVER if odds else 0.0)
    weight[places, np.arange(len(held))] = 1.0
    bias[places] = 0.0
    return extended(part, Linear(weight, bias))


def _votes(
    members: list[tuple[Ask, Any]],
    weights: np.ndarray,
    classes: np.ndarray,
    own: Callable[[Any], np.ndarray],
    form: str,
    given: Sequence[str],
    read: Read = lambda part, _: part,
) -> Conversion:
    """The weight of the members that predict each class."""
    parts, blocks, n = [], [], len(classes)
    for i, (asked, member) in enumerate(members):
        part = read(vote(member, asked), i)
        held = np.asarray(member.classes_)
        block = np.zeros((n, len(held)))
        block[np.arange(n) if len(held) == n else held.astype(np.int64), np.arange(len(held))] = weights[i]
        parts.append(part)
        blocks.append(block)
    together = beside(parts, form=form, given=given)
    return extended(
        together,
        Linear(np.hstack(blocks)),
        explains="votes for a class, by weight",
        output_names=tuple(map(str, classes)),
        own=own,
        link=None,
        classes=classes,
    )


def _mean(
    parts: list[Conversion], weights: Any, own: Callable[[Any], np.ndarray], form: str, given: Sequence[str]
) -> Conversion:
    names = parts[0].output_names
    weights = np.ones(len(parts)) if weights is None else np.asarray(weights, dtype=np.float64)
    head = np.kron(weights / weights.sum(), np.eye(len(names)))
    layer = plain_linear(head) if form == "relu" else Linear(head)
    together = beside(parts, form=form, given=given)
    response = Response.PREDICTION
    return extended(
        together, layer, explains="predicted value", response=response, output_names=names, own=own, link=None
    )


def _mean_decision(model: Any, parts: list[Conversion], form: str, given: Sequence[str]) -> Conversion:
    """The mean of the members' decision functions."""
    names = tuple(map(str, model.classes_))
    binary = len(names) == 2

    def own(X: Any) -> np.ndarray:
        f = np.asarray(model.decision_function(X), dtype=np.float64)
        return np.stack([-f, f], axis=1) if binary else f

    parts = [dataclasses.replace(part, output_names=("",) if binary else names) for part in parts]
    mean = _mean(parts, None, own, form, given)
    mirrored = [plain_linear([[-1.0], [1.0]]) if form == "relu" else TwoClass()] if binary else []
    return extended(
        mean,
        *mirrored,
        explains="decision function in favour of a class, the members' mean",
        response=Response.DECISION,
        output_names=names,
        classes=model.classes_,
        asks=True,  # the prediction is by the mean probability, or by votes
    )


def _of_trees(member: Any) -> bool:
    """Whether a member is a tree, a forest, or a bag of such, which the trees' own converter takes apart."""
    member = bare(member)
    if hasattr(member, "tree_"):
        return True
    bags = type(member).__name__.removeprefix("Balanced").startswith(("Bagging", "RandomForest", "ExtraTrees"))
    return bags and all(map(_of_trees, getattr(member, "estimators_", [None])))


def _numbered(model: Any, ask: Ask) -> list[tuple[Ask, Any]]:
    """The fitted members, and what each is asked."""
    return [(ask.inside(f"estimators_[{i}]"), member) for i, member in enumerate(model.estimators_)]


def _named(model: Any, ask: Ask) -> list[tuple[Ask, Any]]:
    """The fitted members, which have names, and what each is asked."""
    names = [name for name, member in model.estimators if not (isinstance(member, str) and member == "drop")]
    return [(ask.inside(name), member) for name, member in zip(names, model.estimators_, strict=True)]
