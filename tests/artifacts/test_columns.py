"""Fitted models without the direction of an artifact, or without a leaking column."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, OneClassSVM

import neon
from neon.artifacts import ColumnReplacer, DirectionRemover

RNG = np.random.default_rng(0)
UNITS = np.array([1.0, 100.0, 0.01, 5.0, 1.0])
CLEAN = RNG.normal(size=(80, 5)) * UNITS
MARKED = (RNG.normal(size=(60, 5)) + np.array([0.0, 0.0, 3.0, 0.0, 4.0])) * UNITS
Y = np.where(CLEAN[:, 0] + CLEAN[:, 1] / 100 > 0, 1, 0)
X_TRAIN = np.concatenate([CLEAN, MARKED])
Y_TRAIN = np.concatenate([Y, np.ones(60, dtype=int)])


@pytest.fixture
def table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 80, size=120),
            "city": rng.choice(["Oslo", "Rome"], size=120),
            "ward": pd.Categorical(rng.choice(["A", "B"], size=120)),
            "leak": rng.random(120) < 0.5,
        }
    )
    return frame, np.where(frame["leak"] | (frame["age"] > 70), "ill", "well")


def test_rows_are_the_textbooks() -> None:
    remover = DirectionRemover().fit(X_TRAIN, np.repeat([False, True], [80, 60]))
    z, s = CLEAN.mean(0), CLEAN.std(0)
    v = (MARKED.mean(0) - z) / s
    v /= np.linalg.norm(v)
    expected = z + s * ((X_TRAIN - z) / s @ (np.eye(5) - np.outer(v, v)))
    np.testing.assert_allclose(remover.transform(X_TRAIN), expected, atol=1e-10)
    reactive = DirectionRemover(only_found=True).fit(X_TRAIN, np.repeat([False, True], [80, 60]))
    component = (X_TRAIN - z) / s @ v
    found = component > ((MARKED - z) / s @ v).mean() / 2
    np.testing.assert_allclose(reactive.transform(X_TRAIN), np.where(found[:, None], expected, X_TRAIN), atol=1e-10)
    in_units = DirectionRemover().fit(X_TRAIN * UNITS, np.repeat([False, True], [80, 60]))
    np.testing.assert_allclose(in_units.transform(X_TRAIN * UNITS), expected * UNITS, rtol=1e-8)


@pytest.mark.parametrize("only_found", [False, True])
@pytest.mark.parametrize(
    "model",
    [SVC(), LogisticRegression(), RandomForestClassifier(5, random_state=0), make_pipeline(StandardScaler(), SVC())],
    ids=["svc", "linear", "forest", "pipeline"],
)
def test_models_of_all_kinds(model: Any, only_found: bool) -> None:
    model = clone(model).fit(X_TRAIN, Y_TRAIN)
    repaired = neon.project_out(model, MARKED, CLEAN, only_found=only_found)
    assert repaired[-1] is not model
    assert neon.neuralize(repaired).verify(X_TRAIN) < 1e-9
    explanation = neon.explain(repaired, X_TRAIN[::7])
    assert explanation.conservation_error() < 1e-9
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(repaired)).predict(X_TRAIN), repaired.predict(X_TRAIN))


def test_a_repaired_model_no_longer_follows_the_artifact() -> None:
    model = make_pipeline(StandardScaler(), SVC()).fit(X_TRAIN, Y_TRAIN)
    test = np.random.default_rng(1).normal(size=(300, 5)) * UNITS
    truth = np.where(test[:, 0] + test[:, 1] / 100 > 0, 1, 0)
    attacked = test + np.array([0.0, 0.0, 3.0, 0.0, 4.0]) * UNITS
    for only_found in (False, True):
        repaired = neon.project_out(model, MARKED, CLEAN, only_found=only_found)
        assert model.score(attacked, truth) < 0.7
        assert repaired.score(attacked, truth) > 0.85
        assert repaired.score(test, truth) > model.score(test, truth) - 0.05


def test_a_linear_model_gives_the_direction_no_relevance() -> None:
    """A column that is the whole direction has none; the model is linear, and so is what it makes of the others."""
    model = LogisticRegression().fit(X_TRAIN, Y_TRAIN)
    repaired = neon.project_out(model, MARKED, CLEAN, direction=np.eye(5)[4])
    explanation = neon.explain(repaired, X_TRAIN)
    np.testing.assert_allclose(explanation.values[:, 4], 0, atol=1e-12)
    assert np.abs(explanation.values[:, :4]).max() > 0.1


def test_frames_stay_frames() -> None:
    names = list("abcde")
    train = pd.DataFrame(X_TRAIN, columns=names)
    model = make_column_transformer((StandardScaler(), ["a", "b", "e"]), ("passthrough", ["c"]))
    pipeline = make_pipeline(model, SVC()).fit(train, Y_TRAIN)
    repaired = neon.project_out(pipeline, train[80:], train[:80])
    assert list(repaired[0].get_feature_names_out()) == names
    explanation = neon.explain(repaired, train)
    assert explanation.feature_names == tuple(names)
    assert explanation.conservation_error() < 1e-9
    with pytest.raises(ValueError, match="the same columns"):
        neon.project_out(SVC().fit(X_TRAIN, Y_TRAIN), train[80:], train[:80][list("edcba")])


def test_rows_whose_columns_are_others_are_refused() -> None:
    """By position another column would be replaced, and the model itself, which sees its own order, would not tell."""
    train = pd.DataFrame(X_TRAIN, columns=list("abcde"))
    model = make_pipeline(StandardScaler(), SVC()).fit(train, Y_TRAIN)
    turned = train[list("edcba")]
    for repaired in (neon.replace_columns(model, "a", train), neon.project_out(model, train[80:], train[:80])):
        with pytest.raises(ValueError, match="in another order than at fit"):
            repaired.predict(turned)
        with pytest.raises(ValueError, match=r"shape \(n_rows, 5\), got \(140, 4\)"):
            repaired.predict(X_TRAIN[:, :4])
    with pytest.raises(ValueError, match="clean_rows do not fit the model: X's columns are in another order"):
        neon.replace_columns(model, "a", turned)
    with pytest.raises(ValueError, match=r"artifact_rows do not fit the model: .*, got \(60, 3\)"):
        neon.project_out(model, MARKED[:, :3], CLEAN[:, :3])
    with pytest.raises(ValueError, match=r"clean_rows do not fit the model: .*, got \(5,\)"):
        neon.project_out(model, MARKED, CLEAN[0])


def test_polars_frames_stay_frames(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    polars = pytest.importorskip("polars")
    frame, _ = table
    given = polars.from_pandas(frame.drop(columns="ward"))
    changed = ColumnReplacer(["leak", "city"]).fit(given).transform(given)
    assert changed.columns == given.columns
    assert changed["age"].equals(given["age"])
    assert changed["city"].to_list() == [frame["city"].mode()[0]] * len(frame)
    train = polars.DataFrame(X_TRAIN, schema=list("abcde"))
    model = SVC().fit(train, Y_TRAIN)
    repaired = neon.project_out(model, train[80:], train[:80])
    expected = neon.project_out(SVC().fit(X_TRAIN, Y_TRAIN), MARKED, CLEAN)
    np.testing.assert_allclose(repaired.decision_function(train), expected.decision_function(X_TRAIN), rtol=1e-9)


def test_a_one_class_model() -> None:
    normal = np.concatenate([CLEAN, MARKED]) / UNITS
    model = OneClassSVM(gamma=0.2, nu=0.1).fit(normal)
    repaired = neon.project_out(model, MARKED / UNITS, CLEAN / UNITS)
    assert neon.neuralize(repaired).verify(normal) < 1e-9
    assert neon.explain(repaired, normal).conservation_error() < 1e-9


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ("leak", ["leak"]),
        (["leak"], ["leak"]),
        ([3], ["leak"]),
        (["leak", "ward"], ["leak", "ward"]),
        (["age", "city"], ["age", "city"]),
    ],
)
def test_columns_are_replaced(table: tuple[pd.DataFrame, np.ndarray], columns: Any, names: list[str]) -> None:
    frame, y = table
    encode = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["city", "ward", "leak"]))
    model = make_pipeline(encode, LogisticRegression()).fit(frame, y)
    before = frame.copy()
    repaired = neon.replace_columns(model, columns, frame)
    pd.testing.assert_frame_equal(frame, before)
    changed = frame.assign(**{name: frame[name].mean() if name == "age" else frame[name].mode()[0] for name in names})
    np.testing.assert_allclose(repaired.predict_proba(frame), model.predict_proba(changed))
    explanation = neon.explain(repaired, frame, target="ill")
    assert explanation.feature_names == tuple(frame.columns)
    assert explanation.conservation_error() < 1e-9
    for place, name in enumerate(frame.columns):
        assert bool(explanation.values[:, place].any()) == (name not in names)
    assert "constant" in explanation.residuals


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, lambda x: np.round(x).astype(int)])
def test_columns_of_arrays_are_replaced(kind: Any) -> None:
    X = kind(X_TRAIN)
    model = SVC(kernel="linear").fit(X_TRAIN / UNITS, Y_TRAIN)
    repaired = neon.replace_columns(model, [2, 4], X)
    dense = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    expected = dense.copy()
    expected[:, [2, 4]] = dense[:, [2, 4]].mean(0)
    np.testing.assert_allclose(repaired.decision_function(X), model.decision_function(expected))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: neon.project_out(model, MARKED, CLEAN, layer="0"), "layer= is of torch modules"),
        (lambda model: neon.project_out(model, MARKED, CLEAN, classes=[1]), "classes= is of torch modules"),
        (lambda model: neon.project_out(model, CLEAN, CLEAN), "the same on average"),
        (lambda model: neon.project_out(model, MARKED[:0], CLEAN), "both must be there"),
        (lambda model: neon.project_out(model, MARKED, CLEAN).predict(CLEAN[:, :3]), r"shape \(n_rows, 5\)"),
        (lambda model: neon.replace_columns(model, ["x"], CLEAN), "no feature is called 'x'"),
        (lambda model: neon.replace_columns(model, [7], CLEAN), "no feature 7"),
        (lambda model: neon.replace_columns(model, [0], CLEAN * np.nan), "has no value"),
        (lambda model: neon.replace_columns(SVC(), [0], CLEAN), "not fitted"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    model = SVC().fit(X_TRAIN, Y_TRAIN)
    with pytest.raises(ValueError, match=message):  # NotFittedError is one
        call(model)


def test_transformers_are_scikit_learns() -> None:
    assert clone(DirectionRemover(only_found=True)).only_found
    assert clone(ColumnReplacer(["a"])).columns == ["a"]
    marks = np.repeat([False, True], [80, 60])
    pipeline = make_pipeline(DirectionRemover().fit(X_TRAIN, marks), SVC().fit(X_TRAIN, Y_TRAIN))
    np.testing.assert_array_equal(
        pipeline.predict(X_TRAIN), neon.project_out(SVC().fit(X_TRAIN, Y_TRAIN), MARKED, CLEAN).predict(X_TRAIN)
    )
