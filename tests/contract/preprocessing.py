"""Encoders, column transformers and unions in front of models, on data with strings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from tests.contract.case import Case


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


def cases() -> dict[str, Case]:
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
    return {
        "columns-logistic": Case(make_pipeline(scaled_and_coded, LogisticRegression()), X, y, relu=True),
        "columns-kmeans": Case(make_pipeline(scaled_and_coded, KMeans(3, n_init=1, random_state=0)), X, y, relu=True),
        "columns-mixing-svc": Case(make_pipeline(mixing, SVC()), X, y),
        "columns-mixing-ridge": Case(make_pipeline(mixing, Ridge()), X, y == "yes", relu=True),
        "union-ridge": Case(make_pipeline(StandardScaler(), union, Ridge()), numbers, y == "yes"),
    }
