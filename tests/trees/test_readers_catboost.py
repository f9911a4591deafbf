"""CatBoost's models as `Trees`: raw formula values and covers against the library's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import neon
from neon.converters import convert
from neon.errors import UnsupportedModelError
from tests.trees import reading

catboost = pytest.importorskip("catboost")

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 6))
X[:, 1] = np.round(X[:, 1], 1)
HOLES = np.where(RNG.random(X.shape) < 0.15, np.nan, X)
VALUE = 2 * X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * RNG.normal(size=N)
TWO, THREE, TARGETS = (VALUE > 1).astype(int), np.digitize(VALUE, [0, 2]), np.stack([VALUE, X[:, 1]], axis=1)


def model_of(kind: str, y: Any, rows: Any = HOLES, fit: dict[str, Any] | None = None, **options: Any) -> Any:
    options = {"iterations": 8, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 2} | options
    return getattr(catboost, f"CatBoost{kind}")(**options).fit(rows, y, **(fit or {}))


MODELS: dict[str, Any] = {
    "regressor": lambda: model_of("Regressor", VALUE),
    "never-missing": lambda: model_of("Regressor", VALUE, X),
    "missing-high": lambda: model_of("Regressor", VALUE, nan_mode="Max"),
    "binary": lambda: model_of("Classifier", np.where(TWO, "yes", "no")),
    "classes": lambda: model_of("Classifier", THREE),
    "classes-one-against-rest": lambda: model_of("Classifier", THREE, loss_function="MultiClassOneVsAll"),
    "labels": lambda: model_of("Classifier", (TARGETS > 0).astype(int), loss_function="MultiLogloss"),
    "targets": lambda: model_of("Regressor", TARGETS, loss_function="MultiRMSE"),
    "poisson": lambda: model_of("Regressor", np.abs(VALUE), loss_function="Poisson"),
    "quantile": lambda: model_of("Regressor", VALUE, loss_function="Quantile:alpha=0.3"),
    "by-loss": lambda: model_of("Regressor", VALUE, grow_policy="Lossguide"),
    "by-depth": lambda: model_of("Classifier", THREE, grow_policy="Depthwise"),
    "ranker": lambda: model_of("Ranker", THREE, fit={"group_id": np.arange(N) // 20}),
}
FITTED: dict[str, Any] = {}


def fitted(name: str) -> Any:
    if name not in FITTED:
        FITTED[name] = MODELS[name]()
    return FITTED[name]


def raw(model: Any, rows: Any) -> np.ndarray:
    ranks = type(model).__name__ == "CatBoostRanker"
    scores = model.predict(rows) if ranks else model.predict(rows, prediction_type="RawFormulaVal")
    return np.asarray(scores, dtype=np.float64).reshape(len(rows), -1)


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_walk_equals_the_raw_formula_value(name: str) -> None:
    model = fitted(name)
    conversion = convert(model)
    edges = reading.edge_rows(reading.trees_of(conversion), HOLES, np.random.default_rng(1), missing=True)
    for rows in (HOLES, edges):
        expected = raw(model, rows)
        found = reading.walked(conversion, rows)
        assert reading.relative(found[:, -expected.shape[1] :], expected) <= 1e-12
        assert reading.relative(found, conversion.own(rows)) <= 1e-12


@pytest.mark.parametrize("name", ["regressor", "missing-high", "classes", "binary"])
def test_leaves_are_the_librarys_own(name: str) -> None:
    """Bit i of a leaf's number is the answer to split i; in the tree as read, the last split is asked first."""
    model = fitted(name)
    trees = reading.trees_of(convert(model))
    rows = reading.edge_rows(trees, HOLES, np.random.default_rng(2), missing=True)
    depths = np.diff([*trees.roots, trees.n_nodes]) // 2
    np.testing.assert_array_equal(reading.leaves(trees, rows) - depths, model.calc_leaf_indexes(rows))


@pytest.mark.parametrize("name", ["regressor", "missing-high", "classes", "labels"])
def test_shapley_is_the_librarys_own(name: str) -> None:
    """Covers, and the order of the splits, on which path-dependent values depend."""
    model = fitted(name)
    expected = model.get_feature_importance(catboost.Pool(HOLES), type="ShapValues").reshape(N, -1, X.shape[1] + 1)
    values = np.moveaxis(neon.Explainer(model)(HOLES, "all").values, 2, 1)
    assert reading.relative(values, expected[:, :, :-1]) <= 1e-12


@every_model
def test_network_and_conservation(name: str) -> None:
    model = fitted(name)
    explanation = neon.Explainer(model)(HOLES, "all")
    total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
    scale = max(1.0, float(np.abs(explanation.prediction).max()))
    np.testing.assert_allclose(total, explanation.prediction, rtol=0, atol=1e-12 * scale)
    assert neon.neuralize(model).verify(HOLES) <= 1e-12 * scale


