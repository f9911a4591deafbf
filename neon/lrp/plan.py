"""A table that shows which rule was applied where, and whether relevance was conserved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from neon.lrp.message import Message
from neon.lrp.propagate import BackwardStep

__all__ = ["EXPLOSION", "Plan", "PlanRow", "observed"]

EXPLOSION = 100.0  # growth of relevance in one operation that deserves a warning


@dataclass
class PlanRow:
    """One operation.

    Attributes
    ----------
    relevance_out, relevance_in : float or None
        Relevance that arrived at the operation's output, and that it handed to its inputs, summed over the batch.
    magnitude_out, magnitude_in : float or None
        The same of its absolute value.
    """

    operation: str
    module: str
    shape: tuple[int, ...]
    rule: str
    relevance_out: float | None = None
    relevance_in: float | None = None
    magnitude_out: float | None = None
    magnitude_in: float | None = None

    @property
    def absorbed(self) -> float | None:
        if self.relevance_out is None or self.relevance_in is None:
            return None
        return self.relevance_out - self.relevance_in

    @property
    def growth(self) -> float | None:
        """How many times more relevance, by absolute value, leaves than arrived."""
        if self.magnitude_in is None or not self.magnitude_out:
            return None
        return self.magnitude_in / self.magnitude_out


@dataclass(frozen=True)
class Plan:
    """The operations from input to output; print it, or ``to_frame()``.

    ``residuals``: what no input owns, by name, summed over the batch.
    """

    rows: list[PlanRow]
    composite: str
    residuals: dict[str, float] = field(default_factory=dict)

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame."""
        import pandas as pd

        derived = ({"absorbed": row.absorbed, "growth": row.growth} for row in self.rows)
        return pd.DataFrame([asdict(row) | more for row, more in zip(self.rows, derived, strict=True)])

    @property
    def largest_growth(self) -> float:
        """The largest growth of relevance, by absolute value, in one operation; 0 before a target is explained."""
        return max((row.growth or 0.0 for row in self.rows), default=0.0)

    def warn_of_explosions(self, stacklevel: int = 2) -> None:
        """Warn of operations in which relevance grows by more than a factor of 100."""
        for row in self.rows:
            if row.growth is not None and row.growth > EXPLOSION:
                where = f"{row.operation} of {row.module!r}" if row.module else row.operation
                under = f" under {row.rule}" if row.rule else ""
                warnings.warn(
                    f"relevance grows {row.growth:.3g} times in {where}{under}: its denominators are close "
                    "to 0; a rule with a larger epsilon, or Gamma or ZPlus, bounds it",
                    RuntimeWarning,
                    stacklevel=stacklevel,
                )

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        header = ("operation", "module", "output", "rule", "R out", "R in", "absorbed", "growth")
        body = [
            (
                row.operation,
                row.module,
                "×".join(map(str, row.shape)),
                row.rule,
                *(("" if v is None else f"{v:.6g}") for v in (row.relevance_out, row.relevance_in, row.absorbed)),
                "" if row.growth is None else f"{row.growth:.3g}" + (" !" if row.growth > EXPLOSION else ""),
            )
            for row in self.rows
        ]
        # What is not known, as relevance before there is a target, has no column.
        shown = [i for i in range(len(header)) if i < 4 or any(line[i] for line in body)]
        widths = [max(len(line[i]) for line in (header, *body)) for i in shown]
        lines = [
            "  ".join(line[i].ljust(w) for i, w in zip(shown, widths, strict=True)).rstrip() for line in (header, *body)
        ]
        absorbed = ", ".join(f"{name} {total:.6g}" for name, total in self.residuals.items() if total)
        end = [f"absorbed in all: {absorbed}"] if absorbed else []
        return "\n".join([f"composite: {self.composite}", lines[0], "-" * len(lines[0]), *lines[1:], *end])

    __repr__ = __str__


def observed(steps: Sequence[BackwardStep]) -> tuple[list[PlanRow], Callable[..., None]]:
    """A row for each operation, and what fills them while relevance is propagated."""
    rows = {
        id(step): PlanRow(
            step.call.operation.name,
            step.call.operation.module,
            tuple(step.call.tape.specs[step.call.output].shape),
            "" if step.rule is None else str(step.rule),
        )
        for step in steps
    }

    def observe(step: BackwardStep, above: tuple[Message | None, ...], below: tuple[Message | None, ...]) -> None:
        row = rows[id(step)]
        row.relevance_out, row.magnitude_out = _total(above)
        row.relevance_in, row.magnitude_in = _total(below)

    return list(rows.values()), observe


def _total(messages: tuple[Message | None, ...]) -> tuple[float, float]:
    """The sum of relevance and of its absolute value."""
    parts = [message.relevance for message in messages if message is not None]
    return sum(float(part.sum()) for part in parts), sum(float(part.abs().sum()) for part in parts)
