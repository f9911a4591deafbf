"""Relevance of sparse rows, which is sparse where it is 0 wherever these are, against that of the same rows, dense."""

from __future__ import annotations

import dataclasses
import pickle
import re
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import neon
from neon.explanation import memory
from neon.explanation.rows_like_arrays import SparseRows
from neon.lrp.propagate import Walk
from neon.lrp.recorded import Recording

MODELS = {
    "logistic": LogisticRegression(max_iter=200),
    "svm": LinearSVC(),
    "counts": MultinomialNB(),
    "tf-idf": make_pipeline(TfidfTransformer(), LogisticRegression()),
    "network": MLPClassifier((5,), alpha=1.0, max_iter=2000, solver="lbfgs", random_state=0),
}


def rows(n_rows: int = 60, n_columns: int = 40, kind: type = float) -> sparse.csr_matrix:
    X = sparse.random(n_rows, n_columns, density=0.1, format="csr", random_state=3)
    X.data = np.ceil(3 * X.data)
    return X.astype(kind)


@pytest.fixture(scope="module")
def fitted() -> dict:
    y = np.random.default_rng(0).integers(0, 3, 60)
    return {name: model.fit(rows(), y) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def pair(fitted: dict) -> tuple[neon.Explanation, neon.Explanation]:
    """Of the same rows, sparse and dense."""
    explainer = neon.Explainer(fitted["logistic"])
    return explainer(rows()), explainer(rows().toarray())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [float, int, np.float32])
def test_sparse_rows_have_sparse_relevance(fitted: dict, name: str, kind: type) -> None:
    explainer = neon.Explainer(fitted[name], batch_size=7)
    X = rows(kind=kind)
    found, dense = explainer(X), explainer(X.toarray())
    assert isinstance(found.values, SparseRows)
    assert found.values.matrix.nnz == X.nnz
    np.testing.assert_allclose(found.values, dense.values, atol=1e-12)
    np.testing.assert_array_equal(found.prediction, dense.prediction)
    assert found.conservation_error() < 1e-12


@pytest.mark.parametrize("form", ["csc_matrix", "coo_matrix", "csr_array", "lil_matrix"])
def test_every_kind_of_sparse_rows(fitted: dict, pair: tuple, form: str) -> None:
    found = neon.explain(fitted["logistic"], getattr(sparse, form)(rows()))
    assert isinstance(found.values, SparseRows)
    np.testing.assert_allclose(found.values, pair[1].values, atol=1e-12)


def test_entries_that_stand_twice_or_are_zero(fitted: dict) -> None:
    X = sparse.csr_matrix(([1.0, 2.0, 0.0], [4, 4, 7], [0, 3, 3]), shape=(2, 40))
    found = neon.explain(fitted["logistic"], X)
    np.testing.assert_allclose(found.values, neon.explain(fitted["logistic"], X.toarray()).values, atol=1e-12)
    assert X.nnz == 3


def test_the_caller_s_rows_may_change_afterwards(fitted: dict) -> None:
    X = rows()
    found = neon.explain(fitted["logistic"], X)
    before = np.asarray(found.data)
    X.data[:] = 0.0
    np.testing.assert_array_equal(found.data, before)
    with pytest.raises(ValueError, match="read-only"):
        found.values.matrix.data[0] = 1.0


def test_relevance_of_what_is_absent_is_dense(fitted: dict) -> None:
    X, y = rows(), np.arange(60) % 2
    absent = neon.explain(BernoulliNB().fit(X, y), X)
    assert isinstance(absent.values, np.ndarray)
    compared = neon.explain(fitted["logistic"], X, reference=rows().toarray().mean(0))
    assert isinstance(compared.values, np.ndarray)
    every = neon.explain(fitted["logistic"], X, "all")
    assert every.values.shape == (60, 40, 3)


def test_relevance_that_leaves_the_places_later_is_dense() -> None:
    """The first rows hold every column, the second ones do not."""
    X = sparse.csr_matrix(np.concatenate([np.ones((70, 3)), np.eye(3)]))
    model = BernoulliNB().fit(X, np.arange(73) % 2)
    found = neon.Explainer(model, batch_size=70)(X)
    np.testing.assert_allclose(found.values, neon.explain(model, X.toarray()).values, atol=1e-12)
    assert isinstance(found.values, np.ndarray)


def test_documents() -> None:
    documents = ["good good film", "bad film", "a good end", "bad bad end", ""] * 3
    y = [1, 0, 1, 0, 0] * 3
    for vectorizer in (CountVectorizer(), TfidfVectorizer()):
        model = make_pipeline(vectorizer, LogisticRegression()).fit(documents, y)
        found = neon.explain(model, documents)
        assert isinstance(found.values, SparseRows)
        pieces, shares = found.text(0)
        assert shares.sum() == pytest.approx(found.values[0].sum())
        assert "good" in pieces


def test_what_is_made_of_an_explanation(pair: tuple) -> None:
    found, dense = pair
    groups = {"first": list(range(5)), "others": ["feature 7", "feature 9"]}
    for change in (
        lambda e: e.abs,
        lambda e: e.mean(),
        lambda e: e.group(groups),
        lambda e: e[:, [3, 1]],
        lambda e: e[:, "feature 7"],
        lambda e: e[[5, 2]],
        lambda e: e[e.target == 1],
        lambda e: e[4],
        lambda e: neon.concat([e, e[:3]]),
        lambda e: neon.concat([e, dense]),
        lambda e: pickle.loads(pickle.dumps(e)),
    ):
        ours, theirs = change(found), change(dense)
        np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
        np.testing.assert_array_equal(np.asarray(ours.data), np.asarray(theirs.data))
        assert ours.conservation_error() < 1e-12
    assert isinstance(found.group(groups).values, SparseRows)
    assert isinstance(found[:, :20].values, SparseRows)


