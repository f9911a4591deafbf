"""The benchmark of tuning: what its page says of a case."""

from __future__ import annotations

import pytest

from benchmarks import tune


def test_page_of_one_case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tune, "CASES", [("torch MLP", "iris")])
    tune.main(["--rows", "12", "--jobs", "1", "--data", "iris"])
    page = capsys.readouterr().out
    assert "| torch MLP | iris |" in page
    assert "of 1 cases (target: half of them" in page
