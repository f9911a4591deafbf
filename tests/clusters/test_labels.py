"""Labels of clusters as callers hand them in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

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
def test_missing_labels_are_refused(labels: pd.Series) -> None:
    with pytest.raises(ValueError, match="5 labels are missing; mark noise by -1"):
        neon.explain_clusters(labels, X)


def test_labels_of_several_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"several kinds \(int, str\)"):
        neon.explain_clusters(np.array([0, "b", 2], dtype=object)[NUMBERS], X)


@pytest.mark.parametrize("labels", [WORDS, WORDS.astype("category"), WORDS.astype("string"), WORDS.astype(object)])
def test_labels_of_any_kind_of_column(labels: Any) -> None:
    expected = neon.explain_clusters(WORDS.to_numpy(dtype=str), X)
    np.testing.assert_array_equal(neon.explain_clusters(labels, X).values, expected.values)


def test_a_series_is_matched_by_its_index() -> None:
    frame = pd.DataFrame(X, index=[f"r{i}" for i in range(60)])
    labels = pd.Series(NUMBERS, index=frame.index)
    expected = neon.explain_clusters(labels, frame)
    shuffled = neon.explain_clusters(labels.sample(frac=1, random_state=0), frame)
    np.testing.assert_array_equal(shuffled.values, expected.values)
    assert shuffled.explains == expected.explains
    with pytest.raises(ValueError, match="different indices"):
        neon.explain_clusters(pd.Series(NUMBERS), frame)
