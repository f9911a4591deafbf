"""LightGBM's models as `Trees`: leaves, raw scores and covers against the library's own functions."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.converters import Conversion, convert
from neon.errors import UnsupportedModelError
from neon.nn.trees.linear_leaves import LeafFunctions
from tests.trees import reading, textbook

lightgbm = pytest.importorskip("lightgbm")
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 6))
X[:, 1] = np.round(X[:, 1], 1)
X[:, 2] = RNG.integers(0, 9, N)
HOLES = np.where(RNG.random(X.shape) < 0.15, np.nan, X)
ZEROS = np.where(RNG.random(X.shape) < 0.4, 0, HOLES)
VALUE = 2 * X[:, 0] + 3 * np.isin(X[:, 2], [1, 4, 7]) + 0.1 * RNG.normal(size=N)
TWO, THREE = (VALUE > 1).astype(int), np.digitize(VALUE, [0, 2])
LABELS = np.array(["low", "middle", "high"])[THREE]


def model_of(kind: str, y: Any, rows: np.ndarray = HOLES, fit: dict[str, Any] | None = None, **options: Any) -> Any:
    options = {"n_estimators": 8, "num_leaves": 12, "min_child_samples": 5, "verbose": -1, "n_jobs": 2} | options
    return getattr(lightgbm, f"LGBM{kind}")(**options).fit(rows, y, **(fit or {}))


CATEGORIES = {"fit": {"categorical_feature": [2]}, "min_data_per_group": 5}
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
MODELS: dict[str, Any] = {
    "regressor": lambda: model_of("Regressor", VALUE),
    "never-missing": lambda: model_of("Regressor", VALUE, X),
    "missing-unused": lambda: model_of("Regressor", VALUE, use_missing=False),
    "zero-missing": lambda: model_of("Regressor", VALUE, ZEROS, zero_as_missing=True),
    "categories": lambda: model_of("Regressor", VALUE, max_cat_to_onehot=2, **CATEGORIES),
    "categories-one-hot": lambda: model_of("Classifier", THREE, max_cat_to_onehot=99, **CATEGORIES),
    "categories-zero-missing": lambda: model_of("Regressor", VALUE, ZEROS, zero_as_missing=True, **CATEGORIES),
    "binary": lambda: model_of("Classifier", TWO),
    "binary-sigmoid": lambda: model_of("Classifier", TWO, sigmoid=0.5, is_unbalance=True),
    "classes": lambda: model_of("Classifier", LABELS),
    "classes-one-against-rest": lambda: model_of("Classifier", THREE, objective="multiclassova"),
    "forest": lambda: model_of("Classifier", THREE, **FOREST),
    "forest-regressor": lambda: model_of("Regressor", VALUE, **FOREST),
    "dart": lambda: model_of("Regressor", VALUE, boosting_type="dart", drop_rate=0.5),
    "goss": lambda: model_of("Regressor", VALUE, data_sample_strategy="goss"),
    "poisson": lambda: model_of("Regressor", np.abs(VALUE), objective="poisson"),
    "gamma": lambda: model_of("Regressor", np.abs(VALUE) + 0.1, objective="gamma"),
    "quantile": lambda: model_of("Regressor", VALUE, objective="quantile", alpha=0.3),
    "cross-entropy": lambda: model_of("Regressor", TWO, objective="cross_entropy"),
    "square-root": lambda: model_of("Regressor", VALUE, reg_sqrt=True),
    "ranker": lambda: model_of("Ranker", THREE, fit={"group": [20] * (N // 20)}),
    "stumps": lambda: model_of("Regressor", VALUE, min_child_samples=N),
}
FITTED: dict[str, Any] = {}


def fitted(name: str) -> Any:
    if name not in FITTED:
        FITTED[name] = MODELS[name]()
    return FITTED[name]


def edges(conversion: Conversion, name: str) -> np.ndarray:
    rows = reading.edge_rows(reading.trees_of(conversion), HOLES, np.random.default_rng(1), missing=True)
    rng = np.random.default_rng(2)
    if "categor" in name:
        rows[:, 2] = rng.choice([0, 1, 4, 8, 2.5, 7.99, 9, 55, 1e6, -1, -7, -0.5, np.nan, 1e12], len(rows))
    single = float(np.float32(1e-35))  # the largest zero
    tiny = [0, -0.0, 1e-35, -1e-35, single, -single, np.nextafter(single, 1), -np.nextafter(single, 1), 1e-300]
    some = rng.random(rows.shape) < 0.2
    rows[some] = rng.choice(tiny, int(some.sum()))
    return rows


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_walk_equals_the_raw_score(name: str) -> None:
    model = fitted(name)
    conversion = convert(model)
    for rows in (HOLES, edges(conversion, name)):
        raw = model.predict(rows, raw_score=True).reshape(len(rows), -1)
        raw = raw / 8 if "forest" in name else raw  # of a forest, LightGBM's raw score is the sum of the trees
        found = reading.walked(conversion, rows)
        assert reading.relative(found[:, -raw.shape[1] :], raw) <= 1e-12
        assert reading.relative(found, conversion.own(rows)) <= 1e-12


def test_a_forest_is_the_mean_that_it_predicts() -> None:
    model = fitted("forest-regressor")
    np.testing.assert_allclose(reading.walked(convert(model), HOLES)[:, 0], model.predict(HOLES), rtol=1e-12)


@every_model
def test_leaves_are_the_librarys_own(name: str) -> None:
    model = fitted(name)
    conversion = convert(model)
    trees, rows = reading.trees_of(conversion), edges(conversion, name)
    ends = [*trees.roots[1:], trees.n_nodes]
    splits = [int((trees.left[a:b] >= 0).sum()) for a, b in zip(trees.roots, ends, strict=True)]
    reached = reading.leaves(trees, reading.numbers(conversion, rows)) - splits  # leaves are numbered by themselves
    np.testing.assert_array_equal(reached, model.predict(rows, pred_leaf=True).reshape(len(rows), -1))


@pytest.mark.parametrize("name", ["regressor", "zero-missing", "categories", "categories-one-hot", "classes", "forest"])
def test_shapley_is_pred_contrib(name: str) -> None:
    """Covers and directions: LightGBM's own path-dependent Shapley values."""
    model = fitted(name)
    expected = model.predict(HOLES, pred_contrib=True).reshape(N, -1, X.shape[1] + 1)
    expected = expected / 8 if "forest" in name else expected
    explanation = neon.Explainer(model)(HOLES, "all")
    assert reading.relative(np.moveaxis(explanation.values, 2, 1), expected[:, :, :-1]) <= 1e-12


