"""Explanations below each other, and as tidy frames."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import neon
from neon import Explanation
from tests.explanation.test_saving import same

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(9, 3)), columns=["age", "spend", "late"], index=[f"APP-{i}" for i in range(9)])
LABELS = np.arange(9) % 3


@pytest.fixture(scope="module")
def explainer() -> neon.Explainer:
    return neon.Explainer(LogisticRegression().fit(X, LABELS), unit="€", feature_units={"spend": "€"})


@pytest.mark.parametrize("target", [None, "all"])
def test_parts_are_the_whole(explainer: neon.Explainer, target: str | None) -> None:
    whole = explainer(X, target)
    found = neon.concat(explainer(X[start : start + 4], target) for start in (0, 4, 8))
    np.testing.assert_allclose(found.values, whole.values, atol=1e-12)
    assert list(found.index) == list(X.index)
    assert same(neon.concat([whole[:2], whole[2:]]), whole)
    assert found.unit == "€"


def test_views_of_mixed_frames() -> None:
    frame = pd.DataFrame(
        {"city": ["Köln", "Wien", None] * 3, "size": [1.5, np.nan, 3.0] * 3, "member": [True, False, True] * 3}
    )
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), (SimpleImputer(), ["size"]), remainder="passthrough")
    whole = neon.explain(make_pipeline(encoder, LogisticRegression()).fit(frame, LABELS), frame)
    assert same(neon.concat([whole[:4], whole[4:]]), whole[:])
    joined = neon.concat([whole[:4], replace(whole[4:], imputed=None)])
    assert joined.imputed is not None
    assert joined.imputed[4:].sum() == 0
    assert joined.encoded is not None
    assert joined.data[0, 2] is True


def test_sparse_rows_and_texts() -> None:
    rows = sparse.csr_matrix(np.where(X > 0, X, 0.0))
    whole = neon.explain(LinearRegression().fit(rows, X["age"]), rows)
    joined = neon.concat([whole[:4], whole[4:]])
    assert type(joined.data) is type(whole.data)
    np.testing.assert_array_equal(np.asarray(joined.data), np.asarray(whole.data))
    documents = ["good day", "bad", "", "good bad"] * 2
    told = neon.explain(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(documents, [0, 1] * 4), documents)
    together = pickle.loads(pickle.dumps(neon.concat([told[:3], told[3:4], told[4:]])))
    for row in range(8):
        assert together.text(row)[0] == told.text(row)[0]
        np.testing.assert_array_equal(together.text(row)[1], told.text(row)[1])


def test_residuals_and_words_of_either(explainer: neon.Explainer) -> None:
    whole = explainer(X)
    other = replace(
        whole[4:], residuals={}, prediction=whole[4:].prediction - whole[4:].residuals["entropy"], base_in_words="b"
    )
    joined = neon.concat([whole[:4], other])
    assert not joined.residuals["entropy"][4:].any()
    assert joined.conservation_error() < 1e-12
    assert joined.base_in_words == f"{whole.base_in_words} or b"
    unlabelled = replace(whole, index=None)
    assert neon.concat([unlabelled, unlabelled]).index is None
    assert neon.concat([unlabelled, whole]).index.tolist() == [*range(9), *X.index]


def test_what_does_not_go_together(explainer: neon.Explainer) -> None:
    whole = explainer(X)
    for other, message in [
        (replace(whole, feature_names=("age", "spend", "x"), feature_units={}), r"lacks \['late'\] and has \['x'\]"),
        (whole[:, [1, 0, 2]], "feature_names: number 1 has another order"),
        (replace(whole, output_names=("a", "b", "c")), "output_names"),
        (replace(whole, unit="$"), "unit: number 1 has '\\$'"),
        (explainer(X, "all"), "all outputs"),
    ]:
        with pytest.raises(ValueError, match=message):
            neon.concat([whole, other])
    with pytest.raises(ValueError, match="no explanations"):
        neon.concat([])
    with pytest.raises(TypeError, match="several"):
        neon.concat(whole)
    with pytest.raises(TypeError, match="DataFrame"):
        neon.concat([whole, X])  # type: ignore[list-item]


@pytest.mark.parametrize("target", [None, "all"])
def test_tidy_frames(explainer: neon.Explainer, target: str | None) -> None:
    explanation = explainer(X, target)
    frame = explanation.to_frame(tidy=True)
    assert list(frame.columns) == ["sample", "target", "feature", "value", "relevance", "base_value", "prediction"]
    each = frame.groupby(["sample", "target"], sort=False)
    total = each["relevance"].sum() + each["base_value"].first()
    np.testing.assert_allclose(total, each["prediction"].first(), atol=1e-12)
    wide = explanation.to_frame()
    for name in ("age", "spend", "residual:entropy"):
        np.testing.assert_array_equal(frame.loc[frame.feature == name, "relevance"], wide[name])
    spend = frame[frame.feature == "spend"].drop_duplicates("sample")
    np.testing.assert_array_equal(spend["value"], X["spend"])
    assert list(spend["sample"]) == list(X.index)


def test_tidy_frames_of_other_kinds() -> None:
    values = np.arange(8.0).reshape(2, 2, 2)
    zeros = np.zeros(2)
    image = Explanation(values, zeros, values.sum((1, 2)), {}, values, (), ("y",), zeros.astype(int), "score")
    assert image.to_frame(tidy=True)["feature"].tolist() == ["0,0", "0,1", "1,0", "1,1"] * 2
    data = np.array([["a", True], [None, False]], dtype=object)
    mixed = Explanation(
        values[0], zeros, values[0].sum(1), {"bias": zeros}, data, ("x", "y"), ("y",), zeros.astype(int), "score",
        imputed=np.eye(2, dtype=bool), index=[("n", 1), ("s", 2)],
    )  # fmt: skip
    frame = mixed.to_frame(tidy=True)
    assert frame["sample"].tolist() == [("n", 1)] * 3 + [("s", 2)] * 3
    assert frame["value"].tolist()[:2] == ["a", True]
    assert frame["imputed"].tolist() == [True, False, False, False, True, False]
    assert len(mixed[:0].to_frame(tidy=True)) == 0