def test_tables(pair: tuple) -> None:
    found, dense = pair
    pd.testing.assert_frame_equal(_dense(found), dense.to_frame())
    tidy, all_lines = found.to_frame(tidy=True), dense.to_frame(tidy=True)
    held = all_lines[(all_lines["relevance"] != 0) | all_lines["feature"].str.startswith("residual:")]
    pd.testing.assert_frame_equal(tidy, held.reset_index(drop=True))


def _dense(found: neon.Explanation) -> pd.DataFrame:
    frame = found.to_frame()
    assert isinstance(frame["feature 0"].dtype, pd.SparseDtype)
    return frame.assign(**{name: frame[name].sparse.to_dense() for name in found.feature_names})


def without_rounding(text: str) -> str:
    """Text without how far off sums are."""
    return re.sub(r"\d\.\d+e.\d\d", "", text)


def test_files_plots_and_reports(pair: tuple, tmp_path: Path) -> None:
    found, dense = pair
    found.save(tmp_path / "found.neon")
    back = neon.Explanation.load(tmp_path / "found.neon")
    assert isinstance(back.values, SparseRows)
    np.testing.assert_array_equal(back.values, found.values)
    assert without_rounding(found._repr_html_()) == without_rounding(dense._repr_html_())
    for draw in ("bar", "beeswarm", "heatmap"):
        getattr(found.plot, draw)()
    found.plot.bar(by="target")
    found.plot.waterfall(3)
    for explanation in (found, dataclasses.replace(found, values=np.asarray(found.values))):
        explanation.report(tmp_path / f"{type(explanation.values).__name__}.html")
    written = [(tmp_path / f"{kind}.html").read_text() for kind in ("SparseRows", "ndarray")]
    assert without_rounding(written[0]) == without_rounding(written[1])


def test_functions_of_each_number() -> None:
    plain = rows(5, 8).toarray() - 2 * (rows(5, 8).toarray() == 1)
    held = SparseRows(plain)
    for function in (np.abs, np.negative, lambda v: np.maximum(v, 0), lambda v: v / 2, lambda v: 3 * v):
        assert isinstance(function(held), SparseRows)
        np.testing.assert_array_equal(function(held), function(plain))
    for function in (np.exp, lambda v: v + 1, lambda v: v > 0, np.isfinite, lambda v: v * plain):
        assert isinstance(function(held), np.ndarray)
        np.testing.assert_array_equal(function(held), function(plain))
    for axis in (None, 0, 1, -1, (1,), (0, 1)):
        for keepdims in (False, True):
            for function in (np.sum, np.mean):
                ours, theirs = (
                    function(held, axis=axis, keepdims=keepdims),
                    function(plain, axis=axis, keepdims=keepdims),
                )
                np.testing.assert_allclose(ours, theirs)
                assert np.shape(ours) == np.shape(theirs)


def test_a_transformer_hands_sparse_rows_on() -> None:
    X, y = rows(), np.arange(60) % 2
    found = neon.RelevanceTransformer(LogisticRegression(), target=1).fit(X, y).transform(X)
    assert sparse.issparse(found)
    dense = neon.RelevanceTransformer(LogisticRegression(), target=1).fit(X.toarray(), y).transform(X.toarray())
    np.testing.assert_allclose(found.toarray(), dense, atol=1e-5)


def test_what_does_not_fit_is_refused_before_it_is_allocated(fitted: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: 8 * 60 * 40.0 - 1)
    found = neon.explain(fitted["logistic"], rows())
    with pytest.raises(MemoryError, match=r"a dense array of sparse rows of 60 × 40 numbers takes .* GiB"):
        np.asarray(found.values)
    with pytest.raises(MemoryError, match=r"relevance of 60 × 40 × 3 numbers takes .* explain fewer rows at a time"):
        neon.explain(fitted["logistic"], rows(), "all")
    assert neon.explain(fitted["logistic"], rows()[:19], "all").values.shape == (19, 40, 3)


def test_the_memory_of_the_machine() -> None:
    assert 2**20 < memory.machine() < 2**60


def test_working_memory_of_many_outputs_is_bounded() -> None:
    """All outputs of a chunk, twice, take 128 MiB at most; a chunk of one row may take more."""
    X = np.random.default_rng(0).normal(size=(120, 400))
    explainer = neon.Explainer(GaussianNB().fit(X, np.arange(120) % 60))
    size, _ = explainer._chunk_size(True, 0)
    assert 1 < size <= 128 * 2**20 // (16 * 400 * 60)


def test_walks_of_many_outputs_are_held_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[weakref.ref] = []
    most = [0]
    propagate = Recording.propagate

    def watched(recording: Recording, *args: Any, **options: Any) -> Walk:
        most[0] = max(most[0], sum(walk() is not None for walk in walks))
        found = propagate(recording, *args, **options)
        walks.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Recording, "propagate", watched)
    X = np.random.default_rng(0).normal(size=(60, 3))
    explainer = neon.Explainer(KMeans(20, n_init=1, random_state=0).fit(X), composite="neon")
    found = explainer(X, "all")
    assert len(walks) == 20
    assert most[0] <= 1  # the last one, until the next has been taken
    for cluster in (0, 19):
        np.testing.assert_allclose(found.values[..., cluster], explainer(X, cluster).values, atol=1e-12)
