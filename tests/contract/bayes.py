"""Mixtures, discriminant analysis, naive Bayes, covariances, and factor models as anomaly detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import covariance, naive_bayes
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from tests.contract.case import SKLEARN, Case
from tests.contract.preprocessing import mixed


def scaled(*steps: Any) -> Any:
    return make_pipeline(StandardScaler(), *steps)


def some(data: tuple[np.ndarray, np.ndarray], n_samples: int = 150) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(0).permutation(len(data[0]))[:n_samples]
    return data[0][chosen], data[1][chosen]


def cases() -> dict[str, Case]:
    wine, iris, digits = (some(load(return_X_y=True)) for load in (load_wine, load_iris, load_digits))
    cancer = some(load_breast_cancer(return_X_y=True))
    found = {**mixtures(wine, iris), **discriminants(wine, cancer), **bayes(wine, cancer, digits)}
    for name in (
        "EmpiricalCovariance", "ShrunkCovariance", "LedoitWolf", "OAS", "GraphicalLasso", "GraphicalLassoCV",
    ):  # fmt: skip
        found[name] = Case(scaled(getattr(covariance, name)()), wine[0])
    found["MinCovDet"] = Case(covariance.MinCovDet(random_state=0), iris[0])
    found["EllipticEnvelope"] = Case(covariance.EllipticEnvelope(random_state=0), iris[0])
    found["EllipticEnvelope-mahalanobis"] = Case(
        scaled(PCA(4), covariance.EllipticEnvelope(random_state=0)), wine[0], options={"output": "mahalanobis"}
    )
    for model in (PCA(4), PCA(4, whiten=True), IncrementalPCA(4), TruncatedSVD(4), FactorAnalysis(4)):
        name = type(model).__name__ + ("-whitened" if getattr(model, "whiten", False) else "")
        error = {"output": "reconstruction_error"}
        found[f"{name}-reconstruction"] = Case(scaled(model), wine[0], options=error)
        if hasattr(model, "score_samples"):
            found[f"{name}-outlierness"] = Case(scaled(model), wine[0], options={"output": "outlierness"})
    found["FactorAnalysis-KMeans"] = Case(
        scaled(FactorAnalysis(4), KMeans(3, n_init=1, random_state=0)), wine[0], relu=True
    )
    return found


def mixtures(wine: tuple[np.ndarray, np.ndarray], iris: tuple[np.ndarray, np.ndarray]) -> dict[str, Case]:
    found = {}
    anomaly = {"output": "outlierness"}
    for kind in ("full", "tied", "diag", "spherical"):
        mixture = GaussianMixture(3, covariance_type=kind, random_state=0)
        bayesian = BayesianGaussianMixture(n_components=3, covariance_type=kind, random_state=0, max_iter=500)
        found[f"GaussianMixture-{kind}"] = Case(mixture, iris[0])
        found[f"GaussianMixture-{kind}-outlierness"] = Case(mixture, wine[0], options=anomaly)
        found[f"GaussianMixture-{kind}-PCA"] = Case(scaled(PCA(4), mixture), wine[0])
        found[f"BayesianGaussianMixture-{kind}"] = Case(bayesian, iris[0])
        found[f"BayesianGaussianMixture-{kind}-outlierness"] = Case(scaled(PCA(3), bayesian), wine[0], options=anomaly)
    found["GaussianMixture-one"] = Case(GaussianMixture(1), iris[0], options=anomaly)
    found["GaussianMixture-two"] = Case(GaussianMixture(2, covariance_type="tied", random_state=0), iris[0], relu=True)
    return found


def discriminants(wine: tuple[np.ndarray, np.ndarray], cancer: tuple[np.ndarray, np.ndarray]) -> dict[str, Case]:
    linear, quadratic = LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    found = {}
    if SKLEARN >= (1, 8):  # which has solvers
        found["QuadraticDiscriminantAnalysis-eigen"] = Case(quadratic(solver="eigen", shrinkage="auto"), *wine)
    return found | {
        "LinearDiscriminantAnalysis-svd": Case(linear(), *wine),
        "LinearDiscriminantAnalysis-lsqr": Case(linear(solver="lsqr"), *wine),
        "LinearDiscriminantAnalysis-eigen": Case(linear(solver="eigen", priors=[0.2, 0.3, 0.5]), *wine),
        "LinearDiscriminantAnalysis-shrinkage": Case(linear(solver="lsqr", shrinkage="auto"), *cancer, relu=True),
        "LinearDiscriminantAnalysis-binary": Case(scaled(linear()), *cancer, relu=True),
        "LinearDiscriminantAnalysis-PCA": Case(scaled(PCA(4), linear()), *wine),
        "LinearDiscriminantAnalysis-transform": Case(scaled(linear(), LogisticRegression()), *wine),
        "LinearDiscriminantAnalysis-transform-eigen": Case(
            make_pipeline(linear(solver="eigen"), KMeans(3, n_init=1, random_state=0)), *wine, relu=True
        ),
        "QuadraticDiscriminantAnalysis-svd": Case(quadratic(), *wine),
        "QuadraticDiscriminantAnalysis-regularized": Case(scaled(quadratic(reg_param=0.1)), *cancer),
        "QuadraticDiscriminantAnalysis-PCA": Case(scaled(PCA(4), quadratic(priors=[0.2, 0.3, 0.5])), *wine),
    }


def bayes(
    wine: tuple[np.ndarray, np.ndarray], cancer: tuple[np.ndarray, np.ndarray], digits: tuple[np.ndarray, np.ndarray]
) -> dict[str, Case]:
    ink, strings = (digits[0] > 7).astype(float), mixed()
    return {
        "GaussianNB": Case(naive_bayes.GaussianNB(), *wine),
        "GaussianNB-binary": Case(scaled(naive_bayes.GaussianNB(priors=[0.7, 0.3])), *cancer),
        "GaussianNB-PCA": Case(scaled(PCA(3), naive_bayes.GaussianNB()), *wine),
        "MultinomialNB": Case(naive_bayes.MultinomialNB(), *digits),
        "MultinomialNB-binary": Case(naive_bayes.MultinomialNB(fit_prior=False), *cancer, relu=True),
        "ComplementNB": Case(naive_bayes.ComplementNB(), *digits),
        "ComplementNB-norm": Case(naive_bayes.ComplementNB(norm=True), *cancer, relu=True),
        "BernoulliNB": Case(naive_bayes.BernoulliNB(binarize=7.0), *digits),
        "BernoulliNB-binarized": Case(naive_bayes.BernoulliNB(binarize=None), ink, digits[1]),
        "BernoulliNB-binary": Case(scaled(naive_bayes.BernoulliNB(class_prior=[0.2, 0.8])), *cancer, relu=True),
        "CategoricalNB": Case(naive_bayes.CategoricalNB(min_categories=20), *digits),
        "CategoricalNB-strings": Case(
            make_pipeline(OrdinalEncoder(), naive_bayes.CategoricalNB()), strings[0][["city", "size"]], strings[1],
            relu=True,
        ),
    }  # fmt: skip
