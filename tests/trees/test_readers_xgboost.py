"""XGBoost's models as `Trees`: leaves, margins and covers against the library's own functions."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import neon
from neon.converters import Conversion, convert
from neon.converters.trees.columns import Columns
from neon.nn.trees import Trees
from tests.trees import reading

xgboost = pytest.importorskip("xgboost")
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 6))
X[:, 1] = np.round(X[:, 1], 1)
X[:, 2] = RNG.integers(0, 9, N)
HOLES = np.where(RNG.random(X.shape) < 0.15, np.nan, X)
VALUE = 2 * X[:, 0] + 3 * np.isin(X[:, 2], [1, 4, 7]) + 0.1 * RNG.normal(size=N)
TWO, THREE, TARGETS = (VALUE > 1).astype(int), np.digitize(VALUE, [0, 2]), np.stack([VALUE, X[:, 1]], axis=1)
TYPES = ["q", "q", "c", "q", "q", "q"]


def model_of(kind: str, y: Any, rows: np.ndarray = HOLES, fit: dict[str, Any] | None = None, **options: Any) -> Any:
    options = {"n_estimators": 8, "max_depth": 4, "n_jobs": 2, "random_state": 0} | options
    return getattr(xgboost, f"XGB{kind}")(**options).fit(rows, y, **(fit or {}))


CATEGORICAL = {"enable_categorical": True, "feature_types": TYPES}
MODELS: dict[str, Any] = {
    "regressor": lambda: model_of("Regressor", VALUE),
    "never-missing": lambda: model_of("Regressor", VALUE, X),
    "categories": lambda: model_of("Regressor", VALUE, max_cat_to_onehot=1, **CATEGORICAL),
    "categories-one-hot": lambda: model_of("Classifier", THREE, max_cat_to_onehot=99, **CATEGORICAL),
    "binary": lambda: model_of("Classifier", TWO),
    "classes": lambda: model_of("Classifier", THREE),
    "classes-vector": lambda: model_of("Classifier", THREE, multi_strategy="multi_output_tree"),
    "dart": lambda: model_of("Classifier", THREE, booster="dart", rate_drop=0.5),
    "dart-forest": lambda: model_of("Regressor", VALUE, booster="dart", rate_drop=0.5, normalize_type="forest"),
    "targets": lambda: model_of("Regressor", TARGETS),
    "targets-vector": lambda: model_of("Regressor", TARGETS, multi_strategy="multi_output_tree"),
    "labels": lambda: model_of("Classifier", (TARGETS > 0).astype(int)),
    "base-score": lambda: model_of("Classifier", TWO, base_score=0.9),
    "logit-raw": lambda: model_of("Classifier", TWO, objective="binary:logitraw"),
    "hinge": lambda: model_of("Classifier", TWO, objective="binary:hinge"),
    "logistic": lambda: model_of("Regressor", TWO, objective="reg:logistic", base_score=0.3),
    "poisson": lambda: model_of("Regressor", np.abs(VALUE), objective="count:poisson"),
    "gamma": lambda: model_of("Regressor", np.abs(VALUE) + 0.1, objective="reg:gamma"),
    "tweedie": lambda: model_of("Regressor", np.abs(VALUE), objective="reg:tweedie"),
    "cox": lambda: model_of("Regressor", np.abs(VALUE) + 0.1, objective="survival:cox"),
    "absolute": lambda: model_of("Regressor", VALUE, objective="reg:absoluteerror"),
    "quantiles": lambda: model_of("Regressor", VALUE, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]),
    "ranker": lambda: model_of("Ranker", THREE, fit={"qid": np.arange(N) // 20}),
    "forest": lambda: model_of("RFClassifier", THREE),
    "forest-regressor": lambda: model_of("RFRegressor", VALUE),
    "by-loss": lambda: model_of("Regressor", VALUE, grow_policy="lossguide", max_leaves=12, max_depth=0),
    "approx": lambda: model_of("Regressor", VALUE, tree_method="approx", gamma=5),
    "pruned": lambda: model_of("Regressor", VALUE, tree_method="exact", gamma=20),
    "stumps": lambda: model_of("Regressor", VALUE, gamma=1e9),
    "no-trees": lambda: model_of("Regressor", VALUE, n_estimators=0),
    "missing-999": lambda: model_of("Regressor", VALUE, np.nan_to_num(HOLES, nan=-999), missing=-999),
    "missing-decimal": lambda: model_of("Regressor", VALUE, missing=0.1),
    "missing-0": lambda: model_of("Classifier", THREE, missing=0),
}
FITTED: dict[str, Any] = {}


def fitted(name: str) -> Any:
    if name not in FITTED:
        FITTED[name] = MODELS[name]()
    return FITTED[name]


def rounding(trees: Trees) -> float:
    """How far a float32 sum of leaves may be from theirs, at worst."""
    largest = sum(
        np.abs(trees.value[a:b]).max() for a, b in zip(trees.roots, [*trees.roots[1:], trees.n_nodes], strict=True)
    )
    return float((trees.n_trees + 2) * 2**-24 * (largest + np.abs(trees.base).max()))


def edges(conversion: Conversion, name: str) -> np.ndarray:
    rows = reading.edge_rows(reading.trees_of(conversion), HOLES, np.random.default_rng(1), missing=True)
    if "categor" in name:
        odd = [0, 1, 4, 8, 2.5, 7.99, 9, 55, 1e6, -1, -7, np.nan]
        rows[:, 2] = np.random.default_rng(2).choice(odd, len(rows))
    if "missing" in name:
        marks = {"missing-999": [-999, -998.99], "missing-0": [0, -0.0, 1e-46]}.get(name, [0.1, np.float32(0.1)])
        some = np.random.default_rng(3).random(rows.shape) < 0.2
        rows[some] = np.random.default_rng(4).choice(marks, int(some.sum()))
    return rows


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_walk_equals_the_margin(name: str) -> None:
    model = fitted(name)
    conversion = convert(model)
    for rows in (HOLES, edges(conversion, name)):
        margin = np.asarray(model.predict(rows, output_margin=True), dtype=np.float64).reshape(len(rows), -1)
        found, bound = reading.walked(conversion, rows), rounding(reading.trees_of(conversion))
        np.testing.assert_allclose(found[:, -margin.shape[1] :], margin, rtol=0, atol=bound)
        np.testing.assert_allclose(conversion.own(rows), found, rtol=0, atol=bound)
        assert reading.relative(found, conversion.own(rows)) <= 1e-6


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("pruned", "no-trees")])
def test_leaves_are_the_librarys_own(name: str) -> None:
    model = fitted(name)
    conversion = convert(model)
    assert conversion.encoding is not None
    rows = edges(conversion, name)
    reached = reading.leaves(reading.trees_of(conversion), conversion.encoding(rows))
    np.testing.assert_array_equal(reached, model.apply(rows).reshape(len(rows), -1))


def test_pruned_trees_lose_their_dead_nodes() -> None:
    model = fitted("pruned")
    dumped = model.get_booster().trees_to_dataframe()
    trees = reading.trees_of(convert(model))
    assert trees.n_nodes == len(dumped)
    reached = model.apply(HOLES)
    mine = reading.leaves(trees, convert(model).encoding(HOLES))
    for t in range(trees.n_trees):  # the same partition of the rows, whatever the numbers
        pairs = set(zip(mine[:, t].tolist(), reached[:, t].tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("name", ["regressor", "categories", "categories-one-hot", "classes", "dart", "missing-999"])
def test_shapley_is_pred_contribs(name: str) -> None:
    """Covers and directions: XGBoost's own path-dependent Shapley values, which it adds up in float32."""
    model = fitted(name)
    booster = model.get_booster()
    types = booster.feature_types
    data = xgboost.DMatrix(HOLES, feature_types=types, enable_categorical=True, missing=model.missing)
    expected = booster.predict(data, pred_contribs=True)
    expected = expected if expected.ndim == 2 else np.moveaxis(expected, 1, 2)
    explanation = neon.Explainer(model)(HOLES, "all")
    values = explanation.values if expected.ndim == 3 else explanation.values[:, :, -1]
    assert reading.relative(values, expected[:, :-1]) <= 1e-6


