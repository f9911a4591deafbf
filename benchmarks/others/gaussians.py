"""XAI-Bench: Gaussian features whose conditional distributions, and hence true Shapley values, are known.

Liu, Khandagale, White, Neiswanger (2021), Synthetic Benchmarks for Scientific Research in Explainable Machine Learning;
https://github.com/abacusai/xai-bench. Five features of unit variance and correlation ρ; targets linear, piecewise
constant or nonlinear and additive, standardised.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.integrate import trapezoid
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from benchmarks.others.attributions import METHODS, attributions, cell, in_order
from benchmarks.pages import table
from neon import evaluate

__all__ = ["TARGETS", "Gaussian", "correlations", "roar", "section", "true_shapley"]

D = 5
EVERY = {**METHODS, "exact_shapley": partial(METHODS["exact_shapley"], n_rows=100)}
CUTOFFS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
MODELS = {
    "linear": LinearRegression(),
    "tree": DecisionTreeRegressor(min_samples_leaf=5, random_state=0),
    "MLP": MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", alpha=0.1, max_iter=500, random_state=0),
}


class Gaussian:
    """Normal rows of mean 0, variance 1 and one correlation; what is not kept is drawn given what is kept.

    conditional : whether it is; else from its own marginal distribution, the interventional game.
    """

    def __init__(self, rho: float, conditional: bool = True) -> None:
        self.covariance = np.full((D, D), rho) + (1 - rho) * np.eye(D)
        self.conditional = conditional

    def rows(self, n: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).multivariate_normal(np.zeros(D), self.covariance, n)

    def completed(self, X: np.ndarray, kept: np.ndarray, n_draws: int, seed: int = 0) -> np.ndarray:
        """(n_rows, n_draws, D), equal to X in the features kept, bool (D,)."""
        mean, covariance = self.given(X, kept)
        normal = np.random.default_rng(seed).normal(size=(n_draws, np.count_nonzero(~kept)))
        root = np.linalg.cholesky(covariance) if covariance.size else covariance
        filled = np.repeat(X[:, None], n_draws, axis=1)
        filled[:, :, ~kept] = mean[:, None] + normal @ root.T
        return filled

    def given(self, X: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of what is not kept the mean ``Σ_ak Σ_kk⁻¹ x_k`` and the covariance ``Σ_aa - Σ_ak Σ_kk⁻¹ Σ_ka``.

        Shapes (n_rows, n_absent) and (n_absent, n_absent).
        """
        S, absent = self.covariance, ~kept
        if not self.conditional or not kept.any():
            return np.zeros((len(X), np.count_nonzero(absent))), S[np.ix_(absent, absent)]
        weights = np.linalg.solve(S[np.ix_(kept, kept)], S[np.ix_(kept, absent)])
        return X[:, kept] @ weights, S[np.ix_(absent, absent)] - S[np.ix_(absent, kept)] @ weights


def linear(X: np.ndarray) -> np.ndarray:
    return X @ [4.0, 3.0, 2.0, 1.0, 0.0]


def piecewise(X: np.ndarray) -> np.ndarray:
    """Steps of the first three features."""
    third = np.trunc(2 * np.cos(np.pi * X[:, 2]))
    second = np.select([X[:, 1] < -0.5, X[:, 1] < 0, X[:, 1] < 0.5], [-2, -1, 1], 2)
    return np.where(X[:, 0] < 0, -1, 1) + second + np.where(third == 0, 1, third)


def additive(X: np.ndarray) -> np.ndarray:
    """``sin x0 + |x1| + x2² + exp(-x3)``."""
    return np.sin(X[:, 0]) + np.abs(X[:, 1]) + X[:, 2] ** 2 + np.exp(-X[:, 3])


TARGETS = {"linear": linear, "piecewise constant": piecewise, "nonlinear additive": additive}


def targets(function: Callable[[np.ndarray], np.ndarray], X: np.ndarray, noise: float = 0.01) -> np.ndarray:
    y = function(X) + np.random.default_rng(1).normal(scale=noise, size=len(X))
    return (y - y.mean()) / y.std()


