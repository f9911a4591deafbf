"""`explanation.interactions`: other libraries' values, columns of the caller, and what is done with explanations."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import neon
from neon.explainer import chunks
from tests.trees import textbook


def close(found, expected, tolerance=1e-9):
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


def rows_and_values(n=150, n_features=6, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, n_features)).astype(np.float32).astype(np.float64)
    y = X[:, 0] * X[:, 1] + np.abs(X[:, 2]) * (X[:, 3] > 0) + 0.1 * random.normal(size=n)
    return X, y


def mixed_frame(n=200, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "colour": random.choice(["red", "green", "blue"], n),
            "size": random.normal(size=n),
            "shape": random.choice(["round", "square"], n),
            "age": random.integers(1, 9, n).astype(float),
        }
    )
    y = frame["size"] * (frame["colour"] == "red") + frame["age"] * (frame["shape"] == "round")
    return frame, y.to_numpy()


def one_hot_forest(frame, y):
    encoder = ColumnTransformer(
        [("labels", OneHotEncoder(), ["colour", "shape"]), ("numbers", StandardScaler(), ["size", "age"])]
    )
    return make_pipeline(encoder, RandomForestRegressor(5, max_depth=6, random_state=0)).fit(frame, y)


def test_one_hot_columns_against_brute_force():
    """The interaction of two columns is the sum over the columns made from them."""
    frame, y = mixed_frame()
    model = one_hot_forest(frame, y)
    found = neon.explain(model, frame[:4], interactions=True)
    encoder, forest = model[:-1], model[-1]
    encoded = np.asarray(encoder.transform(frame[:4]))
    expected = np.zeros((4, 4, 4))
    # colour: encoded columns 0-2, shape: 3-4, size: 5, age: 6; in the frame: colour, size, shape, age.
    columns = [[0, 1, 2], [5], [3, 4], [6]]
    trees = neon.neuralize(forest).layers[0].trees
    for row, x in enumerate(encoded):
        square = textbook.interactions(lambda s, x=x: textbook.mean_given(trees, x, s), 7)[..., 0]
        for (i, own), (j, other) in itertools.product(enumerate(columns), repeat=2):
            expected[row, i, j] = square[np.ix_(own, other)].sum()
    close(found.interactions, expected)
    close(found.interactions.sum(2), found.values)
    assert found.encoded.interactions is None


@pytest.mark.parametrize("model", [RandomForestRegressor, HistGradientBoostingRegressor])
def test_shap(model):
    shap = pytest.importorskip("shap")
    X, y = rows_and_values()
    fitted = model(max_depth=5, random_state=0).fit(X, y)
    explainer = shap.TreeExplainer(fitted, feature_perturbation="tree_path_dependent")
    close(neon.explain(fitted, X[:30], interactions=True).interactions, explainer.shap_interaction_values(X[:30]), 1e-8)


def test_shap_of_all_classes():
    shap = pytest.importorskip("shap")
    X, y = rows_and_values()
    labels = np.digitize(y, [-0.3, 0.5])
    forest = RandomForestClassifier(6, max_depth=5, random_state=0).fit(X, labels)
    expected = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent").shap_interaction_values(X[:20])
    every = neon.explain(forest, X[:20], "all", interactions=True)
    close(every.interactions, expected, 1e-8)
    predicted = neon.explain(forest, X[:20], interactions=True)
    chosen = np.take_along_axis(every.interactions, predicted.target[:, None, None, None], 3)[..., 0]
    close(predicted.interactions, chosen)
    close(every.select("1").interactions, every.interactions[..., 1])


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_xgboost(objective):
    xgboost = pytest.importorskip("xgboost")
    X, y = rows_and_values()
    X[::7, 2] = np.nan
    kind = xgboost.XGBRegressor if objective.startswith("reg") else xgboost.XGBClassifier
    labels = {"reg:squarederror": y, "binary:logistic": y > 0, "multi:softprob": np.digitize(y, [-0.3, 0.5])}[objective]
    model = kind(n_estimators=12, max_depth=4, objective=objective, n_jobs=1).fit(X, labels)
    own = model.get_booster().predict(xgboost.DMatrix(X), pred_interactions=True)
    if objective.startswith("multi"):
        found = neon.explain(model, X, "all", interactions=True).interactions
        own = np.moveaxis(own, 1, -1)
    else:
        target = 1 if objective.startswith("binary") else None
        found = neon.explain(model, X, target, interactions=True).interactions
    close(found, own[:, :-1, :-1], 1e-5)  # XGBoost adds up in float32


def test_native_categories_against_xgboost():
    xgboost = pytest.importorskip("xgboost", minversion="3.1")
    frame, y = mixed_frame()
    frame[["colour", "shape"]] = frame[["colour", "shape"]].astype("category")
    model = xgboost.XGBRegressor(n_estimators=10, max_depth=4, enable_categorical=True, n_jobs=1).fit(frame, y)
    own = model.get_booster().predict(xgboost.DMatrix(frame, enable_categorical=True), pred_interactions=True)
    close(neon.explain(model, frame, interactions=True).interactions, own[:, :-1, :-1], 1e-5)


def test_reference_rows():
    """Half the difference of differences, averaged over the orders: brute force of four features."""
    X, y = rows_and_values(n_features=4)
    model = RandomForestRegressor(4, max_depth=5, random_state=0).fit(X, y)
    trees = neon.neuralize(model).layers[0].trees
    explainer = neon.Explainer(model, reference=X[100:109])
    found = explainer(X[:5], interactions=True)
    expected = [textbook.interactions(lambda s, x=x: textbook.mixed(trees, x, s, X[100:109]), 4)[..., 0] for x in X[:5]]
    close(found.interactions, np.array(expected))


TREE = DecisionTreeRegressor(max_depth=4, random_state=0)
FOREST = RandomForestRegressor(3, max_depth=3, random_state=1)
SUMS_OF_TREES = {
    "binary boosting": (GradientBoostingClassifier(n_estimators=4), lambda y: y > 0),
    "isolation": (IsolationForest(n_estimators=8, random_state=0), lambda y: None),
    "several targets": (MultiOutputRegressor(TREE), lambda y: np.c_[y, -(y**2)]),
    "voting": (VotingRegressor([("tree", TREE), ("forest", FOREST)]), lambda y: y),
    "voting with a line": (VotingRegressor([("tree", TREE), ("line", LinearRegression())]), lambda y: y),
    "scaled target": (TransformedTargetRegressor(TREE, transformer=StandardScaler()), lambda y: y),
    "scaled input": (make_pipeline(StandardScaler(), FOREST), lambda y: y),
    "a constant": (TREE, np.ones_like),
}


@pytest.mark.parametrize("name", SUMS_OF_TREES)
def test_rows_add_up_to_the_relevance(name):
    X, y = rows_and_values()
    model, labels = SUMS_OF_TREES[name]
    found = neon.explain(clone(model).fit(X, labels(y)), X[:25], "all", interactions=True)
    assert found.interactions.shape == (25, 6, 6, len(found.output_names))
    scale = max(np.abs(found.values).max(), 1e-300)
    assert np.abs(found.interactions.sum(2) - found.values).max() <= 1e-12 * scale
    assert np.abs(found.interactions - found.interactions.swapaxes(1, 2)).max() <= 1e-12 * scale


def test_members_are_weighted():
    X, y = rows_and_values()
    model = VotingRegressor([("tree", TREE), ("line", LinearRegression())], weights=[3, 1]).fit(X, y)
    own = neon.explain(model.estimators_[0], X[:9], interactions=True).interactions
    found = neon.explain(model, X[:9], interactions=True).interactions
    off = ~np.eye(6, dtype=bool)
    close(found[:, off], 0.75 * own[:, off])


def test_two_classes_are_opposite():
    X, y = rows_and_values()
    every = neon.explain(GradientBoostingClassifier(n_estimators=4).fit(X, y > 0), X[:9], "all", interactions=True)
    close(every.interactions[..., 0], -every.interactions[..., 1])


@pytest.fixture(scope="module")
def explained():
    X, y = rows_and_values(60, 4)
    model = RandomForestClassifier(4, max_depth=4, random_state=0).fit(X, np.digitize(y, [-0.3, 0.5]))
    return neon.explain(model, X, "all", interactions=True)


def test_rows_outputs_and_means(explained):
    squares = explained.interactions
    assert not squares.flags.writeable
    assert np.array_equal(explained[3:7].interactions, squares[3:7])
    assert np.array_equal(explained[explained.values[:, 0, 0] > 0].interactions, squares[explained.values[:, 0, 0] > 0])
    assert np.array_equal(explained[5].select("2").interactions, squares[5:6, ..., 2])
    close(explained.mean().interactions, squares.mean(0, keepdims=True))
    back = pickle.loads(pickle.dumps(explained))
    assert np.array_equal(back.interactions, squares)
    assert not back.interactions.flags.writeable


def test_features_that_are_picked_and_grouped(explained):
    assert explained[:, [0, 2]].interactions is None  # what is left no longer adds up to its relevance
    order = [2, 0, 3, 1]
    assert np.array_equal(explained[:, order].interactions, explained.interactions[:, order][:, :, order])
    grouped = explained.group({"pair": [1, 3]})
    assert grouped.interactions.shape == (60, 3, 3, 3)
    close(grouped.interactions.sum(2), grouped.values)
    close(grouped.interactions[:, 1, 1], explained.interactions[:, [1, 3]][:, :, [1, 3]].sum((1, 2)))
    close(grouped.interactions[:, 0, 2], explained.interactions[:, 0, 2])
    assert explained.abs.interactions is None


def test_not_asked_for():
    X, y = rows_and_values(40)
    model = DecisionTreeRegressor().fit(X, y)
    plain, asked = neon.explain(model, X), neon.explain(model, X, interactions=True)
    assert plain.interactions is None
    assert np.array_equal(plain.values, asked.values)
    assert neon.explain(model, X[:0], interactions=True).interactions.shape == (0, 6, 6)


def test_wrong_shape(explained):
    with pytest.raises(ValueError, match="interactions: expected shape"):
        replace(explained, interactions=explained.interactions[:, :3])


def test_memory_is_bounded(monkeypatch):
    """A chunk's squares fit the budget, however many rows there are."""
    X, y = rows_and_values(70)
    model = RandomForestRegressor(3, max_depth=4, random_state=0).fit(X, y)
    whole = neon.explain(model, X, interactions=True).interactions
    sizes = []

    def together(explainer, recording, order, target):
        sizes.append(len(target))
        return original(explainer, recording, order, target)

    original = neon.Explainer._interactions
    monkeypatch.setattr(neon.Explainer, "_interactions", together)
    explainer = neon.Explainer(model)
    monkeypatch.setattr(chunks, "_MEMORY", 8 * 6 * 6 * 3 * 16)
    chunked = explainer(X, interactions=True).interactions
    assert sizes == [16, 16, 16, 16, 6]
    close(chunked, whole)
    sizes.clear()
    explainer.batch_size = 40
    explainer(X, interactions=True)
    assert sizes == [40, 30]