@every_model
def test_network_and_conservation(name: str) -> None:
    model = fitted(name)
    explanation = neon.Explainer(model)(HOLES, "all")
    total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
    scale = max(1.0, float(np.abs(explanation.prediction).max()))
    np.testing.assert_allclose(total, explanation.prediction, rtol=0, atol=1e-12 * scale)
    assert neon.neuralize(model).verify(HOLES) <= rounding(reading.trees_of(convert(model)))


def test_early_stopping() -> None:
    """The scikit-learn interface predicts with the best iteration, a booster with all of them."""
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=4, n_jobs=2)
    noise = np.random.default_rng(5).permutation(THREE[200:])
    model.fit(HOLES[:200], THREE[:200], eval_set=[(HOLES[200:], noise)], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    assert reading.trees_of(convert(model)).n_trees == 3 * (model.best_iteration + 1)
    assert reading.trees_of(convert(model.get_booster())).n_trees == 3 * model.get_booster().num_boosted_rounds()
    for one in (model, model.get_booster()):
        assert neon.neuralize(one).verify(HOLES) <= 1e-5


def test_parallel_trees_and_early_stopping() -> None:
    model = xgboost.XGBClassifier(n_estimators=30, num_parallel_tree=3, subsample=0.5, early_stopping_rounds=2)
    noise = np.random.default_rng(5).permutation(THREE[200:])
    model.fit(HOLES[:200], THREE[:200], eval_set=[(HOLES[200:], noise)], verbose=False)
    assert reading.trees_of(convert(model)).n_trees == 9 * (model.best_iteration + 1)
    assert neon.neuralize(model).verify(HOLES) <= 1e-5


def test_booster() -> None:
    named = xgboost.DMatrix(HOLES, TWO, feature_names=list("abcdef"))
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 2}, named, 5)
    network = neon.neuralize(booster)
    assert network.n_features_in == 6
    assert network.feature_names == tuple("abcdef")
    assert network.verify(HOLES) <= 1e-6
    assert network.verify(pd.DataFrame(HOLES, columns=list("abcdef"))) <= 1e-6
    explanation = neon.Explainer(booster)(HOLES)
    assert explanation.feature_names == tuple("abcdef")
    np.testing.assert_array_equal(explanation.target, booster.predict(named) > 0.5)
    again = pickle.loads(pickle.dumps(neon.Explainer(booster)))(HOLES)
    np.testing.assert_array_equal(again.values, explanation.values)
    with pytest.raises(ValueError, match="columns do not match"):
        network.verify(pd.DataFrame(HOLES, columns=list("uvwxyz")))


