"""One model of every family, for `benchmarks.cost`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn import cluster, cross_decomposition, decomposition, ensemble, manifold, naive_bayes, neighbors, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.covariance import EllipticEnvelope
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, PolynomialCountSketch, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, LinearSVC

__all__ = ["Family", "families", "table", "texts"]

CHEAP = "a few small matrix products; the explanation is as large as the rows, checked and written"
METRIC = "a metric of 64 x 64: one product with it for the value, two more to share it"
POINTS = "distances to all points: the model keeps the nearest alone, here all are held, and shared by two products"
KERNELS = "kernel values of all points: their secants, and two more products to share the distances"
WAYS = "every step of the shortest ways through the training rows is shared, where the model adds up lengths"
CENTERS = "distances to all points: the evidence against every other cluster is shared, by two more products"
PATHS = "distances to a few centers; the minimum over every path of decisions is shared as well"
ABSOLUTE = "absolute differences from all points: once for the distances, once more to share them"
ONE_HOT = "one-hot: 1,280 columns a row, whose relevance is kept as `encoded`"
MONOMIALS = "2,144 monomials a row, each shared between its features"
MEMBERS = "log-odds of every member and class, and their mean, beside one product for each member"
TREES = "the model looks up a leaf; all decisions on the way there are shared"


@dataclass(frozen=True, eq=False)
class Family:
    """A model to fit and time.

    Attributes
    ----------
    estimator : estimator
    y : array, optional
    why : str
        Why an explanation costs more than three times the model's own function, if it does.
    rows : {"digits", "positive", "counts", "column", "table", "texts"}
        What it is fitted on and explained for.
    limit : int, optional
        Fewer rows to explain: the model's own function is slow.
    fit_limit : int, optional
        Fewer rows to fit on: the fit is slow, or the model holds pairs of rows.
    labelled : bool
        A clustering without ``predict``: explained by the rows that it was fitted on.
    options : mapping
        Of `neon.Explainer`.
    """

    estimator: Any
    y: Any = None
    why: str = ""
    rows: str = "digits"
    limit: int | None = None
    fit_limit: int | None = None
    labelled: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def families(y: np.ndarray, gamma: float) -> dict[str, Family]:
    """By name; y : (n_fit,) digits, gamma : of the RBF kernels."""
    value, even = y.astype(float), y % 2
    several = np.stack([even, y > 4, y % 3 == 0], axis=1).astype(int)
    logistic, seed = LogisticRegression(max_iter=200), {"random_state": 0}
    tree_5 = tree.DecisionTreeClassifier(max_depth=5, **seed)
    two = [("logistic", logistic), ("svm", SVC(gamma=gamma))]
    soft = [("logistic", logistic), ("bayes", naive_bayes.GaussianNB())]
    forest = {"n_estimators": 50, "max_depth": 8, **seed}
    anomaly, error = {"output": "outlierness"}, {"output": "reconstruction_error"}
    return {
        "GaussianMixture": Family(GaussianMixture(5, reg_covar=1e-3, **seed), why=METRIC),
        "GaussianMixture, diagonal": Family(GaussianMixture(5, covariance_type="diag", **seed), why=CHEAP),
        "GaussianMixture, outlierness": Family(GaussianMixture(5, reg_covar=1e-3, **seed), options=anomaly, why=METRIC),
        "BayesianGaussianMixture": Family(BayesianGaussianMixture(n_components=5, reg_covar=1e-3, **seed), why=METRIC),
        "QDA": Family(QuadraticDiscriminantAnalysis(reg_param=0.1), y, why=METRIC),
        "LDA": Family(LinearDiscriminantAnalysis(), y, why=CHEAP),
        "GaussianNB": Family(naive_bayes.GaussianNB(var_smoothing=1e-3), y, why=CHEAP),
        "MultinomialNB": Family(naive_bayes.MultinomialNB(), y, rows="positive", why=CHEAP),
        "ComplementNB": Family(naive_bayes.ComplementNB(), y, rows="positive", why=CHEAP),
        "BernoulliNB": Family(naive_bayes.BernoulliNB(binarize=0.5), y, why=CHEAP),
        "CategoricalNB": Family(naive_bayes.CategoricalNB(min_categories=20), y, rows="counts", why=ONE_HOT),
        "EllipticEnvelope": Family(EllipticEnvelope(support_fraction=0.9, **seed), why=METRIC),
        "PCA, reconstruction error": Family(decomposition.PCA(16), options=error, why=METRIC),
        "FactorAnalysis, outlierness": Family(decomposition.FactorAnalysis(8), options=anomaly, why=METRIC),
        "KNeighborsClassifier": Family(neighbors.KNeighborsClassifier(), y),
        "KNeighborsClassifier, distance": Family(neighbors.KNeighborsClassifier(weights="distance"), y),
        "KNeighborsRegressor": Family(neighbors.KNeighborsRegressor(), value, why=POINTS),
        "RadiusNeighborsClassifier": Family(
            neighbors.RadiusNeighborsClassifier(radius=2.2, outlier_label="most_frequent"), y, why=POINTS
        ),
        "RadiusNeighborsRegressor": Family(neighbors.RadiusNeighborsRegressor(radius=2.6), value, why=POINTS),
        "LocalOutlierFactor": Family(neighbors.LocalOutlierFactor(novelty=True), why=POINTS),
        "NearestCentroid": Family(neighbors.NearestCentroid(), y, why=CHEAP),
        "NeighborhoodComponentsAnalysis, SVC": Family(
            make_pipeline(neighbors.NeighborhoodComponentsAnalysis(8, init="pca", max_iter=2, **seed), SVC()),
            y,
            fit_limit=500,
            why=KERNELS,
        ),
        "KernelRidge, rbf": Family(KernelRidge(kernel="rbf", gamma=gamma), value, why=KERNELS),
        "KernelRidge, laplacian": Family(
            KernelRidge(kernel="laplacian", gamma=gamma / 4), value, limit=1_000, why=ABSOLUTE
        ),
        "GaussianProcessRegressor": Family(
            GaussianProcessRegressor(RBF(3.0) + WhiteKernel(0.1), optimizer=None), value, fit_limit=1_000, why=KERNELS
        ),
        "GaussianProcessClassifier": Family(
            GaussianProcessClassifier(RBF(3.0), optimizer=None), y % 3, limit=2_000, fit_limit=300, why=KERNELS
        ),
        "LabelSpreading": Family(LabelSpreading(gamma=2.0), np.where(np.arange(len(y)) % 3 == 0, y, -1)),
        "IsotonicRegression": Family(
            IsotonicRegression(out_of_bounds="clip"),
            value,
            rows="column",
            why="one interpolated column, in half a millisecond",
        ),
        "MeanShift": Family(cluster.MeanShift(bandwidth=1.9), fit_limit=300, why=CHEAP),
        "AffinityPropagation": Family(cluster.AffinityPropagation(preference=-50.0, **seed), fit_limit=500, why=CHEAP),
        "Birch": Family(cluster.Birch(threshold=1.0, n_clusters=10), why=CENTERS),
        "BisectingKMeans": Family(cluster.BisectingKMeans(10, **seed), why=PATHS),
        "DBSCAN": Family(cluster.DBSCAN(eps=1.6, min_samples=4), labelled=True, why=CENTERS),
        "AgglomerativeClustering": Family(
            cluster.AgglomerativeClustering(10), labelled=True, fit_limit=1_000, why=CENTERS
        ),
        "SpectralClustering": Family(
            cluster.SpectralClustering(10, gamma=1.0, **seed), labelled=True, fit_limit=1_000, why=CENTERS
        ),
        "NMF, linear": Family(
            make_pipeline(decomposition.NMF(10, init="nndsvda", max_iter=400, **seed), Ridge()),
            value,
            rows="positive",
            why=CHEAP,
        ),
        "KernelPCA, linear": Family(
            make_pipeline(decomposition.KernelPCA(10, kernel="rbf", gamma=gamma), Ridge()),
            value,
            fit_limit=1_000,
            why=KERNELS,
        ),
        "Isomap, linear": Family(
            make_pipeline(manifold.Isomap(n_neighbors=10, n_components=10), Ridge()), value, fit_limit=1_000, why=WAYS
        ),
        "LocallyLinearEmbedding, linear": Family(
            make_pipeline(
                manifold.LocallyLinearEmbedding(n_neighbors=20, n_components=10, eigen_solver="dense"), Ridge()
            ),
            value,
            fit_limit=1_000,
        ),
        "LatentDirichletAllocation, linear": Family(
            make_pipeline(decomposition.LatentDirichletAllocation(10, **seed), Ridge()),
            value,
            rows="counts",
        ),
        "FastICA, linear": Family(
            make_pipeline(decomposition.FastICA(10, tol=1e-2, **seed), Ridge()), value, why=CHEAP
        ),
        "SparseCoder, omp": Family(
            decomposition.SparseCoder(_atoms(30), transform_algorithm="omp", transform_n_nonzero_coefs=4), limit=2_000
        ),
        "SparseCoder, threshold": Family(
            decomposition.SparseCoder(_atoms(30), transform_algorithm="threshold", transform_alpha=0.3), why=CHEAP
        ),
        "BernoulliRBM, linear": Family(
            make_pipeline(BernoulliRBM(30, n_iter=2, **seed), Ridge()), value, rows="positive", why=CHEAP
        ),
        "PLSRegression": Family(cross_decomposition.PLSRegression(4), value, why=CHEAP),
        "FeatureAgglomeration, linear": Family(
            make_pipeline(cluster.FeatureAgglomeration(10), Ridge()), value, why=CHEAP
        ),
        "Nystroem, linear": Family(
            make_pipeline(Nystroem(gamma=gamma, n_components=100, **seed), logistic), y, why=KERNELS
        ),
        "RBFSampler, linear": Family(
            make_pipeline(RBFSampler(gamma=gamma, n_components=200, **seed), logistic), y, why=CHEAP
        ),
        "AdditiveChi2Sampler, linear": Family(
            make_pipeline(AdditiveChi2Sampler(), Ridge()), value, rows="positive", why=CHEAP
        ),
        "PolynomialCountSketch, linear": Family(
            make_pipeline(PolynomialCountSketch(n_components=100, **seed), Ridge()), value, why=CHEAP
        ),
        "PolynomialFeatures, linear": Family(make_pipeline(PolynomialFeatures(2), Ridge()), value, why=MONOMIALS),
        "SplineTransformer, linear": Family(make_pipeline(SplineTransformer(n_knots=4), Ridge()), value),
        "QuantileTransformer, linear": Family(
            make_pipeline(QuantileTransformer(n_quantiles=100, **seed), Ridge()), value
        ),
        "KBinsDiscretizer, linear": Family(
            make_pipeline(KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), Ridge()), value
        ),
        "Binarizer, linear": Family(make_pipeline(Binarizer(threshold=0.5), Ridge()), value, why=CHEAP),
        "tf-idf, linear": Family(make_pipeline(TfidfVectorizer(), logistic), even, rows="texts"),
        "columns with strings, linear": Family(
            make_pipeline(
                make_column_transformer((StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["city", "size"])),
                logistic,
            ),
            even,
            rows="table",
            why=CHEAP,
        ),
        "CalibratedClassifierCV": Family(
            CalibratedClassifierCV(LinearSVC(dual=False), cv=2, ensemble=False), even, why=CHEAP
        ),
        "VotingClassifier, hard": Family(ensemble.VotingClassifier(two), y),
        "VotingClassifier, soft": Family(ensemble.VotingClassifier(soft, voting="soft"), y, why=MEMBERS),
        "BaggingClassifier": Family(
            ensemble.BaggingClassifier(logistic, max_features=0.5, n_estimators=5, **seed), y, why=MEMBERS
        ),
        "StackingClassifier": Family(ensemble.StackingClassifier(two, logistic, cv=2), even),
        "AdaBoostClassifier": Family(ensemble.AdaBoostClassifier(tree_5, n_estimators=20, **seed), y, why=TREES),
        "OneVsRestClassifier": Family(OneVsRestClassifier(SVC(gamma=gamma)), y),
        "OneVsOneClassifier": Family(OneVsOneClassifier(LinearSVC(dual=False)), y, why=CHEAP),
        "OutputCodeClassifier": Family(OutputCodeClassifier(logistic, code_size=2, **seed), y, why=CHEAP),
        "ClassifierChain": Family(ClassifierChain(logistic), several, why=CHEAP),
        "RegressorChain": Family(RegressorChain(Ridge()), several.astype(float), why=CHEAP),
        "DecisionTreeClassifier": Family(tree.DecisionTreeClassifier(max_depth=8, **seed), y, why=TREES),
        "RandomForestClassifier": Family(ensemble.RandomForestClassifier(**forest), y, why=TREES),
        "ExtraTreesRegressor": Family(ensemble.ExtraTreesRegressor(**forest), value, why=TREES),
        "GradientBoostingRegressor": Family(
            ensemble.GradientBoostingRegressor(n_estimators=50, **seed), value, why=TREES
        ),
        "HistGradientBoostingClassifier": Family(
            ensemble.HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=15), y, why=TREES
        ),
        "IsolationForest": Family(ensemble.IsolationForest(n_estimators=50, **seed), why=TREES),
    }


def _atoms(n_atoms: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(n_atoms, 64))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def table(n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Numbers and strings."""
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, n_rows),
            "income": rng.normal(5, 1, n_rows),
            "city": rng.choice(["Berlin", "Paris", "Rome"], n_rows),
            "size": rng.choice(["s", "m", "l"], n_rows),
        }
    )


def texts(n_rows: int, rng: np.random.Generator) -> pd.Series:
    """Thirty words a document, out of two thousand."""
    words = np.array([f"word{i}" for i in range(2_000)])
    return pd.Series([" ".join(document) for document in words[rng.integers(2_000, size=(n_rows, 30))]], dtype=object)
