"""Who is near along the way: against a way in many small steps, with functions and neighbours by definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsRegressor, LocalOutlierFactor

import neon
from neon.nn.shapley.nearest import stretches

Function = Callable[[np.ndarray, np.ndarray], float]  # of the parts' sums and of who is near


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_stretches_have_the_lowest_lines() -> None:
    draw = torch.Generator().manual_seed(0)
    start, end = torch.rand(2, 5, 20, generator=draw, dtype=torch.float64)
    length = torch.zeros(5, 1, dtype=torch.float64)
    for part in stretches(start, end, 4):
        t = (part.since + part.until) / 2
        here = start[part.samples] + t * (end - start)[part.samples]
        expected = here.topk(4, largest=False).indices
        assert torch.equal(part.low.sort().values, expected.sort().values)
        length[part.samples] += part.until - part.since
    torch.testing.assert_close(length, torch.ones_like(length))


def _mean(model: Any) -> Function:
    y = np.asarray(model._y, dtype=float)

    def f(d: np.ndarray, near: np.ndarray) -> float:
        w = d[near] ** -0.5 if model.weights == "distance" else None
        return float(np.average(y[near], weights=w))

    return f


def _factor(model: Any) -> Function:
    radii, densities = model._distances_fit_X_[:, -1], model._lrd

    def f(d: np.ndarray, near: np.ndarray) -> float:
        length = np.sqrt(d) if model.effective_metric_ == "euclidean" else d
        reach = np.maximum(length[near], radii[near]).mean()
        return float(densities[near].mean() * (reach + 1e-10) + model.offset_)

    return f


def _in_small_steps(f: Function, a: np.ndarray, b: np.ndarray, k: int, n: int = 4000) -> tuple[np.ndarray, float]:
    """Relevance of the features and the base, from parts a to b (n_points, n_features)."""
    phi, parts = np.zeros(a.shape[1]), b - a
    rise = parts.sum(1)
    near = np.argsort(a.sum(1))[:k]
    base = f(a.sum(1), near)
    for step in range(n):
        d, after = (a.sum(1) + (step + t) / n * rise for t in (0.5, 1.0))
        for j in near:
            moved = 1e-6 * d * (np.arange(len(d)) == j)
            phi += (f(d + moved, near) - f(d - moved, near)) / (2 * moved[j]) * parts[j] / n
        found = np.argsort(after)[:k]
        gone, come = set(near) - set(found), set(found) - set(near)
        assert len(gone) <= 1, "take more steps"
        for out, into in zip(gone, come, strict=True):
            jump = f(after, found) - f(after, near)
            phi += jump * (parts[out] - parts[into]) / (rise[out] - rise[into])
        near = found
    return phi, base


@pytest.mark.parametrize(
    ("model", "function"),
    [
        (KNeighborsRegressor(4), _mean),
        (KNeighborsRegressor(4, weights="distance"), _mean),
        (KNeighborsRegressor(3, metric="manhattan"), _mean),
        (LocalOutlierFactor(4, novelty=True), _factor),
        (LocalOutlierFactor(3, novelty=True, metric="manhattan"), _factor),
    ],
    ids=["mean", "by nearness", "mean, manhattan", "outlier factor", "outlier factor, manhattan"],
)
def test_relevance_is_that_of_a_way_in_small_steps(model: Any, function: Callable[[Any], Function]) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model.fit(X, y)
    x, rows = rng.normal(size=(1, 3)), rng.normal(size=(2, 3)) / 2
    k, f = model.n_neighbors, function(model)
    power = 1 if model.effective_metric_ == "manhattan" else 2

    def parts(row: np.ndarray) -> np.ndarray:
        return np.abs(row - X) ** power

    b = parts(x)
    mean = neon.explain(model, x, composite="shapley", reference=rows)
    phi, base = _in_small_steps(f, np.mean([parts(row) for row in rows], 0), b, k)
    assert relative(mean.values[0], phi) < 3e-3
    assert abs(mean.base_values[0] - base) < 1e-9
    assert "found anew along the way" in mean.explains
    joint = neon.explain(model, x, composite="expected", reference=rows)
    phis, bases = zip(*(_in_small_steps(f, parts(row), b, k) for row in rows), strict=True)
    assert relative(joint.values[0], np.mean(phis, 0)) < 3e-3
    assert abs(joint.base_values[0] - np.mean(bases)) < 1e-9
    for found in (mean, joint):
        left = sum(found.residuals.values(), np.zeros(1))
        assert abs(found.base_values + found.values.sum(1) + left - found.prediction).max() < 1e-9
        assert abs(left).max() < 1e-6 * abs(found.values).max()


def test_rows_that_the_model_was_fitted_on_have_all_weight_on_themselves() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    model = KNeighborsRegressor(5, weights="distance").fit(X, y)
    found = neon.explain(model, X[:3], composite="expected", reference=X[3:9])
    assert relative(found.base_values, np.full(3, y[3:9].mean())) < 1e-9
    assert relative(found.prediction, y[:3]) < 1e-12
    assert abs(found.residuals["quadrature"]).max() < 1e-4


def test_outlier_factors_of_fitted_rows_have_no_way() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = LocalOutlierFactor(5).fit(X)
    with pytest.raises(neon.UnsupportedOperationError, match="novelty=True"):
        neon.explain(model, X[:2], composite="shapley")


def test_neighbours_by_a_metric_that_mixes_features() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    options = {"metric": "mahalanobis", "metric_params": {"VI": np.array([[2.0, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])}}
    model = KNeighborsRegressor(4, algorithm="brute", **options).fit(X, y)
    found = neon.explain(model, X[:5] + 0.3, composite="expected", reference=X[10:20])
    assert relative(found.base_values, np.full(5, model.predict(X[10:20]).mean())) < 1e-12
    assert relative(found.base_values + found.values.sum(1), found.prediction) < 1e-9
