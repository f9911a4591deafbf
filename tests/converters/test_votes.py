"""What a model around others counts is what they predict, ties, thresholds and empty sums included."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import neon
from neon.converters.core.registry import convert

pytestmark = pytest.mark.usefixtures("one_pass")


def overlapping(n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes that no model tells apart well: votes tie."""
    random = np.random.default_rng(0)
    X, X_new = random.normal(size=(300, 3)), random.normal(size=(1000, 3))
    return X, (X[:, 0] + random.normal(size=300)).argsort().argsort() * n_classes // 300, X_new


TREE = DecisionTreeClassifier(max_depth=2, random_state=0)
MEMBERS = {
    "nearest": KNeighborsClassifier(3, algorithm="brute"),
    "nearest, weighted": KNeighborsClassifier(3, weights="distance", algorithm="brute"),
    "pairs of trees": OneVsOneClassifier(TREE),
    "pairs of densities": OneVsOneClassifier(GaussianNB()),
    "pairs of machines": OneVsOneClassifier(LinearSVC(random_state=0)),
    "pairs of libsvm": SVC(),
    "pairs of libsvm, ties broken": SVC(break_ties=True),
    "rest": OneVsRestClassifier(TREE),
}


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("member", MEMBERS)
def test_hard_votes_and_stacks_of_labels(member: str, n_classes: int) -> None:
    X, y, X_new = overlapping(n_classes)
    if n_classes == 2 and "ties broken" in member:
        return  # decides nothing between two classes
    voting = VotingClassifier([("a", MEMBERS[member]), ("b", GaussianNB())], weights=[1.5, 1.0]).fit(X, y)
    assert neon.neuralize(voting).verify(X_new) <= 1e-9
    stack = StackingClassifier([("a", MEMBERS[member])], LogisticRegression(), stack_method="predict", cv=2).fit(X, y)
    assert neon.neuralize(stack).verify(X_new) <= 1e-9


@pytest.mark.parametrize("output", ["probability", "decision_function"])
def test_a_threshold_decides_whatever_is_explained(output: str) -> None:
    X, y, X_new = overlapping(2)
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.8).fit(X, y)
    explanation = neon.explain(model, X_new, output=output if output != "probability" else "log_odds")
    np.testing.assert_array_equal(explanation.target, model.predict(X_new))


def test_mean_scores_of_a_bag_are_not_its_prediction() -> None:
    X, y, X_new = overlapping(2)
    model = BaggingClassifier(SVC(gamma=5.0), n_estimators=4, max_samples=0.2, random_state=0).fit(X, y)
    explanation = neon.explain(model, X_new, output="decision_function")
    np.testing.assert_array_equal(explanation.target, model.predict(X_new))
    assert ((explanation.prediction < 0) != 0).any()


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.8), "not the sign of their scores"),
        (BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0), "not the sign of their scores"),
    ],
)
def test_pairs_of_machines_that_predict_otherwise_are_refused(member: Any, words: str) -> None:
    X, y, _ = overlapping(4)
    with pytest.raises(neon.UnsupportedModelError, match=words):
        neon.neuralize(OneVsOneClassifier(member).fit(X, y))


def test_a_vote_by_probabilities_that_are_not_explained_is_refused() -> None:
    X, y, _ = overlapping(3)
    voting = VotingClassifier([("a", GaussianProcessClassifier()), ("b", GaussianNB())]).fit(X[:60], y[:60])
    with pytest.raises(neon.UnsupportedModelError, match=r"latent function.*from which its predict"):
        neon.neuralize(voting)


def test_classes_that_every_machine_rules_out() -> None:
    X, y, X_new = overlapping(4)
    rest = OneVsRestClassifier(DecisionTreeClassifier(random_state=0)).fit(X, y)
    assert (rest.predict_proba(X_new).sum(1) == 0).any()
    network = neon.neuralize(rest, output="probability")
    assert network.verify(X_new) <= 1e-12
    assert neon.explain(rest, X_new, "all", output="probability").conservation_error() <= 1e-12
    voting = VotingClassifier([("a", rest), ("b", GaussianNB())], voting="soft").fit(X, y)
    assert neon.neuralize(voting).verify(X_new) <= 1e-12


def test_pairs_of_machines_without_any_difference_agree_to_rounding() -> None:
    X, _, X_new = overlapping(2)
    everywhere = RadiusNeighborsClassifier(50.0)
    for model in (OneVsOneClassifier(everywhere), OutputCodeClassifier(everywhere, random_state=0)):
        model.fit(X[:60], np.arange(60) % 2)  # as many of each
        explanation = neon.explain(model, X_new)
        assert np.abs(explanation.prediction).max() <= 1e-15
        np.testing.assert_array_equal(explanation.target, model.predict(X_new))


@pytest.mark.parametrize("output", ["log_odds", "probability"])
def test_bags_against_the_rest_predict_by_their_mean_decision(output: str) -> None:
    X, y, X_new = overlapping(3)
    bag = BaggingClassifier(LogisticRegression(C=1e3), n_estimators=3, max_samples=0.1, random_state=0)
    model = OneVsRestClassifier(bag).fit(X, y)
    assert (model.classes_[model.predict_proba(X_new).argmax(1)] != model.predict(X_new)).any()
    np.testing.assert_array_equal(neon.explain(model, X_new, output=output).target, model.predict(X_new))


@pytest.mark.parametrize("machine", [GaussianNB(), LogisticRegression()])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_pairs_of_pairs(machine: Any, n_classes: int) -> None:
    X, y, X_new = overlapping(n_classes)
    model = OneVsOneClassifier(make_pipeline(OneVsOneClassifier(machine))).fit(X, y)
    explanation = neon.explain(model, X_new)
    np.testing.assert_array_equal(explanation.target, model.predict(X_new))
    assert explanation.conservation_error() <= 1e-9
    if n_classes > 2:
        columns = dataclasses.replace(convert(model), head=convert(model).answers["decision_function"])
        found = columns.layers(torch.as_tensor(X_new)).detach().numpy()
        np.testing.assert_allclose(found, model.decision_function(X_new), atol=1e-12)
