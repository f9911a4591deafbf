"""What neon explains: every estimator with a converter, and those with nothing to explain."""

from __future__ import annotations

import csv
import io
import textwrap
from collections import Counter
from importlib import resources
from typing import NamedTuple

from neon.converters.reasons import NOTHING_TO_EXPLAIN
from neon.converters.registry import registered

__all__ = ["Coverage", "Support", "supported"]


class Support(NamedTuple):
    """How neon takes an estimator.

    Attributes
    ----------
    name : str
        Public dotted name.
    status : str
        "exact": the network computes the model's own function. "surrogate": it computes another, stated function, whose
        agreement with the model is measured. "encoding": scikit-learn runs the transformer, relevance goes back by
        provenance. "layers": a transformer, computed by the network. "nothing to explain": `explains` says why not.
        "registered": by the user.
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
        return "\n".join([*lines, ", ".join(f"{count} {status}" for status, count in counts.items())])

    def _repr_html_(self) -> str:
        import pandas as pd

        return str(pd.DataFrame(self, columns=Support._fields).to_html(index=False))


def supported() -> Coverage:
    """List what neon explains: the estimators that have a converter, and scikit-learn's with nothing to explain.

    Sorted by name. Which options of an estimator are not supported its `UnsupportedModelError` says.
    """
    nothing = {name: Support(name, "nothing to explain", why) for name, why in NOTHING_TO_EXPLAIN.items()}
    found = {name: Support(name, "registered", "") for name in registered()} | measured() | nothing
    return Coverage(found[name] for name in sorted({*registered(), *nothing}))


def measured() -> dict[str, Support]:
    """What ``python -m benchmarks.coverage`` found of fitted models."""
    text = resources.files("neon.converters").joinpath("coverage.csv").read_text(encoding="utf-8")
    return {row["name"]: Support(**row) for row in csv.DictReader(io.StringIO(text))}


def _line(name: str, status: str, explains: str) -> str:
    return f"{name.removeprefix('sklearn.'):<50} {status:<18} {textwrap.shorten(explains, 80)}".rstrip()
