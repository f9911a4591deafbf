"""Perceptrons whose outputs go through a last function, by themselves and inside other estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, multioutput
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import MinMaxScaler

import neon
from tests.contract.case import SKLEARN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

needs_poisson = pytest.mark.skipif(SKLEARN < (1, 7), reason="perceptrons have no Poisson loss")
MEANS = {
    "voting": lambda model: ensemble.VotingRegressor([("a", model), ("b", Ridge())]),
    "bagging": lambda model: ensemble.BaggingRegressor(model, n_estimators=2, max_features=0.5, random_state=0),
    "boosting": lambda model: ensemble.AdaBoostRegressor(model, n_estimators=2, random_state=0),
    "stacked": lambda model: ensemble.StackingRegressor([("a", model), ("b", Ridge())], Ridge(), cv=2),
    "targets": lambda model: multioutput.MultiOutputRegressor(model),
    "chain": lambda model: multioutput.RegressorChain(model),
    "scaled": lambda model: TransformedTargetRegressor(model, transformer=MinMaxScaler()),
}
LOGARITHMS = {
    "alone": lambda model: model,
    "search": lambda model: GridSearchCV(model, {"alpha": [0.1]}, cv=2),
    "on top": lambda model: ensemble.StackingRegressor([("b", Ridge())], model, cv=2),
}


@needs_poisson
@pytest.mark.parametrize("around", [*MEANS, *LOGARITHMS])
def test_the_exponential_of_a_poisson_loss(around: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = 20 * X[:100], y[:100] / 100
    if around in ("targets", "chain"):
        y = np.stack([y, 3 * y], axis=1)
    poisson = MLPRegressor(hidden_layer_sizes=(4,), loss="poisson", max_iter=20, tol=0.1, random_state=0)
    model = {**MEANS, **LOGARITHMS}[around](poisson).fit(X, y)
    explanation = neon.Explainer(model)(X, "all")
    prediction = explanation.prediction.reshape(model.predict(X).shape)
    if around in LOGARITHMS:
        assert "logarithm of the predicted mean" in explanation.explains
        prediction = np.exp(prediction)
    np.testing.assert_allclose(prediction, model.predict(X), rtol=1e-9)
    assert neon.neuralize(model).verify(X) <= 1e-9


def test_labels_that_do_not_exclude_each_other_are_not_chosen_from() -> None:
    X, y = load_diabetes(return_X_y=True)
    L = np.stack([y > 100, y > 200], axis=1).astype(int)
    model = MLPClassifier((4,), max_iter=20, random_state=0).fit(20 * X, L)
    with pytest.raises(ValueError, match="predicts all of them"):
        neon.Explainer(model)(20 * X)
    scores = neon.Explainer(model)(20 * X, "all")
    assert scores.explains.startswith("log-odds of a label; relative to the origin")
    np.testing.assert_array_equal(scores.prediction > 0, model.predict(20 * X))


def test_one_label_is_two_classes() -> None:
    X, y = load_diabetes(return_X_y=True)
    model: Any = MLPClassifier((4,), max_iter=20, random_state=0).fit(20 * X, y > 100)
    explanation = neon.Explainer(model)(20 * X)
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(20 * X))
