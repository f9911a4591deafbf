"""The benchmark of faithfulness: its records, its file, and the words of its table."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import defaults, faithfulness


def options(cache: Path) -> argparse.Namespace:
    return argparse.Namespace(
        cache=cache, fresh=False, families=["NearestCentroid"], data=["iris"], jobs=1, rows=6, draws=2, quick=True
    )


@pytest.mark.filterwarnings("ignore")  # of shap's own
def test_it_goes_on_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("shap", reason="shap is not installed")
    given = options(tmp_path / "found.jsonl")
    monkeypatch.setattr(defaults, "CANDIDATES", {})
    monkeypatch.setattr(faithfulness, "METHODS", ("neon", "kernel_shap"))
    first = faithfulness.run(given)
    monkeypatch.setattr(faithfulness, "METHODS", ("neon", "kernel_shap", "random"))
    second = faithfulness.run(given)
    lines = [json.loads(line) for line in given.cache.read_text().splitlines()]
    assert [line["method"] for line in lines] == ["neon", "kernel_shap", "random"]
    assert all(second[key] == record for key, record in first.items())
    assert "| NearestCentroid |" in faithfulness.page(second, given).replace("**", "")


def test_ratios_by_hand() -> None:
    ones, twos = [1.0, 1.1, 0.9], [2.0, 2.2, 1.8]
    found = {
        ("F", "a", "kernel_shap"): {"rows": ones},
        ("F", "a", "neon"): {"rows": twos},
        ("F", "b", "kernel_shap"): {"rows": [-1.0, 0.0, 1.0]},  # nothing to compare with
        ("F", "b", "neon"): {"rows": twos},
    }
    row = faithfulness.ratios(found, "F", "rows", ["a", "b"])
    count, (ratio, low, high) = row["neon"]
    assert count == 1
    np.testing.assert_allclose([ratio, low, high], 2)  # of the same rows, drawn together
    assert faithfulness.reaches(row)
    assert not faithfulness.reaches({"neon": (1, (0.8, 0.7, 0.9)), "random": (1, (2.0, 1.0, 3.0))})


def test_outliers_are_planted() -> None:
    (record,) = faithfulness.measured("KernelDensity", "iris", ["abs_z"], 20, 2)
    assert len(record["auroc"]) == len(record["hit_at_k"]) == 20
    assert np.mean(record["auroc"]) > 0.7


def test_models_that_cannot_be_measured_say_why() -> None:
    (record,) = faithfulness.measured("KNeighborsRegressor", "iris", ["gradient_x_input"], 6, 2)
    assert "no gradient" in record["skipped"]
