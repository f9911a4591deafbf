"""What models tell of the rows that they were fitted on: where absent features come from without a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, Birch, BisectingKMeans, KMeans, MeanShift
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier, VotingRegressor
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    NearestCentroid,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, SVR, OneClassSVM

import neon

pytestmark = pytest.mark.usefixtures("one_pass")

X, Y = load_wine(return_X_y=True)
X = (X[:, [0, 6, 9, 12]] / [1.0, 1.0, 2.0, 300.0])[::2]
Y = Y[::2]

WORDS = {
    "the cluster centers, by size": [KMeans(4, n_init=1, random_state=0), MeanShift(bandwidth=1.5), BisectingKMeans(4)],
    "the subcluster centers, by size": [Birch(threshold=0.5)],
    "the core samples": [DBSCAN(eps=1.0, min_samples=3)],
    "the class centroids, by prior": [NearestCentroid()],
    "the class means, by prior": [LinearDiscriminantAnalysis()],
    "the components (points of their means and covariances)": [
        *(GaussianMixture(3, covariance_type=kind, random_state=0) for kind in ("full", "tied", "diag", "spherical")),
        BayesianGaussianMixture(n_components=2, random_state=0),
    ],
    "the classes (points of their means and covariances)": [
        GaussianNB(),
        QuadraticDiscriminantAnalysis(),
        CalibratedClassifierCV(GaussianNB(), cv=3),
    ],
    "the Gaussian (points of": [EllipticEnvelope(random_state=0)],
    "the support vectors": [SVR(), SVC(), SVC(kernel="poly"), OneClassSVM()],
    "the training rows": [
        KernelRidge(kernel="rbf"),
        GaussianProcessRegressor(optimizer=None, alpha=0.1),
        GaussianProcessClassifier(optimizer=None),
        KNeighborsClassifier(3),
        LabelSpreading(gamma=2.0),
    ],
    "the training points": [KernelDensity()],
    "the support vectors of the estimators inside": [
        BaggingRegressor(SVR(), n_estimators=3, random_state=0),
        OneVsRestClassifier(SVC()),
        VotingRegressor([("svr", SVR()), ("low", SVR(C=0.01)), ("ridge", Ridge())]),
    ],
    "the training rows that its trees counted": [RandomForestClassifier(3, max_depth=3, random_state=0)],
    "the origin": [Ridge()],
}


@pytest.mark.parametrize(
    ("words", "model"),
    [(words, model) for words, models in WORDS.items() for model in models],
    ids=lambda x: str(x)[:40],
)
def test_it_is_said_and_used(words: str, model: Any) -> None:
    explainer = neon.Explainer(model.fit(X, Y), composite="shapley")
    found = explainer(X[:3], "all")
    assert f" from {words}" in found.explains
    spread = explainer.network.background
    if spread is None:
        assert words in ("the training rows that its trees counted", "the origin")
        return
    assert spread.rows.shape == (len(spread.weights), X.shape[1])
    given = neon.Explainer(model, composite="shapley", reference=(spread.rows, spread.weights))(X[:3], "all")
    np.testing.assert_array_equal(found.values, given.values)
    np.testing.assert_array_equal(found.base_values, given.base_values)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_points_of_gaussians_have_their_moments(kind: str) -> None:
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    spread = neon.neuralize(model).background
    assert spread is not None
    weights = spread.weights / spread.weights.sum()
    mean = weights @ spread.rows
    drawn = model.sample(200_000)[0]
    np.testing.assert_allclose(mean, model.weights_ @ model.means_, rtol=1e-12)
    covariance = (weights[:, None] * (spread.rows - mean)).T @ (spread.rows - mean)
    np.testing.assert_allclose(covariance, np.cov(drawn.T), atol=0.03 * np.abs(covariance).max())


def test_sizes_of_birch_are_those_of_its_subclusters() -> None:
    model = Birch(threshold=0.5, branching_factor=5).fit(X)
    spread = neon.neuralize(model).background
    assert spread is not None
    assert spread.weights.sum() == len(X)
    np.testing.assert_allclose(spread.weights @ spread.rows / len(X), X.mean(0), rtol=1e-9)


def test_pipelines_take_it_back_to_their_own_columns() -> None:
    model = make_pipeline(StandardScaler(), KMeans(4, n_init=1, random_state=0)).fit(X)
    spread = neon.neuralize(model).background
    assert spread is not None
    labels = model.predict(X)
    centers = np.stack([X[labels == c].mean(0) for c in range(4)])
    np.testing.assert_allclose(spread.rows, centers, rtol=1e-9)
    np.testing.assert_array_equal(spread.weights, np.bincount(labels))
    reduced = make_pipeline(StandardScaler(), PCA(2), SVR()).fit(X, Y)
    assert "from the support vectors" in neon.Explainer(reduced, composite="shapley")(X[:2]).explains


def test_estimators_side_by_side_tell_together_and_count_the_same() -> None:
    members = [("svr", SVR()), ("low", SVR(C=0.01, epsilon=0.5)), ("ridge", Ridge())]
    model = VotingRegressor(members).fit(X, Y)
    spread = neon.neuralize(model).background
    assert spread is not None
    svr, low, _ = model.estimators_
    np.testing.assert_array_equal(spread.rows, np.concatenate([svr.support_vectors_, low.support_vectors_]))
    n = len(svr.support_vectors_)
    np.testing.assert_allclose([spread.weights[:n].sum(), spread.weights[n:].sum()], 1.0)
    same = VotingRegressor([("a", SVR()), ("b", SVR(tol=1e-9)), ("ridge", Ridge())]).fit(X, Y)
    alone = neon.neuralize(same).background
    assert alone is not None
    np.testing.assert_array_equal(alone.rows, same.estimators_[0].support_vectors_)
    assert alone.words == "the support vectors"


def test_many_rows_are_thinned_and_it_is_said() -> None:
    many = np.random.default_rng(0).normal(size=(2500, 3))
    model = SVR(C=1e-3, epsilon=0.0).fit(many, many[:, 0])
    spread = neon.neuralize(model).background
    assert spread is not None
    np.testing.assert_array_equal(spread.rows, model.support_vectors_[::3])
    assert len(spread.rows) == 833
    assert spread.words == "one in 3 of the support vectors"
    said = neon.Explainer(model, composite="expected")(many[:2]).explains
    assert "from 100 rows of one in 3 of the support vectors" in said
