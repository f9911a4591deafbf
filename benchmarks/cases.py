"""Models and data sets that the benchmarks share: fitted on standardised rows, without those that are explained."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.cluster import Birch, KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestCentroid,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

from neon import evaluate

__all__ = ["BUNDLED", "DATA", "FAMILIES", "KIN", "OUTLIERS", "Family", "Missing", "Split", "split"]

SHIPPED = Path(__file__).resolve().parents[1] / "data"


class Missing(Exception):
    """An optional library is not installed."""


@dataclass(frozen=True)
class Family:
    """Models of one kind.

    make : from the number of features, an estimator; fits : what it is fitted to, "" for nothing; output : see neon.
    """

    make: Callable[[int], Any]
    fits: str = ""
    output: str | None = None

    def fitted(self, part: Split, seed: int = 0) -> Any:
        """A model of the rows to fit, whose random numbers, if it draws any, begin at the seed."""
        model = self.make(part.fitted.shape[1])
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        return model.fit(part.fitted, part.targets[self.fits])


def xgboost_regressor(d: int) -> Any:
    return optional("xgboost").XGBRegressor(n_estimators=50, max_depth=4, n_jobs=1, random_state=0)


def optional(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{module.partition('.')[0]} is not installed") from error


FAMILIES = {
    "OneClassSVM": Family(lambda d: OneClassSVM(gamma=1 / d, nu=0.1)),
    "KernelDensity": Family(lambda d: KernelDensity(bandwidth=(d / 2) ** 0.5)),
    "LocalOutlierFactor": Family(lambda d: LocalOutlierFactor(novelty=True)),
    "EllipticEnvelope": Family(lambda d: EllipticEnvelope(random_state=0)),
    "IsolationForest": Family(lambda d: IsolationForest(n_estimators=50, random_state=0)),
    "KMeans (4)": Family(lambda d: KMeans(4, n_init=4, random_state=0)),
    "Birch": Family(lambda d: Birch(n_clusters=4, threshold=d**0.5)),
    "GaussianMixture (4)": Family(lambda d: GaussianMixture(4, covariance_type="diag", reg_covar=0.05, random_state=0)),
    "NearestCentroid": Family(lambda d: NearestCentroid(), "classes"),
    "KNeighborsClassifier": Family(lambda d: KNeighborsClassifier(), "classes"),
    "KNeighborsRegressor": Family(lambda d: KNeighborsRegressor(), "values"),
    "SVC": Family(lambda d: SVC(gamma=1 / d), "classes"),
    "SVC, log-ratio": Family(lambda d: SVC(gamma=1 / d), "classes", "log_ratio"),
    "SVR": Family(lambda d: SVR(gamma=1 / d), "values"),
    "KernelRidge": Family(lambda d: KernelRidge(alpha=0.5, kernel="rbf", gamma=1 / d), "values"),
    "GaussianProcessRegressor": Family(
        lambda d: GaussianProcessRegressor(RBF(d**0.5), alpha=0.3, optimizer=None, normalize_y=True), "values"
    ),
    "GaussianProcessClassifier": Family(
        lambda d: GaussianProcessClassifier(4 * RBF(d**0.5), optimizer=None), "classes"
    ),
    "QDA": Family(lambda d: QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.3), "classes"),
    "GaussianNB": Family(lambda d: GaussianNB(var_smoothing=0.05), "classes"),
    "MLPRegressor": Family(
        lambda d: MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=0),
        "values",
    ),
    "RandomForestClassifier": Family(
        lambda d: RandomForestClassifier(50, min_samples_leaf=3, random_state=0), "classes"
    ),
    "GradientBoostingClassifier": Family(
        lambda d: GradientBoostingClassifier(n_estimators=50, random_state=0), "classes"
    ),
    "LogisticRegression": Family(lambda d: LogisticRegression(max_iter=2000), "classes"),
    "MLPClassifier": Family(
        lambda d: MLPClassifier(hidden_layer_sizes=(32,), solver="lbfgs", alpha=1.0, max_iter=500, random_state=0),
        "classes",
    ),
    "XGBRegressor": Family(xgboost_regressor, "values"),
}
KIN = {
    "LinearDiscriminantAnalysis": Family(lambda d: LinearDiscriminantAnalysis(), "classes"),
    "OneVsRestClassifier of SVC": Family(lambda d: OneVsRestClassifier(SVC(gamma=1 / d)), "classes"),
    "VotingClassifier, soft": Family(
        lambda d: VotingClassifier(
            [
                ("nb", GaussianNB(var_smoothing=0.05)),
                ("qda", QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.3)),
            ],
            voting="soft",
        ),
        "classes",
    ),
}
OUTLIERS = ("OneClassSVM", "KernelDensity", "LocalOutlierFactor", "EllipticEnvelope", "IsolationForest")


@dataclass(frozen=True)
class Table:
    """Rows, what may be learned of them, and which features are known to matter.

    classes, values : (n_rows,), None where there is nothing to learn; truth : bool, shaped like X; explained : bool
    (n_rows,), the rows that alone are explained, such as those of which something is known. Default: any.
    """

    X: np.ndarray
    classes: np.ndarray | None
    values: np.ndarray | None
    truth: np.ndarray | None = None
    explained: np.ndarray | None = None


def classified(load: Callable[..., Any]) -> Table:
    """Classes; as values, their numbers."""
    X, y = load(return_X_y=True)
    return Table(X, y, y)


def valued(X: np.ndarray, y: np.ndarray, truth: np.ndarray | None = None) -> Table:
    """Values; as classes, their thirds."""
    return Table(X, np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])), y, truth)


def rentals() -> Table:
    """Categories as numbers in their natural order: days of the week, stations from commuters' to leisure, the sky."""
    table = pd.read_csv(SHIPPED / "rentals.csv")
    orders = {
        "weekday": "Mon Tue Wed Thu Fri Sat Sun",
        "station": "university centre harbour park",
        "weather": "clear cloudy rain snow",
    }
    for name, order in orders.items():
        table[name] = table[name].map({word: place for place, word in enumerate(order.split())})
    return valued(table.drop(columns="rentals").to_numpy(float), np.log1p(table["rentals"].to_numpy(float)))


