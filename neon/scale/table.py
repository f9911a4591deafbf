"""Explanations as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation import Explanation
from neon.explanation.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["residuals_of", "table_of"]


def table_of(layout: Layout, explanation: Explanation, source: pa.Table, start: int, *, named: bool) -> pa.Table:
    """An explanation of rows, the first of which has the number ``start``, and what is kept of them.

    named : whether there is a column ``residuals`` with each of these by its name, which no CSV file can hold.
    """
    import pyarrow as pa

    lines, columns = layout.lines(explanation), layout.columns(explanation)
    found: dict[str, Any] = {"row": start + lines}
    kept = source.take(lines) if layout.every else source
    found |= {called: kept.column(name) for name, called in layout.data.items()}
    found |= {name: pa.array(part, pa.string()) if part.dtype == object else part for name, part in columns.items()}
    if named:
        found["residuals"] = _map({name: part.ravel() for name, part in explanation.residuals.items()}, len(lines))
    return pa.table(found)


def _map(amounts: dict[str, np.ndarray], n_rows: int) -> pa.MapArray:
    """The same names in each row, with its own amounts."""
    import pyarrow as pa

    names = pa.array(list(amounts), pa.string()).take(np.tile(np.arange(len(amounts)), n_rows))
    values = np.stack(list(amounts.values()), 1).ravel() if amounts else np.zeros(0)
    return pa.MapArray.from_arrays(np.arange(n_rows + 1, dtype=np.int32) * len(amounts), names, values)


def residuals_of(table: pa.Table, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each residual by its name, of the rows chosen by a mask; of a table without names their sum, as "residual"."""
    if "residuals" not in table.column_names:
        yield "residual", table.column("residual").to_numpy()[rows]
        return
    column = table.column("residuals").combine_chunks()
    names, counts = column.keys.to_numpy(zero_copy_only=False), np.diff(column.offsets.to_numpy())
    chosen = np.repeat(rows, counts)
    amounts = column.items.to_numpy()
    for name in dict.fromkeys(names):
        yield str(name), amounts[chosen & (names == name)]
