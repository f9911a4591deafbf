"""`explanation.report(path)`: what is asked, checked and written."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neon.report.excerpt import MOST_ROWS, excerpt_of
from neon.report.facts import facts, headline
from neon.report.html import page
from neon.report.payload import payload

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["write"]


def write(
    explanation: Explanation,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    explainer: Any = None,
    shape: tuple[int, int] | None = None,
    max_rows: int = MOST_ROWS,
) -> None:
    """See `Explanation.report`."""
    if not len(explanation):
        raise ValueError("nothing to report: the explanation has no rows")
    if operator.index(max_rows) < 1:
        raise ValueError(f"max_rows: expected at least 1, got {max_rows}")
    title = headline(explanation) if title is None else str(title)
    chosen = excerpt_of(explanation, shape, max_rows)
    text = page(title, facts(explanation, explainer, chosen), payload(explanation, chosen))
    Path(path).write_bytes(text.encode("utf-8", errors="replace"))  # halves of surrogate pairs have no bytes
