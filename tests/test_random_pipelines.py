"""Random pipelines on random tables keep the contract: equivalence, conservation, no relevance without influence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, KernelPCA, LatentDirichletAllocation, TruncatedSVD
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection

import neon
from tests.contract.preprocessing import target_encoder
from tests.test_properties import ESTIMATORS

pytestmark = pytest.mark.usefixtures("one_pass")

NUMBERS, STRINGS = ["a", "b", "c", "d"], ["city", "size", "shop"]

IMPUTERS = {
    "mean": lambda draw: SimpleImputer(add_indicator=draw(st.booleans())),
    "constant": lambda draw: SimpleImputer(strategy="constant", fill_value=draw(st.floats(-2.0, 2.0))),
    "neighbours": lambda draw: KNNImputer(n_neighbors=draw(st.integers(1, 4))),
}
SCALERS = {
    "standard": lambda draw: StandardScaler(with_mean=draw(st.booleans())),
    "min-max": lambda draw: MinMaxScaler(clip=draw(st.booleans())),
    "max": lambda draw: MaxAbsScaler(),
    "robust": lambda draw: RobustScaler(),
}
MAPS = {
    "bins": lambda draw: KBinsDiscretizer(
        draw(st.integers(2, 4)), encode=draw(st.sampled_from(["onehot", "onehot-dense", "ordinal"])), strategy="uniform"
    ),
    "splines": lambda draw: SplineTransformer(
        n_knots=3, degree=2, include_bias=draw(st.booleans()), extrapolation="linear"
    ),
    "quantiles": lambda draw: QuantileTransformer(n_quantiles=8, output_distribution="normal"),
    "function": lambda draw: FunctionTransformer(draw(st.sampled_from([np.arcsinh, np.square, np.tanh, None]))),
    "polynomials": lambda draw: PolynomialFeatures(draw(st.integers(1, 3)), interaction_only=draw(st.booleans())),
    "norm": lambda draw: Normalizer(draw(st.sampled_from(["l1", "l2", "max"]))),
    "components": lambda draw: PCA(1, whiten=draw(st.booleans())),
    "projection": lambda draw: GaussianRandomProjection(2, random_state=0),
    "fourier": lambda draw: RBFSampler(gamma=0.3, n_components=6, random_state=0),
    "kernel components": lambda draw: KernelPCA(2, kernel=draw(st.sampled_from(["rbf", "poly", "sigmoid"])), gamma=0.2),
    "shortest ways": lambda draw: Isomap(
        n_neighbors=draw(st.integers(4, 8)), n_components=2, p=draw(st.sampled_from([1, 2]))
    ),
    "locally linear": lambda draw: LocallyLinearEmbedding(
        n_neighbors=draw(st.integers(4, 8)), n_components=1, eigen_solver="dense"
    ),
    "topics": lambda draw: make_pipeline(
        MinMaxScaler(clip=True), LatentDirichletAllocation(draw(st.integers(2, 3)), max_iter=3, random_state=0)
    ),
    "leaves": lambda draw: RandomTreesEmbedding(draw(st.integers(1, 3)), max_depth=2, random_state=0),
}
ENCODERS = {
    "one-hot": lambda draw: OneHotEncoder(
        drop=draw(st.sampled_from([None, "first", "if_binary"])), sparse_output=draw(st.booleans())
    ),
    "infrequent": lambda draw: OneHotEncoder(
        min_frequency=draw(st.integers(2, 8)), handle_unknown=draw(st.sampled_from(["ignore", "infrequent_if_exist"]))
    ),
    "ordinal": lambda draw: OrdinalEncoder(),
    "target": lambda draw: target_encoder(2, target_type="continuous"),
}
LAST = {
    "select": lambda draw: SelectKBest(f_classif, k=draw(st.integers(1, 2))),
    "varied": lambda draw: VarianceThreshold(),
    "scale": lambda draw: StandardScaler(with_mean=False),
    "components": lambda draw: TruncatedSVD(1, random_state=0),
}


def one_of(draw: st.DrawFn, table: dict[str, Any]) -> Any:
    return table[draw(st.sampled_from(sorted(table)))](draw)


def numeric_branch(draw: st.DrawFn, depth: int) -> Any:
    """Impute first; then scalers, maps, and unions of such branches, nested."""
    steps = [("impute", one_of(draw, IMPUTERS)), ("scale", one_of(draw, SCALERS))]
    steps += [(f"map{i}", one_of(draw, MAPS)) for i in range(draw(st.integers(0, 1)))]
    if depth and draw(st.booleans()):
        steps.append(("union", union(draw, depth - 1)))
    if draw(st.booleans()):
        steps[0], steps[1] = steps[1], steps[0]  # a scaler lets missing entries through
    return Pipeline(steps)


def union(draw: st.DrawFn, depth: int) -> Any:
    branches: list[tuple[str, Any]] = [("rest", draw(st.sampled_from(["passthrough", "drop"])))]
    branches += [(f"u{i}", one_of(draw, SCALERS | MAPS)) for i in range(draw(st.integers(1, 2)))]
    if depth:
        inner = ColumnTransformer([("some", one_of(draw, SCALERS), [0])], remainder="passthrough", sparse_threshold=0)
        branches.append(("inner", inner))
    return FeatureUnion(branches, transformer_weights=draw(st.sampled_from([None, {"u0": 0.5}])))


@st.composite
def fitted(draw: st.DrawFn) -> tuple[Any, pd.DataFrame]:
    """A fitted pipeline on a table of numbers with holes and strings, and rows that it has not seen."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.integers(24, 40))
    table, rows = random_table(rng, n_rows), random_table(rng, 12)
    y = np.arange(n_rows) % draw(st.integers(2, 3))
    table["a"] += y
    numbers = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, unique=True))
    strings = draw(st.lists(st.sampled_from(STRINGS), unique=True))
    cut = draw(st.integers(0, len(numbers)))
    branches = [
        (f"numbers{i}", numeric_branch(draw, 2), part) for i, part in enumerate((numbers[:cut], numbers[cut:])) if part
    ]
    if strings:
        branches.append(("strings", one_of(draw, ENCODERS), strings))
    steps: list[tuple[str, Any]] = [("columns", ColumnTransformer(branches, sparse_threshold=draw(st.floats(0, 1))))]
    if draw(st.booleans()):
        steps.append(("last", one_of(draw, LAST)))
    model = Pipeline([*steps, ("model", ESTIMATORS[draw(st.sampled_from(sorted(ESTIMATORS)))](draw))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about constant columns, few values and little convergence
        try:
            model.fit(table, y)
        except (ValueError, TypeError):  # scikit-learn's own: too few columns for a step, or sparse ones
            reject()
    return model, pd.concat([table[:6], rows], ignore_index=True)


def random_table(rng: np.random.Generator, n_rows: int) -> pd.DataFrame:
    table = pd.DataFrame(rng.normal(size=(n_rows, 4)), columns=NUMBERS)
    table[["b", "c"]] = table[["b", "c"]].mask(rng.random((n_rows, 2)) < 0.2)
    for name, kinds in zip(STRINGS, (["Rome", "Bonn", "Oslo"], ["s", "m"], list("uvwxyz")), strict=True):
        table[name] = np.concatenate([kinds, rng.choice(kinds, n_rows)])[:n_rows]
    return table[["a", "city", "b", "size", "c", "d", "shop"]]


DRAWN = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])


