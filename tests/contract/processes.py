"""Gaussian processes, kernel ridge, label propagation, isotonic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Kernel,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from tests.contract.case import Case

KERNELS: dict[str, Kernel] = {
    "rbf": ConstantKernel(2.0) * RBF(3.0) + WhiteKernel(0.5),
    "ard": RBF(np.linspace(2.0, 6.0, 10)) + WhiteKernel(0.1),
    "quadratic": RationalQuadratic(length_scale=3.0, alpha=0.7),
    "matern-0.5": Matern(4.0, nu=0.5),
    "matern-1.5": Matern(4.0, nu=1.5),
    "matern-2.5": Matern(np.linspace(3.0, 6.0, 10), nu=2.5),
    "matern-inf": Matern(4.0, nu=np.inf),
    "matern-any": Matern(4.0, nu=0.9),
    "periodic": ExpSineSquared(3.0, 9.0) * RBF(4.0),
    "linear": DotProduct(1.5),
    "quadric": ConstantKernel(0.01) * DotProduct(1.5) ** 2 + WhiteKernel(),
    "sum": RBF(3.0) + Matern(5.0, nu=1.5) + 0.1 * DotProduct(1.0) + ConstantKernel(0.5),
    "product": RBF(4.0) * DotProduct(1.0) + Matern(np.linspace(3.0, 6.0, 10)) * RationalQuadratic(4.0),
    "metrics": RBF(np.linspace(2.0, 6.0, 10)) * RBF(np.linspace(8.0, 4.0, 10)) * 3.0,
    "power": (RBF(3.0) + DotProduct(1.0) * 0.1) ** 2,
    "laplacian": PairwiseKernel(gamma=0.1, metric="laplacian") + PairwiseKernel(gamma=0.05, metric="rbf"),
}


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def cases() -> dict[str, Case]:
    wine = tuple(part[::3] for part in load_wine(return_X_y=True))
    X, y = load_breast_cancer(return_X_y=True)
    cancer = (X[:80, :10], y[:80])
    X, y = load_diabetes(return_X_y=True)
    diabetes = (10 * X[:80], y[:80])
    two = (diabetes[0], np.stack([diabetes[1], -2 * diabetes[1] ** 0.5], axis=1))
    unlabeled = np.where(np.arange(len(wine[1])) % 3 == 0, wine[1], -1)
    found: dict[str, Case] = {}
    for name, kernel in KERNELS.items():
        model = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None, normalize_y=name != "linear")
        found[f"GaussianProcessRegressor-{name}"] = Case(scaled(model), *diabetes, relu=name == "linear")
    fitted = GaussianProcessRegressor(RBF(3.0) + WhiteKernel(), n_restarts_optimizer=0)
    found["GaussianProcessRegressor-fitted"] = Case(scaled(fitted), *diabetes)
    found["GaussianProcessRegressor-two"] = Case(
        scaled(GaussianProcessRegressor(RBF(3.0), alpha=0.1, optimizer=None, normalize_y=True)), *two
    )
    for output in ("variance", "std"):
        for name in ("rbf", "matern-1.5", "sum"):
            model = GaussianProcessRegressor(KERNELS[name], alpha=0.1, optimizer=None, normalize_y=True)
            small, options = tuple(part[:40] for part in diabetes), {"output": output}
            found[f"GaussianProcessRegressor-{output}-{name}"] = Case(scaled(model), *small, options=options)
    found["PCA-GaussianProcessRegressor"] = Case(
        make_pipeline(StandardScaler(), PCA(4), GaussianProcessRegressor(RBF(3.0), alpha=0.1, optimizer=None)),
        *diabetes,
    )
    found["GaussianProcessRegressor-default"] = Case(scaled(GaussianProcessRegressor()), *diabetes)
    binary = GaussianProcessClassifier(4.0 * RBF(np.linspace(2.0, 5.0, 10)), optimizer=None)
    found["GaussianProcessClassifier-binary"] = Case(scaled(binary), *cancer)
    for how in ("one_vs_rest", "one_vs_one"):
        model = GaussianProcessClassifier(2.0 * RBF(3.0), multi_class=how)
        found[f"GaussianProcessClassifier-{how}"] = Case(scaled(model), *wine)
    linear = GaussianProcessClassifier(DotProduct(1.0), optimizer=None)
    found["GaussianProcessClassifier-linear"] = Case(scaled(linear), *cancer, relu=True)
    for kernel in ("linear", "rbf", "poly", "polynomial", "sigmoid", "laplacian"):
        model = KernelRidge(alpha=20.0, kernel=kernel, degree=2, coef0=0.5)
        found[f"KernelRidge-{kernel}"] = Case(scaled(model), *diabetes, relu=kernel == "linear")
    found["KernelRidge-two"] = Case(scaled(KernelRidge(kernel="rbf", gamma=0.02)), *two)
    for model in (LabelPropagation(gamma=0.3), LabelSpreading(gamma=0.3)):
        name = type(model).__name__
        found[name] = Case(scaled(model), wine[0], unlabeled)
        found[f"{name}-supervised"] = Case(scaled(model), *wine)
        knn = type(model)(kernel="knn", n_neighbors=5)
        found[f"{name}-knn"] = Case(scaled(knn), wine[0], unlabeled)
    column = (diabetes[0][:, [2]], diabetes[1])
    for name, rising in {"IsotonicRegression": True, "IsotonicRegression-falling": False}.items():
        found[name] = Case(IsotonicRegression(out_of_bounds="clip", increasing=rising), *column, relu=True)
    return found
