"""What an explanation costs: beside the model's own function, and beside KernelSHAP.

    python -m benchmarks.cost

Medians of alternating runs in one process; KernelSHAP (500 evaluations, 50 background rows) is timed on three rows.
"""

from __future__ import annotations

import argparse
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
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--fit-rows", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import shap

    print(f"{options.rows} rows, models fitted on {options.fit_rows}")
    print("| data | model | model s | neon s | neon / model | KernelSHAP ms per row | KernelSHAP / neon |")
    print("|---|---|---|---|---|---|---|")
    for name, make in (("digits, 64", digits), ("random, 784", random)):
        X, y = make(options.rows, np.random.default_rng(0))
        fit_X, fit_y = X[: options.fit_rows], y[: options.fit_rows]
        gamma = 1 / (X.shape[1] * X.var())
        for title, (estimator, target, method) in cases(fit_y, gamma).items():
            model = estimator.fit(fit_X, target)
            own, explainer = getattr(model, method), neon.Explainer(model)
            # The model's and torch's thread pools wait for more work by spinning; those of the run before fall asleep.
            own_s, neon_s, ratio = paired_seconds(partial(own, X), partial(explainer, X), options.repeats, pause=0.05)
            kernel = shap.KernelExplainer(own, fit_X[:50])
            per_row = seconds(partial(kernel.shap_values, X[:3], nsamples=500, silent=True)) / 3
            against = per_row / (neon_s / len(X))
            cells = (
                name,
                title,
                f"{own_s:.3f}",
                f"{neon_s:.3f}",
                f"{ratio:.2f}",
                f"{1e3 * per_row:.0f}",
                f"{against:,.0f}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
