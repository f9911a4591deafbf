"""Trees, forests, boosting and isolation forests."""

from __future__ import annotations

import importlib.util
from typing import Any

from sklearn import ensemble, tree
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.contract.case import Case


def cases() -> dict[str, Case]:
    wine, labels = load_wine(return_X_y=True)
    rows, values = load_diabetes(return_X_y=True)
    rows, values = 10 * rows[:150], values[:150]
    two = (labels > 0).astype(int)
    small: dict[str, Any] = {"n_estimators": 8, "random_state": 0}
    found = {}
    for name in ("DecisionTree", "ExtraTree"):
        found[f"{name}Classifier"] = Case(getattr(tree, f"{name}Classifier")(random_state=0), wine, labels, relu=True)
        found[f"{name}Regressor"] = Case(getattr(tree, f"{name}Regressor")(random_state=0), rows, values, relu=True)
    for name in ("RandomForest", "ExtraTrees", "GradientBoosting", "Bagging"):
        classifier, regressor = (getattr(ensemble, name + kind) for kind in ("Classifier", "Regressor"))
        found[f"{name}Classifier"] = Case(classifier(**small), wine, labels, relu=True)
        found[f"{name}Classifier-binary"] = Case(classifier(**small), wine, two, relu=True)
        found[f"{name}Regressor"] = Case(regressor(**small), rows, values, relu=True)
    found["AdaBoostClassifier"] = Case(ensemble.AdaBoostClassifier(**small), wine, labels, relu=True)
    found["AdaBoostClassifier-binary"] = Case(ensemble.AdaBoostClassifier(**small), wine, two, relu=True)
    found["HistGradientBoostingClassifier"] = Case(
        ensemble.HistGradientBoostingClassifier(max_iter=8), wine, labels, relu=True
    )
    found["HistGradientBoostingRegressor"] = Case(
        ensemble.HistGradientBoostingRegressor(max_iter=8), rows, values, relu=True
    )
    found["GradientBoostingClassifier-probability"] = Case(
        ensemble.GradientBoostingClassifier(**small),
        wine,
        labels,
        options={"output": "probability", "reference": wine[::20]},
    )
    start = ensemble.GradientBoostingRegressor(init=ensemble.HistGradientBoostingRegressor(max_iter=4), **small)
    found["GradientBoostingRegressor-init"] = Case(start, rows, values, relu=True)
    found["IsolationForest"] = Case(ensemble.IsolationForest(**small), wine, relu=True)
    found["scaled-RandomForest"] = Case(
        make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(**small)), wine, labels, relu=True
    )
    leaves = ensemble.RandomTreesEmbedding(6, max_depth=3, random_state=0)
    found["RandomTreesEmbedding"] = Case(leaves, wine, relu=True)
    found["RandomTreesEmbedding-Logistic"] = Case(make_pipeline(leaves, LogisticRegression()), wine, labels)
    found["RandomTreesEmbedding-binary"] = Case(make_pipeline(leaves, LogisticRegression()), wine, two, relu=True)
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier, XGBRegressor

        float32 = {"tolerance": 1e-6, "relu": True}  # XGBoost adds up in float32
        found["XGBClassifier"] = Case(XGBClassifier(n_estimators=8), wine, labels, **float32)
        found["XGBClassifier-binary"] = Case(XGBClassifier(n_estimators=8), wine, two, **float32)
        found["XGBRegressor"] = Case(XGBRegressor(n_estimators=8), rows, values, **float32)
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier, LGBMRegressor

        each = LGBMClassifier(n_estimators=8, verbose=-1, objective="multiclassova")
        found["LGBMClassifier-each"] = Case(each, wine, labels, relu=True)
        found["LGBMClassifier"] = Case(LGBMClassifier(n_estimators=8, verbose=-1), wine, labels, relu=True)
        linear = LGBMRegressor(n_estimators=8, verbose=-1, linear_tree=True)
        found["LGBMRegressor-linear"] = Case(linear, rows, values)
        found["LGBMRegressor"] = Case(LGBMRegressor(n_estimators=8, verbose=-1), rows, values, relu=True)
    if importlib.util.find_spec("catboost"):
        from catboost import CatBoostClassifier, CatBoostRegressor

        quiet: dict[str, Any] = {"iterations": 8, "depth": 4, "verbose": 0, "allow_writing_files": False}
        each = CatBoostClassifier(**quiet, loss_function="MultiClassOneVsAll")
        found["CatBoostClassifier-each"] = Case(each, wine, labels, relu=True)
        found["CatBoostClassifier"] = Case(CatBoostClassifier(**quiet), wine, labels, relu=True)
        found["CatBoostRegressor"] = Case(CatBoostRegressor(**quiet), rows, values, relu=True)
    return found
