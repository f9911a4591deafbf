"""How far relevance in single precision is from that in double precision: the bound that docs/scale.md states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon

MODELS = {
    "logistic": LogisticRegression(),
    "k-means": KMeans(3, n_init=3, random_state=0),
    "svm": SVC(),
    "bayes": GaussianNB(),
    "forest": RandomForestClassifier(5, random_state=0),
    "network": MLPClassifier((5,), alpha=1.0, solver="lbfgs", max_iter=1000, random_state=0),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("how", [{}, {"composite": "neon"}], ids=["default", "one pass"])
def test_relevance_is_within_a_hundred_thousandth_of_what_adds_up(name: str, how: dict[str, Any]) -> None:
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), MODELS[name]).fit(X, y)
    double = neon.explain(model, X[:50], **how)
    single = neon.explain(model, X[:50], double.target, dtype=torch.float32, **how)
    parts = [double.base_values, *double.residuals.values()]
    adds_up = np.abs(double.values).sum(1) + sum(np.abs(part) for part in parts)
    assert (np.abs(single.values - double.values).max(1) <= 1e-5 * adds_up).all()
    assert single.values.dtype == np.float64