def test_what_a_sparse_matrix_does_not_hold_is_missing() -> None:
    Z = sparse.csr_matrix(np.where(np.random.default_rng(6).random(X.shape) < 0.5, 0, X))
    model = model_of("Regressor", VALUE, Z)
    conversion = convert(model)
    margins = [model.predict(rows, output_margin=True) for rows in (Z, Z.toarray())]
    assert np.abs(margins[0] - margins[1]).max() > 0.1
    for rows, margin in zip((Z, Z.toarray()), margins, strict=True):
        np.testing.assert_allclose(reading.walked(conversion, rows)[:, 0], margin, atol=1e-5)
        np.testing.assert_allclose(conversion.own(rows)[:, 0], margin, atol=1e-5)


def test_labels_of_categories() -> None:
    """A frame's categories count by their labels, whatever order the frame holds them in."""
    frame = pd.DataFrame(X[:, [0, 1]], columns=["x", "y"])
    frame["letter"] = pd.Categorical(np.array(list("abcdefghi"))[X[:, 2].astype(int)])
    frame["number"] = pd.Categorical(np.random.default_rng(7).choice([10, 20, 35], N))
    y = VALUE + 2 * (frame["number"] == 20)
    model = xgboost.XGBRegressor(n_estimators=8, enable_categorical=True, max_cat_to_onehot=1).fit(frame, y)
    other = frame.assign(letter=frame["letter"].cat.reorder_categories(list("ihgfedcba")))
    other.loc[:9, "letter"] = np.nan
    conversion = convert(model)
    assert len(reading.trees_of(conversion).categories) > 10
    codes = np.stack([frame[c].cat.codes if frame[c].dtype == "category" else frame[c] for c in frame], axis=1)
    for rows in (frame, other, codes):
        margin = model.predict(rows, output_margin=True)
        np.testing.assert_allclose(reading.walked(conversion, rows)[:, 0], margin, atol=1e-5)
        assert neon.neuralize(model).verify(rows) <= 1e-5
    explanation = neon.Explainer(model)(other)
    assert explanation.feature_names == ("x", "y", "letter", "number")
    unknown = frame.assign(letter=frame["letter"].astype(str).replace("a", "zz"))
    with pytest.raises(ValueError, match="'letter' holds categories unknown to the model: \\['zz'\\]"):
        neon.Explainer(model)(unknown)
    with pytest.raises(ValueError, match="'letter' must be of dtype category"):  # of XGBoost 3.0, which keeps no labels
        Columns({2: None})(unknown)


def with_categories(labels: list[Any]) -> tuple[pd.DataFrame, Any]:
    """A model of a category and a number, and the rows that it was fitted on."""
    place = np.random.default_rng(8).integers(0, len(labels), N)
    frame = pd.DataFrame({"k": pd.Categorical(np.array(labels)[place]), "z": X[:, 0]})
    model = xgboost.XGBRegressor(n_estimators=8, enable_categorical=True, n_jobs=2)
    return frame, model.fit(frame, 3 * (place == 1) - 2 * (place == 2) + X[:, 0])


