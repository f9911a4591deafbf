"""The benchmarks of scale run from end to end, on small sizes."""

from __future__ import annotations

import math

import pytest

from benchmarks import growth, processes


def test_what_rows_cost(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--quick", "--only", "rows of a file,clusters"])
    header, _, *lines = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    assert header == growth.HEADER
    measured = [line for line in lines if line[1]]
    assert [line[1] for line in measured] == ["50", "100", "2", "9"]
    assert all(float(line[3].replace(",", "")) > 0 for line in measured)
    assert sum("linear" in line[4] for line in lines) == 2


def test_cost_that_grows_faster_than_rows_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "cost", lambda name, size, quick: growth.Cost(size, size**1.5, 0.0))
    *_, last = growth.lines(growth.FILES, quick=False)
    assert last[4] == "**not linear**: at most 1.50"
    monkeypatch.setattr(growth, "cost", lambda name, size, quick: growth.Cost(size, 1 + size, 0.0, math.nan))
    *_, last = growth.lines(growth.FILES, quick=False)
    assert last[4] == "linear: at most 1.00"


def test_processes_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    times = iter([4.0, 2.0, 9.0, 3.0, 5.0, 2.5])
    monkeypatch.setattr(processes, "seconds", lambda run: (run(), next(times))[1])
    found = processes.paired(lambda: calls.append("one"), lambda: calls.append("two"), 3)
    assert calls == ["one", "two"] * 4
    assert found == (5.0, 2.5, 2.0)
