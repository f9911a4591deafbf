"""Rows of files are explained as rows in memory are, and nothing is lost when a run is cut short."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import neon
from neon.scale.destination import CsvFile, ParquetFolder

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(1000, 4)), columns=["a", "b", "prediction", "ü"]).assign(
    kind=np.where(RNG.random(1000) < 0.4, "round", "long"), id=[f"row {i}" for i in range(1000)]
)
Y = np.where(FRAME["a"] + RNG.normal(size=1000) > 0, "yes", "no")
READ = ["a", "b", "prediction", "ü", "kind"]


@pytest.fixture(scope="module")
def model() -> Any:
    encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    return make_pipeline(encoder, LogisticRegression()).fit(FRAME[READ], Y)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    FRAME.to_parquet(path, row_group_size=170)
    return path


def read(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_is_written_is_what_memory_gives(model: Any, source: Path, tmp_path: Path) -> None:
    explainer = neon.Explainer(model, progress=False)
    summary = neon.explain_parquet(source, tmp_path / "out", explainer, columns=["id", "a"], batch_rows=300)
    found, expected = read(tmp_path / "out"), explainer(FRAME[READ])
    assert list(found["row"]) == list(range(1000))
    assert list(found["id"]) == list(FRAME["id"])
    np.testing.assert_array_equal(found["data:a"], FRAME["a"])  # "a" is its relevance
    names = ["a", "b", "feature:prediction", "ü", "kind"]
    np.testing.assert_allclose(found[names], expected.values, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        found["prediction"],
        model.decision_function(FRAME[READ]) * np.where(found["target"] == "yes", 1, -1),
        rtol=1e-12,
    )
    assert list(found["target"]) == list(model.predict(FRAME[READ]))
    total = found["base_value"] + found[names].sum(axis=1) + found["residual"]
    np.testing.assert_allclose(total, found["prediction"], rtol=1e-12)
    assert dict(found["residuals"][0]).keys() == expected.residuals.keys()
    assert [len(pq.ParquetFile(file).read()) for file in sorted((tmp_path / "out").glob("part-*"))] == [
        300,
        300,
        300,
        100,
    ]
    np.testing.assert_allclose(summary.total_abs, np.abs(expected.values).sum(0), rtol=1e-12)
    quantiles = summary.quantiles([0.1, 0.5, 0.9])
    exact = np.quantile(expected.values, [0.1, 0.5, 0.9], axis=0, method="lower").T
    np.testing.assert_allclose(quantiles, exact, rtol=0.011)
    assert [row for _, row, _ in summary.top] == list(np.argsort(-expected.prediction, kind="stable")[:10])
    assert json.loads((tmp_path / "out" / "_summary.json").read_text())["n_rows"] == 1000


@pytest.mark.parametrize("batch_rows", [1, 7, 170, 171, 999, 1000, 5000])
def test_batches_do_not_follow_the_files(batch_rows: int, tmp_path: Path) -> None:
    """Files and row groups of any sizes, and a column that some of them hold as whole numbers."""
    rows = FRAME[["a", "b"]].head(60 if batch_rows < 10 else 1000)
    folder = tmp_path / "rows"
    for start, name in ((0, "x"), (25, "y"), (26, "z")):
        stop = {0: 25, 25: 26, 26: len(rows)}[start]
        path = folder / f"part={name}" / "file.parquet"
        path.parent.mkdir(parents=True)
        rows.iloc[start:stop].to_parquet(path, row_group_size=11)
    model = KMeans(3, n_init=1, random_state=0).fit(rows.to_numpy())
    neon.explain_parquet(folder, tmp_path / "out", model, columns=["part"], batch_rows=batch_rows)
    found = read(tmp_path / "out")
    expected = neon.explain(model, rows.to_numpy(), progress=False)
    np.testing.assert_allclose(found[["a", "b"]], expected.values, rtol=1e-9, atol=1e-12)
    assert list(found["part"]) == ["x"] * 25 + ["y"] + ["z"] * (len(rows) - 26)
    sizes = [len(pq.ParquetFile(file).read()) for file in sorted((tmp_path / "out").glob("part-*"))]
    assert sizes == [batch_rows] * (len(rows) // batch_rows) + [len(rows) % batch_rows] * (len(rows) % batch_rows > 0)


def test_all_outputs_have_a_line_each(model: Any, source: Path, tmp_path: Path) -> None:
    neon.explain_parquet(source, tmp_path / "out", model, target="all", columns=["id"], batch_rows=400)
    found = read(tmp_path / "out")
    outputs = neon.explain(model, FRAME[READ], "all", progress=False)
    assert list(found["row"]) == list(np.repeat(np.arange(1000), len(outputs.output_names)))
    assert list(found["output"]) == list(outputs.output_names) * 1000
    np.testing.assert_allclose(found["kind"], outputs.values[:, 4].ravel(), rtol=1e-12, atol=1e-13)
    assert list(found["id"]) == list(FRAME["id"].repeat(len(outputs.output_names)))


def test_csv_to_csv(model: Any, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    neon.explain_parquet(tmp_path / "rows.csv", tmp_path / "out.csv", model, columns=["id"], batch_rows=300)
    found, expected = pd.read_csv(tmp_path / "out.csv"), neon.explain(model, FRAME[READ], progress=False)
    np.testing.assert_allclose(found["kind"], expected.values[:, 4], rtol=1e-12, atol=1e-13)
    assert list(found["id"]) == list(FRAME["id"])
    assert {file.name for file in tmp_path.iterdir()} == {"rows.csv", "out.csv", "out.csv.summary.json"}
    with pytest.raises(ValueError, match="exists; name another file, or resume=False"):
        neon.explain_parquet(tmp_path / "rows.csv", tmp_path / "out.csv", model, columns=["id"])


class Killed(BaseException):
    """What stands in for a signal that nothing catches."""


@pytest.mark.parametrize("suffix", ["", ".csv"])
def test_wherever_a_run_stops_the_next_one_goes_on(
    suffix: str, model: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each call by which something becomes lasting; files that are half written stay as they are."""
    explainer = neon.Explainer(model, progress=False)

    def run(out: Path) -> neon.scale.StreamSummary:
        return neon.explain_parquet(source, out, explainer, columns=["id"], batch_rows=300)

    whole = tmp_path / f"whole{suffix}"
    expected = run(whole)
    stops = 0
    for after in range(40):
        out = tmp_path / f"cut-{after}{suffix}"
        count = 0

        def counted(real: Callable[..., Any], after: int = after) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count > after:
                    raise Killed
                return real(*args, **options)

            return call

        with monkeypatch.context() as patch:
            for name in ("fsync", "replace"):
                patch.setattr(os, name, counted(getattr(os, name)))
            patch.setattr(Path, "unlink", lambda *_, **__: None)  # killed, nothing is tidied up
            try:
                run(out)
            except Killed:
                stops += 1
        found = run(out) if stops > after or not suffix else expected
        np.testing.assert_array_equal(found.total_abs, expected.total_abs)
        assert (found.top, found.n_rows) == (expected.top, 1000)
        if suffix:
            assert out.read_bytes() == whole.read_bytes()
        else:
            assert contents(out) == contents(whole)
        if stops <= after:
            break
    assert stops >= 12