AS_A_FILE_HAS_THEM = {
    "whole": ([10, 20, 30], int),
    "whole, 1 to n": ([1, 2, 3], int),
    "whole in floats": ([10, 20, 30], float),
    "narrow": (np.array([1, 2, 3], dtype=np.int16), int),
    "zip codes": (["10115", "20095", "80331"], int),
    "zip codes in floats": (["10115", "20095", "80331"], float),
    "words": (["Bonn", "Jena", "Ulm"], str),
}


@pytest.mark.parametrize("kind", AS_A_FILE_HAS_THEM)
def test_numbers_in_a_frame_are_labels_and_no_codes(kind: str) -> None:
    """What a file without types holds, XGBoost itself refuses; in an array it takes numbers for codes, as we do."""
    labels, as_read = AS_A_FILE_HAS_THEM[kind]
    frame, model = with_categories(labels)
    read = frame.assign(k=frame["k"].astype(str).astype(as_read).astype(object if as_read is str else as_read))
    own = model.predict(frame)
    network = neon.neuralize(model)
    np.testing.assert_allclose(neon.explain(model, read).prediction, own, rtol=0, atol=1e-5)
    assert network.verify(read) <= 1e-5
    with pytest.raises(ValueError, match=r"'k' holds categories unknown to the model: \['77(\.0)?'\]"):
        neon.explain(model, read.assign(k=np.array(["77"]).astype(as_read)[0]))
    codes = np.column_stack([frame["k"].cat.codes, frame["z"]])
    np.testing.assert_allclose(neon.explain(model, codes).prediction, model.predict(codes), rtol=0, atol=1e-5)
    assert network.verify(codes) <= 1e-5


@pytest.mark.parametrize(
    "labels", [["Köln", "Bonn", "Ulm"], ["é", "è", "e"], ["北京", "上海", "广州"], ["a", "ß" * 9, "z"]], ids=ascii
)
def test_labels_that_are_not_ascii(labels: list[str]) -> None:
    frame, model = with_categories(labels)
    data = xgboost.DMatrix(frame, enable_categorical=True)
    expected = model.get_booster().predict(data, pred_contribs=True)[:, :-1]
    assert reading.relative(neon.explain(model, frame).values, expected) <= 1e-5
    assert neon.neuralize(model).verify(frame) <= 1e-5
    other = frame.assign(k=frame["k"].cat.reorder_categories(frame["k"].cat.categories[::-1]))
    encoding = convert(model).encoding
    assert encoding is not None
    if encoding.function.labels[0] == frame["k"].cat.categories.tolist():  # as the library keeps them one day
        assert neon.neuralize(model).verify(other) <= 1e-5
    else:  # XGBoost 3.2 takes the categories of other rows here, or fails
        with pytest.raises(ValueError, match="XGBoost 3 cut labels that are not ASCII"):
            neon.explain(model, other)


@pytest.mark.parametrize("spelling", ["string", "string[pyarrow]", "str", "object"])
def test_categories_made_from_missing_values(spelling: str) -> None:
    text = pd.Series(np.array(["u", "v", "w"])[np.arange(N) % 3]).astype(spelling)
    text[::5] = pd.NA if spelling.startswith("string") else None
    frame = pd.DataFrame({"k": text.astype("category"), "z": X[:, 0]})
    model = xgboost.XGBRegressor(n_estimators=4, enable_categorical=True, n_jobs=2).fit(frame, X[:, 0] + X[:, 1])
    for rows in (frame, frame.assign(k=text)):
        np.testing.assert_allclose(neon.explain(model, rows).prediction, model.predict(frame), rtol=0, atol=1e-5)
        assert neon.neuralize(model).verify(rows) <= 1e-5


BASE_SCORES: dict[str, Any] = {
    "rare": (TWO, {"base_score": 1e-8}),
    "never": (TWO, {"base_score": 0.0}),
    "always": (TWO, {"base_score": 1.0}),
    "nearly always": (TWO, {"base_score": 1 - 1e-7}),
    "one class": (np.zeros(N, dtype=int), {}),
    "one class, no rounds": (np.zeros(N, dtype=int), {"n_estimators": 0}),
    "no rounds": (TWO, {"n_estimators": 0}),
    "no rounds, intercept given": (TWO, {"n_estimators": 0, "base_score": 0.3}),
    "no rounds, default given": (TWO, {"n_estimators": 0, "base_score": 0.5}),
    "no rounds, linear": (TWO, {"n_estimators": 0, "booster": "gblinear", "max_depth": None}),
    "no rounds, classes": (THREE, {"n_estimators": 0}),
    "a label absent, one everywhere": (np.stack([TWO, 0 * TWO, 0 * TWO + 1], axis=1), {}),
}


