"""The command line: results on standard output, faults as one line on standard error with exit code 2."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import SpectralEmbedding
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import OneClassSVM

import neon
from neon.cli import main
from neon.cli.tables import Reading

DATA = Path(__file__).parents[2] / "data"


class OwnScaler(StandardScaler):
    """A type that no .skops file may bring along unasked."""


def _wine() -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(DATA / "wine.csv")
    return table, pd.Series(np.where(table["alcohol"] > 13, "strong", "light"))


def _classifier() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*_wine())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the commands run in, with models and tables, good and bad."""
    monkeypatch.chdir(tmp_path)
    model, (X, y) = _classifier(), _wine()
    skops.io.dump(model, "model.skops")
    joblib.dump(model, "model.joblib")
    skops.io.dump(make_pipeline(OwnScaler(), LogisticRegression()).fit(X, y), "own.skops")
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()), "unfitted.skops")
    joblib.dump({"weights": 1}, "dictionary.joblib")
    joblib.dump(torch.nn.Linear(2, 1), "module.joblib")
    inner = Pipeline([("scale", StandardScaler()), ("map", SpectralEmbedding())])
    joblib.dump(Pipeline([("head", "passthrough"), ("inner", inner)]).fit(X), "deep.joblib")
    Path("text.skops").write_text("no zip file")
    Path("model.txt").write_text("no model")
    for name in ("model.skops", "model.joblib"):
        Path(f"truncated_{name}").write_bytes(Path(name).read_bytes()[:100])

    X.to_csv("data.csv", index=False)
    Path("linked.csv").symlink_to("data.csv")
    header, *lines = Path("data.csv").read_text().splitlines()
    Path("trailing.csv").write_text("\n".join([header, *(f"{line}," for line in lines)]))
    Path("short.csv").write_text("\n".join([header, *(line.rpartition(",")[0] for line in lines)]))
    Path("numbered.csv").write_text("\n".join([header, *(f"{i},{line}" for i, line in enumerate(lines))]))
    X.to_parquet("data.parquet")
    np.save("data.npy", X.to_numpy())
    X.drop(columns="hue").to_csv("missing.csv", index=False)
    X[X.columns[::-1]].to_csv("reordered.csv", index=False)
    X.assign(year=1990).to_csv("extra.csv", index=False)
    X.mask(X > 1000).to_csv("nan.csv", index=False)
    X.mask(X > 1000, np.inf).to_csv("inf.csv", index=False)
    X.assign(hue="red").to_csv("strings.csv", index=False)
    X[:0].to_csv("no_rows.csv", index=False)
    Path("nothing.csv").touch()
    Path("folder.csv").mkdir()
    Path("binary.csv").write_bytes(bytes(range(128, 256)) * 9)
    Path("ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    np.save("few.npy", np.ones((3, 2)))
    np.save("one_row.npy", np.ones(13))
    np.save("objects.npy", np.array([[{}]]), allow_pickle=True)
    for name in ("data.parquet", "data.npy"):
        Path(f"truncated_{name}").write_bytes(Path(name).read_bytes()[:-500])
        Path(f"nothing{Path(name).suffix}").touch()
    return tmp_path


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() if file.is_file() else b"" for file in folder.rglob("*")}


