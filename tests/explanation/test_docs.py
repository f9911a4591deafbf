"""The page about explanations runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "explanations.md"


@pytest.mark.skipif(not PAGE.exists(), reason="installed without the documentation")
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.S):
        exec(block, names)
    plt.close("all")
    assert names["explanation"].base_in_words in text
    assert names["explanation"].explains in text
    np.testing.assert_allclose(names["whole"].values, names["explanation"].values, atol=1e-9)
    assert (tmp_path / "limits.neon").exists()