@every_model
def test_network_and_conservation(name: str) -> None:
    model = fitted(name)
    explanation = neon.Explainer(model)(HOLES, "all")
    total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
    scale = max(1.0, float(np.abs(explanation.prediction).max()))
    np.testing.assert_allclose(total, explanation.prediction, rtol=0, atol=1e-12 * scale)
    assert neon.neuralize(model).verify(HOLES) <= 1e-12 * scale


def test_early_stopping() -> None:
    noise = np.random.default_rng(5).permutation(THREE[200:])
    stop = lightgbm.early_stopping(3, verbose=False)
    data = lightgbm.Dataset(HOLES[:200], THREE[:200])
    options = {"objective": "multiclass", "num_class": 3, "verbose": -1, "min_data_in_leaf": 5, "num_threads": 2}
    check = [lightgbm.Dataset(HOLES[200:], noise, data)]
    booster = lightgbm.train(options, data, 60, check, callbacks=[stop], keep_training_booster=True)
    assert 0 < booster.best_iteration < booster.current_iteration()
    assert reading.trees_of(convert(booster)).n_trees == 3 * booster.best_iteration
    assert neon.neuralize(booster).verify(HOLES) <= 1e-12


def test_booster() -> None:
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(HOLES, TWO), 5)
    loaded = lightgbm.Booster(model_str=booster.model_to_string())
    for one in (booster, loaded):
        network = neon.neuralize(one)
        assert network.n_features_in == 6
        assert network.verify(HOLES) <= 1e-12
        assert network.verify(sparse.csr_matrix(ZEROS)) <= 1e-12  # zeros, not missing
    explanation = neon.Explainer(booster)(HOLES)
    np.testing.assert_array_equal(explanation.target, booster.predict(HOLES) > 0.5)
    again = pickle.loads(pickle.dumps(neon.Explainer(booster)))(HOLES)
    np.testing.assert_array_equal(again.values, explanation.values)


