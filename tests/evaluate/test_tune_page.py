"""The benchmark of tuning: what its page says of a case."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import tune


def test_page_of_one_case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tune, "CASES", [("GaussianNB", "wine")])
    tune.main(["--rows", "12", "--jobs", "1"])
    page = capsys.readouterr().out
    assert "| GaussianNB | wine | neon |" in page
    assert "of 1 cases (target: half of them" in page


def test_networks_learn_what_they_are_shown() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4)).astype(np.float32)
    classes = (X[:, 0] > 0).astype(int)
    model = tune.torch_model("torch MLP", X, classes)
    assert (model(tune.torch.as_tensor(X)).argmax(1).numpy() == classes).mean() > 0.95
