"""What measuring returns: for every method and metric one number a row, their means and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neon._visible import visible
from neon.evaluate.intervals import mean_interval
from neon.evaluate.metrics import METRICS

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "Key", "Scores"]


class Key(NamedTuple):
    """What a score is of; refill : what took the place of features, "" where nothing did."""

    method: str
    metric: str
    refill: str = ""


class Curve(NamedTuple):
    """The explained function while features are taken away.

    share : (n_steps + 1,), of features taken away; most, least : (n_rows, n_steps + 1), most or least relevant first.
    """

    share: np.ndarray
    most: np.ndarray
    least: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Scores of explanations, row by row.

    Attributes
    ----------
    values : mapping of Key to ndarray (n_rows,)
        NaN where a score is not defined for a row. Seconds are one number for all rows.
    curves : mapping of Key to Curve
        Of flipping; their metric is "flipping".
    skipped : mapping of str to str
        Methods that do not apply to the model, with the reason.

    Examples
    --------
    >>> scores["srg"]                        # of one method and refill: the rows' numbers
    >>> scores.to_frame()                    # means with their 95 % intervals
    >>> scores.versus("kernel_shap")         # paired differences, wins and losses
    """

    values: Mapping[Key, np.ndarray]
    curves: Mapping[Key, Curve] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Scores) -> Scores:
        """Both tables as one; where both have a score, the other's."""
        return Scores(
            {**self.values, **other.values}, {**self.curves, **other.curves}, {**self.skipped, **other.skipped}
        )

    def __getitem__(self, name: str | tuple[str, ...]) -> np.ndarray:
        """The rows' numbers of a metric, (method, metric) or (method, metric, refill), if it tells one score.

        Raises
        ------
        KeyError
            If there is no such score, or several.
        """
        wanted = (name,) if isinstance(name, str) else tuple(name)
        found = [key for key in self.values if wanted in ((key.metric,), key[:2], tuple(key))]
        if len(found) != 1:
            known = ", ".join(map(str, map(tuple, found or self.values)))
            raise KeyError(f"{name!r} names {len(found)} scores; choose one of (method, metric, refill): {known}")
        return self.values[found[0]]

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the order they were measured."""
        return list(dict.fromkeys(key.method for key in self.values))

    def named(self, method: str) -> Scores:
        """The same scores under another name of their method."""
        return Scores(
            {key._replace(method=method): rows for key, rows in self.values.items()},
            {key._replace(method=method): curve for key, curve in self.curves.items()},
            self.skipped,
        )

    def to_frame(self) -> pandas.DataFrame:
        """One row a method, metric and refill: mean, low and high of its 95 % interval (Student's t), rows, unit."""
        import pandas as pd

        lines = []
        for key, rows in self.values.items():
            mean, low, high = mean_interval(rows)
            metric = METRICS[key.metric]
            counted = int(np.count_nonzero(~np.isnan(rows)))
            lines.append((*key, mean, low, high, counted, metric.unit, metric.better))
        return pd.DataFrame(lines, columns=[*Key._fields, "mean", "low", "high", "rows", "unit", "better"])

    def versus(self, method: str) -> pandas.DataFrame:
        """Every other method beside this one, on the same rows, metric by metric.

        Returns
        -------
        DataFrame
            difference: mean over rows of the other's score less this one's, with its 95 % interval (paired t);
            verdict: "win" or "loss" of the other, where the interval leaves out 0, else "tie".

        Raises
        ------
        KeyError
            If there is no such method.
        """
        import pandas as pd

        if method not in self.methods:
            raise KeyError(f"no method {method!r}; there are {self.methods}")
        lines = []
        for key, rows in self.values.items():
            theirs = self.values.get(key._replace(method=method))
            if key.method == method or theirs is None:
                continue
            mean, low, high = mean_interval(rows - theirs)
            apart = low > 0 or high < 0
            verdict = ("win" if (mean > 0) == (METRICS[key.metric].better == "higher") else "loss") if apart else "tie"
            lines.append((*key, mean, low, high, verdict))
        return pd.DataFrame(lines, columns=[*Key._fields, "difference", "low", "high", "verdict"])

    def plot(self, metrics: Sequence[str] | None = None) -> Figure:
        """Means with their intervals: one panel a metric, one line a method, one mark a refill."""
        from neon.evaluate.drawing import panels

        return panels(self, metrics)

    def plot_curves(self, refill: str | None = None, ax: Axes | None = None) -> Axes:
        """The flipping curves of each method, averaged over rows, for one refill (default: the first)."""
        from neon.evaluate.drawing import flipping_curves

        return flipping_curves(self, refill, ax)

    def __repr__(self) -> str:
        frame = self.to_frame()
        count = frame["metric"].nunique()
        title = f"<Scores: {len(self.methods)} methods, {count} metrics; mean ± half a 95 % interval>"
        skipped = [f"not measured: {method} ({reason})" for method, reason in self.skipped.items()]
        return visible("\n".join([title, *([self._wide().to_string()] if len(frame) else []), *skipped]))

    def _repr_html_(self) -> str:
        return self._wide().to_html()

    def _wide(self) -> pandas.DataFrame:
        """One line a metric and refill, one column a method."""
        frame = self.to_frame()
        half = (frame["high"] - frame["low"]) / 2
        frame["text"] = [f"{m:.3g}" + (f" ±{h:.2g}" if h > 0 else "") for m, h in zip(frame["mean"], half, strict=True)]
        wide = frame.pivot_table("text", ["metric", "refill"], "method", aggfunc="first", sort=False, fill_value="-")
        return wide.rename_axis(columns=None)
