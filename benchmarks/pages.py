"""Pages that benchmarks write: tables, and sections between two marks that are replaced by the next run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["table", "write_section"]

END = "<!-- end -->"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def write_section(page: Path, begin: str, text: str) -> None:
    """Put a text into a page behind a mark, in place of the one before; at the end, if the mark is not there."""
    whole = page.read_text() if page.exists() else ""
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(END)
    page.write_text(f"{before.rstrip()}\n\n{begin}\n{text}{END}\n\n{after.lstrip()}".strip() + "\n")
