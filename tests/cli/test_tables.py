"""Tables as people have them: separators, decimal commas, byte order marks, dates, identifiers, columns too many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import neon
from neon.cli import main
from neon.cli.tables import Reading

X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)).round(3), columns=["height", "weight", "age"])
IDS = pd.Index([f"{i:05d}" for i in range(30)], name="patient")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the commands run in, with a model and its table."""
    monkeypatch.chdir(tmp_path)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X["age"] > 0)
    joblib.dump(model, "model.joblib")
    X.to_csv("data.csv", index=False)
    return tmp_path


def explain(*arguments: str, model: str = "model.joblib") -> int:
    return main(["explain", model, *arguments, "--trust-pickle"])


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_byte_order_marks_are_found(sep: str, encoding: str) -> None:
    X.to_csv("other.csv", index=False, sep=sep, encoding=encoding)
    pd.testing.assert_frame_equal(Reading().table("other.csv"), X)
    X.to_csv("other.tsv", index=False, sep="\t", encoding=encoding)
    pd.testing.assert_frame_equal(Reading().table("other.tsv"), X)


def test_fields_with_other_separators_in_them() -> None:
    table = pd.DataFrame({"price, EUR": [1.5, 2.5], "note": ["a; b, c", "d"]})
    for sep in ",;":
        table.to_csv("quoted.csv", index=False, sep=sep)
        pd.testing.assert_frame_equal(Reading().table("quoted.csv"), table)
    table[["note"]].to_csv("single.csv", index=False)
    pd.testing.assert_frame_equal(Reading().table("single.csv"), table[["note"]])


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("a;b\n1;2\n", ["--sep", ","], r"with ',' between fields, line 1 is one field, 'a;b': give --sep ';'"),
        ("a;b,c\n1;2,3\n", [], r"fields may be separated by ',' \(2 columns\) or ';' \(2 columns\): give --sep"),
        ("a,b\n1,2\n", ["--sep", "::"], "expected one character"),
        ("a;b\n1,5;2\n2,5;3\n", [], r"'a' holds numbers with decimal commas, such as 1,5: give --decimal ,"),
        ("height;weight;age\n1,5;2;3\n", ["--decimal", "."], "numeric.*1,5"),
        ("a;b;c\n1;2;3\n1;2\n", [], r"line 3 has 2 fields, and the header 3 names \(';' at the end"),
        ("height,age\n1,2\n", ["--drop", "aeg"], r"no column to drop called 'aeg'; did you mean age\?"),
        ("height,age\n1,2\n", ["--index", "hieght"], r"to name the rows called 'hieght'; did you mean height\?"),
        ("height,age\n1,2\n", ["--dates", "age", "--index", "height"], r"missing: \['height'"),
        ("height,age\nx,2\n", ["--dates", "height"], "'height' does not hold dates"),
    ],
)
@pytest.mark.filterwarnings("ignore:Could not infer format")
def test_what_is_wrong_is_said(
    capsys: pytest.CaptureFixture[str], content: str, arguments: list[str], words: str
) -> None:
    Path("odd.csv").write_text(content)
    assert explain("odd.csv", *arguments) == 2
    assert re.fullmatch(f"neon: .*{words}.*\n", capsys.readouterr().err)


def test_decimal_commas(capsys: pytest.CaptureFixture[str]) -> None:
    X.to_csv("german.csv", index=False, sep=";", decimal=",")
    assert explain("german.csv", "-o", "out.csv") == 2
    assert "--decimal ," in capsys.readouterr().err
    assert explain("german.csv", "--decimal", ",", "-o", "out.csv") == 0
    assert explain("data.csv", "-o", "same.csv") == 0
    assert Path("out.csv").read_bytes() == Path("same.csv").read_bytes()


def test_letters_of_windows(capsys: pytest.CaptureFixture[str]) -> None:
    X.rename(columns={"age": "größe"}).to_csv("windows.csv", index=False, encoding="cp1252")
    assert explain("windows.csv") == 2
    assert re.search(r"not written in utf-8 \(byte 0xf6\); .* --encoding, such as cp1252", capsys.readouterr().err)
    assert list(Reading(encoding="cp1252").table("windows.csv").columns) == ["height", "weight", "größe"]


def test_a_column_names_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    X.set_index(IDS).to_csv("named.csv")
    assert explain("named.csv", "--index", "patient", "--reference", "data.csv", "-o", "out.csv") == 0
    assert "left out" not in capsys.readouterr().out
    written = pd.read_csv(Path("out.csv"), dtype={"patient": str})
    assert list(written["patient"]) == list(IDS)
    assert explain("named.csv", "--index", "patient", "--target", "all", "-o", "out.csv") == 0
    written = pd.read_csv(Path("out.csv"), dtype={"patient": str})
    assert list(written["patient"]) == list(IDS.repeat(2))


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ([], "age at visit, sick, name"),
        (["--drop", "name,age at visit,sick"], ""),
        (["--drop", "name", "--drop", "age at visit"], "sick"),
    ],
)
def test_columns_that_are_no_features(capsys: pytest.CaptureFixture[str], arguments: list[str], left: str) -> None:
    """Those that were not there at fit are left out, and named; columns are found by name."""
    extra = X[X.columns[::-1]].assign(sick=True, name=IDS)
    extra.insert(1, "age at visit", "NA or 12")
    extra.to_csv("extra.csv", index=False)
    assert explain("extra.csv", "-o", "out.csv", *arguments) == 0
    said = capsys.readouterr().out
    if left:
        assert said.startswith(f"left out, since the model was not fitted with them: {left}\n")
    else:
        assert said.startswith("explains:")
    assert explain("data.csv", "-o", "same.csv") == 0
    assert Path("out.csv").read_bytes() == Path("same.csv").read_bytes()


def test_a_name_with_a_comma_is_dropped_as_a_whole() -> None:
    table = X.rename(columns={"age": "age,years"})
    table.to_csv("comma.csv", index=False)
    (found,) = Reading(drop=["age,years"]).tables("comma.csv")
    assert found is not None
    assert list(found.columns) == ["height", "weight"]


def test_a_model_without_names_and_too_many_columns(capsys: pytest.CaptureFixture[str]) -> None:
    joblib.dump(LogisticRegression().fit(X.to_numpy(), X["age"] > 0), "nameless.joblib")
    X.assign(id=1).to_csv("more.csv", index=False)
    assert explain("more.csv", model="nameless.joblib") == 2
    said = capsys.readouterr().err
    assert "4 features, but the model was fitted with 3; leave out columns that are no features with --drop" in said
    assert "the columns are height, weight, age, id" in said
    assert explain("more.csv", "--drop", "id", model="nameless.joblib") == 0


def _days(frame: Any) -> np.ndarray:
    return frame.apply(lambda column: column.dt.day_of_year).to_numpy()


def test_dates(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=30, freq="D")})
    neon.extend.register_encoder(_days)
    model = make_pipeline(FunctionTransformer(_days), LinearRegression()).fit(frame, np.arange(30.0))
    joblib.dump(model, "dates.joblib")
    frame.to_csv("dates.csv", index=False)
    assert explain("dates.csv", model="dates.joblib") == 2
    assert "read them as dates with --dates day" in capsys.readouterr().err
    assert explain("dates.csv", "--dates", "day", "-o", "out.csv", model="dates.joblib") == 0
    np.testing.assert_allclose(pd.read_csv(Path("out.csv"))["prediction"], np.arange(30.0), atol=1e-9)
