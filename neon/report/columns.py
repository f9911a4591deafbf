"""One column of the caller's data, as the page shows it: numbers with their decimals, or a list of texts and codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neon.explanation.as_numbers import as_numbers
from neon.explanation.typical import Typical

__all__ = ["Column", "read_column"]

FEWEST = 10  # rows that can say what is usual
MOST_BESIDE = 1_000  # different texts that have words of their own


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    about : dict
        Name, what is usual in words, and either decimals and unit of its numbers, or its texts; "beside" are these with
        how common they are.
    numbers : ndarray (n_rows,)
        Values, or positions in the texts. NaN: missing.
    """

    about: dict[str, Any]
    numbers: np.ndarray


def read_column(name: str, values: np.ndarray, *, unit: str, imputed: bool, n_rows: int) -> Column:
    """Read one column; what is usual is that of all `values`, the column is of the first `n_rows`."""
    typical = Typical(values, unit=unit)
    usual = typical.words() if len(values) >= FEWEST else ""
    about: dict[str, Any] = {"name": name, "usual": usual, "unit": typical.unit, "imputed": imputed}
    values = np.asarray(values)[:n_rows]
    if typical.kind == "number":
        return Column(about | {"decimals": typical.decimals}, as_numbers(values))
    places: dict[Any, int] = {}
    samples: list[Any] = []
    missing, codes = pd.isna(values), np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if not missing[row]:
            code = places.setdefault((type(value), value), len(places))
            if code == len(samples):
                samples.append(values[row])
            codes[row] = code
    about["texts"] = [typical.shown(value) for value in samples]
    if usual and typical.kind == "share" and len(samples) <= MOST_BESIDE:
        about["beside"] = [typical.beside(value) for value in samples]
    return Column(about, codes)
