"""Neighbour models: what is explained against the model's own votes, densities and probabilities."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import logit
from sklearn import neighbors
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import DistanceMetric
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

import neon
from neon.errors import UnsupportedModelError

pytestmark = pytest.mark.usefixtures("one_pass")


def _bump(d: Any) -> Any:
    """Weights of neighbours, of one array or of an array of arrays."""
    if d.dtype != object:
        return np.exp(-d)
    weights = np.empty(len(d), dtype=object)
    weights[:] = [np.exp(-row) for row in d]
    return weights


def _city_block(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).sum())


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


@pytest.mark.parametrize("steps", [[], [PCA(2)], [PCA()], [StandardScaler(), PCA(3)]], ids=str)
def test_rows_that_a_vote_by_nearness_was_fitted_on(steps: list[Any]) -> None:
    """Behind a projection rounding says whether a row's distance to itself is 0, or 1e-16: their logarithms differ."""
    X = np.random.default_rng(0).normal(size=(80, 4))
    y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int) + (X[:, 2] > 1)
    model = make_pipeline(*steps, neighbors.KNeighborsClassifier(3, weights="distance")).fit(X, y)
    network = neon.neuralize(model)
    assert network.verify(X) < 1e-6
    assert (neon.explain(model, X).target == model.predict(X)).all()
    near = X + 1e-4  # beyond the floor the odds are those of the model's probabilities
    p = model.predict_proba(near)
    split = (p > 0).all(1)
    odds = network.own(near)[split]
    np.testing.assert_allclose(odds, logit(p[split]), rtol=1e-9)


def test_centroids_in_one_place_differ_by_rounding() -> None:
    """Evidence is a difference of distances: of the same points it is rounding of these, not relative to itself."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(20, 2)) * [1e-12, 1.0]
    X, y = np.vstack([half, rng.permutation(half)]), np.repeat(["a", "b"], 20)
    model = make_pipeline(StandardScaler(), PolynomialFeatures(include_bias=False), neighbors.NearestCentroid()).fit(
        X, y
    )
    for dtype in (torch.float32, torch.float64):
        found = neon.Explainer(model, dtype=dtype)(X)
        np.testing.assert_allclose(found.prediction, 0, atol=1e-5)


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


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_one_column_in_several(weights: Any) -> None:
    """All is a function of one unit: it is a step, also where a row is as near as can be to where its way starts."""
    X = np.random.default_rng(0).normal(size=(30, 1))
    model = make_pipeline(PolynomialFeatures(2), neighbors.KNeighborsRegressor(2, weights=weights)).fit(X, X[:, 0] > 0)
    explainer = neon.Explainer(model, composite="expected")
    rows = np.r_[X, X + 1e-9]
    found = explainer(rows)
    np.testing.assert_allclose(found.values[:, 0], model.predict(rows) - found.base_values, rtol=0, atol=1e-12)


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
    assert 0 < explanation.prediction < 1e-300  # evidence is above 0 exactly where the class is predicted
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
        (neighbors.KNeighborsClassifier(metric="correlation"), "correlation.*no sum over the features; supported are"),
        (neighbors.KNeighborsRegressor(metric=_city_block), "a function: how its value is made"),
        (neighbors.KNeighborsRegressor(metric="seuclidean", algorithm="brute"), "without its V in metric_params"),
    ],
)
def test_what_is_not_supported_says_so(model: Any, message: str) -> None:
    train, _, y, _ = split("wine")
    with pytest.raises(UnsupportedModelError, match=message):
        neon.neuralize(model.fit(train, y))


def test_more_neighbors_than_rows_is_an_error_that_says_so() -> None:
    train, _, y, _ = split("wine")
    for model in (neighbors.KNeighborsClassifier(5), neighbors.KNeighborsRegressor(5), neighbors.NearestNeighbors()):
        with pytest.raises(ValueError, match="n_neighbors=5 was fitted on 4 rows and cannot predict"):
            neon.neuralize(model.fit(train[:4], y[:4]))


def coarse(n_rows: int, n_values: int = 3, seed: int = 0) -> np.ndarray:
    """Rows of whole numbers, and tenths of them: many are as far from each other."""
    return np.random.default_rng(seed).integers(0, n_values, size=(n_rows, 4)) / 10.0


TIED: dict[str, Any] = {
    "classifier": neighbors.KNeighborsClassifier(5),
    "classifier, many classes": neighbors.KNeighborsClassifier(4),
    "classifier by nearness": neighbors.KNeighborsClassifier(5, weights="distance"),
    "regressor": neighbors.KNeighborsRegressor(5),
    "regressor by nearness": neighbors.KNeighborsRegressor(5, weights="distance"),
    "radius": neighbors.RadiusNeighborsRegressor(0.2),
    "radius votes": neighbors.RadiusNeighborsClassifier(0.2),
    "outlier factor": neighbors.LocalOutlierFactor(5, novelty=True),
    "mean distance": neighbors.NearestNeighbors(n_neighbors=4),
    "spreading": LabelSpreading(kernel="knn", n_neighbors=3),
    "propagation": LabelPropagation(kernel="knn", n_neighbors=4, max_iter=3, tol=1.0),
}


def own(model: Any, rows: Any) -> np.ndarray:
    """What the model's own method gives for an output of the network, as this test knows it."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows))
    if hasattr(model, "predict") and not hasattr(model, "novelty"):
        return np.asarray(model.predict(rows))[:, None]
    return (
        -model.decision_function(rows)[:, None]
        if hasattr(model, "offset_")
        else model.kneighbors(rows)[0].mean(1)[:, None]
    )


