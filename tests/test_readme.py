"""The examples of README.md run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import OneClassSVM

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST, MANY = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_first_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(FIRST, "README", "exec"), names)
    plt.close("all")
    assert names["explanation"].conservation_error() < 1e-9
    assert len(FIRST.splitlines()) <= 20


def test_questions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a report is written
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")
    torch.manual_seed(0)
    cnn = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10))
    text = torch.nn.Sequential(torch.nn.Embedding(9, 8), torch.nn.Flatten(), torch.nn.Linear(40, 2))
    names: dict[str, Any] = {
        "X": X,
        "X_train": X[:40],
        "X_today": X[40:] + 1,
        "X_test": X[40:44],
        "labels": (X[:, 0] > 0).astype(int),
        "classifier": LogisticRegression().fit(X, y),
        "forest": RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, y),
        "one_class_svm": OneClassSVM(nu=0.2).fit(X),
        "cnn": cnn.eval(),
        "images": torch.randn(2, 3, 8, 8),
        "transformer": text.eval(),
        "token_ids": torch.tensor([[1, 2, 3, 4, 5]]),
    }
    Path("rows").mkdir()
    pd.DataFrame(X).add_prefix("x").to_parquet("rows/first.parquet")
    exec(compile(f"import neon\n{MANY}", "README", "exec"), names)
    plt.close("all")
