"""Rows that a model was fitted on: path rules leave a row's own point out, the value and the base stay the model's."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import OneClassSVM

import neon

MODELS = [
    OneClassSVM(nu=0.1),
    OneClassSVM(nu=0.1, gamma=0.5),
    KernelDensity(bandwidth=0.4),
    KernelDensity(bandwidth=0.7, kernel="exponential"),
    KernelDensity(bandwidth=0.4, metric="manhattan", kernel="exponential"),
]


def planted(n_outliers: int = 6, n: int = 120, d: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Rows, the first of them outliers in one column each; and these columns."""
    random = np.random.default_rng(3)
    X, column = random.normal(size=(n, d)), random.integers(0, d, n_outliers)
    X[np.arange(n_outliers), column] += 7
    return X, column


def without(explainer: neon.Explainer, row: np.ndarray) -> torch.nn.Module:
    """The network's layers, the points that are the row taken away."""
    layers = copy.deepcopy(
        [m for m in explainer.network.modules() if not list(m.children()) and not isinstance(m, torch.nn.Identity)]
    )
    (centers,) = (layer.centers for layer in layers if hasattr(layer, "centers"))
    others = (centers - torch.from_numpy(row)).abs().amax(1) > 1e-9
    assert int(others.sum()) < len(centers)
    for layer in layers:
        for name in ("centers", "log_weights"):
            if hasattr(layer, name):
                setattr(layer, name, getattr(layer, name)[others])
    return torch.nn.Sequential(*layers)