FAULTS = {
    # the model
    "model.joblib data.csv": "loading one runs any code it names.*--trust-pickle",
    "missing.skops data.csv": "missing.skops: no such file",
    "folder.csv data.csv": "a folder, not a file",
    "model.txt data.csv": "no model that LightGBM wrote",
    "data.parquet data.csv": "a model is a .skops.*, .cbm",
    "truncated_model.skops data.csv": "not a readable .skops file",
    "text.skops data.csv": "not a readable .skops file",
    "truncated_model.joblib data.csv --trust-pickle": "not a readable pickle",
    "own.skops data.csv": "types that are not trusted: .*OwnScaler; .* allow with --trust .*OwnScaler",
    "own.skops data.csv --trust sklearn.Other": "not trusted",
    "unfitted.skops data.csv": "not fitted",
    "dictionary.joblib data.csv --trust-pickle": "no converter for builtins.dict",
    "module.joblib data.csv --trust-pickle": "torch module",
    "deep.joblib data.csv --trust-pickle": "SpectralEmbedding at step 'inner/map'",
    "model.skops data.csv --output margin": "margin.*choose from",
    # the data
    "model.skops missing.csv": r"missing: \['hue'\]",
    "model.skops few.npy": "2 features, but the model was fitted with 13",
    "model.skops nan.csv": "NaN",
    "model.skops inf.csv": "infinity",
    "model.skops strings.csv": "numeric.*red",
    "model.skops no_rows.csv": "no rows",
    "model.skops nothing.csv": "not a readable .csv file",
    "model.skops folder.csv": "no file to explain: expected .parquet or .csv files",
    "model.skops binary.csv": "not a readable .csv file",
    "model.skops ragged.csv": "line 3 has 3 fields, and the header 2 names",
    "model.skops trailing.csv": "line 2 has 14 fields, and the header 13 names .*a comma at the end",
    "model.skops short.csv": "line 2 has 12 fields",
    "model.skops numbered.csv": "line 2 has 14 fields.*row numbers without a name",
    "model.skops truncated_data.parquet": "not a readable .parquet file",
    "model.skops nothing.parquet": "not a readable .parquet file",
    "model.skops truncated_data.npy": "not a readable .npy file",
    "model.skops nothing.npy": "not a readable .npy file",
    "model.skops objects.npy": "not a readable .npy file",
    "model.skops one_row.npy": r"expected a table.*\(13,\)",
    "model.skops model.txt": "data is a .csv, .tsv, .parquet, .npy file",
    "model.skops nowhere.csv": "nowhere.csv: no such file",
    "model.skops data.csv --drop vintage": "no column to drop called 'vintage'",
    "model.skops data.npy --drop hue": "no column to drop",
    "model.skops data.csv --reference few.npy": "2 features",
    # the request
    "model.skops data.csv --target burgundy": "unknown target.*burgundy.*light.*strong",
    "model.skops data.csv --target 7": "unknown target.*7.*light.*strong",
    "model.skops data.csv --target -1": "unknown target.*-1.*light.*strong",
    "model.skops data.csv --device cuda": "CUDA",
    "model.skops data.csv --device abacus": "abacus",
    "model.skops data.csv -o nowhere/out.csv": "cannot write nowhere/out.csv: the folder nowhere does not exist",
    "model.skops data.csv -o out.xlsx": "expected one of .csv, .parquet",
    "model.skops data.csv --plot out.bmp": "expected one of .png",
    "model.skops data.csv --report out.pdf": "expected one of .html",
    "model.skops data.csv -o folder.csv": "it is a folder",
    "model.skops data.csv -o data.csv": "cannot write data.csv: it is read as data.csv, which would be lost",
    "model.skops data.csv -o ./folder.csv/../data.csv": "it is read as data.csv, which would be lost",
    "model.skops data.csv -o linked.csv": "cannot write linked.csv: it is read as data.csv",
    "model.skops linked.csv -o data.csv": "cannot write data.csv: it is read as linked.csv",
    "model.skops data.csv --reference data.parquet -o data.parquet": "it is read as data.parquet",
    "model.skops data.csv --plot out.png --target all": "draws one output",
    "model.skops data.csv --plot-kind bar": "--plot-kind says what --plot draws",
    "model.skops data.csv --composite fancy": "fancy",
}