def test_labels_of_categories() -> None:
    """A frame's categories count by their labels; unknown ones are missing."""
    frame = pd.DataFrame(X[:, [0, 1]], columns=["x", "y"])
    frame["letter"] = pd.Categorical(np.array(list("abcdefghi"))[X[:, 2].astype(int)])
    frame["number"] = pd.Categorical(np.random.default_rng(7).choice([10, 20, 35], N))
    model = model_of("Regressor", VALUE + 2 * (frame["number"] == 20), frame, min_data_per_group=5)
    other = frame.assign(letter=frame["letter"].cat.set_categories(list("zihgfedcbay")))
    other.loc[:9, "letter"], other.loc[10:19, "letter"] = np.nan, "z"
    conversion = convert(model)
    assert len(reading.trees_of(conversion).categories) > 10
    codes = np.stack([frame[c].cat.codes if frame[c].dtype == "category" else frame[c] for c in frame], axis=1)
    for rows in (frame, other, codes):
        assert reading.relative(reading.walked(conversion, rows)[:, 0], model.predict(rows, raw_score=True)) <= 1e-12
        assert neon.neuralize(model).verify(rows) <= 1e-12
    assert neon.Explainer(model)(other).feature_names == ("x", "y", "letter", "number")
    with pytest.raises(ValueError, match="X has 1 columns of categories, but the model was fitted with 2"):
        neon.Explainer(model)(frame.assign(letter=1.0))


LINEAR: dict[str, Any] = {"linear_tree": True, "min_child_samples": 15}
LINEAR_MODELS: dict[str, Any] = {
    "regressor": lambda: model_of("Regressor", VALUE, X, **LINEAR),
    "missing": lambda: model_of("Regressor", VALUE, **LINEAR, linear_lambda=0.5),
    "missing-unused": lambda: model_of("Regressor", VALUE, **LINEAR, use_missing=False),
    "categories": lambda: model_of("Regressor", VALUE, **LINEAR, **CATEGORIES),
    "binary": lambda: model_of("Classifier", TWO, **LINEAR),
    "classes": lambda: model_of("Classifier", LABELS, **LINEAR),
    "forest": lambda: model_of("Regressor", VALUE, **LINEAR, **FOREST),
}


@pytest.mark.parametrize("name", LINEAR_MODELS)
def test_linear_leaves(name: str) -> None:
    """Exact, with missing entries in features that leaves read too, and relative to the mean of the reference rows."""
    model = LINEAR_MODELS[name]()
    raw = raw_of(model)
    scale = np.abs(raw(HOLES)).max()
    network = neon.neuralize(model)
    assert any(isinstance(layer, LeafFunctions) for layer in network.modules())
    for rows in (X, HOLES, 10 * HOLES):
        assert network.verify(rows) <= 1e-12 * max(1.0, np.abs(raw(rows)).max())
    for reference in (None, X[:5]):
        explanation = neon.Explainer(model, reference=reference)(HOLES[:30], "all")
        assert explanation.feature_names == neon.Explainer(model)(X[:2]).feature_names
        assert explanation.values.shape[1] == X.shape[1]
        assert explanation.conservation_error() <= 1e-12 * scale
        last = explanation.prediction.reshape(30, -1)[:, -1]
        np.testing.assert_allclose(last, raw(HOLES[:30])[:, -1], rtol=0, atol=1e-12 * scale)
    assert "Aumann-Shapley values" in explanation.explains
    base = explanation.base_values.reshape(30, -1)[0, -1]
    np.testing.assert_allclose(base, raw(X[:5])[:, -1].mean(), rtol=0, atol=1e-12 * scale)
    with pytest.raises(ValueError, match="infinity"):
        neon.explain(model, np.full((1, 6), np.inf))
    with pytest.raises(ValueError, match=r"not piecewise linear|no ReLU form"):
        neon.neuralize(model, form="relu")


