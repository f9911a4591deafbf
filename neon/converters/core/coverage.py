"""What neon explains: every estimator with a converter, and those of scikit-learn that have none, and why."""

from __future__ import annotations

import csv
import io
import textwrap
from collections import Counter
from importlib import resources
from typing import NamedTuple

from neon.converters.core.registry import declined, registered

__all__ = ["Coverage", "Support", "supported"]


MEANING = {
    "exact": "the network computes the model's own function",
    "surrogate": "the network computes another, stated function; agreement with the model is measured",
    "layers": "a transformer that the network computes",
    "encoding": "a transformer that scikit-learn runs; relevance goes back to the columns that its output is made from",
    "registered": "there is a converter, which neon's own coverage page does not measure",
    "not explained": "for the reason that stands beside it",
}


class Support(NamedTuple):
    """How neon takes an estimator.

    Attributes
    ----------
    name : str
        Public dotted name.
    status : str
        "exact": the network computes the model's own function. "surrogate": it computes another, stated function, whose
        agreement with the model is measured. "encoding": scikit-learn runs the transformer, relevance goes back by
        provenance. "layers": a transformer, computed by the network. "not explained": `explains` says why.
        "registered": there is a converter, which no case of neon's own measures.
    explains : str
        The explained scalar, in words: ``network.explains`` of a typical model.
    """

    name: str
    status: str
    explains: str


class Coverage(list[Support]):
    """Records that print as a table; ``pandas.DataFrame(neon.supported())`` makes a data frame of them."""

    def __repr__(self) -> str:
        lines = [_line(*record) for record in self]
        counts = Counter(record.status for record in self)
        meanings = [f"{count} {status}: {MEANING[status]}" for status, count in counts.items()]
        return "\n".join([*lines, "", *meanings])

    def _repr_html_(self) -> str:
        import pandas as pd

        return str(pd.DataFrame(self, columns=Support._fields).to_html(index=False))


def supported() -> Coverage:
    """List what neon explains: the estimators that have a converter, and scikit-learn's without one, with the reason.

    Sorted by name. Which options of an estimator are not supported its `UnsupportedModelError` says.
    """
    found = measured()
    given = {name: found.get(name, Support(name, "registered", "")) for name in registered()}
    without = {name: Support(name, "not explained", why) for name, why in declined().items()}
    return Coverage(record for _, record in sorted({**given, **without}.items()))


def measured() -> dict[str, Support]:
    """What ``python -m benchmarks.coverage`` found of fitted models."""
    text = resources.files("neon.converters.core").joinpath("coverage.csv").read_text(encoding="utf-8")
    return {row["name"]: Support(**row) for row in csv.DictReader(io.StringIO(text))}


def _line(name: str, status: str, explains: str) -> str:
    return f"{name.removeprefix('sklearn.'):<50} {status:<18} {textwrap.shorten(explains, 80)}".rstrip()
