"""Pipelines with samplers, which ``predict`` never runs, and ensembles of such pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn import ensemble
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests.contract.case import Case


def cases() -> dict[str, Case]:
    X, y = load_wine(return_X_y=True)
    two, three = (X, (y == 2).astype(int)), (X, y)
    seed: dict[str, Any] = {"random_state": 0}
    few: dict[str, Any] = {"n_estimators": 3, **seed}
    pipeline = make_pipeline(StandardScaler(), SMOTE(**seed), LogisticRegression())
    members = [("a", pipeline), ("b", GaussianNB())]
    scaled = StandardScaler().fit_transform(X)
    return {
        "imbalanced-pipeline": Case(pipeline, *two, relu=True),
        "imbalanced-several": Case(
            make_pipeline(
                RandomUnderSampler(**seed), StandardScaler(), "passthrough", PCA(3), SMOTEENN(**seed), LinearSVC(**seed)
            ),
            *three,
            relu=True,
        ),
        "imbalanced-sampler-alone": Case(make_pipeline(FunctionSampler(), GaussianNB()), *three),
        "imbalanced-search": Case(GridSearchCV(pipeline, {"smote__k_neighbors": [2]}, cv=2), *two, relu=True),
        "imbalanced-calibrated": Case(CalibratedClassifierCV(pipeline, cv=2), *two),
        "imbalanced-vote": Case(ensemble.VotingClassifier(members, voting="soft"), *three),
        "imbalanced-stack": Case(ensemble.StackingClassifier(members, cv=2), *three),
        "imbalanced-rest": Case(OneVsRestClassifier(pipeline), *three, relu=True),
        "BalancedBaggingClassifier": Case(
            BalancedBaggingClassifier(LogisticRegression(), **few), scaled, np.array(["a", "b", "c"])[y]
        ),
        "BalancedBaggingClassifier-tree": Case(
            BalancedBaggingClassifier(sampler=RandomOverSampler(), max_features=0.5, **few), *three, relu=True
        ),
        "EasyEnsembleClassifier": Case(EasyEnsembleClassifier(**few), *two),
        "EasyEnsembleClassifier-bayes": Case(EasyEnsembleClassifier(estimator=GaussianNB(), **few), *three),
        "RUSBoostClassifier": Case(RUSBoostClassifier(**few), *two, relu=True),
        "RUSBoostClassifier-bayes": Case(RUSBoostClassifier(GaussianNB(), **few), *three),
        "BalancedRandomForestClassifier": Case(BalancedRandomForestClassifier(**few), *three, relu=True),
    }
