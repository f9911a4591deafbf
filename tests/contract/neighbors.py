"""Nearest neighbours, nearest centroids, local outlier factors, metric learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neighbors
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.contract.case import Case


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def cases() -> dict[str, Case]:
    wine = tuple(part[::2] for part in load_wine(return_X_y=True))
    X, y = load_breast_cancer(return_X_y=True)
    cancer, sizes = (X[:120], y[:120]), (X[:120, :10], y[:120])
    X, y = load_diabetes(return_X_y=True)
    diabetes = (10 * X[:120], y[:120])
    two = (diabetes[0], np.stack([diabetes[1], -2 * diabetes[1] ** 0.5], axis=1))
    found: dict[str, tuple[Any, tuple[Any, Any], dict[str, Any]]] = {}

    def add(name: str, options: Any, data: tuple[Any, Any], **extra: Any) -> None:
        estimator = getattr(neighbors, name.split("-")[0])(**options)
        found[name] = (scaled(estimator), data, extra)

    add("KNeighborsClassifier-binary", {"n_neighbors": 5}, cancer)
    add("KNeighborsClassifier-even", {"n_neighbors": 4}, cancer)
    add("KNeighborsClassifier-multi", {"n_neighbors": 7}, wine)
    add("KNeighborsClassifier-one", {"n_neighbors": 1, "algorithm": "brute"}, wine)
    add("KNeighborsClassifier-many", {"n_neighbors": 60}, wine)
    add("KNeighborsClassifier-manhattan", {"n_neighbors": 5, "p": 1}, wine)
    add("KNeighborsClassifier-nearness", {"n_neighbors": 5, "weights": "distance"}, cancer)
    add("KNeighborsClassifier-nearness-multi", {"n_neighbors": 8, "weights": "distance"}, wine)
    add("KNeighborsClassifier-nearness-manhattan", {"weights": "distance", "metric": "manhattan"}, wine)
    add("KNeighborsRegressor", {}, diabetes)
    add("KNeighborsRegressor-two", {"weights": "distance", "n_neighbors": 7}, two)
    add("KNeighborsRegressor-manhattan", {"p": 1}, diabetes)
    add("RadiusNeighborsClassifier", {"radius": 5.0}, wine)
    add(
        "RadiusNeighborsClassifier-nearness",
        {"radius": 5.0, "weights": "distance"},
        sizes,
    )
    add("RadiusNeighborsRegressor", {"radius": 5.0}, diabetes)
    add("RadiusNeighborsRegressor-nearness", {"radius": 5.0, "weights": "distance"}, two)
    add("LocalOutlierFactor", {"novelty": True}, wine)
    add("LocalOutlierFactor-manhattan", {"novelty": True, "n_neighbors": 6, "metric": "manhattan"}, sizes)
    add("LocalOutlierFactor-contamination", {"novelty": True, "contamination": 0.2}, wine)
    add("NearestNeighbors", {}, wine)
    add("NearestNeighbors-chebyshev", {"n_neighbors": 3, "metric": "chebyshev"}, wine)
    add("KNeighborsClassifier-cosine", {"metric": "cosine"}, wine)
    add("KNeighborsRegressor-minkowski", {"p": 3, "weights": "distance"}, diabetes)
    add("NearestCentroid", {}, wine, relu=True)
    add("NearestCentroid-shrunk", {"shrink_threshold": 0.5}, wine, relu=True)
    add("NearestCentroid-priors", {"priors": "empirical"}, cancer, relu=True)
    add("NearestCentroid-manhattan", {"metric": "manhattan"}, wine, relu=True)
    add("NearestCentroid-manhattan-priors", {"metric": "manhattan", "priors": [0.2, 0.3, 0.5]}, wine)
    cases = {name: Case(model, *data, **extra) for name, (model, data, extra) in found.items()}
    learned = neighbors.NeighborhoodComponentsAnalysis(3, random_state=0, max_iter=20)
    cases["NeighborhoodComponentsAnalysis-SVC"] = Case(make_pipeline(StandardScaler(), learned, SVC()), *wine)
    voted = neighbors.KNeighborsClassifier(5)
    cases["NeighborhoodComponentsAnalysis-neighbors"] = Case(make_pipeline(StandardScaler(), learned, voted), *wine)
    for output in ("KNeighborsClassifier", "RadiusNeighborsClassifier"):
        model = getattr(neighbors, output)()
        if "Radius" in output:
            model.set_params(radius=5.0)
        cases[f"{output}-probability"] = Case(scaled(model), *wine, options={"output": "probability"})
    for kernel, metric in {"gaussian": "euclidean", "exponential": "manhattan"}.items():
        density = neighbors.KernelDensity(kernel=kernel, metric=metric, bandwidth=2.0)
        cases[f"KernelDensity-density-{kernel}"] = Case(scaled(density), wine[0], options={"output": "density"})
    return cases