@settings(DRAWN, max_examples=50)
@given(fitted(), st.integers(0, 2**16))
def test_random_pipelines(drawn: tuple[Any, pd.DataFrame], seed: int) -> None:
    keeps_the_contract(drawn, seed)


@pytest.mark.nightly
@settings(DRAWN, max_examples=500)
@given(fitted(), st.integers(0, 2**16))
def test_many_random_pipelines(drawn: tuple[Any, pd.DataFrame], seed: int) -> None:
    keeps_the_contract(drawn, seed)


def keeps_the_contract(drawn: tuple[Any, pd.DataFrame], seed: int) -> None:
    model, rows = drawn
    explainer = neon.Explainer(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's own, about categories it has not seen
        explanation = explainer(rows, "all")
        scale = max(1.0, float(np.abs(explanation.prediction).max()))
        assert explainer.network.verify(rows) <= 1e-9 * scale
        total = explanation.base_values + explanation.values.sum(1) + sum(explanation.residuals.values())
        size = np.maximum(scale, np.abs(explanation.values).sum(1))
        np.testing.assert_array_less(np.abs(total - explanation.prediction), 1e-9 * size + 1e-300)

        assert tuple(explanation.feature_names) == tuple(rows.columns)
        encoding = explainer.network.intake.encoding
        unread = np.setdiff1d(np.arange(rows.shape[1]), encoding.source)
        assert not explanation.values[:, unread].any()
        if encoding.states:  # a norm, or an imputer's neighbours, are held fixed: only what nothing reads may change
            read = [name for _, _, names in model.named_steps["columns"].transformers for name in names]
            unread = unread[~rows.columns[unread].isin(read)]
        others = random_table(np.random.default_rng(seed), len(rows))
        changed = rows.copy()
        for column in rows.columns[unread]:
            changed[column] = others[column]
        again = explainer(changed, "all")
    np.testing.assert_array_equal(again.prediction, explanation.prediction)
    np.testing.assert_array_equal(again.values, explanation.values)