def test_linear_leaves_by_hand() -> None:
    """Each reference row: exact Shapley values of the coefficients by all subsets, times the features' middles."""
    model = model_of("Regressor", VALUE, X, n_estimators=2, num_leaves=4, **LINEAR)
    conversion = convert(model)
    trees, read = conversion.layers[0].branches[0].trees, conversion.encoding.source[6:]
    rows, references = X[:2], X[10:12]
    found = neon.Explainer(model, reference=references)(rows)
    for row, values in zip(rows, found.values, strict=True):
        expected = np.zeros(6)
        for reference in references:
            phi = textbook.shapley(lambda s, r=reference: textbook.mixed(trees, row, s, r[None]), 6)  # noqa: B023
            held = textbook.predict(trees, np.stack([row, reference])).mean(0)
            expected += phi[:, 0] + phi[:, 1:] @ ((row + reference)[read] / 2)
            np.add.at(expected, read, (row - reference)[read] * held[1:])
        np.testing.assert_allclose(values, expected / len(references), rtol=0, atol=1e-12)


def raw_of(model: Any) -> Any:
    """The raw scores, (n_samples, n_scores)."""
    share = len(model.booster_.dump_model()["tree_info"]) if model.boosting_type == "rf" else 1
    return lambda rows: (np.asarray(model.predict(rows, raw_score=True)) / share).reshape(len(rows), -1)


