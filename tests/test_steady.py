"""The command that runs the suite shuffled and loaded, on a suite of two tests of which one relies on their order."""

from __future__ import annotations

import random
import subprocess
import textwrap
from pathlib import Path

import pytest

from benchmarks import steady

ROOT = Path(__file__).parent.parent
CONFTEST = "from tests.conftest import pytest_addoption, pytest_collection_modifyitems"
SUITE = """
    done = []

    def test_first():
        done.append(1)

    def test_second():
        assert done == [1]
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options for pytest to run the small suite, with this suite's own way to shuffle."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_order.py").write_text(textwrap.dedent(SUITE))
    (tmp_path / "pytest.ini").write_text("[pytest]")
    monkeypatch.chdir(ROOT)
    return [str(tmp_path), "--rootdir", str(tmp_path), "-c", str(tmp_path / "pytest.ini")]


def test_a_test_that_relies_on_the_order_is_found(
    suite: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "WORKERS", 1)
    seed = next(seed for seed in range(100) if _turned(seed))
    assert steady.main(["--times", "1", "--busy", "0", "--seed", str(seed), "--", *suite]) == 1  # others run beside
    own, shuffled, loaded, failed = capsys.readouterr().out.splitlines()
    for line, run, summary in (
        (own, "own order 1", "2 passed"),
        (shuffled, f"shuffled, seed {seed}", "1 failed, 1 passed"),
        (loaded, "beside 0 busy processes 1", "2 passed"),
    ):
        assert line.startswith(run)
        assert summary in line
    assert failed.endswith(f"test_order.py::test_second: failed in shuffled, seed {seed}")


def test_a_run_of_no_test_has_failed(suite: list[str]) -> None:
    assert steady.run("none", [*suite, "-k", "third"]).failed == ("pytest ended with 5",)


def test_busy_processes_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen] = []
    popen = subprocess.Popen
    monkeypatch.setattr(steady.subprocess, "Popen", lambda *args: started.append(popen(*args)) or started[-1])
    with steady.busy(2):
        assert [loop.poll() for loop in started] == [None, None]
    assert all(loop.poll() is not None for loop in started)


def _turned(seed: int) -> bool:
    """Whether a seed turns the two tests round."""
    order, tests = random.Random(seed), [0, 1]
    order.shuffle([tests])
    order.shuffle(tests)
    return tests == [1, 0]
