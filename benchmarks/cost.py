"""What an explanation costs: beside the model's own function, and beside KernelSHAP.

    python -m benchmarks.cost
    python -m benchmarks.cost --families

Of the published one-pass rule, ``composite="neon"`` (of trees their default, Shapley values against the covers).
Medians of alternating runs in one process; KernelSHAP (500 evaluations, 50 background rows) is timed on three rows.
``--families``: one model of every family, without KernelSHAP, and why where neon costs more than three times the model.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, SVR, OneClassSVM

import neon
from benchmarks.families import Family, families, table, texts
from benchmarks.measure import paired_seconds, seconds


def digits(n_rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bundled 8 x 8 digits, repeated with noise."""
    X, y = load_digits(return_X_y=True)
    chosen = rng.integers(len(X), size=n_rows)
    return X[chosen] / 16 + 0.1 * rng.normal(size=(n_rows, 64)), y[chosen]


def random(n_rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """784 random features with ten classes from a random linear map."""
    X = rng.normal(size=(n_rows, 784))
    return X, (X @ rng.normal(size=(784, 10))).argmax(1)


def cases(y: np.ndarray, gamma: float) -> dict[str, tuple[Any, np.ndarray, str]]:
    """Estimators with their target and the name of their own function."""
    return {
        "k-means": (KMeans(10, n_init=1, random_state=0), y, "transform"),
        "one-class SVM": (OneClassSVM(gamma=gamma, nu=0.1), y, "decision_function"),
        "KDE": (KernelDensity(bandwidth=(2 * gamma) ** -0.5), y, "score_samples"),
        "SVC rbf, 2 classes": (SVC(gamma=gamma), y % 2, "decision_function"),
        "SVC rbf, 10 classes": (SVC(gamma=gamma), y, "decision_function"),
        "SVR rbf": (SVR(gamma=gamma), y.astype(float), "predict"),
        "logistic regression": (LogisticRegression(max_iter=200), y, "predict_proba"),
        "MLP (100)": (MLPClassifier(max_iter=20, random_state=0), y, "predict_proba"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", metavar="NAME", help="one model of every family, or of those named")
    parser.add_argument("--rows", type=int, help="rows to explain (10,000; of a family 5,000)")
    parser.add_argument("--fit-rows", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.families is None:
        beside_kernel_shap(options.rows or 10_000, options.fit_rows, options.repeats)
    else:
        of_families(options.families, options.rows or 5_000, options.fit_rows, options.repeats)


def beside_kernel_shap(n_rows: int, n_fit: int, repeats: int) -> None:
    """Print the cases' table."""
    import shap

    print(f"{n_rows} rows, models fitted on {n_fit}")
    print("| data | model | model s | neon s | neon / model | KernelSHAP ms per row | KernelSHAP / neon |")
    print("|---|---|---|---|---|---|---|")
    for name, make in (("digits, 64", digits), ("random, 784", random)):
        X, y = make(n_rows, np.random.default_rng(0))
        fit_X, fit_y = X[:n_fit], y[:n_fit]
        gamma = 1 / (X.shape[1] * X.var())
        for title, (estimator, target, method) in cases(fit_y, gamma).items():
            model = estimator.fit(fit_X, target)
            own, explainer = getattr(model, method), neon.Explainer(model, composite="neon")
            # The model's and torch's thread pools wait for more work by spinning; those of the run before fall asleep.
            own_s, neon_s, ratio = paired_seconds(partial(own, X), partial(explainer, X), repeats, pause=0.05)
            kernel = shap.KernelExplainer(own, fit_X[:50])
            per_row = seconds(partial(kernel.shap_values, X[:3], nsamples=500, silent=True)) / 3
            against = per_row / (neon_s / len(X))
            times = f"{own_s:.3f} | {neon_s:.3f} | {ratio:.2f}"
            print(f"| {name} | {title} | {times} | {1e3 * per_row:.0f} | {against:,.0f} |", flush=True)


def of_families(names: list[str], n_rows: int, n_fit: int, repeats: int) -> None:
    """Print the families' table."""
    rng, began = np.random.default_rng(0), time.perf_counter()
    X, y = digits(n_rows, rng)
    rows = {
        "digits": X,
        "positive": np.abs(X),
        "counts": np.clip(np.rint(16 * X), 0, 16),
        "column": X[:, [20]],
        "table": table(n_rows, rng),
        "texts": texts(n_rows, rng),
    }
    print(f"digits with noise, 64 features, {n_rows} rows, models fitted on {n_fit}; fewer where the table says so")
    print("| family | rows | model ms | neon ms | neon / model | why, above 3 |")
    print("|---|---|---|---|---|---|")
    for name, family in families(y[:n_fit], 1 / (X.shape[1] * X.var())).items():
        if names and name not in names:
            continue
        own, explainer, explained, target = prepared(family, rows[family.rows], n_fit)
        own_s, neon_s, ratio = paired_seconds(
            partial(own, explained), partial(explainer, explained, target), repeats, pause=0.05
        )
        cells = (name, f"{len(explained):,}", f"{1e3 * own_s:.1f}", f"{1e3 * neon_s:.1f}", f"{ratio:.2f}")
        print(f"| {' | '.join(cells)} | {family.why if ratio > 3 else ''} |", flush=True)
    print(
        "A k-nearest-neighbours classifier's own function is its evidence, from the distances to all points in order."
    )
    print(f"{time.perf_counter() - began:.0f} s in all")


def prepared(family: Family, X: Any, n_fit: int) -> tuple[Any, Any, Any, int | None]:
    """The model's own function as the equivalent network calls it, the explainer, the rows to explain, and a target.

    The target is what is predicted; of several outputs that are no alternatives, the first.
    """
    n_fit = family.fit_limit or n_fit
    fit_X, fit_y = X[:n_fit], None if family.y is None else family.y[:n_fit]
    model = family.estimator.fit(fit_X, fit_y)
    data = {"data": fit_X} if family.labelled else {}
    network = neon.neuralize(model, **family.options, **data)
    explainer = neon.Explainer(network, composite=network.one_pass, progress=False)
    target = None if network.classes is not None or len(network.output_names) == 1 else 0
    return network._own, explainer, X[: family.limit], target


if __name__ == "__main__":
    main()
