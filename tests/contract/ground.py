"""Linear models, kernel machines, k-means, densities, perceptrons, scalers and projections."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model, svm
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from tests.contract.case import SKLEARN, Case

NOT_PIECEWISE_LINEAR = (
    "rbf", "poly", "sigmoid", "BernoulliRBM", "KernelDensity", "LogisticRegression-multi", "LogisticRegressionCV",
    "MLPClassifier-relu", "MLPClassifier-tanh", "MLPClassifier-logistic", "MLPClassifier-identity", "MLPRegressor-tanh",
    "MLPRegressor-logistic", "PCA-OneClassSVM", "SVD-SVR", "PCA-Logistic", "log-MinMax-SVC",
)  # fmt: skip

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


def cases() -> dict[str, Case]:
    wine, cancer, diabetes = load_wine(return_X_y=True), load_breast_cancer(return_X_y=True), regression()
    two = (diabetes[0], np.stack([diabetes[1], -2 * diabetes[1]], axis=1))
    found: dict[str, tuple[Any, tuple[Any, Any]]] = {}
    for name in REGRESSORS:
        found[name] = (scaled(getattr(linear_model, name)()), diabetes)
    for name in MULTI_TASK:
        found[name] = (scaled(getattr(linear_model, name)()), two)
    for name in CLASSIFIERS:
        found[f"{name}-binary"] = (scaled(getattr(linear_model, name)()), cancer)
        found[f"{name}-multi"] = (scaled(getattr(linear_model, name)()), wine)
    options = {"l1_ratios": (0,), "use_legacy_attributes": False} if SKLEARN >= (1, 8) else {}
    chosen = linear_model.LogisticRegressionCV(Cs=2, cv=2, scoring="neg_log_loss", **options)
    found["LogisticRegressionCV"] = (scaled(chosen), wine)
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
    found["SVC-multi-rbf-ties"] = (scaled(svm.SVC(break_ties=True)), wine)
    found["SVC-multi-rbf-pairs"] = (scaled(svm.SVC(decision_function_shape="ovo")), wine)
    found["SGDClassifier-probable"] = (scaled(linear_model.SGDClassifier(loss="log_loss", random_state=0)), cancer)
    found["SGDClassifier-probable-multi"] = (scaled(linear_model.SGDClassifier(loss="log_loss", random_state=0)), wine)
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
    labels = (wine[0], np.stack([wine[1] == 0, wine[0][:, 0] > 13, wine[0][:, 1] > 2], axis=1).astype(int))
    found["MLPClassifier-labels"] = (scaled(MLPClassifier(hidden_layer_sizes=(8,), max_iter=30)), labels)
    found["RidgeClassifier-labels"] = (scaled(linear_model.RidgeClassifier()), labels)
    found["RidgeClassifierCV-label-pair"] = (scaled(linear_model.RidgeClassifierCV()), (labels[0], labels[1][:, :2]))
    if SKLEARN >= (1, 7):
        poisson = MLPRegressor(hidden_layer_sizes=(8,), loss="poisson", alpha=0.1, max_iter=30)
        found["MLPRegressor-poisson"] = (scaled(poisson), (diabetes[0], diabetes[1] / 100))
        found["MLPRegressor-poisson-targets"] = (scaled(poisson), (diabetes[0], np.abs(two[1]) / 100))
    for kind, data in {"binary": cancer, "multi": wine}.items():
        clipped = linear_model.SGDClassifier(loss="modified_huber", random_state=0)
        found[f"SGDClassifier-clipped-{kind}"] = (scaled(clipped), data)
    digits = tuple(part[:120] for part in load_digits(return_X_y=True))
    hidden = make_pipeline(MinMaxScaler(), BernoulliRBM(5, n_iter=3, random_state=0))
    found["BernoulliRBM"] = (hidden, digits)
    found["BernoulliRBM-Ridge"] = (make_pipeline(hidden, linear_model.Ridge()), digits)
    found["PCA-KMeans"] = (make_pipeline(StandardScaler(), PCA(4), seeded(KMeans(3, n_init=1))), wine)
    found["PCA-OneClassSVM"] = (make_pipeline(StandardScaler(), PCA(4, whiten=True), svm.OneClassSVM()), wine)
    found["SVD-SVR"] = (make_pipeline(MaxAbsScaler(), TruncatedSVD(3, random_state=0), svm.SVR()), diabetes)
    found["PCA-Logistic"] = (make_pipeline(RobustScaler(), PCA(3), linear_model.LogisticRegression()), wine)
    found["log-MinMax-SVC"] = (make_pipeline(FunctionTransformer(np.log1p), MinMaxScaler(), svm.SVC()), wine)
    found["nested"] = (
        make_pipeline(make_pipeline(StandardScaler(), PCA(5)), "passthrough", linear_model.Ridge()),
        diabetes,
    )
    return {
        name: Case(estimator, *data, relu=not any(word in name for word in NOT_PIECEWISE_LINEAR))
        for name, (estimator, data) in found.items()
    }