@pytest.mark.parametrize("kind", BASE_SCORES)
def test_extreme_intercepts_are_clipped(kind: str) -> None:
    y, options = BASE_SCORES[kind]
    model = model_of("Classifier", y, **options)
    explanation = neon.Explainer(model)(HOLES, "all")
    margin = model.predict(HOLES, output_margin=True).reshape(N, -1)
    n = margin.shape[1]
    np.testing.assert_allclose(explanation.prediction[:, -n:], margin, rtol=1e-5, atol=1e-5)
    if model.n_estimators:  # whose contributions without trees are no margin
        contributions = model.get_booster().predict(xgboost.DMatrix(HOLES), pred_contribs=True)
        np.testing.assert_allclose(
            explanation.base_values[:, -n:], contributions[..., -1].reshape(N, n), rtol=1e-5, atol=1e-6
        )


def test_columns_of_several_levels_and_numbers() -> None:
    levels = pd.DataFrame(X[:, :3], columns=pd.MultiIndex.from_tuples([("a b", "mean"), ("a b", "sum"), ("c", "mean")]))
    model = xgboost.XGBRegressor(n_estimators=3).fit(levels, VALUE)
    assert neon.neuralize(model).verify(levels) <= 1e-5
    numbers = pd.DataFrame(X[:, :3], columns=[10, 20, 30])
    model = xgboost.XGBRegressor(n_estimators=3).fit(numbers, VALUE)
    with pytest.raises(ValueError, match=r"use X\[\[10, 20, 30\]\]"):
        neon.explain(model, numbers[[20, 10, 30]])


@pytest.mark.parametrize("kind", ["DMatrix", "QuantileDMatrix"])
def test_prepared_rows_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"X is a {kind}, which does not give its rows back"):
        neon.explain(fitted("regressor"), getattr(xgboost, kind)(X))


@pytest.mark.parametrize("y", [VALUE, TWO, THREE], ids=["value", "two", "three"])
def test_linear_booster(y: np.ndarray) -> None:
    """gblinear: missing values add nothing, and every class starts from the first intercept."""
    kind = xgboost.XGBRegressor if y is VALUE else xgboost.XGBClassifier
    model = kind(booster="gblinear", n_estimators=5).fit(X, y)
    assert neon.neuralize(model).verify(HOLES) <= 1e-5
    explanation = neon.Explainer(model)(HOLES, "all")
    assert (explanation.values[np.isnan(HOLES)] == 0).all()
    relu = neon.neuralize(model, form="relu")
    assert {type(layer).__name__ for layer in relu.layers} == {"Linear"}
    assert relu.verify(HOLES) <= 1e-5


def test_reading_leaves_the_model_as_it_was() -> None:
    booster = fitted("classes").get_booster()
    before = bytes(booster.save_raw("json"))
    neon.Explainer(booster)(HOLES)
    assert bytes(booster.save_raw("json")) == before


TIES: dict[str, tuple[dict[str, Any], Any]] = {
    "two classes": ({"objective": "binary:logistic", "base_score": 0.5, "min_child_weight": 1e9}, TWO),
    "classes": ({"objective": "multi:softprob", "num_class": 3, "base_score": 0.5, "min_child_weight": 1e9}, THREE),
    "balanced leaves": ({"objective": "binary:logistic", "base_score": 0.5}, np.arange(N) // 2 % 2),
}


@pytest.mark.parametrize("kind", TIES)
def test_tied_margins_of_a_booster(kind: str) -> None:
    """A booster gives margins alone; of tied ones its scikit-learn interface predicts the first."""
    options, y = TIES[kind]
    rows = np.repeat([[0.0], [1.0]], N // 2, 0)
    booster = xgboost.train(options, xgboost.DMatrix(rows, y), 3)
    margin = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    expected = margin.argmax(1) if margin.ndim == 2 else margin > 0
    np.testing.assert_array_equal(neon.explain(booster, rows).target, expected)


def test_one_class_alone_has_the_sign_of_its_class() -> None:
    model = model_of("Classifier", np.zeros(N, dtype=int))
    explanation = neon.explain(model, HOLES)
    assert (explanation.output_names[0], set(explanation.target)) == ("0", {0})
    p = model.predict_proba(HOLES)
    np.testing.assert_allclose(explanation.prediction, np.log(p[:, 0] / p[:, 1]), rtol=1e-2)