def frame() -> pd.DataFrame:
    rows = pd.DataFrame(HOLES[:, :3], columns=["x", "y", "z"])
    labels = ["a", "bb", "one label of more than sixty-four letters, for which hashes are computed in another way"]
    rows["label"] = np.random.default_rng(3).choice(labels, N)
    rows["number"] = np.random.default_rng(4).integers(0, 6, N)
    return rows


def test_one_hot_splits() -> None:
    rows = frame()
    y = VALUE + 3 * (rows["label"] == "bb") + 2 * (rows["number"] == 4)
    model = model_of("Regressor", y, rows, cat_features=["label", "number"], one_hot_max_size=99)
    conversion = convert(model)
    assert len({*reading.trees_of(conversion).feature[list(reading.trees_of(conversion).categories)].tolist()}) == 2
    unseen = rows.copy()
    unseen.loc[:40, "label"], unseen.loc[30:60, "number"] = "new", 99
    as_text = rows.assign(number=rows["number"].astype(str), label=rows["label"].astype("category"))
    for given in (rows, unseen, as_text):
        assert reading.relative(reading.walked(conversion, given), raw(model, given)) <= 1e-12
        assert neon.neuralize(model).verify(given) <= 1e-12 * np.abs(y).max()
    pool = catboost.Pool(rows, cat_features=["label", "number"])
    expected = model.get_feature_importance(pool, type="ShapValues")[:, :-1]
    explanation = neon.Explainer(model)(rows)
    assert reading.relative(explanation.values, expected) <= 1e-12
    assert explanation.feature_names == ("x", "y", "z", "label", "number")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"one_hot_max_size": 2}, "OnlineCtr: target statistics"),
        ({"one_hot_max_size": 99, "grow_policy": "Lossguide"}, "trees that are not symmetric"),
    ],
)
def test_other_splits_on_categories_are_refused(options: dict[str, Any], words: str) -> None:
    rows = frame()
    y = 3 * (rows["label"] == "bb") + 2 * (rows["number"] == 4)
    model = model_of("Regressor", y, rows, cat_features=["label", "number"], **options)
    with pytest.raises(UnsupportedModelError, match=words):
        neon.neuralize(model)


def test_early_stopping_keeps_the_best() -> None:
    noise = np.random.default_rng(5).permutation(THREE[200:])
    model = model_of(
        "Classifier", THREE[:200], HOLES[:200], iterations=80, early_stopping_rounds=3,
        fit={"eval_set": (HOLES[200:], noise)},
    )  # fmt: skip
    assert reading.trees_of(convert(model)).n_trees == model.tree_count_ == model.best_iteration_ + 1
    assert neon.neuralize(model).verify(HOLES) <= 1e-12


def test_quantiles_are_no_log_odds() -> None:
    model = model_of("Regressor", VALUE, loss_function="MultiQuantile:alpha=0.1,0.9")
    explanation = neon.explain(model, X, target="all")
    assert explanation.explains.split(";")[0] == "predicted quantile"
    assert explanation.output_names == ("quantile 0.1", "quantile 0.9")
    np.testing.assert_allclose(explanation.prediction, model.predict(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True]], ids=str)
def test_the_predicted_class_obeys_the_threshold(labels: list[Any], threshold: float) -> None:
    model = model_of("Classifier", np.array(labels)[TWO])
    model.set_probability_threshold(threshold)
    explanation = neon.explain(model, X)
    expected = [str(label) for label in model.predict(X)]
    assert np.array(explanation.output_names)[explanation.target].tolist() == expected


def test_a_sum_of_models() -> None:
    one, two = model_of("Regressor", VALUE), model_of("Regressor", X[:, 0], iterations=3)
    both = catboost.sum_models([one, two], weights=[0.25, 2.0])
    explanation = neon.explain(both, X)
    np.testing.assert_allclose(explanation.prediction, both.predict(X), rtol=1e-9, atol=1e-12)
    parts = 0.25 * neon.explain(one, X).values + 2 * neon.explain(two, X).values
    np.testing.assert_allclose(explanation.values, parts, rtol=1e-9, atol=1e-12)


def test_texts_and_prepared_rows_are_refused() -> None:
    frame = pd.DataFrame({"a": X[:, 0], "t": np.array(["good food", "bad food"])[TWO]})
    model = model_of("Classifier", TWO, frame, text_features=["t"])
    with pytest.raises(UnsupportedModelError, match="text or embedding features"):
        neon.neuralize(model)
    with pytest.raises(ValueError, match="X is a Pool, which does not give its rows back"):
        neon.explain(model_of("Regressor", VALUE), catboost.Pool(X))


def test_a_value_and_its_uncertainty() -> None:
    model = model_of("Regressor", VALUE, loss_function="RMSEWithUncertainty")
    explanation = neon.explain(model, X, target="all")
    assert explanation.output_names == ("prediction", "log deviation")
    own = model.predict(X, prediction_type="RMSEWithUncertainty")  # mean and variance
    found = np.column_stack([explanation.prediction[:, 0], np.exp(2 * explanation.prediction[:, 1])])
    np.testing.assert_allclose(found, own, rtol=1e-9, atol=1e-12)
