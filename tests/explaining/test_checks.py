"""What is explained is what the model itself computes from the caller's own rows, or nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
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


def test_rows_on_a_step_are_named() -> None:
    """A threshold after arithmetic: which side a row is on depends on the order of the sum."""
    rows = np.full((4, 3), 0.1)
    explainer = neon.Explainer(LinearRegression().fit(np.r_[rows, rows + 1], np.repeat([0.0, 1.0], 4)))
    network = explainer.network
    answers, own = network.answers, network._own
    network.answers = lambda numbers: answers(numbers) + (np.asarray(numbers)[:, :1] > 0.1)
    network._own = lambda X: own(X) + (X[:, :1] >= 0.1)
    with pytest.warns(RuntimeWarning, match="4 of the first 4 rows, the first of them 0, lie on a step"):
        explainer(rows)


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
