"""``output="probability"`` and ``"log_odds"``, by every composite; which names they have beside these."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon

X = np.random.default_rng(0).normal(size=(60, 3))
THREE = np.where(X[:, 0] > 0.4, "c", np.where(X[:, 1] > 0, "b", "a"))
TWO = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")

MODELS: dict[str, Any] = {
    "lines": make_pipeline(StandardScaler(), LogisticRegression()),
    "one line a class": SGDClassifier(loss="log_loss", random_state=0),
    "Bayes": GaussianNB(),
    "discriminant": LinearDiscriminantAnalysis(),
    "centers": NearestCentroid(),
    "perceptron": MLPClassifier((4,), max_iter=50, random_state=0),
    "trees": GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    "histograms": HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5, random_state=0),
    "LightGBM": lgb.LGBMClassifier(n_estimators=3, min_child_samples=5, verbose=-1, n_jobs=1),
}
_QUIET = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:the integral along the way")


@_QUIET
@pytest.mark.parametrize("composite", ["shapley", "expected", "neon"])
@pytest.mark.parametrize("output", ["probability", "log_odds"])
@pytest.mark.parametrize("name", MODELS)
def test_probabilities_and_log_odds_by_every_composite(name: str, output: str, composite: str) -> None:
    for y in (TWO, THREE):
        model = MODELS[name].fit(X, y)
        reference = X[:4] if composite != "neon" else None
        found = neon.explain(model, X[:5], "all", output=output, composite=composite, reference=reference)
        P = model.predict_proba(X[:5])
        given = found.prediction if output == "probability" else expit(found.prediction)
        np.testing.assert_allclose(given, P, rtol=0, atol=1e-9)
        assert found.conservation_error() <= 1e-9
        if composite == "expected":
            start = model.predict_proba(X[:4])
            start = start if output == "probability" else logit(start)
            if np.isfinite(start).all() and np.abs(start).max() < 30:
                np.testing.assert_allclose(found.base_values, np.tile(start.mean(0), (5, 1)), rtol=0, atol=1e-6)


def test_what_has_no_probabilities_says_what_it_has() -> None:
    with pytest.raises(
        neon.UnknownOutputError, match=r"SVC has no predict_proba.*\['decision_function', 'log_ratio'\]"
    ):
        neon.explain(SVC().fit(X, TWO), X, output="probability")
    with pytest.raises(neon.UnknownOutputError, match=r"unknown for Ridge; choose from \['predict'\]"):
        neon.explain(Ridge().fit(X, X[:, 0]), X, output="probability")


@_QUIET
def test_labels_of_their_own_probabilities() -> None:
    """Of several labels each has its own; no other class takes part."""
    labels = np.stack([TWO == "yes", X[:, 2] > 0], axis=1)
    model = MLPClassifier((4,), max_iter=50, random_state=0).fit(X, labels)
    found = neon.explain(model, X[:5], "all", output="probability")
    np.testing.assert_allclose(found.prediction, model.predict_proba(X[:5]), rtol=0, atol=1e-12)
    assert found.explains.startswith("probability of a label")
