"""What preprocessing does to relevance, and cases that are easy to get wrong."""

from __future__ import annotations

import datetime
import importlib
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

import neon
from neon.converters import register_encoder, register_linear
from neon.converters.core.encoded_columns import Encoding
from tests.contract.case import SKLEARN
from tests.contract.preprocessing import mixed, target_encoder, with_holes

pytestmark = pytest.mark.usefixtures("one_pass")

importlib.import_module("sklearn.experimental.enable_iterative_imputer")
IterativeImputer = importlib.import_module("sklearn.impute").IterativeImputer


@pytest.fixture(scope="module")
def wine() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    return X[::2, :5], y[::2]


def encoding_of(model: Any) -> Encoding:
    encoding = neon.neuralize(model).intake.encoding
    assert encoding is not None
    return encoding


def columns_that_matter(model: Any, rows: pd.DataFrame, transform: Any) -> list[set[int]]:
    """By brute force: for each output column, the input columns that it changes with."""
    before = dense(transform(rows))
    found: list[set[int]] = [set() for _ in range(before.shape[1])]
    for position, name in enumerate(rows.columns):
        changed = rows.copy()
        changed[name] = rows[name].to_numpy()[::-1]
        for column in np.flatnonzero((dense(transform(changed)) != before).any(0)):
            found[column].add(position)
    return found


def dense(rows: Any) -> np.ndarray:
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=float)


ENCODERS = {
    "one-hot": OneHotEncoder(),
    "one-hot drop": OneHotEncoder(drop="first"),
    "one-hot if binary": OneHotEncoder(drop="if_binary", sparse_output=False),
    "one-hot infrequent": OneHotEncoder(min_frequency=45, handle_unknown="infrequent_if_exist"),
    "one-hot infrequent and dropped": OneHotEncoder(max_categories=2, drop="first"),
    "ordinal": OrdinalEncoder(),
    "target, three classes": target_encoder(3),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_provenance_of_strings_is_what_changes_the_output(name: str) -> None:
    X, _ = mixed()
    strings = X[["city", "size"]].assign(two=np.where(X["age"] > 40, "a", "b"))
    y = np.digitize(X["age"], [35, 45])
    model = make_pipeline(ENCODERS[name], Ridge()).fit(strings, y)
    encoding = encoding_of(model)
    found = columns_that_matter(model, strings, model[:-1].transform)
    assert [{source} for source in encoding.source] == found
    assert list(encoding.names) == list(model[0].get_feature_names_out())


@pytest.mark.parametrize(
    "transformer",
    [
        KBinsDiscretizer(4, strategy="uniform"),
        SplineTransformer(include_bias=False),
        AdditiveChi2Sampler(sample_steps=3),
        MinMaxScaler(clip=True),
        SelectKBest(k=2),
        make_union(MinMaxScaler(), SelectKBest(k=1)),
    ],
    ids=lambda transformer: type(transformer).__name__,
)
def test_provenance_of_numbers_is_what_changes_the_output(transformer: Any, wine: tuple) -> None:
    X = pd.DataFrame(wine[0], columns=list("abcde"))
    model = make_pipeline(MinMaxScaler(), transformer, Ridge()).fit(X, wine[1])
    encoding = encoding_of(model)
    found = columns_that_matter(model, X, model[:-1].transform)
    assert all(columns <= {source} for source, columns in zip(encoding.source, found, strict=True))
    assert sum(map(len, found)) >= 0.9 * len(found)  # a bin that no row is in does not change


def test_relevance_of_encoded_columns_adds_up_to_the_callers_columns() -> None:
    """Mixed types, a linear model: relevance is coefficient times value, summed by hand."""
    X, y = mixed()
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (OneHotEncoder(), ["city", "size"]),
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X, y)
    explanation = neon.explain(model, X, "yes")
    parts = dense(columns.transform(X)) * model[-1].coef_
    by_hand = {
        "age": parts[:, 0], "income": parts[:, 1], "debt": parts[:, 2],
        "city": parts[:, 3:6].sum(1), "size": parts[:, 6:].sum(1),
    }  # fmt: skip
    for name, expected in by_hand.items():
        found = explanation.values[:, explanation.feature_names.index(name)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert explanation.encoded is not None
    np.testing.assert_allclose(explanation.encoded.values, parts, rtol=0, atol=1e-12)
    assert explanation.encoded.feature_names[3] == "city_Berlin"
    np.testing.assert_allclose(explanation.prediction, model.decision_function(X), rtol=0, atol=1e-12)


def two_columns() -> Any:
    return make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["city"]), remainder="drop")


@pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn read polars by a protocol that polars 2 has dropped")
def test_frames_of_polars() -> None:
    X, y = mixed()
    pandas = neon.explain(make_pipeline(two_columns(), SVC()).fit(X, y), X)
    polars = neon.explain(make_pipeline(two_columns(), SVC()).fit(pl.from_pandas(X), y), pl.from_pandas(X))
    np.testing.assert_array_equal(polars.values, pandas.values)


def test_frames_of_pandas_and_arrays_of_objects() -> None:
    X, y = mixed()
    columns = two_columns()
    pandas = neon.explain(make_pipeline(columns, SVC()).fit(X, y), X)
    by_position = make_column_transformer((StandardScaler(), [0]), (OneHotEncoder(), [-4]))
    objects = X.to_numpy(dtype=object)
    array = neon.explain(make_pipeline(by_position, SVC()).fit(objects, y), objects)
    np.testing.assert_allclose(array.values, pandas.values, rtol=0, atol=1e-12)
    named = make_pipeline(columns, SVC()).fit(X, y)
    np.testing.assert_allclose(neon.explain(named, objects).values, pandas.values, rtol=0, atol=1e-12)
    framed = make_pipeline(columns.set_output(transform="default"), SVC())
    framed[0].sparse_threshold = 0
    framed[0].set_output(transform="pandas")
    framed[0].named_transformers_["onehotencoder"].sparse_output = False
    framed[0].transformers[1][1].sparse_output = False
    np.testing.assert_allclose(neon.explain(framed.fit(X, y), X).values, pandas.values, rtol=0, atol=1e-12)


def test_unknown_categories_are_scikit_learns_own_error() -> None:
    X, y = mixed()
    model = make_pipeline(OneHotEncoder(), Ridge()).fit(X[["city"]], y == "yes")
    with pytest.raises(ValueError, match="unknown categories \\['Atlantis'\\]"):
        neon.explain(model, pd.DataFrame({"city": ["Atlantis"]}))


def test_a_dropped_column_has_no_relevance_and_no_influence() -> None:
    X, y = mixed()
    model = make_pipeline(make_column_transformer((StandardScaler(), ["age", "debt"])), SVC()).fit(X, y)
    explanation = neon.explain(model, X)
    changed = neon.explain(model, X.assign(city="nowhere", income=np.nan))
    np.testing.assert_array_equal(explanation.values, changed.values)
    assert not explanation.values[:, [1, 2, 3]].any()


