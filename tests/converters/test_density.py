"""Densities and one-class machines: the model's own values at ties, and outliers among the rows they were fitted on."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity
from sklearn.svm import OneClassSVM

import neon
from neon.errors import UnsupportedModelError

pytestmark = pytest.mark.usefixtures("one_pass")

KERNELS = ("gaussian", "exponential", "epanechnikov", "tophat", "linear", "cosine")


def density(model: Any, rows: np.ndarray) -> np.ndarray:
    """The log density that the network gives."""
    network = neon.neuralize(model)
    return np.asarray(network._link(network(network.encode(rows)).numpy())).ravel()


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize("bandwidth", [0.3, 0.5, 1.0])
def test_points_on_the_rim_of_a_ball_are_in_it_as_for_the_model(bandwidth: float, algorithm: str) -> None:
    """Measured to a tenth, many points lie exactly a bandwidth away."""
    random = np.random.default_rng(0)
    X, rows = (np.round(random.normal(size=(n, 2)), 1) for n in (300, 100))
    model = KernelDensity(bandwidth=bandwidth, kernel="tophat", algorithm=algorithm).fit(X)
    expected = model.score_samples(rows)
    expected[expected < -30] = -np.inf  # what a ball tree's sums and differences leave of a zero
    assert ((((rows[:, None] - X) ** 2).sum(2).round(9) == bandwidth**2).sum(1) > 0).any()
    np.testing.assert_allclose(density(model, rows), expected, rtol=0, atol=1e-12)
    inside = rows[np.isfinite(expected)]
    explanation = neon.explain(model, inside)
    assert explanation.conservation_error() < 1e-12


@pytest.mark.parametrize(
    "options",
    [
        {"metric": "minkowski"},
        {"metric": "minkowski", "metric_params": {"p": 3}},
        {"metric": "manhattan"},
        {"metric": "chebyshev"},
        {"metric": "seuclidean", "metric_params": {"V": np.array([0.5, 1.0, 2.0])}, "algorithm": "ball_tree"},
        {"metric": "mahalanobis", "metric_params": {"VI": np.eye(3) + 0.3}, "algorithm": "ball_tree"},
    ],
    ids=lambda options: "-".join(map(str, options.values()))[:24],
)
@pytest.mark.parametrize("kernel", KERNELS)
def test_metrics(kernel: str, options: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    X, rows = random.normal(size=(60, 3)), random.normal(size=(15, 3))
    model = KernelDensity(kernel=kernel, bandwidth=8.0, **options).fit(X, sample_weight=random.random(60) + 0.1)
    for form in ("fused", "layers"):
        assert neon.neuralize(model, form=form).verify(rows) < 1e-10
    explanation = neon.explain(model, rows)
    np.testing.assert_allclose(explanation.values.sum(1), explanation.prediction, rtol=1e-9)
    assert (explanation.values > -1e-12).all()


def test_a_model_that_approximates_is_explained_exactly_and_said_so() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 3))
    exact, model = (KernelDensity(atol=atol).fit(X) for atol in (0.0, 0.1))
    before = pickle.dumps(model)
    network = neon.neuralize(model)
    assert "the model itself is content with atol=0.1" in network.explains
    assert network.verify(X) < 1e-12
    assert pickle.dumps(model) == before
    assert np.abs(density(model, X) - exact.score_samples(X)).max() < 1e-12
    assert np.abs(model.score_samples(X) - exact.score_samples(X)).max() > 1e-3


@pytest.mark.parametrize("n_clusters", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        OneClassSVM(nu=0.05),
        OneClassSVM(nu=0.05, gamma=0.3),
        *(KernelDensity(bandwidth=h) for h in (0.3, 0.5, 1.0)),
        KernelDensity(bandwidth=1.0, kernel="exponential"),
        KernelDensity(bandwidth=9.0, kernel="epanechnikov"),
    ],
    ids=str,
)
def test_outliers_among_the_rows_of_the_fit(model: Any, n_clusters: int) -> None:
    """The row itself explains nothing; neither do the few others that are far out along the same feature."""
    if n_clusters == 3 and getattr(model, "gamma", None) == "scale":
        return  # so wide a kernel, with outliers for most of its support vectors, tells apart no more than the clusters
    random = np.random.default_rng(1)
    X = random.normal(size=(600, 10)) + 4 * random.normal(size=(n_clusters, 10))[np.arange(600) % n_clusters]
    column = random.integers(0, 10, 24)
    X[np.arange(24), column] += 6
    model = model.fit(X)
    for rows in (X[:24], np.round(X[:24], 10)):
        explanation = neon.explain(model, rows)
        assert np.mean(explanation.values.argmax(1) == column) >= 0.95
        assert not np.any(explanation.residuals.get("exact_hit", 0))
        assert explanation.conservation_error() < 1e-10
    network = neon.neuralize(model)
    assert network.verify(X[:24]) < 1e-9  # the value is the model's, which counts the row itself


def test_rows_that_are_all_the_same() -> None:
    explanation = neon.explain(KernelDensity().fit(np.ones((5, 2))), np.ones((2, 2)))
    assert not explanation.prediction.any()
    assert not explanation.values.any()


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_outliers_of_narrow_kernels_are_explained_exactly(kernel: Any, algorithm: Any) -> None:
    """Far from the points scikit-learn's trees are wrong by whole units of the logarithm, and more in every leaf."""
    random = np.random.default_rng(0)
    points, rows = random.normal(size=(600, 10)), random.normal(size=(24, 10))
    rows[:, 3] += 6
    weight = random.uniform(0.5, 2.0, 600)
    model = KernelDensity(bandwidth=0.5, kernel=kernel, algorithm=algorithm).fit(points, sample_weight=weight)
    network, found = neon.neuralize(model), neon.explain(model, rows)
    assert "digits" in found.explains
    assert network.verify(rows) < 1e-9
    d = cdist(rows, points) / 0.5
    expected = -logsumexp(-(d**2) / 2 if kernel == "gaussian" else -d, b=weight / weight.sum(), axis=1)
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-9)
    if kernel == "gaussian":
        one_leaf = KernelDensity(bandwidth=0.5, leaf_size=600).fit(points, sample_weight=weight).score_samples(rows)
        assert np.abs(model.score_samples(rows) - one_leaf).max() > 1.0