@pytest.mark.parametrize("command", FAULTS)
def test_faults(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    before = _files(folder)
    arguments = command.split()
    assert main(["explain", *([] if "-o" in arguments else ["-o", "out.csv"]), *arguments]) == 2
    captured = capsys.readouterr()
    assert re.fullmatch(f"neon: .*{FAULTS[command]}.*\n", captured.err)
    assert captured.out == ""
    assert _files(folder) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["explain", "model.skops"], "data"),
        (["explain", "model.skops", "data.csv", "--colour"], "unknown option --colour"),
        (["explain", "model.skops", "data.csv", "--refernce=x.csv"], r"option --refernce; did you mean --reference\?"),
        (["explain", "model.skops", "data.csv", "--dorp", "hue"], r"option --dorp; did you mean --drop\?"),
        (["explain", "model.skops", "data.csv", "more.csv"], "more arguments than there is use for: more.csv"),
        (["show", "model.skops", "data.csv"], r"use for: data.csv \(see neon show"),
        (["quux"], "unknown command 'quux'; choose from demo, explain, show"),
        (["explian", "model.skops", "data.csv"], r"'explian'; did you mean explain\?"),
        (["model.skops", "data.csv"], r"did you mean neon explain model.skops\?"),
        (["--vresion"], r"did you mean --version\?"),
        (["explain", "model.skops", "data.csv", "--plot", "out.png", "--plot-kind", "pie"], "'pie'.*beeswarm"),
        (["explain", "model.skops", "data.csv", "--plot", "out.png", "--plot-kind", "heatmp"], "mean heatmap"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert re.fullmatch(rf"neon: .*{words}.*--help\)\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["explain", "--help"], 0), (["--version"], 0), (["explian", "m", "d"], 2)]
)
def test_help_and_typos_are_answered_at_once(arguments: list[str], code: int) -> None:
    """Without what takes seconds to import: of neon itself only the command line."""
    command = (
        "import sys, neon.cli\n"
        f"try: neon.cli.main({arguments})\nexcept SystemExit as stop: assert stop.code == {code}\n"
        "assert not {'torch', 'sklearn', 'numpy', 'pandas', 'scipy', 'matplotlib', 'numba'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, cwd=DATA.parent, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["show", "explain"])
def test_no_traceback_from_a_new_process(folder: Path, command: str) -> None:
    arguments = [command, "deep.joblib", *(["data.csv", "-o", "out.csv"] if command == "explain" else [])]
    done = _run(*arguments, "--trust-pickle")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch("neon: .*SpectralEmbedding at step 'inner/map' has no converter: .*\n", done.stderr)
    assert not Path("out.csv").exists()


def test_folder_without_permission(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sealed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "sealed")  # to root nothing is forbidden
    assert main(["explain", "model.skops", "data.csv", "-o", "sealed/out.csv"]) == 2
    assert re.fullmatch("neon: .*no permission to write in .*sealed\n", capsys.readouterr().err)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "png"])
def test_a_full_disk_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    def write(_: Any, path: Path, *rest: Any, **options: Any) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neon.cli.commands.write_csv", write)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", write)
    Path(f"out.{suffix}").write_text("old")
    before = _files(folder)
    assert main(["explain", "model.skops", "data.csv", "--plot" if suffix == "png" else "-o", f"out.{suffix}"]) == 2
    assert capsys.readouterr().err == f"neon: cannot write out.{suffix}: No space left on device\n"
    assert _files(folder) == before


@pytest.mark.parametrize(
    ("model", "change", "error", "words"),
    [
        (lambda: make_pipeline(StandardScaler(), LogisticRegression()), None, NotFittedError, "not fitted"),
        (
            lambda: make_pipeline(StandardScaler(), make_pipeline(SpectralEmbedding())).fit(_wine()[0]),
            None,
            neon.UnsupportedModelError,
            "at step 'pipeline/spectralembedding'",
        ),
        (_classifier, lambda X: X.to_numpy()[:, :5], ValueError, "5 features"),
        (_classifier, lambda X: X.drop(columns="hue"), ValueError, r"missing: \['hue'\]"),
        (_classifier, lambda X: X[X.columns[::-1]], ValueError, "another order"),
        (_classifier, lambda X: X.mask(X > 1000), ValueError, "NaN"),
        (_classifier, lambda X: X.mask(X > 1000, np.inf), ValueError, "infinity"),
        (_classifier, lambda X: X.assign(hue="red"), ValueError, "numeric.*red"),
    ],
)
def test_the_same_faults_in_python(model: Any, change: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        neon.Explainer(model())(change(_wine()[0]))


def test_the_same_requests_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="CUDA"):
        neon.Explainer(_classifier(), device="cuda")
    with pytest.raises(ValueError, match=r"unknown target.*burgundy"):
        neon.explain(_classifier(), _wine()[0], "burgundy")
    with pytest.raises(ValueError, match="margin"):
        neon.Explainer(_classifier(), output="margin")


