"""A few rows of trees that are the whole network: what the engine gives, by another way."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import neon
from neon.nn.trees import Shapley
from neon.nn.trees.alone import TreesAlone

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 7)).astype(np.float32).astype(np.float64)
VALUE = X[:, 0] * X[:, 1] + X[:, 2]
LABEL = np.digitize(VALUE, [-0.5, 0.5])
HOLES = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
MODELS: dict[str, tuple[Any, np.ndarray, Any]] = {
    "forest": (RandomForestRegressor(6, random_state=0), X, VALUE),
    "classes": (RandomForestClassifier(6, max_depth=5, random_state=0), X, LABEL),
    "tree": (DecisionTreeClassifier(max_depth=3, max_features=2, random_state=0), X, LABEL),
    "missing": (HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=5), HOLES, VALUE),
}


def _without(explainer: neon.Explainer) -> neon.Explainer:
    """The same explainer by way of the engine."""
    assert explainer._probe is not None
    assert explainer._probe.alone is not None
    explainer._probe = dataclasses.replace(explainer._probe, alone=None)
    return explainer


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_rows", [1, 4])
def test_few_rows_are_explained_as_by_the_engine(name: str, n_rows: int) -> None:
    model, rows, y = MODELS[name]
    model.fit(rows, y)
    explainer, engine = neon.Explainer(model), _without(neon.Explainer(model))
    targets = [None] if y is VALUE else [None, 2, np.arange(n_rows) % 3]
    for target in targets:
        for start in (0, 40):
            some = rows[start : start + n_rows]
            found, expected = explainer(some, target), engine(some, target)
            for field in dataclasses.fields(found):
                one, other = (getattr(each, field.name) for each in (found, expected))
                if field.name == "encoded":
                    continue
                if isinstance(one, np.ndarray):
                    np.testing.assert_array_equal(one, other, err_msg=field.name)
                else:
                    assert one == other, field.name


def test_they_are_as_in_a_batch() -> None:
    model = RandomForestClassifier(6, random_state=0).fit(X, LABEL)
    explainer = neon.Explainer(model)
    batch = explainer(X[:30])
    for i in range(30):
        np.testing.assert_allclose(explainer(X[i : i + 1]).values[0], batch.values[i], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "options",
    [
        {"reference": X[:5]},
        {"composite": "path"},
        {"composite": "banzhaf"},
        {"composite": Shapley()},
        {"dtype": torch.float32},
    ],
    ids=str,
)
def test_other_rules_take_the_engine(options: dict[str, Any]) -> None:
    explainer = neon.Explainer(RandomForestRegressor(3, random_state=0).fit(X, VALUE), **options)
    assert explainer._probe is not None
    assert explainer._probe.alone is None
    assert explainer(X[:1]).conservation_error() < 1e-5


@pytest.mark.parametrize("model", [make_pipeline(PCA(3), RandomForestRegressor(3)), LogisticRegression()], ids=str)
def test_other_networks_take_the_engine(model: Any) -> None:
    explainer = neon.Explainer(model.fit(X, LABEL))
    assert explainer._probe is not None
    assert explainer._probe.alone is None
    assert explainer(X[:1]).conservation_error() < 1e-9


def test_rows_that_are_no_array_or_too_many_take_the_engine() -> None:
    explainer = neon.Explainer(RandomForestRegressor(3, random_state=0).fit(X, VALUE))
    assert explainer._probe is not None
    alone = explainer._probe.alone
    assert isinstance(alone, TreesAlone)
    assert alone.fits(X[:4])
    assert not any(map(alone.fits, (X[:5], X[:0], sparse.csr_matrix(X[:1]), X[:1].astype(np.float32))))
    np.testing.assert_allclose(explainer(sparse.csr_matrix(X[:1])).values, explainer(X[:1]).values, atol=1e-14)
    assert len(explainer(X[:0])) == 0
