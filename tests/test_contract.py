"""The contract that every supported estimator keeps."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import linear_model, svm
from sklearn.base import clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import neon
from neon.converters import supported

REGRESSORS = [
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "Lars",
    "LarsCV", "ElasticNet", "ElasticNetCV", "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "BayesianRidge",
    "ARDRegression", "HuberRegressor", "TheilSenRegressor", "QuantileRegressor", "SGDRegressor", "RANSACRegressor",
    "PoissonRegressor", "GammaRegressor", "TweedieRegressor",
]  # fmt: skip
MULTI_TASK = ["MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV"]
CLASSIFIERS = [
    "LogisticRegression", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "Perceptron",
]  # fmt: skip


def seeded(estimator: Any) -> Any:
    return estimator.set_params(random_state=0) if "random_state" in estimator.get_params() else estimator


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), seeded(estimator))


def regression() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return 10 * X[:150], y[:150]


def cases() -> dict[str, tuple[Any, tuple[np.ndarray, Any]]]:
    wine, cancer, diabetes = load_wine(return_X_y=True), load_breast_cancer(return_X_y=True), regression()
    two = (diabetes[0], np.stack([diabetes[1], -2 * diabetes[1]], axis=1))
    found: dict[str, tuple[Any, tuple[np.ndarray, Any]]] = {}
    for name in REGRESSORS:
        found[name] = (scaled(getattr(linear_model, name)()), diabetes)
    for name in MULTI_TASK:
        found[name] = (scaled(getattr(linear_model, name)()), two)
    for name in CLASSIFIERS:
        found[f"{name}-binary"] = (scaled(getattr(linear_model, name)()), cancer)
        found[f"{name}-multi"] = (scaled(getattr(linear_model, name)()), wine)
    found["LogisticRegressionCV"] = (
        scaled(
            linear_model.LogisticRegressionCV(
                Cs=2, cv=2, l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"
            )
        ),
        wine,
    )
    found["SGDOneClassSVM"] = (scaled(linear_model.SGDOneClassSVM()), wine)
    found["LinearSVC"] = (scaled(svm.LinearSVC()), wine)
    found["LinearSVR"] = (scaled(svm.LinearSVR()), diabetes)
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        found[f"SVC-binary-{kernel}"] = (scaled(svm.SVC(kernel=kernel, coef0=0.5)), cancer)
        found[f"SVC-multi-{kernel}"] = (scaled(svm.SVC(kernel=kernel)), wine)
        found[f"NuSVC-{kernel}"] = (scaled(svm.NuSVC(kernel=kernel, nu=0.2)), wine)
        found[f"SVR-{kernel}"] = (scaled(svm.SVR(kernel=kernel)), diabetes)
        found[f"NuSVR-{kernel}"] = (scaled(svm.NuSVR(kernel=kernel)), diabetes)
        found[f"OneClassSVM-{kernel}"] = (scaled(svm.OneClassSVM(kernel=kernel, gamma=0.1)), wine)
    for kernel in ("gaussian", "exponential", "epanechnikov", "tophat", "linear", "cosine"):
        found[f"KernelDensity-{kernel}"] = (scaled(KernelDensity(kernel=kernel, bandwidth=2.5)), wine)
    found["KMeans"] = (scaled(KMeans(4, n_init=1)), wine)
    found["MiniBatchKMeans"] = (scaled(MiniBatchKMeans(5, n_init=1)), wine)
    found["KMeans-unscaled"] = (seeded(KMeans(3, n_init=1)), wine)
    for activation in ("relu", "tanh", "logistic", "identity"):
        found[f"MLPClassifier-{activation}"] = (
            scaled(MLPClassifier(hidden_layer_sizes=(8, 6), activation=activation, max_iter=30)),
            wine,
        )
        found[f"MLPRegressor-{activation}"] = (
            scaled(MLPRegressor(hidden_layer_sizes=(8, 6), activation=activation, max_iter=30)),
            two,
        )
    found["MLPClassifier-binary"] = (scaled(MLPClassifier(hidden_layer_sizes=(8,), max_iter=30)), cancer)
    found["PCA-KMeans"] = (make_pipeline(StandardScaler(), PCA(4), seeded(KMeans(3, n_init=1))), wine)
    found["PCA-OneClassSVM"] = (make_pipeline(StandardScaler(), PCA(4, whiten=True), svm.OneClassSVM()), wine)
    found["SVD-SVR"] = (make_pipeline(MaxAbsScaler(), TruncatedSVD(3, random_state=0), svm.SVR()), diabetes)
    found["PCA-Logistic"] = (make_pipeline(RobustScaler(), PCA(3), linear_model.LogisticRegression()), wine)
    found["log-MinMax-SVC"] = (make_pipeline(FunctionTransformer(np.log1p), MinMaxScaler(), svm.SVC()), wine)
    found["nested"] = (
        make_pipeline(make_pipeline(StandardScaler(), PCA(5)), "passthrough", linear_model.Ridge()),
        diabetes,
    )
    return found


CASES = cases()
NOT_PIECEWISE_LINEAR = (
    "rbf", "poly", "sigmoid", "KernelDensity", "LogisticRegression-multi", "LogisticRegressionCV", "MLPClassifier-relu",
    "MLPClassifier-tanh", "MLPClassifier-logistic", "MLPClassifier-identity", "MLPRegressor-tanh",
    "MLPRegressor-logistic", "PCA-OneClassSVM", "SVD-SVR", "PCA-Logistic", "log-MinMax-SVC",
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return {}


def fit(fitted: dict[str, Any], name: str) -> tuple[Any, np.ndarray]:
    """The case's model, fitted once."""
    estimator, (X, y) = CASES[name]
    if name not in fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted[name] = clone(estimator).fit(X, y)
    return fitted[name], X


