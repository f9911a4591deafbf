"""What a stream of explanations has in common, added up on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.scale.table import residuals_of

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["StreamSummary"]

_ACCURACY = 0.01  # of a quantile, relative
_LOG_BASE = np.log((1 + _ACCURACY) / (1 - _ACCURACY))
_TINY = 1e-300  # smaller numbers count as 0
_OFFSET = int(np.ceil(np.log(_TINY) / _LOG_BASE)) - 1
_N_CODES = int(np.ceil(np.log(np.finfo(np.float64).max) / _LOG_BASE)) - _OFFSET  # of either sign


@dataclass(eq=False)
class StreamSummary:
    """Sums over all rows that were explained, in their order.

    Attributes
    ----------
    features : tuple of str
    n_rows : int
        Lines of the output: each row once, or once for each output where all are explained.
    total, total_abs : ndarray (n_features,)
        Sums of relevance and of its size. Rows with relevance that is no finite number are left out of them.
    not_finite : int
        How many rows that are.
    residuals : dict of str to float
        The sum of each residual's size; of CSV output, which holds their sum alone, of that.
    top : list of tuple
        Of the rows with the largest predictions: prediction, number of the row, relevance.
    """

    features: tuple[str, ...]
    n_top: int = 10
    n_rows: int = 0
    not_finite: int = 0
    total: np.ndarray = field(init=False)
    total_abs: np.ndarray = field(init=False)
    residuals: dict[str, float] = field(default_factory=dict)
    top: list[tuple[float, int, tuple[float, ...]]] = field(default_factory=list)
    _counts: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.total, self.total_abs = np.zeros(len(self.features)), np.zeros(len(self.features))
        self._counts = np.zeros((len(self.features), 2 * _N_CODES + 1), dtype=np.int64)

    def add(self, table: pa.Table, columns: Sequence[str]) -> None:
        """Take a batch of the output, whose relevance stands in these columns.

        What is added is read from the table that is written, so that a run that was interrupted, and reads these
        tables again, ends with the same bits.
        """
        values = np.stack([table.column(name).to_numpy() for name in columns])  # (n_features, n_rows)
        prediction, row = (table.column(name).to_numpy() for name in ("prediction", "row"))
        finite = np.isfinite(values).all(0) & np.isfinite(prediction)
        self.n_rows += len(finite)
        self.not_finite += int(np.count_nonzero(~finite))
        values, prediction, row = np.ascontiguousarray(values[:, finite]), prediction[finite], row[finite]
        self.total += values.sum(1)
        self.total_abs += np.abs(values).sum(1)
        for counts, column in zip(self._counts, values, strict=True):
            counts += np.bincount(_codes(column), minlength=len(counts))
        for name, amounts in residuals_of(table, finite):
            self.residuals[name] = self.residuals.get(name, 0.0) + float(np.abs(amounts).sum())
        least = np.partition(prediction, -self.n_top)[-self.n_top] if len(prediction) > self.n_top else -np.inf
        best = np.flatnonzero(prediction >= least)
        here = [(float(prediction[i]), int(row[i]), tuple(map(float, values[:, i]))) for i in best]
        self.top = sorted([*self.top, *here], key=lambda found: (-found[0], found[1]))[: self.n_top]

    def quantiles(self, q: Sequence[float] = (0.05, 0.5, 0.95)) -> pandas.DataFrame:
        """Quantiles of each feature's relevance, to one hundredth of their size (Masson, Rim and Lee 2019: DDSketch).

        Parameters
        ----------
        q : sequence of float
            Between 0 and 1.

        Returns
        -------
        DataFrame (n_features, n_quantiles)
        """
        import pandas as pd

        if not all(0 <= part <= 1 for part in q):
            raise ValueError(f"quantiles are between 0 and 1, got {list(q)}")
        return pd.DataFrame([_quantiles(counts, q) for counts in self._counts], index=self.features, columns=list(q))

    def to_frame(self) -> pandas.DataFrame:
        """Mean relevance, its mean size and its quantiles, the features with most relevance first."""
        import pandas as pd

        n = max(self.n_rows - self.not_finite, 1)
        means = pd.DataFrame({"mean": self.total / n, "mean |R|": self.total_abs / n}, index=self.features)
        return means.join(self.quantiles()).sort_values("mean |R|", ascending=False, kind="stable")

    def to_json(self) -> str:
        """All of it as text."""
        frame, n = self.to_frame(), max(self.n_rows - self.not_finite, 1)
        parts: dict[str, Any] = {
            "n_rows": self.n_rows,
            "not_finite": self.not_finite,
            "features": {name: {str(key): row[key] for key in frame.columns} for name, row in frame.iterrows()},
            "residuals": {name: amount / n for name, amount in self.residuals.items()},
            "top": [{"row": row, "prediction": value, "relevance": list(parts)} for value, row, parts in self.top],
        }
        return json.dumps(parts, indent=1, ensure_ascii=False)


def _codes(values: np.ndarray) -> np.ndarray:
    """Numbers of bins, from 0 on and in the order of the values, each as wide as a fiftieth of the values in it."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        code = np.ceil(np.log(size) / _LOG_BASE) - _OFFSET
    return np.where(size < _TINY, 0, np.copysign(code, values)).astype(np.int64) + _N_CODES


def _quantiles(counts: np.ndarray, q: Sequence[float]) -> np.ndarray:
    """The middles of the bins, so that no value in one is further than a hundredth of itself."""
    upto = np.cumsum(counts)
    if not upto[-1]:
        return np.full(len(q), np.nan)
    found = np.searchsorted(upto, np.asarray(q) * (upto[-1] - 1), side="right") - _N_CODES
    middle = 2 * np.exp((np.abs(found) + _OFFSET) * _LOG_BASE) / (np.exp(_LOG_BASE) + 1)
    return np.where(found == 0, 0.0, np.sign(found) * middle)
