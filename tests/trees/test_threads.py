"""Whether the compiled loops can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

import neon
from neon import _compilation as compilation
from neon.nn.shapley import kernel_products
from neon.nn.trees import engine


def test_a_numba_that_refuses_to_be_imported_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = DecisionTreeRegressor(max_depth=3, random_state=0).fit(X, X[:, 0])
    expected = neon.explain(model, X).values
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Numba needs NumPy 1.0 or less')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    for module in (engine, kernel_products):
        monkeypatch.setattr(module, "has_numba", compilation.has_numba.__wrapped__)
    with pytest.warns(RuntimeWarning, match="Numba needs NumPy 1.0 or less"):
        assert not engine.has_numba()
    for module in (engine, kernel_products):
        monkeypatch.setattr(module, "has_numba", lambda: False)
    np.testing.assert_allclose(neon.explain(model, X).values, expected, rtol=0, atol=1e-12)
