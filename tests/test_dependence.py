"""Partial dependence against the model's own predictions, scikit-learn's brute force, and the whole decomposition."""

from __future__ import annotations

import importlib.util
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.inspection import partial_dependence as by_sklearn
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

import neon
from neon.dependence import partial
from tests.trees.test_engine import close

ALL, LABELS = load_wine(return_X_y=True)
X = np.round(ALL[:, [0, 6, 9, 12]] / [1.0, 1.0, 2.0, 300.0], 1)
Y = X[:, 0] + X[:, 1] * X[:, 2]
ROWS = X[::5]
ASKED = [0, 2, (0, 2), (3, 1)]


def brute(f: Any, rows: np.ndarray, places: tuple[int, ...], grid: tuple[np.ndarray, ...], weights: Any = None):
    """The mean of the model's own predictions at each grid point."""
    found = np.empty([len(points) for points in grid])
    for at in np.ndindex(*found.shape):
        mixed = rows.copy()
        for place, points, i in zip(places, grid, at, strict=True):
            mixed[:, place] = points[i]
        found[at] = np.average(f(mixed), weights=weights)
    return found


@pytest.fixture
def never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a network is asked at grid points times rows."""

    def asked(*given: Any) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(partial, "_by_asking", asked)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(5, random_state=0),
        ExtraTreesRegressor(4, max_depth=9, random_state=0),
        HistGradientBoostingRegressor(max_iter=10, min_samples_leaf=5),
        make_pipeline(StandardScaler(), RandomForestRegressor(4, max_depth=6, random_state=0)),
    ],
    ids=["forest", "extra trees", "boosting", "pipeline"],
)
def test_trees_are_the_mean_prediction(model: Any, never_asked: None) -> None:
    model.fit(X, Y)
    weights = np.arange(len(ROWS)) % 4
    found = neon.partial_dependence(model, (ROWS, weights), ASKED, grid_resolution=7)
    assert found.base == pytest.approx(np.average(model.predict(ROWS), weights=weights), rel=1e-12)
    for places, effect in zip(ASKED, found.effects, strict=True):
        places = places if isinstance(places, tuple) else (places,)
        close(effect.average, brute(model.predict, ROWS, places, effect.grid, weights), 1e-12)
    pair = found["feature 0", "feature 2"]
    one, other = (brute(model.predict, ROWS, (k,), (pair.grid[i],), weights) for i, k in enumerate((0, 2)))
    close(pair.effect, pair.average - one[:, None] - other + found.base, 1e-12)


def test_grid_and_average_are_those_of_scikit_learn() -> None:
    model = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, LABELS > 0)
    found = neon.partial_dependence(model, ROWS, [1, (0, 1)], grid_resolution=12)
    for features, effect in zip([[1], [0, 1]], found.effects, strict=True):
        expected = by_sklearn(
            model, ROWS, features, method="brute", response_method="decision_function", grid_resolution=12
        )
        for mine, theirs in zip(effect.grid, expected["grid_values"], strict=True):
            assert np.array_equal(mine, theirs)
        close(effect.average, expected["average"][0], 1e-12)


def test_the_decomposition_of_shallow_trees_is_the_model(never_asked: None) -> None:
    """Trees of depth 2 have no effect of three features: all effects together are the prediction."""
    model = GradientBoostingClassifier(n_estimators=20, max_depth=2, random_state=0).fit(X, LABELS)
    row = X[77]
    every = [*range(4), *itertools.combinations(range(4), 2)]
    found = neon.partial_dependence(
        model, X, every, target=2, custom_values={place: row[[place]] for place in range(4)}
    )
    total = found.base + sum(effect.effect.item() for effect in found.effects)
    assert total == pytest.approx(model.decision_function(row[None])[0, 2], rel=1e-12)


def test_labels_and_encoders(never_asked: None) -> None:
    """Columns made of one column change together; of a frame, by name."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue"], 120),
            "size": rng.normal(size=120).round(1),
            "shape": pd.Categorical(rng.choice(["round", "square"], 120)),
        }
    )
    y = frame["size"] * (frame["colour"] == "red") + (frame["shape"] == "round")
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["colour", "shape"]), (StandardScaler(), ["size"])
    )
    model = make_pipeline(encoder, RandomForestRegressor(6, random_state=0)).fit(frame, y)
    found = neon.partial_dependence(model, frame, ["colour", ("colour", "size"), ("shape", "colour")])
    for effect in found.effects:
        expected = np.empty(effect.average.shape)
        for at in np.ndindex(*expected.shape):
            mixed = frame.copy()
            for name, points, i in zip(effect.features, effect.grid, at, strict=True):
                mixed[name] = pd.Series([points[i]] * 120).astype(frame[name].dtype)
            expected[at] = model.predict(mixed).mean()
        close(effect.average, expected, 1e-12)
    assert found["colour"].grid[0].tolist() == ["blue", "green", "red"]


