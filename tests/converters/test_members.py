"""What a model gives to the estimators around it: layers behind the scores that the model itself computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import neon
from neon.converters.core.ask import Ask
from neon.converters.core.members import binary_score, decision, probability, vote
from neon.converters.core.registry import convert
from neon.errors import UnsupportedModelError
from neon.lrp.targets import LogOdds

pytestmark = pytest.mark.usefixtures("one_pass")

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
three = rng.integers(0, 3, 80)
two = (X[:, 0] + 0.5 * rng.normal(size=80) > 0).astype(int)


def computed(layers: Any) -> np.ndarray:
    with torch.no_grad():
        return torch.nn.Sequential(*layers)(torch.as_tensor(X)).numpy()


@pytest.mark.parametrize("model", [LogisticRegression(), LinearDiscriminantAnalysis()])
def test_decision_function_and_log_odds_stand_behind_the_same_body(model: Any) -> None:
    """Without asking the converter for another output, and without taking layers off again."""
    part = convert(model.fit(X, three))
    np.testing.assert_allclose(
        softmax(computed([*part.body, *part.answers["decision_function"]]), axis=1), model.predict_proba(X), atol=1e-12
    )
    np.testing.assert_allclose(expit(computed(part.layers)), model.predict_proba(X), atol=1e-12)
    assert "log_odds" in part.gives
    assert "decision_function" not in part.gives
    np.testing.assert_allclose(computed(decision(model, Ask()).layers), model.decision_function(X), atol=1e-10)


@pytest.mark.parametrize("model", [LogisticRegression(), GaussianNB(), DecisionTreeClassifier(max_depth=3)])
@pytest.mark.parametrize("odds", [True, False])
def test_the_second_class_alone(model: Any, odds: bool) -> None:
    part, is_odds = probability(model.fit(X, two), Ask(), odds=odds)
    both, alone = computed(part.layers), computed(part.second().layers)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(expit(both) if is_odds else both, expected, atol=1e-12)
    np.testing.assert_allclose(expit(alone) if is_odds else alone, expected[:, 1:], atol=1e-12)
    assert (part.pair is None) == (not isinstance(model, LogisticRegression))  # which has one score for both classes


def test_a_score_shared_by_two_classes_is_read_as_the_model_computes_it() -> None:
    model = LogisticRegression().fit(X, two)
    part, kind = binary_score(model, Ask())
    (linear,) = part.layers  # nothing that tells the classes apart, and nothing that takes them together again
    assert kind == "decision_function"
    np.testing.assert_array_equal(linear.weight.numpy(), model.coef_)


def test_votes_of_pairs_are_counted_behind_the_body() -> None:
    model = SVC().fit(X, three)
    part = convert(model)
    counted = computed([*part.body, *part.answers["votes"]])
    np.testing.assert_array_equal(counted.sum(1), 3)  # each of three machines votes once
    np.testing.assert_array_equal(computed(vote(model, Ask()).layers).argmax(1), model.predict(X))


def test_what_does_not_follow_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="SVC has no predict_proba"):
        probability(SVC().fit(X, two), Ask())
    ordered = SVC(decision_function_shape="ovo").fit(X, three)
    with pytest.raises(UnsupportedModelError, match="from which its decision_function"):
        decision(ordered, Ask())


def test_log_odds_of_a_score_that_is_log_odds_already() -> None:
    """Of two classes the log-odds of the log loss are its score: asked for, they are what is explained anyway."""
    explainer = neon.Explainer(SGDClassifier(loss="log_loss", random_state=0).fit(X, two))
    asked, explained = explainer(X, LogOdds(1)), explainer(X, 1)
    np.testing.assert_array_equal(asked.values, explained.values)
