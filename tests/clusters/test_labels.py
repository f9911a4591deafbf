"""Labels of clusters as callers hand them in: of every kind, in any order, missing, noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.preprocessing import StandardScaler

import neon

pytestmark = pytest.mark.usefixtures("one_pass")

X, NUMBERS = make_blobs(60, centers=3, n_features=2, random_state=0)
WORDS = pd.Series(np.array(["x", "y", "z"])[NUMBERS])
NOISE = np.arange(60) < 5


@pytest.mark.parametrize(
    "labels",
    [
        WORDS.mask(NOISE),
        WORDS.mask(NOISE).astype("category"),
        WORDS.astype(object).where(~NOISE, None),
        WORDS.astype("string").mask(NOISE),
    ],
    ids=["NaN", "category", "None", "string"],
)
def test_missing_labels_are_left_out_and_said(labels: pd.Series) -> None:
    found = neon.explain_clusters(labels, X)
    assert "5 rows are without a label: in no cluster" in found.explains
    assert [cluster.label for cluster in found] == ["x", "y", "z"]
    for cluster in found:
        np.testing.assert_array_equal(cluster.rows, np.flatnonzero((cluster.label == WORDS) & ~NOISE))
    assert len(found.explanation) == 60  # all rows are explained, those by the cluster with most evidence
    assert (found.explanation.prediction[NOISE] > 0).all()
    without = neon.explain_clusters(WORDS[~NOISE].to_numpy(dtype=str), X[~NOISE], encoder=StandardScaler().fit(X))
    here = neon.explain_clusters(labels, X, encoder=StandardScaler().fit(X))
    np.testing.assert_allclose(here.explanation.values[~NOISE], without.explanation.values, rtol=1e-9, atol=1e-12)


def test_noise_is_left_out_and_said() -> None:
    found = neon.explain_clusters(np.where(NOISE, -1, NUMBERS), X)
    assert "5 rows are noise (negative labels): in no cluster" in found.explains
    assert sum(cluster.size for cluster in found) == 55


def test_labels_of_several_kinds() -> None:
    mixed = np.array([7, "b", 2.0], dtype=object)[NUMBERS]
    found = neon.explain_clusters(mixed, X)
    assert [cluster.name for cluster in found] == ["cluster 2", "cluster 7", "cluster b"]
    assert [cluster.size for cluster in found] == [sum(mixed == 2), sum(mixed == 7), sum(mixed == "b")]
    plain = neon.explain_clusters(np.array([1, 2, 0])[NUMBERS], X)
    np.testing.assert_array_equal(found.explanation.values, plain.explanation.values)
    np.testing.assert_array_equal(found.explainer(X[:4], "b").values, plain.explainer(X[:4], 2).values)
    assert found["b"] is found["cluster b"]
    with pytest.raises(KeyError, match=r"no cluster 'c' with rows; there are \[2, 7, 'b'\]"):
        found["c"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(60), "labels name 1 cluster in 60 rows"),
        (np.where(NOISE, 0, -1), "labels name 1 cluster in 60 rows.*at least two are needed"),
        (np.full(60, None), "labels name 0 clusters"),
        (np.where(NOISE, np.inf, 1.0), "labels contain infinity"),
        (NUMBERS[:5], r"one per row \(60\), got shape \(5,\)"),
        (NUMBERS[:, None], r"one per row \(60\), got shape \(60, 1\)"),
    ],
)
def test_labels_that_name_no_clusters_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neon.explain_clusters(labels, X)


@pytest.mark.parametrize(
    "labels", [WORDS, WORDS.astype("category"), WORDS.astype("string"), WORDS.astype(object), WORDS.to_list()]
)
def test_labels_of_any_kind_of_column(labels: Any) -> None:
    expected = neon.explain_clusters(WORDS.to_numpy(dtype=str), X).explanation
    np.testing.assert_array_equal(neon.explain_clusters(labels, X).explanation.values, expected.values)


def test_a_series_is_matched_by_its_index() -> None:
    frame = pd.DataFrame(X, index=[f"r{i}" for i in range(60)])
    labels = pd.Series(NUMBERS, index=frame.index)
    expected = neon.explain_clusters(labels, frame)
    shuffled = neon.explain_clusters(labels.sample(frac=1, random_state=0), frame)
    np.testing.assert_array_equal(shuffled.explanation.values, expected.explanation.values)
    assert shuffled.explains == expected.explains
    some = neon.explain_clusters(labels.iloc[5:], frame)
    assert "5 rows are without a label" in some.explains
    assert sum(cluster.size for cluster in some) == 55
    with pytest.raises(ValueError, match="different indices"):
        neon.explain_clusters(pd.Series(NUMBERS), frame)
