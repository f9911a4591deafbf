"""Models from the files of XGBoost, LightGBM and CatBoost: they explain what the model in memory explains."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neon
from neon.cli import main

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(120, 3)), columns=["x", "y", "z"]).mask(RNG.random((120, 3)) < 0.1)
FRAME["kind"] = pd.Categorical(RNG.choice(["ash", "oak", "elm"], 120))
VALUE = np.nan_to_num(FRAME["x"]) + 2 * (FRAME["kind"] == "oak") + 0.1 * RNG.normal(size=120)
TWO = np.where(VALUE > 1, "yes", "no")


def of_xgboost(folder: Path, suffix: str) -> Any:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=5, max_depth=3, enable_categorical=True).fit(FRAME, VALUE)
    model.save_model(folder / f"model{suffix}")
    return model


def of_lightgbm(folder: Path, suffix: str) -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, min_child_samples=5).fit(FRAME, VALUE)
    model.booster_.save_model(folder / f"model{suffix}")
    return model


def of_catboost(folder: Path, suffix: str) -> Any:
    catboost = pytest.importorskip("catboost")
    options = {"iterations": 5, "depth": 3, "verbose": 0, "allow_writing_files": False, "one_hot_max_size": 9}
    kind = catboost.CatBoostClassifier if suffix == ".cbm" else catboost.CatBoostRegressor
    model = kind(**options, cat_features=["kind"]).fit(FRAME, TWO if suffix == ".cbm" else VALUE)
    model.save_model(str(folder / f"model{suffix}"), format=suffix[1:])
    return model


FILES: dict[str, tuple[Callable[[Path, str], Any], str]] = {
    "xgboost-json": (of_xgboost, ".json"),
    "xgboost-ubj": (of_xgboost, ".ubj"),
    "lightgbm-txt": (of_lightgbm, ".txt"),
    "catboost-cbm": (of_catboost, ".cbm"),
    "catboost-json": (of_catboost, ".json"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_explains_what_its_model_explains(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save, suffix = FILES[name]
    expected = neon.Explainer(save(tmp_path, suffix))(FRAME)
    explainer = neon.Explainer(neon.load_model(tmp_path / f"model{suffix}"))
    found = explainer(FRAME)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.prediction, expected.prediction, rtol=1e-14)  # JSON of CatBoost has 16 digits
    assert found.explains == expected.explains
    assert found.output_names == expected.output_names
    assert explainer.network.verify(FRAME) < (1e-6 if name.startswith("xgboost") else 1e-9)
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv("rows.csv", index=False)
    assert main(["explain", f"model{suffix}", "rows.csv", "-o", "out.csv"]) == 0
    told = pd.read_csv("out.csv")["kind"]
    np.testing.assert_allclose(told, found.values[:, 3], rtol=0, atol=1e-9)
    assert "equivalence" in capsys.readouterr().out


FAULTS: dict[str, tuple[str, str, str]] = {
    "absent": ("absent.json", "", "no such file"),
    "another kind": ("model.onnx", "", r"expected a file of XGBoost, LightGBM or CatBoost: \.json"),
    "no json": ("model.json", "{", "not a readable .json file"),
    "a list": ("model.json", "[1]", "holds no model"),
    "deep": ("model.json", 10**6 * "[", "not a readable .json file"),
    "a dump": ("model.json", json.dumps({"tree_info": []}), "dump of LightGBM.*save_model"),
    "text": ("model.txt", "no model", "first line is not 'tree'"),
    "half a model": ("model.ubj", "{", "no model that XGBoost can read"),
    "no pool": ("model.cbm", "CBM", "no model that CatBoost can read"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_other_files_are_refused_in_words(name: str, tmp_path: Path) -> None:
    file, text, words = FAULTS[name]
    for library, of in {"ubj": "xgboost", "cbm": "catboost"}.items():
        if file.endswith(library):
            pytest.importorskip(of)
    if name != "absent":
        (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=words):
        neon.load_model(tmp_path / file)


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.cbm").write_bytes(b"CBM1")
    (tmp_path / "catboost.py").write_text("raise ImportError")  # for the process that tries the file
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(importlib.sys.modules, "catboost", None)  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="CatBoost, which is not installed"):
        neon.load_model(tmp_path / "model.cbm")


CRASHES = {
    "os.abort()": r"LightGBM itself crashed while reading it \(SIGABRT\)",
    "os.kill(os.getpid(), signal.SIGSEGV)": r"LightGBM itself crashed while reading it \(SIGSEGV\)",
    "os.kill(os.getpid(), signal.SIGXCPU)": "takes more time",
    "os._exit(7)": r"LightGBM itself crashed while reading it \(exit code 7\)",
    "bytearray(2**36)": "can read: MemoryError",
    "raise ValueError(os.environ['OMP_NUM_THREADS'])": "can read: 1",
    "raise ValueError('first\\nsecond')": "can read: first second",
}


@pytest.mark.parametrize("reading", CRASHES)
def test_a_library_that_crashes_takes_nothing_along(
    reading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module in the library's place, found by the process that tries the file."""
    (tmp_path / "lightgbm.py").write_text(
        f"import os, signal\nclass Booster:\n    def __init__(self, model_file):\n        {reading}\n"
    )
    (tmp_path / "model.txt").write_text("tree\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(ValueError, match=CRASHES[reading]):
        neon.load_model(tmp_path / "model.txt")


def test_a_trial_is_of_this_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.txt").write_text("tree\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"cannot be tried in another process .*: trial=False"):
        neon.load_model(tmp_path / "model.txt")


def test_classes_of_a_file_are_catboosts_own(tmp_path: Path) -> None:
    model = of_catboost(tmp_path, ".cbm")
    model.set_probability_threshold(0.2)
    model.save_model(str(tmp_path / "model.cbm"))
    explanation = neon.Explainer(neon.load_model(tmp_path / "model.cbm"))(FRAME)
    np.testing.assert_array_equal(np.take(explanation.output_names, explanation.target), model.predict(FRAME).ravel())
