"""Neighbour models: what is explained against the model's own votes, densities and probabilities."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logit
from sklearn import neighbors
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

import neon
from neon.errors import UnsupportedModelError

DATA = {"cancer": load_breast_cancer, "wine": load_wine, "iris": load_iris, "digits": load_digits}


def split(name: str) -> tuple[np.ndarray, ...]:
    X, y = DATA[name](return_X_y=True)
    scaled = StandardScaler().fit_transform(X)
    return tuple(train_test_split(scaled[:600], y[:600], random_state=0))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("k", [1, 4, 7])
@pytest.mark.parametrize("name", DATA)
def test_evidence_is_positive_exactly_for_the_predicted_class(name: str, k: int) -> None:
    """The measured agreement of sign(evidence) with the vote, on rows that the model has not seen: 100 %."""
    train, rows, y, _ = split(name)
    model = neighbors.KNeighborsClassifier(k).fit(train, y)
    evidence = neon.Explainer(model)(rows, "all").prediction
    predicted = model.predict(rows)[:, None] == model.classes_
    assert (evidence[predicted] >= 0).all()
    assert (evidence[~predicted] <= 0).all()
    assert (evidence != 0).all(axis=1).mean() > 0.97  # ties of distances aside


def test_binary_evidence_is_a_difference_of_order_statistics() -> None:
    train, rows, y, _ = split("cancer")
    model = neighbors.KNeighborsClassifier(7).fit(train, y)
    d = ((rows[:, None] - train) ** 2).sum(2)
    fourth = [np.sort(d[:, y == c], axis=1)[:, 3] for c in (0, 1)]
    found = neon.Explainer(model)(rows, 1).prediction
    assert relative(found, fourth[0] - fourth[1]) < 1e-12


def test_relevance_is_the_hybrid_rule_over_the_nearest_of_each_class() -> None:
    """0.8 of the differences of squared distances, 0.2 of weight times input, from the middle of the points."""
    train, rows, y, _ = split("cancer")
    model = neighbors.KNeighborsClassifier(5).fit(train, y)
    found = neon.Explainer(model)(rows, 1).values
    expected = np.zeros_like(rows)
    for n, x in enumerate(rows):
        d = ((train - x) ** 2).sum(1)
        means = {c: train[y == c][np.argsort(d[y == c])[:5]] for c in (0, 1)}
        midpoint = ((x - means[0]) ** 2).mean(0) - ((x - means[1]) ** 2).mean(0)
        weight = 2 * (means[1].mean(0) - means[0].mean(0))
        expected[n] = 0.8 * midpoint + 0.2 * weight * (x - train.mean(0))
    assert relative(found, expected) < 1e-9


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("name", ["cancer", "wine", "digits"])
def test_log_odds_of_votes_by_nearness_are_the_models(name: str, metric: str) -> None:
    train, rows, y, _ = split(name)
    model = neighbors.KNeighborsClassifier(9, weights="distance", metric=metric).fit(train, y)
    probability = model.predict_proba(rows)
    found = neon.Explainer(model)(rows, "all").prediction
    both = (probability > 1e-9) & (probability < 1 - 1e-9)
    assert both.sum() >= 20
    assert relative(found[both], logit(probability[both])) < 1e-9
    assert (found[probability >= 1 - 1e-9] > 0).all()  # finite where the vote is unanimous
    assert (found[probability <= 1e-9] < 0).all()


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
def test_regressors_are_exact(algorithm: str, weights: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    models = (
        neighbors.KNeighborsRegressor(6, weights=weights, algorithm=algorithm),
        neighbors.RadiusNeighborsRegressor(0.15, weights=weights, algorithm=algorithm),
    )
    for model in models:
        model.fit(X[:300], y[:300])
        rows = X[300:][np.isfinite(_quiet(model, X[300:]))]
        explanation = neon.Explainer(model)(rows)
        assert relative(explanation.prediction, model.predict(rows)) < 1e-12
        np.testing.assert_allclose(explanation.residuals["training_mean"], y[:300].mean())
        if isinstance(model, neighbors.KNeighborsRegressor):
            assert set(explanation.residuals) == {"training_mean"}


def _quiet(model: Any, rows: np.ndarray) -> np.ndarray:
    if isinstance(model, neighbors.KNeighborsRegressor):
        return np.zeros(len(rows))
    near = model.radius_neighbors(rows, return_distance=False)
    return np.array([0.0 if len(found) else np.nan for found in near])


def test_relevance_of_a_mean_of_neighbors() -> None:
    """Each neighbour's pull, shared by how much nearer than the other points it is, feature by feature."""
    X, y = load_diabetes(return_X_y=True)
    train, rows = X[:60], X[60:75]
    model = neighbors.KNeighborsRegressor(4).fit(train, y[:60])
    expected = np.zeros_like(rows)
    for n, x in enumerate(rows):
        parts = (train - x) ** 2
        order = np.argsort(parts.sum(1))
        others = parts[order[4:]].mean(0)
        for j in order[:4]:
            expected[n] += (y[j] - y[:60].mean()) / 4 * (others - parts[j]) / (others - parts[j]).sum()
    assert relative(neon.Explainer(model)(rows).values, expected) < 1e-9


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_radius_votes(weights: str) -> None:
    train, rows, y, _ = split("wine")
    model = neighbors.RadiusNeighborsClassifier(4.5, weights=weights).fit(train, y)
    rows = rows[[len(found) > 0 for found in model.radius_neighbors(rows, return_distance=False)]]
    probability = model.predict_proba(rows)
    second = np.stack([np.delete(probability, c, 1).max(1) for c in range(3)], axis=1)
    explainer = neon.Explainer(model)
    assert relative(explainer(rows, "all").prediction, probability - second) < 1e-9
    np.testing.assert_array_equal(explainer(rows).target, model.predict(rows))
    shares = neon.Explainer(model, output="probability")(rows, "all").prediction
    assert relative(shares, probability) < 1e-9


