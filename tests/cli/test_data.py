"""The shipped data: written by its script byte by byte, small, and fit for what it is for."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import neon

DATA = Path(__file__).parents[2] / "data"
NAMES = ["breast_cancer.csv", "customers.csv", "rentals.csv", "sensors.csv", "wine.csv", "wine_new.csv"]


def test_the_script_writes_the_same_bytes(tmp_path: Path) -> None:
    for script in ("make.py", "make_reviews.py", "make_rentals.py", "make_customers.py"):
        runpy.run_path(str(DATA / script))["main"](tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*NAMES, "reviews.csv"])
    for name in [*NAMES, "reviews.csv"]:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_small_and_described() -> None:
    assert max(file.stat().st_size for file in DATA.glob("*.*")) < 300_000
    described = (DATA / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        rows, columns = pd.read_csv(DATA / name).shape
        columns -= name in ("breast_cancer.csv", "rentals.csv", "sensors.csv")
        columns -= 2 * (name == "customers.csv")  # a number for each row, and the answer
        assert f"`{name}` | {rows} × {columns} |" in described


def test_nothing_is_lost_in_the_files() -> None:
    wine, new = pd.read_csv(DATA / "wine.csv"), pd.read_csv(DATA / "wine_new.csv")
    both = np.concatenate([wine, new])
    original = load_wine().data
    np.testing.assert_array_equal(both[np.lexsort(both.T)], original[np.lexsort(original.T)])
    cancer, bunch = pd.read_csv(DATA / "breast_cancer.csv"), load_breast_cancer()
    np.testing.assert_array_equal(cancer.pop("diagnosis"), bunch.target_names[bunch.target])
    np.testing.assert_array_equal(cancer, bunch.data)


def test_humidity_decides_nothing() -> None:
    table = pd.read_csv(DATA / "rentals.csv")
    rentals = table.pop("rentals")
    labels = ["weekday", "station", "weather"]
    model = HistGradientBoostingRegressor(random_state=0, categorical_features=labels, max_depth=5)
    explanation = neon.explain(model.fit(table, rentals), table[:500], interactions=True)
    shares = pd.Series(np.abs(explanation.values).mean(0), table.columns)
    assert shares["humidity"] < 0.03 * shares.sum()
    assert shares.idxmax() == "hour"
    squares = np.abs(explanation.interactions).mean(0) * (1 - np.eye(8))
    strongest = np.unravel_index(squares.argmax(), squares.shape)
    assert {table.columns[i] for i in strongest} == {"weekday", "hour"}


def test_the_corrupted_sensor_is_found() -> None:
    table = pd.read_csv(DATA / "sensors.csv")
    corrupted = table.pop("corrupted")
    spoilt = (corrupted != "none").to_numpy()
    assert corrupted[spoilt].value_counts().to_dict() == dict.fromkeys(table.columns, 2)
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05)).fit(table[~spoilt])
    explanation = neon.explain(model, table)
    assert np.median(explanation.prediction[spoilt]) > np.quantile(explanation.prediction[~spoilt], 0.99)
    blamed = table.columns[explanation.values[spoilt].argmax(axis=1)]
    assert np.mean(blamed == corrupted[spoilt]) == pytest.approx(1.0)
