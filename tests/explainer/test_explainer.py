"""What an Explainer is asked for reaches the engine, or is refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, HistGradientBoostingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, SVR
from torch import nn

import neon
from neon import composites, rules

X, Y = load_wine(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def svc() -> Any:
    return make_pipeline(StandardScaler(), SVC()).fit(X, Y)


@pytest.fixture(scope="module")
def logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


# References.


@pytest.mark.parametrize(
    "composite", [composites.neon().override(composites.kind("convolution"), rules.Zero()), rules.Reference(), "neon"]
)
def test_a_reference_reaches_every_composite_with_a_rule_for_it(svc: Any, composite: Any) -> None:
    own, given = neon.Explainer(svc)(X), neon.Explainer(svc, composite=composite, reference=X[:5])(X)
    assert np.abs(given.base_values - own.base_values).max() > 1e-3
    assert given.conservation_error() <= 1e-9


def test_a_reference_that_no_rule_uses_is_refused(svc: Any) -> None:
    with pytest.raises(ValueError, match="'epsilon' has no rule that is relative to a reference"):
        neon.Explainer(svc, composite="epsilon", reference=X[:5])
    with pytest.raises(ValueError, match="not relative to a reference point"):
        neon.Explainer(KMeans(3, n_init=1).fit(X), composite="neon", reference=X[:5])


def test_a_series_is_one_reference_row_with_names(logistic: Any) -> None:
    expected = neon.Explainer(logistic, reference=X.mean().to_numpy())(X)
    np.testing.assert_array_equal(neon.Explainer(logistic, reference=X.mean())(X).values, expected.values)
    with pytest.raises(ValueError, match="another order"):
        neon.Explainer(logistic, reference=X.mean()[::-1])


# Selectors that ask for names.


def test_any_selector_sees_module_names() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).double()
    composite = composites.Composite(
        [(lambda node: node.module == "0", rules.WSquare()), (composites.anything(), rules.Epsilon())]
    )
    x = torch.randn(6, 4, dtype=torch.float64)
    expected = neon.LRP(model, composite)(x, model(x).argmax(1))
    np.testing.assert_allclose(neon.explain(model, x, composite=composite).values, expected, rtol=0, atol=1e-12)
    plain = neon.explain(model, x, composite="epsilon").values
    assert np.abs(plain - expected.numpy()).max() > 1e-3


# Torch modules.


def test_a_module_is_explained_where_it_is() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3).double()
    x = torch.randn(5, 4)
    explainer = neon.Explainer(model)
    assert explainer.dtype == torch.float64
    np.testing.assert_array_equal(explainer(x, -1).values, explainer(x, 2).values)
    with pytest.raises(ValueError, match="out of range for 3 outputs"):
        explainer(x, 5)
    with pytest.raises(ValueError, match="move a copy of it there yourself"):
        neon.Explainer(model, dtype=torch.float32)
    for dtype in ("float32", np.float32, torch.int64):
        with pytest.raises(ValueError, match="floating torch dtype"):
            neon.Explainer(model, dtype=dtype)
    with pytest.raises(ValueError, match="unknown to torch"):
        neon.Explainer(model, device="gpu")


def test_token_ids_stay_integers() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(20, 6), torch.nn.Flatten(), torch.nn.Linear(24, 2))
    ids = torch.randint(0, 20, (5, 4))
    explanation = neon.explain(model, ids)
    assert explanation.values.shape == (5, 4)
    np.testing.assert_array_equal(explanation.data, ids)
    assert explanation.conservation_error() < 1e-5


def test_samples_need_not_come_first() -> None:
    """A time-first model with as many steps as samples: residuals are those of one sample at a time."""
    torch.manual_seed(0)

    class TimeFirst(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x.transpose(0, 1))[-1]

    model, x = TimeFirst().eval(), torch.randn(4, 4, 4)
    found, single = neon.explain(model, x, 0), neon.explain(model, x, 0, batch_size=1)
    assert found.conservation_error() < 1e-4
    for name, residual in single.residuals.items():
        np.testing.assert_allclose(found.residuals[name], residual, atol=1e-5)


def test_samples_that_are_mixed_are_told() -> None:
    class Mixing(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + 1).roll(1, 0)

    with pytest.warns(RuntimeWarning, match="mixes its"):
        neon.explain(Mixing(), torch.randn(4, 3), 0)


# Values that a network cannot take.


@pytest.mark.parametrize("model", [Ridge(), SVC()])
def test_a_step_outside_its_domain_is_an_error(model: Any) -> None:
    rows = np.abs(np.random.default_rng(0).normal(size=(40, 3))) + 0.1
    fitted = make_pipeline(FunctionTransformer(np.log), model).fit(rows, np.arange(40) % 2)
    rows[7] = 0.0
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="infinity"):
        neon.explain(fitted, rows)


def test_points_without_weight_are_no_part_of_a_density() -> None:
    rows, weight = X.to_numpy()[:40] / X.to_numpy().std(0), np.ones(40)
    weight[::3] = 0
    model = KernelDensity().fit(rows[weight > 0])
    expected = neon.explain(model, rows)
    model = KernelDensity().fit(rows, sample_weight=weight)
    explanation = neon.explain(model, rows)
    with np.errstate(divide="ignore"):  # scikit-learn takes the logarithm of the weights
        difference = neon.neuralize(model).verify(rows)
    assert difference <= 1e-9 * np.abs(explanation.prediction).max()
    assert explanation.conservation_error() <= 1e-9 * np.abs(explanation.prediction).max()
    np.testing.assert_allclose(explanation.values, expected.values, rtol=0, atol=1e-9)


# Targets.


def test_numbers_are_labels_where_classes_are_numbers() -> None:
    model = LogisticRegression(max_iter=1000).fit(X / X.std(), 10 * (Y + 1))
    explainer = neon.Explainer(model)
    np.testing.assert_array_equal(explainer(X / X.std(), 20).target, 1)
    for label in (1, -1, np.int64(0), 40):
        with pytest.raises(ValueError, match=r"unknown target -?\d+: no class label; choose from \[10, 20, 30\]"):
            explainer(X / X.std(), label)


# Errors say where.


def test_errors_name_the_step() -> None:
    inner = make_pipeline(MinMaxScaler(), SVC(kernel="precomputed"))
    model = make_pipeline(StandardScaler(), inner)
    square = X.to_numpy()[:13] @ X.to_numpy()[:13].T
    model.fit(square[:, :13], [0, 1] * 6 + [0])
    with pytest.raises(neon.UnsupportedModelError, match=r"precomputed.*at step 'pipeline/svc'"):
        neon.Explainer(model)
    with pytest.raises(NotFittedError):
        neon.Explainer(make_pipeline(StandardScaler(), SVC()))
    with pytest.raises(TypeError, match="a fitted model, got the class KMeans"):
        neon.Explainer(KMeans)


def test_repr_says_what_is_explained(logistic: Any) -> None:
    assert repr(neon.Explainer(logistic)) == "Explainer(Pipeline, composite='neon', explains='log-odds of a class')"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([Normalizer(), Ridge()], "predicted value (the norm of a row held fixed)"),
        ([StandardScaler(), PCA(3), Normalizer(), Ridge()], "predicted value (the norm of a row held fixed)"),
        ([Normalizer(), PCA(3), Normalizer(), Ridge()], "predicted value (the norm of a row held fixed)"),
        (
            [KNNImputer(), ColumnTransformer([("", Normalizer(), [0, 1, 2])]), Ridge()],
            "predicted value (what other columns say about a missing entry and the norm of a row held fixed)",
        ),
        ([Isomap(n_neighbors=30), Ridge()], "predicted value (the shortest ways held fixed)"),
        (
            [Isomap(n_neighbors=30), LocallyLinearEmbedding(eigen_solver="dense"), Ridge()],
            "predicted value (the shortest ways, the neighbours and the strength of the ridge held fixed)",
        ),
        ([SimpleImputer(), Normalizer()], "columns of Normalizer (the norm of a row held fixed)"),
        ([SimpleImputer(), PCA(3), Ridge()], "predicted value"),
    ],
)
def test_what_encoders_hold_fixed_is_said_once(steps: list[Any], words: str) -> None:
    model = make_pipeline(*steps).fit(X.to_numpy(), Y)
    assert neon.explain(model, X.to_numpy()[:3], 0).explains.partition("; relative to")[0] == words


def with_ones(rows: Any) -> np.ndarray:
    return np.column_stack([rows, np.ones(len(rows))])


def test_a_column_made_from_none_is_a_residual() -> None:
    neon.extend.register_encoder(with_ones, source=lambda _: np.append(np.arange(X.shape[1]), -1))
    model = make_pipeline(FunctionTransformer(with_ones), Ridge(fit_intercept=False)).fit(X.to_numpy(), Y)
    explanation = neon.explain(model, X.to_numpy())
    *weights, last = model[-1].coef_
    assert abs(last) > 1e-3
    np.testing.assert_allclose(explanation.values, X * weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(explanation.residuals["constant"], last, rtol=1e-9)


def test_single_precision_is_close(logistic: Any, svc: Any) -> None:
    for model in (logistic, svc):
        single, double = (neon.explain(model, pd.DataFrame(X), dtype=d) for d in (torch.float32, torch.float64))
        error = np.linalg.norm(single.values - double.values) / np.linalg.norm(double.values)
        assert error < 1e-4


# Subclasses.


class Renamed(LogisticRegression):
    """Computes what its parent computes."""


class Doubled(LogisticRegression):
    """Overrides what is explained."""

    def decision_function(self, X: Any) -> np.ndarray:
        return 2 * super().decision_function(X)


@pytest.mark.parametrize("inner", [False, True])
def test_a_subclass_is_explained_where_it_computes_the_same(inner: bool) -> None:
    two = Y > 0
    for subclass in (Renamed, Doubled):
        model = make_pipeline(StandardScaler(), subclass()) if inner else subclass(max_iter=2000)
        rows = X if inner else X / X.std()
        explainer = neon.Explainer(model.fit(rows, two))
        if subclass is Renamed:
            assert explainer(rows).conservation_error() <= 1e-9
        else:
            with pytest.raises(neon.UnsupportedModelError, match="inherits from, and differs from the model by"):
                explainer(rows)


def test_missing_values_that_one_member_takes() -> None:
    rows = X.to_numpy().copy()
    members = [("a", make_pipeline(StandardScaler(), LogisticRegression())), ("b", HistGradientBoostingClassifier())]
    model = VotingClassifier(members, voting="soft").fit(rows, Y)
    rows[3, 2] = np.nan
    with pytest.raises(ValueError, match="X contains NaN, which one part of the model takes"):
        neon.explain(model, rows)


def test_a_column_transformer_finds_its_columns_by_name() -> None:
    names = X.columns[:3]
    model = make_pipeline(ColumnTransformer([("", StandardScaler(), list(names))]), Ridge()).fit(X[names], Y)
    expected = neon.explain(model, X[names])
    found = neon.explain(model, X[X.columns[::-1]])
    assert found.feature_names == expected.feature_names == tuple(names)
    np.testing.assert_array_equal(found.values, expected.values)
    with pytest.raises(ValueError, match="missing"):
        neon.explain(model, X[names[1:]])


def test_several_outputs_have_no_default() -> None:
    model = Ridge().fit(X, np.stack([Y, -Y], axis=1))
    with pytest.raises(ValueError, match="'target 0', 'target 1'"):
        neon.explain(model, X)
    np.testing.assert_array_equal(neon.explain(model, X, "target 1").values, neon.explain(model, X, 1).values)
    assert neon.explain(model, X, "all").values.shape == (*X.shape, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"alcohol": 1.0}], "pd.DataFrame"),
        ({"alcohol": [1.0]}, "pd.DataFrame"),
        (None, r"shape \(n_samples, 13\), got \(\)"),
        (X.iloc[0], r"frame.iloc\[\[0\]\]"),
        ([1.0] * 13, r"np.reshape\(X, \(1, -1\)\)"),
    ],
)
def test_what_is_no_table_of_rows(given: Any, words: str) -> None:
    model = LogisticRegression().fit(StandardScaler().fit_transform(X), Y > 0)
    with pytest.raises(ValueError, match=words):
        neon.explain(model, given)
    with pytest.raises(ValueError, match="reference, rows like X, does not fit"):
        neon.Explainer(model, reference=np.full((1, 13), np.nan))


@pytest.mark.parametrize("given", ["model.joblib", Ridge().predict, len])
def test_what_is_no_model(given: Any) -> None:
    with pytest.raises(TypeError, match="pass the estimator itself"):
        neon.Explainer(given)


def test_relevance_that_is_not_finite_is_refused(svc: Any) -> None:
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="too large to compute with"):
        neon.explain(svc, X * 1e160, composite="neon")


def test_base_values_that_are_not_finite_are_refused() -> None:
    """Of reference rows so far away that their squares leave the range of single precision."""
    model = GaussianMixture(2, random_state=0).fit(X)
    for dtype in (torch.float32, torch.float64):
        assert np.isfinite(neon.Explainer(model, dtype=dtype)(X[:2]).base_values).all()
    explainer = neon.Explainer(model, dtype=torch.float32, reference=X[:1] * 1e20)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="too large to compute with"):
        explainer(X[:2])


def test_base_values_keep_their_range_on_the_way_to_rows_far_away() -> None:
    """Of rows that lie 10¹¹ deviations away, squares would leave the range of single precision on the way back."""
    small = [-1.380782, 0.7563026, -0.8941161, 1.042699, -0.6271807, 0.3026977]
    small += [0.2191624, -1.482206, -0.3450518, 1.154326, -1.346011, -1.194827]
    fitted = np.array([[k in (3, 4, 11), 1e-12 * small[k], k in (0, 4, 5, 6, 8, 9)] for k in range(12)], dtype=float)
    model = make_pipeline(MinMaxScaler(), GaussianMixture(2, random_state=0)).fit(fitted)
    rows = np.array([[0.0, 0.03616, 0.0], [1.0, -0.070374, 0.0]])
    double, single = (neon.Explainer(model, dtype=dtype)(rows) for dtype in (torch.float64, torch.float32))
    np.testing.assert_allclose(single.base_values, double.base_values, atol=0.01)
    np.testing.assert_allclose(single.values[:, 1], double.values[:, 1], rtol=1e-5)


class OneNumber(nn.Module):
    """A regressor that returns one number a row, without an axis of outputs, beside its features."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = self.body(torch.where(x.isnan(), torch.zeros((), dtype=x.dtype), x))
        return {"features": h, "value": self.head(h).squeeze(-1), "table": self.head(h)}


