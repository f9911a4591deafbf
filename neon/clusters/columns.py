"""The caller's columns in raw units: what is usual for a group of rows, beside others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from neon.explanation import Explanation
from neon.explanation.typical import Typical

__all__ = ["Compared", "RawColumns"]


class Compared(NamedTuple):
    """A column among some rows, beside others.

    one, other : "410 €" and "120 €", or "82 % 'urban'" and "31 %"; inside, elsewhere : what is usual, "410 ± 90 €";
    direction : "higher", "lower", "later", "earlier", "more 'urban'", "less 'urban'", or "" where both are the same;
    value, value_elsewhere : medians (of dates days since 1970), or the shares of the category that direction names;
    low, high : the ends of the middle 68 %, NaN for categories.
    """

    one: str
    other: str
    inside: str
    elsewhere: str
    direction: str
    value: float
    value_elsewhere: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """Both, "410 € against 120 €"."""
        return f"{self.one} against {self.other}"


class RawColumns:
    """The columns of the caller's rows, looked at when asked for; of documents, which tokens occur in them.

    Parameters
    ----------
    X : array, DataFrame or sparse matrix (n_rows, n_features), or documents (n_rows,)
    explanation : Explanation
        Of these rows: it knows what columns are called, and their units.
    """

    def __init__(self, X: Any, explanation: Explanation) -> None:
        self._X = X.tocsc() if sparse.issparse(X) else X
        if len(X.shape) == 1:
            self._X = np.asarray(explanation.data) != 0
        self.names, self._units = explanation.feature_names, dict(explanation.feature_units)
        self.n_rows = len(explanation)
        self._known: dict[int, Typical] = {}

    def typical(self, feature: int) -> Typical:
        """What is usual for one column."""
        if feature not in self._known:
            unit = self._units.get(self.names[feature], "")
            self._known[feature] = Typical(self._values(feature), unit=unit)
        return self._known[feature]

    def compare(self, feature: int, rows: np.ndarray, others: np.ndarray) -> Compared:
        """A column among some rows (positions) beside others (mask)."""
        typical = self.typical(feature)
        texts = *typical.compared(rows, others), typical.usual(rows), typical.usual(others)
        if typical.kind == "share":
            value, inside, outside = typical.told_apart(rows, others)
            more = f"{'more' if inside > outside else 'less'} {typical.shown(value)}" if inside != outside else ""
            return Compared(*texts, more, inside, outside, np.nan, np.nan)
        low, median, high = typical.middle(rows)
        _, elsewhere, _ = typical.middle(others)
        up, down = ("later", "earlier") if typical.kind == "date" else ("higher", "lower")
        direction = "" if not abs(median - elsewhere) > 0 else up if median > elsewhere else down
        return Compared(*texts, direction, median, elsewhere, low, high)

    def others(self, rows: np.ndarray) -> np.ndarray:
        """All rows but these, as a mask."""
        mask = np.ones(self.n_rows, dtype=bool)
        mask[rows] = False
        return mask

    def _values(self, feature: int) -> Any:
        if hasattr(self._X, "iloc"):
            return self._X.iloc[:, feature].to_numpy()
        if hasattr(self._X, "to_numpy"):  # of polars
            return self._X[:, int(feature)].to_numpy()
        if sparse.issparse(self._X):
            return self._X[:, [feature]].toarray()[:, 0]
        return np.asarray(self._X)[:, feature]