every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_equivalence_and_conservation(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    rng = np.random.default_rng(0)
    unseen = X + 0.1 * X.std(0) * np.abs(rng.normal(size=X.shape))
    before = pickle.dumps(model)
    for rows in (X, unseen):
        explanation = neon.explain(model, rows, "all")
        if "KernelDensity" not in name or rows is X:  # verify() calls the model, whose tree counts its queries
            assert pickle.dumps(model) == before
        scale = max(1.0, float(np.abs(explanation.prediction[np.isfinite(explanation.prediction)]).max()))
        assert neon.neuralize(model).verify(rows) <= 1e-9 * scale
        sums = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
        finite = np.isfinite(explanation.prediction)
        np.testing.assert_allclose(sums[finite], explanation.prediction[finite], rtol=0, atol=1e-9 * scale)
        assert finite.all()


@every_case
@pytest.mark.parametrize("form", ["layers", "relu"])
def test_forms_agree(fitted: dict[str, Any], name: str, form: str) -> None:
    model, X = fit(fitted, name)
    piecewise_linear = not any(word in name for word in NOT_PIECEWISE_LINEAR)
    if form == "relu" and not piecewise_linear:
        with pytest.raises(ValueError, match="no exact ReLU form"):
            neon.neuralize(model, form="relu")
        return
    network = neon.neuralize(model, form=form)
    fused = neon.Explainer(model)
    x = torch.as_tensor(X)
    scale = max(1.0, float(fused.network(x).abs().max()))
    assert float((network(x) - fused.network(x)).abs().max()) <= 1e-9 * scale
    if form == "relu":
        assert {type(layer) for layer in network.layers} <= {torch.nn.Linear, torch.nn.ReLU}
        return
    np.testing.assert_allclose(neon.Explainer(network)(X).values, fused(X).values, rtol=0, atol=1e-9 * scale)


@every_case
def test_same_answer(fitted: dict[str, Any], name: str) -> None:
    """Twice, from two threads, from copies, in other containers: bit for bit."""
    model, X = fit(fitted, name)
    X = np.ascontiguousarray(X[:40])
    explainer = neon.Explainer(model)
    first = explainer(X)
    answers = [explainer(X), pickle.loads(pickle.dumps(explainer))(X), neon.Explainer(copy.deepcopy(model))(X)]
    answers += [explainer(pd.DataFrame(X)), explainer(sparse.csr_matrix(X)), explainer(torch.as_tensor(X))]
    threads = [threading.Thread(target=lambda: answers.append(explainer(X))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    for answer in answers:
        np.testing.assert_array_equal(answer.values, first.values)
        np.testing.assert_array_equal(answer.prediction, first.prediction)


@every_case
def test_batches(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    explainer = neon.Explainer(model)
    whole = explainer(X)
    assert explainer(X[:0]).values.shape == (0, X.shape[1])
    scale = max(1.0, float(np.abs(whole.values).max()))
    np.testing.assert_allclose(explainer(X[[3]]).values, whole.values[[3]], rtol=0, atol=1e-9 * scale)
    chunked = neon.Explainer(model, batch_size=7)(X)
    np.testing.assert_allclose(chunked.values, whole.values, rtol=0, atol=1e-9 * scale)
    single = neon.Explainer(model, dtype=torch.float32)(X)
    assert np.isfinite(single.values).all()


@every_case
def test_target_is_the_prediction(fitted: dict[str, Any], name: str) -> None:
    model, X = fit(fitted, name)
    explanation = neon.explain(model, X)
    if hasattr(model, "classes_") and hasattr(model, "predict"):
        named = np.asarray(explanation.output_names)[explanation.target]
        np.testing.assert_array_equal(named, model.predict(X).astype(str))
    elif "KMeans" in name:
        np.testing.assert_array_equal(explanation.target, model.predict(X))
        assert (explanation.prediction >= 0).all()
    elif "OneClass" in name:
        np.testing.assert_array_equal(explanation.prediction > 0, model.decision_function(X).ravel() < 0)


def test_every_registered_estimator_is_a_case() -> None:
    tested = {name.split("-")[0] for name in CASES}
    tested |= {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "FunctionTransformer", "Pipeline"}
    tested |= {"PCA", "TruncatedSVD"}
    # deprecated in scikit-learn, and refused by warnings as errors
    tested |= {"PassiveAggressiveClassifier", "PassiveAggressiveRegressor"}
    assert {name.rsplit(".", 1)[1] for name in supported()} <= tested


@pytest.mark.parametrize("output", ["decision_function", "log_ratio"])
def test_tied_votes_explain_the_class_that_the_model_predicts(output: str) -> None:
    """Three machines that each prefer another class: no class wins all its pairs, and the largest margin may lose."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.array(["a", "b", "c", "d", "e"])[rng.integers(5, size=60)]  # labels without rhyme: votes tie often
    model = svm.SVC(gamma=3.0, C=100.0).fit(X, y)
    rows = rng.normal(size=(400, 2))
    explanation = neon.Explainer(model, output=output)(rows)
    largest = neon.Explainer(model, output=output)(rows, "all").prediction.argmax(1)
    assert (largest != explanation.target).any()  # otherwise this test would test nothing
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(rows))
