"""Labels of clusters as callers hand them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Labels"]


@dataclass(frozen=True, eq=False)
class Labels:
    """Which cluster each row is in.

    Attributes
    ----------
    codes : ndarray of int (n_rows,)
        A place in `classes`; -1 in no cluster.
    classes : ndarray (n_clusters,)
        The labels: numbers in their order, then strings in theirs.
    n_noise, n_missing : int
        Rows with a negative number for a label, and with none.
    """

    codes: np.ndarray
    classes: np.ndarray
    n_noise: int = 0
    n_missing: int = 0

    @classmethod
    def read(cls, labels: Any, X: Any, n_rows: int) -> Labels:
        """Labels of the rows of X, a Series beside a DataFrame by its index.

        Raises
        ------
        ValueError
            If there is not one label per row, their indices do not match, or they name fewer than two clusters.
        """
        found = np.asarray(_matched(labels, X), dtype=object)
        if found.shape != (n_rows,):
            raise ValueError(f"labels must be one per row ({n_rows}), got shape {found.shape}")
        codes, given = pd.factorize(found)
        kept = [_plain(label) for label in given]
        noise = np.array([isinstance(label, Real) and label < 0 for label in kept], dtype=bool)
        order = sorted(np.flatnonzero(~noise), key=lambda place: _rank(kept[place]))
        if len(order) < 2:
            raise ValueError(
                f"labels name {len(order)} cluster{'s' * (len(order) != 1)} in {n_rows:,} rows (negative numbers are "
                "noise, None and NaN no labels); at least two are needed: a cluster is explained against the others"
            )
        places = np.full(len(kept) + 1, -1)  # the last one for rows without a label, whose code is -1
        places[order] = np.arange(len(order))
        return cls(
            places[codes],
            _as_array([kept[place] for place in order]),
            n_noise=int(np.append(noise, False)[codes].sum()),
            n_missing=int((codes < 0).sum()),
        )

    def left_out(self) -> list[str]:
        """What is in no cluster, in words."""
        parts = ((self.n_noise, "noise (negative labels)"), (self.n_missing, "without a label"))
        return [f"{count:,} rows are {what}: in no cluster" for count, what in parts if count]


def _matched(labels: Any, X: Any) -> Any:
    """A Series beside a DataFrame in the order of its rows; a row that it does not name has no label."""
    if not (hasattr(labels, "reindex") and hasattr(X, "iloc")) or labels.index.equals(X.index):
        return labels
    if not (labels.index.is_unique and X.index.is_unique and labels.index.isin(X.index).all()):
        raise ValueError(
            "labels and X have different indices, by which a Series is matched to a DataFrame; pass "
            "labels.to_numpy() where both are in the same order"
        )
    return labels.astype(object).reindex(X.index)


def _plain(label: Any) -> Any:
    """A label as Python writes it; whole numbers without a point."""
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, float) and not np.isfinite(label):
        raise ValueError("labels contain infinity; mark noise by -1, missing labels by None or NaN")
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _rank(label: Any) -> tuple[bool, float, str]:
    number = isinstance(label, Real)
    return not number, float(label) if number else 0.0, str(label)


def _as_array(labels: Sequence[Any]) -> np.ndarray:
    """As numbers or strings where all are; else as they are."""
    if len({type(label) for label in labels}) == 1 and isinstance(labels[0], int | float | str | bool):
        return np.array(labels)
    found = np.empty(len(labels), dtype=object)
    found[:] = labels
    return found