def test_names_with_blanks() -> None:
    """LightGBM puts underscores for blanks; the explanation has the caller's names."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["net income", "age"])
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, frame["age"] > 0)
    assert neon.neuralize(model).verify(frame) <= 1e-12
    assert neon.explain(model, frame).feature_names == ("net income", "age")
    with pytest.raises(ValueError, match="'netincome'"):
        neon.explain(model, frame.rename(columns={"net income": "netincome"}))
    with pytest.raises(ValueError, match=r"use X\[\['net income', 'age'\]\]"):
        neon.explain(model, frame[["age", "net income"]])


@pytest.mark.parametrize("spelling", ["string", "string[pyarrow]", "str", "object"])
def test_categories_made_from_missing_values(spelling: str) -> None:
    text = pd.Series(np.array(["u", "v", "w"])[np.arange(N) % 3]).astype(spelling)
    text[::5] = pd.NA if spelling.startswith("string") else None
    frame = pd.DataFrame({"k": text.astype("category"), "z": X[:, 0]})
    model = model_of("Regressor", VALUE, frame)
    np.testing.assert_allclose(neon.explain(model, frame).prediction, model.predict(frame), rtol=1e-12)
    assert neon.neuralize(model).verify(frame) <= 1e-12


def test_numbers_where_categories_were_are_refused() -> None:
    """As LightGBM does, for which an array holds codes and a data frame labels."""
    frame = pd.DataFrame({"shop": pd.Categorical(np.array([10, 20, 30])[THREE]), "z": X[:, 0]})
    model = model_of("Regressor", VALUE, frame)
    read = frame.astype({"shop": int})
    with pytest.raises(ValueError, match="do not match"):
        model.predict(read)
    with pytest.raises(ValueError, match="X has 0 columns of categories, but the model was fitted with 1"):
        neon.explain(model, read)


@pytest.mark.parametrize("interface", ["estimator", "pipeline"])
def test_arrays_of_objects_are_read_as_by_scikit_learn(interface: str) -> None:
    """Its interface reads them in float64, a booster alone in float32, where a tenth is another number."""
    tenths = pd.DataFrame({"tenth": np.round(X[:, 0], 1), "flag": TWO.astype(bool)})
    model = lightgbm.LGBMClassifier(n_estimators=50, verbose=-1)
    if interface == "pipeline":
        model = make_pipeline(make_column_transformer(("passthrough", ["flag"]), remainder="passthrough"), model)
    rows: Any = tenths if interface == "pipeline" else tenths.to_numpy(dtype=object)
    model.fit(rows, LABELS == "high")
    p = model.predict_proba(rows)
    network = neon.neuralize(model)
    assert network.verify(rows) <= 1e-12
    np.testing.assert_allclose(
        neon.explain(model, rows, target=True).prediction, np.log(p[:, 1] / p[:, 0]), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: model.booster_])
def test_long_doubles_are_read_as_the_library_reads_them(wrap: Any) -> None:
    """In float32, where a threshold of float64 is another number."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = lightgbm.LGBMRegressor(n_estimators=20, min_child_samples=1, verbose=-1).fit(X, X[:, 0])
    thresholds = model.booster_.trees_to_dataframe()["threshold"].dropna().to_numpy(dtype=float)
    rows = np.column_stack([thresholds, thresholds]).astype(np.longdouble)
    explanation = neon.explain(wrap(model), rows)
    np.testing.assert_allclose(explanation.prediction, wrap(model).predict(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:X has feature names, but")
@pytest.mark.parametrize("fitted_on", ["array", "frame"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: VotingRegressor([("one", model)]),
        lambda model: StackingRegressor([("one", model)], Ridge(), cv=2),
        lambda model: RegressorChain(model),
        lambda model: make_pipeline("passthrough", model),
        lambda model: make_pipeline(StandardScaler(), model),
        None,
    ],
    ids=["estimator", "voting", "stacking", "chain", "passthrough", "scaled", "booster"],
)
def test_large_whole_numbers_are_read_as_the_library_reads_them(wrap: Any, fitted_on: str) -> None:
    """Seconds of a clock: in float32 where an array holds them, in float64 in a frame and as floating-point numbers."""
    seconds = 1_700_000_000 + np.random.default_rng(0).integers(0, 4000, 300)
    whole = np.stack([seconds, seconds % 7], axis=1)
    frame = pd.DataFrame(whole, columns=["time", "day"])
    y = np.sin(seconds / 300)
    bare = lightgbm.LGBMRegressor(n_estimators=9, min_child_samples=2, verbose=-1)
    chained = "Chain" in type(wrap and wrap(bare)).__name__
    fit = (frame if fitted_on == "frame" else whole.astype(float), np.stack([y, -y], axis=1) if chained else y)
    model = wrap(bare).fit(*fit) if wrap else bare.fit(*fit).booster_
    given = [whole, whole.astype(np.uint64), whole.tolist(), whole.astype(float), whole.astype(object), frame]
    answers = []
    for rows in given:
        own = model.predict(rows)
        explanation = neon.explain(model, rows, target=0)
        np.testing.assert_allclose(explanation.prediction, own.reshape(len(rows), -1)[:, 0], rtol=1e-9, atol=1e-9)
        assert neon.neuralize(model).verify(rows) <= 1e-9
        answers.append(own)
    rounded = wrap is None or "Voting" in type(model).__name__ or model is bare
    assert np.abs(answers[0] - answers[3]).max() > 0.1 or not rounded


def test_prepared_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="X is a Dataset, which does not give its rows back"):
        neon.explain(fitted("regressor"), lightgbm.Dataset(X))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_tied_scores_of_a_booster(n_classes: int) -> None:
    """It gives scores alone; of tied ones its scikit-learn interface predicts the first."""
    y = np.arange(N) % n_classes
    options: dict[str, Any] = {"verbose": -1, "min_data_in_leaf": N, "objective": "binary"}
    if n_classes > 2:
        options |= {"objective": "multiclass", "num_class": n_classes}
    booster = lightgbm.train(options, lightgbm.Dataset(X, y), 2)
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, min_child_samples=N).fit(X, y)
    for one in (booster, model):
        np.testing.assert_array_equal(neon.explain(one, X).target, model.predict(X))


def test_one_class_and_classes_never_seen() -> None:
    with pytest.raises(UnsupportedModelError, match="fitted on one class alone, 'ok'"):
        neon.neuralize(model_of("Classifier", np.array(["ok"] * N)))
    model = model_of("Classifier", TWO, objective="multiclass", num_class=3)
    explanation = neon.explain(model, X, target="all")
    assert explanation.output_names == ("0", "1", "class 2, never seen")
    np.testing.assert_allclose(explanation.prediction, model.predict(X, raw_score=True), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(neon.explain(model, X).target, model.predict(X))


def test_the_network_alone_is_explained_in_double_precision() -> None:
    """Unix seconds of an hour: a difference that float32 does not hold."""
    seconds = np.column_stack([1.7e9 + 10 * np.arange(N), X[:, 0]])
    model = model_of("Regressor", np.sin(seconds[:, 0] / 300), seconds)
    found = neon.explain(neon.neuralize(model), seconds)
    np.testing.assert_array_equal(found.prediction, neon.explain(model, seconds).prediction)
    np.testing.assert_allclose(found.prediction, model.predict(seconds), rtol=1e-12, atol=1e-12)