def test_no_rows_in_python_are_no_rows() -> None:
    explanation = neon.explain(_classifier(), _wine()[0][:0])
    assert explanation.values.shape == (0, 13)
    assert len(explanation.to_frame()) == 0


# What works.


@pytest.mark.parametrize("data", ["data.csv", "data.parquet", "data.npy"])
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("model", ["model.skops", "model.joblib"])
def test_explain(folder: Path, model: str, data: str, out: str) -> None:
    arguments = ["--trust-pickle"] if model.endswith("joblib") else []
    assert main(["explain", model, data, "-o", out, "--plot", "plot.png", *arguments]) == 0
    written = pd.read_csv(out, index_col="sample") if out.endswith("csv") else pd.read_parquet(out)
    expected = neon.explain(_classifier(), _wine()[0])
    np.testing.assert_allclose(written[list(expected.feature_names)], expected.values, rtol=1e-9, atol=1e-12)
    parts = written.drop(columns=["prediction", "target"]).to_numpy().sum(axis=1)
    np.testing.assert_allclose(parts, written["prediction"], rtol=1e-9, atol=1e-12)
    assert set(written["target"]) == {"light", "strong"}
    assert Path("plot.png").read_bytes().startswith(b"\x89PNG")


def test_files_get_the_usual_permissions(folder: Path) -> None:
    Path("usual").touch()
    assert main(["explain", "model.skops", "data.csv", "-o", "out.csv"]) == 0
    assert stat.S_IMODE(Path("out.csv").stat().st_mode) == stat.S_IMODE(Path("usual").stat().st_mode)


def test_trusted_types_load(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "own.skops", "data.csv"]) == 2
    named = re.findall(r"--trust (\S+)", capsys.readouterr().err)
    arguments = [word for name in named for word in ("--trust", name)]
    assert main(["explain", "own.skops", "data.csv", *arguments]) == 0


def test_target_all_has_a_row_for_each_output(folder: Path) -> None:
    assert main(["explain", "model.skops", "data.csv", "--target", "all", "-o", "out.csv"]) == 0
    written = pd.read_csv(Path("out.csv"), index_col=["sample", "output"])
    assert len(written) == 2 * len(_wine()[0])
    expected = neon.explain(_classifier(), _wine()[0], "strong")
    strong = written.xs("strong", level="output")["prediction"]
    np.testing.assert_allclose(strong, expected.prediction, rtol=1e-12)


@pytest.mark.parametrize("target", ["1", "2", "3"])
def test_a_target_is_a_label_before_an_index(folder: Path, target: str) -> None:
    """With labels 1, 2, 3 the index of "2" is 1, which is another class's label."""
    X, _ = _wine()
    y = np.arange(len(X)) % 3 + 1
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    skops.io.dump(model, "numbered.skops")
    assert main(["explain", "numbered.skops", "data.csv", "--target", target, "-o", "out.csv"]) == 0
    written = pd.read_csv(Path("out.csv"))
    assert set(written["target"]) == {int(target)}
    probability = model.predict_proba(X)[:, int(target) - 1]
    np.testing.assert_allclose(written["prediction"], np.log(probability / (1 - probability)), rtol=1e-9)


