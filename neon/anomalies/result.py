"""What explaining anomalies returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neon._visible import visible
from neon.clusters.cluster import told_by
from neon.clusters.columns import RawColumns
from neon.explanation import Explanation
from neon.explanation.text import elide, number

if TYPE_CHECKING:
    import pandas

    from neon.anomalies.plots import AnomalyPlots

__all__ = ["AnomalyExplanation"]

_PART, _MOST = 2 / 3, 3  # features are named until they have this part of the relevance above 0, at most so many


@dataclass(frozen=True, eq=False, repr=False)
class AnomalyExplanation:
    """The most unusual rows of a data set, the most unusual first, and what makes them so.

    Attributes
    ----------
    explanation : Explanation
        Of these rows; its index are the caller's labels of the rows, or their positions.
    rows : ndarray of int (n,)
        Their positions in X.
    scores : ndarray (n_rows,)
        The outlierness of every row of X by the model, larger for more unusual ones.
    by_others : ndarray (n_rows,)
        The same by the points of the fit that are not the row itself, of one-class SVMs and kernel densities: what rows
        are ranked by. Equal to `scores` for other models, and with ``own_points=True``.
    flagged : ndarray of bool (n,), or None
        Which of these rows the model calls outliers; None where it has no threshold (densities).
    columns : RawColumns
        What is usual: ``found.columns.typical(feature)``.
    """

    explanation: Explanation
    rows: np.ndarray
    scores: np.ndarray
    by_others: np.ndarray
    flagged: np.ndarray | None
    columns: RawColumns

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for each row: its rank, its outlierness, and its values beside what is usual."""
        return tuple(self._sentence(place) for place in range(len(self)))

    @property
    def labels(self) -> np.ndarray:
        """What the rows are called, (n,)."""
        index = self.explanation.index
        return self.rows if index is None else index

    def reasons(self, row: int, *, part: float = _PART, most: int = _MOST) -> np.ndarray:
        """Positions of the features that make a row unusual, the most relevant first.

        As few as have this part of the relevance above 0, at most so many.

        Parameters
        ----------
        row : int
            Its place in the ranking, from 0.
        """
        return told_by(self.explanation.values[row], part, most)

    def title(self, row: int) -> str:
        """A row's label, rank and outlierness: "Row 17, rank 1 of 600 (outlierness 7.64, an outlier)"."""
        score, other = (number(scores[self.rows[row]]) for scores in (self.scores, self.by_others))
        facts = [f"outlierness {score}"]
        if other != score:
            facts.append(f"{other} without its own point")
        if self.flagged is not None:
            facts.append("an outlier" if self.flagged[row] else "below the model's threshold")
        name = elide(str(self.labels[row]), 40)
        return f"Row {name}, rank {row + 1} of {len(self.scores):,} ({', '.join(facts)})"

    def words(self, row: int, feature: int) -> str:
        """A row's own value beside what is usual: "2721, usually 1739 ± 218"."""
        return self.columns.typical(feature).beside(self.explanation.data[row, feature])

    def to_frame(self) -> pandas.DataFrame:
        """The ranking: one row an outlier, called as in the caller's DataFrame, the most unusual first.

        Columns: rank, from 1; outlierness, the model's; by_others, the same without the row's own point; outlier,
        whether the model calls it one (where it has a threshold); because, the features that make it unusual, with its
        values beside what is usual. `reasons_frame` has one row a feature.
        """
        import pandas as pd

        columns: dict[str, Any] = {"rank": np.arange(1, len(self) + 1), "outlierness": self.scores[self.rows]}
        columns["by_others"] = self.by_others[self.rows]
        if self.flagged is not None:
            columns["outlier"] = self.flagged
        columns["because"] = [self._because(place) for place in range(len(self))]
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="row"))

    def reasons_frame(self) -> pandas.DataFrame:
        """One row an outlier and feature, the most relevant feature first.

        Columns: row, its label; rank; feature; relevance, in units of the outlierness; value, the row's own, and usual,
        what is usual ("1739 ± 218"), in raw units; words, both.
        """
        import pandas as pd

        lines = []
        for place, label in enumerate(self.labels):
            values = self.explanation.values[place]
            for feature in np.argsort(-values, kind="stable"):
                typical = self.columns.typical(feature)
                lines.append(
                    {
                        "row": label,
                        "rank": place + 1,
                        "feature": self.columns.names[feature],
                        "relevance": values[feature],
                        "value": typical.shown(self.explanation.data[place, feature]),
                        "usual": typical.usual(),
                        "words": self.words(place, feature),
                    }
                )
        return pd.DataFrame(lines)

    @property
    def plot(self) -> AnomalyPlots:
        """Plots: .strip(), .strip(row); those of single rows are ``found.explanation.plot``."""
        from neon.anomalies.plots import AnomalyPlots

        return AnomalyPlots(self)

    def __repr__(self) -> str:
        head = f"The {len(self)} most unusual of {len(self.scores):,} rows · {self.explanation.explains}"
        return visible("\n".join([head, *(f"- {sentence}" for sentence in self.sentences)]))

    def _repr_html_(self) -> str:
        from neon.anomalies.html import ranking

        return ranking(self)

    def _sentence(self, place: int) -> str:
        return f"{self.title(place)}: {self._because(place)}."

    def _because(self, place: int) -> str:
        found = [
            f"{elide(self.columns.names[feature], 40)} {self.words(place, feature)}" for feature in self.reasons(place)
        ]
        return "; ".join(found) if found else "no feature makes it unusual"
