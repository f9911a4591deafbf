"""Compiled loops: spoken of while they are made, kept where there is room, and missed aloud."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import neon
from neon import _compilation as compilation
from neon.nn.trees.threads import in_threads

ROOT = Path(__file__).parent.parent

# A loop in a module of neon's, on a disk where neon's own folder, or more, cannot be written.
LOOP = """
from neon._compilation import njit

@njit(cache=True)
def twice(x):
    return 2 * x
"""
RUN = """
import sys
from numba.core import caching

def refuse(self):
    raise OSError("read-only")

for name in sys.argv[2].split():
    getattr(caching, name).ensure_cache_path = refuse
import neon
from neon._compilation import silently

neon.__path__.append(sys.argv[1])
from neon.loop import twice

with silently("silent" in sys.argv):
    assert twice(2) == 4
assert twice(2.5) == 5.0
print(twice.stats.cache_path, sum(twice.stats.cache_hits.values()))
"""


def _run(folder: Path, refused: str = "", *arguments: str, **environment: str) -> tuple[list[str], str]:
    (folder / "loop.py").write_text(LOOP)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    kept |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "user"), **environment}
    command = [sys.executable, "-c", RUN, str(folder), refused, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=kept, check=True)
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize("refused", ["", "InTreeCacheLocator"])
def test_compiled_code_is_kept_beside_the_source_or_in_the_users_folder(tmp_path: Path, refused: str) -> None:
    (kept, hits), said = _run(tmp_path, refused)
    assert Path(kept).is_relative_to(tmp_path / "user" if refused else tmp_path / "__pycache__")
    assert hits == "0"
    assert said == f"neon: compiling loops, once, which takes some seconds; they are kept in {kept}\n"
    assert _run(tmp_path, refused) == ([kept, "2"], "")


def test_a_folder_that_is_named_is_taken(tmp_path: Path) -> None:
    (kept, _), said = _run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "named"))
    assert Path(kept).is_relative_to(tmp_path / "named")
    assert kept in said


def test_without_any_folder_loops_are_compiled_in_every_process(tmp_path: Path) -> None:
    for _ in range(2):
        (kept, hits), said = _run(tmp_path, "InTreeCacheLocator UserWideCacheLocator")
        assert (kept, hits) == ("None", "0")
        assert said.count("\n") == 1
        assert "in every process: no folder to keep them in can be written; set NUMBA_CACHE_DIR" in said


def test_silence_ends_where_it_was_asked_for(tmp_path: Path) -> None:
    _, said = _run(tmp_path, "", "silent")
    assert said.count("\n") == 1  # of the second type of numbers


def _loop() -> object:
    @compilation.njit()
    def thrice(x):  # type: ignore[no-untyped-def]
        return 3 * x

    thrice.py_func.__module__ = "neon.loop"
    return thrice


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been compiled in this process before."""
    monkeypatch.setattr(compilation, "_LAST", [-compilation._AGAIN])


@pytest.mark.usefixtures("announced")
def test_one_line_for_all_that_is_compiled_in_one_go(capsys: pytest.CaptureFixture[str]) -> None:
    for loop in (_loop(), _loop()):
        loop(1)  # type: ignore[operator]
        loop(1)  # type: ignore[operator]
    assert re.fullmatch("neon: compiling loops, .*\n", capsys.readouterr().err)


@pytest.mark.usefixtures("announced")
def test_others_loops_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert numba.njit(lambda x: x + 1)(1) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("announced")
def test_silence_reaches_threads(capsys: pytest.CaptureFixture[str]) -> None:
    with compilation.silently():
        assert in_threads([lambda: _loop()(1), lambda: _loop()(2)], 2) == [3, 6]  # type: ignore[operator]
    assert capsys.readouterr().err == ""
    assert in_threads([lambda: _loop()(1), lambda: _loop()(2)], 2) == [3, 6]  # type: ignore[operator]
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("announced")
@pytest.mark.parametrize("progress", [None, True, False])
def test_an_explainer_passes_on_that_nothing_is_to_be_said(
    progress: bool | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np
    from sklearn.svm import SVC

    X = np.random.default_rng(0).normal(size=(20, 2))
    asked = []

    def probed(*args: object, **kwargs: object) -> object:
        asked.append(compilation._SILENT.get())
        return read(*args, **kwargs)

    explainer = neon.Explainer(SVC().fit(X, X[:, 0] > 0), progress=progress)
    read = explainer.network.intake.given
    monkeypatch.setattr(explainer.network.intake, "given", probed)
    explainer(X)
    assert set(asked) == {progress is False}
    assert not compilation._SILENT.get()


@pytest.mark.parametrize(
    ("disabled", "words"),
    [(False, "numba cannot be imported .*pip install"), (True, "NUMBA_DISABLE_JIT is set.*unset it")],
)
def test_missing_loops_are_said_once(monkeypatch: pytest.MonkeyPatch, disabled: bool, words: str) -> None:
    if disabled:
        monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    else:
        monkeypatch.setitem(sys.modules, "numba", None)
    compilation.has_numba.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=f"{words}") as said:
            assert [compilation.has_numba() for _ in range(3)] == [False] * 3
        assert len(said) == 1
    finally:
        compilation.has_numba.cache_clear()
