"""Relevance as features, by scikit-learn's own checks and beside the explainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

import neon
from neon import RelevanceTransformer

X, y = load_wine(return_X_y=True, as_frame=True)
X = X.iloc[:, :5]


@pytest.mark.parametrize(
    ("estimator", "checks"), [(Ridge(), 48), (LogisticRegression(), 48), (KMeans(2, n_init=2, random_state=0), 47)]
)
def test_scikit_learns_checks(estimator: Any, checks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check that scikit-learn has of such an estimator passes: none is skipped or expected to fail."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # else one is skipped
    found = check_estimator(RelevanceTransformer(estimator))
    assert {check["status"] for check in found} == {"passed"}
    assert len(found) == checks or sklearn.__version__ < "1.9"  # older versions have fewer


def test_gives_the_relevance_of_the_explainer() -> None:
    model = LogisticRegression(max_iter=2000).fit(X, y)
    ours = RelevanceTransformer(LogisticRegression(max_iter=2000), target=1, reference=X[:20], output="probability")
    expected = neon.explain(model, X, 1, reference=X[:20], output="probability")
    assert_array_equal(ours.fit(X, y).transform(X), expected.values)
    assert list(ours.get_feature_names_out()) == list(X.columns)


def test_a_fitted_estimator_stays_as_it_is() -> None:
    model = Ridge().fit(X, y)
    ours = RelevanceTransformer(FrozenEstimator(model)).fit(X[:3])
    assert ours.estimator_.estimator is model
    assert_array_equal(ours.transform(X), neon.explain(model, X).values)


def test_in_pipelines_searches_and_frames() -> None:
    relevance = RelevanceTransformer(LogisticRegression(), target="yes").set_output(transform="pandas")
    labels = np.where(y == 1, "yes", "no")
    segments = make_pipeline(StandardScaler(), relevance, KMeans(2, n_init=2, random_state=0))
    segments.set_output(transform="pandas").fit(X, labels)
    frame = segments[:-1].transform(X)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(X.columns)
    assert_array_equal(frame.index, X.index)
    assert not hasattr(relevance.estimator, "coef_")
    grid = {"relevancetransformer__estimator__C": [1e-9, 1.0], "relevancetransformer__composite": [None, "neon"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), relevance, LogisticRegression()), grid, cv=2)
    search.fit(X, labels)
    assert search.best_params_["relevancetransformer__estimator__C"] == 1.0
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_clusterings_without_predict_take_the_rows_of_fit() -> None:
    rows = np.concatenate([np.random.default_rng(0).normal(center, 0.3, (20, 3)) for center in (0.0, 4.0)])
    ours = RelevanceTransformer(DBSCAN(eps=1.0)).fit(rows)
    assert_array_equal(ours.transform(rows[:5]), neon.explain(DBSCAN(eps=1.0).fit(rows), rows[:5], data=rows).values)


def test_what_fit_is_given_goes_to_the_estimator() -> None:
    weights = np.linspace(0.1, 1.0, len(X))
    expected = Ridge().fit(X, y, sample_weight=weights).coef_
    assert_array_equal(RelevanceTransformer(Ridge()).fit(X, y, sample_weight=weights).estimator_.coef_, expected)
    with sklearn.config_context(enable_metadata_routing=True):
        ours = RelevanceTransformer(Ridge().set_fit_request(sample_weight=True))
        assert_array_equal(ours.fit(X, y, sample_weight=weights).estimator_.coef_, expected)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            RelevanceTransformer(Ridge()).fit(X, y, sample_weight=weights)


def test_what_cannot_be_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="one number for each feature"):
        RelevanceTransformer(SVC(), target="all").fit(X, y)
    with pytest.raises(ValueError, match="vectorizer in front"):
        RelevanceTransformer(Ridge()).fit(["a text", "another"], [0, 1])


def test_clones() -> None:
    ours = clone(RelevanceTransformer(Ridge(), composite="neon", target=0).fit(X, y))
    assert (ours.composite, ours.target) == ("neon", 0)
    assert not hasattr(ours, "explainer_")