def test_dropped_column_and_reference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(DATA / "sensors.csv")
    good = table[table["corrupted"] == "none"].drop(columns="corrupted")
    skops.io.dump(make_pipeline(StandardScaler(), OneClassSVM(kernel="linear", nu=0.05)).fit(good), "pump.skops")
    sensors = str(DATA / "sensors.csv")
    assert main(["explain", "pump.skops", sensors, "--reference", sensors, "-o", "kept.csv"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("left out, since the model was not fitted with them: corrupted\nexplains: outlierness")
    arguments = ["--drop", "corrupted", "--reference", sensors, "-o", "out.csv"]
    assert main(["explain", "pump.skops", sensors, *arguments]) == 0
    what, how, *_ = capsys.readouterr().out.splitlines()
    assert what.startswith("explains: outlierness")
    assert how.startswith("method: ")
    assert ";" not in what + how
    assert len(pd.read_csv(Path("out.csv"))) == len(table)
    assert Path("out.csv").read_bytes() == Path("kept.csv").read_bytes()


def test_a_clustering_without_predict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, _ = _wine()
    joblib.dump(make_pipeline(StandardScaler(), AgglomerativeClustering(3)).fit(X), "clusters.joblib")
    wine = str(DATA / "wine.csv")
    assert main(["explain", "clusters.joblib", wine, "--trust-pickle"]) == 2
    assert "holds no rows; give those that it was fitted on" in (said := capsys.readouterr().err)
    assert "on the command line: --fitted-on FILE" in said
    assert main(["explain", "clusters.joblib", wine, "--trust-pickle", "--fitted-on", wine]) == 0
    assert capsys.readouterr().out.startswith("explains: evidence for a cluster")
    assert main(["show", "clusters.joblib", "--trust-pickle", "--fitted-on", wine]) == 0
    joblib.dump(make_pipeline(StandardScaler(), DBSCAN(eps=2.4)).fit(X), "density.joblib")
    assert main(["explain", "density.joblib", wine, "--trust-pickle", "--reference", wine]) == 2
    assert "on the command line: --fitted-on FILE" in capsys.readouterr().err
    assert main(["show", "model.skops", "--fitted-on", wine]) == 2
    assert "leave --fitted-on out" in capsys.readouterr().err


def test_rows_outside_the_support_are_said_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, _ = _wine()
    joblib.dump(KernelDensity(kernel="tophat", bandwidth=300.0).fit(X.to_numpy()), "density.joblib")
    rows = X.to_numpy().copy()
    rows[::2] += 1e6
    np.save("far.npy", rows)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["explain", "density.joblib", "far.npy", "--trust-pickle"]) == 0
    captured = capsys.readouterr()
    assert re.fullmatch("neon: warning: .*outside the support.*\n", captured.err)
    assert "nan" not in captured.out


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model.joblib", "--trust-pickle", "--data", "data.csv"]) == 0
    printed = capsys.readouterr().out
    assert "log-odds of a class" in printed
    assert "light, strong" in printed
    assert re.search(r"^composite: neon$", printed, re.MULTILINE)
    equivalence = re.search(r"largest \|network - model\|: (\S+)", printed)
    assert equivalence is not None
    assert float(equivalence[1]) < 1e-9


def test_show_has_columns_only_for_what_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X, _ = _wine()
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.arange(len(X)) % 3), "three.skops")
    skops.io.dump(PCA(2).fit(X), "map.skops")
    relevance = ("R out", "R in", "absorbed", "growth")
    for model in ("model.skops", "three.skops", "map.skops"):
        assert main(["show", model]) == 0
        printed = capsys.readouterr().out
        assert "rule" in printed
        assert not any(column in printed for column in relevance)
        assert main(["show", model, "--data", "data.csv"]) == 0
        printed = capsys.readouterr().out
        known = model != "map.skops"  # which explains all of its columns, and predicts none
        assert all((column in printed) == known for column in relevance)
        assert ("summed over" in printed) == known
    explanation = neon.explain(_classifier(), X[:256])
    assert main(["show", "model.skops", "--data", "data.csv"]) == 0
    header, _, *lines = capsys.readouterr().out.split("composite: neon\n")[1].splitlines()
    place = header.index("R out")
    last = next(line for line in reversed(lines) if re.match(r"\S+ ", line[place:] + " ") and "relevance" not in line)
    top = float(last[place:].split()[0])
    assert top == pytest.approx(explanation.prediction.sum(), rel=1e-4)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"neon {neon.__version__}\n"