def test_float32():
    X, y = rows_and_values(40)
    model = RandomForestRegressor(3, max_depth=4, random_state=0).fit(X, y)
    single = neon.explain(model, X, interactions=True, dtype=torch.float32).interactions
    close(single, neon.explain(model, X, interactions=True).interactions, 1e-5)


@pytest.mark.parametrize("composite", ["path", "equal"])
def test_rules_of_first_order_only(composite):
    X, y = rows_and_values(40)
    with pytest.raises(ValueError, match=f"'{composite}' has no second order"):
        neon.explain(DecisionTreeRegressor().fit(X, y), X, composite=composite, interactions=True)


def test_models_that_are_no_sum_of_trees():
    X, y = rows_and_values()
    forest = RandomForestRegressor(3, max_depth=3, random_state=0)
    with pytest.raises(ValueError, match="no trees"):
        neon.explain(LinearRegression().fit(X, y), X, interactions=True)
    with pytest.raises(ValueError, match="mixes columns"):
        neon.explain(make_pipeline(PCA(2), forest).fit(X, y), X, interactions=True)
    calibrated = CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=3), cv=2).fit(X, y > 0)
    with pytest.raises(ValueError, match="no linear map"):
        neon.explain(calibrated, X, interactions=True)
    with pytest.raises(ValueError, match="give a label"):
        neon.explain(torch.nn.Linear(6, 1), X.astype(np.float32), interactions=True)
    with pytest.raises(ValueError, match="give a label"):
        neon.explain(forest.fit(X, y), X, lambda output: output, interactions=True)
