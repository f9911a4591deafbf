"""Which rows and features a caller means: rows by position, or by the label that they have."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation.algebra import pick_features, pick_rows
from neon.explanation.as_numbers import in_words, is_date
from neon.explanation.fields import labels_of

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["ByLabel", "pick", "row_position", "row_positions"]

_COMPARED = 20_000  # labels, with one that is missing


class ByLabel:
    """``explanation.loc``: rows by their labels, also where these are numbers."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation

    def __getitem__(self, index: Any) -> Explanation:
        """``loc[label]``, ``loc[labels]``, ``loc[first:last]`` (both are picked); ``loc[labels, features]``.

        A tuple that is itself a label, of an index of several levels, is one.
        """
        if isinstance(index, tuple) and index in labels_of(self._explanation).tolist():
            index = ([index],)
        return pick(self._explanation, index, by_label=True)


def pick(explanation: Explanation, index: Any, *, by_label: bool = False) -> Explanation:
    """``explanation[rows]`` or ``explanation[rows, features]``."""
    rows, *features = index if isinstance(index, tuple) else (index,)
    if len(features) > 1:
        raise ValueError("expected explanation[rows, features]; an output is picked by explanation.select(output)")
    picked = pick_rows(explanation, row_positions(explanation, rows, by_label=by_label))
    return pick_features(picked, features[0]) if features else picked


def row_position(explanation: Explanation, row: Hashable) -> int:
    """Where a single row is, from 0: a whole number is a position, anything else a label.

    Raises
    ------
    IndexError
        If there is no such position.
    KeyError
        If no row has this label; near ones are named.
    ValueError
        If several rows have it.
    """
    if isinstance(row, slice) or not isinstance(row, Hashable):
        raise TypeError(f"expected one row, by position or label, got {row!r}")
    found = row_positions(explanation, row)
    assert isinstance(found, np.ndarray)
    if len(found) > 1:
        places = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise ValueError(f"{len(found)} rows are called {row!r}, at positions {places}: give a position")
    return int(found[0]) % len(explanation)


def row_positions(explanation: Explanation, rows: Any, *, by_label: bool = False) -> slice | np.ndarray:
    """The rows meant, as a slice, a mask or positions.

    Parameters
    ----------
    rows : position, label, slice, mask, or sequence of positions or of labels
    by_label : bool
        Whether whole numbers are labels, not positions.
    """
    if isinstance(rows, slice):
        bounds = [bound for bound in (rows.start, rows.stop) if bound is not None]
        return _between(explanation, rows) if bounds and (by_label or not all(map(_is_whole, bounds))) else rows
    several = isinstance(rows, list | range) or (hasattr(rows, "__array__") and np.ndim(rows) > 0)
    if several and np.ndim(rows) > 1 and not isinstance(rows[0], tuple):
        raise IndexError(f"rows: expected one axis, got shape {np.shape(rows)}")
    kind = np.asarray(rows).dtype.kind if several else ""
    if kind == "b":
        return _aligned(explanation, rows)
    if kind in ("i", "u") and not by_label:
        return _checked(explanation, np.asarray(rows).astype(int))
    asked = list(rows) if several else [rows]
    if by_label or not all(map(_is_whole, asked)):
        fraction = next((row for row in asked if isinstance(row, float | np.floating | bool | np.bool_)), None)
        if fraction is not None and labels_of(explanation).dtype.kind in "iu":
            raise TypeError(f"a row's position is a whole number, got {fraction!r}")
        return _labelled(explanation, asked)
    return _checked(explanation, np.array([operator.index(row) for row in asked], dtype=int))


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool | np.bool_)


def _checked(explanation: Explanation, positions: np.ndarray) -> np.ndarray:
    n = len(explanation)
    outside = positions[(positions < -n) | (positions >= n)]
    if len(outside):
        numbers = explanation.index is not None and explanation.index.dtype.kind in "iu"
        hint = f"; rows that are called by numbers: explanation.loc[{outside[0]}]" if numbers else ""
        raise IndexError(f"no row at position {outside[0]}, expected one below {n}{hint}")
    return positions


def _aligned(explanation: Explanation, mask: Any) -> np.ndarray:
    """A mask (n_samples,), that of a Series in the order of the rows."""
    import pandas as pd

    if isinstance(mask, pd.Series) and explanation.index is not None:
        labels = pd.Index(explanation.index)
        if not mask.index.equals(labels):
            unique = labels.is_unique and mask.index.is_unique
            if not (unique and len(mask) == len(labels) and labels.isin(mask.index).all()):
                raise IndexError(
                    "mask: its index does not have the labels of the rows, by which it is matched; by position: "
                    "explanation[mask.to_numpy()]"
                )
            mask = mask.reindex(labels)
    mask = np.asarray(mask)
    if len(mask) != len(explanation):
        raise IndexError(f"mask: expected {len(explanation)} entries, one for each row, got {len(mask)}")
    return mask


def _between(explanation: Explanation, rows: slice) -> slice:
    """From the first row called as the slice starts to the last one called as it stops."""
    start = None if rows.start is None else int(_labelled(explanation, [rows.start])[0])
    stop = None if rows.stop is None else int(_labelled(explanation, [rows.stop])[-1]) + 1
    return slice(start, stop, rows.step)


def _labelled(explanation: Explanation, wanted: list[Any]) -> np.ndarray:
    """Positions of the rows with these labels, in this order."""
    import pandas as pd

    labels = labels_of(explanation)
    known = pd.Index(labels, dtype=object, tupleize_cols=False)
    asked = [pd.Timestamp(label) if isinstance(label, np.datetime64) else label for label in wanted]
    found, missing = known.get_indexer_non_unique(pd.Index(asked, dtype=object, tupleize_cols=False))
    if not len(missing):
        return np.asarray(found)
    if len(wanted) == 1 and isinstance(wanted[0], str):
        dates = np.array([is_date(label) and in_words(label) == wanted[0] for label in labels], dtype=bool)
        if dates.any():
            return np.flatnonzero(dates)
    raise KeyError(_unknown(explanation, wanted[missing[0]], labels))


def _unknown(explanation: Explanation, label: Any, labels: np.ndarray) -> str:
    """No row has this label: what could have been meant."""
    if isinstance(label, str) and label in explanation.feature_names:
        return f"no row is called {label!r}, but a feature is: explanation[:, {label!r}]"
    if explanation.index is None:
        return (
            f"no row is called {label!r}: the rows have positions from 0 to {len(labels) - 1} and no labels, which "
            "the index of a DataFrame would be"
        )
    by_text = {str(known): known for known in labels[:_COMPARED].tolist()}
    near = difflib.get_close_matches(str(label), by_text, n=3)
    some = ", ".join(repr(by_text[text]) for text in near or list(by_text)[:3])
    return f"no row is called {label!r}; {'near' if near else 'rows are called'}: {some}"
