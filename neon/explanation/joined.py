"""Explanations of the same kind below each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from neon.explanation.explanation import Explanation
from neon.explanation.fields import labels_of
from neon.explanation.rows_like_arrays import MixedRows, SparseRows

if TYPE_CHECKING:
    from neon.converters.core.encoded_columns import Text
    from neon.converters.core.intake import Texts

__all__ = ["concat"]

_ALIKE = ("feature_names", "output_names", "explains", "unit", "feature_units")


def concat(explanations: Iterable[Explanation]) -> Explanation:
    """Put explanations below each other: of chunks of rows, of files, of the same model on several days.

    A residual that one of them lacks is zero there. Rows keep their labels; where no explanation has any, positions
    count through. The finer views, `encoded`, `texts` and `interactions`, are kept where all have them. Where base
    values were described differently, both descriptions stay.

    Parameters
    ----------
    explanations : iterable of Explanation
        With the same features, outputs and units, of one output each sample or all of all outputs.

    Returns
    -------
    Explanation

    Raises
    ------
    TypeError
        If something else than explanations is given.
    ValueError
        If there are none, or they differ in what has to be the same; said which and how.

    Examples
    --------
    >>> whole = neon.concat(explainer(chunk) for chunk in pandas.read_csv("rows.csv", chunksize=10_000))
    """
    if isinstance(explanations, Explanation):
        raise TypeError("concat takes several explanations: neon.concat([first, second])")
    parts = list(explanations)
    for part in parts:
        if not isinstance(part, Explanation):
            raise TypeError(f"concat takes explanations, got {type(part).__name__}")
    if not parts:
        raise ValueError("no explanations to put together")
    for place, part in enumerate(parts):
        _check_alike(parts[0], part, place)
    first, words = parts[0], dict.fromkeys(part.base_in_words for part in parts if part.base_in_words)
    names = dict.fromkeys(name for part in parts for name in part.residuals)
    imputed = any(part.imputed is not None for part in parts)
    return Explanation(
        values=_rows([part.values for part in parts]),
        base_values=_below([part.base_values for part in parts]),
        prediction=_below([part.prediction for part in parts]),
        residuals={
            name: _below([part.residuals.get(name, np.zeros_like(part.prediction)) for part in parts]) for name in names
        },
        data=_rows([part.data for part in parts]),
        feature_names=first.feature_names,
        output_names=first.output_names,
        target=None if first.target is None else _below([part.target for part in parts]),
        explains=first.explains,
        encoded=_of_all(parts, "encoded", concat),
        imputed=_below([_imputed(part) for part in parts]) if imputed else None,
        texts=_of_all(parts, "texts", lambda texts: _texts(texts, [len(part) for part in parts])),
        interactions=_of_all(parts, "interactions", _below),
        index=_index(parts),
        base_in_words=" or ".join(words),
        unit=first.unit,
        feature_units=first.feature_units,
    )


def _check_alike(first: Explanation, part: Explanation, place: int) -> None:
    """Raise ValueError where an explanation differs from the first one in what has to be the same."""
    for name in _ALIKE:
        one, other = getattr(first, name), getattr(part, name)
        if one == other:
            continue
        if isinstance(one, tuple):
            missing, more = [each for each in one if each not in other], [each for each in other if each not in one]
            how = f"lacks {missing[:3]} and has {more[:3]} beside them" if missing or more else "has another order"
        else:
            how = f"has {other!r}, the first one {one!r}"
        raise ValueError(f"explanations differ in {name}: number {place} {how}")
    if (first.target is None) != (part.target is None):
        raise ValueError(
            f"explanation {place} and the first one differ: one is of all outputs, the other of one output a sample; "
            "pick by explanation.select(output)"
        )
    if first.feature_shape != part.feature_shape:
        raise ValueError(f"explanation {place} has samples of shape {part.feature_shape}, not {first.feature_shape}")


def _below(arrays: list[Any]) -> np.ndarray:
    joined = np.concatenate(arrays)
    joined.flags.writeable = False  # the explanation shares it then
    return joined


def _rows(parts: list[Any]) -> Any:
    """Arrays, sparse or mixed rows below each other; an array where they are of several kinds."""
    if all(isinstance(part, SparseRows) for part in parts):
        return SparseRows(sparse.vstack([part.matrix for part in parts], format="csr"))
    if all(isinstance(part, MixedRows) and (part.boolean == parts[0].boolean).all() for part in parts):
        return MixedRows(_below([part.numbers for part in parts]), parts[0].boolean)
    arrays = [np.asarray(part) for part in parts]
    if len({array.dtype == bool for array in arrays}) > 1:  # True stays True beside numbers
        arrays = [array.astype(object) for array in arrays]
    return _below(arrays)


def _imputed(part: Explanation) -> np.ndarray:
    return np.zeros(part.data.shape, dtype=bool) if part.imputed is None else part.imputed


def _of_all(parts: list[Explanation], name: str, join: Any) -> Any:
    """A finer view of all explanations; None where one has none."""
    views = [getattr(part, name) for part in parts]
    if any(view is None for view in views) or len({getattr(view, "ndim", 0) for view in views}) > 1:
        return None
    return join(views)


def _index(parts: list[Explanation]) -> Any:
    if all(part.index is None for part in parts):
        return None
    return [label for part in parts for label in labels_of(part).tolist()]


class _Below:
    """Reads the documents of several explanations."""

    def __init__(self, texts: list[Texts], sizes: list[int]) -> None:
        self.texts, self.ends = texts, np.cumsum(sizes)

    def __call__(self, rows: np.ndarray) -> list[Text]:
        places = np.searchsorted(self.ends, rows, side="right")
        starts = np.concatenate([[0], self.ends[:-1]])
        return [self.texts[place].of(int(row - starts[place])) for row, place in zip(rows, places, strict=True)]


def _texts(texts: list[Texts], sizes: list[int]) -> Texts:
    from neon.converters.core.intake import Texts

    return Texts(_Below(texts, sizes), np.arange(sum(sizes)))