@pytest.mark.filterwarnings("ignore:the integral along")  # of far rows, for "shapley": with or without their points
@pytest.mark.parametrize("composite", ["expected", "shapley"])
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_what_is_shared_is_the_network_without_the_rows_own_point(model: Any, copies: int, composite: str) -> None:
    """Relevance is that of the other points' network; ``own_point`` what its way differs by from the model's own."""
    X, _ = planted()
    reference = X[60:68]
    explainer = neon.Explainer(
        clone(model).fit(np.vstack([X, *[X[:6]] * (copies - 1)])), composite=composite, reference=reference
    )
    base = explainer(X[60:61] + 0.05).base_values
    found = explainer(X[:6])
    own = found.residuals["own_point"]
    assert (own < 0).all(), "a point makes the row that it is less of an outlier"
    assert found.conservation_error() < 1e-9 * np.abs(own).max()
    np.testing.assert_allclose(
        found.base_values, np.repeat(base, 6), rtol=1e-7
    )  # the root of a distance 0 is that of rounding
    for i in (0, 3):
        others = neon.Explainer(without(explainer, X[i]), composite=composite, reference=reference)(X[i : i + 1])
        np.testing.assert_allclose(found.values[i : i + 1], others.values, rtol=1e-7, atol=1e-9)
        moved = (found.prediction[i] - base[0]) - (others.prediction[0] - others.base_values[0])
        np.testing.assert_allclose(own[i], moved, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:the integral along")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("composite", [None, "shapley", "neon"])
@pytest.mark.parametrize("model", MODELS[1:4], ids=str)
def test_one_row_and_many_replays_and_copies_agree(model: Any, composite: Any, dtype: type) -> None:
    """The same row is explained the same: alone, among others, in another place, again, or written down and read."""
    X, column = planted()
    fit = np.vstack([X, X[:2], X[:1], X[2:4] + 1e-9, X[4:6] + 0.02]).astype(dtype)
    explainer = neon.Explainer(clone(model).fit(fit), **({} if composite is None else {"composite": composite}))
    rows = np.vstack([fit[:6], X[60:66] + 0.1]).astype(dtype)
    together = explainer(rows)
    assert np.abs(together.values[:4].sum(1)).min() > 0
    scale = {"rtol": 1e-7, "atol": 1e-9 * np.abs(together.values).max()}
    np.testing.assert_allclose(explainer(rows[::-1]).values[::-1], together.values, **scale)
    for _ in range(2):
        alone = np.vstack([explainer(row[None]).values for row in rows])
        np.testing.assert_allclose(alone, together.values, **scale)
    np.testing.assert_allclose(explainer(rows[:, None][:, 0].copy()).values, together.values, **scale)
    nearly = np.round(rows.astype(np.float64), 10)
    np.testing.assert_allclose(explainer(nearly[:4]).values, together.values[:4], rtol=1e-3, atol=1e-3 * scale["atol"])
    if composite is None:
        assert (together.values[:4].argmax(1) == column[:4]).all()
        assert not together.residuals["own_point"][6:].any(), "rows that are no points of the fit have none"


def test_other_rows_are_explained_as_beside_no_points_of_the_fit() -> None:
    X, _ = planted()
    explainer = neon.Explainer(KernelDensity(bandwidth=0.4).fit(X))
    new = X[60:66] + 0.1
    alone, beside = explainer(new), explainer(np.vstack([new, X[:3]]))
    assert "own_point" not in alone.residuals
    np.testing.assert_allclose(beside.values[:6], alone.values, rtol=1e-9)
    np.testing.assert_allclose(beside.base_values[:6], alone.base_values, rtol=1e-12)


@pytest.mark.parametrize("steps", [[StandardScaler()], [StandardScaler(), PCA(1)], [PCA(3)]], ids=str)
@pytest.mark.parametrize("last", [OneClassSVM(nu=0.1), KernelDensity(bandwidth=0.3)], ids=str)
def test_behind_scalers_and_projections(steps: list[Any], last: Any) -> None:
    X, _ = planted()
    found = neon.explain(make_pipeline(*steps, clone(last)).fit(X), X[:6])
    assert found.residuals["own_point"].any()
    assert found.conservation_error() < 1e-9 * np.abs(found.residuals["own_point"]).max()


@pytest.mark.parametrize("gamma", ["scale", 0.3, 1.0])
@pytest.mark.parametrize("nu", [0.02, 0.1, 0.3])
def test_planted_columns_come_first(nu: float, gamma: Any) -> None:
    X, column = planted(n_outliers=12, n=300, d=8)
    found = neon.explain(OneClassSVM(nu=nu, gamma=gamma).fit(X), X[:12])
    assert np.mean(found.values.argmax(1) == column) >= 0.95


@pytest.mark.parametrize("bandwidth", [0.2, 0.5, 1.0, "scott", "silverman"])
def test_planted_columns_come_first_in_densities(bandwidth: Any) -> None:
    X, column = planted(n_outliers=12, n=300, d=8)
    found = neon.explain(KernelDensity(bandwidth=bandwidth).fit(X), X[:12])
    assert np.mean(found.values.argmax(1) == column) >= 0.95


def test_sums_where_the_kernel_hardly_bends() -> None:
    """The soft minimum of a tiny γ is rounded by eps/γ: more than what rows lose without their own points."""
    X = np.random.default_rng(0).normal([0, 0, 0, 1e6], 1, (6, 4))
    model = OneClassSVM(gamma=1e-12).fit(X)
    found = neon.Explainer(model)(X)
    assert (found.residuals["own_point"] != 0).any()
    total = found.base_values + found.values.sum(1) + sum(found.residuals.values())
    np.testing.assert_allclose(total, found.prediction, rtol=0, atol=1e-8)


@pytest.mark.parametrize("before", [PCA(2), StandardScaler()], ids=str)
def test_roots_of_distances_near_0_add_up(before: Any) -> None:
    """Behind a projection, and of rows in single precision, a point's own distance is rounding, and its root steep."""
    X = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    model = make_pipeline(before, KernelDensity(kernel="exponential")).fit(X)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the integral along")
        found = neon.Explainer(model, composite="expected")(X[:6])
    assert np.isfinite(found.values).all()
    assert found.conservation_error() < 1e-14 * np.abs(found.prediction).max()


def test_a_row_that_moves_by_next_to_nothing_is_where_it_was() -> None:
    """Its distance to itself is 0 all along the way, of which a root has no slope."""
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[6:] = X[:6]
    X[:, 0] *= 1e-310
    model = make_pipeline(StandardScaler(), PolynomialFeatures(include_bias=False), KernelDensity(kernel="exponential"))
    found = neon.explain(model.fit(X), X[:6])
    assert np.isfinite(found.values).all()
    assert np.abs(found.residuals["quadrature"]).max() < 0.01 * np.abs(found.values).max()
    assert found.conservation_error() < 1e-13


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis"])
def test_points_next_to_a_row_add_up(metric: str) -> None:
    """A distance of 1e-4 is a difference of squares that has lost half of its digits, and its slope is steep."""
    rng = np.random.default_rng(23)
    points = rng.normal(size=(30, 3))
    rows = points[:12] + np.geomspace(1e-9, 1e-2, 12)[:, None] * rng.normal(size=(12, 3))
    options = {} if metric == "euclidean" else {"metric_params": {"V": np.cov(points.T)}, "algorithm": "ball_tree"}
    model = KernelDensity(kernel="tophat", bandwidth=2.0, metric=metric, **options).fit(points)
    found = neon.Explainer(model, composite="neon")(rows)
    assert found.conservation_error() < 1e-13
