"""scikit-learn's trees as `Trees`: routing, values and covers against the estimators' own methods."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

import neon
from neon.converters import Ask, Conversion, convert
from neon.errors import UnsupportedModelError
from neon.nn.trees import TreeEnsemble, Trees
from tests.trees import reading

WINE, KIND = load_wine(return_X_y=True)
X = WINE.copy()
X[:, :4] = np.round(X[:, :4], 1)  # a decimal grid, on which float32 and float64 part
HOLES = np.where(np.random.default_rng(0).random(X.shape) < 0.15, np.nan, X)
TWO, LABELS = (KIND > 0).astype(int), np.array(["barolo", "grignolino", "barbera"])[KIND]
VALUE = X[:, 0] * np.where(KIND == 1, -1, 2) + X[:, 9]
TARGETS = np.stack([VALUE, X[:, 6]], axis=1)


def read(conversion: Conversion) -> Trees:
    (layer,) = (layer for layer in conversion.layers if isinstance(layer, TreeEnsemble))
    return layer.trees


def walked(conversion: Conversion, rows: Any) -> np.ndarray:
    """What a slow walk of the converter's trees gives, as the model's own function does."""
    numbers = rows if conversion.encoding is None else conversion.encoding(rows)
    scores = reading.predict(read(conversion), numbers)
    if len(conversion.output_names) == 2 and scores.shape[1] == 1:
        scores = np.concatenate([-scores, scores], axis=1)
    return scores if conversion.link is None else conversion.link(scores)


SMALL: dict[str, Any] = {"n_estimators": 7, "random_state": 0}
MODELS: dict[str, tuple[Any, np.ndarray, Any]] = {
    "tree": (DecisionTreeClassifier(random_state=0), X, LABELS),
    "tree-missing": (DecisionTreeClassifier(random_state=0), HOLES, KIND),
    "tree-absolute": (DecisionTreeRegressor(criterion="absolute_error", random_state=0), X, VALUE),
    "tree-regressor": (DecisionTreeRegressor(random_state=0, max_leaf_nodes=9), HOLES, VALUE),
    "tree-targets": (DecisionTreeRegressor(random_state=0), X, TARGETS),
    "tree-stump": (DecisionTreeRegressor(random_state=0, max_depth=1), X, VALUE),
    "tree-leaf": (DecisionTreeRegressor(min_samples_leaf=0.6), X, VALUE),
    "extra": (ExtraTreeClassifier(random_state=0), X, KIND),
    "extra-regressor": (ExtraTreeRegressor(random_state=0), HOLES, VALUE),
    "forest": (RandomForestClassifier(**SMALL), HOLES, LABELS),
    "forest-two": (RandomForestClassifier(**SMALL), X, TWO),
    "forest-classes": (RandomForestClassifier(**SMALL), X, np.stack([LABELS, np.where(TWO, "b", "a")], axis=1)),
    "forest-weights": (RandomForestClassifier(class_weight="balanced", **SMALL), X, KIND),
    "forest-regressor": (RandomForestRegressor(**SMALL), HOLES, VALUE),
    "forest-targets": (RandomForestRegressor(**SMALL), X, TARGETS),
    "extras": (ExtraTreesClassifier(**SMALL), X, KIND),
    "extras-regressor": (ExtraTreesRegressor(**SMALL), X, VALUE),
    "boosting": (GradientBoostingClassifier(**SMALL), X, LABELS),
    "boosting-two": (GradientBoostingClassifier(subsample=0.6, **SMALL), X, TWO),
    "boosting-exponential": (GradientBoostingClassifier(loss="exponential", **SMALL), X, TWO),
    "boosting-zero": (GradientBoostingClassifier(init="zero", **SMALL), X, TWO),
    "boosting-regressor": (GradientBoostingRegressor(**SMALL), X, VALUE),
    "boosting-huber": (GradientBoostingRegressor(loss="huber", **SMALL), X, VALUE),
    "boosting-from-zero": (GradientBoostingRegressor(init="zero", **SMALL), X, VALUE),
    "hist": (HistGradientBoostingClassifier(max_iter=7), HOLES, LABELS),
    "hist-two": (HistGradientBoostingClassifier(max_iter=7), X, TWO),
    "hist-regressor": (HistGradientBoostingRegressor(max_iter=7), HOLES, VALUE),
    "hist-poisson": (HistGradientBoostingRegressor(max_iter=7, loss="poisson"), X, np.abs(VALUE)),
    "hist-gamma": (HistGradientBoostingRegressor(max_iter=7, loss="gamma"), X, np.abs(VALUE)),
    "hist-quantile": (HistGradientBoostingRegressor(max_iter=7, loss="quantile", quantile=0.3), X, VALUE),
    "isolation": (IsolationForest(**SMALL), HOLES, None),
    "isolation-columns": (IsolationForest(max_features=0.4, max_samples=60, bootstrap=True, **SMALL), X, None),
    "isolation-share": (IsolationForest(contamination=0.2, **SMALL), X, None),
    "bag": (BaggingClassifier(max_features=0.5, bootstrap_features=True, **SMALL), HOLES, LABELS),
    "bag-some-classes": (BaggingClassifier(max_samples=4, **SMALL), X, KIND),
    "bag-regressor": (BaggingRegressor(max_features=0.5, **SMALL), X, VALUE),
    "bag-targets": (BaggingRegressor(**SMALL), X, TARGETS),
    "bag-forests": (BaggingRegressor(RandomForestRegressor(n_estimators=2), max_features=0.5, **SMALL), X, VALUE),
    "bag-bags": (
        BaggingClassifier(BaggingClassifier(n_estimators=2, max_features=4), max_features=6, **SMALL),
        X,
        KIND,
    ),
    "ada": (AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), **SMALL), X, LABELS),
    "ada-two": (AdaBoostClassifier(**SMALL), X, TWO),
    "ada-one": (AdaBoostClassifier(DecisionTreeClassifier(), **SMALL), X, TWO),  # stops at its first, perfect tree
}
FITTED: dict[str, Any] = {}


def fitted(name: str) -> tuple[Any, np.ndarray]:
    estimator, rows, y = MODELS[name]
    if name not in FITTED:
        FITTED[name] = estimator.fit(rows, y)
    return FITTED[name], rows


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_walk_equals_the_model(name: str) -> None:
    model, rows = fitted(name)
    conversion = convert(model)
    edges = reading.edge_rows(read(conversion), rows, np.random.default_rng(1), missing=conversion.missing)
    assert np.isnan(edges).any() == conversion.missing or read(conversion).n_nodes == read(conversion).n_trees
    for given in (rows, edges):
        assert reading.relative(walked(conversion, given), conversion.own(given)) <= 1e-12


@pytest.mark.parametrize("name", [name for name in MODELS if hasattr(MODELS[name][0], "apply")])
def test_leaves_are_the_models_own(name: str) -> None:
    model, rows = fitted(name)
    conversion = convert(model)
    edges = reading.edge_rows(read(conversion), rows, np.random.default_rng(2), missing=conversion.missing)
    reached = np.asarray(model.apply(edges)).reshape(len(edges), -1)
    np.testing.assert_array_equal(reading.leaves(read(conversion), edges), reached)


@pytest.mark.parametrize("name", ["isolation", "isolation-columns", "bag-regressor"])
def test_leaves_on_some_columns(name: str) -> None:
    model, rows = fitted(name)
    trees = read(convert(model))
    edges = reading.edge_rows(trees, rows, np.random.default_rng(2), missing=name == "isolation")
    members = zip(model.estimators_, model.estimators_features_, strict=True)
    reached = np.stack([member.apply(edges[:, features]) for member, features in members], axis=1)
    np.testing.assert_array_equal(reading.leaves(trees, edges), reached)


@every_model
def test_network_and_conservation(name: str) -> None:
    model, rows = fitted(name)
    network = neon.neuralize(model)
    explanation = neon.Explainer(model)(rows, "all")
    scale = max(1.0, float(np.abs(explanation.prediction).max()))
    own = np.abs(convert(model).own(rows)).max()
    assert network.verify(rows) <= 1e-12 * max(scale, own)
    total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
    np.testing.assert_allclose(total, explanation.prediction, rtol=0, atol=1e-12 * scale)


def test_missing_is_taken_where_the_model_takes_it() -> None:
    for name in MODELS:
        model, rows = fitted(name)
        one = np.where(np.arange(rows.shape[1]) == 0, np.nan, X[:1])
        try:
            model.score_samples(one) if "isolation" in name else model.predict(one)
            taken = True
        except ValueError:
            taken = False
        assert convert(model).missing == taken, name


def test_covers_and_root() -> None:
    """Training weight at every node, and the training mean at the root."""
    weight = np.random.default_rng(0).random(len(X))
    model = DecisionTreeRegressor(max_depth=4).fit(X, VALUE, sample_weight=weight)
    trees = read(convert(model))
    np.testing.assert_allclose(trees.cover, model.tree_.weighted_n_node_samples, rtol=1e-12)
    np.testing.assert_allclose(trees.value[0], np.average(VALUE, weights=weight), rtol=1e-12)
    hist = HistGradientBoostingRegressor(max_iter=2).fit(X, VALUE)
    np.testing.assert_array_equal(read(convert(hist)).cover[:3], hist._predictors[0][0].nodes["count"][:3])


@pytest.mark.parametrize("name", ["isolation", "isolation-columns", "isolation-share"])
def test_outlierness(name: str) -> None:
    """The sign is the model's decision, and the path values add up to the score without a base."""
    model, rows = fitted(name)
    conversion = convert(model)
    trees, outlierness = read(conversion), walked(conversion, rows)[:, 0]
    np.testing.assert_array_equal(outlierness > 0, model.predict(rows) < 0)
    assert (outlierness > 0).any()
    assert trees.path_value is not None
    psi = model._max_samples
    c = 2 * (np.log(psi - 1) + np.euler_gamma) - 2 * (psi - 1) / psi
    expected = c * (np.log2(-model.score_samples(rows)) - np.log2(-model.offset_))
    np.testing.assert_allclose(outlierness, expected, atol=1e-13 * c)
    if name == "isolation":
        np.testing.assert_allclose(trees.path_value[trees.roots], -c / trees.n_trees, rtol=1e-14)
        np.testing.assert_allclose(expected, c * (1 + np.log2(-model.score_samples(rows))), atol=1e-13 * c)


