"""A few rows that stand for many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

import neon

FRAME, Y = load_diabetes(return_X_y=True, as_frame=True)
ROWS = FRAME.to_numpy()


def discrepancy(rows: np.ndarray, weights: np.ndarray) -> float:
    """The squared distance of two distributions' mean similarities."""
    Z = StandardScaler().fit(ROWS)
    some, every, gamma = Z.transform(rows), Z.transform(ROWS), 1 / (2 * ROWS.shape[1])
    own, across = weights @ rbf_kernel(some, gamma=gamma) @ weights, weights @ rbf_kernel(some, every, gamma=gamma)
    return float(own - 2 * across.mean() + rbf_kernel(every, gamma=gamma).mean())


@pytest.mark.parametrize("k", [10, 40])
def test_they_are_closer_to_all_rows_than_as_many_drawn_ones(k: int) -> None:
    rows, weights = neon.summarize(ROWS, k)
    assert rows.shape == (k, 10)
    assert np.unique(rows, axis=0).shape == rows.shape
    assert (rows[:, None] == ROWS).all(2).any(1).all()
    np.testing.assert_allclose(weights, 1 / k)
    drawn = [np.random.default_rng(seed).choice(len(ROWS), k, replace=False) for seed in range(20)]
    assert discrepancy(rows, weights) < 0.5 * min(discrepancy(ROWS[index], weights) for index in drawn)
    np.testing.assert_array_equal(rows, neon.summarize(ROWS, k)[0])
    np.testing.assert_allclose(neon.summarize(64 * ROWS + 3, k)[0], 64 * rows + 3)  # scales do not matter


def test_explanations_from_them_are_close_to_those_from_all_rows() -> None:
    model = make_pipeline(StandardScaler(), SVR(C=100)).fit(FRAME, Y)
    for composite in ("shapley", "expected"):
        every, few, other = (
            neon.Explainer(model, composite=composite, reference=reference)(FRAME.iloc[:20]).values
            for reference in (FRAME, neon.summarize(FRAME, 30), FRAME.iloc[:30])
        )
        assert np.abs(few - every).mean() < 0.1 * np.abs(every).mean()
        assert np.abs(few - every).mean() < 0.5 * np.abs(other - every).mean()


def test_frames_keep_their_columns_and_texts() -> None:
    mixed = FRAME.assign(word=pd.Series(np.where(FRAME["sex"] > 0, "a", "b")), flag=FRAME["age"] > 0)
    mixed.iloc[3, 2] = np.nan
    rows, _ = neon.summarize(mixed, 12)
    pd.testing.assert_frame_equal(rows, mixed.loc[rows.index])
    assert set(rows["word"]) == {"a", "b"}
    assert list(neon.summarize(FRAME, 5)[0].columns) == list(FRAME.columns)


@pytest.mark.parametrize(
    "column",
    [
        pd.to_timedelta(np.arange(50), unit="D"),
        pd.date_range("2020", periods=50),
        ["u", 1] * 25,
        ["u", None] * 25,
        pd.array([1, None] * 25, dtype="Int64"),
        pd.array([True, None] * 25, dtype="boolean"),
        np.full(50, np.nan),
    ],
    ids=["durations", "dates", "words and numbers", "missing words", "Int64", "boolean", "all missing"],
)
def test_columns_of_whatever_kind_are_told_apart(column: Any) -> None:
    frame = pd.DataFrame({0: ROWS[:50, 0], "a": column})
    rows, _ = neon.summarize(frame, 4)
    pd.testing.assert_frame_equal(rows, frame.loc[rows.index])
    frame.columns = ["twice", "twice"]
    assert list(neon.summarize(frame, 4)[0].index) == list(rows.index)


def test_what_holds_no_rows_of_columns_is_refused() -> None:
    for rows in (ROWS[:, 0], FRAME["age"], np.empty((4, 0))):
        with pytest.raises(ValueError, match=r"X must be rows and columns \(n_rows, n_features\), got shape"):
            neon.summarize(rows, 3)
    with pytest.raises(ValueError, match="X must be numeric"):
        neon.summarize(["a text", "another"], 1)
    far = np.where(ROWS > 0.15, np.inf, ROWS)
    for rows in (far, pd.DataFrame(far), sparse.csr_matrix(far)):
        with pytest.raises(ValueError, match="X contains infinity"):
            neon.summarize(rows, 3)


def test_sparse_rows_stay_sparse() -> None:
    rows, weights = neon.summarize(sparse.csr_matrix(np.maximum(ROWS, 0)), 7)
    assert sparse.issparse(rows)
    assert rows.shape == (7, 10)
    assert len(weights) == 7


def test_all_rows_where_there_are_no_more() -> None:
    rows, weights = neon.summarize(ROWS[:5], 9)
    np.testing.assert_array_equal(rows, ROWS[:5])
    np.testing.assert_allclose(weights, 0.2)
    same, _ = neon.summarize(np.ones((6, 2)), 3)
    np.testing.assert_array_equal(same, np.ones((3, 2)))


@pytest.mark.parametrize("k", [0, 2.5, "3", True])
def test_bad_numbers_of_rows_are_refused(k: Any) -> None:
    with pytest.raises(ValueError, match="k must be a whole number of rows"):
        neon.summarize(ROWS, k)


def test_rules_without_weights_take_them() -> None:
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVR()).fit(X, y)
    rows, weights = neon.summarize(X, 5)
    found = neon.Explainer(model, composite="neon", reference=(rows, weights))(X[:3])
    np.testing.assert_array_equal(found.values, neon.Explainer(model, composite="neon", reference=rows)(X[:3]).values)
    with pytest.raises(ValueError, match="repeat rows that weigh more"):
        neon.Explainer(model, composite="neon", reference=(rows, [1.0, 2.0, 1.0, 1.0, 1.0]))
