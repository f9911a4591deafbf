"""Explainers logged in a store of their own, loaded again, and asked."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import neon
from neon.mlflow import log_explainer

ROWS = pd.DataFrame(
    {"spend": [410.0, 120.5, 80.0, 230.0], "town": ["Bonn", "Kiel", "Bonn", "Ulm"], "key": ["p", "q", "r", "s"]},
    index=["a", "b", "c", "d"],
)


@pytest.fixture
def explainer() -> neon.Explainer:
    towns = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
    return neon.Explainer(make_pipeline(towns, LogisticRegression()).fit(ROWS[["spend", "town"]], [1, 0, 1, 1]))


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    module = pytest.importorskip("mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, of its type hints
        importlib.import_module("mlflow.pyfunc")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a data base needs more than mlflow-skinny
    monkeypatch.chdir(tmp_path)
    module.set_tracking_uri((tmp_path / "store").as_uri())
    yield module
    module.set_tracking_uri(None)


@pytest.mark.filterwarnings("ignore:Operation with range")  # MLflow's use of pandas
def test_round_trip(mlflow: Any, explainer: neon.Explainer) -> None:
    with mlflow.start_run():
        info = log_explainer(explainer, "explainer", input_example=ROWS[:2], columns=["key"], target=0)
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    expected = explainer.explain_frame(ROWS, 0, columns=["key"])
    assert_frame_equal(loaded.predict(ROWS), expected)
    assert_frame_equal(loaded.predict(ROWS[::-1].assign(unused=1.0)), expected[::-1])
    assert info.signature.inputs.input_names() == list(ROWS)
    assert info.signature.outputs.input_names() == list(expected)
    assert_frame_equal(loaded.input_example, ROWS[:2].reset_index(drop=True))
    with pytest.raises(mlflow.exceptions.MlflowException, match="missing inputs"):
        loaded.predict(ROWS[["spend"]])


@pytest.mark.filterwarnings("ignore:Operation with range")
def test_what_it_needs_is_written_down(mlflow: Any, explainer: neon.Explainer) -> None:
    with mlflow.start_run():
        info = log_explainer(explainer, "explainer", input_example=ROWS[["spend", "town"]], metadata={"by": "us"})
    needs = Path(mlflow.artifacts.download_artifacts(info.model_uri), "requirements.txt").read_text().split()
    assert f"neon-xai=={neon.__version__}" in needs
    assert {need.partition("==")[0] for need in needs} >= {"scikit-learn", "torch", "numpy"}
    assert info.metadata == {"by": "us"}


def test_examples_are_frames(mlflow: Any, explainer: neon.Explainer) -> None:
    with pytest.raises(TypeError, match="must be a DataFrame of a few rows, got ndarray"):
        log_explainer(explainer, "explainer", input_example=np.zeros((2, 2)))


def test_without_mlflow(explainer: neon.Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r"neon-xai\[mlflow\]"):
        log_explainer(explainer, "explainer", input_example=ROWS)