def test_rows_without_neighbors_have_no_value() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = neighbors.RadiusNeighborsRegressor(0.1).fit(X, y)
    with pytest.warns(UserWarning, match="1 rows"):
        explanation = neon.Explainer(model)(np.vstack([X[:3], X[:1] + 5]))
    assert np.isnan(explanation.prediction).tolist() == [False, False, False, True]


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_outlier_factor(metric: str) -> None:
    train, rows, _, _ = split("wine")
    rows = np.vstack([rows, rows[:5] + 4.0])
    model = neighbors.LocalOutlierFactor(7, novelty=True, metric=metric).fit(train)
    explanation = neon.Explainer(model)(rows)
    assert relative(explanation.prediction, -model.decision_function(rows)) < 1e-12
    np.testing.assert_array_equal(explanation.prediction > 0, model.predict(rows) < 0)
    assert (explanation.prediction > 0).any()
    assert (explanation.values > -1e-12).all()
    share = explanation.values[-5:].sum(1) / -model.score_samples(rows[-5:])
    assert (share > 0.9).all()  # of an outlier's factor nearly all is distance, little its neighbours' own radius


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("priors", ["uniform", "empirical", [0.98, 0.01, 0.01]])
@pytest.mark.parametrize("shrink", [None, 1.0])
def test_nearest_centroid(shrink: float | None, priors: Any, metric: str) -> None:
    train, rows, y, _ = split("wine")
    model = neighbors.NearestCentroid(metric=metric, shrink_threshold=shrink, priors=priors).fit(train, y)
    evidence = neon.Explainer(model)(rows, "all").prediction
    np.testing.assert_array_equal(evidence > 0, model.predict(rows)[:, None] == model.classes_)


def test_learned_components() -> None:
    train, rows, y, _ = split("wine")
    learned = neighbors.NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=5)
    model = make_pipeline(learned, neighbors.KNeighborsClassifier(3)).fit(train, y)
    assert neon.neuralize(learned.fit(train, y)).verify(rows) < 1e-9
    explanation = neon.Explainer(model)(rows)
    np.testing.assert_array_equal(explanation.target, model.predict(rows))


def test_asking_leaves_no_trace_in_the_tree() -> None:
    train, rows, y, _ = split("wine")
    model = neighbors.KNeighborsClassifier(5, algorithm="kd_tree").fit(train[:, :5], y)
    before = model._tree.get_n_calls()
    neon.neuralize(model).verify(rows[:, :5])
    assert model._tree.get_n_calls() == before


def test_asking_for_the_winner_of_a_tie_leaves_no_trace() -> None:
    X, y = np.array([[-1.0], [1.0], [3.0]]), np.array([1, 0, 0])
    model = neighbors.KNeighborsClassifier(1, algorithm="kd_tree").fit(X, y)
    before = pickle.dumps(model)
    explanation = neon.explain(model, np.array([[0.0]]))  # as far from both
    assert explanation.prediction == 0
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("kernel", ["rbf", "knn"])
def test_labels_spread_over_sparse_points(kernel: str) -> None:
    train, rows, y, _ = split("wine")
    model = LabelSpreading(kernel=kernel, gamma=0.1, n_neighbors=5).fit(sparse.csr_matrix(train), y)
    dense = LabelSpreading(kernel=kernel, gamma=0.1, n_neighbors=5).fit(train, y)
    np.testing.assert_allclose(neon.explain(model, rows).values, neon.explain(dense, rows).values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (neighbors.KNeighborsClassifier(metric="chebyshev"), "chebyshev.*supported are 'euclidean' and 'manhattan'"),
        (neighbors.KNeighborsRegressor(p=3), "minkowski"),
        (neighbors.KNeighborsClassifier(weights=np.exp), "supported are 'uniform' and 'distance'"),
        (neighbors.LocalOutlierFactor(), "novelty=True"),
    ],
)
def test_what_is_not_supported_says_so(model: Any, message: str) -> None:
    train, _, y, _ = split("wine")
    with pytest.raises(UnsupportedModelError, match=message):
        neon.neuralize(model.fit(train, y))


def test_several_targets_of_a_classifier() -> None:
    train, _, y, _ = split("wine")
    with pytest.raises(UnsupportedModelError, match="several targets"):
        neon.neuralize(neighbors.KNeighborsClassifier().fit(train, np.stack([y, y], axis=1)))


def test_one_class() -> None:
    train, _, y, _ = split("wine")
    with pytest.raises(ValueError, match="no competitor"):
        neon.neuralize(neighbors.KNeighborsClassifier().fit(train, np.zeros_like(y)))
