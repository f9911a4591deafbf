"""Explanations as Arrow tables of one layout, whatever the rows hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation import Explanation

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Layout", "residuals_of"]

_OTHERS = ("row", "output", "target", "prediction", "base_value", "residual", "residuals")


@dataclass(frozen=True)
class Layout:
    """The columns of the output.

    ``row``: the number of the row; the columns that are kept; ``target`` (all outputs: ``output``): what is explained;
    ``prediction``, ``base_value``; the relevance of each feature; ``residual``: the sum of what no feature owns;
    ``residuals``: each of these by its name. A feature that is called like one of the others is ``feature:...``, a kept
    column that is called like one of these ``data:...``.

    Parameters
    ----------
    features, kept : sequence of str
        Names of the features and of the columns of the source that are kept.
    named : bool
        Whether there is a column ``residuals``, which no CSV file can hold.
    """

    features: tuple[str, ...]
    kept: tuple[str, ...]
    named: bool = True

    @property
    def relevance(self) -> list[str]:
        """The columns with relevance."""
        return [f"feature:{name}" if name in _OTHERS else name for name in self.features]

    def of(self, explanation: Explanation, source: pa.Table, start: int) -> pa.Table:
        """An explanation of the rows from number ``start`` on, and what is kept of them."""
        import pyarrow as pa

        n_rows, outputs = len(explanation), np.array(explanation.output_names, dtype=object)
        number = np.arange(start, start + n_rows)
        taken = {*_OTHERS, *self.relevance}
        columns: dict[str, Any] = {"row": number}
        columns |= {(f"data:{name}" if name in taken else name): source.column(name) for name in self.kept}
        if explanation.target is None:
            size = len(outputs)
            again = np.repeat(np.arange(n_rows), size)
            columns = {name: _take(column, again) for name, column in columns.items()}
            columns["output"] = pa.array(np.tile(outputs, n_rows)).cast(pa.string())
            values = np.moveaxis(explanation.values, -1, 1).reshape(n_rows * size, -1)
        else:
            columns["target"] = pa.array(outputs, pa.string()).take(pa.array(explanation.target))
            values = explanation.values.reshape(n_rows, -1)
        columns["prediction"] = explanation.prediction.ravel()
        columns["base_value"] = explanation.base_values.ravel()
        columns |= dict(zip(self.relevance, np.ascontiguousarray(values.T), strict=True))
        amounts = {name: part.ravel() for name, part in explanation.residuals.items()}
        columns["residual"] = sum(amounts.values(), np.zeros(len(values)))
        if self.named:
            columns["residuals"] = _map(amounts, len(values))
        return pa.table(columns)


def _take(column: Any, again: np.ndarray) -> Any:
    return column[again] if isinstance(column, np.ndarray) else column.take(again)


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
