"""Sums in log space say so, and ``output="predict"`` explains the value itself."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import GammaRegressor, LinearRegression, PoissonRegressor, Ridge, TweedieRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.exp(0.5 * X[:, 0] + 0.1 * X[:, 1]) + 0.1

MODELS: dict[str, Any] = {
    "Poisson": PoissonRegressor(),
    "Gamma": make_pipeline(StandardScaler(), GammaRegressor()),
    "Tweedie": TweedieRegressor(power=1.5),
    "target": TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
    "target plus 1": TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1),
    "histograms": HistGradientBoostingRegressor(loss="poisson", max_iter=3),
    "LightGBM": lgb.LGBMRegressor(objective="poisson", n_estimators=3, verbose=-1, n_jobs=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_way_to_the_value_is_said_and_leads_there(name: str) -> None:
    model = MODELS[name].fit(X, Y)
    found = neon.explain(model, X[:5])
    assert "log" in found.explains
    assert 'output="predict"' in found.explains
    back = np.expm1 if "expm1 of it" in found.explains else np.exp
    total = found.base_values + found.values.sum(1) + sum(found.residuals.values())
    np.testing.assert_allclose(back(total), model.predict(X[:5]), rtol=1e-9)
    for options in ({"composite": "neon"}, {"composite": "expected", "reference": X[:4]}):
        value = neon.explain(model, X[:5], output="predict", **options)
        np.testing.assert_allclose(value.prediction, model.predict(X[:5]), rtol=1e-6)
        assert value.conservation_error() <= 1e-9
        assert value.explains.startswith("predicted value")
    np.testing.assert_allclose(value.base_values, model.predict(X[:4]).mean(), rtol=1e-6)


def test_values_say_nothing_of_logarithms() -> None:
    for model in (Ridge(), TweedieRegressor(power=0), TransformedTargetRegressor(Ridge())):
        assert "log" not in neon.explain(model.fit(X, Y), X[:2]).explains


@pytest.mark.parametrize("inverse", [np.log, np.sqrt, np.arcsin, np.square])
def test_inverses_of_the_target_that_take_no_numbers_below_0_are_asked_for_none(inverse: Any) -> None:
    function = {np.log: np.exp, np.sqrt: np.square, np.arcsin: np.sin, np.square: np.sqrt}[inverse]
    y = np.linspace(0.2, 0.8, len(X))
    model = TransformedTargetRegressor(Ridge(1e3), func=function, inverse_func=inverse).fit(X, y)
    assert "log space" not in neon.explain(model, X[:2]).explains


def test_the_logarithm_of_more_than_the_value_is_called_so() -> None:
    explains = neon.explain(MODELS["target plus 1"].fit(X, Y), X[:2]).explains
    assert explains.startswith("logarithm of the predicted value plus 1,")