def true_shapley(
    f: Callable[[np.ndarray], np.ndarray], X: np.ndarray, gaussian: Gaussian, n_draws: int = 500
) -> np.ndarray:
    """``φ_i = Σ_S |S|! (d-|S|-1)! / d! (v(S∪i) - v(S))`` over all subsets, v(S) the mean over draws given x_S."""
    value = {}
    for kept in itertools.product([False, True], repeat=D):
        rows = gaussian.completed(X, np.array(kept), n_draws)
        value[kept] = f(rows.reshape(-1, D)).reshape(len(X), n_draws).mean(1)
    found = np.zeros(X.shape)
    for kept, v in value.items():
        size = sum(kept)
        for i in np.flatnonzero(~np.array(kept)):
            weight = math.factorial(size) * math.factorial(D - size - 1) / math.factorial(D)
            found[:, i] += weight * (value[(*kept[:i], True, *kept[i + 1 :])] - v)
    return found


def correlations(relevance: np.ndarray, truth: np.ndarray) -> float:
    """Pearson's, of each row, averaged; a row of equal numbers counts 0."""
    a, b = (x - x.mean(1, keepdims=True) for x in (relevance, truth))
    norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(np.divide((a * b).sum(1), norms, out=np.zeros(len(a)), where=norms > 0).mean())


def roar(model: Any, X: np.ndarray, y: np.ndarray, relevance: np.ndarray, gaussian: Gaussian, n_train: int) -> float:
    """Remove and retrain (Hooker et al. 2019): the area under the test error while more is taken away; more is better.

    Of each row the features with the largest |relevance| are drawn anew given the others; then a model is fitted.
    """
    order = np.argsort(-np.abs(relevance), axis=1, kind="stable")
    errors = []
    for cutoff in CUTOFFS:
        kept = np.argsort(order, axis=1) >= int(cutoff * D)
        rows = [gaussian.completed(x[None], k, 1, seed)[0, 0] for seed, (x, k) in enumerate(zip(X, kept, strict=True))]
        again = clone(model).fit(rows[:n_train], y[:n_train])
        errors.append(np.abs(again.predict(np.array(rows[n_train:])) - y[n_train:]).mean())
    return float(trapezoid(errors, CUTOFFS))


def section(n_train: int = 300, n_rows: int = 30) -> list[str]:
    warnings.simplefilter("ignore")
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for rho, (name, function) in itertools.product((0.0, 0.5), TARGETS.items()):
        observed = Gaussian(rho)
        X = observed.rows(n_train + 100)
        y, train, test = targets(function, X), X[:n_train], X[n_train : n_train + n_rows]
        for kind, model in MODELS.items():
            fitted = clone(model).fit(train, y[:n_train])
            said = attributions(evaluate.Explained(fitted), test, None, train, EVERY)
            for game, conditional in (("conditional", True), ("interventional", False))[: 2 if rho else 1]:
                truth = true_shapley(fitted.predict, test, Gaussian(rho, conditional))
                row = {method: correlations(relevance, truth) for method, relevance in said.items()}
                found[f"ρ = {rho:g}", name, kind, f"r with {game} Shapley values"] = row | {"truth": 1.0}
            if rho == 0.5 and name == "nonlinear additive":
                every = attributions(evaluate.Explained(fitted), X, None, train, EVERY)
                every["truth"] = true_shapley(fitted.predict, X, Gaussian(rho), 200)
                row = {method: roar(model, X, y, relevance, observed, n_train) for method, relevance in every.items()}
                found[f"ρ = {rho:g}", name, kind, "ROAR, area of the error"] = row
    names = [*in_order({method for row in found.values() for method in row} - {"truth"}), "truth"]
    rows = [[*key, *[cell(row.get(name)) for name in names]] for key, row in found.items()]
    lines = [
        "### XAI-Bench: Gaussians with true Shapley values",
        "",
        "Liu et al. (2021). Pearson's correlation with the true Shapley values of the model, where features that are "
        "absent are drawn given those present (conditional) or not (interventional), and remove-and-retrain; more is "
        f"better. {n_train} rows of the fit, {n_rows} explained; `truth` are the true conditional values.",
        "",
    ]
    return lines + table(["correlation", "target", "model", "score", *names], rows)