def test_a_csv_file_of_whole_numbers_and_line_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read again where a run goes on: relevance such as 3 and -0, and names and texts of several lines."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(-3, 9, size=(400, 2)).astype(float), columns=["first\nline", "b"])
    model = LinearRegression(fit_intercept=False).fit(rows, rows["b"])
    model.coef_ = np.array([2.0, -1.0])
    rows.assign(text=[f'{i},\n"{i}"' for i in range(400)]).to_parquet(tmp_path / "rows.parquet")

    def run(name: str) -> neon.scale.StreamSummary:
        return neon.explain_parquet(
            tmp_path / "rows.parquet", tmp_path / name, model, columns=["text"], batch_rows=100, n_top=400
        )

    whole, write = run("whole.csv"), CsvFile.write

    def stopping(self: CsvFile, k: int, table: pa.Table) -> None:
        if k == 3:
            raise Killed
        write(self, k, table)

    with monkeypatch.context() as patch:
        patch.setattr(CsvFile, "write", stopping)
        with pytest.raises(Killed):
            run("cut.csv")
    again = run("cut.csv")
    assert again.to_json() == whole.to_json()
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    exact = np.quantile(2.0 * rows["first\nline"], [0.1, 0.5, 0.9], method="lower")
    np.testing.assert_allclose(again.quantiles([0.1, 0.5, 0.9]).to_numpy()[0], exact, rtol=0.011)


