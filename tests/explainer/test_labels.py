"""Targets as callers name them, and what is explained then."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import torch
from scipy.special import logit
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon
from neon.lrp.targets import Contrast, LogOdds

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["barbera", "barolo", "grignolino"])
ROWS = X[::9]

MODELS: dict[str, Any] = {
    "softmax of trees": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "LightGBM": lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
    "softmax of lines": make_pipeline(StandardScaler(), LogisticRegression()),
    "pairwise machines": make_pipeline(StandardScaler(), SVC()),
    "probabilities of trees": RandomForestClassifier(5, random_state=0),
    "perceptron": MLPClassifier((5,), max_iter=2000, random_state=0),
    "clusters": KMeans(3, n_init=1, random_state=0),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {name: model.fit(X, NAMES[Y]) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_contrast_is_the_difference_of_two_explanations(fitted: Any, name: str, batch_size: int | None) -> None:
    explainer = neon.Explainer(fitted[name], batch_size=batch_size, progress=False)
    every = explainer(ROWS, "all")
    turns = np.arange(len(ROWS)) % 3
    labels = [explainer.network.classes[i] for i in (2, 1)]
    for target, a, b in (
        (Contrast(2, 1), 2, 1),
        (Contrast(*labels), 2, 1),
        (Contrast(turns.tolist(), ((turns + 1) % 3).tolist()), turns, (turns + 1) % 3),
    ):
        found, each = explainer(ROWS, target), np.arange(len(ROWS))
        a, b = np.broadcast_to(a, len(ROWS)), np.broadcast_to(b, len(ROWS))
        scale = np.abs(every.values).max()
        np.testing.assert_allclose(
            found.values, every.values[each, :, a] - every.values[each, :, b], rtol=0, atol=1e-9 * scale
        )
        for one, both in ((found.base_values, every.base_values), (found.prediction, every.prediction)):
            np.testing.assert_allclose(one, both[each, a] - both[each, b], rtol=0, atol=1e-9 * scale)
        for residual, amount in every.residuals.items():
            np.testing.assert_allclose(
                found.residuals.get(residual, 0.0), amount[each, a] - amount[each, b], rtol=0, atol=1e-9 * scale
            )
        assert found.conservation_error() <= 1e-9 * scale
    assert "less" in explainer(ROWS, Contrast(2, 1)).explains


@pytest.mark.parametrize("name", ["softmax of trees", "LightGBM", "softmax of lines", "perceptron"])
def test_log_odds_are_those_of_the_models_own_probabilities(fitted: Any, name: str) -> None:
    model = fitted[name]
    explainer = neon.Explainer(model, batch_size=7, progress=False)
    turns = np.arange(len(ROWS)) % 3
    for target, columns in ((2, 2), (NAMES[1], 1), (turns.tolist(), turns)):
        found = explainer(ROWS, LogOdds(target))
        expected = logit(model.predict_proba(ROWS)[np.arange(len(ROWS)), columns])
        np.testing.assert_allclose(found.prediction, expected, rtol=1e-9)
        assert found.conservation_error() <= 1e-9
        assert np.abs(found.base_values).max() > 0.01 or name == "perceptron"
        assert (np.asarray(found.target) == columns).all()


def test_log_odds_of_outputs_from_which_they_do_not_follow(fitted: Any) -> None:
    for name in ("pairwise machines", "probabilities of trees", "clusters"):
        with pytest.raises(ValueError, match="LogOdds is of the logits before a softmax"):
            neon.explain(fitted[name], ROWS, LogOdds(0))
    with pytest.raises(ValueError, match="LogOdds is of the logits"):
        neon.explain(Ridge().fit(X, Y), ROWS, LogOdds(0))


def test_log_odds_of_a_module() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(13, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    explanation = neon.explain(model, ROWS, LogOdds(1))
    with torch.no_grad():
        P = model(torch.tensor(ROWS)).softmax(1)[:, 1].numpy()
    np.testing.assert_allclose(explanation.prediction, logit(P), rtol=1e-9)
    assert (explanation.residuals["entropy"] <= 0).all()
    assert explanation.conservation_error() <= 1e-5
    alone = torch.nn.Linear(13, 1).double()
    np.testing.assert_array_equal(neon.explain(alone, ROWS, LogOdds(0)).values, neon.explain(alone, ROWS, 0).values)