WAYS = [
    (name, algorithm, container)
    for name, model in TIED.items()
    for algorithm in (["auto", "brute", "ball_tree"] if "algorithm" in model.get_params() else ["auto"])
    for container in ("array", "one-hot", "scaled")
    if (algorithm, container) != ("ball_tree", "one-hot")  # which takes no sparse rows
]


@pytest.mark.parametrize(("name", "algorithm", "container"), WAYS)
def test_ties_are_the_models(name: str, algorithm: str, container: str) -> None:
    """Which of the points that are as far are neighbours is asked of the model's own search, whatever the batch."""
    model, X, rows = clone(TIED[name]), coarse(80), coarse(15, seed=1)
    if "algorithm" in model.get_params():
        model.set_params(algorithm=algorithm)
    y = np.arange(80) % (3 if "many" in name else 2)
    if container != "array":
        model = make_pipeline(OneHotEncoder() if container == "one-hot" else StandardScaler(), model)
        last = model[-1]
        last.set_params(**({"radius": 1.5} if "radius" in last.get_params() else {}))
    model.fit(X, np.linspace(-1, 1, 80) if "regress" in name or name == "radius" else y)
    last = model if container == "array" else model[-1]
    output = "probability" if hasattr(last, "predict_proba") and getattr(last, "weights", None) != "distance" else None
    explainer = neon.Explainer(model, output=output)
    explanation = explainer(rows, "all")
    if output is not None or not hasattr(last, "predict_proba"):
        expected = own(last, rows if container == "array" else model[:-1].transform(rows))
        np.testing.assert_allclose(explanation.prediction, expected, rtol=0, atol=1e-9)
    assert explainer.network.verify(rows) < 1e-9
    assert explanation.conservation_error() < 1e-9
    single = neon.Explainer(model, output=output, batch_size=1, progress=False)(rows, "all")
    np.testing.assert_allclose(single.prediction, explanation.prediction, rtol=0, atol=1e-12)
    np.testing.assert_allclose(single.values, explanation.values, rtol=0, atol=1e-9 * np.abs(explanation.values).max())
    if hasattr(last, "classes_"):
        by_default = neon.Explainer(model)(rows)
        np.testing.assert_array_equal(last.classes_[by_default.target], model.predict(rows))


