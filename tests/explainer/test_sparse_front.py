"""Sparse rows, of which the entries alone are multiplied, against the engine on the same rows, dense."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import neon
from neon.converters.core import intake
from neon.explainer import sparse_front
from neon.explanation.rows_like_arrays import SparseRows

MODELS: dict[str, Callable[[], Any]] = {
    "logistic": LogisticRegression,
    "linear SVM": LinearSVC,
    "counts": MultinomialNB,
    "complements": ComplementNB,
    "scaled": lambda: make_pipeline(MaxAbsScaler(), LogisticRegression()),
    "scaled counts": lambda: make_pipeline(MaxAbsScaler(), MultinomialNB()),
    "tf-idf": lambda: make_pipeline(TfidfTransformer(), LogisticRegression()),
    "normalized": lambda: make_pipeline(Normalizer(), MaxAbsScaler(), LinearSVC()),
    "network": lambda: MLPClassifier((5,), max_iter=300, solver="lbfgs", random_state=0),
}


@pytest.fixture(autouse=True)
def every_row_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "WIDE", 1)


def text(n_rows: int = 50, n_columns: int = 30, n_entries: int = 4) -> sparse.csr_matrix:
    """Counts; the third row has none."""
    random = np.random.default_rng(1)
    columns = random.integers(0, n_columns, (n_rows, n_entries)).ravel()
    X = sparse.csr_matrix(
        (np.ones(columns.size), columns, np.arange(n_rows + 1) * n_entries), shape=(n_rows, n_columns)
    )
    X.sum_duplicates()
    X.data[X.indptr[2] : X.indptr[3]] = 0.0
    return X


def labels(n_classes: int) -> np.ndarray:
    return np.arange(50) % n_classes


def assert_same(found: neon.Explanation, dense: neon.Explanation) -> None:
    for name in ("values", "base_values", "prediction"):
        np.testing.assert_allclose(getattr(found, name), getattr(dense, name), rtol=1e-10, atol=1e-12)
    for name in {*found.residuals, *dense.residuals}:
        np.testing.assert_allclose(found.residuals.get(name, 0), dense.residuals.get(name, 0), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(found.target, dense.target)
    assert (found.explains, found.base_in_words) == (dense.explains, dense.base_in_words)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_as_of_dense_rows(name: str, n_classes: int) -> None:
    X = text()
    explainer = neon.Explainer(MODELS[name]().fit(X, labels(n_classes)))
    assert explainer._sparse_front is not None
    found = explainer(X)
    assert isinstance(found.values, SparseRows)
    assert_same(found, explainer(X.toarray()))


@pytest.mark.parametrize(
    "target",
    [1, labels(3), (0, 2), neon.targets.Contrast(labels(3), 1), neon.targets.LogOdds(2), torch.tanh],
    ids=["index", "one a row", "pair", "contrast", "log-odds", "callable"],
)
@pytest.mark.parametrize("name", ["logistic", "counts", "network"])
def test_every_target(name: str, target: Any) -> None:
    explainer = neon.Explainer(MODELS[name]().fit(text(), labels(3)))
    found = explainer(text(), target)
    assert isinstance(found.values, SparseRows)
    assert_same(found, explainer(text().toarray(), target))


def test_shifts_in_front_of_the_map() -> None:
    dense = text().toarray() - np.linspace(0, 1, 30)
    model = make_pipeline(StandardScaler(), MinMaxScaler(), MODELS["network"]()).fit(dense, labels(3))
    explainer = neon.Explainer(model, composite="neon", reference=np.zeros(30))
    assert explainer._sparse_front is not None
    assert_same(explainer(text()), explainer(text().toarray()))


def test_single_precision_and_copies() -> None:
    explainer = neon.Explainer(LogisticRegression().fit(text(), labels(3)), dtype=torch.float32)
    np.testing.assert_allclose(explainer(text()).values, explainer(text().toarray()).values, atol=1e-5)
    fresh = neon.Explainer(LogisticRegression().fit(text(), labels(3)), dtype=torch.float32)
    assert len(pickle.dumps(explainer)) == len(pickle.dumps(fresh))  # without what sparse rows are read by
    assert_same(pickle.loads(pickle.dumps(explainer))(text()), explainer(text()))


def test_chunks_of_rows_and_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    X, model = text(), LogisticRegression().fit(text(), labels(3))
    whole = neon.explain(model, X)
    assert_same(neon.explain(model, X, batch_size=7), whole)
    monkeypatch.setattr(sparse_front, "_ENTRIES", 9)
    assert_same(neon.explain(model, X), whole)
    monkeypatch.setattr(sparse_front, "_ENTRIES", 1)  # fewer than a row has
    assert_same(neon.explain(model, X), whole)
    assert len(neon.explain(model, X[:0])) == 0


def test_chunks_of_more_entries_than_32_bits_count() -> None:
    rows: Any = SimpleNamespace(indptr=np.array([0, 2**31 - 9, 2**31 - 4, 2**31 - 1], dtype=np.int32), shape=(3, 9))
    front: Any = None
    assert [sparse_front.SparseFront.stop(front, rows, start, 2048) for start in range(3)] == [1, 3, 3]


def test_where_what_is_absent_counts() -> None:
    X, y = text(), labels(2)
    model = LogisticRegression().fit(X, y)
    assert neon.Explainer(model, reference=np.ones(30))._sparse_front is None
    for other in (BernoulliNB(), SVC(), Ridge().fit(X, y)):
        front = neon.Explainer(other.fit(X, y))._sparse_front
        assert (front is not None) == isinstance(other, Ridge)
    for composite in ("epsilon", "epsilon_plus_flat", "lrp_overview"):
        assert neon.Explainer(model, composite=composite)._sparse_front is None


def test_memory_beside_the_rows() -> None:
    """A copy of them, and a number for each entry; the rest is that of a chunk, and does not grow with the rows."""
    X = text(4000, 5000, 30)
    explainer = neon.Explainer(LinearSVC().fit(X[:50], labels(2)), batch_size=100, progress=False)
    explainer(X[:200])
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    tracemalloc.start()
    found = explainer(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.values.matrix.indices.base is found.data.matrix.indices.base or np.shares_memory(
        found.values.matrix.indices, found.data.matrix.indices
    )
    assert peak < 2 * size


def test_narrow_rows_are_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    X = text()
    for name in ("logistic", "tf-idf"):
        explainer = neon.Explainer(MODELS[name]().fit(X, labels(2)))
        assert explainer._sparse_front is None
        np.testing.assert_array_equal(explainer(X).values, explainer(X.toarray()).values)  # the same bits
