"""What `neon.tune` found: the composite that was chosen, by what evidence, among what others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from neon._visible import visible
from neon.evaluate.explained import Explained
from neon.evaluate.metrics import METRICS
from neon.explainer import Explainer

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

__all__ = ["DEFAULT", "Tuning"]

DEFAULT = "default"


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """The composite that `neon.tune` chose, and the evidence.

    Attributes
    ----------
    chosen : dict
        Options of `neon.Explainer`: ``neon.Explainer(model, **tuning.chosen)``. Without a composite where the default
        is kept.
    name : str
        The name of what was chosen, "default" where that is kept.
    significant : bool
        Whether the held-out gain leaves out 0. Otherwise the default is kept.
    judged : str
        The candidate that the choosing half preferred; "default" where it preferred none.
    gain : tuple of float
        Its held-out gain over the default: mean, low and high of the 95 % interval, in the metric's unit, positive
        where it is better. Unbiased: these rows had no part in the choice. (Of those gains alone that turn out
        significant, the mean is somewhat too high.) 0 of the default itself.
    rows_needed : int or None
        With about how many rows a gain as large as that on the choosing half would be significant in four of five
        times; None where no candidate was better there. That gain is the best of many, so more may be needed.
    metric, refill : str
        What was measured; refill : "" where nothing was taken away.
    halves : (ndarray, ndarray)
        Which rows of X chose and which judged.
    table : DataFrame
        One line a candidate; see `neon.tune`.
    skipped : mapping of str to str
        Candidates that do not apply to the model, with the reason.
    explained : Explained
        The model and the function of it that was explained.
    """

    chosen: dict[str, Any]
    name: str
    significant: bool
    judged: str
    gain: tuple[float, float, float]
    rows_needed: int | None
    metric: str
    refill: str
    halves: tuple[np.ndarray, np.ndarray] = field(repr=False)
    table: pandas.DataFrame
    skipped: Mapping[str, str]
    explained: Explained

    def explainer(self, **options: Any) -> Explainer:
        """``neon.Explainer(model, **chosen)``; more options of it by name."""
        return Explainer(self.explained.model, **{**self.chosen, **options})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Gains over the default on the rows that choose, with the table's intervals, and the held-out gain."""
        from neon.evaluate.drawing import differences

        return differences(self, ax)

    @property
    def verdict(self) -> str:
        """What was chosen and why, in a sentence."""
        n = len(self.halves[1])
        mean, low, high = (f"{number:.3g}" for number in self.gain)
        of = f"{self.metric} {mean} (95 % interval {low} to {high}, {METRICS[self.metric].unit}) on {n} held-out rows"
        if self.significant:
            return f"chosen: {self.name}, which is better than the default by {of}"
        if self.judged == DEFAULT:
            return f"the default is kept: no candidate was better on the {len(self.halves[0])} rows that choose"
        return (
            f"the default is kept: {self.judged}, preferred on the rows that choose, gains {of}, which may be chance; "
            f"the gain it had on the rows that choose takes about {self.rows_needed} rows to tell from chance"
        )

    def __repr__(self) -> str:
        skipped = [f"does not apply: {name} ({reason})" for name, reason in self.skipped.items()]
        columns = self.table.drop(columns=["same_as"]) if (self.table["same_as"] == "").all() else self.table
        lines = [f"<Tuning: {self.verdict}>", columns.to_string(float_format="{:.3g}".format), *skipped]
        return visible("\n".join(lines))

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.verdict)}</p>{self.table.to_html(float_format='{:.3g}'.format)}"
