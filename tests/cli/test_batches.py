"""Rows of files and folders that are explained in batches, and .csv files as pandas would write them."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

import neon
from neon.cli import batches, main
from neon.cli.files import write_csv


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogisticRegression:
    """Of three columns, beside 40 rows in one file and in a folder of two."""
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["a", "b", "c"])
    model = LogisticRegression().fit(rows, rows["a"] > 0)
    skops.io.dump(model, "model.skops")
    rows.insert(0, "id", [f"row {i}" for i in range(40)])
    rows.to_parquet("rows.parquet")
    rows.to_csv("rows.csv", index=False)
    Path("folder").mkdir()
    rows[:25].to_parquet("folder/0.parquet")
    rows[25:].to_parquet("folder/1.parquet")
    return model


def in_memory(model: LogisticRegression) -> np.ndarray:
    return np.asarray(neon.explain(model, pd.read_parquet("rows.parquet")[["a", "b", "c"]]).values)


@pytest.mark.parametrize("data", ["folder", "rows.parquet --batch-rows 7", "rows.csv --batch-rows 15"])
def test_rows_in_batches(model: LogisticRegression, capsys: pytest.CaptureFixture[str], data: str) -> None:
    assert main(["explain", "model.skops", *data.split(), "--index", "id", "-o", "out"]) == 0
    found = pd.read_parquet("out")
    np.testing.assert_allclose(found[["a", "b", "c"]], in_memory(model), atol=1e-12)
    assert list(found["id"]) == [f"row {i}" for i in range(40)]
    told = capsys.readouterr().out
    assert "mean |relevance|" in told
    assert "rows: 40;" in told


def test_the_summary_says_the_same_as_of_rows_in_memory(
    model: LogisticRegression, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "model.skops", "folder", "--target", "True", "-o", "out"]) == 0
    in_batches = capsys.readouterr().out
    assert main(["explain", "model.skops", "rows.csv", "--target", "True", "--drop", "id"]) == 0
    at_once = capsys.readouterr().out

    def table(told: str) -> list[str]:
        lines = told.splitlines()
        start = next(i for i, line in enumerate(lines) if "mean |relevance|" in line)
        return lines[start : start + 5]

    assert table(in_batches) == table(at_once)


def test_a_large_file_goes_through_batches(model: LogisticRegression, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LARGE", 100)
    assert main(["explain", "model.skops", "rows.parquet", "-o", "out.csv"]) == 0
    found = pd.read_csv("out.csv")
    np.testing.assert_allclose(found[["a", "b", "c"]], in_memory(model), atol=1e-12)


def test_the_same_command_goes_on_and_restart_begins_anew(
    model: LogisticRegression, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", "model.skops", "folder", "-o", "out", "--batch-rows"]
    assert main([*command, "10"]) == 0
    Path("out/part-00000003.parquet").unlink()
    before = Path("out/part-00000000.parquet").stat().st_mtime_ns
    assert main([*command, "10"]) == 0
    assert Path("out/part-00000000.parquet").stat().st_mtime_ns == before
    assert len(pd.read_parquet("out")) == 40
    assert main([*command, "20"]) == 2
    assert "out" in capsys.readouterr().err
    assert main([*command, "20", "--restart"]) == 0
    assert len(list(Path("out").glob("part-*"))) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("folder", "give --out a folder"),
        ("folder -o out.parquet", "give --out a folder"),
        ("folder -o out --plot out.png", "--plot is of rows in memory"),
        ("folder -o out --report out.html", "--report is of rows in memory"),
        ("folder -o out --sep ;", "leave --sep out"),
        ("folder -o out --drop idd", "no column called 'idd'; did you mean .*id"),
        ("folder -o out --batch-rows 0", "expected a whole number of rows, got '0'"),
        ("nowhere -o out --batch-rows 5", "no such file"),
    ],
)
def test_what_batches_do_not_do(
    model: LogisticRegression, capsys: pytest.CaptureFixture[str], options: str, words: str
) -> None:
    try:
        code = main(["explain", "model.skops", *options.split()])
    except SystemExit as error:
        code = error.code
    assert code == 2
    error = capsys.readouterr().err
    assert re.search(words, error), error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_csv_files_hold_what_pandas_writes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        random.normal(size=(50, 4)) * 10.0 ** random.integers(-300, 300, (50, 4)), columns=list("abcd")
    )
    frame["a"] = frame["a"].where(frame["a"] > 0)
    frame.loc[3, "b"] = np.inf
    frame["n"] = np.arange(50) - 2**62
    frame['"quoted", name'] = ["", 'a "b"', "c,d", "é\n"] * 12 + ["NA", "x"]
    frame.index.name = "sample"
    frame.columns = [*frame.columns[:3], "a", *frame.columns[4:]]  # a name that stands twice
    dated = frame.set_index(pd.date_range("2024-01-01", periods=50, name="day"))
    objects = frame.assign(mixed=[1, "a"] * 25, dates=datetime.date(2024, 1, 2))
    levels = frame.set_index(pd.MultiIndex.from_product([range(25), ["u", "v"]], names=["sample", "output"]))
    for table in (frame, dated, objects, levels, frame[:0], frame.rename_axis(None)):
        write_csv(table, tmp_path / "ours.csv")
        table.to_csv(tmp_path / "theirs.csv")
        ours, theirs = (
            pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False, na_values={"a": "", "a.1": ""})
            for name in ("ours", "theirs")
        )
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
