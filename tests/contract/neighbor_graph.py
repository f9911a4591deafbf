"""Distances to the nearest fitted rows, and who they are."""

from __future__ import annotations

from typing import Any

from sklearn import neighbors
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.contract.case import Case


def cases() -> dict[str, Case]:
    iris = load_iris().data
    wine, cultivar = (part[::2] for part in load_wine(return_X_y=True))
    digits, number = (part[:80] for part in load_digits(return_X_y=True))
    near, within = neighbors.KNeighborsTransformer, neighbors.RadiusNeighborsTransformer
    found: dict[str, tuple[Any, ...]] = {
        "KNeighborsTransformer": (near(), wine),
        "KNeighborsTransformer-connectivity": (near(mode="connectivity", n_neighbors=7), iris),
        "KNeighborsTransformer-brute": (near(algorithm="brute"), digits),
        "KNeighborsTransformer-manhattan": (make_pipeline(StandardScaler(), near(metric="manhattan")), wine),
        "KNeighborsTransformer-scaled": (make_pipeline(StandardScaler(), near()), wine),
        "KNeighborsTransformer-projected": (make_pipeline(StandardScaler(), PCA(4), near()), wine),
        "KNeighborsTransformer-projected-manhattan": (make_pipeline(StandardScaler(), PCA(4), near(p=1)), wine),
        "KNeighborsTransformer-Ridge": (make_pipeline(StandardScaler(), near(), Ridge()), wine, wine[:, 0]),
        "KNeighborsTransformer-LogisticRegression": (
            make_pipeline(StandardScaler(), near(mode="connectivity"), LogisticRegression()), digits, number,
        ),
        "RadiusNeighborsTransformer": (within(radius=30.0), wine),
        "RadiusNeighborsTransformer-connectivity": (within(radius=0.8, mode="connectivity"), iris),
        "RadiusNeighborsTransformer-all": (within(radius=1e4, mode="connectivity"), iris),
        "RadiusNeighborsTransformer-scaled": (make_pipeline(StandardScaler(), within(radius=3.0, p=1)), wine),
        "RadiusNeighborsTransformer-LogisticRegression": (
            make_pipeline(StandardScaler(), within(radius=2.0), LogisticRegression(max_iter=1000)), wine, cultivar,
        ),
    }  # fmt: skip
    return {name: Case(*parts) for name, parts in found.items()}