def test_composite_and_kind_of_plot(folder: Path) -> None:
    """The options reach the explainer and the plot."""
    assert main(["explain", "model.skops", "data.csv", "--composite", "zero", "-o", "out.csv"]) == 0
    expected = neon.explain(_classifier(), _wine()[0], composite="zero")
    assert not np.allclose(expected.values, neon.explain(_classifier(), _wine()[0]).values)
    written = pd.read_csv(Path("out.csv"))
    np.testing.assert_allclose(written[list(expected.feature_names)], expected.values, rtol=1e-9, atol=1e-12)
    pictures = set()
    for kind in ("bar", "beeswarm", "waterfall", "heatmap"):
        assert main(["explain", "model.skops", "data.csv", "--plot", "out.png", "--plot-kind", kind]) == 0
        pictures.add(Path("out.png").read_bytes())
    assert main(["explain", "model.skops", "data.csv", "--plot", "out.png"]) == 0
    assert len(pictures) == 4
    assert Path("out.png").read_bytes() in pictures  # the default is one of them


def test_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the model, and what it was compared with."""
    assert main(["explain", "model.skops", "data.csv", "--report", "report.html"]) == 0
    assert "wrote report.html" in capsys.readouterr().out
    page = Path("report.html").read_text(encoding="utf-8")
    assert "StandardScaler, then LogisticRegression" in page
    assert "Passed.</strong> <bdi>The network gives what the model gives, in all rows" in page


def test_the_readme_example(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``neon explain MODEL data/wine.csv``, here and in a process of its own: the same words and the same table."""
    model = make_pipeline(StandardScaler(), KMeans(3, n_init=10, random_state=0)).fit(_wine()[0])
    skops.io.dump(model, "kmeans.skops")
    wine = str(DATA / "wine.csv")
    assert main(["explain", "kmeans.skops", wine, "-o", "here.csv", "--plot", "here.png"]) == 0
    here = capsys.readouterr().out
    done = _run("explain", "kmeans.skops", wine, "-o", "there.csv", "--plot", "there.png")
    assert (done.returncode, done.stderr) == (0, "")
    rounded = re.compile(r"≤ \S+")
    assert rounded.sub("≤", done.stdout).replace("wrote there.", "wrote here.") == rounded.sub("≤", here)
    here_table, there_table = pd.read_csv(Path("here.csv")), pd.read_csv(Path("there.csv"))
    pd.testing.assert_frame_equal(here_table, there_table, rtol=1e-9)
    names = [str(cluster) for cluster in model.predict(_wine()[0])]
    assert list(there_table["target"].astype(str).str.extract(r"(\d+)")[0]) == names


