"""What is explained is what the model itself computes from the caller's own rows, or nothing is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

import neon
from neon.nn import Affine

X, Y = load_wine(return_X_y=True)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=5000),
        make_pipeline(StandardScaler(), SVC()),
        KMeans(3, n_init=1, random_state=0),
        RandomForestClassifier(5, random_state=0),
        make_pipeline(StandardScaler(), LinearRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("wrong", ["scale", "shift", "one row"])
def test_a_network_that_differs_from_its_model_is_refused(model: Any, wrong: str) -> None:
    explainer = neon.Explainer(model.fit(X, Y))
    assert explainer(X).conservation_error() <= 1e-9
    own = explainer.network._own

    def other(rows: Any) -> np.ndarray:
        found = np.array(own(rows), dtype=float)
        if wrong == "scale":
            return found * (1 + 1e-4)
        if wrong == "shift":
            return found + 1e-4 * np.abs(found).max()
        found[7] += 0.01 * np.abs(found).max()
        return found

    explainer.network._own = other
    with pytest.raises(neon.UnsupportedModelError, match=r"differs from the model by .* please report it"):
        explainer(X)


def test_small_numbers_are_compared_as_exactly_as_large_ones() -> None:
    for scale in (1e-9, 1.0, 1e9):
        explainer = neon.Explainer(Ridge().fit(X, Y * scale))
        explainer(X)
        explainer.network.layers.append(Affine(1 + 1e-4))
        with pytest.raises(neon.UnsupportedModelError, match="differs from the model"):
            explainer(X)


def test_sums_that_cancel_differ_by_rounding_only() -> None:
    model = LinearRegression().fit(X, X @ np.ones(13))
    row = X[:1].copy()
    row[0, 0] -= model.predict(row)[0]
    assert abs(neon.explain(model, row).prediction[0]) < 1e-9


def test_predictions_that_are_rounding_are_named() -> None:
    """Squared distances of 1e40 differ by nothing that a double holds; relevance is of their difference."""
    X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, -3.0]])
    model = KMeans(2, n_init=1, random_state=0).fit(X)
    with pytest.warns(RuntimeWarning, match="of 1 rows, the first of them 1, are rounding"):
        found = neon.explain(model, np.array([[0.0, 1.0], [0.0, 1e20]]), composite="neon")
    centers = model.cluster_centers_
    np.testing.assert_allclose(found.values[1, 1], 2e20 * abs(centers[0, 1] - centers[1, 1]))
    neon.explain(model, X)  # no warning


def test_rows_on_a_step_are_named() -> None:
    """A threshold after arithmetic: which side a row is on depends on the order of the sum."""
    rows = np.full((4, 3), 0.1)
    explainer = neon.Explainer(LinearRegression().fit(np.r_[rows, rows + 1], np.repeat([0.0, 1.0], 4)))
    network = explainer.network
    answers, own = network.answers, network._own
    network.answers = lambda numbers: answers(numbers) + (np.asarray(numbers)[:, :1] > 0.1)
    network._own = lambda X: own(X) + (X[:, :1] >= 0.1)
    with pytest.warns(RuntimeWarning, match="4 of the first 4 rows, the first of them 0, lie on a step") as said:
        explainer(rows)
    assert said[0].filename == __file__  # the caller's line


class Asked(Ridge):
    """Remembers what it was asked."""

    def predict(self, X: Any) -> np.ndarray:
        self.seen_ = X
        return super().predict(X)


def test_the_model_is_asked_with_the_callers_own_rows() -> None:
    """Not with what neon read into them: labels, integers, sparse entries stay what they are."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": pd.array([1.5, 2.5, 0.5], dtype="Float64"), "c": [True, False, True]})
    frame["d"] = pd.Categorical([2, 1, 2])
    model = Asked().fit(frame, [0.0, 1.0, 2.0])
    network = neon.neuralize(model)
    assert network.verify(frame) <= 1e-12
    pd.testing.assert_frame_equal(model.seen_, frame)
    assert model.seen_ is not frame
    whole = np.arange(12).reshape(4, 3) ** 2
    network = neon.neuralize(model.fit(whole, np.arange(4)))
    for rows in (whole, sparse.csr_matrix(whole), whole.astype(float)):
        assert network.verify(rows) <= 1e-12
        assert (type(model.seen_), model.seen_.dtype) == (type(rows), rows.dtype)
    assert network.verify(torch.tensor(whole)) <= 1e-12
    assert model.seen_.dtype == np.int64


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(), OneHotEncoder(sparse_output=False)])
def test_lists_that_mix_strings_and_numbers(encoder: Any) -> None:
    """scikit-learn takes them as objects: 1 stays a number."""
    rows = [["red", 1], ["blue", 2], ["red", 2], ["blue", 3]] * 5
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, [0, 1, 0, 1] * 5)
    expected = model.decision_function(rows)
    np.testing.assert_allclose(neon.explain(model, rows, 1).prediction, expected, rtol=1e-12)
    np.testing.assert_allclose(neon.explain(model, np.array(rows, dtype=object), 1).prediction, expected, rtol=1e-12)
    assert neon.neuralize(model).verify(rows) <= 1e-12


def share(X: np.ndarray) -> np.ndarray:
    return X / X.sum(1, keepdims=True)


def reversed_columns(X: np.ndarray) -> np.ndarray:
    return X[:, ::-1]


def waves(X: Any) -> np.ndarray:
    return np.sin(np.asarray(X, dtype=np.float64))


