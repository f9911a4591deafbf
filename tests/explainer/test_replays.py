"""Few rows at a time: the answers of the batch, from any thread, and when the model itself is asked."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

import neon
from neon.errors import UnsupportedModelError
from neon.explainer.equivalence import COMPARED, Comparisons, kind_of
from neon.extend import Ask, Conversion, register
from neon.lrp.prepared import Prepared

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6))
VALUE = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
LABEL = (VALUE > 0) + (X[:, 3] > 0.5).astype(int)

FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "k-means": (KMeans(4, n_init=1, random_state=0), {}),
    "mixture": (GaussianMixture(2, random_state=0), {}),
    "logistic": (LogisticRegression(), {}),
    "pipeline": (make_pipeline(StandardScaler(), PCA(4), LogisticRegression()), {}),
    "bins": (make_pipeline(make_column_transformer((KBinsDiscretizer(3), [0, 1])), LogisticRegression()), {}),
    "SVC": (SVC(), {}),
    "SVR, shapley": (SVR(), {"composite": "shapley"}),
    "SVR, expected": (SVR(), {"composite": "expected", "reference": X[:3]}),
    "one-class": (OneClassSVM(nu=0.3), {}),
    "density": (KernelDensity(), {}),
    "neighbours": (KNeighborsClassifier(), {}),
    "perceptron": (MLPClassifier((8,), max_iter=20, random_state=0), {}),
    "perceptron, from rows": (MLPClassifier((8,), max_iter=20, random_state=0), {"reference": X[:5]}),
    "forest": (RandomForestClassifier(5, random_state=0), {}),
    "forest, from rows": (RandomForestClassifier(5, max_depth=4, random_state=0), {"reference": X[:5]}),
}


def _fitted(name: str) -> tuple[Any, dict[str, Any]]:
    model, options = FAMILIES[name]
    return model.fit(X, VALUE if name.startswith("SVR") else LABEL), options


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_one_at_a_time_are_explained_as_in_a_batch(name: str) -> None:
    model, options = _fitted(name)
    rows = X[:12]
    batch = neon.Explainer(model, **options)(rows)
    explainer = neon.Explainer(model, **options)
    for i, row in enumerate(rows):
        alone = explainer(row[None])
        size = np.abs(batch.values).max()
        for field in ("values", "base_values", "prediction"):
            np.testing.assert_allclose(getattr(alone, field)[0], getattr(batch, field)[i], rtol=0, atol=1e-11 * size)
        assert alone.target == batch.target[i]
        assert alone.conservation_error() <= 1e-9 * size


@pytest.mark.parametrize("name", ["k-means", "SVR, shapley", "neighbours", "forest", "perceptron, from rows"])
def test_threads_give_the_bits_of_one_alone(name: str) -> None:
    model, options = _fitted(name)
    alone = neon.Explainer(model, **options)
    expected = [alone(X[i : i + 1 + i % 3]).values for i in range(60)]
    shared = neon.Explainer(model, **options)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: shared(X[i : i + 1 + i % 3]).values, range(60)))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_replay_that_gives_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LinearRegression().fit(X, VALUE)
    expected = neon.Explainer(model)(X[:3])
    replay = Prepared.on
    monkeypatch.setattr(Prepared, "on", lambda self, x: replay(self, x + 1))
    explainer = neon.Explainer(model)
    for _ in range(2):
        np.testing.assert_array_equal(explainer(X[:3]).values, expected.values)


def test_models_are_asked_for_the_first_rows_and_then_once_in_a_thousand() -> None:
    few = Comparisons()
    assert [few.due(1, "a") for _ in range(COMPARED)] == [True] * COMPARED
    later = [few.due(1, "a") for _ in range(2500)]
    assert np.flatnonzero(later).tolist() == [999, 1999]
    assert few.due(COMPARED, "a")
    assert not few.due(COMPARED - 1, "a")
    assert Comparisons().due(10_000, "a")


def test_rows_of_another_kind_are_compared_anew() -> None:
    few = Comparisons()
    assert few.due(COMPARED, "arrays")
    assert not few.due(1, "arrays")
    assert [few.due(40, "frames") for _ in range(3)] == [True, True, False]
    kinds = [X, X.astype(np.float32), sparse.csr_matrix(X), sparse.csc_matrix(X), pd.DataFrame(X), pl.DataFrame(X)]
    frame = pd.DataFrame(X)
    kinds.append(frame.astype({0: np.float32}))
    assert len({kind_of(rows) for rows in kinds}) == len(kinds)
    assert kind_of(frame) == kind_of(frame[:3])


def test_sparse_rows_that_hold_a_place_twice_are_compared_anew() -> None:
    """SciPy adds such entries up; libsvm reads one of them."""
    rows = sparse.csr_matrix(X)
    model = SVC(kernel="linear").fit(rows, LABEL)
    explainer = neon.Explainer(model)
    explainer(rows)
    twice = sparse.csr_matrix((rows.data.repeat(2) / 2, rows.indices.repeat(2), 2 * rows.indptr), shape=rows.shape)
    with pytest.raises(UnsupportedModelError, match=r"several entries in one place.*X.sum_duplicates\(\)"):
        explainer(twice[:1])
    twice.sum_duplicates()
    np.testing.assert_allclose(explainer(twice).values, explainer(rows).values, rtol=0, atol=1e-12)


def test_a_model_that_has_changed_since_is_noticed_when_it_is_asked() -> None:
    model = LinearRegression().fit(X, VALUE)
    explainer = neon.Explainer(model)
    explainer(X)
    model.coef_ += 1
    explained = explainer(X[:1])
    assert explained.prediction[0] == pytest.approx(float(X[0] @ (model.coef_ - 1) + model.intercept_))
    with pytest.raises(UnsupportedModelError, match="differs from the model"):
        explainer(X)
    for _ in range(19):
        explainer(X[:50])
    with pytest.raises(UnsupportedModelError, match="differs from the model"):
        explainer(X[:50])


def test_pickles_hold_no_recordings() -> None:
    model, options = _fitted("SVR, shapley")
    explainer = neon.Explainer(model, **options)
    before = len(pickle.dumps(explainer))
    expected = [explainer(X[:n]).values for n in (1, 5, 100)]
    assert len(pickle.dumps(explainer)) <= 1.5 * before
    again = pickle.loads(pickle.dumps(explainer))
    assert all(np.array_equal(again(X[: len(values)]).values, values) for values in expected)


class _Doubled(torch.nn.Module):
    """A branch on the rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x.sum(1, keepdim=True)
        return total if bool((x > 0).all()) else 2 * total


class _Branching(LinearRegression):  # type: ignore[misc]
    """An estimator whose network runs other operations on other rows."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X.sum(1) * (1 if (X > 0).all() else 2))


def _converted(model: _Branching, ask: Ask) -> Conversion:
    return Conversion(torch.nn.Sequential(_Doubled()), "a value", ("value",), model.predict, composite="epsilon")


def test_a_network_with_branches_is_recorded_each_time() -> None:
    register(_Branching, by=_converted)
    explainer = neon.Explainer(_Branching().fit(X, VALUE))
    positive = np.abs(X)
    for rows, factor in ((positive[:1], 1), (X[:1], 2), (positive[1:2], 1), (X[3:4], 2)):
        np.testing.assert_allclose(explainer(rows).values, factor * rows, rtol=1e-5)
