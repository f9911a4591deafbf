"""Names and units that callers give."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import neon
from neon.explanation.rows_like_arrays import MixedRows

X = np.random.default_rng(0).normal(size=(30, 3))
NAMES = ["age", "spend", "late"]


def test_names_and_units_of_arrays() -> None:
    model = LinearRegression().fit(X, X @ [1.0, 2.0, 3.0])
    options: Any = {"feature_names": NAMES, "output_names": ["price"], "unit": "€", "feature_units": {"spend": "€"}}
    found = neon.explain(model, X, **options)
    assert found.feature_names == tuple(NAMES)
    assert found.output_names == ("price",)
    assert (found.unit, dict(found.feature_units)) == ("€", {"spend": "€"})
    assert list(found.to_frame().columns[:3]) == NAMES
    np.testing.assert_array_equal(found.values, neon.explain(model, X).values)


def test_names_win_over_those_of_a_frame_and_of_columns_that_are_encoded() -> None:
    frame = pd.DataFrame({"city": ["a", "b", "c"] * 10, "x": X[:, 0]})
    first = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(first, LogisticRegression()).fit(frame, X[:, 0] > 0)
    found = neon.explain(model, frame, feature_names=["town", "size"], feature_units={"size": "m"})
    assert found.feature_names == ("town", "size")
    assert found.encoded is not None
    assert dict(found.encoded.feature_units) == {}
    assert dict(found.feature_units) == {"size": "m"}


@pytest.mark.parametrize("option", ["feature_names", "output_names"])
def test_the_same_name_twice_is_refused(option: str) -> None:
    model = LogisticRegression().fit(X, np.arange(30) % 3)
    with pytest.raises(ValueError, match=f"{option}: 'b' stands there more than once"):
        neon.Explainer(model, **{option: ["a", "b", "b"]})


def test_targets_by_the_names_that_outputs_were_given() -> None:
    model = LogisticRegression().fit(X, np.arange(30) % 3)
    explainer = neon.Explainer(model, output_names=["low", "middle", "high"])
    np.testing.assert_array_equal(explainer(X, "high").values, neon.explain(model, X, 2).values)
    assert "high against low" in explainer(X, neon.targets.Contrast("high", "low")).explains
    assert explainer(X, "all").select("middle").target is not None
    module = torch.nn.Linear(3, 2).double()
    assert neon.explain(module, X, "b", output_names=["a", "b"], feature_names=NAMES).feature_names == tuple(NAMES)


def test_booleans_stay_booleans() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "member": X[:, 1] > 0, "n": range(30)})
    model = LinearRegression().fit(frame, X[:, 0])
    found = neon.explain(model, frame)
    assert found.data[0].tolist() == [X[0, 0], bool(X[0, 1] > 0), 0.0]
    np.testing.assert_array_equal(np.asarray(found.data[:, 1]), frame["member"])
    assert found[:, ["member"]].data[:, 0].dtype == bool
    assert found.mean().data[0, 1] == frame["member"].mean()
    nullable = frame.astype({"member": "boolean"})
    np.testing.assert_array_equal(neon.explain(model, nullable).data[:, 1], frame["member"])
    np.testing.assert_array_equal(neon.explain(model, pl.from_pandas(frame)).data[:, 1], frame["member"])
    flags = frame[["member"]].assign(other=True)
    assert neon.explain(LinearRegression().fit(flags, X[:, 0]), flags).data.dtype == bool
    assert neon.explain(LinearRegression().fit(flags.to_numpy(), X[:, 0]), flags.to_numpy()).data.dtype == bool
    joined = neon.concat([found[:10], found[10:]])
    assert np.asarray(joined.data).tolist() == np.asarray(found.data).tolist()
    assert pickle.loads(pickle.dumps(found)).data[0, 1] == found.data[0, 1]


def test_rows_of_numbers_and_booleans_read_like_an_array() -> None:
    rows = MixedRows(np.array([[1.5, 1.0], [2.5, 0.0], [3.5, np.nan]]), np.array([False, True]))
    plain = np.asarray(rows)
    assert plain.tolist()[:2] == [[1.5, True], [2.5, False]]
    assert np.isnan(plain[2, 1])
    for index in (
        0,
        slice(1),
        [1, 0],
        np.array([True, False, False]),
        (0, 1),
        (slice(2), 1),
        (0, [1, 0]),
        (slice(None), 0),
    ):
        np.testing.assert_array_equal(np.asarray(rows[index]), plain[index])
    assert np.asarray(rows, dtype=float)[0].tolist() == [1.5, 1.0]
    assert len(rows) == 3
    assert (rows == plain)[0].all()
    with pytest.raises(AttributeError, match="MixedRows has no"):
        rows.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feature_names": ["a", "b"]}, ValueError, "feature_names: expected 3 names, .*; got 2"),
        ({"feature_names": "abc"}, TypeError, "sequence of names"),
        ({"output_names": ["a", "b"]}, ValueError, "output_names: expected 1 names"),
        ({"unit": {"a": "€"}}, TypeError, "feature_units="),
        ({"feature_units": "€"}, TypeError, "mapping"),
        ({"feature_units": {"spend": "€"}}, ValueError, "no feature is called 'spend'"),
    ],
)
def test_names_that_do_not_fit(options: dict[str, Any], error: type[Exception], message: str) -> None:
    model = LinearRegression().fit(X, X @ [1.0, 2.0, 3.0])
    with pytest.raises(error, match=message):
        neon.explain(model, X, **options)