def test_imputed_entries_are_flagged_where_they_were_missing() -> None:
    X, y = with_holes()
    X = np.column_stack([X, np.full(len(X), np.nan)])  # a column without any value is dropped
    holes = np.isnan(X)
    for imputer in (SimpleImputer(add_indicator=True), KNNImputer(), IterativeImputer(max_iter=2, tol=1.0)):
        for steps in ((imputer, StandardScaler()), (StandardScaler(), imputer)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn's own, about the empty column
                model = make_pipeline(*steps, Ridge()).fit(X, y)
                explanation = neon.explain(model, X)
            assert explanation.imputed is not None
            np.testing.assert_array_equal(explanation.imputed, holes)
            assert explanation.conservation_error() <= 1e-9
            indicators = isinstance(imputer, SimpleImputer)
            assert (X.shape[1] - 1 in encoding_of(model).source) == indicators  # of the dropped column, its indicator


@pytest.mark.parametrize("imputer", [SimpleImputer(add_indicator=True), MissingIndicator(), KNNImputer()])
def test_provenance_of_imputers(imputer: Any) -> None:
    """By brute force: the columns that change when an entry of a column with holes goes missing, or changes."""
    X, y = with_holes()
    X = np.column_stack([X[:, :3], load_wine(return_X_y=True)[0][::2, 8:10]])  # the last two have no holes
    model = make_pipeline(imputer, Ridge()).fit(X, y)
    encoding, row = encoding_of(model), np.flatnonzero(~np.isnan(X).any(1))[:1]
    for column in range(X.shape[1]):
        for value in (np.nan, 1e3) if column < 3 else (1e3,):
            changed = X[row].copy()
            changed[0, column] = value
            differs = model[0].transform(changed)[0] != model[0].transform(X[row])[0]
            assert set(np.flatnonzero(differs)) <= set(np.flatnonzero(encoding.source == column))
            assert differs.any() or value == 1e3


def test_imputers_of_strings_inside_columns() -> None:
    X, y = mixed()
    X = X.assign(city=X["city"].astype(object).where(X.index % 5 > 0, None))
    text = make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=None), OneHotEncoder())
    columns = make_column_transformer((text, ["city", "size"]), (StandardScaler(), ["age"]))
    explanation = neon.explain(make_pipeline(columns, SVC()).fit(X, y), X)
    assert explanation.imputed is not None
    np.testing.assert_array_equal(explanation.imputed[:, 1], X.index % 5 == 0)
    assert not np.delete(explanation.imputed, 1, axis=1).any()


def test_what_is_held_fixed_is_stated(wine: tuple) -> None:
    X, y = wine
    assert encoding_of(make_pipeline(Normalizer(), Ridge()).fit(X, y)).states == ("the norm of a row",)
    model = make_pipeline(KNNImputer(), StandardScaler(), Ridge()).fit(X, y)
    assert encoding_of(model).states == ("what other columns say about a missing entry",)
    assert encoding_of(make_pipeline(SimpleImputer(), Ridge()).fit(X, y)).states == ()


def test_normalizer_with_its_norm_frozen(wine: tuple) -> None:
    X, y = wine
    model = make_pipeline(Normalizer(), Ridge()).fit(X, y)
    expected = X / np.linalg.norm(X, axis=1, keepdims=True) * model[-1].coef_
    np.testing.assert_allclose(neon.explain(model, X).values, expected, rtol=0, atol=1e-12)


