"""`neon.extend` is the one door: an estimator, a transformer and an operation of one's own through it alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import neon
from neon import extend, nn
from neon.lrp.operations import table

X = np.random.default_rng(0).normal(size=(30, 3))


class Cubes(TransformerMixin, BaseEstimator):
    """Every column to the power of three."""

    def fit(self, X: np.ndarray, y: Any = None) -> Cubes:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X**3


class NearestCenter(RegressorMixin, BaseEstimator):
    """The squared distance to the mean of the rows."""

    def fit(self, X: np.ndarray, y: Any = None) -> NearestCenter:
        self.n_features_in_, self.center_ = X.shape[1], X.mean(0)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return ((X - self.center_) ** 2).sum(1)


def convert_center(model: Any, ask: extend.Ask) -> extend.Conversion:
    return extend.Conversion(
        torch.nn.Sequential(nn.SquaredDistance(model.center_[None])),
        "predicted value",
        ("prediction",),
        own=lambda X: model.predict(X)[:, None],
        answers={"predict": ()},
    )


@pytest.mark.parametrize("model", [make_pipeline(Cubes(), Ridge()), NearestCenter()], ids=["step", "model"])
def test_what_is_unknown_names_the_door(model: Any) -> None:
    with pytest.raises(neon.UnsupportedModelError, match=r"neon\.extend\.register\('tests\.test_extend\.\w+', by="):
        neon.neuralize(model.fit(X, X[:, 0]))


def test_an_estimator_of_ones_own() -> None:
    extend.register(NearestCenter, by=convert_center)
    model = NearestCenter().fit(X)
    explanation = neon.explain(model, X)
    np.testing.assert_allclose(explanation.prediction, model.predict(X), rtol=1e-12)
    np.testing.assert_allclose(explanation.values, (X - X.mean(0)) ** 2, rtol=1e-12)


def test_a_transformer_of_ones_own() -> None:
    extend.register_encoder(Cubes)
    model = make_pipeline(Cubes(), Ridge()).fit(X, X[:, 0])
    np.testing.assert_allclose(neon.explain(model, X).values, X**3 * model[-1].coef_, rtol=1e-12)


class Thirds(extend.Treatment):
    """Relevance goes on as it is: the function is of each element alone."""

    retention = extend.Retention()

    def propagate(self, call: extend.Call, messages: Any, rule: Any, ledger: extend.Ledger) -> Any:
        return messages


def test_a_treatment_without_either_method_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Neither(extend.Treatment):
        """It says nothing of relevance."""

    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    with pytest.raises(TypeError, match="Neither has neither back nor propagate"):
        extend.treat(torch.special.bessel_j1, by=Neither())
    assert torch.special.bessel_j1 not in table._TABLE


@pytest.mark.parametrize("treatment", [Thirds(), extend.ElementwiseTreatment()], ids=["own", "elementwise"])
def test_an_operation_of_ones_own(treatment: extend.Treatment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    x = torch.tensor([[0.5, -1.0], [2.0, 0.25]], dtype=torch.float64)

    def model(x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j1(x) @ torch.tensor([[1.0], [3.0]], dtype=torch.float64)

    with pytest.raises(neon.UnsupportedOperationError, match=r"Register one with neon\.extend\.treat\(function, by="):
        neon.LRP(model, "zero")(x, 0)
    extend.treat(torch.special.bessel_j1, by=treatment)
    expected = torch.special.bessel_j1(x) * torch.tensor([1.0, 3.0])
    torch.testing.assert_close(neon.LRP(model, "zero")(x, 0), expected)
    assert isinstance(treatment, extend.Treatment)


@pytest.mark.parametrize("name", ["rules", "targets", "composites", "extend", "nn", "baselines"])
def test_modules_of_the_surface_are_modules(name: str) -> None:
    module = __import__(f"neon.{name}", fromlist=["*"])
    assert module is getattr(neon, name)
    assert module.__name__ == f"neon.{name}"
    assert all(hasattr(module, public) for public in module.__all__)