def test_a_run_that_is_killed_at_any_moment(model: Any, source: Path, tmp_path: Path) -> None:
    import joblib

    joblib.dump(model, tmp_path / "model.joblib")
    script = (  # it may be killed anywhere in the first half, and waits to be in the second
        "import joblib, sys, time, neon\n"
        "from neon.scale.destination import ParquetFolder\n"
        "write = ParquetFolder.write\n"
        "ParquetFolder.write = lambda self, k, table: time.sleep(600) if k >= 50 else write(self, k, table)\n"
        "neon.explain_parquet(sys.argv[2], sys.argv[3], joblib.load(sys.argv[1]), columns=['id'], batch_rows=10)\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "model.joblib", source, tmp_path / "out"]
    run = subprocess.Popen(list(map(str, command)))
    try:
        while run.poll() is None and len(list((tmp_path / "out").glob("part-*"))) < 5:
            time.sleep(0.005)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    before = len(list((tmp_path / "out").glob("part-*")))
    assert 5 <= before <= 50
    explainer = neon.Explainer(model, progress=False)
    neon.explain_parquet(source, tmp_path / "out", explainer, columns=["id"], batch_rows=10)
    neon.explain_parquet(source, tmp_path / "whole", explainer, columns=["id"], batch_rows=10)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_other_work_is_not_mixed_in(model: Any, source: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "out", {"columns": ["id"], "batch_rows": 300}
    neon.explain_parquet(source, out, model, **options)
    before = contents(out)
    with pytest.raises(ValueError, match="batch_rows was 300, now 200"):
        neon.explain_parquet(source, out, model, columns=["id"], batch_rows=200)
    other = make_pipeline(*[step for _, step in model.steps[:-1]], LogisticRegression(C=1e-3)).fit(FRAME[READ], Y)
    with pytest.raises(ValueError, match="explanations of another model"):
        neon.explain_parquet(source, out, other, **options)
    neon.explain_parquet(source, out, other, **options, resume=False)
    assert contents(out).keys() == before.keys()
    assert contents(out) != before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        neon.explain_parquet(source, tmp_path / "notes", model, **options, resume=False)
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"


def test_another_intercept_is_another_model(tmp_path: Path) -> None:
    """Relevance is the same, predictions are not."""
    rows = FRAME[["a", "b"]]
    rows.to_parquet(tmp_path / "rows.parquet")
    for shift in (0.0, 1.0):
        model = LinearRegression().fit(rows, rows["a"] - rows["b"] + shift)
        if not shift:
            neon.explain_parquet(tmp_path / "rows.parquet", tmp_path / "out", model, batch_rows=300)
            continue
        with pytest.raises(ValueError, match="in its first rows 'prediction' was another"):
            neon.explain_parquet(tmp_path / "rows.parquet", tmp_path / "out", model, batch_rows=300)


def test_single_precision_goes_on(tmp_path: Path) -> None:
    """Rows far from the origin: few at a time have other last places than many."""
    rows = pd.DataFrame(np.random.default_rng(0).normal(100.0, size=(900, 6)), columns=list("abcdef"))
    rows.to_parquet(tmp_path / "rows.parquet")
    model = KMeans(4, n_init=1, random_state=0).fit(rows)
    explainer = neon.Explainer(model, dtype=torch.float32, progress=False)
    whole = neon.explain_parquet(tmp_path / "rows.parquet", tmp_path / "out", explainer, batch_rows=300)
    (tmp_path / "out" / "part-00000002.parquet").unlink()
    again = neon.explain_parquet(tmp_path / "rows.parquet", tmp_path / "out", explainer, batch_rows=300)
    np.testing.assert_array_equal(again.total, whole.total)


def test_nothing_of_other_plans_is_left(model: Any, source: Path, tmp_path: Path) -> None:
    """Where the first batch is gone, all is written anew, in other batches as well."""
    out = tmp_path / "out"
    neon.explain_parquet(source, out, model, columns=["id"], batch_rows=100)
    (out / "part-00000000.parquet").unlink()
    neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    assert list(read(out)["row"]) == list(range(1000))


def test_what_is_read_is_not_written_to(model: Any, source: Path, tmp_path: Path) -> None:
    """Also not where all is to be written anew, with the names that our own parts have."""
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    folder = tmp_path / "rows"
    neon.explain_parquet(source, folder, model, columns=["id"], batch_rows=500)
    found = contents(folder)
    for where, to in [
        (tmp_path / "rows.csv", tmp_path / "rows.csv"),
        (folder, folder),
        (folder / "part-00000001.parquet", folder),
        (folder, folder / "explained"),
    ]:
        with pytest.raises(ValueError, match=r"cannot be written to, as .* is read: name a place apart from it"):
            neon.explain_parquet(where, to, model, columns=["id"], resume=False)
    assert contents(folder) == found
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "rows.csv"), FRAME, check_dtype=False)
    other = tmp_path / "other"
    other.mkdir()
    (other / "part-00000000.parquet").write_bytes(b"mine")
    with pytest.raises(ValueError, match="holds other files"):
        neon.explain_parquet(source, other, model, columns=["id"], resume=False)
    assert contents(other) == {"part-00000000.parquet": b"mine"}


