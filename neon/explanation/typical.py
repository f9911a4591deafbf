"""What is usual for a column, and how a value or a group of rows stands beside it: in words and raw units."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from neon.explanation.as_numbers import as_numbers, date_at, in_words, is_date, is_duration
from neon.explanation.text import elide

__all__ = ["Typical", "percent"]

# The middle 68 % of the rows: of a normal distribution, within one standard deviation of its mean.
LOW, HIGH = 0.16, 0.84
SKEWED = 2.0  # where one half of that middle is so many times as wide as the other, "±" would mislead
SMALL_COUNTS = 10  # whole numbers whose middle is narrower than this are given as a range


class Typical:
    """A column, and what is typical for it.

    Half of the middle 68 % of the known values stands behind the "±", and their median before it: of a normal
    distribution these are the standard deviation and the mean, and a few outliers do not move them. Infinite values are
    left out.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers, booleans, strings, dates or durations; None, NaN and NaT are missing.
    unit : str
        Written behind numbers, such as "€" or "km/h". Durations are given in days.

    Attributes
    ----------
    kind : {"number", "share", "date", "nothing"}
        How it is told: numbers by their middle, values by their shares ("share": booleans, strings, numbers of which
        there are no more than two), dates by their middle; "nothing" where no value is known.
    decimals : int
        Decimals that numbers are written with.
    values : ndarray (n_rows,)
        The column; dates and durations as objects.

    Examples
    --------
    >>> speed = Typical(X["speed"], unit="km/h")
    >>> speed.words()
    'usually 1739 ± 218 km/h'
    >>> speed.beside(2721)
    '2721 km/h, usually 1739 ± 218 km/h'
    >>> speed.against(labels == 0)
    '2650 km/h against 1700 km/h elsewhere'
    >>> Typical(["urban"] * 82 + ["rural"] * 18).words()
    "usually 'urban' (82 %)"
    """

    def __init__(self, values: Any, *, unit: str = "") -> None:
        self.values = np.asarray(values)
        if self.values.ndim != 1:
            raise ValueError(f"values: expected one column, (n_rows,), got shape {self.values.shape}")
        if self.values.dtype.kind in "mM":  # as objects, nanoseconds would be whole numbers
            self.values = np.array(list(self.values), dtype=object)
        self._known = ~pd.isna(self.values)
        self._numbers = np.full(len(self.values), np.nan)
        self.unit = unit
        self.kind = self._told_by()
        if self.kind in ("number", "date"):
            self._numbers[self._known] = as_numbers(self.values[self._known])
            self._known &= np.isfinite(self._numbers)
            known = self._numbers[self._known]
            self._whole = bool((np.round(known) == known).all())
            low, high = np.quantile(known, [LOW, HIGH])
            self.decimals = 0 if self._whole else _decimals((high - low) / 2 or abs(known).max())

    def words(self, rows: Any = slice(None)) -> str:
        """What is usual, with its adverb: "usually 1739 ± 218", "typically 0–1", "always 'A'".

        Parameters
        ----------
        rows : mask or positions
            The rows that are asked about. Default: all.
        """
        return " ".join(filter(None, self._summary(rows)))

    def usual(self, rows: Any = slice(None)) -> str:
        """What is usual, for the cell of a table: "1739 ± 218", "0–1", "'A'"."""
        return self._summary(rows)[1]

    def shown(self, value: Any) -> str:
        """Write one value with the column's digits and unit: "2721 km/h", "'urban'", "yes", "2021-03-04", "missing"."""
        if pd.isna(value):
            return "missing"
        if self.kind == "number" and not isinstance(value, str):
            return self._with_unit(self._number(float(as_numbers(np.array([value], dtype=object))[0])))
        return _in_words(value, self.unit)

    def beside(self, value: Any) -> str:
        """Set a value beside what is usual: "2721, usually 1739 ± 218"; a category with its share of the rows.

        A category that is among the usual ones is not set beside them: "'urban', as in 82 % of rows".
        """
        shown = self.shown(value)
        if self.kind == "share" and not pd.isna(value):
            shares = self.shares()
            share = shares.get(value, 0.0)
            if value in self._common(shares):
                return f"{shown}, as in {percent(share)} of rows"
            shown += f" ({percent(share)})"
        return f"{shown}, {self.words()}"

    def against(self, rows: Any, others: Any = None, *, where: str = "elsewhere") -> str:
        """Compare two groups of rows: "410 € against 120 € elsewhere", "82 % 'urban' against 31 % elsewhere".

        Numbers and dates by their medians; by the range of their middle, or their means, where that is the same. Of
        categories the one whose shares differ most is named.

        Parameters
        ----------
        rows, others : mask or positions
            Default of `others`: all rows that are not in `rows`.
        where : str
            What the others are called.
        """
        if others is None:
            others = np.ones(len(self.values), dtype=bool)
            others[rows] = False
        one, other = self.compared(rows, others)
        return f"{one} against {other} {where}".rstrip()

    def compared(self, rows: Any, others: Any) -> tuple[str, str]:
        """The two sides of `against`: "82 % 'urban'" and "31 %"."""
        missing = [1 - self._known[group].mean() if self._known[group].size else 1.0 for group in (rows, others)]
        if max(missing) == 1 or abs(missing[0] - missing[1]) >= 0.5:
            return f"{percent(missing[0])} missing", percent(missing[1])
        if self.kind == "share":
            value, one, other = self.told_apart(rows, others)
            at = "" if isinstance(value, str | bool | np.bool_) else "at "  # "100 % at 1"
            return f"{percent(one)} {at}{_in_words(value, self.unit)}", percent(other)
        medians = [self._at(self.middle(group)[1]) for group in (rows, others)]
        ranges = [self.usual(group) for group in (rows, others)]
        if self.kind == "date" or medians[0] != medians[1]:
            return medians[0], medians[1]
        if ranges[0] != ranges[1]:
            return ranges[0], ranges[1]
        means = [self._numbers[group][self._known[group]].mean() for group in (rows, others)]
        decimals = max(self.decimals, _decimals(abs(means[0] - means[1])))
        shown = [self._with_unit(_fixed(mean, decimals)) for mean in means]
        return f"on average {shown[0]}", shown[1]

    def middle(self, rows: Any = slice(None)) -> tuple[float, float, float]:
        """Low end, median and high end of the middle 68 % of the numbers (days since 1970); NaN where none is known."""
        known = self._numbers[rows][self._known[rows]]
        if not known.size:
            return np.nan, np.nan, np.nan
        low, high = np.quantile(known, [LOW, HIGH], method="closest_observation" if self._whole else "linear")
        return float(low), float(np.median(known)), float(high)  # ends of whole numbers are whole

    def shares(self, rows: Any = slice(None)) -> dict[Any, float]:
        """Which share of the known values among some rows each value has."""
        known = self.values[rows][self._known[rows]]
        return {value: count / len(known) for value, count in Counter(known.tolist()).items()}

    def told_apart(self, rows: Any, others: Any) -> tuple[Any, float, float]:
        """The value whose shares among two groups of rows differ most, and both shares; None where none is known."""
        one, other = self.shares(rows), self.shares(others)
        gaps = {value: abs(one.get(value, 0.0) - other.get(value, 0.0)) for value in {**one, **other}}
        value = max(gaps, key=lambda value: gaps[value], default=None)
        return value, one.get(value, 0.0), other.get(value, 0.0)

    def _told_by(self) -> str:
        known = self.values[self._known]
        if not known.size:
            return "nothing"
        if known.dtype.kind == "b" or any(isinstance(value, str | bool | np.bool_) for value in known.flat):
            return "share"
        first = known[0]
        if is_date(first):
            return "date"
        if is_duration(first):
            self.unit = self.unit or "days"
        numbers = as_numbers(known)
        few = len(np.unique(numbers[~np.isnan(numbers)])) <= 2 and not is_duration(first)
        return "number" if np.isfinite(numbers).any() and not few else "share"

    def _summary(self, rows: Any) -> tuple[str, str]:
        """The adverb, and what is usual."""
        known = self._known[rows]
        missing = 1 - known.mean() if known.size else 1.0
        if missing == 1:
            return ("always" if known.size else ""), ("missing" if known.size else "no rows")
        if missing >= 0.5:
            return "usually", f"missing ({percent(missing)})"
        if self.kind == "share":
            return self._usual_shares(rows)
        low, median, high = self.middle(rows)
        values = self._numbers[rows][known]
        common = self._most_common(values) if low == high else 0.0
        if common == 1:
            return "always", self._at(median)
        if low == high:
            return "usually", f"{self._at(median)} ({percent(common)})"
        if self.kind == "date":
            return "typically", " to ".join(dict.fromkeys((self._at(low), self._at(high))))
        below, above = median - low, high - median
        skewed = max(below, above) > SKEWED * min(below, above)
        if skewed or (self._whole and high - low < SMALL_COUNTS):
            joint = "–" if low >= 0 else " to "
            return "typically", self._with_unit(joint.join(dict.fromkeys((self._number(low), self._number(high)))))
        return "usually", self._with_unit(f"{self._number(median)} ± {self._number((high - low) / 2)}")

    def _usual_shares(self, rows: Any) -> tuple[str, str]:
        shares = self.shares(rows)
        common = self._common(shares)
        first = max(shares.values())
        if first == 1:
            return "always", _in_words(common[0], self.unit)
        if not common:
            return "", f"one of {len(shares):,} values"
        *most, last = [f"{_in_words(value, self.unit)} ({percent(shares[value])})" for value in common]
        total = sum(shares[value] for value in common)
        return "usually" if total >= 0.5 else "often", " or ".join(filter(None, (", ".join(most), last)))

    @staticmethod
    def _common(shares: dict[Any, float]) -> list[Any]:
        """The most frequent values, up to three, enough for half of the rows; none that fewer than 10 % have."""
        frequent = sorted((value for value in shares if shares[value] >= 0.1), key=lambda value: -shares[value])[:3]
        totals = np.cumsum([shares[value] for value in frequent])
        return frequent[: int((totals < 0.5).sum()) + 1]

    @staticmethod
    def _most_common(values: np.ndarray) -> float:
        return float(np.unique(values, return_counts=True)[1].max() / len(values))

    def _at(self, number: float) -> str:
        if self.kind == "date":
            return in_words(date_at(round(number) if self._whole else number))
        return self._with_unit(self._number(number))

    def _number(self, value: float) -> str:
        """With the column's decimals, and as many more as a small value needs to be seen."""
        decimals = max(self.decimals, int(value % 1 != 0 and abs(value) < 100))
        if value and np.isfinite(value) and round(value, decimals) == 0:
            decimals = _decimals(value)
        return _fixed(value, decimals)

    def _with_unit(self, text: str) -> str:
        return f"{text} {self.unit}" if self.unit else text


