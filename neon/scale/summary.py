"""What a stream of explanations has in common, added up on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.scale.sketch import Sketch
from neon.scale.table import residuals_of

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["StreamSummary"]


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
    _sketches: list[Sketch] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.total, self.total_abs = np.zeros(len(self.features)), np.zeros(len(self.features))
        self._sketches = [Sketch() for _ in self.features]

    def add(self, table: pa.Table, columns: Sequence[str]) -> None:
        """Take a batch of the output, whose relevance stands in these columns.

        What is added is read from the table that is written, so that a run that was interrupted, and reads these
        tables again, ends with the same bits.
        """
        relevance = [table.column(name).to_numpy() for name in columns]
        prediction, row = (table.column(name).to_numpy() for name in ("prediction", "row"))
        finite = np.isfinite(prediction)
        for part in relevance:
            finite &= np.isfinite(part)
        self.n_rows += len(finite)
        if not finite.all():
            self.not_finite += int(np.count_nonzero(~finite))
            relevance, prediction, row = [part[finite] for part in relevance], prediction[finite], row[finite]
        for i, part in enumerate(relevance):
            self.total[i] += part.sum()
            self.total_abs[i] += np.abs(part).sum()
            self._sketches[i].add(part)
        for name, amounts in residuals_of(table, finite):
            self.residuals[name] = self.residuals.get(name, 0.0) + float(np.abs(amounts).sum())
        least = np.partition(prediction, -self.n_top)[-self.n_top] if len(prediction) > self.n_top else -np.inf
        best = np.flatnonzero(prediction >= least)
        best = best[np.argsort(-prediction[best], kind="stable")[: self.n_top]]  # of many equal ones the first
        here = [  # + 0.0, as -0 is a whole number without a sign in CSV
            (float(prediction[i]) + 0.0, int(row[i]), tuple(float(part[i]) + 0.0 for part in relevance)) for i in best
        ]
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
        return pd.DataFrame([sketch.quantiles(q) for sketch in self._sketches], index=self.features, columns=list(q))

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
