"""What users see when something is wrong with a table or a model; docs/faults.md names these tests."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import BisectingKMeans, KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

import neon

ROOT = Path(__file__).parents[1]
X = np.random.default_rng(0).normal(size=(70, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("page", ["faults.md", "scale.md"])
def test_every_test_in_the_table_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / page).read_text(encoding="utf-8")))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert not {name for name in named if f"def {name}(" not in tests}


def test_many_missing_values() -> None:
    rows = X.copy()
    rows[::3] = np.nan
    with pytest.raises(ValueError, match="X contains NaN in 24 rows, the first of them row 0; this model takes finite"):
        neon.explain(SVC().fit(X, Y), rows)


def test_column_names_that_stand_twice() -> None:
    twice = pd.DataFrame(X, columns=["a", "a", "b"])
    model = Ridge().fit(X, Y)
    np.testing.assert_array_equal(neon.explain(model, twice).values, neon.explain(model, X).values)
    with pytest.raises(ValueError, match=r"several columns are called \['a'\]"):
        neon.Explainer(model).explain_frame(twice)
    named = Ridge().fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)
    with pytest.raises(ValueError, match=r"missing: \['c'\]"):
        neon.explain(named, twice)


def test_names_in_any_script() -> None:
    names = ["größe", "面积", "<b>x</b>\x1b[31m"]
    found = neon.explain(SVC().fit(pd.DataFrame(X, columns=names), Y), pd.DataFrame(X, columns=names))
    assert list(found.feature_names) == names
    assert "<b>x</b>" not in found._repr_html_()
    assert "\x1b" not in str(found)


@pytest.mark.parametrize("size", [1e200, 1e-310])
def test_huge_and_denormal_values(size: float) -> None:
    for model in (SVC().fit(X, Y), Ridge().fit(X, Y)):
        found = neon.explain(model, size * X)
        assert np.isfinite(found.values).all()
        scale = np.abs(found.values).sum(1).max() + np.abs(found.prediction).max()
        assert found.conservation_error() <= 1e-9 * scale


def test_support_vectors_that_nearly_coincide() -> None:
    rows = np.r_[X, X + 1e-12]
    model = SVC(C=1e6).fit(rows, np.r_[Y, Y])
    for composite in ("neon", "shapley"):
        found = neon.explain(model, rows, composite=composite)
        assert np.isfinite(found.values).all()
        assert found.conservation_error() <= 1e-9 * np.abs(found.values).sum(1).max()


def test_clusters_without_rows() -> None:
    """More clusters than different rows: their centers coincide, and predict never gives some of them."""
    rows = np.repeat(X[:3], 10, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(6, n_init=1, random_state=0).fit(rows)
    found = neon.explain(model, rows, "all")
    assert np.isfinite(found.values).all()
    assert neon.neuralize(model).verify(rows) <= 1e-9


def test_columns_that_are_constant() -> None:
    rows = X.copy()
    rows[:, 1] = 3.0
    for model in (SVC(), RandomForestClassifier(5, random_state=0), LogisticRegression()):
        found = neon.explain(model.fit(rows, Y), rows)
        rounding = 1e-12 * np.abs(found.values).max()
        assert (np.abs(found.values[:, 1]) <= rounding).all() or isinstance(model, LogisticRegression)
        assert np.isfinite(found.values).all()


def test_a_single_class() -> None:
    found = neon.explain(RandomForestClassifier(5, random_state=0).fit(X, np.zeros(len(X))), X)
    assert not found.values.any()
    with pytest.raises(ValueError, match="one class alone has no odds to explain"):
        neon.explain(GaussianNB().fit(X, np.zeros(len(X))), X)
    with pytest.raises(ValueError, match="KMeans with 1 cluster has no competitor"):
        neon.explain(KMeans(1, n_init=1).fit(X), X)


def test_infinite_values() -> None:
    rows = X.copy()
    rows[40, 1] = np.inf
    with pytest.raises(ValueError, match="X contains infinity in 1 rows, the first of them row 40"):
        neon.explain(Ridge().fit(X, Y), rows)


@pytest.mark.parametrize("odd", ["word", pd.Timestamp("2024-02-01"), [1.0, 2.0], {"x": 1.0}])
def test_columns_that_hold_no_numbers(odd: Any) -> None:
    frame = pd.DataFrame(X, columns=list("abc"))
    model = Ridge().fit(frame, Y)
    frame["b"] = pd.Series([1.0, None, *[odd] * 68], dtype=object)
    with pytest.raises(ValueError, match="X must be numeric; the column 'b' holds"):
        neon.explain(model, frame)


def test_labels_of_rows_that_stand_twice() -> None:
    frame = pd.DataFrame(X, columns=list("abc"), index=[7] * 35 + [8] * 35)
    model = Ridge().fit(frame, Y)
    found = neon.explain(model, frame)
    np.testing.assert_array_equal(found.values, neon.explain(model, frame.reset_index(drop=True)).values)
    assert list(found.to_frame().index) == list(neon.Explainer(model).explain_frame(frame).index) == list(frame.index)
    assert len(found.loc[8]) == 35


def test_a_model_that_fails_on_some_rows() -> None:
    def fails(rows: np.ndarray) -> np.ndarray:
        if np.max(rows) > 2.0:
            raise RuntimeError("sensor offline")
        return rows

    model = make_pipeline(FunctionTransformer(fails), Ridge()).fit(np.clip(X, -1, 1), Y)
    assert len(neon.explain(model, np.clip(X, -1, 1))) == len(X)
    with pytest.raises(RuntimeError, match="sensor offline"):
        neon.explain(model, 10 * X)


@pytest.mark.parametrize(
    "model",
    [
        SVC(),
        LogisticRegression(),
        Ridge(),
        RandomForestClassifier(5, random_state=0),
        make_pipeline(StandardScaler(), KNeighborsClassifier(3)),  # its scaler runs in scikit-learn
        FeatureUnion([("pca", make_pipeline(StandardScaler(), PCA(2)))]),
        BisectingKMeans(3, random_state=0),
        GridSearchCV(SVC(), {"C": [1.0]}, cv=2),
        FixedThresholdClassifier(SVC()),
        XGBClassifier(n_estimators=2, n_jobs=1),
        LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_that_was_fitted_anew(model: Any) -> None:
    """However a converter holds it: as arrays, as a copy, or as the model itself."""
    model = clone(model).fit(X, Y)
    explainer = neon.Explainer(model, progress=False)
    target = "all" if hasattr(model, "transform") else None
    found = explainer(X, target)
    again = pickle.loads(pickle.dumps(explainer))
    model.fit(X[10:] + 1.0, X[10:, 1] > 0.5)
    with pytest.raises(neon.UnsupportedModelError, match="was fitted anew after its Explainer was made"):
        explainer(X[:1], target)
    np.testing.assert_array_equal(again(X, target).values, found.values)
    model.fit(X, Y)
    np.testing.assert_allclose(neon.Explainer(model)(X, target).values, found.values, rtol=0, atol=1e-9)


def test_steps_that_are_changed_in_place() -> None:
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(3)).fit(X, Y)
    explainer = neon.Explainer(model)
    model.set_params(kneighborsclassifier__n_jobs=1)  # no fit
    explainer(X)
    model[0].partial_fit(X + 1.0)
    with pytest.raises(neon.UnsupportedModelError, match="StandardScaler is another"):
        explainer(X)


@pytest.mark.parametrize(
    "step",
    [
        make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler()),
        make_column_transformer((KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["a"]), ("drop", ["b"])),
        make_pipeline(FunctionTransformer(lambda rows: rows[["a", "b"]]), PCA(2)),
    ],
    ids=["columns", "bins", "pipeline"],
)
def test_a_step_that_two_pipelines_share(step: Any) -> None:
    """Fitted alike for the second one, it is the first one's as well; fitted to other rows, it is not."""
    frame = pd.DataFrame(X, columns=list("abc")).assign(kind=np.where(X[:, 0] > 0, "round", "long"))
    explainer = neon.Explainer(make_pipeline(step, Ridge()).fit(frame, Y), progress=False)
    found = explainer(frame)
    make_pipeline(step, SVC()).fit(frame, Y)
    np.testing.assert_array_equal(explainer(frame).values, found.values)
    make_pipeline(step, SVC()).fit(frame.assign(a=frame["a"] + 1.0, kind=frame["kind"] + "er"), Y)
    with pytest.raises(neon.UnsupportedModelError, match="was fitted anew"):
        explainer(frame)


