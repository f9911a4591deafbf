"""The command line: results on standard output, faults as one line on standard error with exit code 2."""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
import pytest
import skops.io
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neon
from neon.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    skops.io.dump(model, tmp_path / "model.skops")
    joblib.dump(model, tmp_path / "model.joblib")
    X.to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("conservation error") == 3
    assert len(list((tmp_path / "demo").glob("*.png"))) == 6
    assert len(pd.read_csv(tmp_path / "demo" / "kmeans.csv")) == 178


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_explain(folder: Path, suffix: str) -> None:
    out, plot = folder / f"out.{suffix}", folder / "plot.png"
    code = main(["explain", f"{folder}/model.skops", f"{folder}/data.csv", "-o", str(out), "--plot", str(plot)])
    assert code == 0
    table = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    X = pd.read_csv(folder / "data.csv")
    expected = neon.explain(joblib.load(folder / "model.joblib"), X)
    assert table["alcohol"].to_numpy() == pytest.approx(expected.values[:, 0], rel=1e-12)
    assert plot.stat().st_size > 5000


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", f"{folder}/model.joblib", "--trust-pickle", "--data", f"{folder}/data.csv"]) == 0
    printed = capsys.readouterr().out
    assert "log-odds of a class" in printed
    assert "Evidence" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "model.joblib", "data.csv"], "--trust-pickle"),
        (["explain", "missing.skops", "data.csv"], "no such file"),
        (["explain", "broken.skops", "data.csv"], "not a readable"),
        (["explain", "model.skops", "broken.csv"], "columns"),
        (["explain", "model.skops", "data.csv", "--target", "burgundy"], "unknown target"),
        (["explain", "model.skops", "data.csv", "--device", "cuda"], "CUDA"),
        (["explain", "model.skops", "data.csv", "-o", "nowhere/out.csv"], "does not exist"),
        (["explain", "model.skops", "data.csv", "-o", "out.xlsx"], "expected one of"),
        (["show", "model.skops", "--output", "margin"], "margin"),
    ],
)
def test_faults(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "broken.skops").write_bytes((folder / "model.skops").read_bytes()[:100])
    (folder / "broken.csv").write_text("a,b\n1,2\n")
    if "cuda" in arguments:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    before = set(folder.iterdir())
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert set(folder.iterdir()) == before