def test_polynomials_share_by_exponents(wine: tuple) -> None:
    X, y = StandardScaler().fit_transform(wine[0]), wine[1]
    model = make_pipeline(PolynomialFeatures(2), Ridge()).fit(X, y)
    expected = np.zeros_like(X)
    for product, weight, powers in zip(model[0].transform(X).T, model[-1].coef_, model[0].powers_, strict=True):
        expected += np.outer(weight * product, powers / max(powers.sum(), 1))
    explanation = neon.explain(model, X)
    np.testing.assert_allclose(explanation.values, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(explanation.base_values, np.repeat(model.predict(np.zeros((1, 5))), len(X)), rtol=1e-12)


def test_weighted_and_dropped_branches_of_a_union(wine: tuple) -> None:
    X, y = wine
    union = FeatureUnion(
        [("none", "drop"), ("raw", "passthrough"), ("scaled", StandardScaler())], transformer_weights={"scaled": 2.0}
    )
    model = make_pipeline(union, Ridge()).fit(X, y)
    coefficients = model[-1].coef_
    scaled = (X - X.mean(0)) / X.std(0)
    explanation = neon.Explainer(model, reference=X.mean(0))(X)
    expected = (X - X.mean(0)) * coefficients[:5] + 2 * scaled * coefficients[5:]
    np.testing.assert_allclose(explanation.values, expected, rtol=0, atol=1e-10)
    assert neon.neuralize(model).verify(X) <= 1e-12


def test_elimination_is_a_model_or_a_step(wine: tuple) -> None:
    X, y = wine
    alone = RFE(LogisticRegression(), n_features_to_select=2).fit(StandardScaler().fit_transform(X), y)
    explanation = neon.explain(alone, StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(alone.classes_[explanation.target], alone.predict(StandardScaler().fit_transform(X)))
    assert ((explanation.values != 0).any(0) == alone.support_).all()
    step = make_pipeline(StandardScaler(), RFE(Ridge(), n_features_to_select=2), PCA(1), SVC()).fit(X, y)
    assert neon.neuralize(step).verify(X) <= 1e-12
    assert ((neon.explain(step, X).values != 0).any(0) == step[1].support_).all()


class Winsorizer(TransformerMixin, BaseEstimator):
    """Cuts every column at its own quantiles: elementwise."""

    def fit(self, X: np.ndarray, y: Any = None) -> Winsorizer:
        self.n_features_in_ = X.shape[1]
        self.low_, self.high_ = np.quantile(X, [0.05, 0.95], axis=0)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.clip(X, self.low_, self.high_)


def rectified(X: np.ndarray) -> np.ndarray:
    return np.maximum(X, 0)


def differences(X: np.ndarray) -> np.ndarray:
    return np.diff(X, axis=1)


def squares(X: np.ndarray) -> np.ndarray:
    return X**2


def test_transformers_and_functions_of_ones_own(wine: tuple) -> None:
    X, y = StandardScaler().fit_transform(wine[0]), wine[1]
    refused = make_pipeline(FunctionTransformer(differences), Ridge()).fit(X, y)
    with pytest.raises(neon.UnsupportedModelError, match=r"register_linear\(differences\)"):
        neon.neuralize(refused)
    register_encoder(Winsorizer, rectified)
    register_linear(differences, squares)
    for step in (Winsorizer(), FunctionTransformer(rectified), FunctionTransformer(differences)):
        model = make_pipeline(step, Ridge()).fit(X, y)
        explainer = neon.Explainer(model)
        assert explainer.network.verify(X) <= 1e-12
        assert explainer(X).conservation_error() <= 1e-12
        assert pickle.loads(pickle.dumps(explainer))(X).values.shape == X.shape
    coefficients = model[-1].coef_
    by_hand = X * (np.append(0, coefficients) - np.append(coefficients, 0))
    np.testing.assert_allclose(explainer(X).values, by_hand, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="declared linear"):
        neon.neuralize(make_pipeline(FunctionTransformer(squares), Ridge()).fit(X, y))


NO_COLUMNS = {
    "selector": SelectKBest(k=0),
    "columns dropped": ColumnTransformer([("", "drop", [0])]),
    "no columns chosen": ColumnTransformer([("", StandardScaler(), [])]),
    "products": PolynomialFeatures((7, 8), interaction_only=True, include_bias=False),
    "union": FeatureUnion([("", SelectKBest(k=0))]),
    "union that runs nothing": FeatureUnion([("", "drop")]),
}


@pytest.mark.filterwarnings("ignore:No features were selected")
@pytest.mark.parametrize("name", NO_COLUMNS)
def test_transformers_that_leave_no_column(wine: tuple, name: str) -> None:
    X, y = wine
    first = clone(NO_COLUMNS[name]).fit(X, y)
    assert first.transform(X).shape[1] == 0
    with pytest.raises(neon.UnsupportedModelError, match=r"gives no column|none of its transformers is run"):
        neon.neuralize(first)
    model = make_pipeline(first, DummyRegressor()).fit(X, y)  # the one model that takes none
    if name == "union that runs nothing":
        with pytest.raises(neon.UnsupportedModelError, match="none of its transformers is run"):
            neon.neuralize(model)
    else:
        explanation = neon.explain(model, X)
        assert not explanation.values.any()
        np.testing.assert_allclose(explanation.prediction, y.mean())
    beside = make_pipeline(make_union(first, PCA(2)), Ridge()).fit(X, y)
    assert neon.neuralize(beside).verify(X) <= 1e-12
    assert neon.explain(beside, X).conservation_error() <= 1e-12


@pytest.mark.parametrize("bias", [False, True])
def test_products_of_one_column_alone(wine: tuple, bias: bool) -> None:
    X, y = wine[0][:, :1], wine[1]
    products = PolynomialFeatures((2, 3), interaction_only=True, include_bias=bias).fit(X)
    if not bias:
        with pytest.raises(neon.UnsupportedModelError, match="PolynomialFeatures gives no column"):
            neon.neuralize(products)
        return
    explanation = neon.explain(make_pipeline(products, Ridge()).fit(X, y), X)
    assert not explanation.values.any()
    np.testing.assert_allclose(explanation.prediction, y.mean())


def test_products_of_too_many_columns_are_refused_before_they_are_tried() -> None:
    rows = sparse.random(3, 120_000, density=1e-5, format="csr", random_state=0)
    for degree in (1, 2):
        model = PolynomialFeatures(degree).fit(rows)
        with pytest.raises(neon.UnsupportedModelError, match=r"products of 120,000 columns, whose exponents .* GiB"):
            neon.neuralize(model)


@pytest.mark.parametrize(
    "scaler", [QuantileTransformer(n_quantiles=5), PowerTransformer(), StandardScaler(), RobustScaler(), MaxAbsScaler()]
)
def test_scalers_hand_missing_entries_on(wine: tuple, scaler: Any) -> None:
    X, y = wine[0].copy(), wine[1]
    X[::3, 1] = np.nan
    for after in (DecisionTreeRegressor(max_depth=3), make_pipeline(SimpleImputer(), Ridge())):
        model = make_pipeline(scaler, after).fit(X, y)
        np.testing.assert_allclose(neon.explain(model, X).prediction, model.predict(X), rtol=0, atol=1e-10)
    alone = clone(scaler).fit(X)
    with pytest.raises(ValueError, match=r"X contains NaN, .*: for \d+ rows, the first of them 0, .* Impute"):
        neon.explain(alone, X, 1)
    known = X[~np.isnan(X[:, 1])]
    np.testing.assert_allclose(neon.explain(alone, known, 1).prediction, alone.transform(known)[:, 1])


@pytest.mark.parametrize("output_distribution", ["uniform", "normal"])
def test_quantiles_of_sparse_rows_with_negative_numbers(output_distribution: Any) -> None:
    """Where scikit-learn leaves the zeros that sparse rows do not hold as they are, it is said."""
    rows = sparse.random(40, 6, density=0.4, format="csr", random_state=0)
    y = np.arange(40) % 3
    options: dict[str, Any] = {"n_quantiles": 5, "output_distribution": output_distribution}
    model = make_pipeline(QuantileTransformer(**options), Ridge()).fit(rows, y)  # nothing below 0: dense or not
    for X in (rows, rows.toarray()) if output_distribution == "uniform" else (rows.toarray(),):
        np.testing.assert_allclose(neon.explain(model, X).prediction, model.predict(X), rtol=0, atol=1e-10)
    rows.data -= 0.5
    options["ignore_implicit_zeros"] = True
    model = make_pipeline(QuantileTransformer(**options), Ridge()).fit(rows, y)
    with pytest.raises(
        neon.UnsupportedModelError, match=r"something else from sparse rows than from the same dense ones"
    ):
        neon.explain(model, rows)
    dense_rows = rows.toarray()
    np.testing.assert_allclose(neon.explain(model, dense_rows).prediction, model.predict(dense_rows), atol=1e-10)


@pytest.mark.parametrize(("missing", "frame"), [(np.nan, False), (None, False), (np.nan, True)])
def test_what_is_no_number_yet_is_explained_with_the_steps_that_make_numbers(missing: Any, frame: bool) -> None:
    X: Any = np.array([["a", "x"], ["b", missing], ["a", "y"], [missing, "x"]] * 5, dtype=object)
    X = pd.DataFrame(X, columns=["p", "q"]) if frame else X
    imputer = SimpleImputer(strategy="most_frequent", missing_values=missing).fit(X)
    with pytest.raises(ValueError, match=r"what the encoders give is not numeric.*as one pipeline"):
        neon.explain(imputer, X, 0)
    y = np.arange(20.0)
    model = make_pipeline(imputer, OneHotEncoder(), Ridge()).fit(X, y)
    explanation = neon.explain(model, X)
    np.testing.assert_allclose(explanation.prediction, model.predict(X), rtol=0, atol=1e-10)
    assert explanation.imputed is not None
    np.testing.assert_array_equal(explanation.imputed, pd.isna(X))


class Log(TransformerMixin, BaseEstimator):
    """Holds nothing after fit, not even its number of columns, as scikit-learn allows."""

    def fit(self, X: Any, y: Any = None) -> Log:
        return self

    def transform(self, X: Any) -> np.ndarray:
        return np.log1p(np.asarray(X))


class Differences(Log):
    def transform(self, X: Any) -> np.ndarray:
        return np.diff(np.asarray(X), axis=1)


class Twice(Log):
    def transform(self, X: Any) -> np.ndarray:
        return np.repeat(np.asarray(X), 2, axis=1)


class Scaled(Log):
    """Holds something, but no number of columns."""

    def fit(self, X: Any, y: Any = None) -> Scaled:
        self.size = np.abs(np.asarray(X)).max()
        return self

    def transform(self, X: Any) -> np.ndarray:
        return np.asarray(X) / self.size


STATELESS = {
    "first": make_pipeline(Log(), Ridge()),
    "two of them": make_pipeline(Log(), Log(), StandardScaler(), Ridge()),
    "in the middle": make_pipeline(StandardScaler(), PCA(3), Differences(), Ridge()),
    "linear, before one that mixes": make_pipeline(make_pipeline(Log(), Scaled(), StandardScaler()), PCA(2), Ridge()),
    "last branch": make_pipeline(make_union(PCA(2), Log()), Ridge()),
    "first branch": make_pipeline(make_union(Log(), PCA(2)), Ridge()),
    "branches that know nothing": make_pipeline(StandardScaler(with_mean=False), make_union(Log(), Scaled()), Ridge()),
    "some columns": make_pipeline(
        make_column_transformer((make_pipeline(Log(), Scaled(), MinMaxScaler()), [0, 3])), Ridge()
    ),
    "a union of some columns": make_pipeline(
        make_column_transformer((make_union(Log(), Differences()), [0, 3]), remainder=Twice()), Ridge()
    ),
    "a member": VotingRegressor([("log", make_pipeline(Log(), Ridge())), ("ridge", Ridge())]),
    "a member of a stack": StackingRegressor([("log", make_pipeline(Log(), Ridge()))], Ridge(), passthrough=True, cv=2),
}


@pytest.mark.parametrize("name", STATELESS)
@pytest.mark.parametrize("frame", [False, True])
def test_transformers_that_hold_nothing_after_fit(wine: tuple, name: str, frame: bool) -> None:
    """How many columns they read is said by what stands around them."""
    register_encoder(Log, Scaled)
    register_encoder(Twice, source=lambda model: np.repeat(np.arange(model.n_features_in_), 2))
    register_linear(Differences)
    X = pd.DataFrame(wine[0], columns=list("abcde")) if frame else wine[0]
    model = clone(STATELESS[name])
    if frame and "columns" in name:
        model.steps[0][1].transformers = [(n, part, ["a", "d"]) for n, part, _ in model.steps[0][1].transformers]
    model.fit(X, wine[1])
    before = pickle.dumps(model)
    explanation = neon.explain(model, X)
    np.testing.assert_allclose(explanation.prediction, model.predict(X), rtol=0, atol=1e-10)
    assert explanation.conservation_error() <= 1e-10
    assert pickle.dumps(model) == before


def test_transformers_that_hold_nothing_where_nothing_tells_their_columns(wine: tuple) -> None:
    register_encoder(Log, Winsorizer)
    register_linear(Differences)
    X, y = wine
    for alone in (Log().fit(X), make_union(Log(), Log()).fit(X)):
        with pytest.raises(NotFittedError, match=r"Log.* holds nothing after fit that tells how many columns"):
            neon.neuralize(alone)
    for first in (Differences(), make_union(Log(), Log())):
        with pytest.raises(NotFittedError, match=f"{type(first).__name__} does not give as many columns as it reads"):
            neon.neuralize(make_pipeline(first, Ridge()).fit(X, y))
    with pytest.raises(NotFittedError, match="Winsorizer has no low_: it is not fitted"):
        neon.explain(Pipeline([("cut", Winsorizer()), ("ridge", Ridge().fit(X, y))]), X)


def test_universal_functions_are_known_to_be_elementwise(wine: tuple) -> None:
    X, y = wine
    model = make_pipeline(FunctionTransformer(np.cbrt), Ridge()).fit(X, y)
    np.testing.assert_allclose(neon.explain(model, X).values, np.cbrt(X) * model[-1].coef_, rtol=0, atol=1e-12)
    with pytest.raises(neon.UnsupportedModelError, match="from several columns"):
        neon.neuralize(make_pipeline(FunctionTransformer(np.cumsum, kw_args={"axis": 1}), Ridge()).fit(X, y))


def test_kernels_that_nystroem_has_no_network_for(wine: tuple) -> None:
    model = make_pipeline(MinMaxScaler(), Nystroem("chi2", n_components=5, random_state=0), Ridge()).fit(*wine)
    with pytest.raises(neon.UnsupportedModelError, match="Nystroem with kernel='chi2'; supported are rbf"):
        neon.neuralize(model)


def test_a_row_of_a_batch_does_not_depend_on_the_others(wine: tuple) -> None:
    X, y = with_holes()
    model = make_pipeline(KNNImputer(), KBinsDiscretizer(3, strategy="uniform"), SVC()).fit(X, y)
    explainer = neon.Explainer(model)
    whole = explainer(X)
    np.testing.assert_allclose(explainer(X[[5]]).values, whole.values[[5]], rtol=0, atol=1e-12)
    assert explainer(X[:0]).values.shape == (0, X.shape[1])


def test_arrays_of_objects_that_pass_through() -> None:
    """Numbers among objects are numbers; what is none is said to be none."""
    rows = np.array([["a", 1.0, True], ["b", 2.0, False]], dtype=object)
    for model in (
        FunctionTransformer().fit(rows[:, 1:]),
        make_column_transformer(("passthrough", [0, 1])).fit(rows[:, 1:]),
        make_union(FunctionTransformer()).fit(rows[:, 1:]),
    ):
        explanation = neon.explain(model, rows[:, 1:], "all")
        np.testing.assert_array_equal(explanation.prediction, rows[:, 1:].astype(float))
    texts = make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough").fit(rows[:, [0, 0]])
    with pytest.raises(ValueError, match="not numeric"):
        neon.explain(texts, rows[:, [0, 0]], "all")


def test_polars_frames_of_numbers_strings_and_dates() -> None:
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(day) for day in range(20)]
    times = [datetime.datetime(2020, 1, 1, hour) for hour in range(20)]
    rows = pl.DataFrame({"x": np.arange(20.0), "kind": ["u", "v"] * 10, "day": days, "time": times, "gap": [None] * 20})
    model = make_pipeline(make_column_transformer((StandardScaler(), ["x"])), LogisticRegression())
    model.fit(rows, np.arange(20) % 2)
    explanation = neon.explain(model, rows)
    np.testing.assert_allclose(explanation.prediction, np.abs(model.decision_function(rows)))
    assert explanation.data[3].tolist() == [3.0, "v", days[3], times[3], None]
    assert not explanation.values[:, 1:].any()


class _Counts(BaseEstimator):
    """Importances of columns that it does not count."""

    def fit(self, X: Any, y: Any) -> _Counts:
        self.feature_importances_ = np.arange(X.shape[1])
        return self


def test_a_selector_by_an_estimator_that_counts_no_columns(wine: tuple) -> None:
    X, y = wine
    model = SelectFromModel(_Counts(), max_features=2).fit(X, y)
    values = neon.explain(model, X[:5], "all").values
    np.testing.assert_array_equal(values.sum(1), model.transform(X[:5]))
