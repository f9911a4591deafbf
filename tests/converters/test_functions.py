"""Functions in a FunctionTransformer: what each output column is made from, or what to do where that is not told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import neon

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "income": RNG.lognormal(10, 1, 60),
        "debt": RNG.lognormal(8, 1, 60),
        "opened": pd.Timestamp("2019-05-01") + pd.to_timedelta(RNG.integers(0, 2000, 60), unit="D"),
        "town": RNG.choice(["Rome", "Asti", "Milano"], 60),
    }
)
Y = RNG.normal(size=60)


def parts_of_a_date(X: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"month": X["opened"].dt.month, "year": X["opened"].dt.year})


def mixed(X: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {"letters": X["town"].str.len(), "log": np.log(X["income"]), "one": 1.0, "debt": X["debt"].clip(upper=50)}
    )


def ratio(X: Any) -> Any:
    return np.asarray(X)[:, :1] / np.asarray(X)[:, 1:2]


def centered(X: Any) -> Any:
    return X - X.mean(0)


def sometimes(X: np.ndarray) -> np.ndarray:
    """The second column takes part where the first is above 10,000, which no probe is."""
    return np.where(X[:, :1] > 10_000, X[:, 1:2], X[:, :1])


@pytest.mark.parametrize(
    ("function", "columns", "used"),
    [
        (parts_of_a_date, ["opened"], ["opened"]),
        (mixed, ["town", "income", "debt"], ["town", "income", "debt"]),
        (np.log1p, ["income"], ["income"]),
        (lambda X: X**2 + 1, ["debt", "income"], ["debt", "income"]),
        (lambda X: X.astype(object).apply(lambda c: c.str.upper() == "ROME").astype(float), ["town"], ["town"]),
    ],
)
def test_relevance_goes_back_to_the_column_that_an_output_is_made_from(function: Any, columns: Any, used: Any) -> None:
    before = make_column_transformer((FunctionTransformer(function), columns))
    model = make_pipeline(before, StandardScaler(), Ridge()).fit(FRAME, Y)
    found = neon.explain(model, FRAME, reference=FRAME)
    made = neon.explain(model[1:], before.transform(FRAME), reference=before.transform(FRAME))
    np.testing.assert_allclose(found.prediction, model.predict(FRAME), rtol=1e-9)
    assert found.conservation_error() <= 1e-9
    assert all((found[:, [c]].values == 0).all() for c in FRAME if c not in used)
    np.testing.assert_allclose(found.values.sum(1), np.asarray(made.values).sum(1), rtol=0, atol=1e-9)


def test_each_column_by_itself() -> None:
    """By hand: a linear model of the made columns, and whose they are."""
    model = make_pipeline(FunctionTransformer(mixed), Ridge()).fit(FRAME, Y)
    made, weights = np.asarray(mixed(FRAME), dtype=float), model[-1].coef_
    found = neon.explain(model, FRAME)
    expected = np.zeros((60, 4))
    for output, column in ((0, "town"), (1, "income"), (3, "debt")):
        expected[:, list(FRAME).index(column)] += weights[output] * made[:, output]
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (ratio, r"makes column 0 of its output from several columns \(income, debt\).*neon.explain\(pipe\[1:\], pipe"),
        (centered, "where other rows stand beside it"),
        (lambda X: X["elsewhere"], "takes neither numbers, dates nor words"),
    ],
)
def test_functions_that_cannot_be_taken_back(function: Any, said: str) -> None:
    rows = FRAME[["income", "debt"]]
    model = make_pipeline(FunctionTransformer(ratio), Ridge()).fit(rows, Y)
    model[0].func = function
    with pytest.raises(neon.UnsupportedModelError, match=said):
        neon.explain(model, rows)


def test_from_the_made_features_as_the_message_says() -> None:
    rows = FRAME[["income", "debt"]]
    pipe = make_pipeline(FunctionTransformer(ratio), RandomForestRegressor(3, random_state=0)).fit(rows, Y)
    assert neon.explain(pipe[1:], pipe[:1].transform(rows)).conservation_error() <= 1e-9


def test_what_the_probe_does_not_see_the_callers_rows_show() -> None:
    rows = FRAME[["income", "debt"]].to_numpy()
    model = make_pipeline(FunctionTransformer(sometimes), Ridge()).fit(rows, Y)
    with pytest.raises(ValueError, match="made from other columns than the one that it was declared, or found"):
        neon.explain(model, rows)