def sensors() -> Table:
    """Of outliers alone: the rows explained are those of which one sensor, which is known, was spoilt."""
    table = pd.read_csv(SHIPPED / "sensors.csv")
    X = table.drop(columns="corrupted")
    truth = table["corrupted"].to_numpy()[:, None] == X.columns.to_numpy()
    return Table(X.to_numpy(float), None, None, truth, truth.any(1))


def reviews() -> Table:
    """Which of the 40 most frequent words, without articles and the like, a review has."""
    table = pd.read_csv(SHIPPED / "reviews.csv")
    stop = "a an and are as at by for from has have i in is it its my of on or other s some than that the to us was we"
    words = CountVectorizer(binary=True, max_features=40, stop_words=stop.split(), token_pattern=r"[a-z']+")
    y = (table["label"] == "positive").to_numpy(int)
    return Table(words.fit_transform(table["review"]).toarray().astype(float), y, y)


def election() -> Table:
    """ANES 1996, of statsmodels: the vote from age, income, party, views of the candidates, ..."""
    table = optional("statsmodels.datasets").anes96.load_pandas().data.drop(columns="popul")
    y = table.pop("vote").to_numpy(int)
    return Table(table.to_numpy(float), y, y)


def affairs() -> Table:
    """Fair (1978), of statsmodels: a survey of married women; whether there were affairs, and how much of the time."""
    table = optional("statsmodels.datasets").fair.load_pandas().data
    y = table.pop("affairs").to_numpy(float)
    return Table(table.to_numpy(float), (y > 0).astype(int), np.log1p(y))


def clusters() -> Table:
    """Clusters that each live in three features of their own."""
    planted = evaluate.plant_clusters(600)
    return Table(planted.X, planted.labels, planted.labels.astype(float), planted.truth)


def friedman() -> Table:
    """Friedman's first function: five of ten uniform features matter."""
    X, y = datasets.make_friedman1(600, noise=0.5, random_state=0)
    return valued(X, y, np.broadcast_to(np.arange(10) < 5, X.shape))


BUNDLED = {
    "wine": lambda: classified(datasets.load_wine),
    "diabetes": lambda: valued(*datasets.load_diabetes(return_X_y=True)),
    "breast cancer": lambda: classified(datasets.load_breast_cancer),
    "iris": lambda: classified(datasets.load_iris),
    "digits": lambda: classified(datasets.load_digits),
}
DATA: dict[str, Callable[[], Table]] = {
    **BUNDLED,
    "election": election,
    "affairs": affairs,
    "rentals": rentals,
    "sensors": sensors,
    "reviews": reviews,
    "clusters": clusters,
    "friedman": friedman,
}


@dataclass(frozen=True)
class Split:
    """Standardised rows to fit and to explain; targets of those to fit; what is known to matter of those to explain."""

    fitted: np.ndarray
    explained: np.ndarray
    targets: dict[str, np.ndarray | None]
    truth: np.ndarray | None


def split(name: str, n_rows: int, n_fitted: int = 400, seed: int = 0) -> Split:
    """At most a third of a data set is explained."""
    table = DATA[name]()
    order = np.random.default_rng(seed).permutation(len(table.X))
    n_rows = min(n_rows, len(order) // 3)
    if table.explained is not None:
        order = order[np.argsort(~table.explained[order], kind="stable")]
        n_rows = min(n_rows, np.count_nonzero(table.explained))
    explained, fitted = order[:n_rows], order[n_rows : n_rows + n_fitted]
    scaler = StandardScaler().fit(table.X[fitted])
    targets: dict[str, np.ndarray | None] = {"": None}
    if table.classes is not None and table.values is not None:
        values = (table.values - table.values.mean()) / table.values.std()
        targets |= {"classes": table.classes[fitted], "values": values[fitted]}
    truth = None if table.truth is None else table.truth[explained]
    return Split(scaler.transform(table.X[fitted]), scaler.transform(table.X[explained]), targets, truth)