def test_a_module_of_one_number_a_row() -> None:
    torch.manual_seed(0)
    module, X = OneNumber().double().eval(), np.random.default_rng(0).normal(size=(5, 4))
    found = neon.Explainer(module, output="value")(X)
    expected = neon.Explainer(module, output="table")(X)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.prediction, module(torch.from_numpy(X))["value"].detach())
    np.testing.assert_allclose(neon.Explainer(module, output="value")(X, lambda y: y).values, expected.values)
    every = neon.Explainer(module, output="value")(X, "all")
    np.testing.assert_array_equal(every.values[..., 0], expected.values)


def test_missing_values_that_a_module_handles() -> None:
    torch.manual_seed(0)
    module, X = OneNumber().double().eval(), np.random.default_rng(0).normal(size=(5, 4))
    filled = np.where(X > 1, 0.0, X)
    X[X > 1] = np.nan
    found, expected = (neon.Explainer(module, output="value")(rows) for rows in (X, filled))
    np.testing.assert_allclose(found.values, expected.values)
    with pytest.raises(ValueError, match="NaN"):
        neon.Explainer(nn.Linear(4, 2).double())(X, 1)


@pytest.mark.parametrize("target", [neon.targets.LogOdds, neon.targets.OneHot, lambda y: neon.targets.Contrast(y, 0)])
def test_targets_with_an_index_for_each_row_go_by_rows(target: Any) -> None:
    module, X = nn.Linear(4, 3).double(), np.random.default_rng(0).normal(size=(100, 4))
    y = np.random.default_rng(1).integers(0, 3, 100).tolist()
    found = neon.Explainer(module)(X, target(y))
    np.testing.assert_allclose(found.values, neon.LRP(module)(torch.from_numpy(X), target(y)).numpy())


