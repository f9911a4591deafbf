"""What a report holds, and what is refused; how it behaves is tested in a browser."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neon
from neon.explanation import Explanation
from neon.report.columns import read_column
from neon.report.excerpt import FEATURES, STRONGEST, excerpt_of
from neon.report.packing import packed
from neon.report.payload import payload
from neon.report.residuals import residual_in_words
from tests.report import pages

ROOT = Path(__file__).resolve().parents[2]


def unpacked(entry: dict[str, Any]) -> np.ndarray:
    """The numbers as a browser reads them."""
    kind = {"u1": "u1", "i1": "i1", "u2": "<u2", "i4": "<i4", "f4": "<f4", "f8": "<f8"}[entry["type"]]
    return np.frombuffer(base64.b64decode(entry["bytes"]), kind).reshape(entry["shape"]).astype(np.float64)


def written(explanation: Explanation, path: Path, **options: Any) -> str:
    explanation.report(path, **options)
    return path.read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_every_number_is_on_the_page(tmp_path: Path) -> None:
    e = pages.loans()
    found = data_of(written(e, tmp_path / "report.html"))
    order = [e.feature_names.index(column["name"]) for column in found["columns"]]
    assert sorted(order) == list(range(5))
    assert np.allclose(unpacked(found["relevance"])[0], e.values[:, order].T, rtol=1e-6)
    assert np.allclose(unpacked(found["prediction"])[0], e.prediction, rtol=1e-6)
    assert unpacked(found["start"]).tolist() == [[0.5]]  # the same for all rows: once
    assert np.allclose(unpacked(found["residuals"][0]["values"])[0], e.residuals["bias"], rtol=1e-6)
    late = next(column for column in found["columns"] if column["name"] == "late payments")
    assert (unpacked(late["values"]) == e.data[:, 0].astype(float)).all()
    region = next(column for column in found["columns"] if column["name"] == "region")
    texts = [region["texts"][int(code)] for code in unpacked(region["values"])]
    assert texts == [f"'{value}'" for value in e.data[:, 2]]
    assert found["labels"][:2] == ["APP-0000", "APP-0001"]


def test_facts_and_checks_are_said(tmp_path: Path) -> None:
    page = written(pages.loans(), tmp_path / "report.html", title="Loans & more")
    for text in (
        '<h1 dir="auto">Loans &amp; more</h1>',
        "log-odds of a class",
        "Shapley values from the rows of the fit",
        "0.500 (mean prediction of 200 reference rows)",
        "<strong>Passed.</strong> <bdi>Base value, relevance of all features and residuals add up",
        residual_in_words("bias"),
    ):
        assert text in page, text


def test_failed_checks_are_said(tmp_path: Path) -> None:
    e = pages.loans()
    wrong = Explanation(**{**e.__dict__, "prediction": e.prediction + 1.0})
    assert "<strong>Failed.</strong>" in written(wrong, tmp_path / "report.html")


def test_the_explainer_names_the_model_and_is_compared_with_it(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).normal(size=(30, 3))
    explainer = neon.Explainer(make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 0]))
    page = written(explainer(X), tmp_path / "report.html", explainer=explainer)
    assert "StandardScaler, then LinearRegression" in page
    assert f'<dt>Composite</dt><dd dir="auto">{explainer.composite}</dd>' in page
    assert "Passed.</strong> <bdi>The network gives what the model gives" in page
    assert "was not checked again" in written(explainer(X), tmp_path / "other.html")


def test_text_of_others_is_escaped(tmp_path: Path) -> None:
    page = written(pages.hostile(), tmp_path / "report.html", title=pages.HOSTILE[0])
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://", page)
    e = pages.hostile()
    assert {column["name"] for column in data_of(page)["columns"]} == set(e.feature_names)


def test_scripts_set_text_as_text() -> None:
    for file in (ROOT / "neon" / "report" / "page").glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", file.read_text()
        )


def test_the_same_explanation_gives_the_same_file(tmp_path: Path) -> None:
    assert written(pages.loans(), tmp_path / "a.html") == written(pages.loans(), tmp_path / "b.html")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    e = pages.loans()
    page = written(e, tmp_path / "report.html", max_rows=50)
    assert "The table shows the first 50 of 120 rows (max_rows=50); the overview is of all rows." in page
    found = data_of(page)
    assert found["n"] == 50
    positive = unpacked(found["overview"][0]["positive"])
    order = [e.feature_names.index(column["name"]) for column in found["columns"]]
    assert np.allclose(positive, np.maximum(e.values[:, order], 0).mean(axis=0), rtol=1e-6)
    assert "The table shows" not in written(e, tmp_path / "whole.html")


@pytest.mark.parametrize("every", [False, True])
def test_rows_of_many_features_hold_their_strongest(every: bool) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, 300, 2) if every else (20, 300))
    data = rng.normal(size=(20, 300))
    e = pages.explanation(values, data=data, **({"target": None, "output_names": ("a", "b")} if every else {}))
    found = payload(e, excerpt_of(e, None, 100))
    strongest = {name: unpacked(part) for name, part in found["strongest"].items()}
    assert strongest["relevance"].shape == (1 + every, 20, STRONGEST)
    by_output = np.moveaxis(values, -1, 0) if every else values[None]
    assert np.allclose(
        strongest["relevance"].sum(axis=2) + strongest["rest"], by_output.sum(axis=2), rtol=1e-4, atol=1e-4
    )
    for output, row in np.ndindex(1 + every, 20):
        names = [found["columns"][int(place)]["name"] for place in strongest["place"][output, row]]
        features = [int(name[1:]) for name in names]
        assert features == np.argsort(-np.abs(by_output[output, row]))[:STRONGEST].tolist()
        assert np.allclose(strongest["values"][output, row], data[row, features], rtol=1e-6)
    assert sum("values" in column for column in found["columns"]) == FEATURES


def test_images_are_steps_of_their_largest_relevance() -> None:
    e = pages.images()
    found = payload(e, excerpt_of(e, None, 100))
    heat, limits = unpacked(found["heat"]), unpacked(found["limits"])
    exact = np.moveaxis(e.values.sum(axis=1), -1, 0).reshape(3, 5, 24)
    assert np.allclose(heat / 127 * limits[:, :, None], exact, atol=limits.max() / 127)
    colors = unpacked(found["pictures"]).reshape(5, 6, 4, 3) / 255
    low, high = e.data.min(), e.data.max()
    assert np.allclose(colors, (np.moveaxis(np.asarray(e.data), 1, -1) - low) / (high - low), atol=1 / 255)


def test_pixels_of_a_table_are_an_image_of_the_shape() -> None:
    e = pages.explanation(np.arange(24.0).reshape(2, 12))
    found = payload(e, excerpt_of(e, (3, 4), 10))
    assert found["kind"] == "image"
    assert found["shape"] == [3, 4]
    assert unpacked(found["heat"])[0, 1].argmax() == 11


def test_documents_stand_word_by_word() -> None:
    e = pages.reviews()
    found = payload(e, excerpt_of(e, None, 100))
    ends = unpacked(found["ends"]).astype(int)
    pieces, relevance = e.text(3)
    assert tuple(found["words"][ends[2] : ends[3]]) == pieces
    assert np.allclose(unpacked(found["wordRelevance"])[0, ends[2] : ends[3]], relevance, rtol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1.0]]),
        np.array([[np.nan, 1.0], [np.inf, -1.0], [0.0, 0.0]]),
        np.zeros((3, 2)),
        np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32),
    ],
    ids=["one number", "not finite", "nothing", "float32"],
)
def test_every_kind_of_values_has_a_page(values: np.ndarray, tmp_path: Path) -> None:
    finite = np.where(np.isfinite(values), values, 0.0)
    e = pages.explanation(finite)
    e = Explanation(**{**e.__dict__, "values": values})
    found = data_of(written(e, tmp_path / "report.html"))
    order = [int(column["name"][1:]) for column in found["columns"]]
    assert np.allclose(unpacked(found["relevance"])[0].T, values[:, order], equal_nan=True)


def test_whole_numbers_keep_all_their_digits() -> None:
    for array in ([0, 255], [256, 65535], [-5, 70000], [2**40 + 1, 3], [0.5, 2.0**25 + 1], [np.nan, 2.0**30 + 1]):
        assert np.array_equal(unpacked(packed(np.array(array))), np.array(array, dtype=float), equal_nan=True)
    assert packed(np.array([0.1]))["type"] == "f4"


def test_values_of_several_types_stay_apart() -> None:
    values = np.array([True, "True", "1", None, True], dtype=object)
    column = read_column("x", values, unit="", imputed=False, n_rows=5)
    texts = [None if np.isnan(code) else column.about["texts"][int(code)] for code in column.numbers]
    assert texts == ["yes", "'True'", "'1'", None, "yes"]


def test_residuals_of_other_layers_have_words_as_well() -> None:
    assert residual_in_words("of_my_layer") == "a part of the prediction that no feature owns"


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: pages.loans()[:0], {}, "no rows"),
        (pages.loans, {"max_rows": 0}, "max_rows: expected at least 1, got 0"),
        (pages.loans, {"shape": (2, 3)}, r"shape: expected \(height, width\) of 5 pixels, got \(2, 3\)"),
        (lambda: pages.explanation(np.zeros((2, 2, 2, 2, 2))), {}, "no report of features of shape"),
    ],
)
def test_what_cannot_be_reported_is_refused(make: Any, options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        make().report(tmp_path / "report.html", **options)
    assert not list(tmp_path.iterdir())