def test_a_step_that_was_fitted_alike_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    step = StandardScaler()
    explainer = neon.Explainer(make_pipeline(step, Ridge()).fit(X, Y))
    make_pipeline(step, SVC()).fit(X, Y)
    explainer(X)
    monkeypatch.setattr("neon.explainer.refitted._equal", lambda now, value: False)
    explainer(X)


def test_trees_that_are_added_to_a_list() -> None:
    model = RandomForestClassifier(5, warm_start=True, random_state=0).fit(X, Y)
    explainer = neon.Explainer(model)
    explainer(X)
    model.set_params(n_estimators=8).fit(X, Y)
    with pytest.raises(neon.UnsupportedModelError, match="estimators_ of RandomForestClassifier is another"):
        explainer(X[:1])


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: GridSearchCV(inner, {"C": [1.0]}, cv=2),
        lambda inner: CalibratedClassifierCV(inner, cv=2),
        lambda inner: VotingClassifier([("inner", inner)]),
        lambda inner: BaggingClassifier(inner, n_estimators=2),
    ],
)
def test_an_estimator_of_which_a_model_has_clones(around: Any) -> None:
    """It is the caller's to fit to something else; inside FrozenEstimator it is the model's own."""
    inner = LogisticRegression().fit(X, Y)
    model, frozen = around(inner).fit(X, Y), FrozenEstimator(inner)
    explainer, of_frozen = neon.Explainer(model), neon.Explainer(VotingClassifier([("inner", frozen)]).fit(X, Y))
    found = explainer(X)
    inner.fit(X, 1 - Y)
    np.testing.assert_array_equal(explainer(X).values, found.values)
    with pytest.raises(neon.UnsupportedModelError, match="of LogisticRegression is another"):
        of_frozen(X)


class Power(TransformerMixin, BaseEstimator):
    """It keeps what it was made with under another name, so that ``get_params`` fails."""

    def __init__(self, power: float) -> None:
        self._exponent = power

    def fit(self, X: Any, y: Any = None) -> Power:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return X**self._exponent


def test_a_step_that_does_not_say_what_it_was_made_with() -> None:
    neon.extend.register_encoder(Power)
    model = make_pipeline(Power(3.0), Ridge()).fit(X, Y)
    explainer = neon.Explainer(model)
    np.testing.assert_allclose(explainer(X).values, X**3.0 * model[-1].coef_, rtol=0, atol=1e-9)
    model[0]._exponent = 3.5
    with pytest.raises(neon.UnsupportedModelError, match="_exponent of Power is another"):
        explainer(X[:1])