def test_two_runs_at_once(model: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = ParquetFolder.write

    def nested(self: ParquetFolder, k: int, table: pa.Table) -> None:
        for resume in (True, False):
            with pytest.raises(ValueError, match="another process writes"):
                neon.explain_parquet(source, tmp_path / "out", model, batch_rows=300, columns=["id"], resume=resume)
        write(self, k, table)

    monkeypatch.setattr(ParquetFolder, "write", nested)
    neon.explain_parquet(source, tmp_path / "out", model, batch_rows=300, columns=["id"])
    assert len(read(tmp_path / "out")) == 1000


def test_a_full_disk(model: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.fsync, 0

    def full(number: int) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ValueError, match=r"no space is left .* first 600 rows"):
            neon.explain_parquet(source, tmp_path / "out", model, batch_rows=300, columns=["id"])
    assert len(list((tmp_path / "out").iterdir())) == 3  # two batches and the plan
    neon.explain_parquet(source, tmp_path / "out", model, batch_rows=300, columns=["id"])
    assert list(read(tmp_path / "out")["row"]) == list(range(1000))


def test_a_row_group_that_cannot_be_read(model: Any, source: Path, tmp_path: Path) -> None:
    good = source.read_bytes()
    column = pq.ParquetFile(source).metadata.row_group(3).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    source.write_bytes(good[:start] + b"\xff" * 60 + good[start + 60 :])
    with pytest.raises(ValueError, match=r"rows.parquet, row group 3: .*mend the file"):
        neon.explain_parquet(source, tmp_path / "out", model, columns=["id"], batch_rows=100)
    assert len(read(tmp_path / "out")) == 500
    source.write_bytes(good)
    neon.explain_parquet(source, tmp_path / "out", model, columns=["id"], batch_rows=100)
    assert list(read(tmp_path / "out")["id"]) == list(FRAME["id"])


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (FRAME.drop(columns="b"), "has no column 'b', which other files have"),
        (FRAME.assign(more=1), "has no column 'more', which other files have"),
        (FRAME.assign(a="word"), "column 'a' is of type double in .* and of type (large_)?string in"),
    ],
)
def test_files_that_differ(second: pd.DataFrame, words: str, model: Any, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    FRAME.to_parquet(tmp_path / "rows" / "0.parquet")
    second.to_parquet(tmp_path / "rows" / "1.parquet")
    with pytest.raises(ValueError, match=words):
        neon.explain_parquet(tmp_path / "rows", tmp_path / "out", model, columns=["id"])
    assert not (tmp_path / "out").exists()


def test_whole_numbers_in_one_file_and_decimals_in_another(model: Any, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    FRAME.assign(a=range(1000)).to_parquet(tmp_path / "rows" / "0.parquet")
    FRAME.to_parquet(tmp_path / "rows" / "1.parquet")
    neon.explain_parquet(tmp_path / "rows", tmp_path / "out", model, columns=["id"])
    expected = neon.explain(model, pd.concat([FRAME.assign(a=range(1000)), FRAME])[READ], progress=False)
    np.testing.assert_allclose(read(tmp_path / "out")["a"], expected.values[:, 0], rtol=1e-12, atol=1e-13)


def test_what_cannot_be_is_said_before_anything_is_written(model: Any, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pq.write_table(pa.table([[1.0], [2.0]], names=["a", "a"]), tmp_path / "twice.parquet")
    (tmp_path / "latin.csv").write_bytes("a,ü\n1,2\n".encode("latin-1"))
    (tmp_path / "text.csv").write_bytes("a,b\n1,ü\n".encode("latin-1"))
    for where, options, words in [
        (tmp_path / "none", {}, "no such file or folder"),
        (tmp_path / "latin.csv", {}, r"cannot read .*latin\.csv: 'utf-8' codec can't decode"),
        (tmp_path / "text.csv", {}, r"cannot read .*text\.csv: column 'b' is not UTF-8"),
        (tmp_path / "twice.parquet", {}, "duplicate field names"),
        (source, {"columns": ["who"]}, "columns: there is no column 'who' among"),
        (source, {"columns": "id"}, r"\['id'\]"),
        (source, {"batch_rows": 0}, "batch_rows must be"),
        (source, {"n_top": -1}, "n_top must be"),
        (source, {"target": ["yes", "no"]}, "target must be one for all rows"),
        (source, {"target": "maybe"}, "maybe"),
    ]:
        with pytest.raises(ValueError, match=words):
            neon.explain_parquet(where, out, model, **options)
        assert not out.exists()
    numbers = LogisticRegression().fit(FRAME[["a", "b"]].to_numpy(), Y)
    with pytest.raises(ValueError, match="the model reads 2 columns, and there are 5"):
        neon.explain_parquet(source, out, numbers, columns=["id"])
    neon.explain_parquet(source, out, numbers, features=["a", "b"])
    assert len(read(out)) == 1000


def test_rows_that_cannot_be_explained(source: Path, tmp_path: Path) -> None:
    """NaN in the middle, and a step of the model that fails by itself."""
    rows = FRAME[["a", "b"]].copy()
    rows.iloc[730:740, 1] = np.nan
    rows.to_parquet(tmp_path / "holes.parquet")
    model = LogisticRegression().fit(FRAME[["a", "b"]], Y)
    words = r"rows 600 to 899 of the source \(X, whose row 0 is row 600 of the source\): X contains NaN in 10 rows, "
    with pytest.raises(ValueError, match=words + "the first of them row 130;.* All rows before are explained"):
        neon.explain_parquet(tmp_path / "holes.parquet", tmp_path / "out", model, batch_rows=300)
    assert list(read(tmp_path / "out")["row"]) == list(range(600))

    def fails(X: pd.DataFrame) -> pd.DataFrame:
        if X["b"].isna().any():
            raise RuntimeError("sensor offline")
        return X

    failing = make_pipeline(FunctionTransformer(fails), LogisticRegression()).fit(FRAME[["a", "b"]], Y)
    with pytest.raises(ValueError, match=r"rows 700 to 799 of the source .*: sensor offline\. All rows before"):
        neon.explain_parquet(tmp_path / "holes.parquet", tmp_path / "other", failing, batch_rows=100)
    assert list(read(tmp_path / "other")["row"]) == list(range(700))


def test_rows_before_those_that_fail_are_written_or_it_is_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full while the next batch cannot be explained: that comes first."""
    rows = FRAME[["a", "b"]].copy()
    rows.iloc[730, 1] = np.nan
    rows.to_parquet(tmp_path / "holes.parquet")
    model, write = LogisticRegression().fit(FRAME[["a", "b"]], Y), ParquetFolder.write

    def full(self: ParquetFolder, k: int, table: pa.Table) -> None:
        if k == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, k, table)

    monkeypatch.setattr(ParquetFolder, "write", full)
    with pytest.raises(ValueError, match=r"no space is left .* first 300 rows") as told:
        neon.explain_parquet(tmp_path / "holes.parquet", tmp_path / "out", model, batch_rows=300)
    assert "contains NaN" in str(told.value.__cause__.__context__ or told.value.__context__)
    assert list(read(tmp_path / "out")["row"]) == list(range(300))


def test_missing_and_infinite_values_that_the_model_takes(tmp_path: Path) -> None:
    rows = FRAME[["a", "b"]].mask(RNG.random((1000, 2)) < 0.3).mask(RNG.random((1000, 2)) < 0.1, -np.inf)
    rows.to_parquet(tmp_path / "rows.parquet")
    model = HistGradientBoostingClassifier(max_iter=3).fit(FRAME[["a", "b"]], Y)
    summary = neon.explain_parquet(tmp_path / "rows.parquet", tmp_path / "out", model, batch_rows=300)
    expected = neon.explain(model, rows, progress=False)
    np.testing.assert_allclose(read(tmp_path / "out")[["a", "b"]], expected.values, rtol=1e-12, atol=1e-15)
    assert summary.not_finite == 0


@pytest.mark.parametrize("suffix", ["", ".csv"])
def test_a_destination_that_is_removed_meanwhile(
    suffix: str, model: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a whole, or one part of it: the run says so, and the next one writes what is lost."""
    whole, kind = tmp_path / f"whole{suffix}", CsvFile if suffix else ParquetFolder
    neon.explain_parquet(source, whole, model, columns=["id"], batch_rows=300)
    write = kind.write
    for k in (1, 3):
        out = tmp_path / f"out-{k}{suffix}"

        def removing(self: Any, at: int, table: pa.Table, k: int = k, out: Path = out) -> None:
            if at == k and suffix:
                out.with_name(out.name + ".writing").unlink()
            elif at == k == 1:
                shutil.rmtree(out)
            elif at == k:
                (out / "part-00000000.parquet").unlink()
            write(self, at, table)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "write", removing)
            with pytest.raises(ValueError, match=r"was removed .*call again"):
                neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
        neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
        assert out.read_bytes() == whole.read_bytes() if suffix else contents(out) == contents(whole)


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_source_that_changes_while_it_is_read(
    how: str, model: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that are written are those of the file as it was. Much is still to be read when it changes."""
    write, out, good = ParquetFolder.write, tmp_path / "out", source.read_bytes()
    whole = neon.explain_parquet(source, tmp_path / "whole", model, columns=["id"], batch_rows=100)

    def changing(self: ParquetFolder, k: int, table: pa.Table) -> None:
        if k == 1:
            source.unlink()
            if how == "replaced":
                FRAME.assign(a=-FRAME["a"]).to_parquet(source, row_group_size=170)
                os.utime(source, ns=(1, 1))
        write(self, k, table)

    with monkeypatch.context() as patch:
        patch.setattr(ParquetFolder, "write", changing)
        with pytest.raises(ValueError, match=r"rows\.parquet was changed or removed while it was read"):
            neon.explain_parquet(source, out, model, columns=["id"], batch_rows=100)
    source.write_bytes(good)
    again = neon.explain_parquet(source, out, model, columns=["id"], batch_rows=100)
    assert contents(out) == contents(tmp_path / "whole")
    np.testing.assert_array_equal(again.total, whole.total)


def test_a_csv_file_whose_last_step_is_missing(model: Any, source: Path, tmp_path: Path) -> None:
    """The process is killed after the file got its name and before what was noted beside it is taken away."""
    out = tmp_path / "out.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    before, names = out.read_bytes(), ["out.csv", "out.csv.summary.json", "rows.parquet"]
    assert len(list(tmp_path.iterdir())) > len(names)
    neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    assert out.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == names


def test_a_written_file_that_is_damaged(model: Any, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    before, part = contents(out), out / "part-00000001.parquet"
    part.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"part-00000001\.parquet cannot be read again .*remove it, and call again"):
        neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    FRAME.to_parquet(part)
    with pytest.raises(ValueError, match=r"batch 1 in .* was written by others: it has the columns"):
        neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    part.unlink()
    for text in ("garbage\n", "3\n", "{"):
        (out / "_plan.json").write_text(text)
        with pytest.raises(ValueError, match=r"what says which work .* is damaged .*resume=False to write it anew"):
            neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    (out / "_plan.json").write_bytes(before["_plan.json"])
    neon.explain_parquet(source, out, model, columns=["id"], batch_rows=300)
    assert contents(out) == before


def test_texts_of_several_lines_in_csv_files(tmp_path: Path) -> None:
    """Wherever the blocks end in which Arrow reads the file, of 1 MiB."""
    rows = FRAME[["a", "b"]].assign(text=[f"{i}\n" * 1000 for i in range(1000)])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert (tmp_path / "rows.csv").stat().st_size > 3 * 2**20
    model = LinearRegression().fit(FRAME[["a", "b"]], FRAME["a"] - FRAME["b"])
    neon.explain_parquet(tmp_path / "rows.csv", tmp_path / "out", model, columns=["text"], batch_rows=300)
    found = read(tmp_path / "out")
    assert list(found["text"]) == list(rows["text"])
    np.testing.assert_allclose(found["a"], neon.explain(model, rows[["a", "b"]]).values[:, 0], rtol=1e-9, atol=1e-12)


def test_no_rows_at_all(model: Any, source: Path, tmp_path: Path) -> None:
    """Files without rows among others are nothing special; where all are, there is nothing to write."""
    (tmp_path / "rows").mkdir()
    FRAME.head(0).to_parquet(tmp_path / "rows" / "0.parquet")
    with pytest.raises(ValueError, match="there are no rows to explain"):
        neon.explain_parquet(tmp_path / "rows", tmp_path / "out", model, columns=["id"])
    assert not (tmp_path / "out").exists()
    FRAME.head(20).to_parquet(tmp_path / "rows" / "1.parquet")
    assert neon.explain_parquet(tmp_path / "rows", tmp_path / "out", model, columns=["id"]).n_rows == 20


def test_columns_of_the_types_that_parquet_has(tmp_path: Path) -> None:
    """Decimals, dictionaries, half precision and whole numbers with gaps are numbers; nested columns can be kept."""
    model = HistGradientBoostingClassifier(max_iter=3).fit(FRAME[["a", "b"]], Y)
    cents = FRAME["a"].round(2)
    for k, column in enumerate(
        [
            pa.array([Decimal(f"{value:.2f}") for value in cents], pa.decimal128(9, 2)),
            pa.array(cents).dictionary_encode(),
        ]
    ):
        table = pa.table({"a": column, "b": FRAME["b"], "nested": [{"x": [1.0, None]}] * 1000})
        pq.write_table(table, tmp_path / f"{k}.parquet")
        neon.explain_parquet(tmp_path / f"{k}.parquet", tmp_path / f"out-{k}", model, columns=["nested"])
        found, expected = read(tmp_path / f"out-{k}"), neon.explain(model, FRAME[["b"]].assign(a=cents)[["a", "b"]])
        np.testing.assert_allclose(found[["a", "b"]], expected.values, rtol=1e-12, atol=1e-15)
        assert found["nested"][7]["x"][0] == 1.0
        with pytest.raises(ValueError, match="no CSV file holds nested columns such as 'nested'"):
            neon.explain_parquet(tmp_path / f"{k}.parquet", tmp_path / "out.csv", model, columns=["nested"])
        assert not list(tmp_path.glob("out.csv*"))
    for column in ([{"x": 1.0}] * 1000, pd.date_range("2020", periods=1000)):
        pq.write_table(pa.table({"a": column, "b": FRAME["b"]}), tmp_path / "no.parquet")
        with pytest.raises(ValueError, match="X must be numeric; the column 'a' holds"):
            neon.explain_parquet(tmp_path / "no.parquet", tmp_path / "no", model)
        assert not (tmp_path / "no").exists()
