"""The benchmark of devices runs from end to end, here on the CPU, and stops in time."""

from __future__ import annotations

import pytest

from benchmarks import gpu


@pytest.mark.filterwarnings("ignore")
def test_it_compares_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--device", "cpu", "--quick", "--repeats", "1", "--only", "k-means", "covers", "llama"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [row[0].strip("| ") for row in rows] == ["k-means", "boosting 5 x d6, covers", "llama"]
    for row in rows:
        assert float(row[2]) <= 1e-12
        assert min(map(float, row[3:6])) > 0


def test_it_stops_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--device", "cpu", "--quick", "--seconds", "-1"])
    lines = capsys.readouterr().out.splitlines()[4:]
    assert len(lines) == len(gpu.tasks(gpu.Size.of(True))) + len(gpu.NETWORKS)
    assert all("left out" in line for line in lines)