def test_a_terminal_without_block_characters(folder: Path) -> None:
    done = _run("explain", "model.skops", "data.csv", encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "conservation" in done.stdout


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    found = re.findall(r"equivalence \|network - model\| ≤ (\S+), conservation error ≤ (\S+)", printed)
    assert len(found) == 3
    assert all(float(error) < 1e-9 for pair in found for error in pair)
    assert printed.count("█" * 24) == 3  # the longest bar of each model
    assert str(tmp_path / "demo") in printed
    written = sorted(file.name for file in (tmp_path / "demo").iterdir())
    assert written == sorted(
        f"{model}{end}" for model in ("kmeans", "svm", "one_class_svm") for end in (".csv", "_bar.png", "_row_0.png")
    )
    table = pd.read_csv(tmp_path / "demo" / "kmeans.csv", index_col="sample")
    parts = table.drop(columns=["prediction", "target"]).to_numpy().sum(axis=1)
    np.testing.assert_allclose(parts, table["prediction"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "n/a"])
@pytest.mark.filterwarnings("default:.*taken as it stands:UserWarning")
def test_words_of_a_column_of_text_are_words(folder: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    X = pd.DataFrame({"country": [word, "US"] * 20, "x": np.linspace(0, 1, 40)})
    columns = make_column_transformer((OneHotEncoder(), ["country"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(X, X["country"] == word)
    skops.io.dump(model, "countries.skops")
    X.to_csv("countries.csv", index=False)
    assert main(["explain", "countries.skops", "countries.csv", "--target", "1", "-o", "out.csv"]) == 0
    assert re.fullmatch(
        f"neon: warning: countries.csv: in the column of text 'country', '{word}' is taken as it stands; where it "
        f"means that the value is missing, give --missing {word}\n",
        capsys.readouterr().err,
    )
    written = pd.read_csv(Path("out.csv"))
    np.testing.assert_allclose(written["prediction"], model.decision_function(X), rtol=1e-9)


@pytest.mark.parametrize(("field", "options"), [("", []), ("NA", ["--missing", "NA"]), ("?", ["--missing", "?"])])
def test_missing_values_of_text_and_of_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str], field: str, options: list[str]
) -> None:
    X = pd.DataFrame({"country": [np.nan, "NL", "US", "US"] * 10, "x": [np.nan, 1.0, 2.0, 3.0] * 10})
    columns = make_column_transformer((OneHotEncoder(), ["country"]), (SimpleImputer(), ["x"]))
    model = make_pipeline(columns, LogisticRegression()).fit(X, np.arange(40) % 4 == 0)
    joblib.dump(model, "countries.joblib")
    X.to_csv("countries.csv", index=False, na_rep=field)
    arguments = ["--trust-pickle", "--target", "1", "-o", "out.csv", *options]
    assert main(["explain", "countries.joblib", "countries.csv", *arguments]) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_allclose(pd.read_csv(Path("out.csv"))["prediction"], model.decision_function(X), rtol=1e-9)


def test_categories_from_a_csv_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a file can only spell, words and numbers, is found among the categories that XGBoost was fitted with."""
    random = np.random.default_rng(0)
    k = random.integers(0, 3, 60)
    X = pd.DataFrame(
        {"city": np.array(["Bonn", "Ulm", "Jena"])[k], "shop": np.array([10, 20, 30])[k[::-1]], "z": k * 0.1}
    )
    X = X.astype({"city": "category", "shop": "category"})
    model = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True).fit(
        X, (k == 1) * 3.0 + random.normal(size=60)
    )
    joblib.dump(model, "shops.joblib")
    X.to_csv("shops.csv", index=False)
    assert main(["explain", "shops.joblib", "shops.csv", "--trust-pickle", "-o", "out.csv"]) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_allclose(pd.read_csv(Path("out.csv"))["prediction"], model.predict(X), rtol=1e-5, atol=1e-5)


def test_numbers_are_read_to_the_last_digit(folder: Path) -> None:
    numbers = np.random.default_rng(0).random(2000) * 10.0 ** np.random.default_rng(1).integers(-300, 300, 2000)
    pd.DataFrame({"x": numbers}).to_csv("numbers.csv", index=False)
    np.testing.assert_array_equal(Reading().table("numbers.csv").x, numbers)


def test_what_others_put_beside_the_output_is_left_alone(folder: Path) -> None:
    """No temporary name can be known beforehand, a link is followed, and permissions stay."""
    Path("kept.csv").write_text("precious")
    Path("private.csv").write_text("old")
    Path("private.csv").chmod(0o600)
    Path("link.csv").symlink_to("private.csv")
    for name in (f".out-{os.getpid()}.csv", ".out.csv", "out.csv.tmp"):
        Path(name).symlink_to("kept.csv")
    assert main(["explain", "model.skops", "data.csv", "-o", "out.csv"]) == 0
    assert main(["explain", "model.skops", "data.csv", "-o", "link.csv"]) == 0
    assert Path("kept.csv").read_text() == "precious"
    assert Path("link.csv").is_symlink()
    assert Path("private.csv").read_bytes() == Path("out.csv").read_bytes()
    assert stat.S_IMODE(Path("private.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_half_written_file(tmp_path: Path, number: signal.Signals) -> None:
    code = (  # nohup, or a shell that runs the tests in the background, has these two ignored
        "import signal, time\nfrom neon.cli.files import write_whole\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def slow(path):\n path.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "write_whole('out.csv', slow)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(number)
        assert process.wait(timeout=300) != 0
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_obeys_no_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    X = pd.DataFrame(
        np.random.default_rng(0).normal(size=(20, 2)), columns=["\x1b]0;owned\x07\x1b[2Jage", "a\nb\u202e"]
    )
    skops.io.dump(LogisticRegression().fit(X, np.where(X.iloc[:, 0] > 0, "\x1b[31mA", "B\x9b")), "odd.skops")
    X.to_csv("odd.csv", index=False)
    assert main(["explain", "odd.skops", "odd.csv", "-o", "out.csv"]) == 0
    assert main(["show", "odd.skops", "--data", "odd.csv"]) == 0
    assert main(["explain", "odd.skops", "data.csv"]) == 2
    captured = capsys.readouterr()
    assert not set("\x1b\x07\x9b\u202e") & set(captured.out + captured.err)
    assert "\\x1b]0;owned\\x07\\x1b[2Jage" in captured.out
    assert "a\\nb\\u202e" in captured.out
    assert list(pd.read_csv(Path("out.csv")).columns[1:3]) == list(X.columns)  # in the file they stand as they are


def test_a_reader_that_leaves_costs_no_file(folder: Path) -> None:
    command = f"{sys.executable} -c 'import sys; from neon.cli import main; sys.exit(main())'"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        ["bash", "-c", f"{command} explain model.skops data.csv -o out.csv | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pd.read_csv(Path("out.csv"))) == len(_wine()[0])


@pytest.mark.parametrize("command", ["explain model.skops data.csv -o out.csv", "show model.skops --data data.csv"])
@pytest.mark.parametrize("error", [1e-3, 1.0, float("nan")])
def test_other_numbers_than_the_model_are_no_success(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, error: float
) -> None:
    """In a row that an explainer does not compare, which are those after the 64th."""
    own = neon.Network.own

    def another(self: neon.Network, given: Any) -> np.ndarray:
        found = own(self, given)
        found[100:101] += error
        return found

    monkeypatch.setattr(neon.Network, "own", another)
    assert main(command.split()) == 1
    rows = len(_wine()[0])
    words = (
        f"neon: the network gives other numbers than the model for 1 of {rows} rows, by up to {error:.1e}, the first "
    )
    assert capsys.readouterr().err.startswith(words + "of them row 100: do not trust ")


def test_large_log_odds_are_no_excuse_for_other_probabilities(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model's own answers, probabilities here, say how much is rounding, not the size of what is explained."""
    X, y = _wine()
    model = CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), ensemble=False)
    joblib.dump(model.fit(X.to_numpy(), y), "calibrated.joblib")
    np.save("far.npy", X.to_numpy() * 1e9)
    command = ["explain", "calibrated.joblib", "far.npy", "--trust-pickle", "-o", "out.csv"]
    assert main(command) == 0
    assert pd.read_csv(Path("out.csv"))["prediction"].abs().max() > 1e7
    own = neon.Network.own
    monkeypatch.setattr(
        neon.Network, "own", lambda self, given: own(self, given) + (np.arange(len(given)) == 100)[:, None]
    )
    assert main(command) == 1
    assert "for 1 of 149 rows, by up to 1.0e+00" in capsys.readouterr().err


def _run(*arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", "import sys, neon.cli; sys.exit(neon.cli.main())", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding=encoding, env=environment, timeout=300)
    done.stderr = re.sub("^neon: compiling loops, .*\n", "", done.stderr)  # in a checkout that runs for the first time
    return done