METRICS: dict[str, dict[str, Any]] = {
    "chebyshev": {"metric": "chebyshev"},
    "minkowski, p = inf": {"p": np.inf},
    "minkowski": {"p": 3},
    "minkowski below 1": {"p": 0.5, "algorithm": "brute"},
    "minkowski, weights": {"p": 3, "metric_params": {"w": np.linspace(1, 2, 5)}},
    "minkowski 2, weights": {"p": 2, "metric_params": {"w": np.linspace(1, 2, 5)}},
    "minkowski 1, weights": {"p": 1, "metric_params": {"w": np.linspace(1, 2, 5)}},
    "seuclidean": {"metric": "seuclidean", "metric_params": {"V": np.linspace(0.5, 2, 5)}},
    "mahalanobis VI": {"metric": "mahalanobis", "metric_params": {"VI": np.eye(5) + 0.3}},
    "mahalanobis V": {"metric": "mahalanobis", "metric_params": {"V": np.eye(5) + 0.3}},
    "cosine": {"metric": "cosine"},
    "canberra": {"metric": "canberra"},
    "hamming": {"metric": "hamming"},
    "sqeuclidean": {"metric": "sqeuclidean"},
    "nan_euclidean": {"metric": "nan_euclidean"},
    "object, euclidean": {"metric": DistanceMetric.get_metric("euclidean"), "algorithm": "ball_tree"},
    "object, chebyshev": {"metric": DistanceMetric.get_metric("chebyshev"), "algorithm": "kd_tree"},
    "object, minkowski": {"metric": DistanceMetric.get_metric("minkowski", p=3), "algorithm": "ball_tree"},
    "object, seuclidean": {
        "metric": DistanceMetric.get_metric("seuclidean", V=np.linspace(1, 2, 5)), "algorithm": "ball_tree",
    },
    "object, mahalanobis": {
        "metric": DistanceMetric.get_metric("mahalanobis", VI=np.eye(5) + 0.3), "algorithm": "ball_tree",
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Mind that for 0 < p < 1")
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str) -> None:
    """Whatever the distance, all that is made of neighbours is the model's, and shared by the features in full."""
    train, rows, y, _ = split("wine")
    train, rows, options = train[:, :5], rows[:, :5], METRICS[name]
    rows = rows[:12]
    found = neighbors.NearestNeighbors(n_neighbors=4, **options).fit(train)
    explanation = neon.Explainer(found)(rows)
    assert relative(explanation.prediction, found.kneighbors(rows)[0].mean(1)) < 1e-10
    assert relative(explanation.values.sum(1), explanation.prediction) < 1e-10
    for model in (
        neighbors.KNeighborsClassifier(5, **options),
        neighbors.KNeighborsClassifier(5, weights="distance", **options),
        neighbors.KNeighborsRegressor(5, **options),
        neighbors.LocalOutlierFactor(5, novelty=True, **options),
    ):
        model.fit(train, y)
        for form in ("fused", "layers"):
            assert neon.neuralize(model, form=form).verify(rows) < 1e-8
        explanation = neon.Explainer(model)(rows)
        assert explanation.conservation_error() < 1e-8
        if hasattr(model, "classes_"):
            np.testing.assert_array_equal(explanation.target, model.predict(rows))


def test_only_the_largest_difference_explains_a_chebyshev_distance() -> None:
    train, rows, _, _ = split("wine")
    model = neighbors.NearestNeighbors(n_neighbors=1, metric="chebyshev").fit(train)
    explanation = neon.Explainer(model)(rows)
    nearest = train[model.kneighbors(rows)[1][:, 0]]
    largest = np.abs(rows - nearest)
    expected = largest * (largest == largest.max(1, keepdims=True))
    np.testing.assert_allclose(explanation.values, expected, atol=1e-12)


def test_places_on_the_globe() -> None:
    random = np.random.default_rng(0)
    train, rows = (random.uniform([-1.5, -3.1], [1.5, 3.1], size=(n, 2)) for n in (60, 20))
    model = neighbors.KNeighborsRegressor(4, metric="haversine", weights="distance").fit(train, train[:, 0])
    explanation = neon.Explainer(model)(rows)
    assert relative(explanation.prediction, model.predict(rows)) < 1e-10
    found = neighbors.NearestNeighbors(n_neighbors=2, metric="haversine").fit(train)
    north = np.array([[train[0, 0] + 0.01, train[0, 1]]])
    single = neon.Explainer(found)(np.vstack([north, rows]))
    assert relative(single.prediction, found.kneighbors(np.vstack([north, rows]))[0].mean(1)) < 1e-10
    alone = neon.Explainer(neighbors.NearestNeighbors(n_neighbors=1, metric="haversine").fit(train))(north)
    np.testing.assert_allclose(alone.values, [[0.01, 0.0]], atol=1e-9)


def test_missing_values_are_passed_over() -> None:
    train, rows, y, _ = split("wine")
    train, rows = train.copy(), rows.copy()
    train[::4, 2] = rows[::3, 1] = np.nan
    model = neighbors.KNeighborsClassifier(5, metric="nan_euclidean").fit(train, y)
    explanation = neon.Explainer(model)(rows)
    np.testing.assert_array_equal(explanation.target, model.predict(rows))
    assert neon.neuralize(model, output="probability").verify(rows) < 1e-9
    assert np.isfinite(explanation.values).all()
    assert not explanation.values[::3, 1].any()


@pytest.mark.parametrize("make", [neighbors.KNeighborsClassifier, neighbors.RadiusNeighborsClassifier])
@pytest.mark.parametrize("weights", ["uniform", "distance", _bump])
def test_several_targets_of_a_classifier(make: Any, weights: Any) -> None:
    train, rows, y, _ = split("wine")
    two = np.stack([np.array(["a", "b", "c"])[y], np.array(["u", "v"])[(train[:, 0] > 0).astype(int)]], axis=1)
    model = make(5.0, weights=weights) if "Radius" in make.__name__ else make(5, weights=weights)
    model.fit(train, two)
    rows = train + 0.01
    explanation = neon.Explainer(model)(rows, "all")
    np.testing.assert_allclose(explanation.prediction, np.hstack(model.predict_proba(rows)), atol=1e-10)
    assert explanation.output_names == ("target 0: a", "target 0: b", "target 0: c", "target 1: u", "target 1: v")
    assert explanation.conservation_error() < 1e-10


def test_weights_by_a_function() -> None:
    train, rows, y, _ = split("wine")
    models: list[Any] = [
        neighbors.KNeighborsRegressor(6, weights=_bump),
        neighbors.RadiusNeighborsRegressor(4.5, weights=_bump),
        neighbors.KNeighborsClassifier(6, weights=_bump),
        neighbors.RadiusNeighborsClassifier(4.5, weights=_bump, outlier_label=0),
    ]
    for model in models:
        model.fit(train, y.astype(float))
        near = rows if "Radius" not in type(model).__name__ else train + 0.1
        explanation = neon.Explainer(model)(near)
        assert neon.neuralize(model).verify(near) < 1e-10
        assert explanation.conservation_error() < 1e-10
        if hasattr(model, "classes_"):
            np.testing.assert_array_equal(explanation.target, model.predict(near))
            assert neon.neuralize(model, output="probability").verify(near) < 1e-10
        else:
            assert relative(explanation.prediction, model.predict(near)) < 1e-10


@pytest.mark.filterwarnings("ignore:Outlier label -1 is not in training")
@pytest.mark.parametrize("label", [1, -1, "most_frequent"])
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_rows_without_neighbors_get_the_outlier_label(label: Any, algorithm: str) -> None:
    train, _, y, _ = split("wine")
    model = neighbors.RadiusNeighborsClassifier(3.0, outlier_label=label, algorithm=algorithm).fit(train, y)
    rows = np.vstack([train[:5] + 0.01, train[:3] + 50.0])
    network = neon.neuralize(model)
    explanation = neon.Explainer(network)(rows)
    assert network.verify(rows) < 1e-12
    np.testing.assert_array_equal(np.asarray(network.classes)[explanation.target], model.predict(rows))
    assert explanation.conservation_error() < 1e-12
    assert not explanation.values[5:].any()
    assert (explanation.residuals["no_neighbor"][5:] == 1).all()
    assert neon.neuralize(model, output="probability").verify(rows) < 1e-12


@pytest.mark.filterwarnings("ignore:Outlier label -1 is not in training")
def test_a_label_that_is_no_output_is_an_error() -> None:
    train, _, y, _ = split("wine")
    model = neighbors.RadiusNeighborsClassifier(3.0, outlier_label=-1).fit(train, y)
    with pytest.raises(ValueError, match=r"predicts -1 for 1 rows.*none of its outputs"):
        neon.explain(model, train[:1] + 50.0, output="probability")


def test_outlier_factors_of_the_rows_that_a_model_was_fitted_on() -> None:
    train, rows, _, _ = split("wine")
    train = np.vstack([train, train[:1] + 6.0])
    for model in (neighbors.LocalOutlierFactor(7), make_pipeline(StandardScaler(), neighbors.LocalOutlierFactor(7))):
        labels = model.fit_predict(train)
        last = model if not hasattr(model, "steps") else model[-1]
        explanation = neon.Explainer(model)(train)
        assert relative(explanation.prediction, last.offset_ - last.negative_outlier_factor_) < 1e-12
        np.testing.assert_array_equal(explanation.prediction > 0, labels < 0)
        assert explanation.values[-1].sum() > 0.8 * explanation.prediction[-1]
        assert neon.neuralize(model).verify(train) < 1e-12
        with pytest.raises(ValueError, match="of a row that the model was fitted on"):
            neon.explain(model, rows)


def test_one_class() -> None:
    train, _, y, _ = split("wine")
    with pytest.raises(ValueError, match="no competitor"):
        neon.neuralize(neighbors.KNeighborsClassifier().fit(train, np.zeros_like(y)))
