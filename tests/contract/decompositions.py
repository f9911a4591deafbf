"""Projections, codes, pooling of features, partial least squares."""

from __future__ import annotations

import numpy as np
from sklearn import cross_decomposition, decomposition
from sklearn.cluster import FeatureAgglomeration
from sklearn.datasets import load_digits, load_linnerud, load_wine
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.contract.case import Case


def atoms(n_atoms: int, n_features: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(n_atoms, n_features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cases() -> dict[str, Case]:
    wine = StandardScaler().fit_transform(load_wine().data)[::2]
    digits = load_digits().data[:100] / 16
    found = {
        "FastICA": Case(decomposition.FastICA(4, random_state=0, max_iter=2000), wine, relu=True),
        "FastICA-reconstruction": Case(
            decomposition.FastICA(4, random_state=0, max_iter=2000), wine, options={"output": "reconstruction_error"}
        ),
        "SparsePCA": Case(decomposition.SparsePCA(3, ridge_alpha=0.3, random_state=0), wine, relu=True),
        "MiniBatchSparsePCA": Case(decomposition.MiniBatchSparsePCA(3, random_state=0), wine, relu=True),
        "MiniBatchSparsePCA-Ridge": Case(
            make_pipeline(decomposition.MiniBatchSparsePCA(3, random_state=0), Ridge()), wine, wine[:, 0], relu=True
        ),
        "NMF": Case(decomposition.NMF(5, random_state=0, max_iter=1000), digits),
        "NMF-penalized": Case(decomposition.NMF(5, alpha_W=0.002, l1_ratio=0.5, random_state=0, max_iter=1000), digits),
        "MiniBatchNMF": Case(decomposition.MiniBatchNMF(5, random_state=0), digits),
        "DictionaryLearning": Case(
            decomposition.DictionaryLearning(8, transform_algorithm="lasso_lars", max_iter=10, random_state=0), wine
        ),
        "MiniBatchDictionaryLearning": Case(
            decomposition.MiniBatchDictionaryLearning(8, transform_algorithm="omp", max_iter=10, random_state=0), wine
        ),
        "SparseCoder-omp": Case(
            decomposition.SparseCoder(atoms(20, 13), transform_algorithm="omp", transform_n_nonzero_coefs=4), wine
        ),
        "SparseCoder-lasso-split": Case(
            decomposition.SparseCoder(
                atoms(20, 13), transform_algorithm="lasso_lars", transform_alpha=0.3, split_sign=True
            ),
            wine,
        ),
        "SparseCoder-threshold": Case(
            decomposition.SparseCoder(atoms(20, 13), transform_algorithm="threshold", transform_alpha=0.3),
            wine,
            relu=True,
        ),
        "SparseCoder-threshold-split": Case(
            decomposition.SparseCoder(
                atoms(20, 13), transform_algorithm="threshold", transform_alpha=0.3, split_sign=True
            ),
            wine,
            relu=True,
        ),
        "SparseCoder-Ridge": Case(
            make_pipeline(
                decomposition.SparseCoder(atoms(20, 13), transform_algorithm="omp", transform_n_nonzero_coefs=4),
                Ridge(),
            ),
            wine,
            wine[:, 0],
        ),
    }
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        model = decomposition.KernelPCA(3, kernel=kernel, gamma=0.05)
        found[f"KernelPCA-{kernel}"] = Case(model, wine, relu=kernel == "linear")
    found["KernelPCA-Ridge"] = Case(
        make_pipeline(decomposition.KernelPCA(3, kernel="rbf", gamma=0.05), Ridge()), wine, wine[:, 0]
    )
    for pool in (np.mean, np.max, np.min):
        model = FeatureAgglomeration(4, pooling_func=pool)
        found[f"FeatureAgglomeration-{pool.__name__}"] = Case(model, wine, relu=True)
    X, Y = load_linnerud(return_X_y=True)
    X, Y = np.hstack([X, X**2 / 100]), Y.copy()
    for name in ("CCA", "PLSCanonical", "PLSRegression"):
        for output in ("predict", "transform"):
            model = getattr(cross_decomposition, name)(2)
            found[f"{name}-{output}"] = Case(model, X, Y, relu=True, options={"output": output})
    found["PLSRegression-one"] = Case(cross_decomposition.PLSRegression(2), X, Y[:, 0], relu=True)
    found["PLSSVD"] = Case(cross_decomposition.PLSSVD(2), X, Y, relu=True)
    return found
