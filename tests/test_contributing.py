"""The examples of CONTRIBUTING.md run, and the files that it points to are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neon.lrp.operations import table

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("title", ["A family of models", "A rule", "An operation"])
def test_example(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TABLE", dict(table._TABLE))
    (example,) = re.findall(r"```python\n(.*?)```", SECTIONS[title], re.DOTALL)
    assert "\nassert " in example
    exec(compile(example, title, "exec"), {"__name__": "example"})
    assert len(SECTIONS[title].splitlines()) <= 65  # a page


def test_files_are_there() -> None:
    named = re.findall(r"`((?:neon|tests|docs|benchmarks)/[\w/.]+)`", PAGE) + re.findall(r"\]\(([\w/.]+)\)", PAGE)
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]
    modules = re.findall(r"python -m ([\w.]+)", PAGE)
    assert not [name for name in modules if not (ROOT / (name.replace(".", "/") + ".py")).exists()]
