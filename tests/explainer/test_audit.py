"""What an audit record says."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import neon
from neon.explainer.audit import fingerprint

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
Y = np.arange(30) % 2


def test_what_was_found_is_written_down() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    explainer = neon.Explainer(model, reference=X[:20], unit="€", composite="shapley")
    found, explanation = explainer.audit(X), explainer(X)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["model"]["class"] == "sklearn.pipeline.Pipeline"
    assert found["versions"]["scikit-learn"] == sklearn.__version__
    assert found["composite"] == "shapley"
    assert found["reference"] == "20 reference rows"
    assert found["base_in_words"] == explanation.base_in_words
    assert 0 <= found["equivalence_error"] < 1e-9
    assert found["conservation_error"] == explanation.conservation_error()
    assert found["total_relevance"] == np.abs(explanation.values).sum()
    again = explainer.audit(X)
    assert {**again, "date": None} == {**found, "date": None}


def test_the_reference_is_what_base_values_are_of() -> None:
    trees = RandomForestClassifier(3, random_state=0).fit(X, Y)
    assert neon.Explainer(trees).audit(X)["reference"] == "the training rows that its trees counted"
    assert neon.Explainer(trees, reference=X[:5]).audit(X)["reference"] == "5 reference rows"
    assert neon.Explainer(LogisticRegression().fit(X, Y)).audit(X)["reference"] == "the origin"
    centers = KMeans(2, n_init=1, random_state=0).fit(X)
    assert neon.Explainer(centers, composite="neon").audit(X)["reference"] is None  # relative to zero
    assert neon.Explainer(centers).audit(X)["reference"] == "the cluster centers, by size"


@pytest.mark.parametrize("model", [LogisticRegression(), SVC(), RandomForestClassifier(3, random_state=0)])
def test_fingerprints(model: Any) -> None:
    model.fit(X, Y)
    found = fingerprint(model)
    assert found == fingerprint(pickle.loads(pickle.dumps(model))) == fingerprint(copy.deepcopy(model))
    model.predict(X)
    assert fingerprint(model) == found
    assert fingerprint(model.fit(X + 1e-3 * rng.normal(size=X.shape), Y)) != found


def test_torch_modules() -> None:
    module = torch.nn.Linear(3, 2)
    found = neon.Explainer(module).audit(X.astype(np.float32), 0)
    assert found["equivalence_error"] is None
    assert found["reference"] is None
    before = fingerprint(module)
    assert fingerprint(copy.deepcopy(module)) == before
    with torch.no_grad():
        module.bias += 1
    assert fingerprint(module) != before
    assert fingerprint(torch.nn.Linear(3, 2).to(torch.bfloat16)) != before


def test_numbers_that_are_not_finite_have_no_json() -> None:
    model = LinearRegression().fit(X, Y)
    found = neon.Explainer(model).audit(X[:0])
    json.dumps(found, allow_nan=False)
    assert found["n_samples"] == 0
