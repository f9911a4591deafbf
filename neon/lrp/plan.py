"""A table that shows which rule was applied where, and whether relevance was conserved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Plan", "PlanRow"]


@dataclass
class PlanRow:
    """One operation.

    Attributes
    ----------
    relevance_out, relevance_in : float or None
        Relevance that arrived at the operation's output, and that it handed to its inputs, summed over the batch.
    """

    operation: str
    module: str
    shape: tuple[int, ...]
    rule: str
    relevance_out: float | None = None
    relevance_in: float | None = None

    @property
    def absorbed(self) -> float | None:
        if self.relevance_out is None or self.relevance_in is None:
            return None
        return self.relevance_out - self.relevance_in


@dataclass(frozen=True)
class Plan:
    """The operations from input to output; print it, or ``to_frame()``."""

    rows: list[PlanRow]
    composite: str

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([asdict(row) | {"absorbed": row.absorbed} for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        header = ("operation", "module", "output", "rule", "R out", "R in", "absorbed")
        body = [
            (
                row.operation,
                row.module,
                "×".join(map(str, row.shape)),
                row.rule,
                *(("" if v is None else f"{v:.6g}") for v in (row.relevance_out, row.relevance_in, row.absorbed)),
            )
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in (header, *body)) for i in range(len(header))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in (header, *body)
        ]
        return "\n".join([f"composite: {self.composite}", lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__
