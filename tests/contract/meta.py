"""Estimators around other estimators: searches, votes, stacks, calibration, several classes and targets, dummies."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from sklearn import ensemble, multiclass, multioutput
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import RadiusNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.contract.case import SKLEARN, Case
from tests.contract.ground import regression
from tests.contract.preprocessing import mixed

importlib.import_module("sklearn.experimental.enable_halving_search_cv")
model_selection = importlib.import_module("sklearn.model_selection")


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def logistic() -> Any:
    return scaled(LogisticRegression())


def cases() -> dict[str, Case]:
    wine, labels = load_wine(return_X_y=True)
    wine, labels = wine[::2], labels[::2]
    cancer, tumor = load_breast_cancer(return_X_y=True)
    two = (cancer[:150], np.array(["malignant", "benign"])[tumor[:150]])
    three = (wine, labels)
    return {**wrappers(two, three), **votes(two, three), **calibrated(two, three), **split(two, three), **nested()}


Data = tuple[np.ndarray, np.ndarray]


def wrappers(two: Data, three: Data) -> dict[str, Case]:
    """Estimators around a single one."""
    X, y = regression()
    grid = {"logisticregression__C": [0.1, 1.0]}
    some = np.where(np.arange(len(three[1])) % 3 == 0, -1, three[1])
    return {
        "GridSearchCV": Case(GridSearchCV(logistic(), grid, cv=2), *two, relu=True),
        "RandomizedSearchCV": Case(RandomizedSearchCV(logistic(), grid, n_iter=2, cv=2, random_state=0), *three),
        "HalvingGridSearchCV": Case(model_selection.HalvingGridSearchCV(logistic(), grid, cv=2), *two, relu=True),
        "HalvingRandomSearchCV": Case(
            model_selection.HalvingRandomSearchCV(logistic(), grid, n_candidates=2, cv=2, random_state=0), *two,
            relu=True,
        ),
        "FrozenEstimator": Case(FrozenEstimator(logistic().fit(*two)), *two, relu=True),
        "FrozenEstimator-step": Case(
            make_pipeline(FrozenEstimator(StandardScaler().fit(X)), Ridge()), X, y, relu=True
        ),
        "SelfTrainingClassifier": Case(SelfTrainingClassifier(logistic()), three[0], some),
        "FixedThresholdClassifier": Case(FixedThresholdClassifier(logistic(), threshold=0.8), *two, relu=True),
        "FixedThresholdClassifier-first": Case(
            FixedThresholdClassifier(scaled(SVC()), threshold=0.3, pos_label="benign"), *two
        ),
        "FixedThresholdClassifier-tree": Case(
            FixedThresholdClassifier(DecisionTreeClassifier(max_depth=3, random_state=0), threshold=0.3), *two,
            relu=True,
        ),
        "TunedThresholdClassifierCV": Case(TunedThresholdClassifierCV(logistic(), cv=2), *two, relu=True),
        "TransformedTargetRegressor": Case(TransformedTargetRegressor(Ridge()), X, y, relu=True),
        "TransformedTargetRegressor-scaler": Case(
            TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), X, y, relu=True
        ),
        "TransformedTargetRegressor-log": Case(
            TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), X, y, relu=True
        ),
        "TransformedTargetRegressor-predict": Case(
            TransformedTargetRegressor(scaled(SVR()), transformer=QuantileTransformer(n_quantiles=50)),
            X, y, options={"output": "predict"},
        ),
        "TransformedTargetRegressor-neighbors": Case(
            TransformedTargetRegressor(
                scaled(RadiusNeighborsRegressor(4.0, algorithm="brute")), transformer=PowerTransformer()
            ),
            X, y, options={"output": "predict"},
        ),
        "TransformedTargetRegressor-link": Case(
            TransformedTargetRegressor(
                ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=5), transformer=MinMaxScaler()
            ),
            X, y,
        ),
        "DummyClassifier": Case(DummyClassifier(), *three, relu=True),
        "DummyClassifier-constant": Case(DummyClassifier(strategy="constant", constant=1), *three, relu=True),
        "DummyClassifier-targets": Case(
            DummyClassifier(), three[0], np.stack([three[1], three[1] == 1], axis=1), relu=True
        ),
        "DummyRegressor": Case(DummyRegressor(strategy="median"), X, np.stack([y, -y], axis=1), relu=True),
    }  # fmt: skip


def votes(two: Data, three: Data) -> dict[str, Case]:
    """Votes, means and stacks."""
    X, y = regression()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    probable = [("a", logistic()), ("b", LinearDiscriminantAnalysis()), ("c", GaussianNB())]
    mixture = [("a", logistic()), ("b", scaled(SVC())), ("c", tree)]
    regressors = [("a", scaled(Ridge())), ("b", scaled(SVR(C=100.0))), ("c", PoissonRegressor())]
    linear = [("a", scaled(Ridge())), ("b", "drop"), ("c", Ridge(10.0))]
    clipped = SGDClassifier(loss="modified_huber", random_state=0)
    random: dict[str, Any] = {"n_estimators": 4, "random_state": 0}
    svm = CalibratedClassifierCV(scaled(SVC()), ensemble=False, cv=2)
    soft = {"svm-logistic": [("a", logistic()), ("b", svm)], "tree": [("a", logistic()), ("c", tree)]}
    found = {
        "VotingClassifier-soft": Case(ensemble.VotingClassifier(probable, voting="soft", weights=[1, 2, 0]), *three),
        "VotingClassifier-hard": Case(ensemble.VotingClassifier(mixture, weights=[1, 2, 2]), *three),
        "VotingClassifier-hard-binary": Case(ensemble.VotingClassifier(mixture), *two),
        "VotingRegressor": Case(ensemble.VotingRegressor(regressors, weights=[1, 2, 1]), X, y),
        "VotingRegressor-variance": Case(
            ensemble.VotingRegressor(regressors, weights=[1, 2, 1]), X, y, options={"output": "variance"}
        ),
        "BaggingRegressor-variance": Case(
            ensemble.BaggingRegressor(scaled(SVR()), max_features=0.4, **random), X, y, options={"output": "variance"}
        ),
        "RandomForestRegressor-variance": Case(
            ensemble.RandomForestRegressor(5, max_depth=4, random_state=0), X, y, options={"output": "variance"}
        ),
        "VotingRegressor-linear": Case(ensemble.VotingRegressor(linear), X, y, relu=True),
        "BaggingClassifier-soft": Case(ensemble.BaggingClassifier(logistic(), max_features=0.5, **random), *three),
        "BaggingClassifier-votes": Case(
            ensemble.BaggingClassifier(scaled(LinearSVC()), max_samples=0.3, **random), *three
        ),
        "BaggingClassifier-shares": Case(
            ensemble.BaggingClassifier(scaled(LinearSVC()), max_samples=0.3, **random),
            *three,
            options={"output": "probability"},
        ),
        "BaggingClassifier-decision": Case(
            ensemble.BaggingClassifier(logistic(), **random),
            *three,
            relu=True,
            options={"output": "decision_function"},
        ),
        "BaggingClassifier-decision-binary": Case(
            ensemble.BaggingClassifier(scaled(SVC()), **random),
            *two,
            options={"output": "decision_function"},
        ),
        "BaggingClassifier-clipped": Case(ensemble.BaggingClassifier(scaled(clipped), **random), *three),
        "VotingClassifier-soft-clipped": Case(
            ensemble.VotingClassifier([("a", scaled(clipped)), ("b", logistic())], voting="soft"), *two
        ),
        "StackingClassifier-clipped": Case(
            ensemble.StackingClassifier([("a", scaled(clipped)), ("b", logistic())], cv=2), *three
        ),
        "BaggingClassifier-tree": Case(ensemble.BaggingClassifier(tree, max_features=0.5, **random), *three, relu=True),
        "BaggingRegressor": Case(ensemble.BaggingRegressor(scaled(SVR()), max_features=0.4, **random), X, y),
        "AdaBoostClassifier": Case(
            ensemble.AdaBoostClassifier(SVC(), **random), StandardScaler().fit_transform(three[0]), three[1]
        ),
        "AdaBoostClassifier-binary": Case(
            ensemble.AdaBoostClassifier(LogisticRegression(), **random), StandardScaler().fit_transform(two[0]), two[1]
        ),
        "AdaBoostRegressor": Case(ensemble.AdaBoostRegressor(scaled(Ridge()), **random), X, y),
        "AdaBoostRegressor-tree": Case(ensemble.AdaBoostRegressor(DecisionTreeRegressor(max_depth=3), **random), X, y),
        "StackingClassifier": Case(ensemble.StackingClassifier(mixture, scaled(LogisticRegression()), cv=2), *three),
        "StackingClassifier-passthrough": Case(
            ensemble.StackingClassifier(probable[:1], scaled(SVC()), cv=2, passthrough=True), *two
        ),
        "StackingClassifier-labels": Case(ensemble.StackingClassifier(mixture, cv=2, stack_method="predict"), *three),
        "StackingRegressor": Case(ensemble.StackingRegressor(regressors, cv=2, passthrough=True), X, y),
        "StackingRegressor-linear": Case(ensemble.StackingRegressor(linear, Ridge(), cv=2), X, y, relu=True),
    }
    for name, members in soft.items():
        found[f"VotingClassifier-soft-{name}"] = Case(ensemble.VotingClassifier(members, voting="soft"), *two)
    return found


def calibrated(two: Data, three: Data) -> dict[str, Case]:
    """Calibration of every kind, of scores and of probabilities."""
    bases: dict[str, Any] = {
        "svc": scaled(SVC()),
        "mlp": scaled(MLPClassifier((5,), max_iter=100, tol=0.01, random_state=0)),
        "tree": DecisionTreeClassifier(max_depth=2, random_state=0),
    }
    found = {}
    for method in ("sigmoid", "isotonic", *(["temperature"] if SKLEARN >= (1, 8) else [])):
        for kind, data in {"binary": two, "multi": three}.items():
            for base, estimator in bases.items():
                model = CalibratedClassifierCV(estimator, method=method, cv=2, ensemble=base != "tree")
                linear = (method, kind, base) == ("sigmoid", "binary", "tree")  # in the tree's value
                found[f"CalibratedClassifierCV-{method}-{kind}-{base}"] = Case(model, *data, relu=linear)
    found["CalibratedClassifierCV-lda"] = Case(CalibratedClassifierCV(LinearDiscriminantAnalysis(), cv=2), *three)
    found["CalibratedClassifierCV-pairs"] = Case(
        CalibratedClassifierCV(multiclass.OneVsOneClassifier(scaled(LinearSVC())), cv=2, ensemble=False), *three
    )
    found["CalibratedClassifierCV-linear"] = Case(
        CalibratedClassifierCV(scaled(RidgeClassifier()), cv=2, ensemble=False), *two, relu=True
    )
    return found


def split(two: Data, three: Data) -> dict[str, Case]:
    """Machines for each class or target."""
    X, y = regression()
    targets = np.stack([y, y * X[:, 3], -y], axis=1)
    kinds = np.stack([np.digitize(t, np.quantile(t, [0.3, 0.7])) for t in targets.T], axis=1)
    several = (targets > np.median(targets, axis=0)).astype(int)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    found: dict[str, Case] = {}
    for name in ("OneVsRestClassifier", "OneVsOneClassifier"):
        make = getattr(multiclass, name)
        found[f"{name}-linear"] = Case(make(scaled(LinearSVC())), *three, relu=True)
        found[f"{name}-binary"] = Case(make(logistic()), *two, relu=True)
        found[f"{name}-svc"] = Case(make(scaled(SVC())), *three)
        found[f"{name}-bayes"] = Case(make(GaussianNB()), *three)
        found[f"{name}-tree"] = Case(make(tree), *three, relu=True)
    found["OneVsRestClassifier-ridge"] = Case(multiclass.OneVsRestClassifier(Ridge()), *two, relu=True)
    found["OneVsRestClassifier-log-odds"] = Case(
        multiclass.OneVsRestClassifier(logistic()), *three, options={"output": "log_odds"}
    )
    found["OneVsRestClassifier-probability"] = Case(
        multiclass.OneVsRestClassifier(tree), *three, options={"output": "probability"}
    )
    found["OneVsRestClassifier-labels"] = Case(multiclass.OneVsRestClassifier(logistic()), X, several, relu=True)
    code: dict[str, Any] = {"code_size": 2, "random_state": 1}
    found["OutputCodeClassifier"] = Case(multiclass.OutputCodeClassifier(logistic(), **code), *three, relu=True)
    found["OutputCodeClassifier-bayes"] = Case(multiclass.OutputCodeClassifier(GaussianNB(), **code), *three)
    found["MultiOutputRegressor"] = Case(multioutput.MultiOutputRegressor(Ridge()), X, targets, relu=True)
    found["MultiOutputClassifier"] = Case(multioutput.MultiOutputClassifier(logistic()), X, several, relu=True)
    found["MultiOutputClassifier-kinds"] = Case(multioutput.MultiOutputClassifier(tree), X, kinds, relu=True)
    order: dict[str, Any] = {"order": [2, 0, 1]}
    found["RegressorChain"] = Case(multioutput.RegressorChain(scaled(SVR(C=100.0)), **order), X, targets)
    for method in ("predict", "predict_proba", "decision_function"):
        chain = multioutput.ClassifierChain(logistic(), chain_method=method, **order)
        found[f"ClassifierChain-{method}"] = Case(chain, X, several)
    deeper = DecisionTreeClassifier(max_depth=3, min_samples_leaf=7, random_state=0)
    found["ClassifierChain-tree"] = Case(multioutput.ClassifierChain(deeper, **order), X, several)
    return found


def nested() -> dict[str, Case]:
    """Members that encode the caller's columns, each in its own way."""
    X, y = mixed()
    numbers = ["age", "income", "debt"]

    def one_hot(estimator: Any) -> Any:
        columns = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), ["city", "size"])
        )
        return make_pipeline(columns, estimator)

    def ordinal(estimator: Any) -> Any:
        return make_pipeline(
            make_column_transformer((StandardScaler(), numbers), (OrdinalEncoder(), ["size"])), estimator
        )

    members = [("a", one_hot(LogisticRegression())), ("b", ordinal(SVC()))]
    calibrated = [members[0], ("b", CalibratedClassifierCV(ordinal(SVC()), cv=2))]
    by_place = make_column_transformer((StandardScaler(), [0, 3, 4]), (OneHotEncoder(handle_unknown="ignore"), [1, 2]))
    grid = {"columntransformer__standardscaler__with_mean": [True, False]}
    stack = ensemble.StackingClassifier(members, cv=2)
    return {
        "nested-grid": Case(GridSearchCV(one_hot(LogisticRegression()), grid, cv=2), X, y, relu=True),
        "nested-grid-of-stack": Case(GridSearchCV(stack, {"passthrough": [False]}, cv=2), X, y),
        "nested-hard": Case(ensemble.VotingClassifier(members), X, y),
        "nested-soft": Case(ensemble.VotingClassifier(calibrated, voting="soft"), X, y),
        "nested-calibrated": Case(CalibratedClassifierCV(one_hot(LinearSVC()), cv=2), X, y),
        "nested-classes": Case(multiclass.OneVsRestClassifier(one_hot(LinearSVC())), X, X["city"] + y, relu=True),
        "nested-bagging": Case(
            ensemble.BaggingClassifier(make_pipeline(by_place, LogisticRegression()), n_estimators=3, random_state=0),
            X, y,
        ),
        "nested-targets": Case(
            multioutput.MultiOutputClassifier(one_hot(LogisticRegression())), X, np.stack([y, X["city"]], axis=1)
        ),
        "nested-dummy": Case(DummyClassifier(), X, y, relu=True),
    }  # fmt: skip
