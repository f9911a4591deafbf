"""What is explained: estimators of the contract, and others fitted on the drawn tables."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import lightgbm
import numpy as np
import xgboost
from catboost import CatBoostError, CatBoostRegressor
from hypothesis import assume
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, BisectingKMeans, KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestCentroid,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.contract import CASES
from tests.fuzz.tables import tables

__all__ = ["EXACT", "subjects"]

# Shapley values of these are what the sum over all subsets gives.
EXACT = {
    "linear": lambda draw: LinearRegression(),
    "svr": lambda draw: SVR(kernel=draw(st.sampled_from(["rbf", "linear"])), gamma=0.5, max_iter=1000),
    # Of a higher degree what is integrated are Aumann-Shapley values, which are others.
    "square": lambda draw: SVR(kernel="poly", degree=2, coef0=draw(st.sampled_from([0.0, 1.0])), max_iter=1000),
    "process": lambda draw: GaussianProcessRegressor(alpha=0.1, random_state=0),
    "tree": lambda draw: DecisionTreeRegressor(max_depth=draw(st.integers(1, 4)), random_state=0),
    "forest": lambda draw: RandomForestRegressor(3, max_depth=3, random_state=0),
    "histogram": lambda draw: HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2),
    "xgboost": lambda draw: xgboost.XGBRegressor(n_estimators=3, max_depth=2, n_jobs=1),
    "lightgbm": lambda draw: lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2, verbose=-1, n_jobs=1),
}
OTHERS = {
    "ridge": lambda draw: Ridge(draw(st.floats(0.01, 10.0))),
    "logistic": lambda draw: LogisticRegression(),
    "svc": lambda draw: SVC(kernel=draw(st.sampled_from(["rbf", "poly", "sigmoid", "linear"])), max_iter=1000),
    "one-class": lambda draw: OneClassSVM(gamma=draw(st.sampled_from(["scale", 0.1])), max_iter=1000),
    "kmeans": lambda draw: KMeans(draw(st.integers(1, 4)), n_init=1, random_state=0),
    "density": lambda draw: KernelDensity(kernel=draw(st.sampled_from(["gaussian", "exponential", "tophat"]))),
    "mixture": lambda draw: GaussianMixture(draw(st.integers(1, 2)), random_state=0),
    "bayes": lambda draw: GaussianNB(),
    "neighbours": lambda draw: KNeighborsClassifier(draw(st.integers(1, 3))),
    "near": lambda draw: KNeighborsRegressor(
        draw(st.integers(1, 3)), weights=draw(st.sampled_from(["uniform", "distance"]))
    ),
    "centroid": lambda draw: NearestCentroid(),
    "perceptron": lambda draw: MLPClassifier((4,), max_iter=5, random_state=0),
    "trees": lambda draw: RandomForestClassifier(3, max_depth=3, random_state=0),
    "boosting": lambda draw: GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    "isolation": lambda draw: IsolationForest(n_estimators=5, random_state=0),
    "bisecting": lambda draw: BisectingKMeans(draw(st.integers(1, 4)), random_state=0),
    "birch": lambda draw: Birch(n_clusters=draw(st.integers(1, 3))),
    "outlier factor": lambda draw: LocalOutlierFactor(draw(st.integers(1, 3)), novelty=True),
    "envelope": lambda draw: EllipticEnvelope(support_fraction=1.0, random_state=0),
    "calibrated": lambda draw: CalibratedClassifierCV(LinearSVC(max_iter=100), cv=2, ensemble=draw(st.booleans())),
    "each against the rest": lambda draw: OneVsRestClassifier(SVC(max_iter=1000)),
    "votes": lambda draw: VotingClassifier(
        [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=2))], voting=draw(st.sampled_from(_VOTING))
    ),
    "bagging": lambda draw: BaggingRegressor(SVR(max_iter=1000), 2, random_state=0),
    "stacked": lambda draw: StackingRegressor([("a", Ridge()), ("b", KNeighborsRegressor(1))], cv=2),
    "search": lambda draw: GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
    "target": lambda draw: TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()),
    "catboost": lambda draw: CatBoostRegressor(
        iterations=3, depth=2, verbose=0, thread_count=1, allow_writing_files=False
    ),
    "xgb": lambda draw: xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1),
    "lgbm": lambda draw: lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1, n_jobs=1),
}
_VOTING = ["hard", "soft"]
CONTRACT = sorted(name for name, case in CASES.items() if not case.labelled)


@functools.lru_cache(maxsize=64)
def of_contract(name: str) -> Any:
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(case.estimator).fit(case.X, case.y)


def steps(draw: st.DrawFn, table: Any) -> list[Any]:
    """What comes before the estimator: encoders where there is something to encode."""
    scale = {"none": [], "standard": [StandardScaler()], "min-max": [MinMaxScaler()]}
    scale["polynomials"] = [StandardScaler(), PolynomialFeatures(2, include_bias=False)]
    found = scale[draw(st.sampled_from(sorted(scale)))]
    kinds = getattr(table, "dtypes", None)
    if kinds is None or all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in kinds):
        return found
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), *found)
    labels = OneHotEncoder(handle_unknown="ignore", sparse_output=draw(st.booleans()))
    return [
        make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (labels, make_column_selector(dtype_exclude="number")),
        )
    ]


@st.composite
def subjects(draw: st.DrawFn, *, exact: bool = False) -> tuple[str, Any, Any, Any, dict[str, Any]]:
    """Name, fitted model, the table and the targets that it was fitted on, and options of the contract."""
    if not exact and draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(CONTRACT))
        case = CASES[name]
        X = case.X
        return name, of_contract(name), X, case.y, dict(case.options)
    table = draw(tables(numeric=exact))
    pool = EXACT if exact else EXACT | OTHERS
    name = draw(st.sampled_from(sorted(pool)))
    model = make_pipeline(*([] if exact else steps(draw, table)), pool[name](draw))
    y: Any = np.arange(len(table)) % draw(st.integers(1, 3)) if not exact else np.arange(len(table)) % 5
    if draw(st.booleans()) and not exact:
        y = np.array(["no", "yes", "日本"])[y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(table, y)
        except (ValueError, TypeError, FloatingPointError, np.linalg.LinAlgError, xgboost.core.XGBoostError,
                lightgbm.basic.LightGBMError, CatBoostError):  # fmt: skip
            assume(False)  # the library's own: one class, too few rows, numbers beyond float32
    if len(model.steps) == 1 and draw(st.booleans()):
        model = model[-1]
    return name, model, table, y, {}
