"""The benchmark of trees: its peers answer from a process of their own, and losses are named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from benchmarks import tree_peers, tree_workplace, trees
from benchmarks.tree_workplace import Workplace, check_newest


def test_values_of_a_peer_in_its_own_process() -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed")
    X, y = trees.data(200)
    model = trees.models(quick=True)["XGB 100 x d6"](X, y)
    with Workplace(sys.executable) as workplace:
        found = trees.measured(trees.Case("XGB 100 x d6", "pairs", n_rows=8), model, X, {"xgboost": workplace}, 1.0, 1)
    assert found.notes == {}
    assert found.differences["xgboost"] < 1e-5
    assert set(found.micros) == {"neon", "xgboost"}
    assert min(found.micros.values()) > 0


def test_a_peer_that_cannot_says_why(tmp_path: Path) -> None:
    X, y = trees.data(60)
    model = RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, y)
    files = trees.handed_over(tmp_path, model, X, X[:5])
    worker = tree_peers.Worker()
    with pytest.raises(tree_peers.NotOffered, match="its own models"):
        worker.answer({"order": "prepare", "peer": "xgboost", "game": "covers", **files})
    joblib.dump(("0.1", model), str(files["model"]))
    with pytest.raises(tree_peers.NotOffered, match=r"scikit-learn 0\.1"):
        worker.answer({"order": "prepare", "peer": "shap", "game": "covers", **files})


def test_a_process_that_ends_or_hangs_is_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workplace(sys.executable) as workplace:
        for _ in range(2):  # an error ends nothing
            with pytest.raises(tree_peers.NotOffered, match="KeyError: 'rows'"):
                workplace.ask("prepare")
    monkeypatch.setattr(tree_workplace, "_SECONDS", 0.05)
    silent = tmp_path / "silent.py"
    silent.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(tree_peers, "__file__", str(silent))
    with Workplace(sys.executable) as workplace, pytest.raises(tree_peers.NotOffered, match="no answer"):
        workplace.ask("versions")


def answering(listing: str) -> Callable[..., Any]:
    return lambda command, **_: subprocess.CompletedProcess(command, 0, stdout=listing, stderr="")


def test_a_peer_must_be_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    releases = {name: (distributions[0], "2.0") for name, distributions in tree_peers.DISTRIBUTIONS.items()}
    monkeypatch.setattr(subprocess, "run", answering("peer (2.0)\nAvailable versions: 2.0, 1.9\n"))
    check_newest("python", releases)
    monkeypatch.setattr(subprocess, "run", answering("peer (2.1)\nAvailable versions: 2.1, 2.0\n"))
    with pytest.raises(SystemExit, match=r"2\.1 installs there"):
        check_newest("python", releases)
    monkeypatch.setattr(subprocess, "run", answering(""))
    with pytest.raises(SystemExit, match="--offline"):
        check_newest("python", releases)
    with pytest.raises(SystemExit, match="has no shap"):
        check_newest("python", {name: held for name, held in releases.items() if name != "shap"})


def test_losses_are_named() -> None:
    ahead = trees.Measured(trees.Case("A", "covers"), {"neon": 1.0, "xgboost": 10.0})
    behind = trees.Measured(
        trees.Case("B", "rows", 100, behind="a walk"), {"neon": 30.0, "woodelf": 10.0, "shap": 40.0}
    )
    releases = {"xgboost": ("xgboost", "3.9")}
    text = trees.section([ahead, behind], [], releases, checked=True)
    assert "**Behind**" in text
    assert "B, interventional, 100 reference rows: woodelf is 3.0 times as fast" in text.replace("\n  ", " ")
    assert "a walk" in text
    assert text.count("times as fast") == 1
    assert "xgboost 3.9: the newest" in text.replace("\n", " ")
    text = trees.section([ahead], [], releases, checked=False)
    assert "Ahead of every peer in every row." in text
    assert "--offline" in text


def test_slow_peers_explain_fewer_rows() -> None:
    class Linear:
        def __init__(self, fixed: float, each: float) -> None:
            self.fixed, self.each = fixed, each

        def ask(self, order: str, *, rows: int, apart: bool) -> float:
            return self.fixed + self.each * rows

    case = trees.Case("A", "covers", n_rows=1000)
    for fixed, each, seconds, low, high in (
        (0.0, 0.01, 60.0, 1000, 1000),
        (0.1, 0.01, 1.0, 80, 128),
        (9.0, 1e-4, 1.0, 1000, 1000),  # what a call costs at all
        (0.0, 1.0, 4.0, 16, 16),
    ):
        found = trees.affordable(Linear(fixed, each), case, seconds)  # type: ignore[arg-type]
        assert low <= found <= high
    apart = trees.Case("A", "covers", n_rows=100, apart=True)
    assert trees.affordable(Linear(0.0, 0.1), apart, 2.0) == 20  # type: ignore[arg-type]
    assert trees.affordable(Linear(0.0, 9.0), apart, 2.0) == 2  # type: ignore[arg-type]


def test_pairs_are_compared_off_the_diagonal() -> None:
    ours = np.ones((2, 3, 3))
    theirs = ours.copy()
    theirs[:, range(3), range(3)] = 7
    assert trees.difference(theirs, ours, pairs=True) == 0
    theirs[0, 0, 1] = 1.5
    assert trees.difference(theirs, ours, pairs=True) == 0.5
