"""CatBoost's models as `Trees`: raw formula values and covers against the library's own functions."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import neon
from neon.converters import convert
from neon.errors import UnsupportedModelError
from tests.trees import reading, textbook

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


def labelled() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Rows with many categories, rows with unseen ones as well, and values that depend on pairs of columns."""
    rng = np.random.default_rng(6)
    rows = pd.DataFrame({"x": HOLES[:, 0], "many": rng.choice([f"k{i}" for i in range(30)], N)})
    rows["code"], rows["few"] = rng.integers(0, 6, N), rng.choice(list("uvw"), N)
    even = rows["many"].str[1:].astype(int) % 2 == 0
    unseen = rows.copy()
    unseen.loc[:99, "many"], unseen.loc[50:150, "code"], unseen.loc[100:200, "few"] = "new", 77, "zz"
    return rows, unseen, VALUE + 3 * even * (rows["few"] == "u") + 2 * (rows["code"] == 3) * (rows["few"] == "v")


STATISTICS: dict[str, dict[str, Any]] = {
    "default": {},
    "classes": {"kind": "Classifier"},
    "every-kind": {
        "max_ctr_complexity": 1,
        "simple_ctr": ["Borders:TargetBorderCount=3", "Buckets", "BinarizedTargetMeanValue", "Counter"],
    },
    "several-columns": {"max_ctr_complexity": 3, "combinations_ctr": ["Borders:TargetBorderCount=2", "Counter"]},
    "one-hot-in-pairs": {"one_hot_max_size": 3, "max_ctr_complexity": 2, "combinations_ctr": ["Borders", "Buckets"]},
}


@pytest.mark.parametrize("name", STATISTICS)
def test_target_statistics(name: str) -> None:
    """Exact on rows of the fit and on unseen categories; of single columns, Shapley values are the library's own."""
    rows, unseen, y = labelled()
    options = dict(STATISTICS[name])
    kind = options.pop("kind", "Regressor")
    y = np.digitize(y, [0, 2]) if kind == "Classifier" else y
    model = model_of(kind, y, rows, cat_features=["many", "code", "few"], iterations=20, **options)
    conversion = convert(model)
    assert reading.trees_of(conversion).categories
    for given in (rows, unseen, rows.astype({"many": "category"})):
        assert reading.relative(reading.walked(conversion, given), raw(model, given)) <= 1e-12
    network = neon.neuralize(model)
    assert network.verify(unseen) <= 1e-12 * np.abs(raw(model, unseen)).max()
    explanation = neon.Explainer(network)(unseen, "all")
    assert explanation.conservation_error() <= 1e-12 * np.abs(raw(model, unseen)).max()
    assert explanation.feature_names == ("x", "many", "code", "few")
    together = name in ("several-columns", "one-hot-in-pairs")
    assert bool(conversion.encoding.joint) == together
    assert ("shared equally" in explanation.explains) == together
    again = neon.Explainer(pickle.loads(pickle.dumps(network)))(unseen, "all")
    np.testing.assert_array_equal(again.values, explanation.values)
    if not together:
        pool = catboost.Pool(unseen, cat_features=["many", "code", "few"])
        expected = model.get_feature_importance(pool, type="ShapValues").reshape(N, -1, rows.shape[1] + 1)
        assert reading.relative(np.moveaxis(explanation.values, 2, 1), expected[:, :, :-1]) <= 1e-12


def test_what_columns_tell_together_is_shared_equally() -> None:
    """Exact Shapley values of the encoded columns by all subsets, of which those of several columns are shared."""
    rows, _, y = labelled()
    model = model_of(
        "Regressor", y, rows, cat_features=["many", "code", "few"], iterations=4, depth=3, max_ctr_complexity=2,
        simple_ctr=["Counter"], combinations_ctr=["Borders"],
    )  # fmt: skip
    conversion = convert(model)
    encoding, trees = conversion.encoding, reading.trees_of(conversion)
    joint = encoding.joint
    assert joint
    found = neon.Explainer(model)(rows[:3]).values
    for row, values in zip(reading.numbers(conversion, rows[:3]), found, strict=True):
        phi = textbook.shapley(lambda known, row=row: textbook.mean_given(trees, row, known), trees.n_features)[:, 0]
        expected = phi[:4].copy()
        for encoded, columns in joint.items():
            expected[list(columns)] += phi[encoded] / len(columns)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_categories_in_other_trees_are_refused() -> None:
    rows = frame()
    y = 3 * (rows["label"] == "bb") + 2 * (rows["number"] == 4)
    options = {"cat_features": ["label", "number"], "grow_policy": "Lossguide"}
    for one_hot_max_size in (2, 99):
        model = model_of("Regressor", y, rows, one_hot_max_size=one_hot_max_size, **options)
        with pytest.raises(UnsupportedModelError, match="trees that are not symmetric"):
            neon.neuralize(model)


def test_target_statistics_inside_other_models() -> None:
    """Encodings compose: the labels that an encoder makes, and members of a vote."""
    rows, _, y = labelled()
    categories = ["many", "code", "few"]
    other = {"cat_features": [1, 2, 3], "max_ctr_complexity": 2, "combinations_ctr": ["Borders"]}
    encoder = make_column_transformer((OrdinalEncoder(dtype=int), categories), remainder="passthrough")
    encoder.set_output(transform="pandas")
    quiet = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False}
    after = make_pipeline(encoder, catboost.CatBoostRegressor(**quiet, **{**other, "cat_features": [0, 1, 2]}))
    model = after.fit(rows, y)
    explanation = neon.Explainer(model)(rows)
    np.testing.assert_allclose(explanation.prediction, model.predict(rows), rtol=1e-9, atol=1e-9)
    assert explanation.conservation_error() < 1e-9
    assert explanation.feature_names == ("x", "many", "code", "few")
    assert np.abs(explanation.values[:, 1:]).sum(0).min() > 0


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