CATEGORIES = {"letters": list("abcdefgh"), "numbers": [-3.5, 2.0, 10.0, 30.0]}


def frame(seed: int, *, missing: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {"x": rng.normal(size=200)}
    columns["letter"] = rng.choice(CATEGORIES["letters"], 200).astype(object)
    columns["number"] = rng.choice(CATEGORIES["numbers"], 200)
    columns["y"] = rng.normal(size=200)
    found = pd.DataFrame(columns)
    if missing:
        found.loc[:15, "letter"] = None
        found.loc[10:30, "number"] = np.nan
        found.loc[20:40, "x"] = np.nan
    return found


@pytest.mark.parametrize("missing", [False, True])
def test_categories(missing: bool) -> None:
    """The model's own encoder puts categorical columns first; unknown categories go where missing ones do."""
    rows = frame(0, missing=missing)
    y = rows["letter"].isin(["b", "e", "h"]) * 3.0 + (rows["number"] == 10) * 2 + rows["y"] + rows["letter"].isna()
    model = HistGradientBoostingRegressor(categorical_features=["letter", "number"], max_iter=20, min_samples_leaf=3)
    conversion = convert(model.fit(rows, y))
    trees = read(conversion)
    assert len(trees.categories) > 20
    assert conversion.encoding is not None
    assert conversion.encoding.source.tolist() == [1, 2, 0, 3]
    unseen = frame(1, missing=True)
    unseen.loc[50:60, "letter"], unseen.loc[55:70, "number"] = "z", 2.5
    for given in (rows, unseen):
        np.testing.assert_allclose(walked(conversion, given)[:, 0], model.predict(given), rtol=1e-12)
        assert neon.neuralize(model).verify(given) <= 1e-12 * np.abs(y).max()
    explanation = neon.Explainer(model)(unseen)
    assert explanation.feature_names == ("x", "letter", "number", "y")
    share = np.abs(explanation.values).mean(0)
    assert share[1] > share[0]  # what matters is the letter, under its own name


def test_category_columns_by_dtype() -> None:
    rows = frame(0).assign(letter=lambda f: f["letter"].astype("category"))
    y = rows["letter"].isin(["b", "e"]) * 3.0 + rows["y"]
    model = HistGradientBoostingRegressor(max_iter=9).fit(rows, y)
    conversion = convert(model)
    assert read(conversion).categories
    np.testing.assert_allclose(walked(conversion, rows)[:, 0], model.predict(rows), rtol=1e-12)


def test_categories_of_an_array() -> None:
    """Any numbers name categories, in any column."""
    rows = frame(0)[["x", "number", "y"]].to_numpy()
    y = (rows[:, 1] == 10) * 2 - (rows[:, 1] == -3.5) + rows[:, 2]
    model = HistGradientBoostingRegressor(categorical_features=[1], max_iter=9).fit(rows, y)
    conversion = convert(model)
    assert read(conversion).categories
    unseen = rows.copy()
    unseen[:9, 1] = [7, np.nan, -1, 2.0, 2.5, 30, 1e9, 0, -3.5]
    np.testing.assert_allclose(walked(conversion, unseen)[:, 0], model.predict(unseen), rtol=1e-12)


def test_forms() -> None:
    model, rows = fitted("forest")
    layers, relu = (neon.neuralize(model, form=form) for form in ("layers", "relu"))
    assert layers.verify(rows) <= 1e-12
    assert relu.verify(np.nan_to_num(rows)) <= 1e-12
    with pytest.raises(ValueError, match="NaN"):  # which Linear layers would spread over every output
        relu.verify(rows)
    two, rows = fitted("boosting-two")
    relu = neon.neuralize(two, form="relu")
    assert {type(layer).__name__ for layer in relu.layers} == {"Linear", "ReLU"}
    assert relu.verify(rows) <= 1e-12


@pytest.mark.parametrize("kind", [GradientBoostingClassifier, HistGradientBoostingClassifier])
def test_undecided_models_explain_the_class_that_they_predict(kind: Any) -> None:
    rows, y = np.zeros((4, 1)), np.array(["no", "yes", "no", "yes"])
    model = kind().fit(rows, y)
    explanation = neon.Explainer(model)(rows)
    assert (explanation.prediction == 0).all()
    np.testing.assert_array_equal(model.classes_[explanation.target], model.predict(rows))


def test_no_library_is_imported() -> None:
    code = (
        "import sys, neon, neon.converters.trees\n"
        "found = {'xgboost', 'lightgbm', 'catboost', 'numba'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_probability_is_linear_in_a_forest() -> None:
    model, _ = fitted("forest")
    assert convert(model, Ask("probability")).explains == "probability of a class"
    with pytest.raises(ValueError, match="choose from \\['probability'\\]"):
        convert(model, Ask("log_odds"))


STARTS: dict[str, Any] = {
    "linear": lambda: (GradientBoostingRegressor(init=LinearRegression(), **SMALL), VALUE),
    "scaled": lambda: (GradientBoostingRegressor(init=make_pipeline(StandardScaler(), Ridge()), **SMALL), VALUE),
    "machine": lambda: (GradientBoostingRegressor(init=SVR(), **SMALL), VALUE),
    "two-classes": lambda: (GradientBoostingClassifier(init=GradientBoostingClassifier(n_estimators=2), **SMALL), TWO),
    "two-classes-exponential": lambda: (
        GradientBoostingClassifier(init=HistGradientBoostingClassifier(max_iter=2), loss="exponential", **SMALL),
        TWO,
    ),
    "certain": lambda: (GradientBoostingClassifier(init=DecisionTreeClassifier(max_depth=2), **SMALL), TWO),
    "classes": lambda: (GradientBoostingClassifier(init=LogisticRegression(), **SMALL), KIND),
    "classes-of-trees": lambda: (
        GradientBoostingClassifier(init=RandomForestClassifier(4, max_depth=2), **SMALL),
        KIND,
    ),
}


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_boosting_that_starts_from_an_estimator(name: str) -> None:
    model, y = STARTS[name]()
    model = model.fit(X, y)
    rows = X + 1e-9  # which single precision does not see
    own = model.decision_function(rows) if hasattr(model, "classes_") else model.predict(rows)
    network = neon.neuralize(model)
    single = name in ("linear", "scaled", "classes")  # scikit-learn's linear models stay in single precision
    assert network.verify(rows) <= (1e-6 if single else 1e-9) * np.abs(own).max()
    explanation = neon.Explainer(network)(rows[:20], "all")
    scores = explanation.prediction if explanation.prediction.ndim == 1 else explanation.prediction[:, -1]
    expected = own[:20] if own.ndim == 1 else own[:20, -1]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=(1e-6 if single else 1e-9) * np.abs(own).max())
    assert explanation.conservation_error() <= 1e-9 * np.abs(own).max()
    if name == "linear":  # Shapley values of a sum are the sum of those of its parts
        zero = GradientBoostingRegressor(init="zero", **SMALL).fit(X, VALUE - model.init_.predict(X.astype(np.float32)))
        found = neon.Explainer(model, reference=X[:30])(X[:20]).values
        parts = neon.Explainer(zero, reference=X[:30])(X[:20]).values
        parts = parts + model.init_.coef_ * (X[:20] - X[:30].mean(0))
        np.testing.assert_allclose(found, parts, rtol=0, atol=1e-6 * np.abs(found).max())


def test_probabilities_in_single_precision_are_refused() -> None:
    model = GradientBoostingClassifier(init=LogisticRegression(max_iter=2000), **SMALL).fit(X, TWO)
    with pytest.raises(UnsupportedModelError, match="probabilities in single precision"):
        neon.neuralize(model)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
@pytest.mark.parametrize(
    "model", [RandomForestClassifier(5, random_state=0), HistGradientBoostingClassifier(max_iter=5)], ids=["rf", "hgb"]
)
def test_missing_values_of_any_kind(model: Any, backend: Any) -> None:
    """Frames whose missing values are ``<NA>``: the model is asked with the frame itself."""
    plain = pd.DataFrame({"whole": np.where(np.arange(len(X)) % 6, np.round(X[:, 0]), np.nan), "z": X[:, 6]})
    plain["flag"] = KIND > 1
    rows = plain.convert_dtypes(dtype_backend=backend)
    assert rows["whole"].isna().any()
    model.fit(plain, LABELS)
    expected, found = neon.explain(model, plain, target="all"), neon.explain(model, rows, target="all")
    np.testing.assert_array_equal(found.values, expected.values)
    assert neon.neuralize(model).verify(rows) <= 1e-12
    own = model.predict_proba(rows) if isinstance(model, RandomForestClassifier) else model.decision_function(rows)
    np.testing.assert_allclose(found.prediction, own, rtol=1e-12, atol=1e-12)


def test_the_model_is_asked_with_the_callers_rows() -> None:
    """Not with what we made of them: else a mistake of ours would confirm itself. It gets a copy that it may change."""

    class Asked(RandomForestClassifier):
        def predict_proba(self, X: Any) -> np.ndarray:
            assert X is not rows
            pd.testing.assert_frame_equal(X, rows)
            return super().predict_proba(X)

    rows = pd.DataFrame({"a": X[:, 0], "b": KIND.astype(np.int8), "c": KIND > 0})
    model = Asked(3, random_state=0).fit(rows, LABELS)
    assert neon.neuralize(model).verify(rows) <= 1e-15


@pytest.mark.parametrize(
    "model", [HistGradientBoostingClassifier(max_iter=2), AdaBoostClassifier(n_estimators=2)], ids=["hist", "adaboost"]
)
def test_one_class_alone_is_refused(model: Any) -> None:
    with pytest.raises(UnsupportedModelError, match="fitted on one class alone, 'ok'"):
        neon.neuralize(model.fit(X, np.array(["ok"] * len(X))))


MONOTONE: dict[str, Any] = {"monotonic_cst": [1] + [0] * 12, "max_depth": 3, "random_state": 0}


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(**MONOTONE),
        DecisionTreeRegressor(**MONOTONE),
        RandomForestClassifier(3, **MONOTONE),
        BaggingClassifier(DecisionTreeClassifier(**MONOTONE), 3, random_state=0),
        VotingClassifier([("a", DecisionTreeClassifier(**MONOTONE))]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_monotone_trees_take_missing_values_as_the_model_does(model: Any) -> None:
    model.fit(X, TWO)
    try:
        own = model.predict(HOLES) if not hasattr(model, "predict_proba") else model.predict_proba(HOLES)
    except (ValueError, AttributeError):
        own = None
    if isinstance(model, VotingClassifier):
        np.testing.assert_array_equal(neon.explain(model, HOLES).target, model.predict(HOLES))
    elif own is None:
        with pytest.raises(ValueError, match="NaN"):
            neon.explain(model, HOLES)
    else:
        found = neon.explain(model, HOLES, target="all").prediction.reshape(own.shape)
        np.testing.assert_allclose(found, own, rtol=1e-12, atol=1e-12)


SMALL_TREE: dict[str, Any] = {"max_depth": 3, "random_state": 0}
AROUND_TREES = {
    "one-vs-rest": lambda: OneVsRestClassifier(DecisionTreeClassifier(**SMALL_TREE)).fit(X, KIND),
    "calibrated": lambda: CalibratedClassifierCV(DecisionTreeClassifier(**SMALL_TREE), cv=2).fit(X, TWO),
    "stacking": lambda: StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(**SMALL_TREE))]).fit(X, VALUE),
    "voting": lambda: VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(**SMALL_TREE))]).fit(X, VALUE),
    "chain": lambda: RegressorChain(DecisionTreeRegressor(**SMALL_TREE)).fit(X, TARGETS),
    "pipeline": lambda: make_pipeline(StandardScaler(), DecisionTreeRegressor(**SMALL_TREE)).fit(X, VALUE),
}


@pytest.mark.parametrize("kind", AROUND_TREES)
def test_reference_rows_of_trees_inside_others(kind: str) -> None:
    """A reference row has the base value for its prediction, and no relevance."""
    model = AROUND_TREES[kind]()
    for row in (X[:1], X[100:101]):
        explainer = neon.Explainer(model, reference=row)
        itself = explainer(row, "all")
        np.testing.assert_allclose(itself.base_values, itself.prediction, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(itself.values, 0.0, atol=1e-9)
        others = explainer(X[50:60], "all")
        np.testing.assert_allclose(others.base_values, np.broadcast_to(itself.base_values, others.base_values.shape))
        assert others.conservation_error() <= 1e-9 * max(1.0, np.abs(others.prediction).max())
