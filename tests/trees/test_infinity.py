"""Infinite entries: explained where the model takes them, refused where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = X[:, 0] + X[:, 1] * X[:, 2]
ROWS = X[:8].copy()
ROWS[0, 0], ROWS[1, 0], ROWS[2, 1], ROWS[3], ROWS[4, 2] = np.inf, -np.inf, np.inf, -np.inf, np.nan
FAR = np.nan_to_num(ROWS, nan=np.nan, posinf=1e30, neginf=-1e30)


def of_lightgbm() -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.LGBMRegressor(n_estimators=6, verbose=-1, min_child_samples=5).fit(X, Y)


def of_catboost() -> Any:
    catboost = pytest.importorskip("catboost")
    return catboost.CatBoostRegressor(iterations=6, verbose=0, allow_writing_files=False).fit(X, Y)


def of_histograms() -> Any:
    """Fitted on missing values, after which some thresholds are infinite themselves."""
    return HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=3).fit(np.where(X > 1, np.nan, X), Y)


@pytest.mark.parametrize("fit", [of_lightgbm, of_catboost, of_histograms])
@pytest.mark.parametrize("reference", [None, FAR[:4], ROWS[:4]], ids=["covers", "far", "infinite"])
def test_infinity_is_a_number_beyond_every_threshold(fit: Any, reference: Any) -> None:
    model = fit()
    explainer = neon.Explainer(model, reference=reference)
    found = explainer(ROWS)
    np.testing.assert_allclose(found.prediction, model.predict(ROWS), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.values, explainer(FAR).values, rtol=0, atol=1e-12)
    assert found.conservation_error() < 1e-12
    if reference is not None:
        np.testing.assert_allclose(found.values, neon.Explainer(model, reference=FAR[:4])(FAR).values, atol=1e-12)


def test_layers_take_it_and_units_do_not() -> None:
    model = of_lightgbm()
    assert neon.neuralize(model, form="layers").verify(ROWS) < 1e-12
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        neon.neuralize(model, form="relu").verify(ROWS)


def test_elsewhere_it_is_refused() -> None:
    model = of_lightgbm()
    rows = np.where(np.isfinite(ROWS), ROWS, np.inf)
    for other in (
        RandomForestRegressor(3).fit(X, Y),
        make_pipeline(StandardScaler().fit(X), model),
        VotingRegressor([("a", model), ("b", LinearRegression())]).fit(X, Y),
    ):
        with pytest.raises(ValueError, match="contains infinity"):
            neon.explain(other, rows)
    both = VotingRegressor([("a", model), ("b", model)]).fit(X, Y)
    np.testing.assert_allclose(neon.explain(both, rows).prediction, both.predict(rows), rtol=1e-9)
