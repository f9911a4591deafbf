"""What matters over all rows: of each explained output, the mean |relevance| of each feature or pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.explanation.rows_like_arrays import without_infinite
from neon.report.packing import packed

__all__ = ["overview"]


def overview(values: list[np.ndarray], target: np.ndarray | None) -> list[dict[str, Any]]:
    """Of each explained output its rows, and what positive and negative relevance add to the mean |relevance|.

    values : of each output (n_rows, n_features); of one where `target` (n_rows,) says which output each row explains.
    What is not finite counts as none.
    """
    values = list(map(without_infinite, values))
    if target is None:
        groups = list(enumerate(values))
    else:
        groups = [(int(output), values[0][target == output]) for output in np.unique(target)]
    return [
        {
            "output": output,
            "n": len(rows),
            "positive": packed(np.maximum(rows, 0).mean(axis=0)),
            "negative": packed(np.maximum(-rows, 0).mean(axis=0)),
        }
        for output, rows in groups
    ]
