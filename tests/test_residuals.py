"""Every name that relevance is absorbed under stands on the page of residuals, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import neon
from neon.explanation.algebra import OTHER_FEATURES
from neon.report.residuals import RESIDUALS

PAGE = Path(__file__).parent.parent / "docs" / "residuals.md"


def test_the_page_names_every_residual() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in Path(neon.__file__).parent.rglob("*.py"))
    absorbed = set(re.findall(r'absorb\(\s*"(\w+)"', source)) | {OTHER_FEATURES}
    by_variable = {"log_prior", "log_det"}  # names that the layers of Gaussians and of linear energies are given
    assert all(f'"{name}"' in source or f"{name}=" in source for name in by_variable)
    explained = re.findall(r"^\| `([\w ]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(explained) == len(set(explained))
    assert set(explained) == absorbed | by_variable
    assert set(explained) == set(RESIDUALS)  # in a few words, for reports