def test_ids_in_an_array_stay_ids() -> None:
    module, ids = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(24, 2)), torch.randint(0, 9, (5, 6))
    for given in (ids.numpy(), ids.int().numpy(), ids):
        found = neon.Explainer(module)(given, 1)
        np.testing.assert_allclose(found.values, neon.LRP(module)(ids, 1).numpy(), rtol=1e-6)


def test_reference_rows_of_a_module() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    X, rows = np.random.default_rng(0).normal(size=(5, 4)), np.random.default_rng(1).normal(size=(1, 4))
    found = neon.Explainer(module, composite="neon", reference=rows)(X, 1)
    with torch.no_grad():
        np.testing.assert_allclose(found.base_values, np.full(5, module(torch.from_numpy(rows))[0, 1].item()))
    np.testing.assert_allclose(found.base_values + found.values.sum(1), found.prediction)
    with pytest.raises(ValueError, match="composite='neon'"):
        neon.Explainer(module, reference=rows)
    few, weights = neon.summarize(X, 3)
    np.testing.assert_array_equal(
        neon.Explainer(module, composite="neon", reference=(few, weights))(X, 1).values,
        neon.Explainer(module, composite="neon", reference=few)(X, 1).values,
    )
    with pytest.raises(ValueError, match="repeat rows that weigh more"):
        neon.Explainer(module, composite="neon", reference=(few, [1.0, 2.0, 1.0]))


