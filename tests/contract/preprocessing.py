"""Every transformer of preprocessing, imputation, selection and feature extraction in front of a model."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import RFE, RFECV, SelectFromModel, SelectKBest, SequentialFeatureSelector, chi2
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    KernelCenterer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from sklearn.svm import SVC, SVR

from tests.contract.case import SKLEARN, Case

importlib.import_module("sklearn.experimental.enable_iterative_imputer")
IterativeImputer = importlib.import_module("sklearn.impute").IterativeImputer
QUANTILES: dict[str, Any] = {"quantile_method": "averaged_inverted_cdf"} if SKLEARN >= (1, 7) else {}


def mixed(n_samples: int = 150) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers and strings, and a label that depends on both."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(40.0, 10.0, n_samples),
            "city": random.choice(["Berlin", "Paris", "Rome"], n_samples),
            "size": random.choice(["s", "m", "l"], n_samples),
            "income": random.normal(5.0, 1.0, n_samples),
            "debt": random.normal(2.0, 1.0, n_samples),
        }
    )
    score = table["age"] + 10 * (table["city"] == "Rome") + random.normal(0.0, 5.0, n_samples)
    return table, np.where(score > 45, "yes", "no")


def with_holes() -> tuple[np.ndarray, np.ndarray]:
    """Wine with missing entries."""
    X, y = load_wine(return_X_y=True)
    X = X[::2, :7].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    return X, y[::2]


def cases() -> dict[str, Case]:
    wine, labels = load_wine(return_X_y=True)
    wine, labels = wine[::2, :6], labels[::2]
    return {**tables(), **encoders(wine, labels), **imputers(), **selectors(wine, labels), **maps(wine, labels)}


def tables() -> dict[str, Case]:
    """Column transformers and unions."""
    X, y = mixed()
    numbers = X[["age", "income", "debt"]]
    scaled_and_coded = make_column_transformer(
        (StandardScaler(), ["age", "income", "debt"]), (OneHotEncoder(), ["city"]), (OrdinalEncoder(), ["size"])
    )
    mixing = make_column_transformer(
        (make_pipeline(StandardScaler(), PCA(1)), ["income", "debt"]),
        (OneHotEncoder(drop="first", max_categories=2), ["city", "size"]),
        remainder="passthrough",
    )
    union = make_union(StandardScaler(), PCA(2))
    weighted = FeatureUnion(
        [("scaled", StandardScaler()), ("binned", KBinsDiscretizer(3, **QUANTILES))],
        transformer_weights={"binned": 0.5},
    )
    nested = make_column_transformer(
        (make_union(StandardScaler(), make_pipeline(StandardScaler(), make_union(PCA(1), MinMaxScaler()))), [0, 3]),
        (make_column_transformer((OneHotEncoder(), [0]), (OrdinalEncoder(), [1])), ["city", "size"]),
    )
    return {
        "columns-logistic": Case(make_pipeline(scaled_and_coded, LogisticRegression()), X, y, relu=True),
        "columns-kmeans": Case(make_pipeline(scaled_and_coded, KMeans(3, n_init=1, random_state=0)), X, y, relu=True),
        "columns-mixing-svc": Case(make_pipeline(mixing, SVC()), X, y),
        "columns-mixing-ridge": Case(make_pipeline(mixing, Ridge()), X, y == "yes", relu=True),
        "columns-nested": Case(make_pipeline(nested, Ridge()), X, y == "yes", relu=True),
        "columns-selected": Case(
            make_pipeline(scaled_and_coded, SelectKBest(k=4), LogisticRegression()), X, y, relu=True
        ),
        "union-ridge": Case(make_pipeline(StandardScaler(), union, Ridge()), numbers, y == "yes", relu=True),
        "union-weighted": Case(make_pipeline(weighted, Ridge()), numbers, y == "yes", relu=True),
    }


def target_encoder(n_folds: int, **options: Any) -> TargetEncoder:
    """One whose folds are not shuffled."""
    if SKLEARN >= (1, 9):
        return TargetEncoder(cv=KFold(n_folds), **options)
    return TargetEncoder(cv=n_folds, shuffle=False, **options)


def encoders(wine: np.ndarray, labels: np.ndarray) -> dict[str, Case]:
    """Transformers of single columns, before a model and after a projection."""
    X, y = mixed()
    strings = X[["city", "size"]]
    classifiers: dict[str, Any] = {
        "MinMaxScaler-clip": MinMaxScaler(clip=True),
        "PowerTransformer-yeo-johnson": PowerTransformer(),
        "PowerTransformer-box-cox": make_pipeline(PowerTransformer("box-cox"), StandardScaler()),
        "QuantileTransformer-uniform": QuantileTransformer(n_quantiles=20),
        "QuantileTransformer-normal": QuantileTransformer(n_quantiles=20, output_distribution="normal"),
        "KBinsDiscretizer-onehot": KBinsDiscretizer(4, **QUANTILES),
        "KBinsDiscretizer-dense": KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"),
        "KBinsDiscretizer-ordinal": KBinsDiscretizer(3, encode="ordinal", **QUANTILES),
        "SplineTransformer": SplineTransformer(n_knots=4),
        "SplineTransformer-sparse": SplineTransformer(include_bias=False, sparse_output=True, extrapolation="linear"),
        "Binarizer": make_pipeline(StandardScaler(), Binarizer(threshold=0.2)),
        "Normalizer": Normalizer(),
        "Normalizer-l1": make_pipeline(StandardScaler(), Normalizer("l1")),
        "FunctionTransformer": make_pipeline(FunctionTransformer(np.log1p), FunctionTransformer(), StandardScaler()),
        "FunctionTransformer-scipy": make_pipeline(StandardScaler(), FunctionTransformer(expit)),
        "AdditiveChi2Sampler": make_pipeline(MinMaxScaler(clip=True), AdditiveChi2Sampler(sample_steps=2)),
    }
    found = {
        name: Case(make_pipeline(clone, LogisticRegression(C=0.1)), wine, labels) for name, clone in classifiers.items()
    }
    found["KBinsDiscretizer-svr"] = Case(make_pipeline(KBinsDiscretizer(3, **QUANTILES), SVR()), wine, labels)
    found["KBinsDiscretizer-after-PCA"] = Case(
        make_pipeline(StandardScaler(), PCA(3), KBinsDiscretizer(3, **QUANTILES), Ridge()), wine, labels
    )
    found["Normalizer-kmeans"] = Case(
        make_pipeline(StandardScaler(), PCA(3), Normalizer(), KMeans(3, n_init=1, random_state=0)), wine, labels
    )
    found["OneHotEncoder"] = Case(make_pipeline(OneHotEncoder(), Ridge()), strings, y == "yes", relu=True)
    found["OneHotEncoder-drop"] = Case(
        make_pipeline(OneHotEncoder(drop="if_binary", min_frequency=50, sparse_output=False), Ridge()),
        strings, y == "yes", relu=True,
    )  # fmt: skip
    found["OneHotEncoder-ignore"] = Case(
        make_pipeline(OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), LogisticRegression()),
        strings, y, relu=True,
    )  # fmt: skip
    found["OrdinalEncoder"] = Case(
        make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), SVC()), strings, y
    )
    found["TargetEncoder-binary"] = Case(make_pipeline(target_encoder(3), LogisticRegression()), strings, y, relu=True)
    found["TargetEncoder-multiclass"] = Case(
        make_pipeline(target_encoder(3), LogisticRegression()), strings, X["age"].round(-1).astype(int)
    )
    found["TargetEncoder-continuous"] = Case(
        make_pipeline(target_encoder(3), Ridge()), strings, X["age"].to_numpy(), relu=True
    )
    kernel = rbf_kernel(StandardScaler().fit_transform(wine), gamma=0.1)
    found["KernelCenterer"] = Case(make_pipeline(KernelCenterer(), Ridge()), kernel, labels, relu=True)
    return found


def imputers() -> dict[str, Case]:
    X, y = with_holes()
    regressors: dict[str, Any] = {
        "SimpleImputer": SimpleImputer(),
        "SimpleImputer-indicator": SimpleImputer(strategy="median", add_indicator=True),
        "SimpleImputer-scaled-before": make_pipeline(StandardScaler(), SimpleImputer(strategy="constant")),
        "KNNImputer": KNNImputer(n_neighbors=3, add_indicator=True),
        "IterativeImputer": IterativeImputer(random_state=0, max_iter=3, tol=1.0),
        "MissingIndicator": make_union(SimpleImputer(), MissingIndicator(features="all")),
    }
    return {
        name: Case(make_pipeline(imputer, StandardScaler(), Ridge()), X, y, relu=True)
        for name, imputer in regressors.items()
    }


def selectors(wine: np.ndarray, labels: np.ndarray) -> dict[str, Case]:
    module = importlib.import_module("sklearn.feature_selection")
    chosen: dict[str, Any] = {
        "VarianceThreshold": module.VarianceThreshold(1.0),
        "SelectKBest": SelectKBest(chi2, k=3),
        "SelectPercentile": module.SelectPercentile(percentile=50),
        "SelectFpr": module.SelectFpr(alpha=1e-12),
        "SelectFdr": module.SelectFdr(alpha=1e-12),
        "SelectFwe": module.SelectFwe(alpha=1e-12),
        "GenericUnivariateSelect": module.GenericUnivariateSelect(mode="k_best", param=2),
        "SelectFromModel": SelectFromModel(Ridge()),
        "SequentialFeatureSelector": SequentialFeatureSelector(GaussianNB(), n_features_to_select=2, cv=2),
        "RFE": RFE(Ridge(), n_features_to_select=3),
    }
    found = {name: Case(make_pipeline(select, Ridge()), wine, labels, relu=True) for name, select in chosen.items()}
    found["SelectKBest-after-PCA"] = Case(make_pipeline(PCA(4), SelectKBest(k=2), Ridge()), wine, labels)
    found["RFECV-model"] = Case(RFECV(LogisticRegression(C=0.01, max_iter=1000), cv=2), wine, labels)
    return found


def maps(wine: np.ndarray, labels: np.ndarray) -> dict[str, Case]:
    """Polynomials, approximate kernel maps and random projections."""
    found: dict[str, Case] = {}
    mapped: dict[str, Any] = {
        "PolynomialFeatures": PolynomialFeatures(3),
        "PolynomialFeatures-interactions": PolynomialFeatures((2, 3), interaction_only=True, include_bias=False),
        "RBFSampler": RBFSampler(gamma=0.1, n_components=30, random_state=0),
        "PolynomialCountSketch": PolynomialCountSketch(degree=3, coef0=0.5, n_components=30, random_state=0),
        "PolynomialCountSketch-homogeneous": PolynomialCountSketch(gamma=0.2, n_components=20, random_state=0),
    }
    for kernel in ("rbf", "poly", "sigmoid", "laplacian"):
        mapped[f"Nystroem-{kernel}"] = Nystroem(kernel=kernel, gamma=0.1, n_components=20, random_state=0)
    for name, step in mapped.items():
        found[f"{name}-ridge"] = Case(make_pipeline(StandardScaler(), step, Ridge()), wine, labels)
        found[f"{name}-kmeans"] = Case(
            make_pipeline(StandardScaler(), step, KMeans(3, n_init=1, random_state=0)), wine, labels
        )
    found["PolynomialFeatures-svc"] = Case(make_pipeline(StandardScaler(), PolynomialFeatures(2), SVC()), wine, labels)
    found["Nystroem-linear"] = Case(
        make_pipeline(StandardScaler(), Nystroem(kernel="linear", n_components=5, random_state=0), Ridge()),
        wine, labels, relu=True,
    )  # fmt: skip
    found["SkewedChi2Sampler"] = Case(
        make_pipeline(MinMaxScaler(clip=True), SkewedChi2Sampler(n_components=30, random_state=0), Ridge()),
        wine, labels,
    )  # fmt: skip
    projections: list[Any] = [GaussianRandomProjection(3, random_state=0), SparseRandomProjection(3, random_state=0)]
    for projection in projections:
        found[type(projection).__name__] = Case(
            make_pipeline(StandardScaler(), projection, Ridge()), wine, labels, relu=True
        )
    found["TruncatedSVD-of-bins"] = Case(
        make_pipeline(KBinsDiscretizer(3, strategy="uniform"), TruncatedSVD(4, random_state=0), SVC()), wine, labels
    )
    return found