@pytest.mark.parametrize("as_frame", [True, False])
def test_none_stays_none_beside_a_function_that_was_found_elementwise(as_frame: bool) -> None:
    kinds = np.array(["x", "y", None] * 8, dtype=object)
    frame = pd.DataFrame({"kind": pd.Series(kinds, dtype=object), "place": np.arange(24.0)})
    rows = frame if as_frame else frame.to_numpy(dtype=object)
    columns = ColumnTransformer([("codes", OneHotEncoder(), [0]), ("waves", FunctionTransformer(waves), [1])])
    model = make_pipeline(columns, LinearRegression()).fit(rows, np.arange(24.0))
    assert model[0].named_transformers_["codes"].categories_[0][-1] is None
    np.testing.assert_allclose(neon.explain(model, rows).prediction, model.predict(rows), rtol=1e-12)


@pytest.mark.parametrize("function", [share, reversed_columns])
def test_a_function_of_rows_that_was_declared_elementwise(function: Any) -> None:
    neon.extend.register_encoder(function)
    model = make_pipeline(FunctionTransformer(function), LinearRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="made from other columns than the one that it was declared"):
        neon.explain(model, X)


@pytest.mark.parametrize(
    "encoder",
    [
        Normalizer(copy=False),
        PowerTransformer(copy=False),
        QuantileTransformer(copy=False, n_quantiles=20),
        Binarizer(copy=False, threshold=2.0),
        StandardScaler(copy=False),
        SimpleImputer(copy=False),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
@pytest.mark.parametrize("after", [False, True])
def test_what_works_in_place_leaves_the_callers_rows_alone(encoder: Any, after: bool) -> None:
    steps = [PCA(5), encoder] if after else [encoder]
    model = make_pipeline(*steps, Ridge()).fit(X.copy(), Y)
    for kind in (np.array, pd.DataFrame):
        rows = kind(X)
        explanation = neon.explain(model, rows)
        np.testing.assert_array_equal(rows, X)
        assert explanation.conservation_error() <= 1e-9
        np.testing.assert_allclose(explanation.prediction, model.predict(X.copy()), rtol=1e-9, atol=1e-9)
        assert neon.neuralize(model).verify(rows) <= 1e-9
        np.testing.assert_array_equal(rows, X)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 1.5}, "whole number of rows"),
        ({"batch_size": 0}, "whole number of rows"),
        ({"composite": 3}, "a composite is a name"),
        ({"device": "mps"}, "'mps'.*use 'cpu'"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        neon.explain(Ridge().fit(X, Y), X, **options)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (X * (1 + 2j), "complex numbers"),
        (pd.DataFrame(X * 1j), "complex numbers"),
        (np.zeros((2, 13), "M8[D]"), "dates or times"),
        (pd.DataFrame(np.zeros((2, 13), "M8[s]")), "dates or times"),
        (sparse.dok_matrix(X * 1j), "complex numbers"),
    ],
)
def test_numbers_of_other_kinds_are_refused(rows: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        neon.explain(Ridge().fit(X, Y), rows)


def test_numbers_in_any_container() -> None:
    model = Ridge().fit(X, Y)
    expected = neon.explain(model, X.astype(np.float32)).values
    for rows in (torch.tensor(X), sparse.dok_matrix(X), pd.DataFrame(X).astype("Float64"), X.tolist()):
        np.testing.assert_allclose(neon.explain(model, rows).values, expected, rtol=1e-5, atol=1e-5)
    half = torch.tensor(X).bfloat16()
    np.testing.assert_array_equal(neon.explain(model, half).values, neon.explain(model, half.double()).values)


def test_picked_rows_keep_their_numbers() -> None:
    explanation = neon.explain(Ridge().fit(X, Y), X)
    assert explanation.index is None
    for rows, expected in ((slice(3, 6), [3, 4, 5]), ([9, 2], [9, 2]), (np.arange(len(X)) == 7, [7]), (-1, [177])):
        picked = explanation[rows]
        assert list(picked.index) == list(picked.to_frame().index) == expected
        assert list(picked[::-1].index) == expected[::-1]


def test_classes_of_a_notebook_leave_refusals_as_they_are() -> None:
    class Halve(FunctionTransformer):
        pass

    Halve.__module__, Halve.__qualname__ = "__main__", "Halve"
    neon.extend.register_encoder(Halve)
    with pytest.raises(neon.UnsupportedModelError, match="no converter for"):
        neon.explain(BaseEstimator(), X)


@pytest.mark.parametrize("several", [False, True])
def test_the_advice_for_dicts_and_for_one_row_works(several: bool) -> None:
    X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 5.0, 2.0]})
    explainer = neon.Explainer(LinearRegression().fit(X, [0.0, 1.0, 3.0, 2.0]), reference=X)
    rows = X.iloc[:2] if several else X.iloc[[0]]
    given = [rows.to_dict("list"), rows.to_dict("records")] if several else [X.iloc[0].to_dict(), X.iloc[0]]
    for wrong in given:
        with pytest.raises(ValueError, match=r"pass a data frame|a single row is") as error:
            explainer(wrong)
        advised = re.search(r"(?:pass a data frame: |a single row is )(.*?)(?: \(|$)", str(error.value))
        assert advised is not None
        frame = eval(advised[1], {"pd": pd, "X": wrong, "frame": X})
        np.testing.assert_allclose(explainer(frame).values, explainer(rows).values)