def test_a_module_is_explained_from_each_reference_row() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    X, rows = np.random.default_rng(0).normal(size=(5, 4)), np.random.default_rng(1).normal(size=(2, 4))
    found = neon.Explainer(module, composite="expected", reference=(rows, [1.0, 3.0]))(X, 1)
    one, other = (neon.Explainer(module, composite="expected", reference=row)(X, 1) for row in rows)
    np.testing.assert_allclose(found.values, 0.25 * one.values + 0.75 * other.values, rtol=0, atol=1e-9)
    with torch.no_grad():
        base = np.array([0.25, 0.75]) @ module(torch.from_numpy(rows))[:, 1].numpy()
    np.testing.assert_allclose(found.base_values, np.full(5, base))
    np.testing.assert_allclose(found.base_values + found.values.sum(1), found.prediction, atol=1e-8)
    with pytest.raises(ValueError, match="a torch module holds none: give reference="):
        neon.Explainer(module, composite="expected")


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros(5), [1.0, 1.0, 1.0, 1.0, np.nan], ["a"] * 5])
@pytest.mark.parametrize("composite", [None, "shapley"])
def test_weights_that_do_not_fit_are_refused(logistic: Any, composite: Any, weights: Any) -> None:
    module = nn.Linear(X.shape[1], 2).double()
    for model, rule in ((logistic, composite), (module, composite or "neon")):
        with pytest.raises(ValueError, match="weights of 5 reference rows must be as many numbers"):
            neon.Explainer(model, composite=rule, reference=(X[:5].to_numpy(), weights))


def test_its_own_reference_rows_are_thinned_where_each_is_a_start() -> None:
    model = BaggingRegressor(SVR(), n_estimators=3, random_state=0).fit(X.to_numpy(), np.arange(len(X)))
    explainer = neon.Explainer(model, composite="expected")
    assert len(explainer.network.reference) > 200
    assert len(explainer._reference.rows) <= 100
