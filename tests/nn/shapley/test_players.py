"""Columns that were made of one feature, such as one-hot codes, are present or absent together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVR

import neon
from neon.nn.shapley import vectorized
from neon.nn.shapley.vectorized import Kernel

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "income": RANDOM.normal(size=60),
        "city": RANDOM.choice(["Bonn", "Kiel", "Ulm"], 60),
        "age": RANDOM.normal(size=60),
        "plan": RANDOM.choice(["basic", "plus"], 60),
    }
)
Y = FRAME["income"] * (FRAME["city"] == "Kiel") + (FRAME["plan"] == "plus") * FRAME["age"]
REFERENCE, ROWS = FRAME.iloc[:4], FRAME.iloc[10:12]
COLUMNS = list(FRAME.columns)

MODELS: dict[str, Any] = {
    "SVR": SVR(gamma=0.5),
    "KernelRidge": KernelRidge(kernel="laplacian", gamma=0.3),
    "GaussianProcess": GaussianProcessRegressor(RBF([1.0, 2.0, 0.5, 1.0, 1.0, 2.0, 3.0]), optimizer=None, alpha=0.1),
    "Nystroem": make_pipeline(Nystroem(n_components=20, gamma=0.4, random_state=0), Ridge()),
}


def encoded(model: Any) -> Any:
    first = make_column_transformer((OneHotEncoder(), ["city", "plan"]), remainder=StandardScaler())
    return make_pipeline(first, model).fit(FRAME, Y)


def drawn(row: pd.Series, present: tuple[str, ...], *, joint: bool) -> pd.DataFrame:
    """Rows of the game: absent columns as in the reference rows, together or each by itself."""
    columns = {}
    choices = range(len(REFERENCE)) if joint else itertools.product(range(len(REFERENCE)), repeat=len(COLUMNS))
    picked = [(i,) * len(COLUMNS) for i in choices] if joint else list(choices)
    for k, name in enumerate(COLUMNS):
        column = REFERENCE[name].iloc[[pick[k] for pick in picked]].to_numpy()
        columns[name] = np.full_like(column, row[name]) if name in present else column
    return pd.DataFrame(columns)


def game(f: Callable[[pd.DataFrame], np.ndarray], row: pd.Series, *, joint: bool) -> dict[frozenset[str], float]:
    subsets = itertools.chain.from_iterable(itertools.combinations(COLUMNS, n) for n in range(len(COLUMNS) + 1))
    return {frozenset(some): float(f(drawn(row, some, joint=joint)).mean()) for some in subsets}


def shapley(values: dict[frozenset[str], float]) -> np.ndarray:
    d = len(COLUMNS)
    weight = [math.factorial(n) * math.factorial(d - n - 1) / math.factorial(d) for n in range(d)]
    return np.array(
        [sum(weight[len(s)] * (values[s | {i}] - values[s]) for s in values if i not in s) for i in COLUMNS]
    )


def interactions(values: dict[frozenset[str], float]) -> np.ndarray:
    """Half the Shapley interaction index, 0 on the diagonal."""
    d, found = len(COLUMNS), np.zeros((len(COLUMNS), len(COLUMNS)))
    for (a, i), (b, k) in itertools.permutations(enumerate(COLUMNS), 2):
        for s in values:
            if not s & {i, k}:
                weight = math.factorial(len(s)) * math.factorial(d - len(s) - 2) / math.factorial(d - 1)
                found[a, b] += weight * (values[s | {i, k}] - values[s | {i}] - values[s | {k}] + values[s]) / 2
    return found


@pytest.mark.parametrize("composite", ["shapley", "expected"])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_callers_columns(name: str, composite: str) -> None:
    model = encoded(MODELS[name])
    found = neon.Explainer(model, composite=composite, reference=REFERENCE)(ROWS)
    assert "Shapley values (exact)," in found.explains
    for i in range(len(ROWS)):
        values = game(model.predict, ROWS.iloc[i], joint=composite == "expected")
        expected = shapley(values)
        assert np.abs(found.values[i] - expected).max() <= 1e-12 * np.abs(expected).max()
        assert found.base_values[i] == pytest.approx(values[frozenset()], rel=1e-12)
    encoded_sums = found.encoded.values
    assert encoded_sums.shape == (2, 7)
    np.testing.assert_allclose(encoded_sums.sum(1), found.values.sum(1), rtol=1e-12)


def test_interactions_are_those_of_the_callers_columns() -> None:
    model = encoded(SVR(gamma=0.5))
    found = neon.Explainer(model, composite="shapley", reference=REFERENCE)(ROWS[:1], interactions=True)
    values = game(model.predict, ROWS.iloc[0], joint=False)
    pairs, expected = found.interactions[0], interactions(values)
    between = ~np.eye(len(COLUMNS), dtype=bool)
    assert np.abs((pairs - expected)[between]).max() <= 1e-12 * np.abs(expected).max()
    np.testing.assert_allclose(pairs.sum(1), shapley(values), rtol=1e-11)


def test_columns_made_inside_the_network_are_one_feature() -> None:
    X = FRAME[["income", "age"]].to_numpy()
    model = make_pipeline(StandardScaler(), SplineTransformer(n_knots=3, degree=1), SVR(gamma=0.5)).fit(X, Y)
    found = neon.Explainer(model, composite="expected", reference=X[:4])(X[10:11])
    reference, row = X[:4], X[10]

    def value(*present: int) -> float:
        rows = reference.copy()
        rows[:, list(present)] = row[list(present)]
        return float(model.predict(rows).mean())

    first = (value(0) - value() + value(0, 1) - value(1)) / 2
    second = (value(1) - value() + value(0, 1) - value(0)) / 2
    np.testing.assert_allclose(found.values[0], [first, second], rtol=1e-11)


@pytest.mark.parametrize("power", [1, 2])
def test_compiled_loops_are_those_in_torch(power: int) -> None:
    compiled = pytest.importorskip("neon.nn.shapley.compiled")
    draw = torch.Generator().manual_seed(0)
    x, centers, rows = (torch.randn(n, 7, generator=draw, dtype=torch.float64) for n in (3, 5, 4))
    kernel = Kernel(centers, 0.3, power, torch.tensor([0, 1, 0, 2, 3, 2, 2]))
    weights = torch.full((4,), 0.25, dtype=torch.float64)
    slopes = torch.randn(2, 3, 5, generator=draw, dtype=torch.float64)
    t = torch.tensor([0.2, 0.9], dtype=torch.float64)
    absent = vectorized.mean_factors(kernel, rows, weights)
    assert absent.shape == (5, 4)
    torch.testing.assert_close(compiled.mean_factors(kernel, rows, weights), absent)
    for name, *given in (("shapley", slopes[0]), ("log_units", t), ("shares", slopes, t)):
        found = getattr(compiled, name)(kernel, absent, x, *given)
        torch.testing.assert_close(found, getattr(vectorized, name)(kernel, absent, x, *given), msg=name)


@pytest.mark.parametrize("reference", [None, REFERENCE])
def test_of_trees_it_is_said_that_codes_are_taken_one_by_one(reference: Any) -> None:
    model = encoded(RandomForestRegressor(3, max_depth=4, random_state=0))
    found = neon.Explainer(model, composite="shapley", reference=reference)(ROWS)
    assert "of the columns that features are encoded as, added up" in found.explains
    numbers = make_pipeline(StandardScaler(), RandomForestRegressor(3, max_depth=4, random_state=0))
    plain = neon.Explainer(numbers.fit(FRAME[["income", "age"]], Y), composite="shapley")(FRAME[["income", "age"]][:2])
    assert "encoded" not in plain.explains