@pytest.mark.parametrize("model", [SVR(gamma=0.3), Ridge(), RandomForestClassifier(3, random_state=0)])
def test_other_models_are_asked(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    classifies = hasattr(model, "predict_proba")
    if classifies:  # as if its trees were no sum
        monkeypatch.setattr(partial, "effects_of_trees", lambda *given: None)
    model.fit(X, LABELS if classifies else Y)
    monkeypatch.setattr(partial, "_ROWS", 100)  # several blocks
    f = (lambda rows: model.predict_proba(rows)[:, 1]) if classifies else model.predict
    found = neon.partial_dependence(model, ROWS, ASKED, target=1 if classifies else None, grid_resolution=5)
    for places, effect in zip(ASKED, found.effects, strict=True):
        places = places if isinstance(places, tuple) else (places,)
        close(effect.average, brute(f, ROWS, places, effect.grid), 1e-12)


@pytest.mark.skipif(not importlib.util.find_spec("xgboost"), reason="no xgboost")
def test_missing_values(never_asked: None) -> None:
    from xgboost import XGBClassifier

    holes = X.copy()
    holes[::3, 1] = np.nan
    model = XGBClassifier(n_estimators=10, max_depth=4, n_jobs=1).fit(holes, LABELS > 0)
    found = neon.partial_dependence(model, holes, [1, (1, 0)], custom_values={1: [np.nan, 1.0, 2.5]}, grid_resolution=4)
    f = lambda rows: model.predict(rows, output_margin=True)  # noqa: E731
    for places, effect in zip([(1,), (1, 0)], found.effects, strict=True):
        close(effect.average, brute(f, holes, places, effect.grid), 1e-6)


@pytest.mark.skipif(not importlib.util.find_spec("catboost"), reason="no catboost")
def test_what_a_model_asks_of_two_columns_together() -> None:
    """Statistics of pairs of labels, CatBoost's default, are of neither column alone."""
    from catboost import CatBoostRegressor

    rng, n = np.random.default_rng(0), 300
    labels = {"job": rng.choice(list("wxyz"), n), "city": rng.choice(list("qrst"), n)}
    rows = pd.DataFrame({**labels, "x": rng.normal(size=n).round(1)})
    y = 3.0 * ((rows["job"] == "x") ^ (rows["city"] == "q")) + rows["x"]
    model = CatBoostRegressor(
        iterations=15, depth=4, one_hot_max_size=1, max_ctr_complexity=2, simple_ctr=["Counter:Prior=1"],
        combinations_ctr=["Borders", "Counter"], cat_features=[0, 1], verbose=0, allow_writing_files=False,
        thread_count=1,
    ).fit(rows, y)  # fmt: skip
    assert neon.neuralize(model).intake.encoding.joint
    asked = ["job", ("job", "city"), ("city", "x")]
    found = neon.partial_dependence(model, rows, asked, grid_resolution=3)
    for effect in found.effects:
        average = np.empty(effect.average.shape)
        for place in np.ndindex(*average.shape):
            put = {name: grid[i] for name, grid, i in zip(effect.features, effect.grid, place, strict=True)}
            average[place] = model.predict(rows.assign(**put)).mean()
        close(effect.average, average, 1e-12)


@pytest.mark.parametrize(
    "options", [{"grid_resolution": 1}, {"grid_resolution": 2.5}, {"percentiles": (5, 95)}, {"percentiles": (0.9, 0.1)}]
)
def test_grids_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        neon.partial_dependence(Ridge().fit(X, Y), X, [0], **options)


def test_refusals() -> None:
    model = RandomForestClassifier(2, random_state=0).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"has 3 outputs .* give target="):
        neon.partial_dependence(model, X)
    with pytest.raises(ValueError, match="one by one or in pairs"):
        neon.partial_dependence(model, X, [(0, 1, 2)], target=0)
    with pytest.raises(ValueError, match="no feature is called 'age'"):
        neon.partial_dependence(model, X, ["age"], target=0)
    with pytest.raises(ValueError, match="percentiles"):
        neon.partial_dependence(model, X, [0], target=0, grid_resolution=3, percentiles=(0.5, 0.5))
    found = neon.partial_dependence(model, X, [0], target=0, grid_resolution=3)
    with pytest.raises(KeyError, match="no effect of 'feature 1'"):
        found["feature 1"]
    assert repr(found) == "<PartialDependence of probability of a class: 0: feature 0>"
