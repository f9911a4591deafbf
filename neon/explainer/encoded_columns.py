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


def decoded(
    explanation: Explanation, encoding: Encoding, data: Any, names: Sequence[str], imputed: np.ndarray | None
) -> Explanation:
    """From an explanation of encoded columns to one of the caller's columns, which keeps the former as ``encoded``.

    Parameters
    ----------
    data : ndarray or SparseRows
        The caller's rows.
    names : sequence of str
        The caller's columns.
    imputed : ndarray of bool, optional
        Which entries an imputer puts a value in place of.
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
        imputed=imputed,
    )


def decoded_pairs(pairs: np.ndarray, encoding: Encoding, n_columns: int) -> np.ndarray:
    """Add up interactions (n_samples, n_encoded, n_encoded) by both columns."""
    for _ in range(2):
        pairs = encoding.total(pairs, n_columns)[0].swapaxes(1, 2)
    return pairs