def percent(share: float) -> str:
    """A share of rows: "82 %", and neither 0 nor 100 where it is not quite that."""
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return "<1 %"
    return ">99 %" if share < 1 and whole == 100 else f"{whole} %"


def _decimals(size: float) -> int:
    """Decimals that show two significant digits of a number."""
    return int(np.clip(1 - np.floor(np.log10(abs(size))), 0, 12)) if size and np.isfinite(size) else 0


def _fixed(value: float, decimals: int) -> str:
    """With so many decimals; groups of three from five digits up, a proper minus sign."""
    if not np.isfinite(value):
        return {np.inf: "∞", -np.inf: "−∞"}.get(value, "nan")
    value = round(value, decimals) + 0.0  # no negative zero
    grouped = "," if abs(value) >= 10_000 else ""
    text = f"{value:.2e}" if abs(value) >= 1e15 else f"{value:{grouped}.{decimals}f}"
    return text.replace("-", "−")


def _in_words(value: Any, unit: str) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"'{elide(value, 24)}'"
    if is_date(value) or is_duration(value):
        return in_words(value)
    number = as_numbers(np.array([value], dtype=object))[0]
    text = elide(str(value), 24) if np.isnan(number) else f"{number:.4g}".replace("-", "−")
    return f"{text} {unit}" if unit else text
