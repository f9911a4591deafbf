"""Planted truth by hand, and found by what should find it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity

import neon
from neon import evaluate

pytestmark = pytest.mark.usefixtures("one_pass")

ROWS = np.zeros((2, 4))
RELEVANCE = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 0.0, 5.0]])
TRUTH = np.array([[True, False, True, False], [True, False, False, True]])


def test_by_hand() -> None:
    np.testing.assert_allclose(evaluate.hit_at_k(ROWS, RELEVANCE, TRUTH)["hit_at_k"], [0.5, 0.75])
    np.testing.assert_allclose(evaluate.hit_at_k(ROWS, RELEVANCE, TRUTH, k=1)["hit_at_k"], [1, 1])
    np.testing.assert_allclose(evaluate.auroc(ROWS, RELEVANCE, TRUTH)["auroc"], [0.75, 3.5 / 4])


def test_auroc_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    rows, truth = rng.integers(5, size=(30, 8)).astype(float), rng.random((30, 8)) < 0.4
    truth[:, 0], truth[:, 1] = True, False
    expected = [roc_auc_score(t, r) for t, r in zip(truth, rows, strict=True)]
    np.testing.assert_allclose(evaluate.auroc(rows, rows, truth)["auroc"], expected)


def test_outliers_are_found_better_than_by_chance_and_by_the_truth_always() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(200, 6))
    planted = evaluate.plant_outliers(data, n_rows=40, size=(4.0, 6.0))
    assert (planted.truth.sum(1) == 2).all()
    explanation = neon.Explainer(KernelDensity(bandwidth=0.7).fit(data))(planted.X)
    assert evaluate.auroc(planted.X, explanation, planted.truth)["auroc"].mean() > 0.9
    np.testing.assert_array_equal(evaluate.auroc(planted.X, planted.truth, planted.truth)["auroc"], 1)
    noise = evaluate.methods["random"](None, planted.X)
    _, low, high = evaluate.mean_interval(evaluate.auroc(planted.X, noise, planted.truth)["auroc"])
    assert low < 0.5 < high


def test_clusters_live_in_subspaces_of_their_own() -> None:
    planted = evaluate.plant_clusters()
    assert (planted.truth.sum(1) == 3).all()
    assert {tuple(np.flatnonzero(t)) for t in planted.truth}.__len__() == 4
    model = KMeans(4, n_init=5, random_state=0).fit(planted.X)
    explanation = neon.Explainer(model)(planted.X)
    assert evaluate.hit_at_k(planted.X, explanation, planted.truth)["hit_at_k"].mean() > 3 / 12 + 0.2
    with pytest.raises(ValueError, match="need 20 features"):
        evaluate.plant_clusters(n_clusters=5, n_relevant=4)


def test_truth_must_fit() -> None:
    with pytest.raises(ValueError, match="truth must mark"):
        evaluate.auroc(ROWS, RELEVANCE, TRUTH[:1])
    with pytest.raises(ValueError, match="every row must have"):
        evaluate.hit_at_k(ROWS, RELEVANCE, TRUTH & [[True], [False]])
