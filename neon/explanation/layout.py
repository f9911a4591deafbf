"""Explanations as tables whose columns are the same for any rows, to be put below each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

    from neon.explanation.explanation import Explanation

__all__ = ["Layout"]

_OTHERS = ("row", "output", "target", "prediction", "base_value", "residual", "residuals")


@dataclass(frozen=True)
class Layout:
    """The columns: kept ones, what is explained, prediction and base value, relevance, the sum of the residuals.

    A feature that is called like one of the others is ``feature:...``, a kept column that is called like any of these
    ``data:...``.

    Parameters
    ----------
    features, kept : tuple of str
        Names of the features, and of the columns of the rows that are kept.
    every : bool
        Whether all outputs are explained: a line for each of each row.
    """

    features: tuple[str, ...]
    kept: tuple[str, ...] = ()
    every: bool = False

    @property
    def relevance(self) -> list[str]:
        """The columns with relevance."""
        return [f"feature:{name}" if name in _OTHERS else name for name in self.features]

    @property
    def data(self) -> dict[str, str]:
        """What each kept column is called."""
        taken = {*_OTHERS, *self.relevance}
        return {name: f"data:{name}" if name in taken else name for name in self.kept}

    def lines(self, explanation: Explanation) -> np.ndarray:
        """The row of each line."""
        return np.arange(len(explanation)).repeat(len(explanation.output_names) if self.every else 1)

    def columns(self, explanation: Explanation) -> dict[str, np.ndarray]:
        """All columns but the kept ones."""
        outputs = np.array(explanation.output_names, dtype=object)
        if explanation.target is None:
            values, what = np.moveaxis(np.asarray(explanation.values), -1, 1), np.tile(outputs, len(explanation))
        else:
            values, what = np.asarray(explanation.values), outputs[explanation.target]
        values = values.reshape(len(what), len(self.features))
        found = {"output" if self.every else "target": what}
        found |= {"prediction": explanation.prediction.ravel(), "base_value": explanation.base_values.ravel()}
        found |= dict(zip(self.relevance, np.ascontiguousarray(values.T), strict=True))
        return found | {"residual": sum((part.ravel() for part in explanation.residuals.values()), np.zeros(len(what)))}

    def frame(self, explanation: Explanation, rows: pandas.DataFrame) -> pandas.DataFrame:
        """A table with the index of the rows."""
        import pandas as pd

        found = rows[list(self.kept)].rename(columns=self.data).iloc[self.lines(explanation)]
        columns = self.columns(explanation)
        return pd.concat([found, pd.DataFrame(columns, index=found.index)], axis=1)

    def empty(self, rows: Any = None) -> pandas.DataFrame:
        """A table without rows; rows : DataFrame, of which columns are kept."""
        import pandas as pd

        numbers = dict.fromkeys(["prediction", "base_value", *self.relevance, "residual"], np.float64)
        found = pd.DataFrame({"output" if self.every else "target": pd.Series(dtype=str)})
        found = found.join(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in numbers.items()}))
        if rows is None:
            return found
        kept = rows[list(self.kept)].rename(columns=self.data).iloc[:0]
        return pd.concat([kept, found.set_index(kept.index)], axis=1)
