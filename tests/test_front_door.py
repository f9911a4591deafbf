"""``import neon`` imports nothing before it is used, and its names are the ones that it states."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import neon

ROOT = Path(__file__).parent.parent


def _imported_for_type_checkers() -> dict[str, str]:
    """Name -> the module that it is imported from."""
    tree = ast.parse((ROOT / "neon" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {a.name: str(node.module) for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}


def test_type_checkers_are_told_the_names_that_there_are() -> None:
    told = _imported_for_type_checkers()
    assert sorted(told) == sorted(neon.__all__)
    modules = {name for name, home in told.items() if home == "neon"}
    assert {name: f"neon.{home}" for name, home in neon._HOMES.items()} == {
        name: home for name, home in told.items() if name not in modules
    }
    assert modules == {name for name in neon.__all__ if isinstance(getattr(neon, name), type(neon))}
    assert set(neon.__all__) <= set(dir(neon))


def test_modules_are_found_however_they_are_imported() -> None:
    code = (
        "import neon.targets, neon\nfrom neon import rules\nneon.targets.Contrast, rules.Epsilon, neon.composites.zero"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    for name in ("targets", "rules", "composites", "nn", "extend", "baselines", "errors", "plots"):
        assert getattr(neon, name) is importlib.import_module(f"neon.{name}")


def test_importing_it_imports_none_of_what_it_needs() -> None:
    code = "import sys, neon; print(*{'torch', 'sklearn', 'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.split() == []


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'neon' has no attribute 'Explainr'"):
        neon.Explainr  # noqa: B018
    assert not hasattr(neon, "_private")


def test_a_module_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that a module of neon's misses is not taken for a name that neon does not have."""
    (tmp_path / "leaning.py").write_text("import no_such_library")
    monkeypatch.setattr(neon, "__path__", [*neon.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        neon.leaning  # noqa: B018
