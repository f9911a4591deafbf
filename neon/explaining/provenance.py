"""From encoded columns back to the caller's: relevance adds up in the column that each was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neon.converters import Encoding

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["decoded", "decoded_pairs"]


def decoded(explanation: Explanation, encoding: Encoding, rows: Any, names: Sequence[str], data: Any) -> Explanation:
    """An explanation of encoded columns as one of the caller's, which keeps it as ``encoded``.

    Parameters
    ----------
    rows : as `Intake.rows` gives them
    names : sequence of str
        The caller's columns.
    data : ndarray or SparseRows
        What they hold.
    """
    values, unowned = encoding.total(explanation.values, len(names))
    values.flags.writeable = False  # the explanation shares it then
    residuals = dict(explanation.residuals)
    if np.any(unowned != 0):
        residuals["constant"] = unowned + residuals.get("constant", 0.0)
    return replace(
        explanation,
        values=values,
        residuals=residuals,
        data=data,
        feature_names=tuple(names),
        encoded=explanation,
        texts=None,
        imputed=None if encoding.replaced is None else encoding.replaced(rows),
    )


def decoded_pairs(pairs: np.ndarray, encoding: Encoding, n_columns: int) -> np.ndarray:
    """Add up interactions (n_samples, n_encoded, n_encoded) by both columns."""
    for _ in range(2):
        pairs = encoding.total(pairs, n_columns)[0].swapaxes(1, 2)
    return pairs
