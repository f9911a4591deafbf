"""Draws the pictures of README.md from its own first example: ``python docs/pictures.py``, in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent


def main() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    for kind in ("waterfall", "beeswarm"):
        lines = [line for line in example.splitlines() if ".plot." not in line or f".plot.{kind}(" in line]
        exec("\n".join(lines), {})
        plt.gcf().set_size_inches(5.6, 4.2)  # small, so that words can be read where two pictures share a line
        plt.savefig(ROOT / "docs" / f"{kind}.png", dpi=160)
        plt.close("all")


if __name__ == "__main__":
    main()
