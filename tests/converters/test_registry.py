"""How converters are declared, and what their errors say."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomTreesEmbedding, VotingRegressor
from sklearn.feature_selection import VarianceThreshold
from sklearn.kernel_approximation import Nystroem
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import neon
from neon import nn
from neon.converters import Ask, Conversion, converter, register

pytestmark = pytest.mark.usefixtures("one_pass")

X, y = load_iris(return_X_y=True)


class Total(RegressorMixin, BaseEstimator):
    """The sum of the columns."""

    def fit(self, X: Any, y: Any) -> Total:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.asarray(X).sum(1)


def convert_total(model: Total, ask: Ask) -> Conversion:
    ask.choose("predict")
    layers = torch.nn.Sequential(nn.Linear(np.ones((1, model.n_features_in_))))
    own = lambda X: model.predict(X)[:, None]  # noqa: E731
    return Conversion(layers, "the sum", ("total",), own, answers={"predict": ()}, takes_reference=True)


def test_an_estimator_of_ones_own() -> None:
    register(Total, by=convert_total)
    np.testing.assert_allclose(neon.explain(Total().fit(X, y), X).values, X)
    voting = VotingRegressor([("a", Total()), ("b", Total())]).fit(X, y)
    assert neon.neuralize(voting).verify(X) < 1e-12


def test_the_decorator_gives_the_function_back() -> None:
    assert converter(Total)(convert_total) is convert_total


def test_unknown_outputs_name_the_class_and_the_choices() -> None:
    register(Total, by=convert_total)
    with pytest.raises(neon.errors.UnknownOutputError, match=r"'margin' is unknown for Total; choose from \['pred"):
        neon.neuralize(Total().fit(X, y), output="margin")


@pytest.mark.parametrize(
    "model",
    [
        StandardScaler(),
        OneHotEncoder(),
        Nystroem(n_components=4),
        RandomTreesEmbedding(2, max_depth=2),
        make_pipeline(StandardScaler(), VarianceThreshold()),
        make_column_transformer((StandardScaler(), [0, 1])),
    ],
)
def test_transformers_have_one_output(model: Any) -> None:
    model.fit(X)
    with pytest.raises(neon.errors.UnknownOutputError, match=r"'nonsense' is unknown for \w+; choose from"):
        neon.neuralize(model, output="nonsense")
    assert neon.neuralize(model, output="transform").verify(X) <= 1e-9


def test_a_function_that_takes_no_question_is_refused() -> None:
    def old(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
        raise AssertionError

    with pytest.raises(TypeError, match=r"called as old\(model, ask\), which old\(model: "):
        register(Total, by=old)  # type: ignore[arg-type]


def test_an_error_says_once_where_the_step_stands() -> None:
    model = make_pipeline(StandardScaler(), make_pipeline(SVC(kernel=lambda A, B: A @ B.T))).fit(X, y)
    with pytest.raises(neon.UnsupportedModelError) as caught:
        neon.neuralize(model)
    assert caught.value.path == "pipeline/svc"
    assert str(caught.value).count("at step") == 1
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.path, str(again)) == (caught.value.path, str(caught.value))
    with pytest.raises(neon.UnsupportedModelError) as caught:
        neon.neuralize(model[-1][-1])
    assert caught.value.path == ""


def test_what_is_held_fixed_is_said_once() -> None:
    nearest = KNeighborsRegressor(3)
    alone = neon.neuralize(nearest.fit(X, y)).explains
    assert "the neighbours are taken as given" in alone
    assert "held fixed" not in alone
    around = neon.neuralize(VotingRegressor([("a", nearest), ("b", KNeighborsRegressor(5))]).fit(X, y)).explains
    assert around == "predicted value (the neighbours held fixed)"