def test_the_density_of_a_compact_kernel_is_refused() -> None:
    model = KernelDensity(kernel="tophat").fit(np.zeros((3, 2)))
    with pytest.raises(
        UnsupportedModelError, match=r"output='density' of a tophat kernel.*'gaussian' and 'exponential'"
    ):
        neon.neuralize(model, output="density")


@pytest.mark.parametrize(("bandwidth", "words"), [(0.01, r"exp\(737\), which no number holds"), (1e4, r"exp\(-2026\)")])
def test_a_density_that_no_number_holds_is_refused(bandwidth: float, words: str) -> None:
    points = np.random.default_rng(0).normal(size=(20, 200))
    model = KernelDensity(bandwidth=bandwidth).fit(points)
    with pytest.raises(UnsupportedModelError, match=words):
        neon.neuralize(model, output="density")
    assert neon.neuralize(model).verify(points) <= 1e-9


def test_the_reference_of_a_density_leaves_out_points_without_weight() -> None:
    points = np.random.default_rng(0).normal(size=(40, 2))
    weight = np.repeat([1.0, 0.0], 20)
    far = points + 20 * (weight == 0)[:, None]
    found = neon.explain(KernelDensity().fit(far, sample_weight=weight), points[:5], output="density")
    alone = neon.explain(KernelDensity().fit(far[:20]), points[:5], output="density")
    np.testing.assert_allclose(found.values, alone.values, atol=1e-12)
    assert found.explains == alone.explains
    unequal = KernelDensity().fit(points, sample_weight=weight + 1)
    assert "count alike whatever their weights" in neon.explain(unequal, points[:5], output="density").explains
