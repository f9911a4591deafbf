"""Random models on random data keep the contract: equivalence, conservation, and no relevance without influence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

import neon

pytestmark = pytest.mark.usefixtures("one_pass")

SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
ESTIMATORS = {
    "kmeans": lambda draw: KMeans(draw(st.integers(2, 6)), n_init=1, random_state=0),
    "one-class": lambda draw: OneClassSVM(gamma=draw(st.floats(1e-2, 1.0)), nu=draw(st.floats(0.1, 0.9))),
    "kde": lambda draw: KernelDensity(
        bandwidth=draw(st.floats(0.3, 3.0)), kernel=draw(st.sampled_from(["gaussian", "exponential"]))
    ),
    "svc": lambda draw: SVC(
        kernel=draw(st.sampled_from(["linear", "rbf", "poly", "sigmoid"])), C=draw(st.floats(0.1, 10.0)), coef0=0.3
    ),
    "svr": lambda draw: SVR(kernel=draw(st.sampled_from(["linear", "rbf"])), gamma=draw(st.floats(1e-2, 1.0))),
    "logistic": lambda draw: LogisticRegression(C=draw(st.floats(0.01, 10.0))),
    "ridge": lambda draw: Ridge(draw(st.floats(0.01, 10.0))),
    "mlp": lambda draw: MLPClassifier(
        hidden_layer_sizes=(draw(st.integers(1, 6)),),
        activation=draw(st.sampled_from(["relu", "tanh"])),
        max_iter=5,
        random_state=0,
    ),
    "mlp regressor": lambda draw: MLPRegressor(hidden_layer_sizes=(4, 3), max_iter=5, random_state=0),
}


@st.composite
def fitted(draw: st.DrawFn) -> tuple[Any, np.ndarray]:
    """A fitted pipeline and rows that it has not seen, some of them training rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_features = draw(st.integers(20, 50)), draw(st.integers(2, 7))
    units = 10.0 ** rng.uniform(-2, 2, size=n_features)  # columns of very different units, away from 0
    X = (rng.normal(size=(n_rows, n_features)) + rng.normal(size=n_features)) * units
    n_classes = draw(st.integers(2, 4))
    estimator = ESTIMATORS[draw(st.sampled_from(sorted(ESTIMATORS)))](draw)
    y = np.arange(n_rows) % n_classes
    X[:, 0] += 2 * y * units[0]
    steps: list[Any] = [draw(st.sampled_from(SCALERS))()]
    if draw(st.booleans()):
        reduce = draw(st.sampled_from([PCA, TruncatedSVD]))
        steps.append(reduce(draw(st.integers(1, n_features - 1)), random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make_pipeline(*steps, estimator).fit(X, y)
    rows = np.concatenate([X[:5], X[5:15] + rng.normal(size=(10, n_features)) * units])
    return model, rows


many = settings(max_examples=120)


@many
@given(fitted())
def test_equivalence_and_conservation(drawn: tuple[Any, np.ndarray]) -> None:
    model, rows = drawn
    explanation = neon.explain(model, rows, "all")
    scale = max(1.0, float(np.abs(explanation.prediction).max()))
    assert neon.neuralize(model).verify(rows) <= 1e-9 * scale
    total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
    size = np.maximum(scale, np.abs(explanation.values).sum(1))
    np.testing.assert_array_less(np.abs(total - explanation.prediction), 1e-9 * size + 1e-300)


@many
@given(fitted())
def test_forms_agree(drawn: tuple[Any, np.ndarray]) -> None:
    model, rows = drawn
    fused, layers = neon.explain(model, rows), neon.Explainer(neon.neuralize(model, form="layers"))(rows)
    # Behind a projection a row may be far from a center that its image is next to: shares R / D of terms that cancel.
    total = np.abs(fused.values.sum(1, keepdims=True)) + 1e-300
    condition = np.maximum(1.0, np.abs(fused.values).sum(1, keepdims=True) / total)
    scale = max(1.0, float(np.abs(fused.values).max()))
    assert (np.abs(layers.values - fused.values) <= 1e-9 * scale * condition).all()
    assert set(layers.residuals) == set(fused.residuals)


@many
@given(st.data(), st.integers(0, 2**16))
def test_a_column_without_weight_has_no_relevance(data: st.DataObject, seed: int) -> None:
    """A column that was constant at fit: the scaler moves it to 0, where every center and weight holds it."""
    name = data.draw(st.sampled_from(["kmeans", "one-class", "kde", "svc", "svr", "logistic", "ridge"]))
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(size=(30, 3)), np.full((30, 1), 3.0)], axis=1)
    X[:, 0] += np.arange(30) % 3
    model = make_pipeline(StandardScaler(), ESTIMATORS[name](data.draw)).fit(X, np.arange(30) % 3)
    explanation = neon.explain(model, X)
    np.testing.assert_array_less(np.abs(explanation.values[:, 3]), 1e-12 * np.abs(explanation.values).max() + 1e-300)
